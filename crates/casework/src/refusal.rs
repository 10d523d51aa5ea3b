//! Why a step is not allowed, as a sentence that says what is missing.

use serde::Serialize;

use crate::codes::Text;
use crate::safety::Rung;
use crate::severity::Severity;
use crate::thread::State;

/// Why a step is not allowed. Shown to people as it is: [`Refusal::text`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
#[error("{}", self.text().en)]
pub enum Refusal {
    /// The case is closed; what was decided stands, and news makes a new case.
    Closed,
    /// The student has died.
    Deceased,
    /// Nothing was entered yet.
    Empty,
    /// A step comes before another.
    OutOfTurn {
        /// Where the case is.
        state: State,
        /// The steps that are open from there.
        allowed: Vec<&'static str>,
    },
    /// The actor may not do this.
    NotYours,
    /// Data alone would raise too far.
    DataLimit,
    /// Severity 3 without a person's report or a psychologist.
    ReportMissing,
    /// Severity 4 is declared, not set.
    DeclareInstead,
    /// A lower severity than this role may set.
    LowerBy {
        /// The severity that stands.
        from: Severity,
    },
    /// A safety thread whose student was not reached.
    StudentNotReached,
    /// A gate record is no contact.
    GateOnly,
    /// Bulk or shortcut where only a single closing counts.
    SingleOnly,
    /// An own entry was made since the last assessment.
    EntryUnassessed,
    /// A safety check is still going on.
    CheckOpen,
    /// A crisis is still going on.
    CrisisOpen,
    /// No crisis or check is going on.
    NothingOpen,
    /// Steps of the protocol are not settled.
    CrisisStepsMissing {
        /// Their codes.
        missing: Vec<&'static str>,
    },
    /// Nobody met since the crisis was declared.
    ConferenceMissing,
    /// A lower rung of the ladder was not climbed.
    RungMissing {
        /// Which.
        next: Rung,
    },
    /// The psychologist has not decided for the parents.
    ParentsUndecided,
    /// A companion's shift that ends before it begins, or is too long.
    CompanionSpan,
    /// A grant for a case below severity 3, or twice.
    GrantNotNeeded,
    /// Two different persons are to be named.
    TwoReaders,
    /// It is not overdue, or not to expire.
    NotDue,
    /// There is an earlier time in the record.
    TimeGoesBack,
    /// Too many events on one case.
    TooLong,
    /// A hand-over that is over or not yet due.
    HandOverOver,
    /// Neither side of the hand-over.
    HandOverStranger,
    /// A delegation without a usable end.
    DelegationSpan,
}

impl Refusal {
    /// Returns the sentence for the screen, which says what is missing.
    pub fn text(&self) -> Text {
        match self {
            Refusal::Closed => Text::new("该个案已结案；如有新情况，请新建记录。", "The case is closed; news makes a new entry."),
            Refusal::Deceased => Text::new(
                "该记录已停止一切操作，仅两名指定人可查看。",
                "Everything on this record has stopped; two named persons may look.",
            ),
            Refusal::Empty => Text::new("尚无任何记录，请先登记情况。", "Nothing was entered yet: enter what was seen first."),
            Refusal::OutOfTurn { state, allowed } => {
                let state = state.text();
                let open = allowed.join(", ");
                Text::new(
                    format!("当前为“{}”，此步骤尚不可做；可做：{open}。", state.zh),
                    format!("The case is \"{}\" and this step is not open yet; open are: {open}.", state.en),
                )
            }
            Refusal::NotYours => Text::new(
                "此步骤不在您的职责内；请联系该生的责任辅导员或心理中心。",
                "This step is not yours: turn to the responsible counselor or the psychology centre.",
            ),
            Refusal::DataLimit => Text::new(
                "仅凭数据最高为2级；更高级别须由人判断。",
                "Data alone raises to 2 at most; more needs a person's judgement.",
            ),
            Refusal::ReportMissing => Text::new(
                "定为3级须有人工上报或由心理教师评定。",
                "Severity 3 needs a person's report or a psychologist's assessment.",
            ),
            Refusal::DeclareInstead => Text::new(
                "4级须由人启动应急流程来宣布。",
                "Severity 4 is declared by a person, which starts the crisis protocol.",
            ),
            Refusal::LowerBy { from } => {
                let level = from.level();
                let (zh, en) = match from {
                    Severity::Crisis => ("须会商并由心理教师解除", "a case conference and a psychologist end it"),
                    Severity::Serious => ("须由心理教师评定", "a psychologist decides"),
                    _ => ("须连续两次复评平稳，或由心理教师评定", "two quiet reviews or a psychologist are needed"),
                };
                Text::new(format!("从{level}级下调：{zh}。"), format!("Lowering from {level}: {en}."))
            }
            Refusal::StudentNotReached => Text::new(
                "安全核实须本人当面、电话或视频确认后方可结案。",
                "A safety case closes only when the student was reached in person, by telephone or by video.",
            ),
            Refusal::GateOnly => {
                Text::new("门禁记录不算联系，请填写实际联系到的人。", "A gate record is no contact: say who was reached.")
            }
            Refusal::SingleOnly => Text::new(
                "2级及以上、安全核实和人工上报须逐件办结，不能用快捷键或批量结案。",
                "Severity 2 and above, safety checks and reports by people are closed one by one, not by shortcut or in bulk.",
            ),
            Refusal::EntryUnassessed => {
                Text::new("有新的人工上报尚未评估，请先评估。", "A new report by a person was not assessed yet: assess it first.")
            }
            Refusal::CheckOpen => {
                Text::new("安全核实尚未结束，请先完成核实。", "A safety check is still going on: finish it first.")
            }
            Refusal::CrisisOpen => Text::new("应急流程尚未解除。", "The crisis protocol has not been ended."),
            Refusal::NothingOpen => {
                Text::new("当前没有正在进行的应急流程或安全核实。", "No crisis protocol and no safety check is going on.")
            }
            Refusal::CrisisStepsMissing { missing } => {
                let missing = missing.join(", ");
                Text::new(format!("尚未完成：{missing}。"), format!("Not done yet: {missing}."))
            }
            Refusal::ConferenceMissing => {
                Text::new("解除前须召开会商，并由会商同意解除。", "A case conference must have met and agreed before it ends.")
            }
            Refusal::RungMissing { next } => {
                let next = next.text();
                Text::new(format!("请先完成：{}。", next.zh), format!("First: {}.", next.en))
            }
            Refusal::ParentsUndecided => Text::new(
                "是否联系家长由心理教师决定；在此之前不得联系。",
                "Whether the parents are reached is the psychologist's decision; until then they are not.",
            ),
            Refusal::CompanionSpan => Text::new(
                "陪护班次须有起止时间，且不超过12小时。",
                "A companion's shift has a beginning and an end within 12 hours.",
            ),
            Refusal::GrantNotNeeded => Text::new(
                "按人授权仅用于3–4级个案，且同一人不重复授权。",
                "Grants by name are for severity 3 and 4, once a person.",
            ),
            Refusal::TwoReaders => Text::new("请指定两名不同的查看人。", "Name two different persons who may look."),
            Refusal::NotDue => Text::new("尚未到期。", "It is not due."),
            Refusal::TimeGoesBack => Text::new("时间早于上一条记录。", "The time is before the last entry."),
            Refusal::TooLong => {
                Text::new("该个案记录过多，请结案后新建。", "The case has too many entries: close it and begin another.")
            }
            Refusal::HandOverOver => {
                Text::new("该移交已办结或未到接管时间。", "The hand-over is over, or it is not yet time to take over.")
            }
            Refusal::HandOverStranger => {
                Text::new("仅移交双方可确认；逾期由院系副书记接管。", "Only both sides confirm; later the college takes over.")
            }
            Refusal::DelegationSpan => Text::new(
                "委托须指定他人并在60天内结束；更长请办理移交。",
                "A delegation goes to somebody else and ends within 60 days; hand over what lasts longer.",
            ),
        }
    }

    /// One of each, for the tests of words.
    #[cfg(test)]
    pub(crate) fn samples() -> Vec<Refusal> {
        let mut samples = vec![
            Refusal::Closed,
            Refusal::Deceased,
            Refusal::Empty,
            Refusal::OutOfTurn { state: State::New, allowed: vec!["claim"] },
            Refusal::NotYours,
            Refusal::DataLimit,
            Refusal::ReportMissing,
            Refusal::DeclareInstead,
            Refusal::StudentNotReached,
            Refusal::GateOnly,
            Refusal::SingleOnly,
            Refusal::EntryUnassessed,
            Refusal::CheckOpen,
            Refusal::CrisisOpen,
            Refusal::NothingOpen,
            Refusal::CrisisStepsMissing { missing: vec!["on_site"] },
            Refusal::ConferenceMissing,
            Refusal::RungMissing { next: Rung::GoToRoom },
            Refusal::ParentsUndecided,
            Refusal::CompanionSpan,
            Refusal::GrantNotNeeded,
            Refusal::TwoReaders,
            Refusal::NotDue,
            Refusal::TimeGoesBack,
            Refusal::TooLong,
            Refusal::HandOverOver,
            Refusal::HandOverStranger,
            Refusal::DelegationSpan,
        ];
        samples.extend(Severity::ALL.iter().map(|from| Refusal::LowerBy { from: *from }));
        samples
    }
}
