import type {EChartsOption} from "echarts";
import type {Sheet} from "../csv";
import {EDUCATION, type Education} from "../facts/fiveEducation";
import {hours as hoursText} from "../format";
import {ground, tooltip, type Look} from "./ink";

export interface YearHours {
  academic_year: string;
  hours: Record<Education, number | null>;
}

export interface YearHoursWords {
  title: string;
  year: string;
  education: string;
  names: Record<string, string>;
}

/** Builds hours by education, a bar an academic year, oldest first. A year without hours has no bar. */
export function yearBars(years: readonly YearHours[], words: YearHoursWords, look: Look): EChartsOption {
  const {ink, locale} = look;
  const tones = [ink.accent, ink.calm, ink.warm, ink.muted, ink.hatch];
  const name = (it: Education) => words.names[it] ?? it;
  return {
    ...ground(look, words.title),
    tooltip: {
      ...tooltip(ink),
      trigger: "axis", axisPointer: {type: "shadow", shadowStyle: {color: ink.faint, opacity: 0.6}},
      formatter: (it) => {
        const first = Array.isArray(it) ? it[0] : it;
        const education = first === undefined ? undefined : EDUCATION[first.dataIndex];
        if (education === undefined) return "";
        return [name(education), ...years.map((year) => `${year.academic_year}  ${hoursText(locale, year.hours[education])}`)].join("\n");
      },
    },
    legend: {show: years.length > 1, top: 0, left: 0, itemWidth: 14, itemHeight: 8, itemGap: 14, textStyle: {color: ink.muted, fontSize: 11}},
    grid: {left: 4, right: 60, top: years.length > 1 ? 28 : 4, bottom: 4, containLabel: true},
    xAxis: {type: "value", show: false, min: 0},
    yAxis: {
      type: "category", inverse: true, data: EDUCATION.map(name), axisTick: {show: false}, axisLine: {show: false},
      axisLabel: {color: ink.text, fontSize: 12},
    },
    series: years.map((year, at) => ({
      type: "bar" as const, name: year.academic_year, barMaxWidth: 14, barGap: "20%",
      itemStyle: {color: tones[at % tones.length] ?? ink.accent, borderRadius: 3},
      data: EDUCATION.map((it) => year.hours[it]),
      label: {show: true, position: "right" as const, color: ink.muted, fontSize: 11, formatter: ({value}: {value?: unknown}) => (typeof value === "number" ? hoursText(locale, value) : "")},
    })),
  };
}

export function yearHoursSheet(years: readonly YearHours[], words: YearHoursWords): Sheet {
  return {
    columns: [{key: "year", title: words.year}, ...EDUCATION.map((it) => ({key: it, title: words.names[it] ?? it, numeric: true}))],
    rows: years.map((year) => ({year: year.academic_year, ...year.hours})),
  };
}
