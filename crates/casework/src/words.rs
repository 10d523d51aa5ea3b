//! Words that no screen, message or form of ours may show.

/// Words the house never says of a student, in both languages; compared without case.
///
/// A machine's finding is said as a fact ("近两周早餐次数减少"), a person's as a behaviour that was seen.
pub const FORBIDDEN: &[&str] = &[
    "自杀风险",
    "自杀倾向",
    "抑郁",
    "异常",
    "高危",
    "问题学生",
    "精神病",
    "心理疾病",
    "不正常",
    "suicide risk",
    "suicidal",
    "depress",
    "abnormal",
    "high-risk",
    "high risk",
    "problem student",
    "mentally ill",
];

/// Returns the forbidden words that a text holds, in the order of the list; none is the right answer.
pub fn forbidden(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    FORBIDDEN.iter().copied().filter(|it| text.contains(it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Text;
    use crate::*;

    #[test]
    fn a_forbidden_word_is_found_whatever_stands_around_it() {
        assert_eq!(forbidden("该生有自杀倾向，系高危"), ["自杀倾向", "高危"]);
        assert_eq!(forbidden("A High-Risk student"), ["high-risk"]);
        assert_eq!(forbidden("近两周早餐次数减少"), [""; 0]);
    }

    #[test]
    fn nothing_that_casework_says_holds_a_forbidden_word() {
        fn all<T: Copy>(values: &[T], text: impl Fn(T) -> Text) -> Vec<Text> {
            values.iter().map(|it| text(*it)).collect()
        }
        let mut texts = Vec::new();
        texts.extend(all(Kind::ALL, Kind::text));
        texts.extend(all(State::ALL, State::text));
        texts.extend(all(Outcome::ALL, Outcome::text));
        texts.extend(all(Reached::ALL, Reached::text));
        texts.extend(all(Source::ALL, Source::text));
        texts.extend(all(Role::ALL, Role::text));
        texts.extend(all(Post::ALL, Post::text));
        texts.extend(all(Relation::ALL, Relation::text));
        texts.extend(all(StepName::ALL, StepName::text));
        texts.extend(all(Network::ALL, Network::text));
        texts.extend(all(CrisisStep::ALL, CrisisStep::text));
        texts.extend(all(CrisisResult::ALL, CrisisResult::text));
        texts.extend(all(Stopped::ALL, Stopped::text));
        texts.extend(all(Rung::ALL, Rung::text));
        texts.extend(all(CheckCause::ALL, CheckCause::text));
        texts.extend(all(CheckResult::ALL, CheckResult::text));
        texts.extend(all(ReferralTo::ALL, ReferralTo::text));
        texts.extend(all(LeaveReason::ALL, LeaveReason::text));
        texts.extend(all(ReturnDecision::ALL, ReturnDecision::text));
        texts.extend(all(SweepMoment::ALL, SweepMoment::text));
        texts.extend(all(Sign::ALL, Sign::text));
        texts.extend(all(Outcome::ALL, |it| feedback(Some(it))));
        texts.push(feedback(None));
        texts.push(EMERGENCY_LINE.with_phone("0516-83590110"));
        texts.push(Text::new(NOTHING_TO_REPORT.0, NOTHING_TO_REPORT.1));
        texts.extend(Refusal::samples().iter().map(Refusal::text));
        for role in Role::ALL {
            for severity in Severity::ALL {
                if let Some(shown) = LabelScheme::default().shown_to(*role, *severity) {
                    texts.push(shown.text);
                }
            }
        }
        assert!(150 < texts.len());
        for text in texts {
            assert!(!text.zh.is_empty() && !text.en.is_empty(), "{text:?}");
            assert_eq!(forbidden(&text.zh), [""; 0], "{text:?}");
            assert_eq!(forbidden(&text.en), [""; 0], "{text:?}");
            assert!(!text.zh.contains("12356"), "the national line is never shown alone: {text:?}");
        }
    }
}
