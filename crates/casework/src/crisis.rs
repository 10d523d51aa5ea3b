//! The crisis protocol: declared by a person, telephone first, every step with limit, time, person and result.
//!
//! Nothing that was really done is refused here for its order: in danger people act first and write later. What is
//! missing is shown instead, and the end is the one thing that is held back.

use serde::{Deserialize, Serialize};

use crate::actor::Role;
use crate::deadline::{DAY_US, MINUTE_US};

codes! {
    /// A step of the protocol.
    CrisisStep {
        CallEmergency = "call_emergency", "拨打120/110", "call 120 or 110";
        Telephone = "telephone", "电话通知", "telephone";
        Acknowledge = "acknowledge", "接报确认", "acknowledge";
        TellSecretary = "tell_secretary", "通知院系副书记", "tell the college's deputy secretary";
        TellPsychologist = "tell_psychologist", "通知心理值班", "tell the psychologist on duty";
        TellSecurity = "tell_security", "通知保卫值班", "tell security on duty";
        OnSite = "on_site", "到场", "be there";
        MedicalHandOver = "medical_hand_over", "送医交接", "hand over to a hospital";
        TellGuardian = "tell_guardian", "联系监护人", "reach the guardian";
    }
}

codes! {
    /// How a step ended.
    CrisisResult {
        Done = "done", "已完成", "done";
        NoAnswer = "no_answer", "无人应答", "no answer";
        Refused = "refused", "对方拒绝", "refused";
        NotNeeded = "not_needed", "经判断不需要", "judged not needed";
    }
}

codes! {
    /// What stops when a student has died.
    Stopped {
        Messages = "messages", "消息", "messages";
        Lists = "lists", "名单", "lists";
        Letters = "letters", "信件", "letters";
        Statistics = "statistics", "统计推送", "statistics that are sent out";
    }
}

impl CrisisStep {
    /// Returns how long after the declaration the step must be done; none where the situation decides.
    pub fn limit_us(self, is_danger_immediate: bool) -> Option<i64> {
        match self {
            // Where danger is immediate the emergency numbers come before all else.
            Self::CallEmergency if is_danger_immediate => Some(0),
            Self::CallEmergency | Self::MedicalHandOver | Self::TellGuardian => None,
            Self::Telephone | Self::Acknowledge => Some(5 * MINUTE_US),
            Self::TellSecretary | Self::TellPsychologist | Self::TellSecurity => Some(10 * MINUTE_US),
            Self::OnSite => Some(30 * MINUTE_US),
        }
    }
}

/// A step that was tried, with its time, person and result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrisisStepDone {
    /// Which step.
    pub step: CrisisStep,
    /// Who did it.
    pub by: String,
    /// When.
    pub at_us: i64,
    /// How it ended.
    pub result: CrisisResult,
}

/// Somebody stays with the student from one instant to another (专人陪护).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    /// Who stays.
    pub account: String,
    /// From when.
    pub from_us: i64,
    /// Until when; the next one is there before.
    pub until_us: i64,
}

/// A crisis as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crisis {
    /// Who declared it: always a person.
    pub declared_by: String,
    /// When.
    pub declared_us: i64,
    /// Whether 110 or 120 come first.
    pub is_danger_immediate: bool,
    /// What was done, in order.
    pub steps: Vec<CrisisStepDone>,
    /// Who stays with the student.
    pub companions: Vec<Companion>,
    /// The latest case conference since the declaration.
    pub conference_us: Option<i64>,
    /// When it ended.
    pub ended_us: Option<i64>,
}

impl Crisis {
    /// Returns whether a step is settled, by being done or judged not needed.
    pub fn is_settled(&self, step: CrisisStep) -> bool {
        let settled = |it: &CrisisStepDone| matches!(it.result, CrisisResult::Done | CrisisResult::NotNeeded);
        self.steps.iter().any(|it| it.step == step && settled(it))
    }

    /// Returns the steps with a limit that are not settled, with the instant each is or was due, the earliest first.
    pub fn open_steps(&self) -> Vec<(CrisisStep, i64)> {
        let due = |step: CrisisStep| step.limit_us(self.is_danger_immediate).map(|it| (step, self.declared_us + it));
        let mut open: Vec<_> = CrisisStep::ALL.iter().copied().filter(|it| !self.is_settled(*it)).filter_map(due).collect();
        open.sort_by_key(|(_, due)| *due);
        open
    }

    /// Returns when somebody was there first.
    pub fn on_site_us(&self) -> Option<i64> {
        let there = |it: &&CrisisStepDone| it.step == CrisisStep::OnSite && it.result == CrisisResult::Done;
        self.steps.iter().find(there).map(|it| it.at_us)
    }

    /// Returns the spans in which nobody was with the student, from the arrival until the end or `now`.
    pub fn alone(&self, now: i64) -> Vec<(i64, i64)> {
        let until = self.ended_us.unwrap_or(now);
        let from = self.on_site_us();
        from.map_or_else(Vec::new, |from| companion_gaps(&self.companions, from, until))
    }

    /// Says whether this role may end it at all; a conference must have met besides.
    pub fn may_be_ended_by(role: Role) -> bool {
        role.is_psychology()
    }
}

/// Returns the spans between two instants that no companion covers.
pub fn companion_gaps(companions: &[Companion], from_us: i64, until_us: i64) -> Vec<(i64, i64)> {
    gaps(companions.iter().map(|it| (it.from_us, it.until_us)), from_us, until_us)
}

/// Returns the spans between two instants that none of the given spans covers.
pub(crate) fn gaps(spans: impl Iterator<Item = (i64, i64)>, from_us: i64, until_us: i64) -> Vec<(i64, i64)> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    let mut gaps = Vec::new();
    let mut covered = from_us;
    for (from, until) in spans {
        if covered < from.min(until_us) {
            gaps.push((covered, from.min(until_us)));
        }
        covered = covered.max(until);
    }
    if covered < until_us {
        gaps.push((covered, until_us));
    }
    gaps
}

/// A student has died (`status=deceased`): what is left is to stop, to guard, and to care for those around.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// When it was entered.
    pub at_us: i64,
    /// The two named persons who may still look; nobody else may.
    pub readers: [String; 2],
}

impl Death {
    /// What stops from then on: everything that leaves by itself.
    pub fn stops() -> &'static [Stopped] {
        Stopped::ALL
    }
}

/// Weeks after a death in which room-mates, class and those on duty are cared for.
pub const POSTVENTION_WEEKS: [i64; 3] = [2, 4, 12];

/// Returns when room-mates, class and those on duty are to be cared for.
pub fn postvention_dates(died_us: i64) -> [i64; 3] {
    POSTVENTION_WEEKS.map(|week| died_us + week * 7 * DAY_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crisis(is_danger_immediate: bool) -> Crisis {
        Crisis {
            declared_by: "lin".to_owned(),
            declared_us: 0,
            is_danger_immediate,
            steps: Vec::new(),
            companions: Vec::new(),
            conference_us: None,
            ended_us: None,
        }
    }

    fn done(step: CrisisStep, at: i64) -> CrisisStepDone {
        CrisisStepDone { step, by: "lin".to_owned(), at_us: at * MINUTE_US, result: CrisisResult::Done }
    }

    #[test]
    fn five_minutes_ten_minutes_thirty_minutes() {
        let open = crisis(false).open_steps();
        let due: Vec<_> = open.iter().map(|(step, due)| (*step, due / MINUTE_US)).collect();
        let expected = [
            (CrisisStep::Telephone, 5),
            (CrisisStep::Acknowledge, 5),
            (CrisisStep::TellSecretary, 10),
            (CrisisStep::TellPsychologist, 10),
            (CrisisStep::TellSecurity, 10),
            (CrisisStep::OnSite, 30),
        ];
        assert_eq!(due, expected);
        assert_eq!(crisis(true).open_steps()[0], (CrisisStep::CallEmergency, 0), "before all else");
    }

    #[test]
    fn a_step_that_nobody_answered_stays_open() {
        let mut crisis = crisis(false);
        crisis.steps.push(CrisisStepDone { result: CrisisResult::NoAnswer, ..done(CrisisStep::TellSecurity, 6) });
        assert!(!crisis.is_settled(CrisisStep::TellSecurity));
        crisis.steps.push(done(CrisisStep::TellSecurity, 8));
        assert!(crisis.is_settled(CrisisStep::TellSecurity));
    }

    #[test]
    fn the_student_is_never_alone_between_two_companions() {
        let mut crisis = crisis(false);
        let companion =
            |from, until| Companion { account: "w".to_owned(), from_us: from * MINUTE_US, until_us: until * MINUTE_US };
        assert_eq!(crisis.alone(90 * MINUTE_US), [], "nobody has found the student yet");
        crisis.steps.push(done(CrisisStep::OnSite, 20));
        crisis.companions = vec![companion(60, 120), companion(20, 50)];
        assert_eq!(crisis.alone(90 * MINUTE_US), [(50 * MINUTE_US, 60 * MINUTE_US)]);
        crisis.companions.push(companion(45, 65));
        assert_eq!(crisis.alone(90 * MINUTE_US), []);
        assert_eq!(crisis.alone(130 * MINUTE_US), [(120 * MINUTE_US, 130 * MINUTE_US)]);
    }

    #[test]
    fn after_a_death_all_that_leaves_by_itself_stops_and_three_weeks_are_kept() {
        assert_eq!(Death::stops().len(), 4);
        assert_eq!(postvention_dates(0).map(|it| it / DAY_US), [14, 28, 84]);
    }
}
