//! `/api/v1/me/choices`: what a student chooses about themselves (本人选择). Social measures can be left and joined again;
//! the return at night and safety checks cannot, and the answer says why.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use store::SocialChoice;

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    has_left: bool,
}

pub(crate) async fn own(reader: Reader) -> Result<Json<Value>, Problem> {
    let key = student(&reader)?;
    let chosen = reader.state.parts.store.cases().social_choice(key).await?;
    reader.note_read(key, "choices").await?;
    Ok(Json(shown(chosen.as_ref())))
}

pub(crate) async fn choose(reader: Reader, body: Result<Json<Choice>, JsonRejection>) -> Result<Json<Value>, Problem> {
    let key = student(&reader)?;
    let Json(it) = body?;
    let what = if it.has_left { "left" } else { "joined" };
    reader.note("choose", format!("student/{key}/social/{what}"), "asked", None).await?;
    let cases = reader.state.parts.store.cases();
    let chosen = cases.choose_social(key, it.has_left, &reader.account.account, reader.now_us()).await?;
    Ok(Json(shown(chosen.as_ref())))
}

/// The student who asks: nobody chooses for somebody else.
fn student(reader: &Reader) -> Result<i64, Problem> {
    reader.require_page("me")?;
    if reader.grant.role != "student" {
        return Err(Problem::forbidden());
    }
    reader.account.person_key.ok_or_else(Problem::not_found)
}

fn shown(chosen: Option<&SocialChoice>) -> Value {
    json!({
        "social": {
            "has_left": chosen.is_some_and(SocialChoice::has_left),
            "at": chosen.map(|it| instant(it.at_us)),
        },
        "kept_zh": "归寝情况与安全核实涉及人身安全，依法履行职责所必需，不能退出；记录依据见学校的个人信息处理规则。",
        "kept_en": "The return at night and safety checks serve the safety of persons and are a duty of the school: they cannot be left. The school's rules on personal information say on what basis.",
    })
}
