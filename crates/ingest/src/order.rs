//! The order in which rows are handed over: by campus day, person, instant, and place in the file.

use std::collections::BTreeSet;

/// What the rows are ordered by, each by row of the file.
pub(crate) struct SortKeys<'a> {
    /// Campus days; `None` for states.
    pub(crate) days: Option<&'a [i32]>,
    /// Rank of the student among the students of the file, 0 for none; `None` if the rows have no student.
    pub(crate) ranks: Option<Vec<u32>>,
    /// Instants.
    pub(crate) instants: Vec<i64>,
}

/// Groups a file may have beyond four a row before counting them costs more than it saves.
const GROUPS_FREE: usize = 65_536;

/// Orders the kept rows, and says for every day where its rows end.
///
/// Rows are dealt out to their day and student by counting, which leaves the few rows of one student's day to sort; they
/// nearly always are in order already. A comparison sort of the whole file takes several times as long.
pub(crate) fn order(keys: &SortKeys<'_>, kept: &[u32]) -> (Vec<u32>, Vec<(Option<i32>, usize)>) {
    let days = distinct_days(keys, kept);
    let ranks_n = keys.ranks.as_ref().and_then(|it| it.iter().max()).map_or(1, |it| *it as usize + 1);
    let rank = |row: u32| keys.ranks.as_ref().map_or(0, |it| it[row as usize] as usize);
    let mut last = None;
    let mut day_at = |row: u32| {
        let Some(day) = keys.days.map(|it| it[row as usize]) else { return 0 };
        match last {
            Some((of, at)) if of == day => at,
            _ => {
                let at = days.binary_search(&day).unwrap_or_default();
                last = Some((day, at));
                at
            }
        }
    };
    let instant = |row: &u32| keys.instants[*row as usize];

    let groups = days.len().max(1).saturating_mul(ranks_n);
    let rows = if groups <= GROUPS_FREE + 4 * kept.len() {
        dealt(kept, groups, |row| day_at(row) * ranks_n + rank(row), instant)
    } else {
        let mut rows = kept.to_vec();
        rows.sort_by_cached_key(|it| (day_at(*it), rank(*it), instant(it)));
        rows
    };
    let parts = match keys.days {
        Some(of_row) => {
            let end = |day: &i32| rows.partition_point(|it| of_row[*it as usize] <= *day);
            days.iter().map(|day| (Some(*day), end(day))).collect()
        }
        None if kept.is_empty() => Vec::new(),
        None => vec![(None, kept.len())],
    };
    (rows, parts)
}

fn distinct_days(keys: &SortKeys<'_>, kept: &[u32]) -> Vec<i32> {
    let Some(of_row) = keys.days else { return Vec::new() };
    let mut days = BTreeSet::new();
    let mut last = None;
    for &row in kept {
        let day = of_row[row as usize];
        if last != Some(day) {
            last = Some(day);
            days.insert(day);
        }
    }
    days.into_iter().collect()
}

/// Deals the rows out to their groups, in order of groups, and orders each group by instant and place.
fn dealt(kept: &[u32], groups: usize, mut group: impl FnMut(u32) -> usize, instant: impl Fn(&u32) -> i64 + Copy) -> Vec<u32> {
    let mut rows = vec![0; kept.len()];
    let mut ends = vec![0_u32; groups + 1];
    for &row in kept {
        ends[group(row) + 1] += 1;
    }
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    // `ends[g]` is where group g begins, and where it ends once its rows are dealt out.
    for &row in kept {
        let end = &mut ends[group(row)];
        rows[*end as usize] = row;
        *end += 1;
    }
    let mut start = 0;
    for &end in &ends[..groups] {
        let rows = &mut rows[start..end as usize];
        if !rows.is_sorted_by_key(instant) {
            rows.sort_by_key(instant);
        }
        start = end as usize;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_by_day_then_student_then_instant_then_place() {
        let days = [2, 1, 1, 2, 1, 1];
        let keys = SortKeys { days: Some(&days), ranks: Some(vec![0, 2, 1, 1, 1, 2]), instants: vec![50, 30, 20, 60, 10, 30] };
        let (rows, parts) = order(&keys, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(rows, [4, 2, 1, 5, 0, 3]);
        assert_eq!(parts, [(Some(1), 4), (Some(2), 6)]);

        let (rows, parts) = order(&keys, &[0, 5, 3]);
        assert_eq!(rows, [5, 0, 3]);
        assert_eq!(parts, [(Some(1), 1), (Some(2), 3)]);

        let (rows, parts) = order(&keys, &[]);
        assert!(rows.is_empty() && parts.is_empty());
    }

    #[test]
    fn states_are_one_part() {
        let keys = SortKeys { days: None, ranks: None, instants: vec![3, 1, 2] };
        assert_eq!(order(&keys, &[0, 1, 2]), (vec![1, 2, 0], vec![(None, 3)]));
        assert_eq!(order(&keys, &[]), (vec![], vec![]));
    }

    #[test]
    fn many_groups_with_few_rows_come_in_the_same_order() {
        let days: Vec<i32> = (0..400).map(|it| (it * 7 + it / 3) % 391).collect();
        let ranks: Vec<u32> = (0..400).map(|it| (it * 11) % 97 * 1_000).collect();
        let keys = SortKeys { days: Some(&days), ranks: Some(ranks.clone()), instants: vec![0; 400] };
        let few =
            SortKeys { days: Some(&days), ranks: Some(ranks.iter().map(|it| it / 1_000).collect()), instants: vec![0; 400] };
        let kept: Vec<u32> = (0..400).collect();
        assert_eq!(order(&keys, &kept), order(&few, &kept));
    }
}
