// Takes a picture of every page of an account in both languages, light and dark, on three screens, and runs axe on each.
// Usage: node test/shots.mjs BASE_URL ACCOUNT PASSWORD OUT_DIR [--sizes 390x844,..] [--locales zh-CN,en] [--themes light,dark] [--only /care,portrait,..]
// Exits 1 on a serious axe violation, an error in the console, or a page wider than its screen.
import {mkdirSync, readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {join} from "node:path";
import {chromium} from "playwright-core";

const [base, account, password, out, ...flags] = process.argv.slice(2);
if (out === undefined) {
  console.error("usage: node test/shots.mjs BASE_URL ACCOUNT PASSWORD OUT_DIR [--sizes ..] [--locales ..] [--themes ..] [--only ..]");
  process.exit(2);
}
const flag = (name, fallback) => {
  const at = flags.indexOf(`--${name}`);
  return at < 0 ? fallback : flags[at + 1].split(",");
};
const sizes = flag("sizes", ["1920x1080", "1366x768", "390x844"]).map((it) => it.split("x").map(Number));
const locales = flag("locales", ["zh-CN", "en"]);
const themes = flag("themes", ["light", "dark"]);
const only = flag("only", []);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

mkdirSync(out, {recursive: true});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const context = await browser.newContext();
const page = await context.newPage();
const faults = [];
let where = "login";
let shots = 0;
page.on("pageerror", (error) => faults.push(`${where}: ${error.message}`));
page.on("console", (message) => {
  // A page that may not be seen answers 401, 403 or 404: the browser logs that, we expect it.
  if (message.type() === "error" && !/status of 40[134]/.test(message.text())) faults.push(`${where}: ${message.text()}`);
});

async function settle() {
  await page.waitForFunction(() => document.querySelector(".blocks, [aria-busy='true']") === null, null, {timeout: 15_000}).catch(() => faults.push(`${where}: still loading`));
  await page.waitForTimeout(450);
  // What opens after the page, such as a drawer, loads on its own.
  await page.waitForFunction(() => document.querySelector(".blocks, [aria-busy='true']") === null, null, {timeout: 15_000}).catch(() => faults.push(`${where}: still loading`));
}

/** Pictures what is on the screen and looks for what a reader could not use. */
async function shoot(name) {
  where = name;
  await settle();
  await page.screenshot({path: join(out, `${name}.png`), fullPage: true});
  shots += 1;
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const {violations} = await window.axe.run(document, {resultTypes: ["violations"]});
    return {
      violations: violations.map((it) => ({id: it.id, impact: it.impact, nodes: it.nodes.map((node) => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`)})),
      over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
  });
  for (const it of found.violations) {
    const line = `${name}: axe ${it.impact} ${it.id} (${it.nodes.length}) ${it.nodes.slice(0, 2).join(" | ")}`;
    if (it.impact === "serious" || it.impact === "critical") faults.push(line);
    else console.log(line);
  }
  if (found.over > 1) faults.push(`${name}: ${found.over}px wider than the screen`);
}

/** The addresses of the account: its pages, and one of each kind behind them. */
async function addresses() {
  const ask = (path) => page.evaluate(async (it) => (await fetch(`/api/v1${it}`)).json(), path);
  const me = await ask("/me");
  // Cases without care notes are the same page as with them; a portrait is somebody's.
  const found = me.pages.filter((it) => it !== "portrait").map((it) => [it, it === "cases" ? "/care" : `/${it}`]);
  if (me.pages.includes("students")) found.push(["students-empty", "/students?query=zzzz"]);
  if (me.pages.includes("portrait")) {
    const {rows} = await ask("/students?limit=200");
    if (rows.length > 0) {
      const one = `/students/${rows[0].student_key}`;
      const points = (await ask(`${one}/portrait`)).dimensions.flatMap((it) => it.measures.flatMap((measure) => measure.history.map((point) => point.as_of_on)));
      const mondays = [...new Set(points)].filter((on) => new Date(`${on}T00:00:00Z`).getUTCDay() === 1).sort();
      found.push(["portrait", one], ["portrait-measure", `${one}?measure=breakfast_rate`], ["archive", `${one}/archive`], ["album", `${one}/album`]);
      found.push(["record-filtered", `${one}?trust=staff&since=2025-10-01`], ["portrait-no-date", `${one}?as_of=1999-01-04`]);
      if (mondays.length > 0) found.push(["portrait-past", `${one}?as_of=${mondays[Math.floor(mondays.length / 2)]}`]);
      // Somebody of whom little is known: away from school, or living at home.
      const few = rows.find((it) => it.status === "suspended") ?? rows.find((it) => it.boarder === "day_student");
      if (few !== undefined) found.push(["portrait-few", `/students/${few.student_key}`], ["archive-few", `/students/${few.student_key}/archive`], ["album-few", `/students/${few.student_key}/album`]);
    }
    found.push(["student-missing", "/students/no-such-student"]);
  }
  if (me.pages.includes("me")) found.push(["me-measure", "/me?measure=breakfast_rate"], ["me-archive", "/me/archive"], ["me-album", "/me/album"], ["me-help", "/me/help"], ["me-hints", "/me/hints"]);
  if (me.pages.includes("care")) {
    const care = await ask("/warnings");
    if (care.findings.length > 0) found.push(["care-finding", `/care?warning=${care.findings[0].warning_id}`]);
    if (care.rows.length > 0) found.push(["care-note", `/care?warning=${care.rows[0].warning_id}`]);
    const {rows: cases} = await ask("/cases?limit=100");
    // One of each kind: what it is about decides what stands on its sheet.
    const kinds = [...new Map(cases.map((it) => [it.kind, it])).values()];
    for (const it of kinds) found.push([`case-${it.kind}`, `/care?case=${it.thread_key}`]);
    found.push(["cases-none", "/care?kind=life_aid&state=referral&overdue=true"], ["case-missing", "/care?case=1"], ["care-notices", "/care?view=notices"], ["duty", "/duty"], ["sweeps", "/sweeps"]);
  }
  if (me.pages.includes("cases")) {
    const {rows: cases} = await ask("/cases?limit=1");
    if (cases.length > 0) found.push(["case", `/care?case=${cases[0].thread_key}`]);
    found.push(["duty", "/duty"]);
  }
  if (me.pages.includes("lists")) {
    const {lists} = await ask("/lists");
    const shown = lists.find((it) => it.list === "unverified_absence") ?? lists[0];
    if (shown !== undefined) found.push(["list", `/lists/${shown.list}`]);
  }
  if (me.pages.includes("ledger")) found.push(["ledger-empty", "/ledger?from=2001-01-01&to=2001-01-02"]);
  if (me.pages.includes("catalog")) {
    const {tables} = await ask("/catalog");
    if (tables.length > 0) found.push(["catalog-table", `/catalog?table=${tables[0].table}`]);
    found.push(["quality", "/catalog?tab=quality"], ["quality-empty", "/catalog?tab=quality&query=zzzz"]);
  }
  if (me.pages.includes("models")) {
    const {models} = await ask("/models");
    for (const it of models) found.push([`model-${it.model}`, `/models/${it.model}`]);
  }
  if (me.pages.includes("cockpit")) found.push(["cockpit-repair", "/cockpit?matrix=repair"], ["cockpit-device", "/cockpit?matrix=device"]);
  found.push(["missing", "/no/such/page"], ["forbidden", "/403"]);
  return found.filter(([name, path]) => only.length === 0 || only.includes(path) || only.includes(name));
}

/** Walks through the import wizard with an invented table, two of whose rows are wrong; nothing is saved. */
async function walkImport(tail) {
  const lines = ["流水号,学号,交易金额(元),交易时间,窗口,备注"];
  for (let at = 0; at < 40; at += 1) {
    const number = at === 5 ? "12345" : `20230${String(at).padStart(5, "0")}`;
    lines.push(`${9000 + at},${number},${at === 3 ? "无" : `${at}.50`},2025/9/${1 + (at % 20)} 7:0${at % 9}:03,${"甲乙丙"[at % 3]},`);
  }
  const file = {name: "canteen.csv", mimeType: "text/csv", buffer: Buffer.from(`${lines.join("\n")}\n`)};
  const next = () => page.locator(".moves .el-button--primary").click();
  await page.goto(`${base}/import`);
  await page.locator("input[type=file]").first().setInputFiles(file);
  await page.waitForSelector("#import-columns");
  await shoot(`import-columns-${tail}`);
  await page.locator("input[list=import-owners]").fill("card_center");
  await next();
  await page.waitForSelector(".figures");
  await shoot(`import-preview-${tail}`);
  await next();
  await page.waitForSelector("pre");
  await shoot(`import-save-${tail}`);
}

/** Ticks a sign that is urgent, and asks what the keys are; nothing is sent. */
async function walkForms(tail, pages) {
  if (pages.includes("observe")) {
    await page.goto(`${base}/observe`);
    await page.locator("input[type=checkbox]").first().check();
    await shoot(`observe-urgent-${tail}`);
  }
  if (pages.includes("care")) {
    await page.goto(`${base}/care`);
    await page.waitForSelector(".board");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    await shoot(`care-keys-${tail}`);
    await page.keyboard.press("Escape");
    await page.locator(".head .el-button--primary").click();
    await page.locator("dialog .pill").first().click();
    await shoot(`care-new-${tail}`);
  }
}

await page.goto(`${base}/login`);
let targets = null;
for (const locale of locales) {
  for (const theme of themes) {
    await page.evaluate(([l, t]) => {
      localStorage.setItem("yizhan.locale", l);
      localStorage.setItem("yizhan.theme", t);
    }, [locale, theme]);
    for (const [width, height] of sizes) {
      const tail = `${locale}-${theme}-${width}`;
      await page.setViewportSize({width, height});
      if (targets === null) {
        await page.goto(`${base}/login`);
        if (only.length === 0) await shoot(`login-${tail}`);
        await page.fill("#account", account);
        await page.fill("#password", "not the password");
        await page.click("button[type=submit]");
        await page.waitForSelector("[role=alert]");
        if (only.length === 0) await shoot(`login-refused-${tail}`);
        await page.fill("#password", password);
        await page.click("button[type=submit]");
        await page.waitForURL((url) => url.pathname !== "/login");
        targets = await addresses();
      }
      for (const [name, path] of targets) {
        where = `${name}-${tail}`;
        await page.goto(`${base}${path}`);
        await shoot(`${name}-${tail}`);
      }
      const pages = targets.map(([name]) => name);
      if (pages.includes("import")) await walkImport(tail);
      if (only.length === 0) await walkForms(tail, pages);
    }
  }
}
await browser.close();
for (const it of faults) console.log(`FAULT ${it}`);
console.log(`${shots} passed, ${faults.length} failed`);
process.exit(faults.length === 0 ? 0 : 1);
