//! Reasons as sentences: what changed, since when, against what, and what was missing. Facts, no judgement.

use crate::Signal;

/// A value in its unit, in Chinese and in English.
pub fn said(unit: &str, value: f64) -> (String, String) {
    let same = |text: String| (text.clone(), text);
    match unit {
        "share" => same(format!("{:.0}%", 100.0 * value)),
        "minute_of_day" => {
            // A campus day goes on behind midnight.
            let minute = value.round().rem_euclid(1440.0) as i64;
            same(format!("{:02}:{:02}", minute / 60, minute % 60))
        }
        "minute" => (format!("{value:.0}分钟"), format!("{value:.0} minutes")),
        "hour" => (format!("{value:.1}小时"), format!("{value:.1} hours")),
        "count" => (format!("{value:.1}次"), format!("{value:.1}")),
        "days" => (format!("{value:.0}天"), format!("{value:.0} days")),
        "points" => (format!("{value:.0}分"), format!("{value:.0} points")),
        "credits" => (format!("{value:.1}学分"), format!("{value:.1} credits")),
        "flag" if 0.5 <= value => ("是".to_owned(), "yes".to_owned()),
        "flag" => ("否".to_owned(), "no".to_owned()),
        "yuan" => (format!("{value:.2}元"), format!("CNY {value:.2}")),
        _ => same(format!("{value:.1}")),
    }
}

/// What a signal says, in Chinese and in English; `since_on` as `2025-11-03`.
pub fn reason(title_zh: &str, title_en: &str, unit: &str, since_on: &str, signal: &Signal) -> (String, String) {
    let (baseline, now) = (said(unit, signal.baseline), said(unit, signal.now_value));
    let missing = usize::from(signal.missing_weeks);
    let mut zh = format!("{title_zh}：{since_on} 那一周起约 {}，此前约 {}", now.0, baseline.0);
    let mut en = format!("{title_en}: about {} since the week of {since_on}, about {} before", now.1, baseline.1);
    if 0 < missing {
        zh += &format!("；其间 {missing} 周没有可用数据");
        en += &format!("; no usable data for {missing} of these weeks");
    }
    if 0.5 <= signal.shift {
        zh += "；同楼、同班或同类学生的共同变化已扣除";
        en += "; what the building, class or peers did together is taken off";
    }
    (zh + "。", en + ".")
}

/// How much the followed-up offers of a rule were of use, beside those of all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// Clearly oftener: it stands further ahead.
    Oftener,
    /// Clearly seldomer: it stands further behind.
    Seldomer,
}

impl Learnt {
    /// What a worth says in words; `None` where it says nothing worth a line.
    pub fn of(worth: f64) -> Option<Self> {
        match worth {
            it if 1.25 <= it => Some(Self::Oftener),
            it if it <= 0.8 => Some(Self::Seldomer),
            _ => None,
        }
    }

    /// The line of a reason, in Chinese and in English.
    pub fn line(self, title_zh: &str, title_en: &str) -> (String, String) {
        match self {
            Self::Oftener => (
                format!("“{title_zh}”这类提示以往经人跟进后，较常确有帮助，因此排得靠前。"),
                format!(
                    "Earlier hints of the kind \"{title_en}\" were of use oftener than others once somebody followed them up: it stands further ahead."
                ),
            ),
            Self::Seldomer => (
                format!("“{title_zh}”这类提示以往经人跟进后，较少用得上，因此排得靠后。"),
                format!(
                    "Earlier hints of the kind \"{title_en}\" were of use seldomer than others once somebody followed them up: it stands further behind."
                ),
            ),
        }
    }
}

/// That a model is frozen, since when and by which inputs, in Chinese and in English.
pub fn frozen(since_on: &str, moved_zh: &[String], moved_en: &[String]) -> (String, String) {
    (
        format!("自 {since_on} 起停用：输入的分布已偏离训练时（{}），重新训练前不产生提示。", moved_zh.join("、")),
        format!(
            "Frozen since {since_on}: what it reads has moved since the training ({}); until it is trained anew it offers nothing.",
            moved_en.join(", ")
        ),
    )
}

/// That several kinds of records changed together, in Chinese and in English; `None` for one.
pub fn agreed(witnesses: usize) -> Option<(String, String)> {
    (1 < witnesses).then(|| {
        (
            format!("{witnesses}类互相独立的记录同时有变化，同时出现比其中任何一类单独出现都少见。"),
            format!("{witnesses} independent kinds of records changed together, which is rarer than any of them alone."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Signal};

    fn signal(missing_weeks: u8, shift: f64) -> Signal {
        let input = Input {
            is_rising: false,
            mad_floor: 1.0,
            events: Vec::new(),
            usual_spread: 0.0,
            usual_weeks: 0.0,
            ewma_lambda: 0.3,
            cusum_k: 0.5,
            cusum_h: 4.0,
            z_max: 4.0,
            values: Vec::new(),
            shifts: vec![shift],
        };
        Signal {
            key: 1,
            trend: 0,
            is_standing: true,
            z: 2.0,
            shift,
            ewma: 1.0,
            cusum: 5.0,
            since_week: 1,
            baseline: 0.82,
            now_value: 0.2,
            n: 10,
            cov: 1.0,
            missing_weeks,
            input,
        }
    }

    #[test]
    fn a_reason_says_what_changed_since_when_against_what_and_what_was_missing() {
        let (zh, en) = reason("早餐天数占比", "Days with breakfast", "share", "2025-11-03", &signal(0, 0.0));
        assert_eq!(zh, "早餐天数占比：2025-11-03 那一周起约 20%，此前约 82%。");
        assert_eq!(en, "Days with breakfast: about 20% since the week of 2025-11-03, about 82% before.");
        let (zh, en) = reason("早餐天数占比", "Days with breakfast", "share", "2025-11-03", &signal(2, 1.0));
        assert!(zh.contains("其间 2 周没有可用数据") && zh.contains("共同变化已扣除"), "{zh}");
        assert_eq!((schema::forbidden(&zh), schema::forbidden(&en)), (Vec::new(), Vec::new()));
        assert!(en.contains("no usable data for 2") && en.contains("taken off"), "{en}");
    }

    #[test]
    fn why_something_stands_where_it_stands_is_said_in_plain_words() {
        assert_eq!((Learnt::of(1.0), Learnt::of(1.24), Learnt::of(0.81)), (None, None, None));
        let lines = [Learnt::of(2.0), Learnt::of(0.5)]
            .map(|it| it.expect("worth a line").line("日均食堂用餐次数", "Canteen meals a day"));
        assert!(lines[0].0.contains("靠前") && lines[1].1.contains("further behind"), "{lines:?}");
        assert_eq!(agreed(1), None);
        let both = agreed(2).expect("two agree");
        assert!(both.0.starts_with("2类") && both.1.starts_with("2 independent"), "{both:?}");
        for (zh, en) in lines.iter().chain([&both]) {
            assert_eq!((schema::forbidden(zh), schema::forbidden(en)), (Vec::new(), Vec::new()));
        }
    }

    #[test]
    fn units_are_said_as_people_say_them() {
        assert_eq!(said("minute_of_day", 1470.0).0, "00:30");
        assert_eq!(said("minute", 95.4), ("95分钟".to_owned(), "95 minutes".to_owned()));
        assert_eq!(said("count", 1.25).0, "1.2次");
        assert_eq!(said("hour", 3.0).1, "3.0 hours");
        assert_eq!(said("flag", 1.0), ("是".to_owned(), "yes".to_owned()));
        assert_eq!(said("credits", 2.5).0, "2.5学分");
    }
}
