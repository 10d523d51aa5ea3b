import {afterEach, beforeEach, describe, expect, it, vi} from "vitest";
import {keysOf, Live, POLL_MS, type Browser} from "../src/live";

/** A stream as a server would drive it. */
class Stream {
  readonly calls = new Map<string, ((event: MessageEvent<string>) => void)[]>();
  onerror: (() => void) | null = null;
  readyState = 1;
  constructor(readonly url: string) {}
  addEventListener(name: string, call: (event: MessageEvent<string>) => void) {
    this.calls.set(name, [...(this.calls.get(name) ?? []), call]);
  }
  close() {
    this.readyState = 2;
  }
  tell(name: string, data: unknown = {}, lastEventId = "") {
    for (const call of this.calls.get(name) ?? []) call({data: JSON.stringify(data), lastEventId} as MessageEvent<string>);
  }
  refuse() {
    this.readyState = 2;
    this.onerror?.();
  }
  cut() {
    this.readyState = 0;
    this.onerror?.();
  }
}

/** Tabs of one browser: one lock, one channel. */
class Tabs {
  readonly streams: Stream[] = [];
  private readonly channels: {onmessage: ((event: MessageEvent) => unknown) | null}[] = [];
  private readonly queue: (() => void)[] = [];
  private isHeld = false;
  online = true;

  browser(): Browser {
    const channel = {
      onmessage: null as ((event: MessageEvent) => unknown) | null,
      postMessage: (data: unknown) => this.channels.forEach((it) => it !== channel && it.onmessage?.({data} as MessageEvent)),
      close: () => this.channels.splice(this.channels.indexOf(channel), 1),
    };
    this.channels.push(channel);
    return {
      open: (url) => {
        const stream = new Stream(url);
        this.streams.push(stream);
        return stream as unknown as EventSource;
      },
      lock: (hold) => new Promise((done) => {
        const take = () => {
          this.isHeld = true;
          void hold().then(() => {
            this.isHeld = false;
            this.queue.shift()?.();
            done();
          });
        };
        if (this.isHeld) this.queue.push(take);
        else take();
      }),
      channel: channel as unknown as BroadcastChannel,
      isOnline: () => this.online,
      isHidden: () => false,
      random: () => 0,
    };
  }
}

/** A tab, and the queries that it asked for again. */
function tab(browser: Browser) {
  const asked: string[] = [];
  const ended = vi.fn();
  const live = new Live(browser, {invalidateQueries: (filter) => {
    asked.push(filter.queryKey.join("/"));
    return Promise.resolve();
  }}, ended);
  return {live, asked, ended};
}
const soon = () => vi.advanceTimersByTimeAsync(2_000);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("live updates", () => {
  it("a page asks again for what changed and for nothing else", () => {
    expect(keysOf({topic: "table", id: "cockpit_night_return", version: 3})).toEqual([["cockpit"], ["health"]]);
    expect(keysOf({topic: "table", id: "list_visit", version: 3})).toEqual([["lists"], ["list", "visit"]]);
    expect(keysOf({topic: "case", id: "17", version: 2})).toEqual([["cases"], ["unplaced"]]);
    expect(keysOf({topic: "table", id: "stg_student", version: 3})).toEqual([]);
    expect(keysOf({topic: "something new", id: null, version: 3})).toEqual([]);
  });

  it("however many tabs there are, one has the stream and all hear it", async () => {
    const tabs = new Tabs();
    const [one, two, three] = [tab(tabs.browser()), tab(tabs.browser()), tab(tabs.browser())];
    await soon();
    expect(tabs.streams).toHaveLength(1);
    tabs.streams[0]!.tell("hello", {}, "aa");
    expect([one, two, three].map((it) => it.live.state.value)).toEqual(["live", "live", "live"]);
    tabs.streams[0]!.tell("table", {id: "cockpit_night_return", version: 3}, "ab");
    tabs.streams[0]!.tell("table", {id: "cockpit_tonight", version: 9}, "ac");
    await soon();
    for (const it of [one, two, three]) expect(it.asked).toEqual(["cockpit", "health"]);
    [one, two, three].forEach((it) => it.live.stop());
  });

  it("what one row changed is asked for within a tenth of a second, what a night changed is spread", async () => {
    const tabs = new Tabs();
    const {live, asked} = tab({...tabs.browser(), random: () => 0.999});
    tabs.streams[0]!.tell("hello", {}, "aa");
    tabs.streams[0]!.tell("table", {id: "list_late_tonight", version: 3}, "ab");
    tabs.streams[0]!.tell("pipelines", {id: null, version: 3}, "ac");
    tabs.streams[0]!.tell("table", {id: "cockpit_tonight", version: 3}, "ad");
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toEqual(["lists", "list/late_tonight", "pipelines"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(800);
    expect(asked.slice(3)).toEqual(["cockpit", "health"]);
    asked.length = 0;
    // A night's lists, one word after the other.
    for (let n = 0; n < 20; n++) tabs.streams[0]!.tell("table", {id: `list_${n}`, version: 4}, `b${n}`);
    await vi.advanceTimersByTimeAsync(100);
    expect(asked.length).toBeLessThan(6);
    await vi.advanceTimersByTimeAsync(1_800);
    for (let n = 0; n < 20; n++) expect(asked.filter((it) => it === `list/${n}`)).toHaveLength(1);
    live.stop();
  });

  it("when the tab with the stream is closed another goes on where it was", async () => {
    const tabs = new Tabs();
    const [one, two] = [tab(tabs.browser()), tab(tabs.browser())];
    await soon();
    tabs.streams[0]!.tell("hello", {}, "aa");
    tabs.streams[0]!.tell("beat");
    one.live.stop();
    await soon();
    expect(tabs.streams.map((it) => it.url)).toEqual(["/api/v1/live", "/api/v1/live?after=aa"]);
    expect(tabs.streams[0]!.readyState).toBe(2);
    tabs.streams[1]!.tell("reset", {}, "zz");
    await soon();
    expect(two.asked).toContain("cockpit");
    expect(two.asked).toContain("cases");
    two.live.stop();
  });

  it("without a stream it looks for itself, says so, and tries again", async () => {
    const tabs = new Tabs();
    const {live, asked} = tab(tabs.browser());
    await soon();
    tabs.streams[0]!.refuse();
    expect(live.state.value).toBe("polling");
    await vi.advanceTimersByTimeAsync(POLL_MS + 2_000);
    expect(asked).toContain("cases");
    expect(tabs.streams).toHaveLength(2);
    tabs.streams[1]!.tell("hello", {}, "aa");
    expect(live.state.value).toBe("live");
    asked.length = 0;
    // A stream that is only cut comes back by itself.
    tabs.streams[1]!.cut();
    expect(live.state.value).toBe("polling");
    tabs.streams[1]!.tell("beat");
    expect(live.state.value).toBe("live");
    expect(tabs.streams).toHaveLength(2);
    live.stop();
  });

  it("a stream that says nothing any more is given up", async () => {
    const tabs = new Tabs();
    const {live} = tab(tabs.browser());
    await soon();
    tabs.streams[0]!.tell("hello", {}, "aa");
    await vi.advanceTimersByTimeAsync(41_000);
    expect(live.state.value).toBe("polling");
    expect(tabs.streams[0]!.readyState).toBe(2);
    live.stop();
  });

  it("without a network it says offline, and looks as soon as there is one", async () => {
    const tabs = new Tabs();
    const {live, asked} = tab(tabs.browser());
    await soon();
    tabs.streams[0]!.tell("hello", {}, "aa");
    tabs.online = false;
    live.networkChanged();
    expect(live.state.value).toBe("offline");
    tabs.online = true;
    live.networkChanged();
    expect(live.state.value).toBe("polling");
    await soon();
    expect(asked).toContain("cockpit");
    live.stop();
  });

  it("a session that ended ends in every tab", async () => {
    const tabs = new Tabs();
    const [one, two] = [tab(tabs.browser()), tab(tabs.browser())];
    await soon();
    tabs.streams[0]!.tell("end");
    expect(one.ended).toHaveBeenCalledOnce();
    expect(two.ended).toHaveBeenCalledOnce();
    expect(tabs.streams[0]!.readyState).toBe(2);
    [one, two].forEach((it) => it.live.stop());
  });

  it("a browser without locks has a stream in each tab", () => {
    const tabs = new Tabs();
    const plain = () => ({...tabs.browser(), lock: null});
    const [one, two] = [tab(plain()), tab(plain())];
    expect(tabs.streams).toHaveLength(2);
    [one, two].forEach((it) => it.live.stop());
  });
});
