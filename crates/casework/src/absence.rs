//! What somebody found who looked after a student that a night's list misses (当晚未归核实).

codes! {
    /// The answer of whoever looked.
    AbsenceResult {
        InRoom = "in_room", "在寝", "in the room";
        Excused = "excused", "已报备或请假", "away with leave or notice";
        Contacted = "contacted", "已联系到本人", "the student was reached";
        NotFound = "not_found", "未找到", "not found";
    }
}

impl AbsenceResult {
    /// Says whether a safety check is offered next. It is never opened by itself: a person says that contact is lost.
    pub fn offers_check(self) -> bool {
        self == Self::NotFound
    }

    /// Says whether an answer of the instant `at_us` still explains why a list misses a student whom gates and cards saw last at
    /// `seen_us`. Leave or notice explains the night; who was found or reached explains what was before, and no exit after it.
    /// Both are microseconds since 1970; `seen_us` is nothing where nobody saw them.
    pub fn explains(self, at_us: i64, seen_us: Option<i64>) -> bool {
        match self {
            Self::Excused => true,
            Self::InRoom | Self::Contacted => seen_us.is_none_or(|it| it <= at_us),
            Self::NotFound => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_not_found_is_looked_for_further() {
        let offered: Vec<_> = AbsenceResult::ALL.iter().filter(|it| it.offers_check()).collect();
        assert_eq!(offered, [&AbsenceResult::NotFound]);
    }

    #[test]
    fn who_was_found_is_answered_for_until_something_is_seen_of_them_again() {
        let of = |result: AbsenceResult| {
            [result.explains(100, None), result.explains(100, Some(100)), result.explains(100, Some(101))]
        };
        assert_eq!(of(AbsenceResult::InRoom), [true, true, false]);
        assert_eq!(of(AbsenceResult::Contacted), [true, true, false]);
        assert_eq!(of(AbsenceResult::Excused), [true, true, true]);
        assert_eq!(of(AbsenceResult::NotFound), [false, false, false]);
    }
}
