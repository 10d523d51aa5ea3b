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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Signal};

    fn signal(missing_weeks: u8, shift: f64) -> Signal {
        let input = Input {
            is_rising: false,
            mad_floor: 1.0,
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
    fn units_are_said_as_people_say_them() {
        assert_eq!(said("minute_of_day", 1470.0).0, "00:30");
        assert_eq!(said("minute", 95.4), ("95分钟".to_owned(), "95 minutes".to_owned()));
        assert_eq!(said("count", 1.25).0, "1.2次");
        assert_eq!(said("hour", 3.0).1, "3.0 hours");
        assert_eq!(said("flag", 1.0), ("是".to_owned(), "yes".to_owned()));
        assert_eq!(said("credits", 2.5).0, "2.5学分");
    }
}
