//! Which purchases are one meal, and which meal it is in this canteen.
//!
//! Reads the times of canteen purchases: of one student for [`meals`], of one canteen for [`slot_bands`]. Knows no prices.

/// Returns the meals in a list of purchases: a dish and a drink a minute later are one meal.
///
/// # Shape
/// `purchases`: one student's, in any order. Out: (first, last) purchase of each meal, ascending.
///
/// # Units
/// Seconds since 1970, and `gap_s` seconds: purchases at most that long after the one before belong to the same meal.
///
/// # Source
/// The usual rule for card data: 45 minutes.
pub fn meals(purchases: &[i64], gap_s: i64) -> Vec<(i64, i64)> {
    let mut purchases = purchases.to_vec();
    purchases.sort_unstable();
    purchases.chunk_by(|a, b| b.saturating_sub(*a) <= gap_s).map(|it| (it[0], it[it.len() - 1])).collect()
}

/// Which meal of the day a purchase belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MealSlot {
    /// 早餐.
    Breakfast,
    /// 午餐.
    Lunch,
    /// 晚餐.
    Dinner,
    /// None of the three: a night snack, or a time between two meals.
    Other,
}

/// When the meals of one canteen are, as half-open stretches of the day.
///
/// # Units
/// Minutes of the day since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands {
    /// Breakfast: from, to.
    pub breakfast: (u16, u16),
    /// Lunch: from, to.
    pub lunch: (u16, u16),
    /// Dinner: from, to.
    pub dinner: (u16, u16),
}

impl Default for Bands {
    /// 05:00 to 09:30, 10:00 to 13:30, 16:00 to 20:00.
    fn default() -> Self {
        Self { breakfast: (300, 570), lunch: (600, 810), dinner: (960, 1200) }
    }
}

impl std::fmt::Display for Bands {
    /// `05:00-09:30 10:00-13:30 16:00-20:00`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let band = |(from, to): (u16, u16)| format!("{}-{}", clock(from), clock(to));
        write!(f, "{} {} {}", band(self.breakfast), band(self.lunch), band(self.dinner))
    }
}

impl Bands {
    /// Returns the meal a purchase at `minute` of the day belongs to.
    pub fn slot(&self, minute: u16) -> MealSlot {
        let within = |(from, to): (u16, u16)| (from..to).contains(&minute);
        if within(self.breakfast) {
            MealSlot::Breakfast
        } else if within(self.lunch) {
            MealSlot::Lunch
        } else if within(self.dinner) {
            MealSlot::Dinner
        } else {
            MealSlot::Other
        }
    }
}

const DAY: u16 = 1440;
const BIN: u16 = 15;
const PURCHASES_MIN: usize = 200;

/// Returns when the meals of a canteen are, from its own purchases.
///
/// A canteen that serves lunch until 14:30 must not turn lunches into nothing. Each of the two inner boundaries moves to
/// the emptiest quarter of an hour between the middles of the two default meals; the earlier meal ends and the later one
/// begins where that quarter begins. Among equally empty ones the one nearest to the middle of the default pause wins,
/// then the earlier. The outer ends stay. With fewer than 200 purchases the defaults stay whole, pauses included.
///
/// # Shape
/// `minutes`: one per purchase of one canteen, in any order.
///
/// # Units
/// Minutes of the day since midnight; 1440 and beyond is no time of day and does not count.
///
/// # Source
/// Our own rule; the defaults are the usual opening hours.
pub fn slot_bands(minutes: &[u16]) -> Bands {
    let mut bins = [0_usize; (DAY / BIN) as usize];
    for minute in minutes.iter().filter(|it| **it < DAY) {
        bins[usize::from(minute / BIN)] += 1;
    }
    let defaults = Bands::default();
    if bins.iter().sum::<usize>() < PURCHASES_MIN {
        return defaults;
    }
    let middle = |(from, to): (u16, u16)| (from + to) / 2;
    let boundary = |earlier: (u16, u16), later: (u16, u16)| {
        let pause = middle((earlier.1, later.0));
        let first = middle(earlier).div_ceil(BIN);
        let beyond = middle(later) / BIN;
        (first..beyond)
            .min_by_key(|bin| (bins[usize::from(*bin)], (bin * BIN).abs_diff(pause), *bin))
            .map_or(pause, |bin| bin * BIN)
    };
    let morning = boundary(defaults.breakfast, defaults.lunch);
    let afternoon = boundary(defaults.lunch, defaults.dinner);
    Bands { breakfast: (defaults.breakfast.0, morning), lunch: (morning, afternoon), dinner: (afternoon, defaults.dinner.1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(purchases: &[i64], gap_s: i64, expected: &[(i64, i64)]) {
        assert_eq!(meals(purchases, gap_s), expected, "purchases {purchases:?} within {gap_s}");
    }

    #[test]
    fn purchases_close_to_the_one_before_are_one_meal() {
        check(&[], 2700, &[]);
        check(&[100], 2700, &[(100, 100)]);
        check(&[2800, 100], 2700, &[(100, 2800)]);
        check(&[100, 2801], 2700, &[(100, 100), (2801, 2801)]);
        check(&[5000, 100, 2600, 9000], 2700, &[(100, 5000), (9000, 9000)]);
        check(&[i64::MIN, i64::MAX], 2700, &[(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]);
    }

    #[test]
    fn default_meals_have_pauses_between_them() {
        let bands = Bands::default();
        let slots = [299, 300, 569, 570, 600, 809, 810, 960, 1199, 1200].map(|it| bands.slot(it));
        use MealSlot::*;
        assert_eq!(slots, [Other, Breakfast, Breakfast, Other, Lunch, Lunch, Other, Dinner, Dinner, Other]);
    }

    #[track_caller]
    fn check_bands(histogram: &[(u16, usize)], morning: (u16, u16), afternoon: (u16, u16)) {
        let minutes: Vec<u16> = histogram.iter().flat_map(|(minute, n)| std::iter::repeat_n(*minute, *n)).collect();
        let bands = slot_bands(&minutes);
        assert_eq!((bands.breakfast.1, bands.lunch.0), morning, "morning of {histogram:?}");
        assert_eq!((bands.lunch.1, bands.dinner.0), afternoon, "afternoon of {histogram:?}");
        assert_eq!((bands.breakfast.0, bands.dinner.1), (300, 1200));
    }

    #[test]
    fn few_purchases_move_no_boundary() {
        check_bands(&[(450, 100), (700, 99)], (570, 600), (810, 960));
        check_bands(&[(450, 100), (700, 99), (1440, 5)], (570, 600), (810, 960));
    }

    #[test]
    fn an_empty_pause_is_cut_in_its_default_middle() {
        check_bands(&[(450, 100), (700, 100)], (585, 585), (885, 885));
    }

    #[test]
    fn a_boundary_moves_to_the_emptiest_quarter_of_an_hour() {
        // Open all day: one purchase a minute, except around 08:40 and 15:35.
        let busy: Vec<(u16, usize)> =
            (300..1200).filter(|it| !(518..523).contains(it) && !(935..945).contains(it)).map(|it| (it, 1)).collect();
        check_bands(&busy, (510, 510), (930, 930));
    }
}
