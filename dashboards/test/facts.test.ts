import {describe, expect, it} from "vitest";
import {albumOf, ownMean} from "../src/facts/album";
import {folded, yearFacts, yearHours} from "../src/facts/archive";
import {byFacet, pastMondays, windowOf} from "../src/facts/facets";
import {educationPoints, median, radarPoints, radarState} from "../src/facts/fiveEducation";
import {chosenTables, nextPlace, tableGroups} from "../src/facts/catalog";
import {aboutIn, gloss, lineageSteps} from "../src/facts/lineage";
import {ownWords} from "../src/facts/ownWords";
import {approvalState, chosenSources, sortedSources} from "../src/facts/quality";
import type {ArchiveYear, CatalogTable, LineageTable, Measure, Portrait, RecordRow, SourceQuality} from "../src/api/schema";

function measure(name: string, facet: string, value: number | null, history: [string, number | null][] = []): Measure {
  return {
    measure: name, title_zh: name, title_en: name, about_zh: "", about_en: "", unit: "count", value, n: null, cov: null, z_self: null, z_peer: null,
    status: value === null ? "insufficient" : "ok", window: "120d", history: history.map(([as_of_on, it]) => ({as_of_on, value: it})),
    source: "", facet, is_closed: false, as_of_on: null, reason_zh: null, reason_en: null,
  };
}
function portrait(measures: Measure[]): Portrait {
  return {newest_on: "2025-12-12", as_of_on: "2025-12-12", dimensions: [{dimension: "practice", state: "ok", measures}]} as unknown as Portrait;
}
function row(kind: string, title_zh: string, occurred_on: string, detail = "", is_milestone = true): RecordRow {
  return {
    event_id: `${kind}/${title_zh}/${occurred_on}/${detail}`, occurred_at: null, occurred_on, kind, title_zh, title_en: title_zh,
    detail_zh: detail, detail_en: detail, source: kind, trust: "staff", is_milestone, ended_as: null, ended_on: null,
  };
}
function year(academic_year: string, items: Record<string, number | null>, milestones: RecordRow[] = []): ArchiveYear {
  return {academic_year, items: Object.entries(items).map(([item, value]) => ({item, value, n: 10})), milestones};
}

describe("entries of a day", () => {
  it("what was corrected is not folded into what holds", () => {
    const holds = row("leave", "请假获批", "2025-10-01", "病假");
    const corrected = {...holds, event_id: "leave/1", ended_as: "corrected" as const, ended_on: "2025-10-02"};
    expect(folded([holds, {...holds, event_id: "leave/3"}, corrected]).map((it) => [it.row.ended_as, it.times])).toEqual([[null, 2], ["corrected", 1]]);
  });
});

describe("parts of a dimension", () => {
  it("stand in their order, with what is known first and the unknown part last", () => {
    const all = [measure("a", "economy", null), measure("b", "new_part", 1), measure("c", "rhythm", 1), measure("d", "economy", 2), measure("e", "meals", null)];
    expect(byFacet(all).map((it) => [it.facet, it.measures.map((one) => one.measure)])).toEqual([
      ["rhythm", ["c"]], ["meals", ["e"]], ["economy", ["d", "a"]], ["new_part", ["b"]],
    ]);
  });
  it("earlier portraits are the Mondays with values, newest first, without today", () => {
    const all = [measure("a", "rhythm", 1, [["2025-12-01", 1], ["2025-12-08", 2], ["2025-12-10", 3], ["2025-12-12", 3]]), measure("b", "meals", 1, [["2025-11-24", 1]])];
    expect(pastMondays(portrait(all))).toEqual(["2025-12-08", "2025-12-01", "2025-11-24"]);
    expect(pastMondays(undefined)).toEqual([]);
  });
  it("a window is days, or whole years", () => {
    expect(windowOf("28d")).toEqual({n: 28, unit: "days"});
    expect(windowOf("730d")).toEqual({n: 2, unit: "years"});
    expect(windowOf("term")).toBeNull();
  });
});

describe("five educations", () => {
  it("the own past is the median before today, gaps left out", () => {
    expect(median([])).toBeNull();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    const points = educationPoints(portrait([measure("moral_activity_n", "five_education", 9, [["2025-11-24", 1], ["2025-12-01", null], ["2025-12-08", 3], ["2025-12-12", 9]])]));
    expect(points[0]).toEqual({education: "moral", now: 9, past: 2});
    expect(points[1]).toEqual({education: "intellectual", now: null, past: null});
  });
  it("a corner without a value is left out and named", () => {
    const points = (["moral", "intellectual", "physical", "aesthetic", "labor", "safety"] as const).map((education, at) => ({education, now: at === 2 ? null : at, past: 1}));
    expect(radarPoints(points).left).toEqual(["physical"]);
    expect(radarPoints(points.map((it) => ({...it, past: null})))).toMatchObject({hasPast: false, left: ["physical"]});
  });
  it("too few corners, or nothing seen at all, is said and not drawn", () => {
    const point = (now: number | null) => (["moral", "intellectual", "physical"] as const).map((education) => ({education, now, past: 0}));
    expect(radarState(point(1))).toBe("ok");
    expect(radarState(point(0))).toBe("none_seen");
    expect(radarState(point(1).slice(1))).toBe("insufficient");
  });
});

describe("the archive", () => {
  it("figures come in a fixed order, those of the educations apart", () => {
    const facts = yearFacts(year("2025-2026", {leave_n: 1, activity_moral_n: 2, activity_moral_hours: 3, activity_labor_n: 0, volunteer_hours: 6, activity_n: 2, mean_score: 82.5, later_n: 4, credits: null}));
    expect(facts.figures.map((it) => [it.item, it.unit])).toEqual([["activity_n", "count"], ["volunteer_hours", "hour"], ["mean_score", "points"], ["leave_n", "count"], ["later_n", "count"]]);
    expect(facts.educations).toEqual([{education: "moral", n: 2, hours: 3}]);
    expect(facts.hours).toBe(3);
  });
  it("what is told twice of one day is one", () => {
    const rows = [row("activity", "志愿服务", "2025-10-11", "便民"), row("activity", "志愿服务", "2025-10-11", "便民"), row("activity", "志愿服务", "2025-10-12", "便民")];
    expect(folded(rows).map((it) => it.times)).toEqual([2, 1]);
  });
  it("years without hours are left out of the chart", () => {
    const years = yearHours({years: [year("2023-2024", {credits: 39}), year("2024-2025", {activity_safety_hours: 2})]});
    expect(years.map((it) => it.academic_year)).toEqual(["2024-2025"]);
    expect(years[0]?.hours).toMatchObject({safety: 2, moral: null});
  });
});

describe("the album", () => {
  const years = [
    year("2023-2024", {mean_score: 70, credits: 39, talk_n: 3, ticket_n: 2}, [
      row("enrolment", "入学", "2023-08-31"), row("enrolment", "休学", "2023-11-01"), row("bed", "入住寝室", "2023-08-31"), row("award", "获得奖项", "2023-11-16", "一等奖学金"),
    ]),
    year("2024-2025", {mean_score: 90, leave_n: 4, activity_n: 5, activity_labor_hours: 4, activity_labor_n: 5, volunteer_hours: 6}, [
      row("enrolment", "复学", "2024-09-01"), row("academic_warning", "学业提醒", "2024-09-11"), row("talk", "谈心谈话", "2024-10-01"), row("ticket", "提交诉求", "2024-10-02"),
      row("leave", "请假获批", "2024-10-03"), row("grade", "期末成绩发布", "2025-01-20"), row("activity", "组织活动", "2024-10-09", "读书会"), row("activity", "组织活动", "2024-10-09", "读书会"),
      row("activity", "参加活动", "2024-10-10", "讲座", false),
    ]),
  ];
  it("holds good and neutral facts only", () => {
    const album = albumOf({years});
    expect(album.years.map((it) => it.milestones.map((one) => one.row.title_zh))).toEqual([["入学", "入住寝室", "获得奖项"], ["组织活动"]]);
    expect(album.years.flatMap((it) => it.facts.figures.map((one) => one.item))).toEqual(["credits", "activity_n", "volunteer_hours", "mean_score"]);
    expect(album.years.map((it) => it.nth)).toEqual([1, 2]);
    expect([album.from, album.to]).toEqual(["2023", "2025"]);
  });
  it("never shows a mark below the own mean, nor one that did not pass", () => {
    expect(ownMean(years)).toBe(80);
    const shown = (of: ArchiveYear[]) => albumOf({years: of}).years.map((it) => it.facts.figures.some((one) => one.item === "mean_score"));
    expect(shown(years)).toEqual([false, true]);
    expect(shown([year("2023-2024", {mean_score: 52})])).toEqual([false]);
    expect(ownMean([])).toBeNull();
  });
  it("sums what was given", () => {
    expect(albumOf({years}).given).toMatchObject({volunteer_hours: 6, organised_n: 1, activity_n: 5, activity_hours: 4});
    expect(albumOf({years}).given.awards.map((it) => [it.year, it.row.detail_zh])).toEqual([["2023-2024", "一等奖学金"]]);
    expect(albumOf({years: []}).years).toEqual([]);
  });
});

describe("catalogue", () => {
  const table = (name: string, more: Partial<CatalogTable>): CatalogTable => ({
    table: name, kind: "table", about_zh: "", about_en: "", grain: "", owner: "platform", class: null, materialized: "view", purpose: [], inputs: [], rows_n: null,
    version: null, updated_at: null, fresh_to: null, columns: [], ...more,
  });
  const beds = table("stg_bed", {kind: "staging", about_zh: "床位分配。", about_en: "Beds.", owner: "dormitory_office"});
  const meals = table("int_meal", {columns: [{column: "meal_n", type: "Int64", about_zh: "用餐次数。", about_en: "Meals.", unit: null, class: null}]});
  const other = table("zz", {kind: "new_kind"});
  const found = (query: string, kind = "", owner = "") => chosenTables([beds, meals, other], {query, kind, owner}, (it) => (it.owner === "dormitory_office" ? "宿舍管理中心" : "")).map((it) => it.table);
  it("tables are found by either language, their columns, the words of the screen, kind and owner", () => {
    expect(found("床位")).toEqual(["stg_bed"]);
    expect(found("beds")).toEqual(["stg_bed"]);
    expect(found("用餐")).toEqual(["int_meal"]);
    expect(found("宿舍 床位")).toEqual(["stg_bed"]);
    expect(found("床位 用餐")).toEqual([]);
    expect(found("", "table")).toEqual(["int_meal"]);
    expect(found("", "", "dormitory_office")).toEqual(["stg_bed"]);
    expect(found("")).toHaveLength(3);
  });
  it("groups stand from what people meet to what it is made of", () => {
    expect(tableGroups([other, beds, meals]).map((it) => [it.kind, it.tables.length])).toEqual([["table", 1], ["staging", 1], ["new_kind", 1]]);
  });
  it("arrow keys stay inside the list", () => {
    expect([nextPlace("ArrowDown", 0, 3), nextPlace("ArrowDown", 2, 3), nextPlace("ArrowUp", 0, 3), nextPlace("End", 0, 3), nextPlace("Home", 2, 3)]).toEqual([1, 2, 0, 2, 0]);
    expect([nextPlace("Enter", 0, 3), nextPlace("ArrowDown", -1, 0)]).toEqual([null, null]);
  });
});

describe("lineage and sources", () => {
  it("a chain goes from computed to raw", () => {
    const table = (name: string, kind: string): LineageTable => ({table: name, kind, about_zh: "", about_en: "", owner: "", inputs: [], version: 1, filter: null});
    const steps = lineageSteps([table("a", "table"), table("s", "staging"), table("r", "raw"), table("b", "table")]);
    expect(steps.map((it) => [it.kind, it.tables.map((one) => one.table)])).toEqual([["table", ["a", "b"]], ["staging", ["s"]], ["raw", ["r"]]]);
  });
  it("a sentence in two languages is read in one", () => {
    expect(gloss("Beds and who had them (床位分配).", "zh-CN")).toBe("床位分配");
    expect(gloss("Beds and who had them (床位分配).", "en")).toBe("Beds and who had them.");
    expect(gloss("Passages (门禁通行). Face rows serve safety only.", "zh-CN")).toBe("门禁通行");
    expect(gloss("What the calendar says (of days).", "zh-CN")).toBe("What the calendar says (of days).");
  });
  it("a table is told in the reader's language, and by its term where it has no Chinese sentence", () => {
    const both = {about_zh: "床位（含假期）由谁居住。", about_en: "Beds and who had them (床位分配)."};
    expect(aboutIn(both, "zh-CN")).toBe("床位（含假期）由谁居住。");
    expect(aboutIn(both, "en")).toBe("Beds and who had them.");
    expect(aboutIn({...both, about_zh: both.about_en}, "zh-CN")).toBe("床位分配");
  });
  it("a student reads of a reminder", () => {
    expect(ownWords("教务发出学业预警。")).toBe("教务发出学业提醒。");
    expect(ownWords("The office issued a warning.")).toBe("The office issued a notice.");
  });
  const source = (name: string, more: Partial<SourceQuality>): SourceQuality => ({
    source: name, about_zh: "", about_en: "", owner: "library", shape: "event", purpose: ["portrait"], retention_days: 1, usual_delay_h: 1, column_n: 1, identity_n: 0, rows_n: null, updated_at: null,
    fresh_to: null, rows_last: null, rows_usual: null, late_share: null, psi: null, column_psi: null, moved_columns: [], state: "ok", approval: {doc_no: "A1", approver: null, valid_to: "2026-01-01"}, ...more,
  });
  it("sources are sorted with the unknown last either way", () => {
    const all = [source("a", {rows_n: null}), source("b", {rows_n: 5}), source("c", {rows_n: 9})];
    expect(sortedSources(all, "rows_n", false).map((it) => it.source)).toEqual(["b", "c", "a"]);
    expect(sortedSources(all, "rows_n", true).map((it) => it.source)).toEqual(["c", "b", "a"]);
    expect(sortedSources([source("z", {}), source("y", {state: "late"})], "state", false).map((it) => it.source)).toEqual(["y", "z"]);
  });
  it("sources are found by words of the screen and by state", () => {
    const all = [source("gate_event", {state: "late"}), source("card_txn", {about_zh: "校园卡消费", about_en: "Payments"})];
    expect(chosenSources(all, {query: "消费", state: "", owner: ""}, () => "").map((it) => it.source)).toEqual(["card_txn"]);
    expect(chosenSources(all, {query: "", state: "late", owner: "library"}, () => "").map((it) => it.source)).toEqual(["gate_event"]);
    expect(chosenSources(all, {query: "图书馆", state: "", owner: ""}, () => "图书馆")).toHaveLength(2);
  });
  it("an approval is there, run out, or missing", () => {
    expect(approvalState(source("a", {}), "2025-12-31")).toBe("valid");
    expect(approvalState(source("a", {}), "2026-01-02")).toBe("expired");
    expect(approvalState(source("a", {approval: {doc_no: null, approver: null, valid_to: null}}), "2026-01-02")).toBe("none");
  });
});
