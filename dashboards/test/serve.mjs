// A stand-in for the real server, for development and pictures only: answers from samples/, app from ../dist.
// With the address of a real server it hands its answers on, so that a build can be looked at before it is embedded.
// Usage: node test/serve.mjs [port] [http://127.0.0.1:8080]
import {readFileSync, existsSync} from "node:fs";
import {createServer, request as requestTo} from "node:http";
import {extname, join, normalize} from "node:path";
import {fileURLToPath} from "node:url";
import {duty} from "./duty.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = join(here, "../dist");
const port = Number(process.argv[2] ?? 8080);
const real = process.argv[3];
const sample = (name) => JSON.parse(readFileSync(join(here, "samples", `${name}.json`), "utf8"));
const sessions = new Map();
const mime = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"};
const csp = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

class Refusal extends Error {
  constructor(status, code, title, detail = "") {
    super(title);
    this.body = {type: "about:blank", title, status, detail, code};
  }
}

const page = (rows, after, limit, key) => {
  const start = after === "" ? 0 : rows.findIndex((it) => it[key] === after) + 1;
  const part = rows.slice(start, start + limit);
  return {rows: part, next: start + limit < rows.length ? part.at(-1)[key] : null};
};

/** The row of a student whom the reader reaches. */
function ofStudent(key, me) {
  const row = sample("students").rows.find((it) => it.student_key === key);
  if (row === undefined || (me.role === "student" && me.student_key !== key)) throw new Refusal(404, "not_found", "没有这位学生 / No such student");
  return row;
}

/** Answers by path; `need` is the page that opens them. */
const routes = [
  [/^\/cockpit$/, "cockpit", ({query}) => {
    const cockpit = sample("cockpit");
    const college = query.get("college");
    return college === null ? cockpit : {...cockpit, college, colleges: cockpit.colleges.filter((it) => it.college === college)};
  }],
  [/^\/me\/choices$/, "me", ({given}) => ({
    social: {has_left: given.has_left ?? false, at: given.has_left === undefined ? null : new Date().toISOString()},
    kept_zh: "归寝情况与安全核实不能退出。", kept_en: "The return at night and safety checks cannot be left.",
  })],
  [/^\/students$/, "students", ({query, me}) => {
    const word = (query.get("query") ?? "").toLowerCase();
    const rows = sample("students").rows.filter((it) =>
      [it.name, it.student_id, it.class].some((text) => (text ?? "").toLowerCase().includes(word)) &&
      (!query.get("college") || it.college === query.get("college")) && (!query.get("building") || it.building === query.get("building")));
    const seen = me.role === "administrator" ? rows.map((it) => ({...it, name: null})) : rows;
    return {...page(seen, query.get("after") ?? "", Number(query.get("limit") ?? 50), "student_key"), total_n: rows.length};
  }],
  [/^\/students\/([^/]+)\/portrait$/, null, ({match, me, query}) => {
    const row = ofStudent(match[1], me);
    const portrait = sample("portrait");
    const notices = me.role === "student" ? portrait.notices.map((it) => ({...it, severity: null})) : row.care_n > 0 ? portrait.notices : [];
    // What psychologists alone may see is closed for the others, as on the real server.
    const dimensions = me.role === "psychologist" ? portrait.dimensions : portrait.dimensions.map((it) => {
      const measures = it.measures.filter((measure) => !measure.is_closed);
      return measures.length === 0 ? {...it, state: "closed", measures} : {...it, measures};
    });
    const asOf = query.get("as_of") ?? portrait.newest_on;
    return {...portrait, as_of_on: asOf, dimensions, student_key: row.student_key, head: {...portrait.head, ...row}, notices};
  }],
  [/^\/students\/([^/]+)\/record$/, null, ({match, me, query}) => {
    ofStudent(match[1], me);
    // One entry was corrected and one taken back: both stay, struck through.
    const told = sample("record").rows;
    const [corrected, ended] = told.filter((it) => it.kind !== "activity");
    const all = told.flatMap((it) => {
      if (it === corrected) return [{...it, event_id: `${it.event_id}#2`}, {...it, detail_zh: "生活", detail_en: "life", ended_as: "corrected", ended_on: it.occurred_on}];
      return it === ended ? [{...it, ended_as: "ended", ended_on: it.occurred_on}] : [it];
    });
    const kinds = [...new Set(all.map((it) => it.kind))].map((it) => ({kind: it, n: all.filter((row) => row.kind === it).length}));
    const rows = all.filter((it) =>
      ["kind", "trust", "source"].every((name) => query.get(name) === null || it[name] === query.get(name)) &&
      (query.get("since") ?? "") <= it.occurred_on && it.occurred_on <= (query.get("until") ?? "9999"));
    return {...page(rows, query.get("before") ?? "", Math.min(12, Number(query.get("limit") ?? 100)), "event_id"), kinds};
  }],
  [/^\/students\/([^/]+)\/archive$/, null, ({match, me}) => {
    const row = ofStudent(match[1], me);
    const archive = sample("archive");
    return {...archive, student_key: row.student_key, head: {...archive.head, ...row}};
  }],
  [/^\/students\/([^/]+)\/lineage\/([^/]+)$/, null, ({match, me}) => {
    ofStudent(match[1], me);
    const measure = sample("portrait").dimensions.flatMap((it) => it.measures).find((it) => it.measure === match[2]);
    if (measure === undefined) throw new Refusal(404, "not_found", "没有这项指标 / No such measure");
    if (measure.is_closed && me.role !== "psychologist") throw new Refusal(403, "forbidden", "没有权限 / Not allowed");
    const {title_zh, title_en, about_zh, about_en, unit, value, n, cov, window} = measure;
    return {...sample("lineage"), student_key: match[1], measure: match[2], title_zh, title_en, about_zh, about_en, unit, value, n, cov, window};
  }],
  [/^\/students\/([^/]+)\/export$/, "me", ({match, me}) => {
    ofStudent(match[1], me);
    return {about: "本人数据副本 / a copy of your own data", portrait: sample("portrait"), archive: sample("archive"), record: sample("record").rows};
  }],
  [/^\/warnings$/, "care", () => sample("warnings")],
  [/^\/lists$/, "lists", () => ({lists: sample("lists").lists.map((it) => ({built_at: null, complete_from: null, is_complete: true, is_live: false, ...it}))})],
  [/^\/lists\/([^/]+)$/, "lists", ({match}) => {
    const head = sample("lists").lists.find((it) => it.list === match[1]);
    if (head === undefined) throw new Refusal(404, "not_found", "没有这份清单 / No such list");
    const sheet = sample("list");
    const list = {...sheet, rows_n: sheet.rows.length, next: null};
    return match[1] === list.list ? list : {...list, list: head.list, title_zh: head.title_zh, title_en: head.title_en, rows_n: head.rows_n, rows: list.rows.slice(0, head.rows_n)};
  }],
  [/^\/tickets$/, "tickets", () => sample("tickets")],
  [/^\/catalog\/quality$/, "catalog", () => sample("quality")],
  [/^\/catalog$/, "catalog", () => sample("catalog")],
  [/^\/runs$/, "runs", () => sample("runs")],
  [/^\/pipelines$/, "pipelines", () => ({
    now: new Date().toISOString(),
    stream: {log_bytes: 0, log_bytes_max: 268435456, log_rows: 0, oldest_at: null, commit_seconds: 30, disk_free_bytes: 50 * 2 ** 30, sentences: [], tick: {at: new Date().toISOString(), seconds: 0.4, tables: [{table: "list_gate_fault", rows_n: 2}]}},
    rows: [{
      pipeline: "gate_event", about_zh: "门禁通行：谁、在哪里、进还是出。", about_en: "Passages through gates (门禁通行).", owner: "logistics_security_office", shape: "event", doors: ["files", "push"], usual_delay_s: 300,
      occurred_at: new Date().toISOString(), known_at: new Date().toISOString(), committed_at: new Date().toISOString(), lag_s: -10800, hour_rows: 12000,
      hour_bytes: 3145728, rows_n: 480000, rows_in: 480120, rows_quarantined: 120, waiting: [{reason: "time", rows: 120, last_hour: 40}], late: [{on: "2025-10-30", rows_n: 7}], state: "watch",
      sentences: [{code: "clock_ahead", urgency: "watch", text_zh: "来源时钟快 3 小时", text_en: "the clock of the source runs 3 h ahead", todo_zh: "请来源系统校时（NTP）", todo_en: "have the source set its clock (NTP)"}],
    }],
  })],
  [/^\/channels$/, "runs", () => ({rows: [], drill: {last_at: null, due_at: null, is_late: false, text_zh: null, text_en: null}})],
  [/^\/me\/help$/, "me", () => ({emergency_zh: "有立即危险先拨110/120和学校24小时值班电话。", emergency_en: "In immediate danger call 110 or 120 and the school's 24-hour number first.", reach_max: 200, rows: []})],
  [/^\/notices$/, null, () => ({rows: [], emergency_zh: "有立即危险，先拨 110 / 120。", emergency_en: "In immediate danger call 110 / 120 first."})],
  [/^\/follow-ups\/unanswered$/, null, () => ({rows: []})],
  [/^\/talk-hours$/, "care", () => ({default_hours: 6, hours_a_talk: 0.75, now: null, binds: true, talks_a_week: 8, rows: [], centre: []})],
];

const ofDuty = duty(sample, (status, code, title, detail) => {
  throw new Refusal(status, code, title, detail);
});

async function body(request) {
  let text = "";
  for await (const part of request) text += part;
  return text === "" ? {} : JSON.parse(text);
}

async function answer(request, url, response) {
  const path = url.pathname.slice("/api/v1".length);
  if (path === "/health") return sample("health");
  if (request.method === "POST" && request.headers["x-yizhan"] !== "1") throw new Refusal(403, "header_missing", "缺少请求头 / Header missing");
  if (path === "/login") {
    const {account, password} = await body(request);
    const {accounts, password: right} = sample("accounts");
    const me = accounts.find((it) => it.account === account && password === right);
    if (me === undefined) throw new Refusal(401, "login_failed", "账号或密码不正确 / Account or password is not right", "请核对后重试。 / Check and try again.");
    const id = Math.random().toString(36).slice(2);
    sessions.set(id, me);
    response.setHeader("set-cookie", `yizhan_session=${id}; HttpOnly; SameSite=Lax; Path=/`);
    return {...me, now: new Date().toISOString()};
  }
  const me = sessions.get(/yizhan_session=(\w+)/.exec(request.headers.cookie ?? "")?.[1]);
  if (me === undefined) throw new Refusal(401, "no_session", "请先登录 / Sign in first");
  if (path === "/me") return {...me, now: new Date().toISOString()};
  if (path === "/logout") return undefined;
  const given = request.method === "POST" ? await body(request) : {};
  for (const [pattern, need, reply] of [...ofDuty.filter(([method]) => method === request.method).map((it) => it.slice(1)), ...routes]) {
    const match = pattern.exec(path);
    if (match === null) continue;
    if (need !== null && !me.pages.includes(need)) throw new Refusal(403, "forbidden", "没有权限 / Not allowed");
    return reply({match, me, given, query: url.searchParams});
  }
  throw new Refusal(404, "not_found", "没有这个地址 / No such address");
}

/** Hands a request on to the real server, and its answer back. */
function handOn(request, response) {
  const onward = requestTo(new URL(request.url, real), {method: request.method, headers: request.headers}, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.writeHead(502).end());
  request.pipe(onward);
}

createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (real !== undefined && url.pathname.startsWith("/api/")) return handOn(request, response);
  response.setHeader("content-security-policy", csp);
  if (url.pathname.startsWith("/api/")) {
    let [status, reply, type] = [200, undefined, "application/json"];
    try {
      reply = await answer(request, url, response);
      if (reply === undefined) status = 204;
    } catch (error) {
      reply = error.body ?? {title: String(error), status: 500};
      [status, type] = [reply.status, "application/problem+json"];
    }
    response.writeHead(status, {"content-type": type, "cache-control": "no-store"});
    response.end(reply === undefined ? undefined : JSON.stringify(reply));
    return;
  }
  const file = join(dist, normalize(url.pathname));
  const found = file.startsWith(dist) && extname(file) !== "" && existsSync(file) ? file : join(dist, "index.html");
  response.writeHead(200, {"content-type": mime[extname(found)] ?? "application/octet-stream"});
  response.end(readFileSync(found));
}).listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}`));
