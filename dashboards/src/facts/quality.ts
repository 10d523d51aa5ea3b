import type {SourceQuality} from "../api/schema";

export const STATES = ["missing", "late", "low", "drift", "unrated", "ok"] as const;

export interface QualityFilter {
  query: string;
  state: string;
  owner: string;
}

/** Sources that hold every word looked for, in the state and of the owner asked for. `text` adds the words on the screen. */
export function chosenSources(sources: readonly SourceQuality[], filter: QualityFilter, text: (it: SourceQuality) => string): SourceQuality[] {
  const words = filter.query.toLowerCase().split(/\s+/).filter((it) => it !== "");
  return sources.filter((it) => {
    if (filter.state !== "" && it.state !== filter.state) return false;
    if (filter.owner !== "" && it.owner !== filter.owner) return false;
    const all = [it.source, it.about_zh, it.about_en, it.owner, it.approval.doc_no ?? "", text(it)].join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

function key(it: SourceQuality, column: string): number | string | null {
  if (column === "state") return STATES.indexOf(it.state);
  if (column === "approval") return it.approval.valid_to;
  if (column === "purpose") return it.purpose.join(",");
  const value = it[column as keyof SourceQuality];
  return typeof value === "number" || typeof value === "string" ? value : null;
}

/** Sorted by a column, what is not known last either way; equal ones stay in the order of their names. */
export function sortedSources(sources: readonly SourceQuality[], column: string, down: boolean): SourceQuality[] {
  return [...sources].sort((a, b) => {
    const [x, y] = [key(a, column), key(b, column)];
    if (x === y) return a.source.localeCompare(b.source);
    if (x === null) return 1;
    if (y === null) return -1;
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "zh-CN");
    return down ? -order : order;
  });
}

/** Whether an approval holds on a day: none, run out, or in force. */
export function approvalState(it: SourceQuality, today: string): "none" | "expired" | "valid" {
  if (it.approval.doc_no === null) return "none";
  return it.approval.valid_to !== null && it.approval.valid_to < today ? "expired" : "valid";
}
