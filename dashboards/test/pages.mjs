// Every page of every role, in a real browser on a real server: a small demonstration is built, served and looked at.
// Usage: node test/pages.mjs PATH_OF_YIZHAN [OUT_DIR]
// Exits 1 on a serious axe violation, an error in the console, a page that keeps loading or is wider than its screen,
// or a workbench that does not do as `workbench.mjs` says.
import {spawn} from "node:child_process";
import {mkdtempSync, rmSync} from "node:fs";
import {createServer} from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";

const [yizhan, given] = process.argv.slice(2);
if (yizhan === undefined) {
  console.error("usage: node test/pages.mjs PATH_OF_YIZHAN [OUT_DIR]");
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "yizhan-pages-"));
const out = given ?? join(folder, "shots");
const port = await new Promise((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const {port} = server.address();
    server.close(() => done(port));
  });
});
const base = `http://127.0.0.1:${port}`;
const server = spawn(yizhan, ["demo", "--students", "300", "--days", "103", "--data", join(folder, "data"), "--listen", `127.0.0.1:${port}`], {
  stdio: ["ignore", "ignore", "inherit"],
});
let ended = false;
server.on("exit", () => (ended = true));

const run = (args) => new Promise((done) => spawn(process.execPath, args, {stdio: "inherit"}).on("exit", (code) => done(code ?? 1)));
let failed = 0;
try {
  const until = Date.now() + 900_000;
  while (!(await fetch(`${base}/api/v1/health`).then((it) => it.ok, () => false))) {
    if (ended || Date.now() > until) throw new Error("the server did not start");
    await new Promise((done) => setTimeout(done, 500));
  }
  const shots = join(import.meta.dirname, "shots.mjs");
  const plans = [
    ["leader", ["--sizes", "1920x1080,390x844"]],
    ["psychologist", ["--sizes", "1366x768,390x844", "--locales", "zh-CN"]],
    // Colours are the same for everybody: dark is looked at with two roles.
    ...["counselor", "analyst", "student", "administrator"].map((it) => [it, ["--sizes", "1366x768,390x844", "--locales", "zh-CN", "--themes", "light"]]),
  ];
  // Roles with a few pages of their own: what is theirs alone, on a phone and on a desk.
  const own = {
    psychology_head: ["duty"], tutor: ["students", "portrait", "list", "ledger"], college_secretary: ["cockpit", "students", "cases", "duty"],
    college_office: ["cockpit"], dorm_keeper: ["lists", "list"], security: ["cases"], duty_office: ["cases", "duty"], aid_centre: ["aid"], hospital: ["referrals"],
  };
  for (const [role, only] of Object.entries(own)) {
    plans.push([role, ["--sizes", "1366x768,360x780", "--locales", "zh-CN", "--themes", "light", "--only", only.join(",")]]);
  }
  // The pages about persons, whose sentences are composed: in English as well.
  const persons = ["portrait", "portrait-few", "archive", "album", "care-note", "case-psych", "me", "me-help", "me-hints", "import", "quality"].join(",");
  for (const role of ["psychologist", "student", "administrator"]) {
    plans.push([role, ["--sizes", "1366x768,390x844", "--locales", "en", "--themes", "light", "--only", persons], "in English"]);
  }
  for (const [role, flags, how = ""] of plans) {
    console.log(role, how);
    if ((await run([shots, base, role, "yizhan-demo", join(out, role), ...flags])) !== 0) failed += 1;
  }
  // Last, because it writes.
  console.log("workbench");
  if ((await run([join(import.meta.dirname, "workbench.mjs"), base, "counselor", "yizhan-demo"])) !== 0) failed += 1;
} finally {
  server.kill("SIGTERM");
  if (given === undefined) rmSync(folder, {recursive: true, force: true});
}
process.exit(failed === 0 ? 0 : 1);
