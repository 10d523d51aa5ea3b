import {onBeforeUnmount, ref, type Ref} from "vue";

/** The present instant in milliseconds, moving on while the component is there. */
export function useNow(everyMs = 30_000): Ref<number> {
  const now = ref(Date.now());
  const timer = setInterval(() => (now.value = Date.now()), everyMs);
  onBeforeUnmount(() => clearInterval(timer));
  return now;
}
