//! What may be done on a case now, as forms: only acts and choices that [`decide`] would take from this actor.
//!
//! Every choice is tried on the thread, so a form never offers what is then refused. Screens render forms as they are.

use serde::Serialize;

use crate::actor::{Actor, Role};
use crate::codes::{Code, Text};
use crate::crisis::{Companion, CrisisResult, CrisisStep};
use crate::deadline::{HOUR_US, Rules};
use crate::report::ReferralTo;
use crate::safety::{CheckCause, CheckResult, Guardian, ParentsChoice, Rung};
use crate::severity::{LabelScheme, Severity};
use crate::thread::{Act, Command, Grant, How, Outcome, Reached, Source, State, Thread, decide};

codes! {
    /// An act as forms name it; those of the platform itself have no form.
    ActName {
        CrisisStep = "crisis_step", "记录应急步骤", "note a step of the protocol";
        CheckStep = "check_step", "记录核实步骤", "note a step of the check";
        Claim = "claim", "认领", "claim";
        TakeOver = "take_over", "接手", "take over";
        Contact = "contact", "记录联系", "note a contact";
        Assess = "assess", "评估", "assess";
        Plan = "plan", "制定帮扶方案", "make a plan";
        Refer = "refer", "转介", "refer";
        RuleOut = "rule_out", "排除", "rule out";
        Review = "review", "复评", "review";
        Close = "close", "结案", "close";
        SetSeverity = "set_severity", "调整等级", "change the severity";
        Signal = "signal", "登记新情况", "enter something new";
        OpenCheck = "open_check", "启动安全核实", "open a safety check";
        DecideParents = "decide_parents", "决定是否联系家长", "decide about the parents";
        Declare = "declare", "启动应急流程", "declare a crisis";
        Companion = "companion", "安排陪护", "arrange a companion";
        EndCrisis = "end_crisis", "解除应急流程", "end the crisis";
        GrantTo = "grant_to", "按人授权", "let somebody read";
        Revoke = "revoke", "收回授权", "take a right to read away";
    }
}

impl ActName {
    /// Says whether a screen asks once more before it is done.
    pub fn is_grave(self) -> bool {
        matches!(self, Self::Declare | Self::EndCrisis | Self::Close)
    }
}

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One of the choices.
    Code,
    /// A word, such as an account.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// An instant.
    Instant,
    /// A day.
    Day,
    /// Several accounts.
    Accounts,
}

/// One choice of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its code; of a severity the number.
    pub code: String,
    /// What people read.
    pub title: Text,
}

/// Something that an act asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub field: &'static str,
    /// What people read.
    pub title: Text,
    /// How it is filled in.
    pub kind: FieldKind,
    /// Whether the act cannot do without.
    pub is_required: bool,
    /// What may be chosen, for codes only.
    pub choices: Vec<Choice>,
}

/// An act that is open to somebody now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Which.
    pub act: ActName,
    /// Whether it is the usual next step.
    pub is_primary: bool,
    /// What it asks for.
    pub fields: Vec<Field>,
}

/// An act with every value filled in, and the choices that it stands for.
struct Trial {
    act: Act,
    chosen: Vec<(&'static str, Choice)>,
}

/// Returns the acts that an actor may do on a thread now; of a thread without events those that may begin it.
pub fn forms(thread: &Thread, actor: &Actor, labels: &LabelScheme, rules: &Rules, now: i64) -> Vec<Form> {
    let Ok(reason) = Code::new("tried") else { return Vec::new() };
    let primary = primary(thread);
    let form = |name: ActName| {
        let is_taken = |it: &Trial| {
            let command = Command { act: it.act.clone(), reason: reason.clone() };
            decide(thread, &command, actor, rules, now).is_ok()
        };
        let taken: Vec<Trial> = trials(name, thread, actor, labels, now).into_iter().filter(is_taken).collect();
        if taken.is_empty() {
            return None;
        }
        let fields = with_choices(fields(name), taken.iter().flat_map(|it| &it.chosen));
        Some(Form { act: name, is_primary: Some(name) == primary, fields })
    };
    ActName::ALL.iter().copied().filter_map(form).collect()
}

/// Gives fields the choices that were taken, each once.
pub(crate) fn with_choices<'a>(mut fields: Vec<Field>, chosen: impl Iterator<Item = &'a (&'static str, Choice)>) -> Vec<Field> {
    for (name, choice) in chosen {
        for field in fields.iter_mut().filter(|it| it.field == *name && !it.choices.contains(choice)) {
            field.choices.push(choice.clone());
        }
    }
    fields
}

/// The usual next step: danger first, then along the states.
fn primary(thread: &Thread) -> Option<ActName> {
    if thread.running_crisis().is_some() {
        return Some(ActName::CrisisStep);
    }
    if thread.running_check().is_some() {
        return Some(ActName::CheckStep);
    }
    match thread.state {
        State::New if thread.version == 0 => Some(ActName::Signal),
        State::New => Some(ActName::Claim),
        State::Claimed => Some(ActName::Contact),
        State::Contacted => Some(ActName::Assess),
        State::Assessed => Some(ActName::Plan),
        State::Plan | State::Referral | State::RuledOut => Some(ActName::Review),
        State::Reviewing => Some(ActName::Close),
        State::Closed => None,
    }
}

/// A field without choices yet.
pub(crate) fn field(field: &'static str, zh: &str, en: &str, kind: FieldKind, is_required: bool) -> Field {
    Field { field, title: Text::new(zh, en), kind, is_required, choices: Vec::new() }
}

fn fields(name: ActName) -> Vec<Field> {
    let code = |name, zh: &str, en: &str| field(name, zh, en, FieldKind::Code, true);
    match name {
        ActName::Claim | ActName::TakeOver | ActName::Plan | ActName::RuleOut | ActName::EndCrisis => Vec::new(),
        ActName::Signal => vec![code("source", "来源", "Source"), code("severity", "程度", "How grave")],
        ActName::Contact => vec![code("reached", "联系到谁", "Who was reached")],
        ActName::Assess | ActName::SetSeverity => vec![code("severity", "程度", "How grave")],
        ActName::Refer => vec![code("to", "转介至", "Referred to")],
        ActName::Review => vec![field("is_quiet", "没有新情况", "Nothing new", FieldKind::Flag, true)],
        ActName::Close => {
            vec![code("outcome", "结果", "Outcome"), code("reached", "联系到谁", "Who was reached"), code("how", "方式", "How")]
        }
        ActName::Declare => {
            vec![field(
                "is_danger_immediate",
                "有立即危险（先拨110/120）",
                "Danger is immediate (110/120 first)",
                FieldKind::Flag,
                true,
            )]
        }
        ActName::CrisisStep => vec![code("step", "步骤", "Step"), code("result", "结果", "Result")],
        ActName::Companion => vec![
            field("account", "陪护人账号", "Account of the companion", FieldKind::Text, true),
            field("from", "开始", "From", FieldKind::Instant, true),
            field("until", "结束", "Until", FieldKind::Instant, true),
        ],
        ActName::OpenCheck => vec![code("cause", "原因", "Cause"), code("guardian", "监护人", "Guardian")],
        ActName::CheckStep => vec![
            code("rung", "步骤", "Step"),
            code("result", "结果", "Result"),
            field("reached", "如何联系到本人", "How the student was reached", FieldKind::Code, false),
        ],
        ActName::DecideParents => vec![code("choice", "决定", "Decision")],
        ActName::GrantTo => vec![field("account", "账号", "Account", FieldKind::Text, true)],
        ActName::Revoke => vec![code("account", "账号", "Account")],
    }
}

/// Every value of every field of an act; where a value is a person's to write, one that the rules would take.
fn trials(name: ActName, thread: &Thread, actor: &Actor, labels: &LabelScheme, now: i64) -> Vec<Trial> {
    let plain = |act| vec![Trial { act, chosen: Vec::new() }];
    let severity = |it: Severity| {
        let number = it.level().to_string();
        // Who is shown no level names one all the same: what they saw, not what was judged.
        let title = labels.shown_to(actor.role, it).map_or_else(|| labels.title(it), |shown| shown.text);
        Choice { code: number, title }
    };
    match name {
        ActName::Claim => plain(Act::Claim {}),
        // What nobody has yet is claimed; what is one's own is not taken over.
        ActName::TakeOver if thread.owner.as_ref() == Some(&actor.account) => Vec::new(),
        ActName::TakeOver if thread.state == State::New && actor.role != Role::CollegeSecretary => Vec::new(),
        ActName::TakeOver => plain(Act::TakeOver {}),
        ActName::Plan => plain(Act::Plan {}),
        ActName::RuleOut => plain(Act::RuleOut {}),
        ActName::EndCrisis => plain(Act::EndCrisis {}),
        ActName::Review => plain(Act::Review { is_quiet: true }),
        ActName::Declare => plain(Act::Declare { is_danger_immediate: false }),
        ActName::Companion => {
            let shift = Companion { account: actor.account.clone(), from_us: now, until_us: now + HOUR_US };
            plain(Act::Companion { shift })
        }
        // Nobody's name: whoever is on the team already is refused when named.
        ActName::GrantTo => plain(Act::GrantTo { account: String::new() }),
        ActName::Signal => pairs(Source::ALL, Severity::ALL, |source, level| Trial {
            act: Act::Signal { source, severity: level },
            chosen: vec![("source", choice(source.code(), source.text())), ("severity", severity(level))],
        }),
        ActName::Contact => each(Reached::ALL, |reached| Trial {
            act: Act::Contact { reached },
            chosen: vec![("reached", choice(reached.code(), reached.text()))],
        }),
        ActName::Assess => {
            each(Severity::ALL, |it| Trial { act: Act::Assess { severity: it }, chosen: vec![("severity", severity(it))] })
        }
        ActName::SetSeverity => {
            let others: Vec<Severity> = Severity::ALL.iter().copied().filter(|it| *it != thread.severity).collect();
            each(&others, |it| Trial { act: Act::SetSeverity { severity: it }, chosen: vec![("severity", severity(it))] })
        }
        ActName::Refer => {
            each(ReferralTo::ALL, |to| Trial { act: Act::Refer { to }, chosen: vec![("to", choice(to.code(), to.text()))] })
        }
        ActName::Close => {
            let by_hand = [How::Single, How::Bulk, How::Shortcut];
            let ends = pairs(Outcome::ALL, Reached::ALL, |outcome, reached| (outcome, reached));
            pairs(&ends, &by_hand, |(outcome, reached), how| Trial {
                act: Act::Close { outcome, reached, how },
                chosen: vec![
                    ("outcome", choice(outcome.code(), outcome.text())),
                    ("reached", choice(reached.code(), reached.text())),
                    ("how", choice(how.code(), how.text())),
                ],
            })
        }
        ActName::CrisisStep => pairs(CrisisStep::ALL, CrisisResult::ALL, |step, result| Trial {
            act: Act::CrisisStep { step, result },
            chosen: vec![("step", choice(step.code(), step.text())), ("result", choice(result.code(), result.text()))],
        }),
        ActName::OpenCheck => pairs(CheckCause::ALL, Guardian::ALL, |cause, guardian| Trial {
            act: Act::OpenCheck { cause, guardian },
            chosen: vec![("cause", choice(cause.code(), cause.text())), ("guardian", choice(guardian.code(), guardian.text()))],
        }),
        ActName::CheckStep => {
            let ways: Vec<Option<Reached>> =
                std::iter::once(None).chain(Reached::ALL.iter().copied().filter(|it| it.is_student()).map(Some)).collect();
            let ends = pairs(CheckResult::ALL, &ways, |result, reached| (result, reached));
            pairs(Rung::ALL, &ends, |rung, (result, reached)| {
                let mut chosen =
                    vec![("rung", choice(rung.code(), rung.text())), ("result", choice(result.code(), result.text()))];
                chosen.extend(reached.map(|it| ("reached", choice(it.code(), it.text()))));
                Trial { act: Act::CheckStep { rung, result, reached }, chosen }
            })
        }
        ActName::DecideParents => each(ParentsChoice::ALL, |it| Trial {
            act: Act::DecideParents { choice: it },
            chosen: vec![("choice", choice(it.code(), it.text()))],
        }),
        ActName::Revoke => {
            let held: Vec<&Grant> = thread.team.iter().filter(|it| thread.is_on_team(&it.account, now)).collect();
            each(&held, |it| Trial {
                act: Act::Revoke { account: it.account.clone() },
                chosen: vec![("account", choice(&it.account, Text::new(&it.account, &it.account)))],
            })
        }
    }
}

pub(crate) fn choice(code: &str, title: Text) -> Choice {
    Choice { code: code.to_owned(), title }
}

fn each<T: Copy, R>(values: &[T], make: impl Fn(T) -> R) -> Vec<R> {
    values.iter().map(|it| make(*it)).collect()
}

fn pairs<A: Copy, B: Copy, R>(left: &[A], right: &[B], make: impl Fn(A, B) -> R) -> Vec<R> {
    left.iter().flat_map(|a| right.iter().map(|b| (*a, *b)).collect::<Vec<_>>()).map(|(a, b)| make(a, b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::{Event, Kind, Step, apply};

    fn counselor() -> Actor {
        Actor { is_responsible: true, ..Actor::stranger("lin", Role::Counselor) }
    }

    fn psychologist() -> Actor {
        Actor { is_of_college: true, ..Actor::stranger("wang", Role::Psychologist) }
    }

    fn thread(kind: Kind, steps: Vec<Step>) -> Thread {
        steps.into_iter().fold(Thread::blank(1, 2, kind), |thread, step| {
            let reason = Code::new("as_seen").unwrap();
            apply(thread, &Event { at_us: 1, actor: "lin".to_owned(), role: Role::Counselor, reason, deadline_us: None, step })
        })
    }

    fn signalled(source: Source, level: i64) -> Step {
        Step::Signalled { source, severity: Severity::try_from(level).unwrap() }
    }

    fn open(thread: &Thread, actor: &Actor) -> Vec<Form> {
        forms(thread, actor, &LabelScheme::default(), &Rules::default(), 2)
    }

    fn acts(forms: &[Form]) -> Vec<&'static str> {
        forms.iter().map(|it| it.act.code()).collect()
    }

    fn choices(forms: &[Form], act: ActName, field: &str) -> Vec<String> {
        let form = forms.iter().find(|it| it.act == act).expect("the form");
        let field = form.fields.iter().find(|it| it.field == field).expect("the field");
        field.choices.iter().map(|it| it.code.clone()).collect()
    }

    #[test]
    fn a_new_case_is_claimed_first_and_only_severity_1_of_machines_closes_by_shortcut() {
        let grave = open(&thread(Kind::Academic, vec![signalled(Source::Machine, 2)]), &counselor());
        assert!(grave.iter().any(|it| it.act == ActName::Claim && it.is_primary), "{:?}", acts(&grave));
        assert!(!acts(&grave).contains(&"close") && !acts(&grave).contains(&"take_over"), "{:?}", acts(&grave));
        let mild = open(&thread(Kind::Academic, vec![signalled(Source::Machine, 1)]), &counselor());
        assert_eq!(choices(&mild, ActName::Close, "how"), ["bulk", "shortcut"]);
    }

    #[test]
    fn who_has_no_relation_may_report_and_declare_and_nothing_else() {
        let case = thread(Kind::Psych, vec![signalled(Source::HumanReport, 2)]);
        assert_eq!(acts(&open(&case, &Actor::stranger("zhao", Role::Counselor))), ["signal", "open_check", "declare"]);
        assert_eq!(acts(&open(&case, &Actor::stranger("s1", Role::Student))), ["signal"]);
    }

    #[test]
    fn a_counselor_names_a_grave_severity_without_its_level() {
        let case = thread(
            Kind::Psych,
            vec![signalled(Source::HumanReport, 2), Step::Claimed {}, Step::Contacted { reached: Reached::Phone }],
        );
        let forms = open(&case, &counselor());
        let assess = forms.iter().find(|it| it.act == ActName::Assess).unwrap();
        let titles: Vec<&str> = assess.fields[0].choices.iter().map(|it| it.title.zh.as_str()).collect();
        assert_eq!(choices(&forms, ActName::Assess, "severity"), ["2", "3"], "not down without two quiet reviews, not to 4");
        assert_eq!(titles, ["三级", "重点关怀"]);
    }

    #[test]
    fn the_ladder_is_offered_rung_by_rung() {
        let opened = Step::CheckOpened { cause: CheckCause::LostContact, guardian: Guardian::Normal };
        let forms = open(&thread(Kind::Safety, vec![opened]), &psychologist());
        assert_eq!(choices(&forms, ActName::CheckStep, "rung"), ["call_student", "call_police"]);
        assert_eq!(choices(&forms, ActName::CheckStep, "reached"), ["in_person", "phone", "video"]);
        assert!(forms.iter().find(|it| it.act == ActName::CheckStep).unwrap().is_primary);
    }

    #[test]
    fn a_crisis_offers_its_steps_and_not_its_end() {
        let case = thread(Kind::Psych, vec![Step::Declared { is_danger_immediate: true }]);
        let forms = open(&case, &psychologist());
        assert!(acts(&forms).contains(&"crisis_step") && !acts(&forms).contains(&"end_crisis"), "{:?}", acts(&forms));
        assert_eq!(choices(&forms, ActName::CrisisStep, "step").len(), CrisisStep::ALL.len());
        assert!(!acts(&open(&case, &counselor())).contains(&"confer"), "psychology's");
    }

    #[test]
    fn a_closed_case_offers_nothing() {
        let closed = Step::Closed { outcome: Outcome::NoSupportNeeded, reached: Reached::Phone, how: How::Single };
        assert_eq!(open(&thread(Kind::Academic, vec![signalled(Source::Machine, 1), closed]), &counselor()), []);
    }
}
