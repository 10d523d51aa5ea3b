import type {ActField, ActForm} from "../api/schema";

/** What was typed into the fields of an act, as text, with reason and note beside it. */
export interface Draft {
  fields: Record<string, string>;
  note: string;
}

export function blankDraft(): Draft {
  return {fields: {}, note: ""};
}

/** Says whether somebody would lose something. */
export function isTyped(draft: Draft): boolean {
  return draft.note.trim() !== "" || Object.values(draft.fields).some((it) => it.trim() !== "");
}

/** The fields that must still be filled in. */
export function missingFields(form: ActForm, draft: Draft): ActField[] {
  return form.fields.filter((it) => it.is_required && (draft.fields[it.field] ?? "").trim() === "");
}

/** A local date and time of the school as an instant. */
export function instantOf(local: string): string {
  return `${local.length === 16 ? `${local}:00` : local}+08:00`;
}

/** Accounts as people write them one after another. */
export function accountsOf(text: string): string[] {
  return text.split(/[\s,，、;；]+/).filter((it) => it !== "");
}

function valueOf(field: ActField, text: string): unknown {
  switch (field.kind) {
    case "number":
      return Number(text);
    case "flag":
      return text === "true";
    case "instant":
      return instantOf(text);
    case "accounts":
      return accountsOf(text);
    default:
      return text;
  }
}

/** The fields as the server reads them; what was left empty is left out. */
export function fieldsOf(form: ActForm, draft: Draft): Record<string, unknown> {
  const given = form.fields.filter((it) => (draft.fields[it.field] ?? "").trim() !== "");
  return Object.fromEntries(given.map((it) => [it.field, valueOf(it, (draft.fields[it.field] ?? "").trim())]));
}
