/** Choices of this browser. Storage may be closed (private windows, policies): then nothing is kept. */

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`yizhan.${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`yizhan.${name}`);
    else localStorage.setItem(`yizhan.${name}`, value);
  } catch {
    // Not kept; the choice holds until the page is closed.
  }
}
