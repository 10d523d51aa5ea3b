// Cases, observations, duty and models for the stand-in server: invented, and kept in memory only. Times follow the clock, so that limits run.
const at = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString();
const text = (zh, en, name) => ({[`${name}_zh`]: zh, [`${name}_en`]: en});
const KINDS = {academic: ["学业", "studies"], life_aid: ["生活资助", "living and aid"], safety: ["安全", "safety"], psych: ["心理关怀", "psychological care"]};
const STATES = {new: ["待认领", "new"], claimed: ["已认领", "claimed"], contacted: ["已联系", "contacted"], assessed: ["已评估", "assessed"], plan: ["帮扶方案", "plan"], reviewing: ["复评中", "reviewing"]};
const LABELS = [["无", "none", "grey"], ["关注", "attention", "blue"], ["三级", "third level", "yellow"], ["二级", "second level", "orange"], ["一级", "first level", "red"]];
const NEXT = {new: "claimed", claimed: "contacted", contacted: "assessed", assessed: "plan", plan: "reviewing", reviewing: "reviewing"};

const plain = [["psych", "claimed", 4, 22], ["safety", "claimed", 0, 18], ["psych", "new", 3, -95], ["academic", "new", 2, -400], ["life_aid", "claimed", 2, 1500], ["academic", "assessed", 1, 7000], ["academic", "new", 2, 4000], ["life_aid", "plan", 1, 20_000], ["psych", "reviewing", 2, 9000]];

/** What the stand-in keeps between two requests. */
export function duty(sample, refuse) {
  const {rows: notices, findings} = sample("warnings");
  const cases = plain.map(([kind, state, level, due], n) => {
    const notice = kind === "safety" ? findings[0] : notices[n];
    return {key: String(700 + n), kind, state, level, due: at(due), mine: state !== "new", notice, version: 3, history: [], records: []};
  });
  const reports = [];

  const severity = (level, role) => {
    if (role === "counselor" && level >= 3) return {level: null, ...text("重点关怀", "priority care", "label"), colour: null};
    const [zh, en, colour] = LABELS[level];
    return {level, ...text(zh, en, "label"), colour};
  };
  const row = (it, me) => ({
    thread_key: it.key, student_key: it.notice.student_key, student: {...it.notice.student, ...text(null, null, "unnamed")},
    kind: it.kind, ...text(...KINDS[it.kind], "kind"), state: it.state, ...text(...STATES[it.state], "state"), severity: severity(it.level, me.role),
    level: "class", ...text("班级", "class", "level"), owner: it.mine ? me.account : null, is_mine: it.mine, version: it.version, due_at: it.due, is_overdue: it.due < at(0),
  });
  const field = (name, zh, en, kind, choices = [], is_required = true) => ({field: name, ...text(zh, en, "title"), kind, is_required, choices: choices.map(([code, ...words]) => ({code, ...text(...words, "title")}))});
  const reached = [["in_person", "本人当面", "in person"], ["phone", "本人电话", "by telephone"], ["video", "本人视频", "by video"], ["roommate", "室友", "a room-mate"], ["parent", "家长", "a parent"]];
  const form = (act, zh, en, fields = [], is_primary = false, is_grave = false) => ({act, ...text(zh, en, "title"), is_primary, is_grave, fields});
  const acts = (it) => [
    ...(it.level === 4 ? [form("crisis_step", "记录应急步骤", "note a step", [field("step", "步骤", "step", "code", [["on_site", "到场", "be there"], ["tell_security", "通知保卫值班", "tell security"]]), field("result", "结果", "result", "code", [["done", "已完成", "done"], ["no_answer", "无人应答", "no answer"]])], true)] : []),
    ...(it.kind === "safety" ? [form("check_step", "记录核实步骤", "note a rung", [field("rung", "步骤", "rung", "code", [["go_to_room", "到宿舍查看", "go to the room"]]), field("result", "结果", "result", "code", [["reached", "已联系到本人", "reached"], ["not_reached", "未联系到", "not reached"]]), field("reached", "怎样联系到", "how", "code", reached.slice(0, 3), false)], true)] : []),
    ...(it.state === "new" ? [form("claim", "认领", "claim", [], true)] : [form("contact", "记录联系", "note a contact", [field("reached", "联系到谁", "who was reached", "code", reached)], true)]),
    form("assess", "评估", "assess", [field("severity", "程度", "severity", "code", LABELS.slice(0, 4).map(([zh, en], n) => [String(n), zh, en]))]),
    form("companion", "安排陪护", "companion", [field("account", "陪护人", "who", "text"), field("from", "开始", "from", "instant"), field("until", "结束", "until", "instant")]),
    form("close", "结案", "close", [field("outcome", "结果", "outcome", "code", [["needed_support", "真实需要支持", "support was needed"], ["no_support_needed", "无需支持", "no support needed"], ["not_reachable", "无法联系", "could not be reached"]]), field("reached", "联系到谁", "who was reached", "code", reached)], false, true),
    form("declare", "启动应急流程", "declare a crisis", [field("is_danger_immediate", "是否有立即危险", "is danger immediate", "flag")], false, true),
  ];
  const step = (seq, minutes, actor, role, zh, en, rest = {}) => ({
    seq, at: at(minutes), actor, role, ...text(...({system: ["系统", "the platform"], counselor: ["辅导员", "counselor"], psychologist: ["心理教师", "psychologist"]})[role], "role"),
    step: en, ...text(zh, en, "step"), reason: "none", details: [], due_at: null, note: null, ...rest,
  });
  const detail = (zh, en, value_zh, value_en) => ({...text(zh, en, "title"), value_zh, value_en});
  const done = (name, code, words, result, minutes, rest = {}) => ({[name]: code, ...text(...words, name), result: result[1].replace(" ", "_"), ...text(...result, "result"), by: "lin", at: at(minutes), ...rest});
  const view = (it, me) => ({
    row: row(it, me), sight: "full", notices: it.level >= 3 ? [] : [it.notice], as_of_on: it.notice.as_of_on, ...emergency(),
    reports: it.level >= 3 ? [{report_key: "1", at: at(-200), seen_on: "2026-01-11", reporter: "s2301", role: "student", ...text("学生", "student", "role"), signs: [{sign: "withdrawn", ...text("不愿与人来往，总是一个人", "keeps away from others", "title"), is_urgent: false}, {sign: "farewell", ...text("告别、送出心爱的东西、安排后事", "says goodbye, gives dear things away", "title"), is_urgent: true}], is_urgent: true, text: "周五晚上把书都送给了室友，说以后用不到了。"}] : [],
    history: [
      step(1, -3000, "system", "system", "登记情况", "entered something new", {details: [detail("来源", "source", "系统提示", "found in data")], due_at: at(-200)}),
      step(2, -1500, "chen", "counselor", "认领", "claimed it"),
      step(3, -900, "lin", "psychologist", "记录联系", "got in touch", {details: [detail("联系到谁", "who was reached", "本人电话", "by telephone")], due_at: at(4000), note: "电话聊了二十分钟，约好周三下午面谈。"}),
      ...it.history,
    ],
    acts: acts(it), is_in_counselling: false, family: it.level >= 3 ? text("联系家庭之前，须由心理教师决定是否联系。", "Whether the family is reached is the psychologist's decision, and comes first.", "text") : null,
    records: it.records, record_forms: [
      form("conference", "会商", "case conference", [field("held", "会商时间", "When it met", "instant"), field("members", "参加人（账号）", "Who took part (accounts)", "accounts"), field("decision", "决定", "Decision", "code", [["plan", "调整帮扶方案", "the plan changes"], ["treatment", "建议就医", "treatment is advised"]])]),
      form("discharge", "出院", "discharge from hospital", [field("discharged", "出院日期", "Day of the discharge", "day")]),
    ],
    others: it.kind === "academic" ? [text("有其他专业跟进", "Another profession follows up", "text")] : [],
    crisis: it.level !== 4 ? null : {
      declared_by: "lin", declared_at: at(-8), is_danger_immediate: true, is_running: true,
      open_steps: [["tell_security", "通知保卫值班", "tell security on duty", 2], ["on_site", "到场", "be there", 22], ["tell_secretary", "通知院系副书记", "tell the deputy secretary", -1]].map(([code, zh, en, due]) => ({step: code, ...text(zh, en, "step"), due_at: at(due), is_overdue: due < 0, people: code === "tell_secretary" ? [] : [{account: "bao", display_name: "值班室", phone: code === "on_site" ? null : "13900000001", ...text("保卫处", "security", "stands_as"), is_backup: false}]})).sort((a, b) => a.due_at.localeCompare(b.due_at)),
      done: [done("step", "call_emergency", ["拨打120/110", "call 120 or 110"], ["已完成", "done"], -7), done("step", "telephone", ["电话通知", "telephone"], ["已完成", "done"], -6)],
      companions: [{account: "li", from_at: at(-3), until_at: at(240)}], alone: [], conference_at: null, ended_at: null,
    },
    check: it.kind !== "safety" ? null : {
      cause: "no_trace", ...text("数据无记录", "no record in the data", "cause"), guardian: "normal", ...text("可联系", "may be reached", "guardian"), parents: null, ...text(null, null, "parents"),
      opened_at: at(-42), is_running: true, next: {rung: "go_to_room", ...text("到宿舍查看", "go to the room", "rung"), due_at: at(18), is_overdue: false},
      done: [["call_student", "电话联系本人", "telephone the student", -35], ["ask_roommates", "联系室友、班委", "ask room-mates and class", -20]].map(([code, zh, en, when]) => done("rung", code, [zh, en], ["未联系到", "not reached"], when, {reached: null, ...text(null, null, "reached"), due_at: at(when + 5)})),
      found: null, ...text(null, null, "found"), can_telephone: true, can_locate: true,
    },
  });
  const sweep = {sweep_key: "1", term: "2025-2026-1", moment: "mid_term", ...text("期中", "middle of term", "moment"), opened_at: at(-9000), due_at: at(9000), is_overdue: false};
  const emergency = () => ({emergency_zh: sample("warnings").emergency_zh, emergency_en: sample("warnings").emergency_en});
  const find = (key) => cases.find((it) => it.key === key) ?? refuse(404, "not_found", "没有这件个案 / No such case");
  const people = [{account: "wang", display_name: "王老师"}, {account: "zhao", display_name: "赵老师"}];
  const signs = [["wish_to_disappear", "说过不想活、想消失一类的话", true], ["sleeps_badly", "连续多日睡不着或整日睡", false], ["great_loss", "家里出了大事或亲友去世", false], ["study_trouble", "挂科、学业跟不上、怕毕不了业", false], ["withdrawn", "不愿与人来往，总是一个人", false], ["money_trouble", "突然缺钱、借网贷、被催债", false]]
    .map(([sign, zh, is_urgent]) => ({sign, ...text(zh, sign.replaceAll("_", " "), "title"), is_urgent}));

  return [
    ["GET", /^\/cases$/, "care", ({query, me}) => {
      const all = cases.map((it) => row(it, me)).sort((a, b) => a.due_at.localeCompare(b.due_at));
      const rows = all.filter((it) => ["kind", "state"].every((name) => query.get(name) === null || it[name] === query.get(name)) && (query.get("mine") !== "true" || it.is_mine));
      const n = (test) => all.filter(test).length;
      return {rows, next: null, counts: {open_n: all.length, overdue_n: n((it) => it.is_overdue), new_n: n((it) => it.state === "new"), mine_n: n((it) => it.is_mine)}, as_of_on: sample("warnings").as_of_on, ...emergency()};
    }],
    ["GET", /^\/cases\/forms$/, "care", () => ({kinds: Object.entries(KINDS).map(([kind, words]) => ({kind, ...text(...words, "kind"), acts: [form("signal", "登记情况", "enter something", [field("severity", "程度", "severity", "code", LABELS.slice(0, 4).map(([zh, en], n) => [String(n), zh, en]))], true), form("declare", "启动应急流程", "declare a crisis", [field("is_danger_immediate", "是否有立即危险", "is danger immediate", "flag")], false, true)]}))})],
    ["POST", /^\/cases$/, "care", ({me}) => view(cases[3], me)],
    ["GET", /^\/cases\/(?!outcomes$)([^/]+)$/, "care", ({match, me}) => view(find(match[1]), me)],
    ["POST", /^\/cases\/([^/]+)\/steps$/, "care", ({match, me, given}) => {
      const it = find(match[1]);
      if (given.seen_version !== it.version) refuse(409, "stale", "该个案已有变动 / The case has changed", "您编辑期间：chen 认领。 / While you were editing, chen claimed it.");
      if (given.act === "close" && it.state !== "reviewing") refuse(422, "refused", "此步骤尚不可做 / Not open yet", "复评之后才能结案。 / A case closes after a review.");
      it.version += 1;
      it.state = NEXT[it.state];
      it.mine = true;
      it.history.push(step(it.version, 0, me.account, me.role, given.act, given.act, {note: given.note ?? null}));
      return view(it, me);
    }],
    ["GET", /^\/cases\/outcomes$/, "care", () => ({as_of_on: sample("warnings").as_of_on, outcome: {closed_n: 46, acted_on_n: 12, no_support_needed_n: 24, excluded_n: null, not_reachable_n: null, no_support_needed_share: 0.5217}})],
    ["POST", /^\/cases\/([^/]+)\/records$/, "care", ({match, me, given}) => {
      const it = find(match[1]);
      it.records.unshift({record_key: String(it.records.length + 1), at: at(0), actor: me.account, role: me.role, ...text("辅导员", "counselor", "role"), record: given.record, ...text(given.record, given.record, "record"), is_masked: false, details: Object.entries(given.fields).map(([name, value]) => detail(name, name, String(value), String(value))), note: given.note || null});
      return view(it, me);
    }],
    ["GET", /^\/students\/([^/]+)\/cases$/, "care", ({match, me}) => {
      const rows = cases.filter((it) => it.notice.student_key === match[1]).map((it) => row(it, me));
      return {rows, others: rows.length > 0 ? [text("有其他专业跟进", "Another profession follows up", "text")] : []};
    }],
    ["GET", /^\/observations\/form$/, "observe", () => ({...emergency(), signs, text_bytes_max: 8192})],
    ["GET", /^\/observations\/unplaced$/, "care", () => ({rows: []})],
    ["GET", /^\/observations$/, "observe", () => ({rows: [...reports, {report_key: "9", at: at(-9000), seen_on: "2026-01-05", ...text("老师已联系并处理。谢谢你的关心。", "Somebody got in touch and took care. Thank you for caring.", "feedback"), is_answered: true}], next: null})],
    ["POST", /^\/cases\/([^/]+)\/telephone$/, "care", () => ({phone: "13900000002"})],
    ["POST", /^\/cases\/([^/]+)\/last_place$/, "care", () => ({passed_at: at(-600), direction: "out", device_id: "G-S-1", place: "东校门"})],
    ["POST", /^\/observations$/, "observe", ({given}) => {
      reports.unshift({report_key: String(10 + reports.length), at: at(0), seen_on: given.seen_on, ...text("已收到，老师正在跟进。谢谢你的关心。", "Received; somebody is following up. Thank you for caring.", "feedback"), is_answered: false});
      return {report_key: reports[0].report_key};
    }],
    ["GET", /^\/follow-ups$/, "care", ({me}) => ({rows: [cases[4], cases[7]].map((it, n) => ({follow_up_key: String(n), student_key: it.notice.student_key, student: row(it, me).student, account: null, cause: "return", ...text("复学随访", "after a return", "cause"), due_at: at(n * 3000 - 200), is_overdue: n === 0}))})],
    ["GET", /^\/follow-ups\/breaks$/, "care", ({me}) => ({from_on: "2026-01-19", until_on: "2026-03-01", rows: [row(cases[3], me), row(cases[5], me)]})],
    ["GET", /^\/observations\/week$/, "observe", ({me}) => ({week_on: "2026-01-12", due_at: at(6000), mine: me.role === "student" ? [{scope: "room:N3-412", kind: "room", name: "N3-412", is_answered: false, answer_zh: null, answer_en: null}] : [], watched: me.role === "counselor" ? {place_n: 40, answered_n: 37, missing: [["room", "N3-412", 4, true], ["room", "N3-415", 4, false], ["class", "软件2301", 32, true]].map(([kind, name, student_n, has_post]) => ({scope: `${kind}:${name}`, kind, name, student_n, has_post}))} : null})],
    ["POST", /^\/observations\/week$/, "observe", () => ({})],
    ["GET", /^\/sweeps$/, "care", ({me}) => ({rows: [{...sweep, student_n: 40, answered_n: 37, progress: me.role === "psychologist" ? [{account: "chen", student_n: 20, answered_n: 20, nothing_n: 17, opened_n: 1, in_care_n: 2}, {account: "zhao", student_n: 20, answered_n: 17, nothing_n: 16, opened_n: 0, in_care_n: 1}] : []}], moments: [{code: "term_start", ...text("学期初", "beginning of term", "title")}, {code: "mid_term", ...text("期中", "middle of term", "title")}], may_open: me.role === "psychologist"})],
    ["GET", /^\/sweeps\/([^/]+)$/, "care", ({me}) => ({head: sweep, rows: [cases[3], cases[4], cases[5]].map((it, n) => ({student_key: it.notice.student_key, student: row(it, me).student, is_in_care: n === 0, answer: null, ...text(null, null, "answer")})), answers: [], kinds: Object.entries(KINDS).map(([code, words]) => ({code, ...text(...words, "title")}))})],
    ["POST", /^\/sweeps/, "care", () => ({})],
    ["GET", /^\/screenings$/, "screening", () => ({rows: [{name: "2025级新生普查", consent_version: "2025-1", due_n: 3200, done_n: 3105, to_talk_n: 96, talked_n: 71, score_n: 3105}]})],
    ["GET", /^\/screenings\/month$/, "screening", () => ({month: "2025-12", k: 10, figures: [["reports", "收到的情况反映", "Observations that came in", 64], ["crises", "启动应急流程", "Crises declared", null], ["contacts", "完成的随访联系", "Contacts made", 41]].map(([figure, zh, en, n]) => ({figure, ...text(zh, en, "title"), n}))})],
    ["POST", /^\/screenings/, "screening", () => ({taken_n: 2, wrong: [{line: 3, ...text("没有这个学号", "no student has this number", "reason")}]})],
    ["GET", /^\/deaths$/, "death", () => ({rows: []})],
    ["POST", /^\/deaths$/, "death", () => ({rows: []})],
    ["POST", /^\/follow-ups\/([^/]+)\/done$/, "care", () => undefined],
    ["GET", /^\/hand-overs$/, "care", ({me}) => ({overdue: [], rows: [{hand_over_key: "1", from_account: "wang", to_account: me.account, student_n: 42, offered_at: at(-900), due_at: at(9000), given_at: at(-800), taken_at: null, state: "offered", ...text("待双方确认", "waits for both sides", "state"), is_mine_to_confirm: true}], takers: people})],
    ["POST", /^\/hand-overs(\/[^/]+\/(confirm|take-over))?$/, "care", () => ({})],
    ["GET", /^\/delegations$/, "care", ({me}) => ({rows: [{from_account: me.account, to_account: "zhao", from_at: at(-900), until_at: at(9000), is_running: true}], takers: people})],
    ["POST", /^\/(delegations|roster)$/, "care", () => ({})],
    ["GET", /^\/roster$/, "roster", ({query}) => ({from_on: query.get("from"), until_on: query.get("until"), gaps_n: 2, keeps: "own", posts: [["psychology_night", "心理夜间值班", "psychology at night"], ["security_office", "保卫处", "security"]].map(([post, zh, en], n) => ({post, ...text(zh, en, "post"), shifts: n === 0 ? [{account: "lin", backup: "zhao", from_at: at(-300), until_at: at(600)}] : [], gaps: [{from_at: at(600), until_at: at(2000)}]}))})],
    ["GET", /^\/ledger$/, "ledger", ({query}) => {
      const act = (kind, zh, en, source, n, minutes, student_n) => ({kind, ...text(zh, en, "title"), source, n, minutes, student_n});
      const acts = [act("room_visit", "走访宿舍", "Rooms visited", "room_visit", 6, 48, 19), act("talk", "谈心谈话", "Talks", "contact_record", 2, 70, 2), act("case_step", "关怀个案记录", "Steps of cases", "case_state", 3, null, null)];
      return {from_on: query.get("from"), to_on: query.get("to"), is_linked: true, totals: acts, days: ["2026-01-09", "2026-01-08"].map((on) => ({on, acts}))};
    }],
    ["GET", /^\/models$/, "models", () => ({models: [sample("model").head, {...sample("model").head, model: "hardship", ...text("困难生候选", "Hardship candidates", "title"), state: "not_offered", ...text("没有比最佳规则多找到人：下限 -0.4。", "Finds no more than the best rule: lower end -0.4.", "reason")}]})],
    ["GET", /^\/models\/([^/]+)$/, "models", ({me}) => ({...sample("model"), groups: me.role === "auditor" ? [] : null})],
  ];
}
