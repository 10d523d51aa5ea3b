//! Nothing that casework says holds a word that no screen, message or form of ours may show.

#[cfg(test)]
mod tests {
    use schema::forbidden;

    use crate::codes::Text;
    use crate::*;

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
        texts.extend(all(ActName::ALL, ActName::text));
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
        texts.extend(all(SweepAnswer::ALL, SweepAnswer::text));
        texts.extend(all(RecordKind::ALL, RecordKind::text));
        texts.extend(all(ConferenceDecision::ALL, ConferenceDecision::text));
        texts.extend(all(GuardianRelation::ALL, GuardianRelation::text));
        texts.extend(all(Told::ALL, Told::text));
        for (guardian, choice) in [
            (Guardian::Caution, None),
            (Guardian::Caution, Some(ParentsChoice::Call)),
            (Guardian::Caution, Some(ParentsChoice::Skip)),
            (Guardian::Normal, None),
        ] {
            texts.extend(Family { guardian, choice, is_minor: true }.text());
        }
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
