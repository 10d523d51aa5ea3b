import type {EChartsOption} from "echarts";
import type {ModelWeek, ModelWorth} from "../api/schema";
import type {Sheet} from "../csv";
import {count, date, share, shortDate} from "../format";
import {ground, tooltip, type Look} from "./ink";

export interface WeeklyWords {
  title: string;
  week: string;
  precision: string;
  recall: string;
  listed: string;
  hits: string;
  positive: string;
  /** What a ranking is called: the model, the best rule, the rate of the place. */
  name: (worth: ModelWorth) => string;
}

/** Builds the weekly lists of the past under one budget: of the listed, how many it was (above); of whom it was, how many were listed (below). */
export function weeklyLists(worths: readonly ModelWorth[], words: WeeklyWords, look: Look): EChartsOption {
  const {ink, locale} = look;
  const days = [...new Set(worths.flatMap((it) => it.weeks.map((week) => week.as_of_on)))].sort();
  const axisLabel = {color: ink.muted, fontSize: 11};
  const category = {type: "category" as const, data: days, axisTick: {show: false}, axisLine: {lineStyle: {color: ink.line}}, boundaryGap: false};
  const value = {type: "value" as const, min: 0, splitNumber: 3, splitLine: {lineStyle: {color: ink.line}}, axisLabel: {...axisLabel, formatter: (it: number) => share(locale, it, 0)}, nameTextStyle: {color: ink.muted, fontSize: 11, align: "left" as const}, nameGap: 8};
  /** Nothing is more than all: an axis that would end above is ended there. */
  const whole = (of: (week: ModelWeek) => number | null) =>
    worths.some((it) => it.weeks.some((week) => (of(week) ?? 0) > 0.75)) ? {max: 1, interval: 0.5} : {};
  const tones = [ink.accent, ink.warm, ink.calm];
  const types = ["solid", "dashed", "dotted"] as const;
  const symbols = ["circle", "rect", "triangle"];
  const lines = (panel: 0 | 1, of: (week: ModelWeek) => number | null) => worths.map((worth, at) => {
    const known = new Map(worth.weeks.map((it) => [it.as_of_on, of(it)]));
    return {
      type: "line" as const, name: words.name(worth), xAxisIndex: panel, yAxisIndex: panel, connectNulls: false, symbolSize: 5, symbol: symbols[at % 3] ?? "circle",
      data: days.map((it) => known.get(it) ?? null),
      lineStyle: {width: 2, color: tones[at % 3] ?? ink.accent, type: types[at % 3] ?? ("solid" as const)}, itemStyle: {color: tones[at % 3] ?? ink.accent},
    };
  });
  return {
    ...ground(look, words.title),
    legend: {top: 0, left: 0, itemWidth: 24, itemHeight: 8, textStyle: {color: ink.text, fontSize: 12}},
    tooltip: {
      ...tooltip(ink), trigger: "axis", axisPointer: {type: "line", lineStyle: {color: ink.muted}},
      formatter: (it) => {
        const first = Array.isArray(it) ? it[0] : it;
        const on = first === undefined ? undefined : days[first.dataIndex];
        if (on === undefined) return "";
        const said = worths.map((worth) => {
          const week = worth.weeks.find((one) => one.as_of_on === on);
          return `${words.name(worth)}  ${words.precision} ${share(locale, week?.precision)}  ${words.recall} ${share(locale, week?.recall)}`;
        });
        return [shortDate(locale, on), ...said].join("\n");
      },
    },
    axisPointer: {link: [{xAxisIndex: "all"}]},
    grid: [{left: 46, right: 14, top: 54, height: "34%"}, {left: 46, right: 14, bottom: 24, height: "28%"}],
    xAxis: [{...category, gridIndex: 0, axisLabel: {show: false}}, {...category, gridIndex: 1, axisLabel: {...axisLabel, hideOverlap: true, formatter: (on: string) => shortDate(locale, on)}}],
    yAxis: [{...value, ...whole((it) => it.precision), gridIndex: 0, name: words.precision}, {...value, splitNumber: 2, ...whole((it) => it.recall), gridIndex: 1, name: words.recall}],
    series: [...lines(0, (it) => it.precision), ...lines(1, (it) => it.recall)],
  };
}

/** The weeks of one ranking. */
export function weeklySheet(worth: ModelWorth | undefined, words: WeeklyWords, look: Look): Sheet {
  return {
    columns: [
      {key: "week", title: words.week},
      ...(["precision", "recall", "hits", "listed", "positive"] as const).map((key) => ({key, title: words[key], numeric: true})),
    ],
    rows: (worth?.weeks ?? []).map((it) => ({
      week: date(look.locale, it.as_of_on), precision: share(look.locale, it.precision), recall: share(look.locale, it.recall),
      hits: count(look.locale, it.n_hits), listed: count(look.locale, it.n_listed), positive: count(look.locale, it.n_positive),
    })),
  };
}
