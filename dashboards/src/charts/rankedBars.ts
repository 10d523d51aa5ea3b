import type {EChartsOption} from "echarts";
import type {Sheet} from "../csv";
import {count} from "../format";
import {ground, tooltip, type Look} from "./ink";

export interface Ranked {
  name: string;
  value: number;
  /** Said beside the number, such as a share of the first stage. */
  note?: string;
  /** Said instead of the number where that is no count. */
  shown?: string;
}

export interface RankedWords {
  title: string;
  name: string;
  value: string;
}

export type Tone = "accent" | "calm" | "warm";

/** About how wide the longest name is at 12 px: a Chinese character is square, a Latin letter about half. */
function longest(rows: readonly Ranked[]): number {
  const width = (name: string) => [...name].reduce((sum, it) => sum + (it.charCodeAt(0) > 255 ? 12 : 7), 4);
  return Math.max(24, ...rows.map((it) => width(it.name)));
}

/** Builds horizontal bars in the order given, each with its number: offices, stages of the loop, categories. */
export function rankedBars(rows: readonly Ranked[], words: RankedWords, tone: Tone, look: Look): EChartsOption {
  const {ink, locale} = look;
  const text = (it: Ranked) => [it.shown ?? count(locale, it.value), it.note].filter((part) => part !== undefined).join("  ");
  return {
    ...ground(look, words.title),
    tooltip: {
      ...tooltip(ink),
      formatter: (it) => {
        const row = Array.isArray(it) ? undefined : rows[it.dataIndex];
        return row === undefined ? "" : `${row.name}\n${words.value} ${text(row)}`;
      },
    },
    grid: {left: 4, right: rows.some((it) => it.note !== undefined) ? 86 : 44, top: 4, bottom: 4, containLabel: true},
    xAxis: {type: "value", show: false, min: 0},
    yAxis: {
      type: "category", inverse: true, data: rows.map((it) => it.name), axisTick: {show: false}, axisLine: {show: false},
      axisLabel: {color: ink.text, fontSize: 12, width: Math.min(look.narrow ? 78 : 120, longest(rows)), overflow: "break", lineHeight: 14},
    },
    series: {
      type: "bar", name: words.value, barMaxWidth: 16, showBackground: true, backgroundStyle: {color: ink.faint, borderRadius: 3},
      itemStyle: {color: ink[tone], borderRadius: 3},
      data: rows.map((it) => ({value: it.value, label: {formatter: text(it)}})),
      label: {show: true, position: "right", color: ink.text, fontSize: 12},
    },
  };
}

export function rankedSheet(rows: readonly Ranked[], words: RankedWords): Sheet {
  return {
    columns: [{key: "name", title: words.name}, {key: "value", title: words.value, numeric: true}],
    rows: rows.map(({name, value}) => ({name, value})),
  };
}
