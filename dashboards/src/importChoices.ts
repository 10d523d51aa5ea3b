/** What a reader confirms of an uploaded table, and how one choice follows from another. Pure: no request, no state. */
import type {ImportChoices, ImportClass, ImportColumn, ImportColumnGuess, ImportGuess, ImportPerson, ImportShape, ImportType} from "./api/schema";

/** Names that the platform itself gives to columns of every table. */
const RESERVED = ["occurred_at", "known_at", "is_known_assumed", "minute_of_day", "row_hash", "file_no", "row_no", "occurred_on"];
/** From here on a guess is taken without asking; the server has the same. */
export const SURE = 0.8;
const FAIR = 0.6;

export type Trust = "sure" | "fair" | "check";

export interface Reason {
  confidence: number;
  reason_zh: string;
  reason_en: string;
}

export function trust(confidence: number): Trust {
  if (confidence >= SURE) return "sure";
  return confidence >= FAIR ? "fair" : "check";
}

/** The least sure part of a column's guess: what the reader should look at. */
export function leastSure(guess: ImportColumnGuess): Reason {
  const parts: Reason[] = [guess.class, guess.type, guess.name, guess.person];
  // Whether a value may be missing is worth a word only where it cannot be told.
  if (guess.required.confidence < 0.7) parts.push(guess.required);
  return parts.reduce((least, it) => (it.confidence < least.confidence ? it : least));
}

export function isWord(name: string): boolean {
  return /^[a-z][a-z0-9_]*$/.test(name);
}

type Change = Partial<ImportColumn>;

function withColumn(choices: ImportChoices, at: number, change: Change): ImportChoices {
  return {...choices, columns: choices.columns.map((it, place) => (place === at ? {...it, ...change} : it))};
}

/** The folder of the files goes with the name, as long as nobody has chosen another. */
export function rename(choices: ImportChoices, name: string): ImportChoices {
  return {...choices, name, path: choices.path.replace(`import/${choices.name}/`, `import/${name}/`)};
}

/** Key and time follow a column that gets another name; its head in the source stays. */
export function renameColumn(choices: ImportChoices, at: number, name: string): ImportChoices {
  const old = choices.columns[at]?.name;
  if (old === undefined) return choices;
  const isHeadless = choices.headless || choices.columns[at]?.head !== null;
  const changed = withColumn(choices, at, isHeadless ? {name} : {name, head: old});
  return withKeys({
    ...changed,
    key: changed.key.map((it) => (it === old ? name : it)),
    occurred_at: changed.occurred_at === old ? name : changed.occurred_at,
    changed_at: changed.changed_at.map((it) => (it === old ? name : it)),
    rules: changed.rules.map((it) => ({...it, left: it.left === old ? name : it.left, right: it.right === old ? name : it.right})),
  });
}

/** The second person of a kind in a row needs a name for its key, as does one that is named for what they do. */
function withKeys(choices: ImportChoices): ImportChoices {
  const seen = new Set<ImportPerson>();
  const columns = choices.columns.map((it) => {
    if (it.person === null) return it.key_as === null ? it : {...it, key_as: null};
    const bare = it.name.replace(/_id$/, "");
    const isOwn = !seen.has(it.person) && bare === it.person;
    seen.add(it.person);
    return {...it, key_as: isOwn ? null : `${bare}_key`};
  });
  return {...choices, columns};
}

export function setPerson(choices: ImportChoices, at: number, person: ImportPerson | null, fallback: ImportClass = "personal"): ImportChoices {
  const column = choices.columns[at];
  if (column === undefined) return choices;
  // What was a person's number stays on the safe side until the reader says otherwise.
  const change: Change = person === null
    ? {person, class: column.person === null ? column.class : fallback}
    : {person, class: "identity", type: "text", format: null, decimal_shift: null, unit: null, one_of: []};
  return withKeys(withColumn(choices, at, change));
}

const FORMATS: Partial<Record<ImportType, string>> = {date: "%Y-%m-%d", timestamp: "%Y-%m-%d %H:%M:%S"};

export function setType(choices: ImportChoices, at: number, type: ImportType, guess?: ImportColumnGuess): ImportChoices {
  const isGuessed = guess?.type.value === type;
  return withColumn(choices, at, {
    type,
    format: isGuessed ? (guess.format ?? null) : (FORMATS[type] ?? null),
    decimal_shift: isGuessed ? (guess.decimal_shift ?? null) : null,
    unit: isGuessed ? (guess.unit ?? null) : null,
    one_of: type === "text" ? (choices.columns[at]?.one_of ?? []) : [],
  });
}

export function setColumn(choices: ImportChoices, at: number, change: Pick<Change, "class" | "required" | "format" | "one_of" | "about">): ImportChoices {
  return withColumn(choices, at, change);
}

/** Where the first row is data there are no heads; they come back with the head. */
export function setHeadless(choices: ImportChoices, headless: boolean, guess: ImportGuess["guess"]): ImportChoices {
  const head = (it: ImportColumn, at: number): string | null => {
    const own = guess.columns[at]?.head ?? "";
    return headless || own === "" || own === it.name ? null : own;
  };
  return {...choices, headless, columns: choices.columns.map((it, at) => ({...it, head: head(it, at)}))};
}

export function setShape(choices: ImportChoices, shape: ImportShape, guess: ImportGuess["guess"]): ImportChoices {
  if (shape === "state") return {...choices, shape, on_conflict: "latest"};
  const moments = choices.columns.filter((it) => it.type === "timestamp" || it.type === "date").map((it) => it.name);
  const occurred_at = choices.occurred_at ?? guess.occurred_at.value ?? moments[0] ?? null;
  return setOccurred({...choices, shape, on_conflict: "first"}, occurred_at);
}

export function setOccurred(choices: ImportChoices, name: string | null): ImportChoices {
  const columns = choices.columns.map((it) => (it.name === name && choices.shape === "event" ? {...it, required: true} : it));
  const isWhole = choices.columns.find((it) => it.name === name)?.type === "int64";
  return {...choices, columns, occurred_at: name, occurred_as: isWhole ? (choices.occurred_as ?? "epoch_ms") : null};
}

/** What tells rows apart must be there in every row. */
export function setKey(choices: ImportChoices, key: string[]): ImportChoices {
  return {...choices, key, columns: choices.columns.map((it) => (key.includes(it.name) ? {...it, required: true} : it))};
}

export interface Fault {
  code: "name" | "about" | "owner" | "purpose" | "column_name" | "column_reserved" | "column_twice" | "key" | "occurred" | "format";
  column: string;
}

const UNNAMED = "to_be_named";

/** What stands in the way of a contract, in the order of the page. */
export function faults(choices: ImportChoices): Fault[] {
  const found: Fault[] = [];
  const add = (code: Fault["code"], column = "") => found.push({code, column});
  if (!isWord(choices.name)) add("name");
  if (choices.about.trim() === "") add("about");
  if (choices.owner.trim() === "" || choices.owner === UNNAMED) add("owner");
  if (choices.purpose.length === 0) add("purpose");
  const seen = new Set<string>();
  const isTyped = ["xlsx", "xls", "parquet"].includes(choices.format);
  for (const it of choices.columns) {
    if (!isWord(it.name)) add("column_name", it.head ?? it.name);
    else if (RESERVED.includes(it.name)) add("column_reserved", it.name);
    else if (seen.has(it.name)) add("column_twice", it.name);
    seen.add(it.name);
    const isMoment = it.type === "date" || it.type === "timestamp";
    if (isMoment && (it.format ?? "") === "" && !isTyped && it.epoch === null) add("format", it.head ?? it.name);
  }
  for (const name of choices.key) {
    const column = choices.columns.find((it) => it.name === name);
    if (column === undefined || !column.required || (column.class === "identity" && column.person === null)) add("key", name);
  }
  const when = choices.columns.find((it) => it.name === choices.occurred_at);
  const mayBeWhen = when !== undefined && when.required && (["date", "timestamp"].includes(when.type) || choices.occurred_as !== null);
  if (choices.shape === "event" && !mayBeWhen) add("occurred");
  return found;
}

/** Choices for a table that was corrected and sent again: kept if it has the same columns. */
export function carried(old: ImportChoices | null, next: ImportGuess): ImportChoices {
  if (old === null || old.columns.length !== next.choices.columns.length || old.headless !== next.choices.headless) return next.choices;
  const heads = (it: ImportChoices) => it.columns.map((column) => column.head ?? (it.headless ? "" : column.name)).join("\n");
  if (heads(old) !== heads(next.choices)) return next.choices;
  const {format, encoding, separator, sheet, skip_rows} = next.choices;
  return {...old, format, encoding, separator, sheet, skip_rows};
}

/** A size as people say it. */
export function mebibytes(bytes: number): string {
  return `${Math.round((bytes / 1_048_576) * 10) / 10} MiB`;
}
