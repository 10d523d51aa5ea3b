import {afterEach, beforeEach, expect, it, vi} from "vitest";

type Sent = {method: string; isUnattended: boolean};

/** What was sent, and how a person touches the page. */
const sent: Sent[] = [];
const touches = new Map<string, () => void>();

beforeEach(() => {
  vi.useFakeTimers({now: 0});
  vi.resetModules();
  sent.length = 0;
  touches.clear();
  vi.stubGlobal("document", {hidden: false});
  vi.stubGlobal("addEventListener", (name: string, call: () => void) => touches.set(name, call));
  vi.stubGlobal("fetch", (_url: string, init: RequestInit) => {
    sent.push({method: init.method ?? "GET", isUnattended: new Headers(init.headers).has("x-yizhan-unattended")});
    return Promise.resolve(new Response("{}", {status: 200}));
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("says when nobody sits before the page, so that it keeps no session alive", async () => {
  const {get, post} = await import("../src/api/client");
  await get("/me");
  vi.setSystemTime(61_000);
  await get("/me");
  touches.get("keydown")?.();
  await get("/me");
  vi.stubGlobal("document", {hidden: true});
  await get("/me");
  // What somebody sends they send themselves.
  await post("/logout");
  expect(sent.map((it) => it.isUnattended)).toEqual([false, true, false, true, false]);
  expect(sent.at(-1)?.method).toBe("POST");
});
