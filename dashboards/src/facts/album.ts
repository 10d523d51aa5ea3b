import type {Archive, ArchiveYear, RecordRow} from "../api/schema";
import {folded, yearFacts, type Milestone, type YearFacts} from "./archive";

export interface AlbumYear {
  academic_year: string;
  /** First, second, … year of the study. */
  nth: number;
  milestones: Milestone[];
  facts: YearFacts;
}

export interface Album {
  from: string;
  to: string;
  years: AlbumYear[];
  given: {volunteer_hours: number; organised_n: number; activity_n: number; activity_hours: number; awards: {year: string; row: RecordRow}[]};
}

/** What a person likes to find again in many years: arriving, moving in, taking part, being honoured. All else stays out. */
const KINDS = new Set(["bed", "award", "activity", "internship"]);
/** Of the changes of enrolment only these: a leave of school, and the return from one, are nobody's business on paper. */
const ENROLMENTS = new Set(["入学", "转专业", "毕业"]);
const FIGURES = new Set(["activity_n", "volunteer_hours", "award_n", "credits", "mean_score"]);
const PASSED = 60;

export function mayEnter(row: RecordRow): boolean {
  if (row.kind === "enrolment") return ENROLMENTS.has(row.title_zh);
  return row.is_milestone && KINDS.has(row.kind);
}

/** The mean of all years, each weighed by its courses. */
export function ownMean(years: readonly ArchiveYear[]): number | null {
  const scores = years.flatMap((year) => year.items.filter((it) => it.item === "mean_score" && it.value !== null));
  const n = scores.reduce((all, it) => all + (it.n ?? 1), 0);
  return n === 0 ? null : scores.reduce((all, it) => all + (it.value ?? 0) * (it.n ?? 1), 0) / n;
}

/** Chooses what goes into the album: good and neutral facts only, never a mark below the student's own mean. */
export function albumOf(archive: Pick<Archive, "years">): Album {
  const mean = ownMean(archive.years);
  const years = archive.years.map((year, at) => {
    const facts = yearFacts(year);
    const figures = facts.figures.filter((it) => FIGURES.has(it.item) && it.value > 0 && (it.item !== "mean_score" || (mean !== null && it.value >= mean && it.value >= PASSED)));
    return {academic_year: year.academic_year, nth: at + 1, milestones: folded(year.milestones.filter(mayEnter)), facts: {...facts, figures}};
  });
  const total = (item: string) => years.reduce((all, year) => all + (year.facts.figures.find((it) => it.item === item)?.value ?? 0), 0);
  const entries = years.flatMap((year) => year.milestones.map((it) => ({year: year.academic_year, ...it})));
  return {
    from: archive.years[0]?.academic_year.slice(0, 4) ?? "",
    to: archive.years.at(-1)?.academic_year.slice(-4) ?? "",
    years,
    given: {
      volunteer_hours: total("volunteer_hours"),
      organised_n: entries.filter((it) => it.row.kind === "activity" && it.row.title_zh === "组织活动").length,
      activity_n: total("activity_n"),
      activity_hours: years.reduce((all, year) => all + (year.facts.hours ?? 0), 0),
      awards: entries.filter((it) => it.row.kind === "award").map(({year, row}) => ({year, row})),
    },
  };
}
