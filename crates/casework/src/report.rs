//! What people write beside cases: observations, weekly answers, screenings, sweeps, and the plans of contacts.
//!
//! Free text is not here: an observation's text lies sealed in the store. An observation asks for behaviours in plain words
//! and never for a diagnosis. What is recorded on a case stands in `record.rs`.

use serde::{Deserialize, Serialize};

use crate::codes::Text;
use crate::deadline::DAY_US;
use crate::error::Error;
use crate::thread::Outcome;

/// The line on top of the workbench and of every observation form.
#[derive(Debug, Clone, Copy)]
pub struct EmergencyLine;

/// The line on top of the workbench and of every observation form.
pub const EMERGENCY_LINE: EmergencyLine = EmergencyLine;

impl EmergencyLine {
    /// Returns the line with the school's own number, which is answered round the clock.
    pub fn with_phone(self, school_phone: &str) -> Text {
        Text::new(
            format!("有立即危险先拨110/120和学校24小时值班电话（{school_phone}），不要让同学独处。"),
            format!(
                "In immediate danger call 110 or 120 and the school's 24-hour number ({school_phone}) first; do not leave the student alone."
            ),
        )
    }
}

/// The answer of a weekly observation in which nothing was seen; it is an answer.
pub const NOTHING_TO_REPORT: (&str, &str) = ("本周无情况", "nothing to report this week");

codes! {
    /// A sign that was seen or heard, in plain words.
    Sign {
        WishToDisappear = "wish_to_disappear", "说过不想活、想消失一类的话", "said they do not want to live or want to vanish";
        HurtBefore = "hurt_before", "说过或被看到伤害自己", "told of hurting themselves, or was seen to";
        Farewell = "farewell", "告别、送出心爱的东西、安排后事", "says goodbye, gives dear things away";
        SevereIllness = "severe_illness", "得了重病或长期身体不适", "is gravely or long ill";
        TakesMedicine = "takes_medicine", "长期服药或突然停药", "takes medicine for long, or stopped suddenly";
        SleepsBadly = "sleeps_badly", "连续多日睡不着或整日睡", "does not sleep for days, or sleeps all day";
        EatsBadly = "eats_badly", "连续多日很少吃饭或暴饮暴食", "hardly eats for days, or far too much";
        GreatLoss = "great_loss", "家里出了大事或亲友去世", "something grave happened at home, or somebody died";
        SuddenChange = "sudden_change", "言行突然和以前很不一样", "suddenly speaks or acts unlike before";
        StudyTrouble = "study_trouble", "挂科、学业跟不上、怕毕不了业", "fails courses or fears not to graduate";
        Punished = "punished", "受了处分或与人起了大冲突", "was punished or had a grave quarrel";
        Heartbreak = "heartbreak", "失恋或感情纠纷", "a love has ended or is in trouble";
        Withdrawn = "withdrawn", "不愿与人来往，总是一个人", "keeps away from others";
        RoomConflict = "room_conflict", "与室友关系紧张", "is at odds with room-mates";
        JobWorry = "job_worry", "求职、升学屡屡受挫", "is refused again and again for work or study";
        OnlineAllDay = "online_all_day", "整日上网，不去上课", "is online all day and skips classes";
        MoneyTrouble = "money_trouble", "突然缺钱、借网贷、被催债", "short of money, in debt";
        HardToReach = "hard_to_reach", "经常旷课、缺寝或联系不上", "often absent, out at night, or not to be reached";
        LowForLong = "low_for_long", "两周以上情绪低落、流泪", "low and tearful for more than two weeks";
        Bullied = "bullied", "被欺负、孤立或骚扰", "is bullied, shut out or harassed";
    }
}

impl Sign {
    /// Says whether the form shows the emergency line again beside this sign, and the report goes to who is on shift.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::WishToDisappear | Self::HurtBefore | Self::Farewell)
    }
}

/// An observation of one student; its text lies sealed beside it.
///
/// Written by anybody, read by those who follow up: the reporter gets an answer, never the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservationReport {
    /// The student.
    pub student_key: i64,
    /// What was seen, each once.
    pub signs: Vec<Sign>,
    /// Whether the reporter believes somebody must go there now.
    pub is_urgent: bool,
    /// The day on which it was seen, in days since 1970, if the reporter named one.
    #[serde(default)]
    pub seen_day: Option<i64>,
}

impl ObservationReport {
    /// Longest text in bytes.
    pub const TEXT_BYTES_MAX: usize = 8_192;

    /// Checks that there is something to follow up.
    ///
    /// # Errors
    /// If neither a sign nor a text is given, a sign is named twice, or the text is too long.
    pub fn check(&self, text: &str) -> Result<(), Error> {
        let wrong = |why| Err(Error::Inconsistent { record: "observation report", why });
        if self.signs.is_empty() && text.trim().is_empty() {
            return wrong("name a sign or write what was seen");
        }
        if self.signs.iter().enumerate().any(|(at, it)| self.signs[..at].contains(it)) {
            return wrong("a sign is named twice");
        }
        if Self::TEXT_BYTES_MAX < text.len() {
            return wrong("the text is longer than 8192 bytes");
        }
        Ok(())
    }

    /// Says whether who is on shift is to be told at once.
    pub fn goes_to_shift(&self) -> bool {
        self.is_urgent || self.signs.iter().any(|it| it.is_urgent())
    }
}

/// Returns what the reporter is told, which says that somebody cares and nothing of the student.
pub fn feedback(outcome: Option<Outcome>) -> Text {
    match outcome {
        None => Text::new("已收到，老师正在跟进。谢谢你的关心。", "Received; somebody is following up. Thank you for caring."),
        Some(Outcome::NotReachable) => Text::new(
            "老师已多次联系，仍在跟进；如有新情况请再告诉我们。",
            "Somebody keeps trying; please tell us if you see more.",
        ),
        Some(_) => Text::new("老师已联系并处理。谢谢你的关心。", "Somebody got in touch and took care. Thank you for caring."),
    }
}

/// A weekly observation of a room or class, where "nothing to report" is an answer (宿舍长→心理委员→辅导员).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklyObservation {
    /// The Monday of the week, in days since 1970.
    pub week_day: i64,
    /// The room or class, as scopes write it.
    pub scope: String,
    /// How many reports were written; 0 is "nothing to report".
    pub n_reports: i64,
}

impl WeeklyObservation {
    /// Returns the answer in words.
    pub fn answer(&self) -> Text {
        if self.n_reports == 0 {
            return Text::new(NOTHING_TO_REPORT.0, NOTHING_TO_REPORT.1);
        }
        Text::new(format!("本周上报{}条", self.n_reports), format!("{} reported this week", self.n_reports))
    }
}

/// A screening and how far it is; scores stay in the closed store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreeningCampaign {
    /// Its name.
    pub name: String,
    /// The version of the consent form that was signed (知情同意书版本).
    pub consent_version: String,
    /// How many are to be screened (应测).
    pub n_due: i64,
    /// How many were (已测).
    pub n_done: i64,
    /// How many are to be talked to (应约谈).
    pub n_to_talk: i64,
    /// How many were (已约谈).
    pub n_talked: i64,
}

impl ScreeningCampaign {
    /// Checks that a consent form is named and no part is larger than its whole.
    ///
    /// # Errors
    /// If one of it is not so.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |why| Err(Error::Inconsistent { record: "screening campaign", why });
        if self.consent_version.trim().is_empty() {
            return wrong("name the version of the consent form");
        }
        if self.n_talked < 0 || self.n_to_talk < self.n_talked || self.n_done < self.n_to_talk || self.n_due < self.n_done {
            return wrong("due, done, to be talked to and talked to must each hold the next");
        }
        Ok(())
    }
}

codes! {
    /// When a college goes through all its students.
    SweepMoment {
        TermStart = "term_start", "学期初", "beginning of term";
        MidTerm = "mid_term", "期中", "middle of term";
    }
}

codes! {
    /// What a counselor answers of one student in a sweep (排查); every student gets an answer.
    SweepAnswer {
        NothingSeen = "nothing_seen", "看过，无情况", "looked at: nothing to note";
        CaseOpened = "case_opened", "已登记个案", "a case was opened";
        InCare = "in_care", "已在跟进", "already in care";
    }
}

codes! {
    /// Where somebody is referred to; school staff advise medical care and neither diagnose nor treat.
    ReferralTo {
        PsychologyCentre = "psychology_centre", "心理中心", "psychology centre";
        UniversityHospital = "university_hospital", "校医院", "university hospital";
        Emergency = "emergency", "综合医院急诊", "emergency room";
        PsychiatricHospital = "psychiatric_hospital", "专科医院", "specialised hospital";
        Ambulance = "ambulance", "120", "120";
        Police = "police", "110", "110";
        AidCentre = "aid_centre", "资助中心", "financial aid centre";
        AcademicOffice = "academic_office", "教务与学业辅导", "academic office";
    }
}

/// Who follows up when, after a return or a stay in hospital.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowUpPlan {
    /// Who.
    pub owner: String,
    /// From when.
    pub from_us: i64,
    /// The end of the term; it goes on for 18 weeks at least.
    pub term_ends_us: i64,
}

/// The least span of a follow-up: one term.
const TERM_WEEKS: i64 = 18;

/// Returns when to follow up: weeks 1, 2 and 4, then every fourth week for a term at least.
pub fn follow_up_dates(plan: &FollowUpPlan) -> Vec<i64> {
    let week = 7 * DAY_US;
    let until = plan.term_ends_us.clamp(plan.from_us + TERM_WEEKS * week, plan.from_us + 2 * TERM_WEEKS * week);
    let mut dates: Vec<i64> = [1, 2, 4].iter().map(|it| plan.from_us + it * week).collect();
    let mut next = plan.from_us + 8 * week;
    while next < until + 4 * week {
        dates.push(next);
        if until <= next {
            break;
        }
        next += 4 * week;
    }
    dates
}

/// Who keeps in touch over the holidays, how often, case by case (放假前逐案定责任人与联系频次).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakFollowUp {
    /// Who.
    pub owner: String,
    /// First day off.
    pub from_us: i64,
    /// First day of the new term.
    pub until_us: i64,
    /// Days between two contacts.
    pub every_days: i64,
}

/// Returns when to get in touch over the holidays, and last the review within two weeks of the new term.
///
/// # Errors
/// If the break ends before it begins, or the rhythm is not 1 to 14 days.
pub fn break_dates(plan: &BreakFollowUp) -> Result<Vec<i64>, Error> {
    if plan.until_us <= plan.from_us || !(1..=14).contains(&plan.every_days) || 120 * DAY_US < plan.until_us - plan.from_us {
        let why = "a break has an end within 120 days and a contact every 1 to 14 days";
        return Err(Error::Inconsistent { record: "break follow-up", why });
    }
    let step = plan.every_days * DAY_US;
    let mut dates: Vec<i64> = (1..).map(|it| plan.from_us + it * step).take_while(|it| *it < plan.until_us).collect();
    dates.push(plan.until_us + 14 * DAY_US);
    Ok(dates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(dates: &[i64]) -> Vec<i64> {
        dates.iter().map(|it| it / DAY_US / 7).collect()
    }

    #[test]
    fn after_a_return_weeks_one_two_four_then_monthly_for_a_term() {
        let mut plan = FollowUpPlan { owner: "lin".to_owned(), from_us: 0, term_ends_us: 0 };
        assert_eq!(weeks(&follow_up_dates(&plan)), [1, 2, 4, 8, 12, 16, 20], "a term at least");
        plan.term_ends_us = 24 * 7 * DAY_US;
        assert_eq!(weeks(&follow_up_dates(&plan)), [1, 2, 4, 8, 12, 16, 20, 24]);
        plan.term_ends_us = i64::MAX;
        assert!(follow_up_dates(&plan).len() < 20, "a wrong date makes no endless list");
    }

    #[test]
    fn a_break_has_its_contacts_and_a_review_after_it() {
        let plan = BreakFollowUp { owner: "lin".to_owned(), from_us: 0, until_us: 28 * DAY_US, every_days: 7 };
        let days: Vec<i64> = break_dates(&plan).unwrap().iter().map(|it| it / DAY_US).collect();
        assert_eq!(days, [7, 14, 21, 42]);
        assert!(break_dates(&BreakFollowUp { every_days: 0, ..plan }).is_err());
    }

    #[test]
    fn a_screening_has_a_consent_form_and_its_parts_fit_into_each_other() {
        let campaign = ScreeningCampaign {
            name: "newcomers".to_owned(),
            consent_version: "2025-1".to_owned(),
            n_due: 100,
            n_done: 90,
            n_to_talk: 9,
            n_talked: 4,
        };
        assert!(campaign.check().is_ok());
        assert!(ScreeningCampaign { n_talked: 10, ..campaign.clone() }.check().is_err());
        assert!(ScreeningCampaign { consent_version: " ".to_owned(), ..campaign }.check().is_err());
    }

    #[test]
    fn an_observation_asks_for_twenty_signs_and_takes_text_alone() {
        assert_eq!(Sign::ALL.len(), 20);
        let report =
            |signs: &[Sign]| ObservationReport { student_key: 1, signs: signs.to_vec(), is_urgent: false, seen_day: None };
        assert!(report(&[]).check("  ").is_err());
        assert!(report(&[]).check("三天没下床").is_ok());
        assert!(report(&[Sign::Withdrawn]).check("").is_ok());
        assert!(report(&[Sign::Withdrawn, Sign::Withdrawn]).check("").is_err());
        assert!(report(&[Sign::Withdrawn]).check(&"a".repeat(8_193)).is_err());
        assert!(report(&[Sign::Farewell]).goes_to_shift() && !report(&[Sign::Withdrawn]).goes_to_shift());
    }

    #[test]
    fn nothing_to_report_is_an_answer() {
        let week = WeeklyObservation { week_day: 20_000, scope: "dorm:N3-412".to_owned(), n_reports: 0 };
        assert_eq!(week.answer().zh, "本周无情况");
    }
}
