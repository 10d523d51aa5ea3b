import {windowOf} from "../facts/facets";
import {useWords} from "../i18n";

/** `28d` in words; a window of another kind is shown as it is. */
export function useWindow() {
  const {t} = useWords();
  function windowWords(window: string): string {
    const found = windowOf(window);
    return found === null ? window : t(`portrait.window_${found.unit}`, {n: found.n});
  }
  return {windowWords};
}
