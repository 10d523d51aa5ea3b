import {computed, type WritableComputedRef} from "vue";
import {useRoute, useRouter} from "vue-router";

/** A filter that lives in the address: `?name=value`, left out when empty. */
export function useRouteQuery(name: string, fallback = ""): WritableComputedRef<string> {
  const route = useRoute();
  const router = useRouter();
  return computed({
    get() {
      const value = route.query[name];
      return (Array.isArray(value) ? value[0] : value) ?? fallback;
    },
    set(value: string) {
      const query = {...router.currentRoute.value.query};
      if (value === "" || value === fallback) delete query[name];
      else query[name] = value;
      void router.replace({query});
    },
  });
}
