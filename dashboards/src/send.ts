import {useQueryClient} from "@tanstack/vue-query";
import {ref} from "vue";
import {useProblemText} from "./problemText";

/** Sends one thing at a time, says what went wrong, and has what it changed asked for anew. */
export function useSend(...changes: string[]) {
  const queries = useQueryClient();
  const problemText = useProblemText();
  const busy = ref("");
  const problem = ref("");

  /** Returns whether it went through. */
  async function send(what: string, work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value !== "") return false;
    busy.value = what;
    problem.value = "";
    try {
      await work();
      await Promise.all(changes.map((it) => queries.invalidateQueries({queryKey: [it]})));
      return true;
    } catch (error) {
      problem.value = problemText(error);
      return false;
    } finally {
      busy.value = "";
    }
  }
  return {busy, problem, send};
}
