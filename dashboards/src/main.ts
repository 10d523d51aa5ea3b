import {QueryCache, QueryClient, VueQueryPlugin} from "@tanstack/vue-query";
import {createApp} from "vue";
import {ApiProblem} from "./api/client";
import App from "./App.vue";
import {firstLocale, i18n, setLocale} from "./i18n";
import {buildRouter} from "./router";
import "./elements";
import "./styles/tokens.css";
import "./styles/app.css";
import "./styles/print.css";

const queries = new QueryClient({
  queryCache: new QueryCache({
    onError(error) {
      // The session ended while a page was open.
      if (!(error instanceof ApiProblem) || error.status !== 401) return;
      const here = router.currentRoute.value;
      if (here.name === "login" || here.matched.length === 0) return;
      queries.clear();
      void router.replace({name: "login", query: {to: here.fullPath}});
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 60_000,
      // An answer is an answer: only silence is worth asking again.
      retry: (failures, error) => failures < 2 && error instanceof ApiProblem && (error.status === 0 || error.status >= 502),
      networkMode: "always",
    },
  },
});
const router = buildRouter(queries);

await setLocale(firstLocale());
createApp(App).use(i18n).use(VueQueryPlugin, {queryClient: queries}).use(router).mount("#app");
