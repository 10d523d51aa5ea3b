import type {EChartsOption} from "echarts";
import type {NightPoint} from "../api/schema";
import type {Sheet} from "../csv";
import {count, share, shortDate, weekday} from "../format";
import {ground, tooltip, type Look} from "./ink";

export interface NightlyWords {
  title: string;
  day: string;
  night_return_rate: string;
  unverified: string;
  insufficient: string;
}

function text(point: NightPoint, words: NightlyWords, look: Look): string {
  const rate = point.night_return_rate === null ? words.insufficient : share(look.locale, point.night_return_rate);
  const unverified = point.unverified_n === null ? words.insufficient : count(look.locale, point.unverified_n);
  return `${weekday(look.locale, point.on)}\n${words.night_return_rate} ${rate}\n${words.unverified} ${unverified}`;
}

/** Builds the nightly return: the rate above, the absences not verified below. A night without a value is a gap. */
export function nightlyReturn(points: readonly NightPoint[], words: NightlyWords, look: Look): EChartsOption {
  const {ink} = look;
  const days = points.map((it) => it.on);
  const known = points.flatMap((it) => (it.night_return_rate === null ? [] : [it.night_return_rate]));
  const low = known.length === 0 ? 0 : Math.min(...known);
  const interval = low > 0.9 ? 0.02 : low > 0.75 ? 0.05 : 0.2;
  const floor = Math.max(0, Math.round((1 - Math.ceil((1 - low) / interval) * interval) * 100) / 100);
  const axisLabel = {color: ink.muted, fontSize: 11};
  const category = {type: "category" as const, data: days, axisTick: {show: false}, axisLine: {lineStyle: {color: ink.line}}};
  const splitLine = {lineStyle: {color: ink.line}};
  const name = {color: ink.muted, fontSize: 11, align: "left" as const};
  return {
    ...ground(look, words.title),
    tooltip: {
      ...tooltip(ink),
      trigger: "axis",
      axisPointer: {type: "line", lineStyle: {color: ink.muted}},
      formatter: (it) => {
        const first = Array.isArray(it) ? it[0] : it;
        const point = first === undefined ? undefined : points[first.dataIndex];
        return point === undefined ? "" : text(point, words, look);
      },
    },
    axisPointer: {link: [{xAxisIndex: "all"}]},
    grid: [
      {left: 44, right: 10, top: 26, height: "50%"},
      {left: 44, right: 10, bottom: 24, height: "20%"},
    ],
    xAxis: [
      {...category, gridIndex: 0, axisLabel: {show: false}},
      {...category, gridIndex: 1, axisLabel: {...axisLabel, hideOverlap: true, formatter: (on: string) => shortDate(look.locale, on)}},
    ],
    yAxis: [
      {
        type: "value", gridIndex: 0, min: floor, max: 1, interval, splitLine, name: words.night_return_rate, nameTextStyle: name, nameGap: 10,
        axisLabel: {...axisLabel, formatter: (value: number) => share(look.locale, value, 0)},
      },
      {type: "value", gridIndex: 1, splitNumber: 2, minInterval: 1, splitLine, axisLabel, name: words.unverified, nameTextStyle: name, nameGap: 8},
    ],
    series: [
      {
        type: "line", name: words.night_return_rate, xAxisIndex: 0, yAxisIndex: 0, connectNulls: false, showSymbol: points.length < 8, symbolSize: 5,
        data: points.map((it) => it.night_return_rate), lineStyle: {width: 2, color: ink.accent}, itemStyle: {color: ink.accent},
        areaStyle: {color: ink.accent, opacity: 0.08},
      },
      {
        type: "bar", name: words.unverified, xAxisIndex: 1, yAxisIndex: 1, barMaxWidth: 14,
        data: points.map((it) => it.unverified_n), itemStyle: {color: ink.warm, borderRadius: [2, 2, 0, 0], decal: {symbol: "none"}},
      },
    ],
  };
}

export function nightlySheet(points: readonly NightPoint[], words: NightlyWords, look: Look): Sheet {
  return {
    columns: [
      {key: "on", title: words.day},
      {key: "night_return_rate", title: words.night_return_rate, numeric: true},
      {key: "unverified_n", title: words.unverified, numeric: true},
    ],
    rows: points.map((it) => ({
      on: it.on,
      night_return_rate: it.night_return_rate === null ? words.insufficient : share(look.locale, it.night_return_rate),
      unverified_n: it.unverified_n === null ? words.insufficient : it.unverified_n,
    })),
  };
}
