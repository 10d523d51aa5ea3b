import {describe, expect, it} from "vitest";
import * as format from "../src/format";

describe("numbers", () => {
  it("a missing number is a dash, never zero", () => {
    for (const call of [format.count, format.share, format.hours, format.yuan, format.minuteOfDay, format.change]) {
      expect(call("zh-CN", null)).toBe(format.DASH);
      expect(call("en", Number.NaN)).toBe(format.DASH);
    }
    expect(format.count("zh-CN", 0)).toBe("0");
  });
  it("nearly all never reads as all", () => {
    expect(format.share("zh-CN", 0.99996)).toBe("99.9%");
    expect(format.share("zh-CN", 0.996, 0)).toBe("99%");
    expect(format.share("zh-CN", 1)).toBe("100%");
    expect(format.share("zh-CN", 0.97)).toBe("97.0%");
    expect(format.share("en", 0.97237)).toBe("97.2%");
  });
  it("large numbers follow the reader's language", () => {
    expect(format.count("zh-CN", 12345)).toBe("12,345");
    expect(format.compact("zh-CN", 123456)).toBe("12.3万");
    expect(format.compact("en", 123456)).toBe("123.5K");
  });
  it("a change of shares is in percentage points", () => {
    expect(format.movement("zh-CN", 0.9724, 0.9651, "share")).toBe("0.7 个百分点");
    expect(format.movement("en", 0.8612, 0.8735, "share")).toBe("1.2 pp");
    expect(format.movement("zh-CN", 41, 58, "person")).toBe("17");
  });
  it("the logarithm of a ratio is shown as a change", () => {
    expect(format.change("en", Math.log(0.7))).toBe("-30%");
    expect(format.change("en", Math.log(1.05))).toBe("+5%");
    expect(format.change("zh-CN", 0)).toBe("0%");
  });

  it("every unit of a measure has its words", () => {
    const both = (value: number, unit: string) => [format.quantity("zh-CN", value, unit), format.quantity("en", value, unit)];
    expect(both(7, "days")).toEqual(["7 天", "7 days"]);
    expect(both(1, "days")).toEqual(["1 天", "1 day"]);
    expect(both(140.4, "minutes")).toEqual(["140 分钟", "140 min"]);
    expect(both(86.987, "points")).toEqual(["87 分", "87 points"]);
    expect(both(2.5, "credits")).toEqual(["2.5 学分", "2.5 credits"]);
    expect(both(-1.429, "nats")).toEqual(["-1.43 奈特", "-1.43 nats"]);
    expect(both(21.504, "index")).toEqual(["21.5", "21.5"]);
    expect(both(0.2353, "ratio")).toEqual(["0.24", "0.24"]);
    for (const unit of ["days", "minutes", "points", "credits", "nats", "index", "ratio"]) expect(format.quantity("en", null, unit)).toBe(format.DASH);
  });
  it("a length of time turns into days from two days up", () => {
    expect(format.hours("zh-CN", 36)).toBe("36 小时");
    expect(format.hours("en", 60)).toBe("2.5 days");
  });
});

describe("dates", () => {
  it("a return after midnight belongs to the evening before and says so", () => {
    expect(format.minuteOfDay("zh-CN", 1421)).toBe("23:41");
    expect(format.minuteOfDay("zh-CN", 1530)).toBe("次日 01:30");
    expect(format.minuteOfDay("en", 1530)).toBe("01:30 next day");
  });
  it("a local date is never moved by a time zone", () => {
    expect(format.date("zh-CN", "2026-01-12")).toBe("2026年1月12日");
    expect(format.date("en", "2026-01-12")).toBe("Jan 12, 2026");
    expect(format.shortDate("zh-CN", "2026-01-12")).toBe("1/12");
  });
  it("an instant is shown in the school's time", () => {
    expect(format.dateTime("zh-CN", "2026-01-12T15:40:00Z")).toBe("2026/01/12 23:40");
    expect(format.clock("en", "2026-01-12T20:05:00Z")).toBe("04:05");
  });
  it("the day before crosses months and years", () => {
    expect(format.dayBefore("2026-01-01")).toBe("2025-12-31");
    expect(format.dayBefore("2025-12-08")).toBe("2025-12-07");
  });
  it("what cannot be read is shown as it came", () => {
    expect(format.date("zh-CN", "soon")).toBe("soon");
    expect(format.clock("zh-CN", null)).toBe(format.DASH);
  });
});

describe("lengths of time", () => {
  it("are read at a glance, late or early alike", () => {
    const minute = 60_000;
    expect([0.5, 12, -12, 60, 312, 2 * 1440 + 3].map((it) => format.span("zh-CN", it * minute))).toEqual(["0 分钟", "12 分钟", "12 分钟", "1 小时", "5 小时 12 分", "2 天"]);
    expect(format.span("en", 47 * 60 * minute)).toBe("47 h");
    expect(format.span("zh-CN", null)).toBe(format.DASH);
  });
  it("a running clock shows minutes and seconds, from an hour up hours as well", () => {
    expect([245_000, -245_000, 3_727_000].map(format.countdown)).toEqual(["4:05", "4:05", "1:02:07"]);
  });
  it("days are counted over the end of a month", () => {
    expect([format.daysLater("2025-12-28", 6), format.dayBefore("2026-01-01")]).toEqual(["2026-01-03", "2025-12-31"]);
  });
});
