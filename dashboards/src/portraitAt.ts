import {computed, type Ref} from "vue";
import {usePortrait} from "./api/queries";
import {pastMondays} from "./facts/facets";
import {useRouteQuery} from "./routeQuery";

/** The portrait of the date in the address, and the earlier dates that can be asked for. */
export function usePortraitAt(studentKey: Ref<string>) {
  const asOf = useRouteQuery("as_of");
  const {data, error, isPending, isPlaceholderData, refetch} = usePortrait(studentKey, asOf);
  const {data: newest} = usePortrait(studentKey, "");
  const dates = computed(() => pastMondays(newest.value));
  return {asOf, data, error, isPending, isPlaceholderData, refetch, dates};
}
