/** Every number and date on a screen goes through here: one place knows the reader's language. */

export type Locale = "zh-CN" | "en";

const ZONE = "Asia/Shanghai";
/** Shown where a value is missing without a reason of its own. */
export const DASH = "–";
/** Shown for a number too small to show. */
export const SUPPRESSED = "<5";

type Number_ = number | null | undefined;

function missing(value: Number_): value is null | undefined {
  return value === null || value === undefined || Number.isNaN(value);
}

function decimal(locale: Locale, value: number, digits: number): string {
  return new Intl.NumberFormat(locale, {maximumFractionDigits: digits}).format(value);
}

/** 1234 as "1,234". */
export function count(locale: Locale, value: Number_): string {
  return missing(value) ? DASH : decimal(locale, value, 0);
}

/** 123456 as "12.3万" or "123K": for places where the exact number is not the point. */
export function compact(locale: Locale, value: Number_): string {
  if (missing(value)) return DASH;
  return new Intl.NumberFormat(locale, {notation: "compact", maximumFractionDigits: 1}).format(value);
}

/** 0.9723 as "97.2%", 0.97 as "97.0%" so that columns line up; "100%" only for a whole, so that nearly all never reads as all. */
export function share(locale: Locale, value: Number_, digits = 1): string {
  if (missing(value)) return DASH;
  const scale = 10 ** (digits + 2);
  const shown = value < 1 && Math.round(value * scale) >= scale ? (scale - 1) / scale : value;
  const style = {style: "percent", minimumFractionDigits: shown === 0 || shown === 1 ? 0 : digits, maximumFractionDigits: digits} as const;
  return new Intl.NumberFormat(locale, style).format(shown);
}

/** Minutes since midnight as "23:41"; past 24:00 belongs to the evening before and says so. */
export function minuteOfDay(locale: Locale, value: Number_): string {
  if (missing(value)) return DASH;
  const minutes = Math.round(value);
  const inDay = ((minutes % 1440) + 1440) % 1440;
  const clock = `${String(Math.floor(inDay / 60)).padStart(2, "0")}:${String(inDay % 60).padStart(2, "0")}`;
  if (minutes < 1440) return clock;
  return locale === "en" ? `${clock} next day` : `次日 ${clock}`;
}

/** A length of time in hours; from two days up in days. */
export function hours(locale: Locale, value: Number_): string {
  if (missing(value)) return DASH;
  if (value >= 48) return locale === "en" ? `${decimal(locale, value / 24, 1)} days` : `${decimal(locale, value / 24, 1)} 天`;
  return locale === "en" ? `${decimal(locale, value, 1)} h` : `${decimal(locale, value, 1)} 小时`;
}

/** A length of time to read at a glance: "12 分", "5 小时 12 分", "3 天". */
export function span(locale: Locale, ms: Number_): string {
  if (missing(ms)) return DASH;
  const minutes = Math.floor(Math.abs(ms) / 60_000);
  const days = Math.floor(minutes / 1440);
  if (days >= 2) return locale === "en" ? `${days} days` : `${days} 天`;
  const [full, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (full === 0) return locale === "en" ? `${rest} min` : `${rest} 分钟`;
  if (rest === 0) return locale === "en" ? `${full} h` : `${full} 小时`;
  return locale === "en" ? `${full} h ${rest} min` : `${full} 小时 ${rest} 分`;
}

/** A clock that runs: 4:05, or 1:02:07 from an hour up. */
export function countdown(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (it: number) => String(it).padStart(2, "0");
  return h === 0 ? `${m}:${two(s)}` : `${h}:${two(m)}:${two(s)}`;
}

export function yuan(locale: Locale, value: Number_): string {
  return missing(value) ? DASH : `¥${new Intl.NumberFormat(locale, {minimumFractionDigits: 2, maximumFractionDigits: 2}).format(value)}`;
}

/** Names in a row: "甲、乙" or "A, B". */
export function list(locale: Locale, names: readonly string[]): string {
  return names.join(locale === "en" ? ", " : "、");
}

/** A value with the unit of its measure. Unknown units are shown as a plain number. */
export function quantity(locale: Locale, value: Number_, unit: string | null): string {
  switch (unit) {
    case "share":
      return share(locale, value);
    case "count":
    case "person":
      return missing(value) ? DASH : decimal(locale, value, 1);
    case "yuan":
      return yuan(locale, value);
    case "hour":
      return hours(locale, value);
    case "minute_of_day":
      return minuteOfDay(locale, value);
    case "log_ratio":
      return change(locale, value);
    case "days":
      return withUnit(locale, value, 0, " 天", " days", " day");
    case "minutes":
      return withUnit(locale, value, 0, " 分钟", " min");
    case "points":
      return withUnit(locale, value, 1, " 分", " points", " point");
    case "credits":
      return withUnit(locale, value, 1, " 学分", " credits", " credit");
    case "nats":
      return withUnit(locale, value, 2, " 奈特", " nats");
    case "index":
      return missing(value) ? DASH : decimal(locale, value, 1);
    default:
      return missing(value) ? DASH : decimal(locale, value, 2);
  }
}

/** A number with its unit after it; `one` is the English singular where it differs. */
function withUnit(locale: Locale, value: Number_, digits: number, zh: string, en: string, one = en): string {
  if (missing(value)) return DASH;
  const text = decimal(locale, value, digits);
  return `${text}${locale === "en" ? (text === "1" ? one : en) : zh}`;
}

/** The logarithm of a ratio as the change that it is: -0.36 as "−30%", 0 as "0%". */
export function change(locale: Locale, value: Number_): string {
  if (missing(value)) return DASH;
  return new Intl.NumberFormat(locale, {style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero"}).format(Math.exp(value) - 1);
}

/** How a value moved, without its sign: shares in percentage points, others in their own unit. */
export function movement(locale: Locale, value: Number_, previous: Number_, unit: string): string {
  if (missing(value) || missing(previous)) return DASH;
  const by = Math.abs(value - previous);
  if (unit !== "share") return decimal(locale, by, 0);
  return locale === "en" ? `${decimal(locale, by * 100, 1)} pp` : `${decimal(locale, by * 100, 1)} 个百分点`;
}

/** A local date `2026-11-21`, read as a calendar day and never moved by a time zone. */
function dayOf(on: string): Date | null {
  const at = new Date(`${on.slice(0, 10)}T00:00:00Z`);
  return Number.isNaN(at.getTime()) ? null : at;
}

function day(locale: Locale, on: string | null, style: Intl.DateTimeFormatOptions): string {
  if (on === null) return DASH;
  const at = dayOf(on);
  return at === null ? on : new Intl.DateTimeFormat(locale, {timeZone: "UTC", ...style}).format(at);
}

/** "2026年11月21日" or "Nov 21, 2026". */
export function date(locale: Locale, on: string | null): string {
  return day(locale, on, {year: "numeric", month: locale === "en" ? "short" : "long", day: "numeric"});
}

/** "11月21日周六" or "Sat, Nov 21". */
export function weekday(locale: Locale, on: string | null): string {
  return day(locale, on, {month: locale === "en" ? "short" : "long", day: "numeric", weekday: "short"});
}

/** "2025年11月21日周五" or "Fri, Nov 21, 2025". */
export function weekdayOfYear(locale: Locale, on: string | null): string {
  return day(locale, on, {year: "numeric", month: locale === "en" ? "short" : "long", day: "numeric", weekday: "short"});
}

/** A cell of a table as a reader reads it: dates and instants in their words, all else as it is. */
export function cell(locale: Locale, value: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(value)) return date(locale, value);
  return /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(value) ? dateTime(locale, value) : value;
}

/** The day some days later, or earlier. */
export function daysLater(on: string, days: number): string {
  const at = dayOf(on);
  if (at === null) return on;
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

/** The day before, for what ends before a date. */
export function dayBefore(on: string): string {
  return daysLater(on, -1);
}

/** "11/21" or "Nov 21": for axes. */
export function shortDate(locale: Locale, on: string | null): string {
  return day(locale, on, {month: locale === "en" ? "short" : "numeric", day: "numeric"});
}

function instant(locale: Locale, at: string | null, style: Intl.DateTimeFormatOptions): string {
  if (at === null) return DASH;
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return at;
  return new Intl.DateTimeFormat(locale, {timeZone: ZONE, hourCycle: "h23", ...style}).format(time);
}

/** "2026/11/21 23:30" in the school's time. */
export function dateTime(locale: Locale, at: string | null): string {
  const month = locale === "en" ? "short" : "2-digit";
  return instant(locale, at, {year: "numeric", month, day: "2-digit", hour: "2-digit", minute: "2-digit"});
}

/** "11/21 23:30" in the school's time. */
export function shortDateTime(locale: Locale, at: string | null): string {
  return instant(locale, at, {month: locale === "en" ? "short" : "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit"});
}

/** "23:30" in the school's time. */
export function clock(locale: Locale, at: string | null): string {
  return instant(locale, at, {hour: "2-digit", minute: "2-digit"});
}
