import type {LineageTable} from "../api/schema";

export interface LineageStep {
  kind: string;
  tables: LineageTable[];
}

const ORDER = ["table", "staging", "raw"];

/** The tables behind a figure as steps from computed to raw, in the order of the API within a step. */
export function lineageSteps(tables: readonly LineageTable[]): LineageStep[] {
  const kinds = [...new Set(tables.map((it) => it.kind))];
  const place = (kind: string) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : -1);
  return kinds.sort((a, b) => place(a) - place(b)).map((kind) => ({kind, tables: tables.filter((it) => it.kind === kind)}));
}

/**
 * The sentence of a table in the reader's language. Where its file has no Chinese one the API repeats the English, and the term
 * within it stands for it.
 */
export function aboutIn(it: {about_zh: string; about_en: string}, locale: string): string {
  if (locale === "en" || it.about_zh === it.about_en) return gloss(it.about_en, locale);
  return it.about_zh;
}

/** What a table is about, in the reader's language where the sentence carries the other: `Beds (床位).` */
export function gloss(about: string, locale: string): string {
  const found = /\s*[(（]([^()（）]*[\u4e00-\u9fff][^()（）]*)[)）]/u.exec(about);
  if (found === null) return about;
  return locale === "en" ? about.replace(found[0], "") : (found[1] ?? about);
}
