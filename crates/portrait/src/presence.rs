//! How alike two days in a row are, in or out of the dormitory.
//!
//! Reads one student's passages through the gates on days the gates were seen; which days are covered is the caller's to
//! know. Days begin at 04:00, so a return at 01:30 belongs to the evening before.

const MINUTES: u16 = 1440;

/// One passage through a dormitory gate, or a covered day without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passage {
    /// Campus day; only that consecutive days have consecutive numbers matters.
    pub day: i32,
    /// Minutes since the campus day began, below 1440. Ignored on a day without passages.
    pub minute: u16,
    /// Into the dormitory or out of it; `None` says the gates were seen all day and the student was not.
    pub is_in: Option<bool>,
}

/// How regular a presence is, and on how much that rests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularity {
    /// -100 is every day the reverse of the one before, 0 is chance, 100 is every day the same.
    pub value: f64,
    /// Pairs of consecutive days compared, at least 1.
    pub pairs: u32,
}

/// Returns how often a student is in the same state, in or out, at the same minute of two days in a row.
///
/// Before the first passage of a day the state is the opposite of its direction, later it is the direction of the last
/// passage. A covered day without passages keeps the state in which the day before ended; if that day is not known, it is
/// no day. Two directions in one minute are an exit and a return. `None` means no two consecutive days are known, or a
/// minute lies outside the day. Sorts `passages` and drops a passage read twice.
///
/// # Shape
/// `passages`: all of one student's window, in any order, at least one row for every covered day.
///
/// # Units
/// Out: dimensionless, in `[-100, 100]`.
///
/// # Source
/// Sleep regularity index of Phillips et al. (2017), with presence for sleep:
/// `-100 + 200 / (M (N - 1)) * sum delta(s_i,j, s_i,j+1)`, `M` = 1440, `N - 1` = the pairs.
pub fn presence_regularity(passages: &mut Vec<Passage>) -> Option<Regularity> {
    if passages.iter().any(|it| it.is_in.is_some() && MINUTES <= it.minute) {
        return None;
    }
    passages.sort_unstable();
    passages.dedup();

    let mut pairs: u32 = 0;
    let mut equal: u64 = 0;
    let mut yesterday = Day { number: 0, stretches: Vec::new() };
    let mut today = Day { number: 0, stretches: Vec::new() };
    for rows in passages.chunk_by(|a, b| a.day == b.day) {
        let day = rows[0].day;
        let follows = !yesterday.stretches.is_empty() && yesterday.number.checked_add(1) == Some(day);
        today.number = day;
        today.stretches.clear();
        for (minute, is_in) in rows.iter().filter_map(|it| it.is_in.map(|is_in| (it.minute, is_in))) {
            if today.stretches.is_empty() {
                today.stretches.push((0, !is_in));
            }
            today.stretches.push((minute, is_in));
        }
        if today.stretches.is_empty()
            && follows
            && let Some((_, state)) = yesterday.stretches.last()
        {
            today.stretches.push((0, *state));
        }
        if follows && !today.stretches.is_empty() {
            pairs += 1;
            equal += u64::from(minutes_alike(&yesterday.stretches, &today.stretches));
        }
        std::mem::swap(&mut yesterday, &mut today);
    }
    if pairs == 0 {
        return None;
    }
    let minutes = f64::from(MINUTES) * f64::from(pairs);
    Some(Regularity { value: -100.0 + 200.0 * equal as f64 / minutes, pairs })
}

/// A day as its changes: from which minute on the student is in. Empty: nothing is known of the day.
struct Day {
    number: i32,
    stretches: Vec<(u16, bool)>,
}

/// Minutes of two known days in which the state is the same. Walks the changes of both, not the minutes.
fn minutes_alike(one: &[(u16, bool)], other: &[(u16, bool)]) -> u32 {
    let mut alike = 0;
    let (mut i, mut j, mut from) = (0, 0, 0);
    loop {
        let one_end = one.get(i + 1).map_or(MINUTES, |it| it.0);
        let other_end = other.get(j + 1).map_or(MINUTES, |it| it.0);
        let to = one_end.min(other_end);
        if one[i].1 == other[j].1 {
            alike += u32::from(to - from);
        }
        if to == MINUTES {
            return alike;
        }
        i += usize::from(one_end == to);
        j += usize::from(other_end == to);
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[(i32, u16, Option<bool>)], expected: Option<(f64, u32)>) {
        let mut passages: Vec<Passage> =
            rows.iter().rev().map(|(day, minute, is_in)| Passage { day: *day, minute: *minute, is_in: *is_in }).collect();
        let actual = presence_regularity(&mut passages).map(|it| ((it.value * 1e6).round() / 1e6, it.pairs));
        assert_eq!(actual, expected, "passages {rows:?}");
    }

    const IN: Option<bool> = Some(true);
    const OUT: Option<bool> = Some(false);

    #[test]
    fn no_two_days_in_a_row_say_nothing() {
        check(&[], None);
        check(&[(1, 240, OUT), (1, 1080, IN)], None);
        check(&[(1, 240, OUT), (3, 240, OUT)], None);
        check(&[(i32::MAX, 240, OUT), (i32::MIN, 240, OUT)], None);
    }

    #[test]
    fn the_same_day_twice_is_perfectly_regular() {
        check(&[(1, 240, OUT), (1, 1080, IN), (2, 240, OUT), (2, 1080, IN)], Some((100.0, 1)));
    }

    #[test]
    fn a_reversed_day_is_perfectly_irregular() {
        check(&[(1, 720, OUT), (2, 720, IN)], Some((-100.0, 1)));
    }

    #[test]
    fn a_return_six_hours_later_costs_a_quarter_of_the_day() {
        check(&[(1, 240, OUT), (1, 1080, IN), (2, 240, OUT), (2, 720, IN)], Some((50.0, 1)));
    }

    #[test]
    fn a_day_without_passages_keeps_the_last_state() {
        // In from minute 720 on, then in all day: the first half differs.
        check(&[(1, 720, IN), (2, 0, None)], Some((0.0, 1)));
        check(&[(1, 720, IN), (2, 0, None), (3, 0, None)], Some((50.0, 2)));
    }

    #[test]
    fn a_day_without_passages_after_an_unknown_day_is_no_day() {
        check(&[(1, 0, None), (2, 720, IN)], None);
        check(&[(1, 720, IN), (3, 0, None), (4, 720, IN)], None);
        check(&[(1, 720, IN), (3, 0, None), (4, 720, IN), (5, 720, IN)], Some((100.0, 1)));
    }

    #[test]
    fn an_exit_and_a_return_in_one_minute_leave_the_student_in() {
        check(&[(1, 600, IN), (1, 600, OUT), (2, 0, None)], Some((100.0, 1)));
    }

    #[test]
    fn a_minute_outside_the_day_says_nothing() {
        check(&[(1, 1440, IN), (2, 600, IN)], None);
        // In from 600 on, then in all day: 840 of 1440 minutes are alike.
        check(&[(1, 600, IN), (2, 9999, None)], Some((16.666667, 1)));
    }
}
