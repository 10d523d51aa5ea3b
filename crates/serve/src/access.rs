//! Who asks: from the cookie to an account, its active role, and a session of `policy`.

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use policy::{Principal, RowRule, Scope, Session};
use store::{Account, AuditEvent, Grant, Who};

use crate::error::Problem;
use crate::state::State;

pub(crate) const COOKIE: &str = "yizhan_session";

/// Unsafe requests come from our own pages: other sites cannot set the header.
pub(crate) async fn same_origin(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_safe && request.headers().get("x-yizhan").is_none() {
        return Problem::bad_request("缺少 x-yizhan 请求头 / the header x-yizhan is missing").into_response();
    }
    next.run(request).await
}

/// An account that has logged in, with its active role.
pub(crate) struct Reader {
    pub(crate) account: Account,
    pub(crate) grant: Grant,
    pub(crate) state: State,
}

/// Header of a request that no person made.
const UNATTENDED: &str = "x-yizhan-unattended";

impl FromRequestParts<State> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut RequestParts, state: &State) -> Result<Self, Problem> {
        let token = token(&parts.headers).ok_or_else(Problem::unauthorized)?;
        let now_us = chrono::Utc::now().timestamp_micros();
        let sessions = state.parts.store.sessions();
        let found = session_of(&sessions, &token, &parts.headers, now_us).await?;
        let session = found.ok_or_else(Problem::unauthorized)?;
        let account = state.parts.store.accounts().get(&session.account).await?.ok_or_else(Problem::unauthorized)?;
        let grant = account.grants.iter().find(|it| it.role == session.role).cloned().ok_or_else(Problem::unauthorized)?;
        Ok(Self { account, grant, state: state.clone() })
    }
}

/// The living session of a token. What a page asks by itself while nobody sits before it does not keep it alive.
async fn session_of(
    sessions: &store::Sessions,
    token: &str,
    headers: &HeaderMap,
    now_us: i64,
) -> Result<Option<store::SessionRow>, store::Error> {
    if headers.contains_key(UNATTENDED) { sessions.look(token, now_us).await } else { sessions.find(token, now_us).await }
}

/// The session's token in the cookie header.
pub(crate) fn token(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|it| it.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned))
}

impl Reader {
    /// The reader of a session's token while the session lives. Asking does not prolong it.
    pub(crate) async fn of_token(state: &State, token: &str) -> Result<Option<Self>, Problem> {
        let now_us = chrono::Utc::now().timestamp_micros();
        let Some(session) = state.parts.store.sessions().look(token, now_us).await? else { return Ok(None) };
        let Some(account) = state.parts.store.accounts().get(&session.account).await? else { return Ok(None) };
        let grant = account.grants.iter().find(|it| it.role == session.role).cloned();
        let grant = grant.filter(|_| !account.is_disabled);
        Ok(grant.map(|grant| Self { account, grant, state: state.clone() }))
    }

    /// A session of `policy` for the active role: the only way to rows.
    pub(crate) async fn session(&self) -> Result<Session, Problem> {
        let sessions = &self.state.parts.sessions;
        let role = sessions.policies().role(&self.grant.role).ok_or_else(Problem::forbidden)?;
        let principal = principal_of(&self.state.parts.store, &self.account, role, self.now_us()).await?;
        // Of who has died nothing is shown but to the two who are named.
        let cases = self.state.parts.store.cases();
        let withheld = cases.withheld_from(&self.account.account).await?;
        // And of who takes no part in social measures not in whose company they were.
        let left = cases.left_social().await?;
        Ok(sessions.open_without(principal, &withheld, &left).await?)
    }

    /// Pages of the active role.
    pub(crate) fn pages(&self) -> Vec<String> {
        let role = self.state.parts.sessions.policies().role(&self.grant.role);
        let mut pages = role.map(|it| it.pages.clone()).unwrap_or_default();
        if self.may_enter_death() {
            pages.push("death".to_owned());
        }
        pages
    }

    /// Whether the settings name the account for entering that a student has died.
    pub(crate) fn may_enter_death(&self) -> bool {
        self.state.config.death_by.contains(&self.account.account)
    }

    /// Refuses a role that has not the page: figures of a page are for whoever works with it.
    pub(crate) fn require_page(&self, page: &str) -> Result<(), Problem> {
        if self.pages().iter().any(|it| it == page) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    /// Refuses a role that works on no case: whoever has the work list, or only what a shift or a college brings.
    pub(crate) fn require_cases(&self) -> Result<(), Problem> {
        self.require_page("care").or_else(|_| self.require_page("cases"))
    }

    /// A session and the key of a student in its scope.
    ///
    /// Refuses a role that works with nobody in person: who sees rows of students for sums and averages opens no
    /// portrait. Outside the scope and nowhere at all look the same.
    pub(crate) async fn student(&self, student_key: &str) -> Result<(Session, i64), Problem> {
        self.require_page("students").or_else(|_| self.require_page("me"))?;
        let session = self.session().await?;
        let key: i64 = student_key.parse().map_err(|_| Problem::not_found())?;
        if session.students().contains(key) { Ok((session, key)) } else { Err(Problem::not_found()) }
    }

    /// The account in its active role, as casework knows roles.
    pub(crate) fn who(&self) -> Result<Who, Problem> {
        let role = casework::Role::from_code(&self.grant.role).ok_or_else(Problem::forbidden)?;
        Ok(Who { account: self.account.account.clone(), role })
    }

    /// The instant at which casework is now: that of the wall, but in a demonstration.
    pub(crate) fn now_us(&self) -> i64 {
        chrono::Utc::now().timestamp_micros() + self.state.config.clock_offset_us
    }

    /// The rules of cases, with the working days that are known.
    pub(crate) fn rules(&self) -> casework::Rules {
        self.state.parts.rules.borrow().clone()
    }

    /// Writes into the audit log what is read or about to be done; without it nothing is.
    pub(crate) async fn note(
        &self,
        action: &str,
        resource: String,
        outcome: &str,
        row_count: Option<i64>,
    ) -> Result<(), Problem> {
        let event = AuditEvent {
            action: action.to_owned(),
            actor: self.account.account.clone(),
            at_us: chrono::Utc::now().timestamp_micros(),
            outcome: outcome.to_owned(),
            resource,
            role: self.grant.role.clone(),
            row_count,
            ..AuditEvent::default()
        };
        self.state.parts.store.audit().append(event).await?;
        Ok(())
    }

    /// Writes into the audit log what is looked at of a student, and for which piece of work; without it nothing is shown.
    pub(crate) async fn note_look(&self, student_key: i64, what: &str, purpose: String) -> Result<(), Problem> {
        let event = AuditEvent {
            action: "look".to_owned(),
            actor: self.account.account.clone(),
            at_us: chrono::Utc::now().timestamp_micros(),
            outcome: "ok".to_owned(),
            purpose: Some(purpose),
            resource: format!("student/{student_key}/{what}"),
            role: self.grant.role.clone(),
            ..AuditEvent::default()
        };
        self.state.parts.store.audit().append(event).await?;
        Ok(())
    }

    /// Writes a personal read into the audit log; without it nothing is shown.
    pub(crate) async fn note_read(&self, student_key: i64, what: &str) -> Result<(), Problem> {
        Ok(note_read(&self.state.parts.store, &self.account.account, &self.grant.role, student_key, what).await?)
    }
}

/// An account in one of its roles, with all that it was granted in it and whom its shift is about now.
///
/// # Errors
/// If a scope of the account is none, or the store cannot be read.
pub async fn principal(
    store: &store::Store,
    account: &Account,
    role: &policy::Role,
    now_us: i64,
) -> Result<Principal, crate::Error> {
    Ok(principal_of(store, account, role, now_us).await?)
}

async fn principal_of(store: &store::Store, account: &Account, role: &policy::Role, now_us: i64) -> Result<Principal, Problem> {
    let granted = account.grants.iter().filter(|it| it.role == role.role);
    let scopes: Result<Vec<Scope>, _> = granted.map(|it| it.scope.parse()).collect();
    let scopes = scopes.map_err(|_| Problem::forbidden())?;
    // A role of which nothing was granted reaches nobody; without scopes it would reach as far as the role.
    if scopes.is_empty() {
        return Err(Problem::forbidden());
    }
    let on_call = match casework::Role::from_code(&role.role) {
        Some(code) if scopes.contains(&Scope::OnCall) => {
            let who = Who { account: account.account.clone(), role: code };
            store.cases().on_call_students(&who, now_us).await?
        }
        _ => Vec::new(),
    };
    // A grant of the whole university makes nobody somebody's own.
    let clients = if role.tables.values().any(|it| it.rows == RowRule::Clients) {
        store.cases().clients(&account.account, !scopes.contains(&Scope::University), now_us).await?
    } else {
        Vec::new()
    };
    Ok(Principal {
        account: account.account.clone(),
        role: role.role.clone(),
        scopes,
        purpose: role.purposes.first().cloned().unwrap_or_default(),
        on_call,
        clients,
        person_key: account.person_key,
    })
}

/// Writes into the audit log that an account read something of a student.
///
/// # Errors
/// If the store cannot write; then nothing may be shown.
pub async fn note_read(
    store: &store::Store,
    account: &str,
    role: &str,
    student_key: i64,
    what: &str,
) -> Result<(), store::Error> {
    let event = AuditEvent {
        action: "read".to_owned(),
        actor: account.to_owned(),
        at_us: chrono::Utc::now().timestamp_micros(),
        outcome: "ok".to_owned(),
        resource: format!("student/{student_key}/{what}"),
        role: role.to_owned(),
        ..AuditEvent::default()
    };
    store.audit().append(event).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use store::{Grant, Mint, NewAccount, Store};

    use super::*;

    const MINUTE_US: i64 = 60_000_000;

    #[tokio::test]
    async fn what_a_page_asks_while_nobody_sits_before_it_keeps_no_session_alive() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = store::Config {
            path: folder.path().join("store.sqlite"),
            key_path: folder.path().join("vault.key"),
            mint: Mint::Seeded(7),
        };
        let store = Store::open(&config).await.expect("a store");
        let grants = vec![Grant { role: "leader".to_owned(), scope: "university".to_owned() }];
        let new = NewAccount { account: "lin", password: None, display_name: "Lin", person_key: None, grants };
        store.accounts().create(new).await.expect("an account");
        let sessions = store.sessions();
        let mut alone = HeaderMap::new();
        alone.insert(UNATTENDED, "1".parse().expect("a value"));
        let somebody = HeaderMap::new();
        let living = async |token: &str, headers: &HeaderMap, minute: i64| {
            session_of(&sessions, token, headers, minute * MINUTE_US).await.expect("the store answers").is_some()
        };

        let left = sessions.create("lin", "leader", 0).await.expect("a session");
        for minute in [10, 20, 29] {
            assert!(living(left.as_str(), &alone, minute).await, "it is answered while the session lives");
        }
        assert!(!living(left.as_str(), &alone, 31).await, "an open page kept a session alive that nobody used");

        let used = sessions.create("lin", "leader", 0).await.expect("a session");
        assert!(living(used.as_str(), &somebody, 29).await && living(used.as_str(), &alone, 31).await);
    }
}
