import type {Measure, Portrait} from "../api/schema";

/** The parts of a dimension in the order in which they are read. */
const ORDER = [
  "rhythm", "meals", "economy", "study", "class", "grade", "participation", "five_education",
  "award", "request", "night", "trace", "contact", "device", "company", "body",
];

export interface Facet {
  facet: string;
  measures: Measure[];
}

function place(facet: string): number {
  const at = ORDER.indexOf(facet);
  return at < 0 ? ORDER.length : at;
}

/** Measures by part, those with a value first; a part that is not known here comes last, in the order of the API. */
export function byFacet(measures: readonly Measure[]): Facet[] {
  const found = new Map<string, Measure[]>();
  for (const it of measures) found.set(it.facet, [...(found.get(it.facet) ?? []), it]);
  return [...found]
    .map(([facet, all]) => ({facet, measures: [...all.filter((it) => it.status === "ok"), ...all.filter((it) => it.status !== "ok")]}))
    .sort((a, b) => place(a.facet) - place(b.facet));
}

/** Mondays before the newest portrait for which there are values, newest first. */
export function pastMondays(newest: Portrait | undefined): string[] {
  if (newest === undefined) return [];
  const days = newest.dimensions.flatMap((it) => it.measures.flatMap((measure) => measure.history.map((point) => point.as_of_on)));
  const isMonday = (on: string) => new Date(`${on}T00:00:00Z`).getUTCDay() === 1;
  return [...new Set(days)].filter((on) => on < newest.newest_on && isMonday(on)).sort().reverse();
}

/** A window as `28d`: its number and whether it counts days or years. */
export function windowOf(window: string): {n: number; unit: "days" | "years"} | null {
  const found = /^(\d+)d$/.exec(window);
  if (found === null) return null;
  const days = Number(found[1]);
  return days >= 365 && days % 365 === 0 ? {n: days / 365, unit: "years"} : {n: days, unit: "days"};
}
