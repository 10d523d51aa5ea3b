import type {Problem} from "./schema";

/** A problem document, or as much of one as there is when the network fails. */
export type Failure = Pick<Problem, "title" | "status"> & Partial<Problem>;

/** What the server (or the network) said instead of an answer. */
export class ApiProblem extends Error {
  constructor(readonly problem: Failure) {
    super(problem.title);
    this.name = "ApiProblem";
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code ?? "";
  }
}

/** Query parameters; empty ones are left out of the address. */
export type Params = Record<string, string | number | null | undefined>;

export function address(path: string, params: Params = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const query = search.toString();
  return `/api/v1${path}${query === "" ? "" : `?${query}`}`;
}

async function problemOf(response: Response): Promise<Failure> {
  try {
    const body = (await response.json()) as Partial<Problem>;
    return {...body, title: body.title ?? response.statusText, status: response.status};
  } catch {
    return {title: response.statusText, status: response.status, code: "unreadable"};
  }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {credentials: "same-origin", ...init});
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiProblem({title: "", status: 0, code: "offline"});
  }
  if (!response.ok) throw new ApiProblem(await problemOf(response));
  return response;
}

/** When somebody last used mouse or keys: what a page asks by itself after that keeps no session alive. */
let touchedAt = Date.now();
for (const it of ["pointerdown", "keydown"]) {
  globalThis.addEventListener?.(it, () => (touchedAt = Date.now()), {capture: true, passive: true});
}
const ATTENDED_MS = 60_000;

function unattended(): Record<string, string> {
  const isAway = globalThis.document?.hidden === true || Date.now() - touchedAt > ATTENDED_MS;
  return isAway ? {"x-yizhan-unattended": "1"} : {};
}

export async function get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  const headers = unattended();
  const response = await send(address(path, params), signal ? {signal, headers} : {headers});
  return (await response.json()) as T;
}

export async function post<T>(path: string, body?: unknown): Promise<T> {
  const response = await send(address(path), {
    method: "POST",
    headers: {"content-type": "application/json", "x-yizhan": "1"},
    body: body === undefined ? null : JSON.stringify(body),
  });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Sends a file as it is. */
export async function upload<T>(path: string, params: Params, file: Blob, signal?: AbortSignal): Promise<T> {
  const response = await send(address(path, params), {
    method: "POST",
    headers: {"content-type": "application/octet-stream", "x-yizhan": "1"},
    body: file,
    ...(signal ? {signal} : {}),
  });
  return (await response.json()) as T;
}

/** Asks for a file to be saved. */
export async function fetchFile(path: string, body: unknown): Promise<Blob> {
  const response = await send(address(path), {
    method: "POST",
    headers: {"content-type": "application/json", "x-yizhan": "1"},
    body: JSON.stringify(body),
  });
  return response.blob();
}

/** The half of a "中文 / English" text that the reader reads. */
export function half(text: string, locale: string): string {
  const at = text.indexOf(" / ");
  if (at < 0) return text;
  return locale === "en" ? text.slice(at + 3) : text.slice(0, at);
}
