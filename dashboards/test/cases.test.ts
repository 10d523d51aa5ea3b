import {existsSync, readdirSync, readFileSync, writeFileSync} from "node:fs";
import {fileURLToPath} from "node:url";
import {describe, expect, it} from "vitest";
import {fiveRadar, type RadarWords} from "../src/charts/fiveRadar";
import {floorMatrix, type MatrixView, type MatrixWords} from "../src/charts/floorMatrix";
import {darkInk, lightInk, type Look} from "../src/charts/ink";
import {nightlyReturn, type NightlyWords} from "../src/charts/nightlyReturn";
import {rankedBars, type Ranked, type RankedWords, type Tone} from "../src/charts/rankedBars";
import {reliability, type ReliabilityWords} from "../src/charts/reliability";
import {sparkline} from "../src/charts/sparkline";
import {thenNow} from "../src/charts/thenNow";
import {ticketDays, type TicketDayWords} from "../src/charts/ticketDays";
import {weeklyLists, type WeeklyWords} from "../src/charts/weeklyLists";
import {yearBars, type YearHours, type YearHoursWords} from "../src/charts/yearHours";
import type {Floor, MeasurePoint, ModelBand, ModelWorth, NightPoint, TicketDay} from "../src/api/schema";
import type {EducationPoint} from "../src/facts/fiveEducation";
import type {Locale} from "../src/format";

/**
 * A case is a folder `<chart>/<case>` with `input.json` and `option.json`, what the chart makes of it.
 * Functions are left out of the option. `UPDATE=1 npx vitest run` writes the options anew: read the difference.
 */
interface Input {
  locale: Locale;
  ink: "light" | "dark";
  narrow: boolean;
  data: unknown;
  words: unknown;
  view?: MatrixView;
  tone?: Tone;
}

const charts: Record<string, (input: Input, look: Look) => unknown> = {
  fiveRadar: ({data, words}, look) => fiveRadar(data as EducationPoint[], words as RadarWords, look),
  floorMatrix: ({data, words, view}, look) => floorMatrix(data as Floor[], view ?? "night_return", words as MatrixWords, look),
  nightlyReturn: ({data, words}, look) => nightlyReturn(data as NightPoint[], words as NightlyWords, look),
  rankedBars: ({data, words, tone}, look) => rankedBars(data as Ranked[], words as RankedWords, tone ?? "accent", look),
  reliability: ({data, words}, look) => reliability(data as ModelBand[], words as ReliabilityWords, look),
  weeklyLists: ({data, words}, look) => weeklyLists(data as ModelWorth[], {...(words as WeeklyWords), name: (it) => it.name}, look),
  ticketDays: ({data, words}, look) => ticketDays(data as TicketDay[], words as TicketDayWords, look),
  yearHours: ({data, words}, look) => yearBars(data as YearHours[], words as YearHoursWords, look),
  thenNow: ({data}) => thenNow((data as {baseline: number}).baseline, (data as {now: number}).now, 180),
  sparkline: ({data}) => sparkline(data as MeasurePoint[], 132, 34),
};

const here = fileURLToPath(new URL(".", import.meta.url));

describe.each(Object.keys(charts))("%s", (chart) => {
  it.each(readdirSync(`${here}${chart}`))("makes of %s what its case says", (name) => {
    const folder = `${here}${chart}/${name}`;
    const input = JSON.parse(readFileSync(`${folder}/input.json`, "utf8")) as Input;
    const look = {locale: input.locale, ink: input.ink === "dark" ? darkInk : lightInk, narrow: input.narrow};
    const option = JSON.parse(JSON.stringify(charts[chart]?.(input, look))) as unknown;
    if (process.env["UPDATE"] === "1" || !existsSync(`${folder}/option.json`)) {
      if (process.env["CI"]) throw new Error(`${folder}/option.json is missing: run UPDATE=1 npx vitest run`);
      writeFileSync(`${folder}/option.json`, `${JSON.stringify(option, null, 1)}\n`);
    }
    expect(option).toEqual(JSON.parse(readFileSync(`${folder}/option.json`, "utf8")));
  });
});
