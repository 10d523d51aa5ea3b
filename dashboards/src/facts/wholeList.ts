import type {WorkList} from "../api/schema";

/** How often a list that changes while it is read is read from its beginning. */
const TRIES = 3;

/**
 * A work list with all its rows: page after page, until none follows. A list that was built anew in between is read again from
 * its beginning, for half of one and half of another is no list; one that never stands still says that it is not whole.
 */
export async function wholeList(ask: (after: string) => Promise<WorkList>): Promise<WorkList> {
  for (let tried = 1; ; tried += 1) {
    const first = await ask("");
    const rows = [...first.rows];
    let last = first;
    while (last.next !== null) {
      const page = await ask(last.next);
      if (page.built_at !== first.built_at || page.as_of_on !== first.as_of_on) break;
      rows.push(...page.rows);
      last = page;
    }
    const isWhole = last.next === null;
    if (isWhole || tried === TRIES) return {...first, rows, next: last.next, is_complete: isWhole && last.is_complete};
  }
}
