//! Who is responsible at any moment: hand-overs that both sides confirm, delegations that end, shifts without gaps.

use serde::{Deserialize, Serialize};

use crate::actor::Role;
use crate::crisis::gaps;
use crate::deadline::DAY_US;
use crate::refusal::Refusal;

/// How long both sides have to confirm before the college takes over (our default).
const CONFIRM_US: i64 = 3 * DAY_US;

codes! {
    /// A post of the duty roster that is manned round the clock.
    Post {
        DutyOffice = "duty_office", "校总值班室", "university duty office";
        PsychologyNight = "psychology_night", "心理夜间值班", "psychology at night";
        CollegeDuty = "college_duty", "院系值班", "college on duty";
        SecurityOffice = "security_office", "保卫处", "security";
        Hospital = "hospital", "校医院", "university hospital";
    }
}

codes! {
    /// What somebody is to a student.
    Relation {
        Counselor = "counselor", "责任辅导员", "responsible counselor";
        Tutor = "tutor", "班主任、导师", "class teacher or tutor";
        Psychologist = "psychologist", "心理对接教师", "psychologist of the college";
        Secretary = "secretary", "院系副书记", "deputy secretary of the college";
    }
}

/// A counselor's responsibility for a student, from one instant to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The student.
    pub student_key: i64,
    /// The account of the counselor.
    pub counselor: String,
    /// From when.
    pub from_us: i64,
    /// Until when, if it has ended.
    pub until_us: Option<i64>,
}

/// Whether a student has exactly one responsible counselor, as every enrolled student must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Responsibility {
    /// Exactly one.
    One(String),
    /// Nobody: the student goes on the list of students without one (无责任人学生).
    Nobody,
    /// More than one, by account.
    Several(Vec<String>),
}

/// Returns who is responsible for a student at an instant.
pub fn responsibility(assignments: &[Assignment], student_key: i64, now: i64) -> Responsibility {
    let runs =
        |it: &&Assignment| it.student_key == student_key && it.from_us <= now && it.until_us.is_none_or(|until| now < until);
    let mut accounts: Vec<String> = assignments.iter().filter(runs).map(|it| it.counselor.clone()).collect();
    accounts.sort();
    accounts.dedup();
    match accounts.len() {
        0 => Responsibility::Nobody,
        1 => Responsibility::One(accounts.remove(0)),
        _ => Responsibility::Several(accounts),
    }
}

/// Returns the one responsible counselor; none if there is nobody or it is not clear.
pub fn responsible(assignments: &[Assignment], student_key: i64, now: i64) -> Option<String> {
    match responsibility(assignments, student_key, now) {
        Responsibility::One(account) => Some(account),
        Responsibility::Nobody | Responsibility::Several(_) => None,
    }
}

/// Somebody does another's work for a while; always with an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Whose work.
    pub from: String,
    /// Who does it.
    pub to: String,
    /// From when.
    pub from_us: i64,
    /// Until when.
    pub until_us: i64,
}

/// Longest delegation; what lasts longer is a hand-over.
const DELEGATION_US_MAX: i64 = 60 * DAY_US;

impl Delegation {
    /// Checks that it has an end, and soon enough.
    ///
    /// # Errors
    /// If it ends before it begins, lasts longer than 60 days, or goes to the same person.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.until_us <= self.from_us || DELEGATION_US_MAX < self.until_us - self.from_us || self.from == self.to {
            return Err(Refusal::DelegationSpan);
        }
        Ok(())
    }

    /// Says whether it runs at an instant.
    pub fn runs_at(&self, now: i64) -> bool {
        self.from_us <= now && now < self.until_us
    }
}

/// Says whether an account may do another's work now. What was delegated is not delegated on.
pub fn may_stand_in(delegations: &[Delegation], account: &str, whose: &str, now: i64) -> bool {
    account == whose || delegations.iter().any(|it| it.to == account && it.from == whose && it.runs_at(now))
}

/// One manned span of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyShift {
    /// Which post.
    pub post: Post,
    /// Who stands there.
    pub account: String,
    /// Who comes when that one cannot; a span without is a check item.
    pub backup: Option<String>,
    /// From when.
    pub from_us: i64,
    /// Until when.
    pub until_us: i64,
}

/// Returns the spans in which a post has no person, or no backup.
pub fn covered_gaps(shifts: &[DutyShift], post: Post, from_us: i64, until_us: i64) -> Vec<(i64, i64)> {
    let whole = shifts.iter().filter(|it| it.post == post && it.backup.as_ref().is_some_and(|backup| *backup != it.account));
    gaps(whole.map(|it| (it.from_us, it.until_us)), from_us, until_us)
}

codes! {
    /// How far a hand-over is.
    HandOverState {
        Offered = "offered", "待双方确认", "waits for both sides";
        Confirmed = "confirmed", "双方已确认", "confirmed by both sides";
        TakenOver = "taken_over", "院系副书记接管", "taken over by the college";
    }
}

/// Everything open of one person goes to another: cases, tickets, follow-ups and their telephone number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// Who gives.
    pub from: String,
    /// Who takes.
    pub to: String,
    /// Whose responsibility goes over.
    pub students: Vec<i64>,
    /// When it was offered.
    pub offered_us: i64,
    /// When the giver confirmed.
    pub given_us: Option<i64>,
    /// When the taker confirmed.
    pub taken_us: Option<i64>,
    /// The deputy secretary who took over what was not confirmed in time.
    pub taken_over_by: Option<String>,
}

impl HandOver {
    /// Returns how far it is.
    pub fn state(&self) -> HandOverState {
        match (&self.taken_over_by, self.given_us, self.taken_us) {
            (Some(_), ..) => HandOverState::TakenOver,
            (None, Some(_), Some(_)) => HandOverState::Confirmed,
            _ => HandOverState::Offered,
        }
    }

    /// Returns until when both sides must have confirmed.
    pub fn due_us(&self) -> i64 {
        self.offered_us + CONFIRM_US
    }

    /// Notes that one side confirms.
    ///
    /// # Errors
    /// If it is over, or the account is neither side.
    pub fn confirm(mut self, account: &str, now: i64) -> Result<Self, Refusal> {
        if self.state() != HandOverState::Offered {
            return Err(Refusal::HandOverOver);
        }
        if account == self.from {
            self.given_us.get_or_insert(now);
        } else if account == self.to {
            self.taken_us.get_or_insert(now);
        } else {
            return Err(Refusal::HandOverStranger);
        }
        Ok(self)
    }

    /// Notes that the deputy secretary of the college takes over what was not confirmed in time.
    ///
    /// # Errors
    /// If it is over, not yet overdue, or somebody else tries.
    pub fn take_over(mut self, account: &str, role: Role, now: i64) -> Result<Self, Refusal> {
        if self.state() != HandOverState::Offered || now < self.due_us() {
            return Err(Refusal::HandOverOver);
        }
        if role != Role::CollegeSecretary {
            return Err(Refusal::HandOverStranger);
        }
        self.taken_over_by = Some(account.to_owned());
        Ok(self)
    }

    /// Returns who is responsible for its students now: the giver, until it is settled.
    pub fn responsible(&self) -> &str {
        match self.state() {
            HandOverState::Offered => &self.from,
            HandOverState::Confirmed => &self.to,
            HandOverState::TakenOver => self.taken_over_by.as_deref().unwrap_or(&self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand_over() -> HandOver {
        HandOver {
            from: "lin".to_owned(),
            to: "wang".to_owned(),
            students: vec![1],
            offered_us: 0,
            given_us: None,
            taken_us: None,
            taken_over_by: None,
        }
    }

    #[test]
    fn at_every_moment_of_a_hand_over_exactly_one_is_responsible() {
        let offered = hand_over();
        assert_eq!(offered.responsible(), "lin");
        let given = offered.confirm("lin", 1).unwrap();
        assert_eq!((given.state(), given.responsible()), (HandOverState::Offered, "lin"));
        assert_eq!(given.clone().confirm("zhao", 2), Err(Refusal::HandOverStranger));
        let taken = given.confirm("wang", 2).unwrap();
        assert_eq!((taken.state(), taken.responsible()), (HandOverState::Confirmed, "wang"));
        assert_eq!(taken.confirm("wang", 3), Err(Refusal::HandOverOver));
    }

    #[test]
    fn what_nobody_confirms_in_time_goes_to_the_college() {
        let early = hand_over().take_over("chen", Role::CollegeSecretary, CONFIRM_US - 1);
        assert_eq!(early, Err(Refusal::HandOverOver));
        assert_eq!(hand_over().take_over("chen", Role::Counselor, CONFIRM_US), Err(Refusal::HandOverStranger));
        let taken = hand_over().take_over("chen", Role::CollegeSecretary, CONFIRM_US).unwrap();
        assert_eq!((taken.state(), taken.responsible()), (HandOverState::TakenOver, "chen"));
    }

    #[test]
    fn a_student_has_one_counselor_nobody_or_a_conflict() {
        let assignment = |counselor: &str, from_us, until_us| Assignment {
            student_key: 1,
            counselor: counselor.to_owned(),
            from_us,
            until_us,
        };
        let assignments = [assignment("lin", 0, Some(10)), assignment("wang", 10, None), assignment("zhao", 20, None)];
        assert_eq!(responsible(&assignments, 1, 9).as_deref(), Some("lin"));
        assert_eq!(responsible(&assignments, 1, 10).as_deref(), Some("wang"), "no moment with two, none with nobody");
        assert_eq!(responsibility(&assignments, 2, 10), Responsibility::Nobody);
        let both = Responsibility::Several(vec!["wang".to_owned(), "zhao".to_owned()]);
        assert_eq!(responsibility(&assignments, 1, 20), both);
        assert_eq!(responsible(&assignments, 1, 20), None);
    }

    #[test]
    fn a_delegation_ends_and_is_not_passed_on() {
        let delegation = |from: &str, to: &str| Delegation { from: from.to_owned(), to: to.to_owned(), from_us: 0, until_us: 10 };
        let delegations = [delegation("lin", "wang"), delegation("wang", "zhao")];
        assert!(may_stand_in(&delegations, "wang", "lin", 9));
        assert!(!may_stand_in(&delegations, "wang", "lin", 10));
        assert!(!may_stand_in(&delegations, "zhao", "lin", 5));
        assert_eq!(delegation("lin", "lin").check(), Err(Refusal::DelegationSpan));
        assert_eq!(Delegation { until_us: 61 * DAY_US, ..delegation("lin", "wang") }.check(), Err(Refusal::DelegationSpan));
        assert_eq!(delegation("lin", "wang").check(), Ok(()));
    }

    #[test]
    fn an_hour_without_a_person_and_a_backup_is_found() {
        let shift = |from_us, until_us, backup: Option<&str>| DutyShift {
            post: Post::PsychologyNight,
            account: "lin".to_owned(),
            backup: backup.map(str::to_owned),
            from_us,
            until_us,
        };
        let shifts = [shift(0, 8, Some("wang")), shift(8, 16, None), shift(16, 20, Some("lin"))];
        assert_eq!(covered_gaps(&shifts, Post::PsychologyNight, 0, 24), [(8, 24)], "nobody stands in for themselves");
        assert_eq!(covered_gaps(&shifts, Post::Hospital, 0, 24), [(0, 24)]);
    }
}
