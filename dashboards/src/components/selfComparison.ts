import type {Measure} from "../api/schema";

export type SelfWord =
  | "self_none" | "self_same"
  | "self_up" | "self_up_much" | "self_down" | "self_down_much"
  | "self_later" | "self_later_much" | "self_earlier" | "self_earlier_much";

/** The sentence that says how a measure stands to the student's own past: a distance, never a verdict. */
export function selfWord({z_self, unit}: Pick<Measure, "z_self" | "unit">): SelfWord {
  if (z_self === null) return "self_none";
  const size = Math.abs(z_self);
  if (size < 1) return "self_same";
  const direction = unit === "minute_of_day" ? (z_self > 0 ? "later" : "earlier") : z_self > 0 ? "up" : "down";
  return size < 2 ? `self_${direction}` : `self_${direction}_much`;
}
