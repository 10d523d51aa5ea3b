import type {ModelBacktest, ModelLeadBand, ModelWorth} from "../api/schema";
import type {Ranked} from "../charts/rankedBars";

/** The ranking of the stored model, the best rule and the rate of the place: what the decision is about. */
export function compared(backtest: ModelBacktest): ModelWorth[] {
  const chosen = backtest.candidates.find((it) => it.is_chosen);
  const rule = backtest.candidates.find((it) => it.role === "rule" && it.name === backtest.best_rule);
  const floor = backtest.candidates.find((it) => it.role === "floor");
  return [chosen, rule, floor].filter((it) => it !== undefined);
}

/** How many times better than drawing lots each ranking is, the best first; chance itself is one, and a ranking nobody can judge is left out. */
export function lifts(backtest: ModelBacktest, name: (worth: ModelWorth) => string, chance: string, times: (lift: number) => string): Ranked[] {
  const known = backtest.candidates.flatMap((it) => (it.lift_over_random === null ? [] : [{name: name(it), value: it.lift_over_random}]));
  return [...known, {name: chance, value: 1}].sort((a, b) => b.value - a.value).map((it) => ({...it, shown: times(it.value)}));
}

/** How long before the events the first list came, in the order given; nothing where there are too few events to say. */
export function leads(bands: readonly ModelLeadBand[], name: (band: ModelLeadBand) => string, shown: (share: number) => string): Ranked[] {
  return bands.flatMap((it) => (it.share === null ? [] : [{name: name(it), value: it.share, shown: shown(it.share)}]));
}
