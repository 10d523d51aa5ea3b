import type {MeasurePoint} from "../api/schema";

/** A small line drawn as SVG: portraits hold dozens, too many for a canvas each. */
export interface Sparkline {
  /** One path a run of known values; a gap breaks the line. */
  paths: string[];
  last: {x: number; y: number} | null;
  low: number | null;
  high: number | null;
}

/** Lays the history out in a box, oldest left, with room for the stroke. */
export function sparkline(history: readonly MeasurePoint[], width: number, height: number): Sparkline {
  const known = history.flatMap((it) => (it.value === null ? [] : [it.value]));
  if (known.length === 0) return {paths: [], last: null, low: null, high: null};
  const low = Math.min(...known);
  const high = Math.max(...known);
  const inset = 3;
  const spread = high - low;
  const x = (at: number) => round(inset + (history.length < 2 ? 0 : (at / (history.length - 1)) * (width - 2 * inset)));
  const y = (value: number) => round(spread === 0 ? height / 2 : height - inset - ((value - low) / spread) * (height - 2 * inset));
  const paths: string[] = [];
  let path = "";
  let last: Sparkline["last"] = null;
  history.forEach(({value}, at) => {
    if (value === null) {
      if (path !== "") paths.push(path);
      path = "";
      return;
    }
    last = {x: x(at), y: y(value)};
    path += path === "" ? `M${last.x} ${last.y}` : `L${last.x} ${last.y}`;
  });
  if (path !== "") paths.push(path);
  return {paths, last, low, high};
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
