//! The safety check: a ladder from a telephone call to 110, climbed until the student is reached.

use serde::{Deserialize, Serialize};

use crate::deadline::MINUTE_US;
use crate::refusal::Refusal;
use crate::thread::Reached;

codes! {
    /// Why a check was opened; neither is a level.
    CheckCause {
        NoTrace = "no_trace", "数据无记录", "no record in the data";
        LostContact = "lost_contact", "失联", "somebody tried and nobody answered";
    }
}

codes! {
    /// A rung of the ladder.
    Rung {
        CallStudent = "call_student", "电话联系本人", "telephone the student";
        AskRoommates = "ask_roommates", "联系室友、班委", "ask room-mates and class";
        GoToRoom = "go_to_room", "到宿舍查看", "go to the room";
        SecurityCamera = "security_camera", "保卫处查看监控", "security looks at the cameras";
        CallParents = "call_parents", "联系家长", "telephone the parents";
        CallPolice = "call_police", "报警110", "call 110";
    }
}

codes! {
    /// How a rung ended.
    CheckResult {
        Reached = "reached", "已联系到本人", "the student was reached";
        Told = "told", "有人告知去向", "somebody knows where the student is";
        NotReached = "not_reached", "未联系到", "not reached";
        Skipped = "skipped", "按决定跳过", "skipped as decided";
    }
}

codes! {
    /// What is known of the guardian.
    Guardian {
        Normal = "normal", "可联系", "may be reached";
        Caution = "caution", "需心理教师决定", "the psychologist decides first";
    }
}

codes! {
    /// What the psychologist decided about a guardian with whom caution is needed.
    ParentsChoice {
        Call = "call", "联系家长", "reach the parents";
        Skip = "skip", "不联系家长", "do not reach the parents";
    }
}

impl Rung {
    /// Returns how long after the opening the rung must be climbed (our default).
    pub fn limit_us(self) -> i64 {
        let minutes = match self {
            Self::CallStudent => 10,
            Self::AskRoommates => 30,
            Self::GoToRoom => 60,
            Self::SecurityCamera => 90,
            Self::CallParents => 120,
            Self::CallPolice => 150,
        };
        minutes * MINUTE_US
    }
}

/// A rung that was climbed, with its time, person and result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStepDone {
    /// Which rung.
    pub rung: Rung,
    /// Who climbed it.
    pub by: String,
    /// When.
    pub at_us: i64,
    /// Until when it was to be climbed.
    pub due_us: i64,
    /// How it ended.
    pub result: CheckResult,
    /// How the student was reached, if so.
    pub reached: Option<Reached>,
}

/// A safety check as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafetyCheck {
    /// Why it was opened.
    pub cause: CheckCause,
    /// When.
    pub opened_us: i64,
    /// What is known of the guardian.
    pub guardian: Guardian,
    /// What the psychologist decided, where caution is needed.
    pub parents: Option<ParentsChoice>,
    /// What was done, in order.
    pub steps: Vec<CheckStepDone>,
}

impl SafetyCheck {
    /// Returns the rung that is to be climbed next; none when the student was reached or the ladder ends.
    pub fn next(&self) -> Option<Rung> {
        if self.found().is_some() {
            return None;
        }
        let is_skipped = |it: &Rung| {
            *it == Rung::CallParents && self.guardian == Guardian::Caution && self.parents == Some(ParentsChoice::Skip)
        };
        let is_done = |it: &Rung| self.steps.iter().any(|step| step.rung == *it);
        Rung::ALL.iter().copied().find(|it| !is_skipped(it) && !is_done(it))
    }

    /// Returns the next rung and until when it is to be climbed.
    pub fn due(&self) -> Option<(Rung, i64)> {
        self.next().map(|it| (it, self.opened_us + it.limit_us()))
    }

    /// Returns how the student was reached.
    pub fn found(&self) -> Option<Reached> {
        self.steps.iter().find_map(|it| it.reached.filter(|_| it.result == CheckResult::Reached))
    }

    /// Refuses a rung whose turn it is not; 110 may be called at any time.
    ///
    /// # Errors
    /// If a lower rung is missing, or caution is needed with the parents and the psychologist has not decided for it.
    pub fn expect(&self, rung: Rung) -> Result<(), Refusal> {
        if rung == Rung::CallParents && self.guardian == Guardian::Caution && self.parents != Some(ParentsChoice::Call) {
            return Err(Refusal::ParentsUndecided);
        }
        let Some(next) = self.next() else { return Ok(()) };
        if rung == Rung::CallPolice || rung <= next {
            return Ok(());
        }
        // The one rung that waits for somebody's decision must not hold up the next.
        if next == Rung::CallParents && self.guardian == Guardian::Caution {
            return Ok(());
        }
        Err(Refusal::RungMissing { next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guardian: Guardian) -> SafetyCheck {
        SafetyCheck { cause: CheckCause::NoTrace, opened_us: 0, guardian, parents: None, steps: Vec::new() }
    }

    fn climb(check: &mut SafetyCheck, rung: Rung, reached: Option<Reached>) {
        check.expect(rung).expect("its turn");
        let result = if reached.is_some() { CheckResult::Reached } else { CheckResult::NotReached };
        check.steps.push(CheckStepDone { rung, by: "w".to_owned(), at_us: 0, due_us: 0, result, reached });
    }

    #[test]
    fn the_ladder_is_climbed_from_below_until_the_student_is_reached() {
        let mut check = check(Guardian::Normal);
        assert_eq!(check.due(), Some((Rung::CallStudent, 10 * MINUTE_US)));
        assert_eq!(check.expect(Rung::GoToRoom), Err(Refusal::RungMissing { next: Rung::CallStudent }));
        climb(&mut check, Rung::CallStudent, None);
        climb(&mut check, Rung::CallStudent, None);
        climb(&mut check, Rung::AskRoommates, None);
        climb(&mut check, Rung::GoToRoom, Some(Reached::InPerson));
        assert_eq!((check.next(), check.found()), (None, Some(Reached::InPerson)));
    }

    #[test]
    fn police_may_be_called_from_every_rung() {
        assert_eq!(check(Guardian::Normal).expect(Rung::CallPolice), Ok(()));
        assert_eq!(check(Guardian::Caution).expect(Rung::CallPolice), Ok(()));
    }

    #[test]
    fn parents_with_whom_caution_is_needed_are_reached_only_if_the_psychologist_decides_so() {
        let mut check = check(Guardian::Caution);
        for rung in [Rung::CallStudent, Rung::AskRoommates, Rung::GoToRoom, Rung::SecurityCamera] {
            climb(&mut check, rung, None);
        }
        assert_eq!(check.expect(Rung::CallParents), Err(Refusal::ParentsUndecided));
        check.parents = Some(ParentsChoice::Skip);
        assert_eq!(check.expect(Rung::CallParents), Err(Refusal::ParentsUndecided));
        assert_eq!(check.next(), Some(Rung::CallPolice));
        check.parents = Some(ParentsChoice::Call);
        assert_eq!(check.expect(Rung::CallParents), Ok(()));
    }
}
