import type {EChartsOption} from "echarts";
import type {Sheet} from "../csv";
import type {EducationPoint} from "../facts/fiveEducation";
import {radarPoints} from "../facts/fiveEducation";
import {DASH, quantity} from "../format";
import {ground, tooltip, type Look} from "./ink";

export interface RadarWords {
  title: string;
  now: string;
  past: string;
  education: string;
  /** Names of the corners, by education. */
  names: Record<string, string>;
}

/** Builds the five educations and safety of one student, now against their own usual: two shapes on one scale. */
export function fiveRadar(all: readonly EducationPoint[], words: RadarWords, look: Look): EChartsOption {
  const {ink, locale} = look;
  const {points, hasPast} = radarPoints(all);
  const text = (value: number | null) => (value === null ? DASH : quantity(locale, value, "count"));
  const name = (it: EducationPoint) => words.names[it.education] ?? it.education;
  const max = Math.max(4, ...points.map((it) => Math.ceil(Math.max(it.now ?? 0, it.past ?? 0))));
  const rows = [
    ...(hasPast ? [{
      name: words.past, value: points.map((it) => it.past ?? 0), symbol: "rect", symbolSize: 6,
      lineStyle: {color: ink.muted, type: "dashed" as const, width: 1.6}, itemStyle: {color: ink.muted},
    }] : []),
    {
      name: words.now, value: points.map((it) => it.now ?? 0), symbol: "circle", symbolSize: 6,
      lineStyle: {color: ink.accent, width: 2}, itemStyle: {color: ink.accent}, areaStyle: {color: ink.accent, opacity: 0.14},
    },
  ];
  return {
    ...ground(look, words.title),
    // Line, dash and mark tell the two shapes apart; a pattern on so small a mark only blurs it.
    aria: {enabled: true, label: {description: words.title}, decal: {show: false}},
    tooltip: {
      ...tooltip(ink),
      formatter: () => points.map((it) => `${name(it)}  ${words.now} ${text(it.now)}${hasPast ? `  ${words.past} ${text(it.past)}` : ""}`).join("\n"),
    },
    legend: {bottom: 0, itemWidth: 18, itemHeight: 8, itemGap: 18, textStyle: {color: ink.muted, fontSize: 12}, data: rows.map((it) => it.name)},
    radar: {
      center: ["50%", "47%"], radius: look.narrow ? "54%" : "60%", splitNumber: 4,
      indicator: points.map((it) => ({name: `${name(it)} ${text(it.now)}`, max, min: 0})),
      axisName: {color: ink.text, fontSize: 12},
      axisLine: {lineStyle: {color: ink.line}}, splitLine: {lineStyle: {color: ink.line}}, splitArea: {show: false},
    },
    series: {type: "radar", data: rows},
  };
}

export function radarSheet(all: readonly EducationPoint[], words: RadarWords): Sheet {
  return {
    columns: [
      {key: "education", title: words.education},
      {key: "now", title: words.now, numeric: true},
      {key: "past", title: words.past, numeric: true},
    ],
    rows: all.map((it) => ({education: words.names[it.education] ?? it.education, now: it.now, past: it.past})),
  };
}
