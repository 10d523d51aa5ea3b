import type {PipelineState} from "../api/schema";

/** How urgent a source is, the most urgent first. */
export const STATES = ["act", "watch", "ok"] as const;

export function ofState(rows: readonly PipelineState[], state: string): PipelineState[] {
  return rows.filter((it) => state === "" || it.state === state);
}

/** What wants somebody first; within that by name, so that rows stay where they are while figures move. */
export function byUrgency(rows: readonly PipelineState[]): PipelineState[] {
  const place = (it: PipelineState) => STATES.indexOf(it.state);
  return [...rows].sort((a, b) => place(a) - place(b) || a.pipeline.localeCompare(b.pipeline, "en"));
}

/** 268435456 as "256 MiB": whole numbers, as they stand in the settings. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, at] = [bytes, 0];
  while (value >= 1024 && at < units.length - 1) [value, at] = [value / 1024, at + 1];
  return `${value < 10 && at > 0 ? Math.round(value * 10) / 10 : Math.round(value)} ${units[at]}`;
}
