//! What is said to staff: fixed sentences by kind, and a link behind the login.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// A member of staff, as the vault names them. There is no such key for a student, so nobody can be warned of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StaffKey(pub i64);

impl fmt::Display for StaffKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// Keys are texts in all our JSON.
impl Serialize for StaffKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StaffKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(StaffKey).map_err(|_| serde::de::Error::custom("a staff key is a whole number, as a text"))
    }
}

/// What happened that somebody should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A thread (线索) is theirs to claim.
    NewThread,
    /// A student asks for help, themselves or by way of a hotline (本人求助).
    HelpAsked,
    /// A deadline has passed.
    Overdue,
    /// Somebody hands work over (移交) and waits for their consent.
    HandOverAsked,
    /// The next step of a safety check (安全核实) is due.
    SafetyStepDue,
    /// A person has declared severity 4.
    CrisisDeclared,
    /// A rehearsal (演练).
    Drill,
    /// A follow-up (随访) is due.
    FollowUpDue,
    /// A work list is ready.
    ListReady,
    /// Nobody has taken on work that the reader may not see: they call somebody who may.
    CallSomebody,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 10] = [
        Kind::NewThread,
        Kind::HelpAsked,
        Kind::Overdue,
        Kind::HandOverAsked,
        Kind::SafetyStepDue,
        Kind::CrisisDeclared,
        Kind::Drill,
        Kind::FollowUpDue,
        Kind::ListReady,
        Kind::CallSomebody,
    ];

    /// Whether somebody must say that they have seen it; the others are sent once and that is all.
    pub fn needs_answer(self) -> bool {
        !matches!(self, Kind::ListReady | Kind::Drill)
    }
}

/// How grave the work is, 1 to 4. It decides how and when a message goes, and is never part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Severity(u8);

impl Severity {
    /// The mildest.
    pub const ONE: Severity = Severity(1);
    /// What data alone may say at most.
    pub const TWO: Severity = Severity(2);
    /// Set by a person only.
    pub const THREE: Severity = Severity(3);
    /// Declared by a person only; begins with a telephone call.
    pub const FOUR: Severity = Severity(4);
}

impl TryFrom<u8> for Severity {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if (1..=4).contains(&number) { Ok(Self(number)) } else { Err(format!("a severity is 1 to 4, not {number}")) }
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> Self {
        severity.0
    }
}

/// Who brought it up. What people report is never held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The platform, from data or a deadline.
    System,
    /// A person: an observation, a cry for help, a decision.
    Person,
}

/// The page on which the work waits, once the reader has logged in. It never leaves the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A thread of a case.
    Thread(i64),
    /// A hand-over.
    HandOver(i64),
    /// A safety check.
    SafetyCheck(i64),
    /// A crisis.
    Crisis(i64),
    /// A follow-up.
    FollowUp(i64),
    /// A report that nobody could place yet.
    Report(i64),
    /// A work list.
    List(i64),
    /// A rehearsal.
    Drill(i64),
}

impl Target {
    /// The page's path in the web app.
    pub fn path(self) -> String {
        match self {
            Target::Thread(id) => format!("/threads/{id}"),
            Target::HandOver(id) => format!("/hand-overs/{id}"),
            Target::SafetyCheck(id) => format!("/safety-checks/{id}"),
            Target::Crisis(id) => format!("/crises/{id}"),
            Target::FollowUp(id) => format!("/follow-ups/{id}"),
            Target::Report(id) => format!("/observations/{id}"),
            Target::List(id) => format!("/lists/{id}"),
            Target::Drill(id) => format!("/drills/{id}"),
        }
    }
}

/// Language of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// Chinese.
    #[serde(rename = "zh")]
    Zh,
    /// English.
    #[serde(rename = "en")]
    En,
}

/// One sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// A message to one member of staff. Numbers and fixed words only: there is no place for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Number of the message; it stands in the link.
    pub message_id: i64,
    /// What happened.
    pub kind: Kind,
    /// How grave, if it is about a thread that has a severity.
    pub severity: Option<Severity>,
    /// Who brought it up.
    pub origin: Origin,
    /// Whose work it is.
    pub recipient: StaffKey,
    /// Where it waits.
    pub target: Target,
    /// When it came to be, microseconds since 1970 UTC.
    pub created_us: i64,
}

/// The words of a kind in a language.
struct Template {
    title: &'static str,
    body: &'static str,
    action: &'static str,
}

// A sentence may ask for speed. It may not say why: whoever stands beside the telephone reads it too.
fn template(kind: Kind, language: Language) -> Template {
    let (title, body) = match (language, kind) {
        (Language::Zh, Kind::NewThread) => ("待办提醒", "您有一条关怀工作待处理，请登录查看。"),
        (Language::Zh, Kind::HelpAsked) => ("待办提醒", "您有一条关怀工作待处理，请尽快登录查看，并保持电话畅通。"),
        (Language::Zh, Kind::Overdue) => ("待办提醒", "您有一条关怀工作已到办理时限，请登录查看。"),
        (Language::Zh, Kind::HandOverAsked) => ("待办提醒", "有一项工作请您确认交接，请登录查看。"),
        (Language::Zh, Kind::SafetyStepDue) => ("待办提醒", "您有一条关怀工作的下一步待办理，请尽快登录查看。"),
        (Language::Zh, Kind::CrisisDeclared) => ("待办提醒", "您有一条关怀工作待处理，请现在登录查看，并保持电话畅通。"),
        (Language::Zh, Kind::Drill) => ("通知演练", "这是每月一次的通知演练，不涉及任何人。请登录确认收到。"),
        (Language::Zh, Kind::FollowUpDue) => ("待办提醒", "您有一项约定的工作已到时间，请登录查看。"),
        (Language::Zh, Kind::ListReady) => ("待办提醒", "您的工作名单已备好，请登录查看。"),
        (Language::Zh, Kind::CallSomebody) => ("待办提醒", "有一条关怀工作还没有人接手。请登录查看现在应给谁打电话。"),
        (Language::En, Kind::NewThread) => ("To do", "A piece of care work is waiting for you. Please log in to see it."),
        (Language::En, Kind::HelpAsked) => {
            ("To do", "A piece of care work is waiting for you. Please log in soon, and keep your telephone at hand.")
        }
        (Language::En, Kind::Overdue) => ("To do", "A piece of care work has reached its deadline. Please log in to see it."),
        (Language::En, Kind::HandOverAsked) => ("To do", "You are asked to take over a piece of work. Please log in to see it."),
        (Language::En, Kind::SafetyStepDue) => ("To do", "The next step of your care work is due. Please log in soon to see it."),
        (Language::En, Kind::CrisisDeclared) => {
            ("To do", "A piece of care work is waiting for you. Please log in now, and keep your telephone at hand.")
        }
        (Language::En, Kind::Drill) => {
            ("Rehearsal", "This is the monthly rehearsal; it is about nobody. Please log in and confirm.")
        }
        (Language::En, Kind::FollowUpDue) => ("To do", "Something that you agreed on is due. Please log in to see it."),
        (Language::En, Kind::ListReady) => ("To do", "Your work list is ready. Please log in to see it."),
        (Language::En, Kind::CallSomebody) => {
            ("To do", "Nobody has taken on a piece of care work yet. Please log in now to see whom to call.")
        }
    };
    let action = match language {
        Language::Zh => "登录查看",
        Language::En => "Log in",
    };
    Template { title, body, action }
}

impl Message {
    /// The words that go to one member of staff: the recipient, or whoever stands in for them.
    ///
    /// `base` is the address of the web app. The link is `<base>/notices/<message_id>` for every kind: an address that
    /// named its page would say on the lock screen what the sentence does not.
    pub fn render(&self, base: &Url, to: StaffKey, language: Language) -> Rendered {
        let mut link = base.clone();
        let path = format!("{}/notices/{}", base.path().trim_end_matches('/'), self.message_id);
        link.set_path(&path);
        Rendered { message_id: self.message_id, to, language, template: template(self.kind, language), link }
    }
}

/// What a channel sends. Made by [`Message::render`] only, of templates only.
pub struct Rendered {
    message_id: i64,
    to: StaffKey,
    language: Language,
    template: Template,
    link: Url,
}

impl Rendered {
    /// Number of the message.
    pub fn message_id(&self) -> i64 {
        self.message_id
    }

    /// To whom it goes.
    pub fn to(&self) -> StaffKey {
        self.to
    }

    /// In which language it is.
    pub fn language(&self) -> Language {
        self.language
    }

    /// A few words.
    pub fn title(&self) -> &'static str {
        self.template.title
    }

    /// One or two sentences.
    pub fn body(&self) -> &'static str {
        self.template.body
    }

    /// Words on a button; four Chinese characters at most, as WeCom allows.
    pub fn action(&self) -> &'static str {
        self.template.action
    }

    /// Link behind the login.
    pub fn link(&self) -> &Url {
        &self.link
    }

    /// Sentences and link in one line, for channels without buttons.
    pub fn text(&self) -> String {
        format!("{} {}", self.template.body, self.link)
    }

    /// The same for every try to send this message to this person, and for no other: receivers drop repetitions by it.
    pub fn idempotency_key(&self) -> String {
        format!("{}-{}", self.message_id, self.to)
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("message_id", &self.message_id).field("to", &self.to).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What no message says: conditions, levels, colours, reasons, places, people.
    const NEVER_SAID: &[&str] = &[
        "自杀",
        "自伤",
        "自残",
        "轻生",
        "抑郁",
        "焦虑",
        "异常",
        "高危",
        "问题",
        "预警",
        "警",
        "危机",
        "危险",
        "风险",
        "紧急",
        "心理",
        "精神",
        "疾病",
        "安全",
        "失联",
        "未归",
        "缺勤",
        "处分",
        "资助",
        "贫困",
        "级",
        "红",
        "橙",
        "黄",
        "蓝",
        "学生",
        "同学",
        "学号",
        "姓名",
        "宿舍",
        "寝室",
        "楼",
        "班",
        "学院",
        "家长",
        "suicid",
        "self-harm",
        "depress",
        "anxi",
        "abnormal",
        "risk",
        "crisis",
        "emergency",
        "danger",
        "alert",
        "warn",
        "severity",
        "level",
        "psych",
        "mental",
        "safety",
        "missing",
        "student",
        "dorm",
        "room",
        "orange",
        "college",
    ];

    pub(crate) fn message(kind: Kind, severity: Option<u8>) -> Message {
        Message {
            message_id: 481_516,
            kind,
            severity: severity.map(|it| Severity::try_from(it).expect("1 to 4")),
            origin: Origin::System,
            recipient: StaffKey(700_000_000_000_001),
            target: Target::Thread(83),
            created_us: 0,
        }
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let parts = (any::<i64>(), 0..Kind::ALL.len(), proptest::option::of(1_u8..=4), any::<bool>(), any::<i64>(), 0..7_usize);
        parts.prop_map(|(message_id, kind, severity, is_person, id, target)| Message {
            message_id,
            kind: Kind::ALL[kind],
            severity: severity.map(|it| Severity::try_from(it).expect("1 to 4")),
            origin: if is_person { Origin::Person } else { Origin::System },
            recipient: StaffKey(id),
            target: [
                Target::Thread(id),
                Target::HandOver(id),
                Target::SafetyCheck(id),
                Target::Crisis(id),
                Target::FollowUp(id),
                Target::List(id),
                Target::Drill(id),
            ][target],
            created_us: id,
        })
    }

    fn base() -> Url {
        Url::parse("https://one.example.edu.cn/yizhan/").expect("an address")
    }

    proptest! {
        #[test]
        fn no_message_says_a_forbidden_word_a_level_or_a_number_but_its_own(message in any_message()) {
            for language in [Language::Zh, Language::En] {
                let rendered = message.render(&base(), message.recipient, language);
                let said = format!("{}\n{}\n{}", rendered.title(), rendered.body(), rendered.action()).to_lowercase();
                for word in NEVER_SAID {
                    prop_assert!(!said.contains(word), "{word}: {said}");
                }
                prop_assert!(!said.chars().any(char::is_numeric), "{said}");
                let link = format!("https://one.example.edu.cn/yizhan/notices/{}", message.message_id);
                prop_assert_eq!(rendered.text(), format!("{} {link}", rendered.body()));
            }
        }

        #[test]
        fn severity_origin_and_page_change_nothing_that_is_said(message in any_message(), other in any_message()) {
            let twin = Message { message_id: message.message_id, kind: message.kind, ..other };
            for language in [Language::Zh, Language::En] {
                let (one, two) = (message.render(&base(), StaffKey(1), language), twin.render(&base(), StaffKey(1), language));
                prop_assert_eq!(one.text(), two.text());
                prop_assert_eq!(one.title(), two.title());
            }
        }
    }

    #[test]
    fn every_sentence_fits_the_smallest_channel() {
        for kind in Kind::ALL {
            for language in [Language::Zh, Language::En] {
                let rendered = message(kind, None).render(&base(), StaffKey(1), language);
                // WeCom: title 128 characters, description 512, button 4 Chinese characters; SMS in Chinese: 70 a part.
                assert!(rendered.title().len() <= 64 && rendered.body().len() <= 128, "{kind:?}");
                assert!(language == Language::En || rendered.action().chars().count() <= 4);
                assert!(language == Language::En || rendered.body().chars().count() <= 40, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_severity_is_one_to_four() {
        assert!(serde_json::from_str::<Severity>("3").is_ok());
        assert_eq!(Severity::try_from(5).unwrap_err(), "a severity is 1 to 4, not 5");
        assert!(serde_json::from_str::<Severity>("0").is_err());
    }

    #[test]
    fn a_text_has_no_place_in_a_message() {
        let mut json = serde_json::to_value(message(Kind::NewThread, Some(2))).expect("json");
        json["note"] = "张三".into();
        assert!(serde_json::from_value::<Message>(json).is_err());
    }
}
