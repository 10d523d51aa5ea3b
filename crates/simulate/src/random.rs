//! Chance that depends on what it is for, never on what was drawn before.
//!
//! Every draw begins from (seed, purpose, two numbers), so a day, a student or a ticket can be made alone, in any
//! order and on any thread, and one more day changes nothing already written.
//! The generator is written out here because the files must stay the same bytes when a library moves on.

/// What a run of draws is for: two purposes never share numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Student = 1,
    Group,
    Day,
    Timetable,
    Weather,
    Outage,
    Leave,
    Internship,
    Holiday,
    Vacation,
    LostCard,
    Story,
    CardFile,
    GateFile,
    Heartbeat,
    TicketDay,
    Ticket,
    Office,
    State,
    Staff,
    Campus,
    Grade,
    Attendance,
    RollCall,
    Loan,
    Activity,
    Taste,
    Dorm,
    Room,
    Patrol,
    NightCheck,
    Work,
    Talk,
    Reception,
    Aid,
    Fitness,
    Award,
    Booking,
    Event,
    Water,
    Sheet,
    Checkin,
    Bot,
    Mix,
    Act,
}

/// One run of draws (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut it: u64) -> u64 {
    it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    it ^ (it >> 31)
}

impl Draw {
    /// Begins a run for one purpose and one pair of numbers.
    pub(crate) fn new(seed: u64, purpose: Purpose, a: u64, b: u64) -> Draw {
        let mut it = mix(seed.wrapping_add(STEP.wrapping_mul(purpose as u64)));
        it = mix(it ^ a.wrapping_mul(STEP).wrapping_add(1));
        Draw(mix(it ^ b.wrapping_mul(0xD1B5_4A32_D192_ED03).wrapping_add(2)))
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number in `[0, n)`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// A whole number in `[low, high)`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::from(self.below((high - low).max(1) as u32))
    }

    /// Is true with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Nearly standard normal, within 3.5: the sum of four uniform draws.
    pub(crate) fn normal(&mut self) -> f64 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 3f64.sqrt()
    }

    /// Exponential with the given mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// One of a list, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u32) as usize]
    }

    /// Rounds up or down at random so that the mean is kept.
    pub(crate) fn whole(&mut self, expected: f64) -> u32 {
        (expected + self.unit()).floor().max(0.0) as u32
    }

    /// Index into weights, each in proportion.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_draws_the_same_and_its_neighbour_does_not() {
        let at = |a, b| Draw::new(7, Purpose::Day, a, b).bits();
        assert_eq!(at(3, 4), at(3, 4));
        assert_ne!(at(3, 4), at(4, 3));
        assert_ne!(at(3, 4), at(3, 5));
    }

    #[test]
    fn the_normal_has_mean_zero_and_spread_one() {
        let mut draw = Draw::new(1, Purpose::Student, 0, 0);
        let values: Vec<f64> = (0..20_000).map(|_| draw.normal()).collect();
        let mean = values.iter().sum::<f64>() / 2e4;
        let spread = values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 2e4;
        assert!(mean.abs() < 0.03 && (spread - 1.0).abs() < 0.05, "{mean} {spread}");
    }
}
