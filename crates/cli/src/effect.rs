//! `yizhan warn effect`: whether following offers up helped, by students alike of whom some were spoken with.
//!
//! Out come a sentence and its doubts: only what is recorded is compared, so the figure never stands alone.

use std::io::Write;
use std::process::ExitCode;

use ::transform::FollowedUp;
use serde_json::{Value, json};
use warning::OF_EITHER_MIN;
use warning::effect::{Doubt, Effect, Verdict};

use crate::commands::Format;
use crate::exit::Caller;
use crate::house::House;

/// Prints the effect of following offers up.
pub(crate) async fn say(house: &House, format: Format) -> anyhow::Result<ExitCode> {
    let Some(it) = house.builder().await?.effect(house.as_of_on().await?).await? else {
        anyhow::bail!(Caller(
            "项目没有个案来源，无从比较 / casework is no source of this project: there is nothing to compare".to_owned()
        ));
    };
    let FollowedUp { students_n, contacted_n, effect: found } = it;
    let mut out = std::io::stdout();
    if matches!(format, Format::Json) {
        let mut said = found
            .as_ref()
            .map_or_else(|| json!({ "verdict": Verdict::TooFew, "lift": Value::Null, "doubts": [] }), |it| json!(it));
        said["students_n"] = json!(students_n);
        said["contacted_n"] = json!(contacted_n);
        writeln!(out, "{said}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{students_n} 名学生的记录有过变化，其中 {contacted_n} 名两周内有人联系 / {students_n} students had a change, somebody spoke with {contacted_n} of them within two weeks"
    )?;
    let Some(found) = found else {
        writeln!(out, "样本不足：有人联系与无人联系、变化仍在与已消失，每半数样本中各需 {OF_EITHER_MIN} 人。")?;
        writeln!(
            out,
            "too few: of contacted and not, of changed still and no longer, {OF_EITHER_MIN} each are needed in either half"
        )?;
        return Ok(ExitCode::SUCCESS);
    };
    for line in lines(&found) {
        writeln!(out, "{line}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(found: &Effect) -> Vec<String> {
    let (zh, en) = match found.verdict {
        Verdict::TooFew => ("样本不足：找不到两对相近的学生。", "too few: there are no two pairs of students alike"),
        Verdict::NoEffect => ("看不出作用：差别不能排除偶然。", "no effect: the difference may be chance"),
        Verdict::Less => ("有人联系之后，四周后仍有变化的更少。", "after a contact fewer had a change four weeks later"),
        Verdict::More => ("有人联系之后，四周后仍有变化的更多。", "after a contact more had a change four weeks later"),
    };
    let mut lines = vec![zh.to_owned(), en.to_owned()];
    if let Some(lift) = found.lift {
        lines.push(format!(
            "  与相近而无人联系者相比 / against students alike whom nobody contacted: {:+.1} 个百分点 points [{:+.1}, {:+.1}], 99 %",
            100.0 * lift.value,
            100.0 * lift.low,
            100.0 * lift.high
        ));
    }
    let share = |it: Option<f64>| it.map_or_else(|| "-".to_owned(), |it| format!("{:.0} %", 100.0 * it));
    lines.push(format!(
        "  配对 / pairs {} / {}（{}），相似 / alike {}",
        found.n_matched,
        found.n_treated,
        share(found.match_rate),
        share(found.similarity)
    ));
    for doubt in &found.doubts {
        lines.push(format!("  ! {}", words(*doubt)));
    }
    lines.push("  只比较了记录到的差别；没有记录到的差别可能解释这一结果。/ Only what is recorded was compared; what is not may explain it.".to_owned());
    lines
}

fn words(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::FewStudents => "有人联系的不足200名，数字不稳。/ fewer than 200 were contacted: the figure is unsteady",
        Doubt::FewMatches => {
            "不足七成找到相近的学生，其余无人可比。/ fewer than 70 % found a student alike: the rest are like nobody"
        }
        Doubt::NotAlike => "两组重合不足85%。/ the groups overlap by less than 85 %",
        Doubt::TooGood => {
            "超过500名而差别大于5个百分点，好得可疑。/ more than five points with more than 500 students is too good to be true"
        }
    }
}

#[cfg(test)]
mod tests {
    use warning::Estimate;

    use super::*;

    fn found(verdict: Verdict) -> Effect {
        Effect {
            verdict,
            lift: Some(Estimate { value: -0.1, low: -0.2, high: 0.01 }),
            n_treated: 40,
            n_matched: 30,
            match_rate: Some(0.75),
            similarity: Some(0.9),
            doubts: vec![Doubt::FewStudents, Doubt::FewMatches, Doubt::NotAlike, Doubt::TooGood],
        }
    }

    #[test]
    fn what_cannot_be_told_from_chance_is_said_to_be_no_effect() {
        let said = lines(&found(Verdict::NoEffect));
        assert!(said[0].contains("看不出作用") && said[1].starts_with("no effect"), "{said:?}");
        assert!(said.iter().any(|it| it.contains("-10.0") && it.contains("-20.0")), "{said:?}");
        assert_eq!(said.iter().filter(|it| it.starts_with("  !")).count(), 4);
    }

    #[test]
    fn no_line_has_a_word_that_is_never_used() {
        for verdict in [Verdict::TooFew, Verdict::NoEffect, Verdict::Less, Verdict::More] {
            for line in lines(&found(verdict)) {
                assert!(schema::forbidden(&line).is_empty(), "{line}");
            }
        }
    }
}
