import type {CatalogTable} from "../api/schema";

export interface CatalogFilter {
  query: string;
  kind: string;
  owner: string;
}

export interface CatalogGroup {
  kind: string;
  tables: CatalogTable[];
}

/** From what people meet to what it is made of; kinds that nobody named come last. */
const ORDER = ["table", "list", "tag", "rule", "trend", "risk", "label", "staging", "raw"];

/** Tables that hold every word looked for, of the kind and owner asked for. `text` adds the words on the screen. */
export function chosenTables(tables: readonly CatalogTable[], filter: CatalogFilter, text: (it: CatalogTable) => string): CatalogTable[] {
  const words = filter.query.toLowerCase().split(/\s+/).filter((it) => it !== "");
  return tables.filter((it) => {
    if (filter.kind !== "" && it.kind !== filter.kind) return false;
    if (filter.owner !== "" && it.owner !== filter.owner) return false;
    if (words.length === 0) return true;
    const columns = it.columns.flatMap((one) => [one.column, one.about_zh, one.about_en]);
    const all = [it.table, it.about_zh, it.about_en, it.owner, text(it), ...columns].join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

/** The tables by kind, in the order of the API within one. */
export function tableGroups(tables: readonly CatalogTable[]): CatalogGroup[] {
  const place = (kind: string) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
  const kinds = [...new Set(tables.map((it) => it.kind))].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  return kinds.map((kind) => ({kind, tables: tables.filter((it) => it.kind === kind)}));
}

/** The place that an arrow key leads to in a list of `n`; `null` for a key that leads nowhere. */
export function nextPlace(key: string, at: number, n: number): number | null {
  if (n === 0) return null;
  if (key === "ArrowDown") return Math.min(at + 1, n - 1);
  if (key === "ArrowUp") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  return key === "End" ? n - 1 : null;
}
