import {csv, type Sheet} from "./csv";

function save(name: string, url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

/** Characters that file systems refuse become hyphens. */
function fileName(name: string, suffix: string): string {
  return `${name.replace(/[\\/:*?"<>|\s]+/g, "-")}.${suffix}`;
}

export function saveCsv(name: string, sheet: Sheet): void {
  const url = URL.createObjectURL(new Blob([csv(sheet)], {type: "text/csv;charset=utf-8"}));
  save(fileName(name, "csv"), url);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A file that the server made. */
export function saveBlob(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  save(name, url);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function savePng(name: string, dataUrl: string): void {
  save(fileName(name, "png"), dataUrl);
}

/** Puts text on the clipboard; says whether it is there. A page without TLS has no clipboard of its own. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
