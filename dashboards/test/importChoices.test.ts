import {describe, expect, it} from "vitest";
import type {ImportChoices, ImportColumn, ImportGuess} from "../src/api/schema";
import {carried, faults, leastSure, mebibytes, rename, renameColumn, setHeadless, setKey, setOccurred, setPerson, setShape, setType, trust} from "../src/importChoices";

function column(name: string, more: Partial<ImportColumn> = {}): ImportColumn {
  return {
    name, head: `${name}的列名`, type: "text", about: name, class: "personal", required: false, optional: false, person: null, key_as: null,
    one_of: [], codes: {}, min: null, max: null, decimal_shift: null, format: null, epoch: null, unit: null, refers: null, ...more,
  };
}

function choices(more: Partial<ImportChoices> = {}): ImportChoices {
  return {
    name: "gate", about: "Gates.", shape: "event", export: "changes", owner: "security_office", purpose: ["service"], retention: "4y", approval: null,
    path: "import/gate/*.csv*", format: "csv", encoding: "utf-8", separator: null, sheet: null, skip_rows: 0, headless: false, version: 1,
    key: ["event_id"], on_conflict: "first", occurred_at: "passed_at", occurred_as: null, changed_at: [], start: null, usual_delay: "1d",
    skew_max: null, reject_share_max: 0.5, rules: [],
    columns: [
      column("event_id", {required: true}),
      column("student_id", {required: true, person: "student", class: "identity"}),
      column("passed_at", {required: true, type: "timestamp", format: "%Y-%m-%d %H:%M:%S", class: "trace"}),
      column("gate"),
    ],
    ...more,
  };
}

function guessed<T>(value: T, confidence = 0.9) {
  return {value, confidence, reason_zh: "因为", reason_en: "because"};
}

function guess(of: ImportChoices): ImportGuess {
  return {
    upload_id: "1", file_name: "gate.csv", bytes: 10, choices: of, fits: null,
    guess: {
      name: guessed(of.name), format: guessed(of.format), encoding: guessed(of.encoding), separator: guessed(null), sheets: [], sheet: guessed(null),
      skip_rows: guessed(0), headless: guessed(of.headless), shape: guessed(of.shape), key: guessed(of.key), occurred_at: guessed(of.occurred_at),
      occurred_as: null, rows_seen: 3, is_whole: true,
      columns: of.columns.map((it) => ({
        head: it.head ?? "", name: guessed(it.name), type: guessed(it.type), decimal_shift: null, format: it.format, unit: null, person: guessed(it.person),
        key_as: null, required: guessed(it.required), one_of: guessed([]), class: guessed(it.class, 0.5), examples: ["a"], is_unique: false, empty_n: 0,
      })),
    },
  };
}

const codes = (it: ImportChoices) => faults(it).map((fault) => `${fault.code} ${fault.column}`.trim());

describe("choices of an import", () => {
  it("a sound contract has nothing to mend", () => {
    expect(faults(choices())).toEqual([]);
  });
  it("what stands in the way is named with its column", () => {
    expect(codes(choices({name: "门禁"}))).toEqual(["name"]);
    expect(codes(choices({owner: "to_be_named", about: " ", purpose: []}))).toEqual(["about", "owner", "purpose"]);
    expect(codes(choices({occurred_at: null}))).toEqual(["occurred"]);
    expect(codes(choices({key: ["gate"]}))).toEqual(["key gate"]);
    const twice = choices();
    expect(codes(renameColumn(twice, 3, "student_id"))).toEqual(["column_twice student_id"]);
    expect(codes(renameColumn(twice, 3, "row_no"))).toEqual(["column_reserved row_no"]);
    expect(codes(renameColumn(twice, 3, "Gate 1"))).toEqual(["column_name gate的列名"]);
    expect(codes({...twice, columns: twice.columns.map((it) => ({...it, format: null}))})).toEqual(["format passed_at的列名"]);
  });
  it("key and time follow a column to its new name, the files to the new name of all", () => {
    const renamed = renameColumn(renameColumn(choices(), 0, "swipe_id"), 2, "swiped_at");
    expect([renamed.key, renamed.occurred_at, renamed.columns[0]?.head]).toEqual([["swipe_id"], "swiped_at", "event_id的列名"]);
    expect(rename(choices(), "swipe").path).toBe("import/swipe/*.csv*");
    expect(rename(choices({path: "card/*.csv"}), "swipe").path).toBe("card/*.csv");
  });
  it("a column without another head keeps its own when it is renamed", () => {
    const plain = choices({columns: [column("gate", {head: null})]});
    expect(renameColumn(plain, 0, "door").columns[0]?.head).toBe("gate");
    expect(renameColumn({...plain, headless: true}, 0, "door").columns[0]?.head).toBeNull();
  });
  it("a person's number is text that stays in the vault, and the second one of a kind has a key of its own", () => {
    const two = setPerson(setType(choices(), 3, "int64"), 3, "student");
    expect(two.columns[3]).toMatchObject({type: "text", class: "identity", key_as: "gate_key"});
    expect(two.columns[1]?.key_as).toBeNull();
    expect(setPerson(two, 3, null).columns[3]).toMatchObject({class: "personal", key_as: null});
    expect(setPerson(setPerson(choices(), 3, "staff"), 3, null, "trace").columns[3]?.class).toBe("trace");
  });
  it("a type brings what belongs to it and takes away what does not", () => {
    expect(setType(choices(), 3, "date").columns[3]?.format).toBe("%Y-%m-%d");
    const money = choices({columns: [column("amount_fen", {type: "int64", decimal_shift: 2, unit: "fen"})]});
    expect(setType(money, 0, "float64").columns[0]).toMatchObject({decimal_shift: null, unit: null});
    const back = {...guess(money).guess.columns[0]!, decimal_shift: 2, unit: "fen"};
    expect(setType(setType(money, 0, "text"), 0, "int64", back).columns[0]).toMatchObject({decimal_shift: 2, unit: "fen"});
  });
  it("an event needs its time in every row, a key its columns", () => {
    const state = choices({shape: "state", occurred_at: null, columns: choices().columns.map((it) => ({...it, required: false}))});
    const event = setShape(state, "event", guess(state).guess);
    expect([event.occurred_at, event.columns[2]?.required, event.on_conflict]).toEqual(["passed_at", true, "first"]);
    expect(setShape(event, "state", guess(event).guess).on_conflict).toBe("latest");
    expect(setKey(state, ["gate"]).columns[3]?.required).toBe(true);
    expect(setOccurred(choices({columns: [column("at", {type: "int64"})]}), "at").occurred_as).toBe("epoch_ms");
  });
  it("heads go and come with the head", () => {
    const without = setHeadless(choices(), true, guess(choices()).guess);
    expect(without.columns.map((it) => it.head)).toEqual([null, null, null, null]);
    expect(setHeadless(without, false, guess(choices()).guess)).toEqual(choices());
  });
  it("a corrected table keeps what was confirmed, another one does not", () => {
    const confirmed = rename(renameColumn(choices(), 3, "door"), "swipe");
    expect(carried(confirmed, guess(choices({encoding: "gb18030"})))).toMatchObject({name: "swipe", encoding: "gb18030"});
    const other = choices({columns: [column("a")]});
    expect(carried(confirmed, guess(other))).toEqual(other);
    expect(carried(null, guess(other))).toEqual(other);
  });
  it("the least sure part of a guess is what the reader is shown", () => {
    expect(leastSure(guess(choices()).guess.columns[0]!).confidence).toBe(0.5);
    expect([0.95, 0.7, 0.3].map(trust)).toEqual(["sure", "fair", "check"]);
    expect(mebibytes(64 << 20)).toBe("64 MiB");
  });
});
