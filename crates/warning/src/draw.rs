//! Drawing among equals: off unless a study was approved, and never above severity 2.
//!
//! Whom a talk is offered is no lottery. Where a school studies whether offers help, ties at the end of the hours may be
//! drawn, if an ethics committee allowed it and two people signed for it. Rooms of a plan of visits are another matter:
//! a visit is a duty anyway, and some of its rooms are always drawn.

use serde::Deserialize;

use crate::Error;

/// `[warning.random]` in the settings; both empty is off, one without the other is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Said")]
pub struct Random {
    /// What the two signed for; `None` is off.
    pub draw: Option<Draw>,
    /// Accounts of the two who signed.
    pub signed_by: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    ethics_no: String,
    signed_by: Vec<String>,
}

impl TryFrom<Said> for Random {
    type Error = Error;

    fn try_from(said: Said) -> Result<Self, Error> {
        let draw = Draw::new(&said.ethics_no, &said.signed_by)?;
        Ok(Self { draw, signed_by: said.signed_by.iter().map(|it| it.trim().to_owned()).collect() })
    }
}

/// A draw among offers of equal place, the same for the same study, date and student.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    ethics_no: String,
}

impl Draw {
    /// The draw that a number and two signatures allow; `None` where neither is there.
    ///
    /// # Errors
    /// If one half is missing.
    pub fn new(ethics_no: &str, signed_by: &[String]) -> Result<Option<Self>, Error> {
        let ethics_no = ethics_no.trim();
        let names: Vec<&str> = signed_by.iter().map(|it| it.trim()).collect();
        if ethics_no.is_empty() && names.is_empty() {
            return Ok(None);
        }
        let refuse =
            |setting: &'static str, value: String, allowed: &'static str| Err(Error::Setting { setting, value, allowed });
        if ethics_no.is_empty() {
            let allowed = "伦理批件号，否则不得随机分配 / the number of the ethics approval, without which nobody is drawn (or leave signed_by empty as well)";
            return refuse("warning.random.ethics_no", "\"\"".to_owned(), allowed);
        }
        if names.len() != 2 || names[0] == names[1] || names.contains(&"") {
            let allowed = "两位不同签字人的账号（两人签字） / the accounts of two different people who signed (or leave ethics_no empty as well: then nobody is drawn)";
            return refuse("warning.random.signed_by", format!("{names:?}"), allowed);
        }
        Ok(Some(Self { ethics_no: ethics_no.to_owned() }))
    }

    /// Which of two students comes first on a date.
    pub fn order(&self, a: i64, b: i64, as_of_on: i32) -> std::cmp::Ordering {
        self.ticket(a, as_of_on).cmp(&self.ticket(b, as_of_on))
    }

    /// A student's place in the draw of a date; lower comes first. FNV-1a, mixed: every language can draw it again.
    pub fn ticket(&self, key: i64, as_of_on: i32) -> u64 {
        let bytes = self.ethics_no.bytes().chain(as_of_on.to_le_bytes()).chain(key.to_le_bytes());
        let it = bytes.fold(0xCBF2_9CE4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        let it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it ^ (it >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ethics_no: &str, signed_by: &[&str]) -> Result<Option<Draw>, Error> {
        let signed_by = signed_by.iter().map(|it| (*it).to_owned()).collect();
        Random::try_from(Said { ethics_no: ethics_no.to_owned(), signed_by }).map(|it| it.draw)
    }

    #[test]
    fn nobody_is_drawn_without_a_number_and_two_who_signed() {
        assert_eq!(of("", &[]).expect("off"), None);
        assert!(of("LL-2025-7", &["head", "dean"]).expect("on").is_some());
        for (ethics_no, signed_by) in [
            ("LL-2025-7", vec![]),
            ("LL-2025-7", vec!["head"]),
            ("LL-2025-7", vec!["head", "head"]),
            ("LL-2025-7", vec!["head", " "]),
            ("LL-2025-7", vec!["head", "dean", "third"]),
        ] {
            let refused = of(ethics_no, &signed_by).expect_err("half filled").to_string();
            assert!(refused.contains("signed_by") && refused.contains("两人签字"), "{refused}");
        }
        let refused = of(" ", &["head", "dean"]).expect_err("half filled").to_string();
        assert!(refused.contains("ethics_no") && refused.contains("伦理批件号"), "{refused}");
    }

    #[test]
    fn a_draw_favours_nobody() {
        let draw = of("LL-2025-7", &["head", "dean"]).expect("on").expect("a draw");
        let first = (0..4000).filter(|day| draw.order(7, 8, *day).is_lt()).count();
        // Four standard errors of a half.
        assert!((1873..=2127).contains(&first), "{first} of 4000");
    }
}
