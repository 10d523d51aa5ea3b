import {ApiProblem, half} from "./api/client";
import {useWords} from "./i18n";

/** What went wrong in the reader's words; a refusal of the rules says itself what is missing. */
export function useProblemText(): (error: unknown) => string {
  const {t, locale} = useWords();
  return (error) => {
    if (!(error instanceof ApiProblem)) throw error;
    const {status, problem} = error;
    if (status === 0) return `${t("error.offline_title")}${t("error.offline_detail")}`;
    if (status === 403) return t("error.forbidden_title");
    if (status >= 500) return `${t("error.server_title")}${t("error.server_detail")}`;
    return half(problem.detail !== undefined && problem.detail !== "" ? problem.detail : problem.title, locale.value);
  };
}
