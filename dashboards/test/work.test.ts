import {describe, expect, it} from "vitest";
import {accountsOf, blankDraft, fieldsOf, instantOf, isTyped, missingFields} from "../src/facts/acts";
import {isFirst, neighbour, parted, placeOf, takersOf} from "../src/facts/cases";
import {standing, waitingFirst} from "../src/facts/messages";
import {toldParts} from "../src/facts/outcomes";
import {waiting} from "../src/facts/sweeps";
import {blankObservation, bodyOf, faultsOf, isUrgent} from "../src/facts/observation";
import {compared, leads, lifts} from "../src/facts/models";
import {serverNow, setServerClock} from "../src/now";
import type {ActForm, CaseRow, ModelBacktest, ModelWorth, OwnMessage, Sign} from "../src/api/schema";

function row(thread_key: string, changes: Partial<CaseRow> = {}): CaseRow {
  return {
    thread_key, student_key: "100000000000001", kind: "academic", kind_zh: "学业", kind_en: "studies", state: "new", state_zh: "待认领", state_en: "new",
    student: {name: "甲", college_name: "信息工程学院", class: "软件2301", building: "北苑1号楼", room: "101", unnamed_zh: null, unnamed_en: null},
    severity: {level: 2, label_zh: "三级", label_en: "third level", colour: "yellow"}, level: "class", level_zh: "班级", level_en: "class",
    owner: null, is_mine: false, version: 1, due_at: null, is_overdue: false, ...changes,
  };
}
const care = {level: null, label_zh: "重点关怀", label_en: "priority care", colour: null};

describe("the queue", () => {
  it("shows safety and what people judged graver before all else, each part in the order of the server", () => {
    const rows = [row("1"), row("2", {kind: "safety", severity: null}), row("3", {severity: {...care, level: 3}}), row("4")];
    const {first, queue} = parted(rows);
    expect([first.map((it) => it.thread_key), queue.map((it) => it.thread_key)]).toEqual([["2", "3"], ["1", "4"]]);
  });
  it("takes a degree without a number for a grave one: that is how a counselor is shown it", () => {
    expect(isFirst(row("1", {severity: care}))).toBe(true);
    expect(isFirst(row("1", {severity: null}))).toBe(false);
  });
  it("does not let a person's report wait behind what machines found", () => {
    expect(isFirst(row("1", {kind: "psych"}))).toBe(true);
    expect(isFirst(row("1", {kind: "psych", state: "reviewing"}))).toBe(false);
  });
  it("moves by key without leaving the list, and begins at its first", () => {
    const keys = ["a", "b", "c"];
    expect([neighbour(keys, "", 1), neighbour(keys, "a", 1), neighbour(keys, "c", 1), neighbour(keys, "a", -1), neighbour([], "a", 1)]).toEqual(["a", "b", "c", "a", undefined]);
  });
  it("names no place that is not known", () => {
    expect(placeOf({...row("1").student, building: null, room: null})).toBe("软件2301");
    expect(placeOf(row("1").student)).toBe("软件2301 · 北苑1号楼 101");
  });
});

const field = (name: string, kind: ActForm["fields"][number]["kind"], is_required = true) => ({field: name, title_zh: name, title_en: name, kind, is_required, choices: []});
const form: ActForm = {
  act: "close", title_zh: "结案", title_en: "close", is_primary: true, is_grave: true,
  fields: [field("outcome", "code"), field("is_quiet", "flag"), field("n_present", "number"), field("from", "instant"), field("extra", "text", false)],
};

describe("the form of an act", () => {
  it("asks for what is required and for nothing else; a yes or no is never taken for granted", () => {
    expect(missingFields(form, blankDraft()).map((it) => it.field)).toEqual(["outcome", "is_quiet", "n_present", "from"]);
    const draft = {note: "", fields: {outcome: "referred", is_quiet: "false", n_present: "3", from: "2025-12-12T08:30"}};
    expect(missingFields(form, draft)).toEqual([]);
  });
  it("sends each field in its own kind, an instant in the school's time, and leaves out what is empty", () => {
    const draft = {note: "", fields: {outcome: "referred", is_quiet: "false", n_present: "3", from: "2025-12-12T08:30", extra: "  ", other: "x"}};
    expect(fieldsOf(form, draft)).toEqual({outcome: "referred", is_quiet: false, n_present: 3, from: "2025-12-12T08:30:00+08:00"});
    expect(Date.parse(instantOf("2025-12-12T08:30"))).toBe(Date.UTC(2025, 11, 12, 0, 30));
  });
  it("keeps a draft only while something is typed", () => {
    expect([isTyped(blankDraft()), isTyped({note: " ", fields: {a: ""}}), isTyped({note: "谈过", fields: {}})]).toEqual([false, false, true]);
  });
});

describe("a message to staff", () => {
  const message = (message_id: string, changes: Partial<OwnMessage> = {}): OwnMessage => ({message_id, kind: "new_thread", created_at: "2026-03-02T01:00:00Z", taken_at: null, taken_by: null, is_mine: false, may_take: true, must_call: false, calls: [], ...changes});
  const taken = {taken_at: "2026-03-02T02:00:00Z", taken_by: "王老师"};
  it("waits until somebody takes it on, and then says who, even where the account is gone", () => {
    expect([message("1"), message("2", {...taken, is_mine: true}), message("3", taken), message("4", {...taken, taken_by: null})].map(standing)).toEqual(["waits", "mine", "taken", "taken_on"]);
  });
  it("stands above those in hand while it waits, and loses none", () => {
    expect(waitingFirst([message("4", taken), message("3"), message("2", taken), message("1")]).map((it) => it.message_id)).toEqual(["3", "1", "4", "2"]);
  });
});

describe("an observation", () => {
  const signs: Sign[] = [
    {sign: "farewell", title_zh: "", title_en: "", is_urgent: true},
    {sign: "withdrawn", title_zh: "", title_en: "", is_urgent: false},
  ];
  it("needs a number, and a sign or a few words", () => {
    expect(faultsOf(blankObservation(), 8192)).toEqual(["number", "nothing"]);
    expect(faultsOf({...blankObservation(), number: "2023001", text: "最近总是一个人"}, 8192)).toEqual([]);
  });
  it("counts the length in bytes, as the server does", () => {
    expect(faultsOf({...blankObservation(), number: "1", text: "字".repeat(10)}, 30)).toEqual([]);
    expect(faultsOf({...blankObservation(), number: "1", text: "字".repeat(11)}, 30)).toEqual(["long"]);
  });
  it("is urgent when a sign is, or when the writer says so", () => {
    const given = {...blankObservation(), signs: ["withdrawn"]};
    expect([isUrgent(given, signs), isUrgent({...given, signs: ["farewell"]}, signs), isUrgent({...given, urgent: true}, signs)]).toEqual([false, true, true]);
  });
  it("says nothing of a day that was not given", () => {
    expect(bodyOf({...blankObservation(), number: " 2023001 ", signs: ["withdrawn"]})).toEqual({student_no: "2023001", signs: ["withdrawn"], seen_on: null, is_urgent: false, text: ""});
  });
});

describe("a model beside what is simpler", () => {
  const worth = (name: string, role: ModelWorth["role"], lift: number | null, is_chosen = false) => ({name, role, lift_over_random: lift, is_chosen, weeks: []}) as unknown as ModelWorth;
  const backtest = {
    best_rule: "absence_n",
    candidates: [worth("forest", "model", 2.5), worth("boost", "model", 3.2, true), worth("meal_n", "rule", 1.4), worth("absence_n", "rule", 2), worth("floor", "floor", null)],
  } as unknown as ModelBacktest;
  it("is compared with the best rule and the place, not with whatever it beats most easily", () => {
    expect(compared(backtest).map((it) => it.name)).toEqual(["boost", "absence_n", "floor"]);
  });
  it("stands in the order of its worth, chance among the others, and what nobody can judge is left out", () => {
    const said = lifts(backtest, (it) => it.name, "chance", (it) => `${it}x`).map((it) => `${it.name} ${it.shown}`);
    expect(said).toEqual(["boost 3.2x", "forest 2.5x", "absence_n 2x", "meal_n 1.4x", "chance 1x"]);
  });
  it("says how long before it spoke, in the order of the bands, and nothing of a handful", () => {
    const band = (from_days: number | null, to_days: number | null, share: number | null) => ({from_days, to_days, share});
    const said = (share: number | null) => leads([band(null, null, share), band(7, 13, share)], (it) => `${it.from_days}-${it.to_days}`, (it) => `${it * 100}%`);
    expect(said(0.5)).toEqual([{name: "null-null", value: 0.5, shown: "50%"}, {name: "7-13", value: 0.5, shown: "50%"}]);
    expect(said(null)).toEqual([]);
  });
});

describe("the clock", () => {
  it("is the server's, whatever this browser believes, half an answer's way later", () => {
    const here = Date.now();
    setServerClock("2025-12-13T00:00:00Z", here - 400, here);
    const there = Date.UTC(2025, 11, 13) + 200;
    expect(Math.abs(serverNow() - there)).toBeLessThan(150);
    setServerClock("no instant", here, here);
    expect(Math.abs(serverNow() - there)).toBeLessThan(150);
  });
});

describe("records, sweeps and outcomes", () => {
  it("reads accounts as people write them, and a day as it is", () => {
    expect(accountsOf(" lin，wang、 gao;li ")).toEqual(["lin", "wang", "gao", "li"]);
    const field = (field: string, kind: "day" | "accounts") => ({field, kind, title_zh: "", title_en: "", is_required: true, choices: []});
    const form: ActForm = {act: "conference", title_zh: "", title_en: "", is_primary: false, is_grave: false, fields: [field("from", "day"), field("members", "accounts")]};
    expect(fieldsOf(form, {fields: {from: "2026-01-20", members: "lin, wang"}, note: ""})).toEqual({from: "2026-01-20", members: ["lin", "wang"]});
  });
  it("asks for students without an answer only", () => {
    const student = {name: "甲", college_name: null, class: null, building: null, room: null, unnamed_zh: null, unnamed_en: null};
    const swept = (student_key: string, answer: string | null) => ({student_key, student, is_in_care: false, answer, answer_zh: answer, answer_en: answer});
    expect(waiting([swept("1", null), swept("2", "nothing_seen"), swept("3", null)]).map((it) => it.student_key)).toEqual(["1", "3"]);
  });
  it("never draws a suppressed part as zero, and nothing where all is hidden", () => {
    expect(toldParts(null)).toEqual([]);
    const outcome = {closed_n: 30, acted_on_n: null, no_support_needed_n: 18, excluded_n: 12, not_reachable_n: null, no_support_needed_share: 0.6};
    expect(toldParts(outcome)).toEqual([{part: "no_support_needed_n", n: 18}, {part: "excluded_n", n: 12}]);
  });
  it("names colleagues with their account", () => {
    expect(takersOf({takers: [{account: "wang", display_name: "王老师"}]})).toEqual([{value: "wang", name: "王老师（wang）"}]);
    expect(takersOf(undefined)).toEqual([]);
  });
});
