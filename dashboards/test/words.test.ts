import {readdirSync, readFileSync} from "node:fs";
import {fileURLToPath} from "node:url";
import {describe, expect, it} from "vitest";
import {csv} from "../src/csv";
import {address, half} from "../src/api/client";
import {byNeed, leadOf} from "../src/charts/floorMatrix";
import {selfWord} from "../src/components/selfComparison";
import type {Floor} from "../src/api/schema";

type Catalog = {[key: string]: string | Catalog};
const read = (locale: string) =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../src/locales/${locale}.json`, import.meta.url)), "utf8")) as Catalog;

function flat(catalog: Catalog, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(catalog)) {
    if (typeof value === "string") found.set(prefix + key, value);
    else for (const [inner, text] of flat(value, `${prefix}${key}.`)) found.set(inner, text);
  }
  return found;
}

const zh = flat(read("zh-CN"));
const en = flat(read("en"));

describe("catalogs", () => {
  it("both languages have the same keys", () => {
    expect([...en.keys()].sort()).toEqual([...zh.keys()].sort());
  });
  it("both languages fill in the same names", () => {
    const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((it) => it[1]).sort();
    for (const [key, text] of zh) expect([key, ...names(en.get(key) ?? "")]).toEqual([key, ...names(text)]);
  });
  // Signals are facts. These words judge, frighten or diagnose; see the platform's rules on words before screens.
  it.each([["zh-CN", zh, /自杀|抑郁|异常|高危|问题学生|预警|倾向/], ["en", en, /suicid|depress|abnormal|high.risk|problem student|warning/i]] as const)(
    "no forbidden word in %s",
    (_, catalog, forbidden) => {
      expect([...catalog].filter(([, text]) => forbidden.test(text))).toEqual([]);
    },
  );
});

describe("words of the house's own files", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const files = ["sql", "pipelines"].flatMap((folder) => readdirSync(root + folder, {recursive: true, encoding: "utf8"}).map((it) => `${root}${folder}/${it}`)).filter((it) => /\.(sql|toml)$/.test(it));
  /** Every word under a key of front matter or contract. */
  const said = (key: string) => [...new Set(files.flatMap((it) => [...(readFileSync(it, "utf8").split("---*/")[0] ?? "").matchAll(new RegExp(`\\b${key}\\s*=\\s*"([^"]+)"`, "g"))].map((one) => one[1])))].sort();
  it.each([["unit", "unit_name"], ["owner", "office"]])("every %s has words in both languages", (key, group) => {
    const codes = said(key);
    expect(codes.length).toBeGreaterThan(8);
    expect(codes.filter((it) => !zh.has(`${group}.${it}`) || !en.has(`${group}.${it}`))).toEqual([]);
  });
  it("units that models give what they read have words too", () => {
    expect(zh.has("unit_name.deviation") && en.has("unit_name.deviation")).toBe(true);
  });
});

describe("words around data", () => {
  it("a cell that a spreadsheet would run as a formula is quoted", () => {
    const sheet = {columns: [{key: "a", title: "名称"}, {key: "b", title: "数"}], rows: [{a: "=1+1", b: -2}, {a: 'x,"y"', b: null}]};
    expect(csv(sheet)).toBe('\uFEFF名称,数\r\n\'=1+1,-2\r\n"x,""y""",\r\n');
  });
  it("a problem says the reader's half", () => {
    expect(half("账号或密码不正确 / Account or password is not right", "en")).toBe("Account or password is not right");
    expect(half("账号或密码不正确 / Account or password is not right", "zh-CN")).toBe("账号或密码不正确");
    expect(half("没有第二种语言", "en")).toBe("没有第二种语言");
  });
  it("empty filters stay out of the address", () => {
    expect(address("/students", {query: "", college: "C03", after: null, limit: 50})).toBe("/api/v1/students?college=C03&limit=50");
  });
  it("a measure is compared with the student's own past only", () => {
    expect(selfWord({z_self: null, unit: "share"})).toBe("self_none");
    expect(selfWord({z_self: 0.4, unit: "share"})).toBe("self_same");
    expect(selfWord({z_self: -2.4, unit: "share"})).toBe("self_down_much");
    expect(selfWord({z_self: 1.5, unit: "minute_of_day"})).toBe("self_later");
  });
  it("an unknown building is not the calmest one", () => {
    const floor = (building_id: string, rate: number | null): Floor => ({
      building_id, building: building_id, floor: 1, due_n: rate === null ? null : 100, back_n: rate === null ? null : rate * 100,
      night_return_rate: rate, repair_open_n: 0, device_online_rate: 1, status: rate === null ? "insufficient" : "ok",
    });
    const needs = byNeed([floor("N1", 1), floor("N2", null), floor("N3", 0.9)], "night_return");
    expect(needs.map((it) => it.building_id)).toEqual(["N3", "N1", "N2"]);
    expect(leadOf(needs, "night_return")).toEqual({first: [{building: "N3", value: 0.9}], calmN: 1, unknownN: 1});
    const silent = byNeed([floor("N1", null), floor("N2", null)], "night_return");
    expect(leadOf(silent, "night_return")).toEqual({first: [], calmN: 0, unknownN: 2});
  });
});
