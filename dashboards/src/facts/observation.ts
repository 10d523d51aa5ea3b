import type {ObservationAsk, Sign} from "../api/schema";

/** What is being written down of a student. */
export interface Observation {
  number: string;
  signs: string[];
  seenOn: string;
  urgent: boolean;
  text: string;
}

export function blankObservation(): Observation {
  return {number: "", signs: [], seenOn: "", urgent: false, text: ""};
}

/** Somebody should go there now: the writer says so, or a sign does. */
export function isUrgent(given: Observation, signs: readonly Sign[]): boolean {
  return given.urgent || signs.some((it) => it.is_urgent && given.signs.includes(it.sign));
}

/** What must be mended before it can be sent. */
export function faultsOf(given: Observation, textBytesMax: number): ("number" | "nothing" | "long")[] {
  const faults: ("number" | "nothing" | "long")[] = [];
  if (given.number.trim() === "") faults.push("number");
  if (given.signs.length === 0 && given.text.trim() === "") faults.push("nothing");
  if (new TextEncoder().encode(given.text).length > textBytesMax) faults.push("long");
  return faults;
}

export function bodyOf(given: Observation): ObservationAsk {
  return {
    student_no: given.number.trim(),
    signs: given.signs,
    seen_on: given.seenOn === "" ? null : given.seenOn,
    is_urgent: given.urgent,
    text: given.text.trim(),
  };
}
