import type {Cell} from "./api/schema";

/** A table as a reader sees it; `null` is an empty cell. */
export interface Sheet {
  columns: {key: string; title: string; numeric?: boolean; sortable?: boolean}[];
  rows: Record<string, Cell>[];
}

/** One cell: quoted where needed, and never read as a formula by a spreadsheet. */
function cell(value: Cell | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const raw = String(value);
  const text = /^[=+\-@\t\r]/.test(raw) ? `'${raw}` : raw;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The sheet as CSV with a byte order mark, which Excel needs to read UTF-8. */
export function csv(sheet: Sheet): string {
  const lines = [
    sheet.columns.map((it) => cell(it.title)).join(","),
    ...sheet.rows.map((row) => sheet.columns.map((it) => cell(row[it.key])).join(",")),
  ];
  return `\uFEFF${lines.join("\r\n")}\r\n`;
}
