import type {Archive, ArchiveYear, RecordRow} from "../api/schema";
import {EDUCATION, type Education} from "./fiveEducation";

export interface YearFigure {
  item: string;
  value: number;
  /** A unit as `quantity` of `format.ts` knows it. */
  unit: "count" | "hour" | "points" | "credits";
}

export interface YearFacts {
  academic_year: string;
  figures: YearFigure[];
  /** What was done in each of the five educations and in safety; only those in which something was done. */
  educations: {education: Education; n: number; hours: number | null}[];
  hours: number | null;
  milestones: Milestone[];
}

/** Entries of a day that say the same, as one. */
export interface Milestone {
  row: RecordRow;
  times: number;
}

const ORDER = ["activity_n", "volunteer_hours", "award_n", "credits", "mean_score", "talk_n", "reception_n", "ticket_n", "leave_n"];
const OF_EDUCATION = new Set(EDUCATION.flatMap((it) => [`activity_${it}_n`, `activity_${it}_hours`]));

function unit(item: string): YearFigure["unit"] {
  if (item === "mean_score") return "points";
  if (item === "credits") return "credits";
  return item.endsWith("_hours") ? "hour" : "count";
}

function valueOf(year: ArchiveYear, item: string): number | null {
  return year.items.find((it) => it.item === item)?.value ?? null;
}

function sum(values: (number | null)[]): number | null {
  const known = values.filter((it) => it !== null);
  return known.length === 0 ? null : known.reduce((all, it) => all + it, 0);
}

/** Folds what is told twice of one day: one check-in by card, another by code. */
export function folded(rows: readonly RecordRow[]): Milestone[] {
  const found: Milestone[] = [];
  for (const row of rows) {
    const same = found.find((it) => it.row.occurred_on === row.occurred_on && it.row.kind === row.kind && it.row.ended_as === row.ended_as && it.row.title_zh === row.title_zh && it.row.detail_zh === row.detail_zh);
    if (same === undefined) found.push({row, times: 1});
    else same.times += 1;
  }
  return found;
}

/** One academic year in figures: the known in a fixed order, then whatever else the API knows. */
export function yearFacts(year: ArchiveYear): YearFacts {
  const place = (item: string) => (ORDER.includes(item) ? ORDER.indexOf(item) : ORDER.length);
  const figures = year.items
    .flatMap((it) => (it.value === null || OF_EDUCATION.has(it.item) ? [] : [{item: it.item, value: it.value, unit: unit(it.item)}]))
    .sort((a, b) => place(a.item) - place(b.item));
  const educations = EDUCATION.flatMap((education) => {
    const n = valueOf(year, `activity_${education}_n`);
    return n === null || n === 0 ? [] : [{education, n, hours: valueOf(year, `activity_${education}_hours`)}];
  });
  return {academic_year: year.academic_year, figures, educations, hours: sum(educations.map((it) => it.hours)), milestones: folded(year.milestones)};
}

/** Hours by education and academic year, oldest year first; years without any are left out. */
export function yearHours(archive: Pick<Archive, "years">): {academic_year: string; hours: Record<Education, number | null>}[] {
  return archive.years
    .map((year) => ({
      academic_year: year.academic_year,
      hours: Object.fromEntries(EDUCATION.map((it) => [it, valueOf(year, `activity_${it}_hours`)])) as Record<Education, number | null>,
    }))
    .filter((it) => Object.values(it.hours).some((hours) => hours !== null && hours > 0));
}
