import type {SweptStudent} from "../api/schema";

/** Students without an answer, in the order of the server. */
export function waiting(rows: readonly SweptStudent[]): SweptStudent[] {
  return rows.filter((it) => it.answer === null);
}
