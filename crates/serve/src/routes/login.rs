//! `login`, `logout`, `me`: sessions of local accounts.

use axum::Json;
use axum::extract::State as Shared;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use store::LoginError;

use crate::access::{COOKIE, Reader, token};
use crate::error::Problem;
use crate::rows;
use crate::state::State;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    account: String,
    password: String,
}

pub(crate) async fn login(
    Shared(state): Shared<State>,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(it) = body?;
    let now_us = chrono::Utc::now().timestamp_micros();
    let account = state.parts.store.accounts().verify(&it.account, &it.password, now_us).await.map_err(|error| match error {
        // Whether the account exists is nobody's business.
        LoginError::Unknown | LoginError::Wrong | LoginError::Disabled => {
            Problem::new(StatusCode::UNAUTHORIZED, "login_failed", "账号或密码不正确 / account or password is wrong")
        }
        LoginError::Locked { .. } => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "locked",
            "尝试次数过多，请 15 分钟后再试 / too many tries, wait 15 minutes",
        ),
        LoginError::Store(error) => error.into(),
    })?;
    let Some(grant) = account.grants.first().cloned() else { return Err(Problem::forbidden()) };
    let token = state.parts.store.sessions().create(&account.account, &grant.role, now_us).await?;
    let reader = Reader { account, grant, state };
    let me = describe(&reader).await;
    // Plain HTTP happens on the loopback only, where browsers drop Secure cookies.
    let secure = if is_loopback(&reader.state.config.listen) { "" } else { "; Secure" };
    let cookie = format!("{COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age=43200{secure}");
    let mut response = Json(me).into_response();
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| Problem::unauthorized())?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

pub(crate) async fn logout(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = token(&headers) {
        state.parts.store.sessions().revoke(&token).await?;
        state.parts.live.recheck();
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let gone = HeaderValue::from_static("yizhan_session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    response.headers_mut().insert(header::SET_COOKIE, gone);
    Ok(response)
}

pub(crate) async fn me(reader: Reader) -> Json<Value> {
    Json(describe(&reader).await)
}

async fn describe(reader: &Reader) -> Value {
    let as_of_on = match reader.session().await {
        Ok(session) => rows::built_on(&session).await.ok(),
        Err(_) => None,
    };
    let student_key = (reader.grant.role == "student").then(|| reader.account.person_key.map(|it| it.to_string())).flatten();
    json!({
        "account": reader.account.account,
        "display_name": reader.account.display_name,
        "role": reader.grant.role,
        "roles": reader.account.grants.iter().map(|it| it.role.clone()).collect::<Vec<_>>(),
        "scope": reader.grant.scope,
        "pages": reader.pages(),
        "as_of_on": as_of_on.unwrap_or_default(),
        // Limits run by the server's clock: a browser's may be wrong, and a demonstration has a day of its own.
        "now": super::health::instant(reader.now_us()),
        "demo": reader.state.config.is_demo,
        "student_key": student_key,
    })
}

fn is_loopback(listen: &str) -> bool {
    let host = listen.rsplit_once(':').map_or(listen, |it| it.0);
    matches!(host, "localhost" | "[::1]") || host.starts_with("127.")
}
