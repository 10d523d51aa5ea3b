import type {EChartsOption} from "echarts";
import type {TicketDay} from "../api/schema";
import type {Sheet} from "../csv";
import {count, shortDate, weekday} from "../format";
import {ground, tooltip, type Look} from "./ink";

export interface TicketDayWords {
  title: string;
  day: string;
  opened: string;
  resolved: string;
  overdue: string;
}

/** Builds the days of the ticket loop: opened and resolved as bars, those past their deadline as a line. */
export function ticketDays(days: readonly TicketDay[], words: TicketDayWords, look: Look): EChartsOption {
  const {ink, locale} = look;
  const axisLabel = {color: ink.muted, fontSize: 11};
  const bar = (name: string, color: string, data: number[]) => ({
    type: "bar" as const, name, data, barMaxWidth: 10, barGap: "10%", itemStyle: {color, borderRadius: [2, 2, 0, 0]},
  });
  return {
    ...ground(look, words.title),
    tooltip: {
      ...tooltip(ink),
      trigger: "axis",
      formatter: (it) => {
        const first = Array.isArray(it) ? it[0] : it;
        const day = first === undefined ? undefined : days[first.dataIndex];
        if (day === undefined) return "";
        return [
          weekday(locale, day.on),
          `${words.opened} ${count(locale, day.opened_n)}`,
          `${words.resolved} ${count(locale, day.resolved_n)}`,
          `${words.overdue} ${count(locale, day.overdue_n)}`,
        ].join("\n");
      },
    },
    legend: {top: 0, left: 0, itemWidth: 14, itemHeight: 8, itemGap: 14, textStyle: {color: ink.muted, fontSize: 11}},
    grid: {left: 36, right: 10, top: 30, bottom: 24},
    xAxis: {
      type: "category", data: days.map((it) => it.on), axisTick: {show: false}, axisLine: {lineStyle: {color: ink.line}},
      axisLabel: {...axisLabel, hideOverlap: true, formatter: (on: string) => shortDate(locale, on)},
    },
    yAxis: {type: "value", minInterval: 1, splitNumber: 3, splitLine: {lineStyle: {color: ink.line}}, axisLabel},
    series: [
      bar(words.opened, ink.accent, days.map((it) => it.opened_n)),
      bar(words.resolved, ink.calm, days.map((it) => it.resolved_n)),
      {
        type: "line", name: words.overdue, data: days.map((it) => it.overdue_n), symbol: "rect", symbolSize: 5, showSymbol: false,
        lineStyle: {width: 2, type: "dashed", color: ink.warm}, itemStyle: {color: ink.warm},
      },
    ],
  };
}

export function ticketDaySheet(days: readonly TicketDay[], words: TicketDayWords): Sheet {
  return {
    columns: [
      {key: "on", title: words.day},
      {key: "opened_n", title: words.opened, numeric: true},
      {key: "resolved_n", title: words.resolved, numeric: true},
      {key: "overdue_n", title: words.overdue, numeric: true},
    ],
    rows: days.map(({on, opened_n, resolved_n, overdue_n}) => ({on, opened_n, resolved_n, overdue_n})),
  };
}
