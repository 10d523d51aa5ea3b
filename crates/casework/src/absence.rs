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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_not_found_is_looked_for_further() {
        let offered: Vec<_> = AbsenceResult::ALL.iter().filter(|it| it.offers_check()).collect();
        assert_eq!(offered, [&AbsenceResult::NotFound]);
    }
}
