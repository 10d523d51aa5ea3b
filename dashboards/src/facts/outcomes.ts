import type {CaseOutcome} from "../api/schema";

/** The parts of what came of offers, in the order in which they are shown. */
export const OUTCOME_PARTS = ["no_support_needed_n", "acted_on_n", "excluded_n", "not_reachable_n"] as const;

/** The parts that are told; a part below ten is not there, and is never a zero. */
export function toldParts(outcome: CaseOutcome | null): {part: (typeof OUTCOME_PARTS)[number]; n: number}[] {
  if (outcome === null) return [];
  return OUTCOME_PARTS.flatMap((part) => {
    const n = outcome[part];
    return n === null ? [] : [{part, n}];
  });
}
