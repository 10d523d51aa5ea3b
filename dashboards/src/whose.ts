import {computed} from "vue";
import {useRoute} from "vue-router";
import {useMe} from "./api/queries";

/** Whose page this is: one's own under `/me`, else the student of the address; `home` is the portrait. */
export function useWhose() {
  const route = useRoute();
  const {data: me} = useMe();
  const own = computed(() => route.params["student_key"] === undefined);
  const studentKey = computed(() => (own.value ? (me.value?.student_key ?? "") : String(route.params["student_key"])));
  const home = computed(() => (own.value ? "/me" : `/students/${encodeURIComponent(studentKey.value)}`));
  return {own, studentKey, home, me};
}
