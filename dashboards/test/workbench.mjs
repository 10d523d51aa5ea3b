// Works at the workbench in a real browser on a running server: enters a case, claims it by key, is overtaken by somebody else, asks to close.
// Usage: node test/workbench.mjs BASE_URL ACCOUNT PASSWORD
// Writes cases and an observation: for demonstrations only. Exits 1 if anything is not as it says.
import {chromium} from "playwright-core";

const [base, account, password] = process.argv.slice(2);
if (password === undefined) {
  console.error("usage: node test/workbench.mjs BASE_URL ACCOUNT PASSWORD");
  process.exit(2);
}
const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"]});
const page = await browser.newPage({viewport: {width: 1366, height: 900}});
const wrong = [];
let said = 0;
page.on("pageerror", (error) => wrong.push(`error in the page: ${error.message}`));
let sent = 0;
page.on("request", (request) => {
  if (request.method() === "POST" && request.url().includes("/steps")) sent += 1;
});

function is(what, holds) {
  said += 1;
  console.log(`${holds ? "ok" : "NOT"} ${what}`);
  if (!holds) wrong.push(what);
}
const ask = (path) => page.evaluate(async (it) => (await fetch(`/api/v1${it}`)).json(), path);
const post = (path, body) => page.evaluate(async ([it, given]) => {
  const answer = await fetch(`/api/v1${it}`, {method: "POST", headers: {"content-type": "application/json", "x-yizhan": "1"}, body: JSON.stringify(given)});
  return {status: answer.status, body: await answer.json()};
}, [path, body]);
const shows = (selector) => page.waitForSelector(selector, {timeout: 8000}).then(() => true, () => false);
/** Answers every question of the form that is open with its first choice. */
async function fillIn(within) {
  for (const group of await page.locator(`${within} .fields fieldset`).all()) await group.locator(".pill").first().click();
  for (const select of await page.locator(`${within} .fields select`).all()) await select.selectOption({index: 1});
}
/** The act's button: among the usual next steps, or behind "other steps". */
async function begin(title) {
  const button = page.locator(".acts .buttons button", {hasText: title}).first();
  if (!(await button.isVisible())) await page.locator(".acts summary").click();
  await button.click();
}

await page.goto(`${base}/login`);
await page.fill("#account", account);
await page.fill("#password", password);
await page.click("button[type=submit]");
await page.waitForURL((url) => url.pathname !== "/login");

await page.goto(`${base}/care`);
is("the emergency line stands on top", await shows(".emergency"));
const [student] = (await ask("/students?limit=1")).rows;
await page.locator(".head .el-button--primary").click();
await page.locator("dialog input[type=search]").fill(student.name);
await page.locator("dialog input[name=student]").first().check();
await page.locator("dialog .pill", {hasText: "学业"}).click();
if ((await page.locator("dialog input[name=act]:checked").count()) === 0) await page.locator("dialog fieldset").nth(2).locator(".pill").first().click();
await fillIn("dialog");
await page.locator("dialog button[type=submit]").click();
is("a case that a person enters is opened at once", await shows(".sheet h2"));
const key = new URL(page.url()).searchParams.get("case");
const version = async () => (await ask(`/cases/${key}`)).row.version;

const before = sent;
for (const letter of "abdefghilmnopqrstuvwxyz0123456789") await page.keyboard.press(letter);
for (const name of ["Delete", "Backspace", "x", "F2"]) await page.keyboard.press(name);
is("no key but c sends anything", sent === before && (await page.locator("dialog[open]").count()) === 0);

const row = (await ask(`/cases/${key}`)).row;
if (row.state === "new") {
  await page.locator(`#case-${key}`).focus();
  await page.keyboard.press("c");
  is("c claims", await shows(".says.calm"));
  is("and the case says so", (await ask(`/cases/${key}`)).row.state === "claimed");
}
await page.goto(`${base}/care?case=${key}`);
await shows(".sheet h2");
await begin("记录联系");
await fillIn(".form");
await page.locator(".form textarea").fill("约好周三下午面谈。");
const other = await post(`/cases/${key}/steps`, {seen_version: await version(), act: "contact", fields: {reached: "phone"}});
is("somebody else is quicker", other.status === 200);
await page.locator(".form button[type=submit]").click();
is("who is overtaken is told", await shows(".form [role=alert]"));
is("and keeps what was typed", (await page.locator(".form textarea").inputValue()) === "约好周三下午面谈。");
await page.waitForTimeout(600);
await page.locator(".form button[type=submit]").click();
is("and may send it after a look", await shows(".acts .says.calm"));
is("which stands in the history", (await page.locator(".steps > li").first().innerText()).includes("约好周三下午面谈。"));

const {acts} = await ask(`/cases/${key}`);
const grave = acts.find((it) => it.is_grave && it.fields.every((field) => field.kind === "flag" || field.kind === "code"));
is("some step is grave", grave !== undefined);
if (grave !== undefined) {
  await begin(grave.title_zh);
  await fillIn(".form");
  const asked = sent;
  await page.locator(".form button[type=submit]").click();
  is("a grave step asks in words", await shows("dialog[open] .says.warm"));
  await page.keyboard.press("Escape");
  await page.waitForTimeout(200);
  is("and is not sent without the answer", sent === asked && (await page.locator("dialog[open]").count()) === 0);
}

await page.goto(`${base}/observe`);
await shows(".observe input[inputmode=numeric]");
await page.locator("input[inputmode=numeric]").fill("20990001");
await page.locator("input[type=checkbox]").first().check();
is("an urgent sign repeats whom to call", await shows(".says.alarm"));
await page.locator("textarea").fill("这句话写下后不再显示");
await page.locator(".observe button[type=submit]").click();
is("an observation is thanked for", await shows("#thanks"));
await page.waitForTimeout(600);
is("its answer is listed", (await page.locator(".own li").count()) > 0);
is("and its text is shown nowhere", !(await page.locator("body").innerText()).includes("这句话写下后不再显示"));

await browser.close();
for (const it of wrong) console.log(`FAULT ${it}`);
console.log(`${said - wrong.length} passed, ${wrong.length} failed`);
process.exit(wrong.length === 0 ? 0 : 1);
