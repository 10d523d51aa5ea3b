import type {Language} from "element-plus/es/locale/index.mjs";
import {computed, shallowRef} from "vue";
import {createI18n, useI18n} from "vue-i18n";
import * as format from "./format";
import type {Locale} from "./format";
import {recall, remember} from "./remember";

/** Only the reader's language is fetched. */
const catalogs = {
  "zh-CN": () => Promise.all([import("./locales/zh-CN.json"), import("element-plus/es/locale/lang/zh-cn.mjs")]),
  en: () => Promise.all([import("./locales/en.json"), import("element-plus/es/locale/lang/en.mjs")]),
};

/** The words of Element Plus' own buttons. */
export const elementWords = shallowRef<Language>();

export function firstLocale(): Locale {
  return recall("locale") === "en" ? "en" : "zh-CN";
}

export const i18n = createI18n({
  legacy: false,
  locale: "zh-CN" as Locale,
  messages: {},
  // A name the API has and the catalogs have not is shown as it is.
  missingWarn: false,
  fallbackWarn: false,
});

export async function setLocale(locale: Locale): Promise<void> {
  const [messages, words] = await catalogs[locale]();
  i18n.global.setLocaleMessage(locale, messages.default);
  elementWords.value = words.default;
  i18n.global.locale.value = locale;
  document.documentElement.lang = locale;
  remember("locale", locale);
}

/** Anything that carries the same text in both languages under one name. */
type Bilingual<Name extends string> = {[Key in `${Name}_zh` | `${Name}_en`]: unknown};

/** Words, numbers and dates in the reader's language. */
export function useWords() {
  const {t, te, locale: current} = useI18n({useScope: "global"});
  const locale = computed<Locale>(() => (current.value === "en" ? "en" : "zh-CN"));

  /** The reader's half of `title_zh` and `title_en`. */
  function said<Name extends string, It extends Bilingual<Name>>(it: It, name: Name): It[`${Name}_zh`] {
    return (locale.value === "en" ? it[`${name}_en`] : it[`${name}_zh`]) as It[`${Name}_zh`];
  }

  /** The words for an identifier of the API, or the identifier where the catalog has none. */
  function named(group: string, id: string): string {
    const key = `${group}.${id}`;
    return te(key) ? t(key) : id;
  }

  return {t, te, locale, said, named};
}

const formats = {
  count: format.count,
  compact: format.compact,
  share: format.share,
  minuteOfDay: format.minuteOfDay,
  weekdayOfYear: format.weekdayOfYear,
  cell: format.cell,
  hours: format.hours,
  span: format.span,
  yuan: format.yuan,
  list: format.list,
  quantity: format.quantity,
  movement: format.movement,
  date: format.date,
  weekday: format.weekday,
  shortDate: format.shortDate,
  dateTime: format.dateTime,
  shortDateTime: format.shortDateTime,
  clock: format.clock,
};

type Bound<Format> = Format extends (locale: Locale, ...rest: infer Rest) => string ? (...rest: Rest) => string : never;
type Formats = {[Name in keyof typeof formats]: Bound<(typeof formats)[Name]>};

/** The functions of `format.ts` bound to the reader's language. */
export function useFormat(): Formats {
  const {locale} = useWords();
  const bound = Object.entries(formats).map(([name, call]) => {
    const free = call as (locale: Locale, ...rest: unknown[]) => string;
    return [name, (...rest: unknown[]) => free(locale.value, ...rest)];
  });
  return Object.fromEntries(bound) as Formats;
}
