/**
 * What changed, told by the server: one stream a browser, however many pages and tabs are open. Where there is none (an old
 * proxy, a limit, no network) pages look for themselves.
 *
 * The stream names things and versions and never says what they hold; a page that shows one of them asks for it again, as
 * whoever is signed in.
 */
import type {QueryClient, QueryKey} from "@tanstack/vue-query";
import {ref, type Ref} from "vue";

/** 实时, 定时更新, 离线. */
export type LiveState = "live" | "polling" | "offline";

/** Something that changed. */
export interface Change {
  topic: string;
  id: string | null;
  version: number;
}

const TOPICS = ["table", "case", "cases", "runs", "channels", "pipelines"] as const;

/** A sign of life comes every 15 seconds: after two that are missing nobody believes the stream. */
const SILENCE_MS = 40_000;
/** Pause between two looks without a stream, and before the next try for one. */
export const POLL_MS = 30_000;
/** Words of one moment are one question. Not every browser asks in the same instant, and nobody sees the difference. */
const SPREAD_MS = 100;
/** A night changes many tables at once, and the cockpit asks for many: these gather and are spread wider. */
const BURST_GATHER_MS = 300;
const BURST_SPREAD_MS = 1_500;
/** From so many queries in one gather on it is a burst. */
const BURST_MIN = 6;

const CASES: QueryKey[] = [["cases"], ["unplaced"]];
/** What a page without a stream looks for. */
const WATCHED: QueryKey[] = [["cockpit"], ["tickets"], ["lists"], ["list"], ["care"], ["models"], ["runs"], ["channels"], ["pipelines"], ["health"], ...CASES];

/** The queries that show what changed; of what no page shows there are none. */
export function keysOf(change: Change): QueryKey[] {
  const {topic, id} = change;
  if (topic === "case" || topic === "cases") return CASES;
  if (topic === "runs") return [["runs"], ["health"]];
  if (topic === "channels" || topic === "pipelines") return [[topic]];
  if (topic !== "table" || id === null) return [];
  if (id.startsWith("cockpit_ticket")) return [["cockpit"], ["tickets"]];
  if (id.startsWith("cockpit_")) return [["cockpit"], ["health"]];
  if (id.startsWith("list_")) return [["lists"], ["list", id.slice("list_".length)]];
  if (id.startsWith("warning_")) return [["care"]];
  if (id.startsWith("quality_")) return [["quality"]];
  if (id.startsWith("model_")) return [["models"], ["model"]];
  return [];
}

/** Looks at a student's own cases are written down one by one: they are never asked for again by themselves. */
function isAskedAgain(key: QueryKey): boolean {
  return !(key[0] === "cases" && key[1] === "of");
}

/** What the client is made of, so that a test can stand in for a browser. */
export interface Browser {
  open: (url: string) => EventSource;
  /** Holds the right to the one stream until `signal` ends it; missing where a browser knows no locks. */
  lock: ((hold: () => Promise<void>, signal: AbortSignal) => Promise<void>) | null;
  /** Speaks to the other tabs. */
  channel: Pick<BroadcastChannel, "postMessage" | "close" | "onmessage"> | null;
  isOnline: () => boolean;
  isHidden: () => boolean;
  random: () => number;
}

/** Where queries are asked for again. */
export interface Asked {
  invalidateQueries: (filter: {queryKey: QueryKey; predicate: (query: {queryKey: QueryKey}) => boolean}) => Promise<void>;
}

type Said = {kind: "changes"; changes: Change[]} | {kind: "state"; state: LiveState; last: string} | {kind: "reset"} | {kind: "end"} | {kind: "asked"};

export class Live {
  readonly state: Ref<LiveState> = ref("polling");
  private source: EventSource | null = null;
  private readonly stopped = new AbortController();
  private isLeader = false;
  /** The name of the last event that was heard, by this tab or by the one that led before. */
  private last = "";
  private readonly waiting = new Map<string, QueryKey>();
  private gather: ReturnType<typeof setTimeout> | undefined;
  private readonly burst = new Map<string, QueryKey>();
  private gatherBurst: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly poll: ReturnType<typeof setInterval>;

  constructor(private readonly browser: Browser, private readonly queries: Asked, private readonly onEnd: () => void) {
    this.poll = setInterval(() => this.look(), POLL_MS);
    if (!browser.isOnline()) this.state.value = "offline";
    const {channel, lock} = browser;
    if (channel === null || lock === null) {
      // Every tab has a stream of its own; the server bounds them, and a tab without one polls.
      this.lead();
      return;
    }
    channel.onmessage = (event: MessageEvent<Said>) => this.hear(event.data);
    this.say({kind: "asked"});
    lock(() => new Promise<void>((done) => {
      if (this.stopped.signal.aborted) return done();
      this.stopped.signal.addEventListener("abort", () => done());
      this.lead();
    }), this.stopped.signal).catch(() => {
      if (!this.stopped.signal.aborted) this.lead();
    });
  }

  stop(): void {
    this.stopped.abort();
    this.close();
    clearInterval(this.poll);
    clearTimeout(this.gather);
    clearTimeout(this.gatherBurst);
    clearTimeout(this.silence);
    clearTimeout(this.retry);
    this.browser.channel?.close();
  }

  /** The browser says that the network came or went. */
  networkChanged(): void {
    if (!this.browser.isOnline()) return this.become("offline");
    this.become("polling");
    if (this.isLeader) this.connect();
    this.look();
  }

  private lead(): void {
    this.isLeader = true;
    this.connect();
  }

  private close(): void {
    this.source?.close();
    this.source = null;
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.close();
    if (this.stopped.signal.aborted) return;
    const source = this.browser.open(`/api/v1/live${this.last === "" ? "" : `?after=${encodeURIComponent(this.last)}`}`);
    this.source = source;
    const on = (name: string, call: (event: MessageEvent<string>) => void) =>
      source.addEventListener(name, (event) => {
        if (this.source !== source) return;
        const heard = event as MessageEvent<string>;
        if (heard.lastEventId !== "") this.last = heard.lastEventId;
        this.become("live");
        call(heard);
      });
    on("hello", () => undefined);
    on("beat", () => undefined);
    on("reset", () => {
      this.say({kind: "reset"});
      this.refresh(WATCHED);
    });
    on("end", () => {
      this.close();
      this.become("polling");
      this.say({kind: "end"});
      this.onEnd();
    });
    for (const topic of TOPICS) {
      on(topic, (event) => {
        const told = JSON.parse(event.data) as Omit<Change, "topic">;
        const change = {topic, ...told};
        this.say({kind: "changes", changes: [change]});
        this.refresh(keysOf(change));
      });
    }
    // The browser comes back by itself while the stream is only cut; a refusal closes it for good.
    source.onerror = () => {
      if (this.source === source) this.broken();
    };
    this.listen();
  }

  private broken(): void {
    if (this.state.value === "live") this.become("polling");
    if (this.source === null || this.source.readyState === 2) this.tryLater();
  }

  private tryLater(): void {
    this.close();
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), POLL_MS);
  }

  /** Waits for the next sign of life; a stream may be dead without anybody saying so. */
  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      if (this.state.value === "live") this.become("polling");
      if (this.isLeader) this.tryLater();
    }, SILENCE_MS);
  }

  private become(state: LiveState): void {
    const next = state !== "offline" && !this.browser.isOnline() ? "offline" : state;
    if (next === "live") this.listen();
    this.state.value = next;
    if (this.isLeader) this.say({kind: "state", state: next, last: this.last});
  }

  private say(said: Said): void {
    if (!this.stopped.signal.aborted) this.browser.channel?.postMessage(said);
  }

  /** What the tab with the stream says. */
  private hear(said: Said): void {
    if (said.kind === "asked") {
      if (this.isLeader) this.say({kind: "state", state: this.state.value, last: this.last});
      return;
    }
    if (this.isLeader) return;
    if (said.kind === "changes") this.refresh(said.changes.flatMap(keysOf));
    if (said.kind === "reset") this.refresh(WATCHED);
    if (said.kind === "end") this.onEnd();
    if (said.kind === "state") {
      this.last = said.last;
      this.become(said.state);
    }
  }

  private look(): void {
    if (this.state.value === "polling" && !this.browser.isHidden()) this.refresh(WATCHED);
  }

  private refresh(keys: readonly QueryKey[]): void {
    const isBurst = keys.some((it) => it[0] === "cockpit");
    const waiting = isBurst ? this.burst : this.waiting;
    for (const key of keys) waiting.set(JSON.stringify(key), key);
    if (this.waiting.size >= BURST_MIN) {
      // One after the other at once: a run has ended, not a row come in.
      for (const [text, key] of this.waiting) this.burst.set(text, key);
      this.waiting.clear();
    }
    if (this.waiting.size > 0) {
      this.gather ??= setTimeout(() => {
        this.gather = undefined;
        this.ask(this.waiting);
      }, this.browser.random() * SPREAD_MS);
    }
    if (this.burst.size > 0) {
      this.gatherBurst ??= setTimeout(() => {
        this.gatherBurst = undefined;
        this.ask(this.burst);
      }, BURST_GATHER_MS + this.browser.random() * BURST_SPREAD_MS);
    }
  }

  private ask(waiting: Map<string, QueryKey>): void {
    const all = [...waiting.values()];
    waiting.clear();
    for (const queryKey of all) void this.queries.invalidateQueries({queryKey, predicate: (it) => isAskedAgain(it.queryKey)});
  }
}

function thisBrowser(): Browser {
  return {
    open: (url) => new EventSource(url),
    lock: "locks" in navigator ? async (hold, signal) => {
      await navigator.locks.request("yizhan.live", {signal}, hold);
    } : null,
    channel: typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("yizhan.live"),
    isOnline: () => navigator.onLine,
    isHidden: () => document.hidden,
    random: Math.random,
  };
}

/** Listens until the returned function is called. */
export function startLive(queries: QueryClient, onEnd: () => void): {state: Ref<LiveState>; stop: () => void} {
  const live = new Live(thisBrowser(), queries, onEnd);
  const changed = () => live.networkChanged();
  addEventListener("online", changed);
  addEventListener("offline", changed);
  return {
    state: live.state,
    stop() {
      removeEventListener("online", changed);
      removeEventListener("offline", changed);
      live.stop();
    },
  };
}
