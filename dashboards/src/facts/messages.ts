import type {OwnMessage} from "../api/schema";

/** Whether a message waits for somebody, or who has it in hand. */
export function standing(it: OwnMessage): "waits" | "mine" | "taken" | "taken_on" {
  if (it.taken_at === null) return "waits";
  if (it.is_mine) return "mine";
  return it.taken_by === null ? "taken_on" : "taken";
}

/** What waits first, then what somebody has in hand; each part in the order of the server. */
export function waitingFirst(rows: readonly OwnMessage[]): OwnMessage[] {
  return [...rows.filter((it) => standing(it) === "waits"), ...rows.filter((it) => standing(it) !== "waits")];
}
