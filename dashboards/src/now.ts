import {onBeforeUnmount, ref, type Ref} from "vue";

/** How far this browser's clock is behind the server's, in milliseconds: limits run by the server's. */
let behind = 0;

/** Takes over the server's clock; `asked` and `answered` are this browser's instants around the answer. */
export function setServerClock(now: string, asked: number, answered: number): void {
  const at = Date.parse(now);
  if (!Number.isNaN(at)) behind = at - (asked + answered) / 2;
}

/** The present instant of the server in milliseconds. */
export function serverNow(): number {
  return Date.now() + behind;
}

/** The day it is at the school. */
export function campusToday(): string {
  return new Intl.DateTimeFormat("sv-SE", {timeZone: "Asia/Shanghai"}).format(new Date(serverNow()));
}

/** The present instant of the server, moving on while the component is there. */
export function useNow(everyMs = 30_000): Ref<number> {
  const now = ref(serverNow());
  const timer = setInterval(() => (now.value = serverNow()), everyMs);
  onBeforeUnmount(() => clearInterval(timer));
  return now;
}
