import {computed, type WritableComputedRef} from "vue";
import {useRoute, useRouter, type LocationQueryRaw} from "vue-router";

/** What the filters of one moment want the address to be: set together, they go there together. */
let wanted: LocationQueryRaw | null = null;

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
      if (wanted === null) {
        wanted = {...router.currentRoute.value.query};
        queueMicrotask(() => {
          const query = wanted ?? {};
          wanted = null;
          void router.replace({query});
        });
      }
      if (value === "" || value === fallback) delete wanted[name];
      else wanted[name] = value;
    },
  });
}
