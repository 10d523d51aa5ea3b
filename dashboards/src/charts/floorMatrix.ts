import type {EChartsOption} from "echarts";
import type {Floor} from "../api/schema";
import type {Sheet} from "../csv";
import {count, share, SUPPRESSED} from "../format";
import {ground, tooltip, type Look} from "./ink";

export type MatrixView = "night_return" | "repair" | "device";

export interface MatrixWords {
  title: string;
  building: string;
  /** "{n}F", with the floor put in for `{n}`. */
  floor: string;
  due: string;
  back: string;
  night_return_rate: string;
  repair_open: string;
  device_online_rate: string;
  insufficient: string;
  suppressed: string;
}

const NIGHT = [0.98, 0.96, 0.93, 0.9];
const DEVICE = [0.99, 0.97, 0.95, 0.9];
const REPAIR = [0, 2, 4, 7];

/** Which of the five steps of the ramp a value stands on. */
export function step(value: number, view: MatrixView): number {
  const at = view === "repair" ? REPAIR.findIndex((it) => value <= it) : (view === "device" ? DEVICE : NIGHT).findIndex((it) => value >= it);
  return at < 0 ? 4 : at;
}

function valueOf(floor: Floor, view: MatrixView): number | null {
  if (view === "repair") return floor.repair_open_n;
  if (view === "device") return floor.device_online_rate;
  return floor.status === "ok" ? floor.night_return_rate : null;
}

export interface BuildingNeed {
  building_id: string;
  building: string;
  /** Share back, open repairs or share of devices online; `null` when no floor is known. */
  value: number | null;
}

function needOf(floors: readonly Floor[], view: MatrixView): number | null {
  if (view === "repair") return floors.reduce((sum, it) => sum + it.repair_open_n, 0);
  if (view === "device") {
    const known = floors.flatMap((it) => (it.device_online_rate === null ? [] : [it.device_online_rate]));
    return known.length === 0 ? null : known.reduce((sum, it) => sum + it, 0) / known.length;
  }
  let due = 0;
  let back = 0;
  for (const it of floors) {
    if (it.status !== "ok" || it.due_n === null || it.back_n === null) continue;
    due += it.due_n;
    back += it.back_n;
  }
  return due === 0 ? null : back / due;
}

/** The buildings, the one that needs support most first. */
export function byNeed(floors: readonly Floor[], view: MatrixView): BuildingNeed[] {
  const groups = new Map<string, Floor[]>();
  for (const it of floors) groups.set(it.building_id, [...(groups.get(it.building_id) ?? []), it]);
  const needs = [...groups].map(([building_id, group]) => {
    return {building_id, building: group[0]?.building ?? building_id, value: needOf(group, view)};
  });
  const sign = view === "repair" ? -1 : 1;
  // Buildings of which nothing is known come last: they are not the calmest, they are unknown.
  return needs.sort((a, b) => {
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null);
    return sign * (a.value - b.value) || a.building.localeCompare(b.building, "zh-CN");
  });
}

/** What stands above the matrix: which buildings to look at first, how many are calm, and of how many nothing is known. */
export interface MatrixLead {
  first: {building: string; value: number}[];
  calmN: number;
  unknownN: number;
}

/** A building without data is unknown and never calm, whatever the others are. */
export function leadOf(buildings: readonly BuildingNeed[], view: MatrixView): MatrixLead {
  const known = buildings.flatMap(({building, value}) => (value === null ? [] : [{building, value}]));
  const needing = known.filter((it) => step(it.value, view) > 0);
  return {first: needing.slice(0, 3), calmN: known.length - needing.length, unknownN: buildings.length - known.length};
}

function cellLabel(floor: Floor, view: MatrixView, look: Look): string {
  const value = valueOf(floor, view);
  if (value === null) return view === "night_return" && floor.status === "suppressed" ? SUPPRESSED : "";
  if (view === "repair") return value === 0 ? "" : String(value);
  return share(look.locale, value, 0).replace("%", "");
}

function cellText(floor: Floor, name: string, view: MatrixView, words: MatrixWords, look: Look): string {
  const {locale} = look;
  const lines = [name];
  if (view === "repair") lines.push(`${words.repair_open} ${count(locale, floor.repair_open_n)}`);
  else if (view === "device") {
    lines.push(`${words.device_online_rate} ${floor.device_online_rate === null ? words.insufficient : share(locale, floor.device_online_rate)}`);
  } else if (floor.status === "ok") {
    lines.push(`${words.night_return_rate} ${share(locale, floor.night_return_rate)}`);
    lines.push(`${words.due} ${count(locale, floor.due_n)} · ${words.back} ${count(locale, floor.back_n)}`);
  } else lines.push(floor.status === "suppressed" ? words.suppressed : words.insufficient);
  return lines.join("\n");
}

/** Builds the building x floor matrix: one cell a floor, buildings by need. Narrow screens get buildings as rows. */
export function floorMatrix(floors: readonly Floor[], view: MatrixView, words: MatrixWords, look: Look): EChartsOption {
  const {ink, narrow} = look;
  const buildings = byNeed(floors, view).map((it) => it.building);
  const storeys = [...new Set(floors.map((it) => it.floor))].sort((a, b) => (narrow ? a - b : b - a));
  const floorName = (n: number) => words.floor.replace("{n}", String(n));
  const header = (values: string[], size: number) => ({
    data: values.map((value) => ({value})),
    levelSize: size,
    label: {color: ink.muted, fontSize: 11, padding: 2, overflow: "break" as const},
    itemStyle: {borderColor: "transparent", color: "transparent"},
    dividerLineStyle: {width: 0},
  });
  const storeyHeader = header(storeys.map(floorName), narrow ? 22 : 34);
  const buildingHeader = header(buildings, narrow ? 86 : 34);
  const data = floors.map((it) => {
    const value = valueOf(it, view);
    const place = narrow ? [floorName(it.floor), it.building] : [it.building, floorName(it.floor)];
    const tone = value === null ? undefined : ink.ramp[step(value, view)];
    const unknown = value === null && !(view === "night_return" && it.status === "suppressed");
    return {
      // The third number only makes the cell be drawn: colour and label carry the value.
      value: [...place, 1],
      text: cellText(it, `${it.building} ${floorName(it.floor)}`, view, words, look),
      itemStyle: {
        color: tone?.fill ?? ink.faint,
        borderColor: ink.surface,
        borderWidth: 2,
        borderRadius: 4,
        ...(unknown ? {decal: {symbol: "rect", dashArrayX: [1, 0], dashArrayY: [1.5, 5], rotation: -Math.PI / 4, color: ink.hatch}} : {}),
      },
      label: {show: true, color: tone?.text ?? ink.muted, formatter: cellLabel(it, view, look)},
    };
  });
  return {
    ...ground(look, words.title),
    tooltip: {...tooltip(ink), formatter: (it) => (Array.isArray(it) ? "" : (it.data as {text: string}).text)},
    matrix: {
      left: 0, right: 0, top: 0, bottom: 0,
      x: narrow ? storeyHeader : buildingHeader,
      y: narrow ? buildingHeader : storeyHeader,
      body: {itemStyle: {borderColor: "transparent"}},
      corner: {itemStyle: {borderColor: "transparent"}},
      backgroundStyle: {borderColor: "transparent", color: "transparent"},
    },
    series: {
      type: "heatmap",
      coordinateSystem: "matrix",
      data,
      label: {show: true, fontSize: 11},
      emphasis: {itemStyle: {borderColor: ink.accent}},
    },
  } as EChartsOption;
}

/** The matrix as a table: every floor with all three readings. */
export function floorSheet(floors: readonly Floor[], words: MatrixWords, look: Look): Sheet {
  const night = (it: Floor, text: string) => (it.status === "suppressed" ? SUPPRESSED : it.status === "ok" ? text : words.insufficient);
  return {
    columns: [
      {key: "building", title: words.building},
      {key: "floor", title: words.floor.replace("{n}", ""), numeric: true},
      {key: "due_n", title: words.due, numeric: true},
      {key: "back_n", title: words.back, numeric: true},
      {key: "night_return_rate", title: words.night_return_rate, numeric: true},
      {key: "repair_open_n", title: words.repair_open, numeric: true},
      {key: "device_online_rate", title: words.device_online_rate, numeric: true},
    ],
    rows: floors.map((it) => ({
      building: it.building,
      floor: it.floor,
      due_n: night(it, count(look.locale, it.due_n)),
      back_n: night(it, count(look.locale, it.back_n)),
      night_return_rate: night(it, share(look.locale, it.night_return_rate)),
      repair_open_n: it.repair_open_n,
      device_online_rate: it.device_online_rate === null ? words.insufficient : share(look.locale, it.device_online_rate),
    })),
  };
}
