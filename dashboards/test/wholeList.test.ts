import {expect, test} from "vitest";
import type {WorkList} from "../src/api/schema";
import {wholeList} from "../src/facts/wholeList";

function page(rows: number[], next: string | null, built = "2025-11-01T21:00:00Z"): WorkList {
  return {
    list: "late", title_zh: "", title_en: "", as_of_on: "2025-11-01", columns: [], rows: rows.map((n) => ({n})), rows_n: 5, next,
    answers: null, sheet: null, built_at: built, complete_from: null, is_complete: next === null, is_live: false,
  };
}

/** Answers in this order, and what was asked for. */
function answering(pages: WorkList[]) {
  const asked: string[] = [];
  return {asked, ask: (after: string) => (asked.push(after), Promise.resolve(pages[asked.length - 1] ?? page([], "9")))};
}

test("a list is asked for until no page follows", async () => {
  const {asked, ask} = answering([page([1, 2], "2"), page([3, 4], "4"), page([5], null)]);
  const whole = await wholeList(ask);
  expect(whole.rows.map((it) => it["n"])).toEqual([1, 2, 3, 4, 5]);
  expect(asked).toEqual(["", "2", "4"]);
  expect([whole.is_complete, whole.next]).toEqual([true, null]);
});

test("a list that was built anew in between is read again from its beginning", async () => {
  const anew = "2025-11-01T22:00:00Z";
  const {asked, ask} = answering([page([1, 2], "2"), page([9], null, anew), page([7, 8], "2", anew), page([9], null, anew)]);
  const whole = await wholeList(ask);
  expect(whole.rows.map((it) => it["n"])).toEqual([7, 8, 9]);
  expect(asked).toEqual(["", "2", "", "2"]);
  expect(whole.is_complete).toBe(true);
});

test("a list that never stands still says that it is not whole", async () => {
  let n = 0;
  const whole = await wholeList((after) => Promise.resolve(page([n], "1", after === "" ? "2025-11-01T21:00:00Z" : `2025-11-01T22:00:0${(n += 1)}Z`)));
  expect(whole.is_complete).toBe(false);
  expect(n).toBe(3);
});
