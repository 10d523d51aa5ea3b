import type {EChartsOption} from "echarts";
import type {ModelBand} from "../api/schema";
import type {Sheet} from "../csv";
import {count, share} from "../format";
import {ground, tooltip, type Look} from "./ink";

export interface ReliabilityWords {
  title: string;
  promised: string;
  came: string;
  honest: string;
  rows: string;
  insufficient: string;
}

/** The end of both axes: the next tenth above all that is drawn, so that small shares do not huddle in a corner. */
function end(bands: readonly ModelBand[]): number {
  const most = Math.max(0.1, ...bands.flatMap((it) => [it.promised_mean, it.came ?? 0]));
  return Math.min(1, Math.ceil(most * 10 - 1e-9) / 10);
}

/** Builds what came against what was promised, a point a band; on the dashed line promises are kept. Bands too small to say are left out. */
export function reliability(bands: readonly ModelBand[], words: ReliabilityWords, look: Look): EChartsOption {
  const {ink, locale} = look;
  const known = bands.filter((it) => it.came !== null);
  const most = Math.max(1, ...known.map((it) => it.n_rows));
  const max = end(known);
  const axis = {
    type: "value" as const, min: 0, max, axisLine: {lineStyle: {color: ink.line}}, splitLine: {lineStyle: {color: ink.line}}, nameTextStyle: {color: ink.muted, fontSize: 11},
    axisLabel: {color: ink.muted, fontSize: 11, formatter: (value: number) => share(locale, value, 0)},
  };
  return {
    ...ground(look, words.title),
    tooltip: {
      ...tooltip(ink),
      formatter: (it) => {
        const one = Array.isArray(it) ? it[0] : it;
        const band = one?.seriesIndex === 1 ? known[one.dataIndex] : undefined;
        if (band === undefined) return words.honest;
        return `${words.promised} ${share(locale, band.promised_mean)}\n${words.came} ${share(locale, band.came)}\n${words.rows} ${count(locale, band.n_rows)}`;
      },
    },
    grid: {left: 8, right: 16, top: 26, bottom: 26, containLabel: true},
    xAxis: {...axis, name: words.promised, nameLocation: "middle", nameGap: 26},
    yAxis: {...axis, name: words.came, nameTextStyle: {...axis.nameTextStyle, align: "left"}, nameGap: 10},
    series: [
      {type: "line", name: words.honest, data: [[0, 0], [max, max]], symbol: "none", lineStyle: {color: ink.muted, width: 1.5, type: "dashed"}, itemStyle: {color: ink.muted}, tooltip: {show: false}},
      {
        type: "line", name: words.came, data: known.map((it) => [it.promised_mean, it.came ?? 0]), lineStyle: {color: ink.accent, width: 2}, itemStyle: {color: ink.accent},
        symbol: "circle", symbolSize: (_: unknown, at: {dataIndex: number}) => 6 + 8 * Math.sqrt((known[at.dataIndex]?.n_rows ?? 0) / most),
      },
    ],
  };
}

export function reliabilitySheet(bands: readonly ModelBand[], words: ReliabilityWords, look: Look): Sheet {
  return {
    columns: [{key: "promised", title: words.promised}, {key: "came", title: words.came, numeric: true}, {key: "rows", title: words.rows, numeric: true}],
    rows: bands.map((it) => ({
      promised: `${share(look.locale, it.promised_min)} – ${share(look.locale, it.promised_max)}`,
      came: it.came === null ? words.insufficient : share(look.locale, it.came),
      rows: it.n_rows,
    })),
  };
}
