/** Where the own past and the present stand on one small scale. */
export interface ThenNow {
  then: number;
  now: number;
}

/** Lays two values out in a box, on a scale that begins at zero where all is positive and has room at both ends. */
export function thenNow(baseline: number, now: number, width: number): ThenNow {
  const inset = 6;
  const low = Math.min(baseline, now);
  const high = Math.max(baseline, now);
  // Clock minutes and other large numbers with little between them would lie on top of each other on a scale from zero.
  const from = low >= 0 && high - low > high * 0.15 ? 0 : low - (high - low) * 0.4;
  const to = high + (high - low) * 0.25;
  const place = (value: number) => (to === from ? width / 2 : inset + ((value - from) / (to - from)) * (width - 2 * inset));
  return {then: Math.round(place(baseline) * 10) / 10, now: Math.round(place(now) * 10) / 10};
}
