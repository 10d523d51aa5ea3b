import type {CaseRow} from "../api/schema";

/**
 * What people reported and nobody has taken up, safety, and what people judged graver than data may: read before all else.
 * No machine opens a psychological case, so a new one is somebody's report. "重点关怀" comes without a number.
 */
export function isFirst(row: CaseRow): boolean {
  return row.kind === "safety" || (row.kind === "psych" && row.state === "new") || (row.severity !== null && (row.severity.level === null || row.severity.level >= 3));
}

/** The queue in two parts, each in the order of the server: by due date. */
export function parted(rows: readonly CaseRow[]): {first: CaseRow[]; queue: CaseRow[]} {
  return {first: rows.filter(isFirst), queue: rows.filter((it) => !isFirst(it))};
}

/** The next of a list, without leaving it; from nowhere to its beginning. */
export function neighbour(keys: readonly string[], key: string, by: 1 | -1): string | undefined {
  const at = keys.indexOf(key);
  return keys[Math.min(keys.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
}

/** Where a student is found: class, then building and room; what is not known is left out. */
export function placeOf(student: CaseRow["student"]): string {
  const room = [student.building, student.room].filter((it) => it !== null && it !== "").join(" ");
  return [student.class, room].filter((it) => it !== null && it !== "").join(" · ");
}

/** Colleagues who may take something over, as choices. */
export function takersOf(page: {takers: readonly {account: string; display_name: string}[]} | undefined): {value: string; name: string}[] {
  return (page?.takers ?? []).map((it) => ({value: it.account, name: `${it.display_name}（${it.account}）`}));
}
