// The page 数据管道 in a real browser while a broker goes, comes back and comes back with less: opened once, and never loaded again.
// Usage: node test/doors.mjs PATH_OF_YIZHAN
// Makes a project of its own with a NATS server of its own. Exits 1 if anything is not as it says.
import {execFileSync, spawn} from "node:child_process";
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from "node:fs";
import {connect, createServer} from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {chromium} from "playwright-core";

const [yizhan] = process.argv.slice(2);
if (yizhan === undefined) {
  console.error("usage: node test/doors.mjs PATH_OF_YIZHAN");
  process.exit(2);
}
/** Milliseconds that something may take that must come: a bound and no measurement. */
const PATIENCE = 60_000;
const folder = mkdtempSync(join(tmpdir(), "yizhan-doors-"));
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const {port} = server.address();
    server.close(() => done(port));
  });
});
const [web, wire] = [await freePort(), await freePort()];
const wrong = [];
let said = 0;
function is(what, holds) {
  said += 1;
  console.log(`${holds ? "ok" : "NOT"} ${what}`);
  if (!holds) wrong.push(what);
}

/** Sends one message with a place for the answer, and returns it: NATS is lines of text. */
function ask(subject, payload) {
  return new Promise((done, fail) => {
    const socket = connect(wire, "127.0.0.1");
    let text = "";
    socket.setTimeout(5000, () => socket.destroy(new Error(`${subject}: no answer`)));
    socket.on("error", fail).on("connect", () => {
      socket.write(`CONNECT {"verbose":false}\r\nSUB _INBOX.page 1\r\nPUB ${subject} _INBOX.page ${Buffer.byteLength(payload)}\r\n${payload}\r\nPING\r\n`);
    });
    socket.on("data", (bytes) => {
      text += bytes;
      const found = /MSG _INBOX\.page 1 +(\d+)\r\n/.exec(text);
      if (found === null || text.length < found.index + found[0].length + Number(found[1])) return;
      socket.end();
      const answer = JSON.parse(text.slice(found.index + found[0].length).split("\r\n")[0]);
      if (answer.error === undefined) done(answer);
      else fail(new Error(answer.error.description));
    });
  });
}
/** A broker with what it keeps, until it is ended. */
async function broker(kept) {
  mkdirSync(kept, {recursive: true});
  const it = spawn("nats-server", ["-js", "-a", "127.0.0.1", "-p", String(wire), "-sd", kept], {stdio: "ignore", env: {...process.env, PATH: `${process.env.PATH}:/usr/sbin`}});
  const until = Date.now() + PATIENCE;
  while (!(await ask("$JS.API.INFO", "").then(() => true, () => false))) {
    if (Date.now() > until) throw new Error("nats-server does not answer");
    await pause(200);
  }
  return {end: () => new Promise((done) => it.on("exit", done).kill("SIGTERM"))};
}
const makeStream = () => ask("$JS.API.STREAM.CREATE.GATES", JSON.stringify({name: "GATES", subjects: ["gates.>"], storage: "file", retention: "limits", num_replicas: 1}));
let sent = 0;
async function passage() {
  sent += 1;
  const at = Date.now();
  await ask("gates.north", JSON.stringify({device_id: "G1", event_seq: sent, event_ms: at, sent_ms: at, person_id: "2025000001", direction: "in", method: "card"}));
}

writeFileSync(join(folder, "yizhan.toml"), [
  'packs = ["campus"]', "[store]", "mint = 7", "[ingest]", 'approvals = "off"', "[stream]", "commit_seconds = 2",
  "[[stream.nats]]", 'name = "gates"', `url = "nats://127.0.0.1:${wire}"`, 'stream = "GATES"', 'subjects = ["gates.>"]', 'pipeline = "gate_event"', "",
].join("\n"));

// Before there is a lake.
execFileSync(yizhan, ["--project", folder, "user", "add", "keeper", "--role", "administrator:university"], {input: "yizhan-demo\n", stdio: ["pipe", "ignore", "inherit"]});

let server;
let browser;
let nats = await broker(join(folder, "kept"));
try {
  await makeStream();
  await passage();
  server = spawn(yizhan, ["--project", folder, "serve", "--listen", `127.0.0.1:${web}`], {stdio: "ignore"});
  const until = Date.now() + PATIENCE;
  while (!(await fetch(`http://127.0.0.1:${web}/api/v1/health`).then((it) => it.ok, () => false))) {
    if (Date.now() > until) throw new Error("the server did not start");
    await pause(200);
  }
  browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"]});
  const page = await browser.newPage({viewport: {width: 1366, height: 900}, locale: "zh-CN"});
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  let loads = 0;
  page.on("load", () => (loads += 1));
  await page.goto(`http://127.0.0.1:${web}/login`);
  await page.fill("#account", "keeper");
  await page.fill("#password", "yizhan-demo");
  await page.click("button[type=submit]");
  await page.waitForURL((url) => url.pathname !== "/login");
  await page.goto(`http://127.0.0.1:${web}/pipelines`);
  const loaded = loads;
  const source = page.locator("tr", {has: page.locator("code", {hasText: /^gate_event$/})});
  /** Whether the row of the source comes to say it. */
  const says = (pattern) => source.filter({hasText: pattern}).waitFor({timeout: PATIENCE}).then(() => true, async () => {
    console.log(`   ${await source.innerText()}`);
    return false;
  });

  is("the row of the source is there, with its door", await says(/nats\/gates/));
  is("and all is well", await says(/正常/));
  await nats.end();
  is("a broker that is gone is told on the open page", await says(/nats\/gates\S* 未接通/));
  nats = await broker(join(folder, "kept"));
  is("one that is back is read on, and the page says that all is well", await says(/正常/));
  await passage();
  const n = async () => (await page.evaluate(async () => (await (await fetch("/api/v1/pipelines")).json()).rows.find((it) => it.pipeline === "gate_event"))).rows_n;
  const late = Date.now() + PATIENCE;
  while ((await n()) < sent && Date.now() < late) await pause(300);
  is("no row is lost and none doubled", (await n()) === sent);

  await nats.end();
  nats = await broker(join(folder, "emptied"));
  await makeStream();
  await passage();
  is("one that comes back with less than was taken is told, with what to do", await says(/nats\/gates\S* 未接通：.*GATES.*处理后重启/s));
  is("and nothing is read from its beginning", (await n()) === sent - 1);
  is("the page was never loaded again", loads === loaded);
  is(`no error in the page${errors.map((it) => `: ${it}`).join("")}`, errors.length === 0);
  if (process.env.SHOT !== undefined) await page.screenshot({path: process.env.SHOT, fullPage: false});
} finally {
  await browser?.close();
  server?.kill("SIGTERM");
  await nats.end();
  if (server !== undefined && server.exitCode === null) await new Promise((done) => server.on("exit", done));
  rmSync(folder, {recursive: true, force: true});
}
for (const it of wrong) console.log(`FAULT ${it}`);
console.log(`${said - wrong.length} passed, ${wrong.length} failed`);
process.exit(wrong.length === 0 ? 0 : 1);
