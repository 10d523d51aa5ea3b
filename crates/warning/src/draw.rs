//! Drawing among equals: off unless a study was approved, and never above severity 2.
//!
//! Whom a talk is offered is no lottery. Where a school studies whether offers help, ties at the end of the hours may be
//! drawn, if an ethics committee allowed it, two people signed for it, and the plan of the study was registered before: its
//! hash stands in the settings and goes into every draw, so a plan that was written afterwards draws otherwise. Rooms of a
//! plan of visits are another matter: a visit is a duty anyway, and some of its rooms are always drawn.

use serde::Deserialize;

use crate::Error;

/// `[warning.random]` in the settings; all empty is off, one without the others is refused.
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
    #[serde(default)]
    plan_sha256: String,
}

impl TryFrom<Said> for Random {
    type Error = Error;

    fn try_from(said: Said) -> Result<Self, Error> {
        let draw = Draw::new(&said.ethics_no, &said.signed_by, &said.plan_sha256)?;
        Ok(Self { draw, signed_by: said.signed_by.iter().map(|it| it.trim().to_owned()).collect() })
    }
}

/// A draw among offers of equal place, the same for the same study, date and student.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    ethics_no: String,
    plan_sha256: String,
}

impl Draw {
    /// The draw that a number, two signatures and a registered plan allow; `None` where none of them is there.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn new(ethics_no: &str, signed_by: &[String], plan_sha256: &str) -> Result<Option<Self>, Error> {
        let ethics_no = ethics_no.trim();
        let plan_sha256 = plan_sha256.trim().to_ascii_lowercase();
        let names: Vec<&str> = signed_by.iter().map(|it| it.trim()).collect();
        if ethics_no.is_empty() && names.is_empty() && plan_sha256.is_empty() {
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
        if plan_sha256.len() != 64 || !plan_sha256.bytes().all(|it| it.is_ascii_hexdigit()) {
            let allowed = "预先登记的研究方案文件的 SHA-256（64位十六进制，`sha256sum 文件`） / the SHA-256 of the study's plan as it was registered beforehand, 64 hexadecimal digits (`sha256sum FILE`)";
            return refuse("warning.random.plan_sha256", format!("{plan_sha256:?}"), allowed);
        }
        Ok(Some(Self { ethics_no: ethics_no.to_owned(), plan_sha256 }))
    }

    /// Which of two students comes first on a date.
    pub fn order(&self, a: i64, b: i64, as_of_on: i32) -> std::cmp::Ordering {
        self.ticket(a, as_of_on).cmp(&self.ticket(b, as_of_on))
    }

    /// A student's place in the draw of a date; lower comes first. FNV-1a, mixed: every language can draw it again.
    pub fn ticket(&self, key: i64, as_of_on: i32) -> u64 {
        let study = self.ethics_no.bytes().chain(self.plan_sha256.bytes());
        let bytes = study.chain(as_of_on.to_le_bytes()).chain(key.to_le_bytes());
        let it = bytes.fold(0xCBF2_9CE4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        let it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it ^ (it >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of some plan.
    const PLAN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn under(ethics_no: &str, signed_by: &[&str], plan: &str) -> Result<Option<Draw>, Error> {
        let signed_by = signed_by.iter().map(|it| (*it).to_owned()).collect();
        let said = Said { ethics_no: ethics_no.to_owned(), signed_by, plan_sha256: plan.to_owned() };
        Random::try_from(said).map(|it| it.draw)
    }

    fn of(ethics_no: &str, signed_by: &[&str]) -> Result<Option<Draw>, Error> {
        under(ethics_no, signed_by, PLAN)
    }

    #[test]
    fn nobody_is_drawn_without_a_number_and_two_who_signed() {
        assert_eq!(under("", &[], "").expect("off"), None);
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
    fn nobody_is_drawn_without_a_plan_that_was_registered_and_another_plan_draws_otherwise() {
        for plan in ["", "plan.pdf", &PLAN[1..], &PLAN.replace('0', "g")] {
            let refused = under("LL-2025-7", &["head", "dean"], plan).expect_err("no hash").to_string();
            assert!(refused.contains("plan_sha256") && refused.contains("sha256sum"), "{refused}");
        }
        let refused = under("", &[], PLAN).expect_err("a plan alone").to_string();
        assert!(refused.contains("ethics_no"), "{refused}");
        let draw = |plan: &str| under("LL-2025-7", &["head", "dean"], plan).expect("on").expect("a draw");
        let (one, other) = (draw(PLAN), draw(&PLAN.replace('0', "1")));
        assert_eq!(one, draw(&PLAN.to_uppercase()));
        assert!((0..100).any(|day| one.order(7, 8, day) != other.order(7, 8, day)));
    }

    #[test]
    fn a_draw_favours_nobody() {
        let draw = of("LL-2025-7", &["head", "dean"]).expect("on").expect("a draw");
        let first = (0..4000).filter(|day| draw.order(7, 8, *day).is_lt()).count();
        // Four standard errors of a half.
        assert!((1873..=2127).contains(&first), "{first} of 4000");
    }
}
