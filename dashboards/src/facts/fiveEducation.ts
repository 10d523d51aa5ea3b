import type {Measure, Portrait} from "../api/schema";

export const EDUCATION = ["moral", "intellectual", "physical", "aesthetic", "labor", "safety"] as const;
export type Education = (typeof EDUCATION)[number];

/** One dimension of the five educations and safety: now, and what is usual for the same student. */
export interface EducationPoint {
  education: Education;
  now: number | null;
  /** Median of the student's own earlier values. */
  past: number | null;
}

export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle];
  if (high === undefined) return null;
  const low = sorted[middle - 1];
  return sorted.length % 2 === 0 && low !== undefined ? (low + high) / 2 : high;
}

function point(education: Education, measure: Measure | undefined, asOfOn: string): EducationPoint {
  if (measure === undefined) return {education, now: null, past: null};
  const earlier = measure.history.flatMap((it) => (it.value === null || it.as_of_on >= asOfOn ? [] : [it.value]));
  return {education, now: measure.status === "ok" ? measure.value : null, past: median(earlier)};
}

/** The six dimensions of a portrait, in their order, those without data too. */
export function educationPoints(portrait: Pick<Portrait, "dimensions" | "as_of_on">): EducationPoint[] {
  const measures = portrait.dimensions.flatMap((it) => it.measures);
  return EDUCATION.map((it) => point(it, measures.find((measure) => measure.measure === `${it}_activity_n`), portrait.as_of_on));
}

/** What a radar can say: a corner needs its value, for a drawn gap would read as zero. */
export function radarPoints(points: readonly EducationPoint[]): {points: EducationPoint[]; hasPast: boolean; left: Education[]} {
  const known = points.filter((it) => it.now !== null);
  const paired = known.filter((it) => it.past !== null);
  const hasPast = paired.length >= 3;
  const shown = hasPast ? paired : known;
  return {points: shown, hasPast, left: points.filter((it) => !shown.includes(it)).map((it) => it.education)};
}

/** Why there is no radar, or that there is one. */
export function radarState(points: readonly EducationPoint[]): "ok" | "insufficient" | "none_seen" {
  const {points: shown} = radarPoints(points);
  if (shown.length < 3) return "insufficient";
  return shown.every((it) => it.now === 0 && (it.past ?? 0) === 0) ? "none_seen" : "ok";
}
