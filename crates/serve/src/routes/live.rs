//! `GET /api/v1/live`: one stream a browser that says what changed (server-sent events).
//!
//! Every event is held against who the reader is at that moment: session, role, policy, casework. A stream ends with its
//! session, and does not prolong it: a page that is only left open signs out as before.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use policy::{Principal, Role, RowRule, Scope, Scoped, Session};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::access::{Reader, token};
use crate::error::{Problem, Query};
use crate::live::{Full, Place, Since, Students, Topic};
use crate::state::State;

/// Pause between two signs of life; a session that ended elsewhere is noticed by then.
const BEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back.
const COME_BACK: Duration = Duration::from_secs(3);
/// Seconds after which a refused stream is worth another try; the page polls meanwhile.
const RETRY_AFTER_S: u64 = 60;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Name of the last event that was seen, where the header `Last-Event-ID` cannot be set.
    after: Option<String>,
}

pub(crate) async fn live(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let token = token(&headers).ok_or_else(Problem::unauthorized)?;
    let Some(reader) = Reader::of_token(&state, &token).await? else { return Err(Problem::unauthorized()) };
    let role = reader.grant.role;
    let live = state.parts.live.clone();
    let place = live.enter(blake3::hash(token.as_bytes()).to_hex().as_str()).map_err(|full| {
        let (status, code, text) = match full {
            Full::Session => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                "打开的实时连接过多，页面改为定时更新 / too many live streams of this session: the page polls instead",
            ),
            Full::Server => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_streams",
                "实时连接已满，页面改为定时更新 / there is no room for another live stream: the page polls instead",
            ),
        };
        Problem::new(status, code, text).after(Some(RETRY_AFTER_S))
    })?;
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok()).map(str::to_owned).or(asked.after);
    let mut wakes = live.wakes();
    let found = last.as_deref().map(|it| live.find(it));
    let cursor = found.flatten().unwrap_or_else(|| live.newest());
    let greeting = match found {
        // What it shows may be older than anything that is kept.
        Some(None) => "reset",
        _ => "hello",
    };
    let greeting = Event::default().event(greeting).id(live.name(cursor)).retry(COME_BACK).data("{}");
    wakes.mark_changed();
    let mut beat = interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listening =
        Listening { state, token, role, cursor, wakes, beat, ready: VecDeque::from([greeting]), is_over: false, _place: place };
    let mut response = Sse::new(stream::unfold(listening, Listening::next)).into_response();
    // Proxies keep answers back until they are long enough; this one never ends.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// One open stream.
struct Listening {
    state: State,
    token: String,
    /// The active role when the session was last looked at.
    role: String,
    /// Number of the last event that was looked at.
    cursor: u64,
    wakes: watch::Receiver<u64>,
    beat: Interval,
    ready: VecDeque<Event>,
    is_over: bool,
    _place: Place,
}

impl Listening {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            if self.is_over {
                return None;
            }
            self.wait().await;
        }
    }

    /// Waits until there is something to look at, and makes ready what the reader may hear of it.
    async fn wait(&mut self) {
        let is_beat = tokio::select! {
            _ = self.wakes.changed() => false,
            _ = self.beat.tick() => true,
        };
        let live = self.state.parts.live.clone();
        if live.is_closed() {
            self.is_over = true;
            return;
        }
        let found = live.since(self.cursor);
        // Most wakes are nothing to most streams. What is passed over here is looked at again with the next beat, so whoever
        // has another role by then misses nothing.
        if let Since::Events(events) = &found
            && !is_beat
            && !events.iter().any(|it| self.concerns(&it.1))
        {
            return;
        }
        let reader = match Reader::of_token(&self.state, &self.token).await {
            Ok(Some(reader)) => reader,
            Ok(None) => {
                self.ready.push_back(Event::default().event("end").data("{}"));
                self.is_over = true;
                return;
            }
            // Nobody is told anything while it cannot be said who they are; the next beat tries again.
            Err(_) => return,
        };
        if is_beat {
            self.ready.push_back(Event::default().event("beat").data("{}"));
        }
        self.role.clone_from(&reader.grant.role);
        let events = match found {
            Since::Events(events) => events,
            Since::TooLong(newest) => {
                self.cursor = newest;
                self.ready.push_back(Event::default().event("reset").id(live.name(newest)).data("{}"));
                return;
            }
        };
        let mut session = None;
        for (number, topic) in events {
            match may_hear(&reader, &mut session, &topic).await {
                Ok(true) => self.ready.push_back(told(&topic, live.name(number))),
                Ok(false) => {}
                // It stays before the cursor and is asked about again until the next beat; then the pages' own looks find it.
                Err(_) if is_beat => {}
                Err(_) => return,
            }
            self.cursor = number;
        }
    }

    /// Whether the role, as it was last, may hear of something at all; no question is asked for that.
    fn concerns(&self, topic: &Topic) -> bool {
        self.state.parts.sessions.policies().role(&self.role).is_some_and(|it| may_concern(it, topic))
    }
}

fn may_concern(role: &Role, topic: &Topic) -> bool {
    let has = |page: &str| role.pages.iter().any(|it| it == page);
    match topic {
        Topic::Table { table, .. } => reads(role, table),
        Topic::Case { .. } | Topic::Cases { .. } => has("care") || has("cases"),
        Topic::Runs { .. } | Topic::Channels { .. } => has("runs"),
        Topic::Pipelines { .. } => has("pipelines"),
    }
}

fn told(topic: &Topic, name: String) -> Event {
    let (kind, id, version) = topic.told();
    Event::default().event(kind).id(name).data(json!({ "id": id, "version": version }).to_string())
}

/// Whether a reader may know that something changed: as much as they would see if they asked for it now. The session is opened
/// once for all that is asked together.
async fn may_hear(reader: &Reader, session: &mut Option<Session>, topic: &Topic) -> Result<bool, Problem> {
    match topic {
        Topic::Table { table, students, .. } => {
            let role = reader.state.parts.sessions.policies().role(&reader.grant.role);
            match role.and_then(|it| it.rule(table)).map(|it| it.1.rows) {
                None | Some(RowRule::None | RowRule::Absent) => Ok(false),
                Some(RowRule::All) => Ok(true),
                Some(rows) => {
                    if session.is_none() {
                        *session = Some(reader.session().await?);
                    }
                    Ok(session.as_ref().is_some_and(|it| reaches(rows, it.principal(), it.students(), students.as_ref())))
                }
            }
        }
        Topic::Case { thread_key, .. } => {
            if reader.require_cases().is_err() {
                return Ok(false);
            }
            let (cases, labels) = (reader.state.parts.store.cases(), &reader.state.config.labels);
            let view = cases.view(*thread_key, &reader.who()?, labels, reader.now_us()).await?;
            // Whoever only learns that another profession follows up does not learn when it does.
            Ok(view.is_some_and(|it| it.row.is_some()))
        }
        Topic::Cases { .. } => Ok(reader.require_cases().is_ok()),
        Topic::Runs { .. } | Topic::Channels { .. } => Ok(reader.require_page("runs").is_ok()),
        Topic::Pipelines { .. } => Ok(reader.require_page("pipelines").is_ok()),
    }
}

/// Whether a role reads rows of a table: no rule, no rows, and so no news of it.
fn reads(role: &Role, table: &str) -> bool {
    role.rule(table).is_some_and(|(_, rule)| rule.rows != RowRule::None)
}

/// Whether any row that changed can be a reader's: off duty, or without students, nobody hears when something happens to
/// others; and of a list that follows what happens nobody hears when it happens to students of somebody else.
fn reaches(rows: RowRule, who: &Principal, students: &Scoped, changed: Option<&Students>) -> bool {
    match rows {
        RowRule::All => true,
        RowRule::None | RowRule::Absent => false,
        RowRule::Scope => match changed {
            Some(changed) => changed.keys().any(|it| students.contains(it)),
            None => !matches!(students, Scoped::Keys(keys) if keys.keys().is_empty()),
        },
        RowRule::Clients => match changed {
            Some(changed) => changed.keys().any(|it| who.clients.contains(&it)),
            None => !who.clients.is_empty(),
        },
        RowRule::Own => who.person_key.is_some(),
        RowRule::College => who.scopes.iter().any(|it| matches!(it, Scope::College(_))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_role_hears_of_the_tables_that_it_reads() {
        let text = r#"
            role = "leader"
            title_zh = "校领导"
            title_en = "Leader"
            about = "Figures only."
            clearance = "internal"

            [tables]
            "cockpit_*" = { rows = "all" }
            cockpit_hidden = { rows = "absent" }
            cockpit_known = { rows = "none" }
        "#;
        let role = Role::parse(Path::new("leader.toml"), text).expect("a role");
        let heard = ["cockpit_data", "cockpit_hidden", "cockpit_known", "warning_student"].map(|it| reads(&role, it));
        assert_eq!(heard, [true, false, false, false]);
    }

    fn somebody(scopes: Vec<Scope>, clients: Vec<i64>) -> Principal {
        Principal {
            account: "lin".to_owned(),
            role: "psychologist".to_owned(),
            scopes,
            purpose: String::new(),
            on_call: Vec::new(),
            clients,
            person_key: None,
        }
    }

    #[test]
    fn whoever_reaches_nobody_does_not_hear_when_something_happens_to_others() {
        let some = Scoped::Keys(std::sync::Arc::new(policy::KeySet::new(vec![7])));
        let off_duty = somebody(vec![Scope::OnCall], Vec::new());
        assert!(!reaches(RowRule::Scope, &off_duty, &Scoped::nobody(), None));
        assert!(reaches(RowRule::Scope, &off_duty, &some, None) && reaches(RowRule::Scope, &off_duty, &Scoped::All, None));
        assert!(!reaches(RowRule::Clients, &off_duty, &Scoped::All, None));
        assert!(reaches(RowRule::Clients, &somebody(vec![Scope::Assigned], vec![7]), &some, None));
        assert!(
            !reaches(RowRule::Own, &off_duty, &Scoped::All, None) && !reaches(RowRule::College, &off_duty, &Scoped::All, None)
        );
        let college = somebody(vec![Scope::College("C01".to_owned())], Vec::new());
        assert!(reaches(RowRule::College, &college, &Scoped::nobody(), None));
    }

    #[test]
    fn of_a_list_that_follows_what_happens_only_those_hear_whose_students_it_happened_to() {
        let changed = |keys: [i64; 2]| Students::new(keys.into_iter().collect());
        let own = Scoped::Keys(std::sync::Arc::new(policy::KeySet::new(vec![7, 8])));
        let counselor = somebody(vec![Scope::Assigned], vec![8]);
        let hears = |rows, keys| reaches(rows, &counselor, &own, Some(&changed(keys)));
        assert!(hears(RowRule::Scope, [7, 99]) && !hears(RowRule::Scope, [98, 99]));
        assert!(hears(RowRule::Clients, [8, 99]) && !hears(RowRule::Clients, [7, 99]));
        assert!(hears(RowRule::All, [98, 99]), "who reads all rows hears of all");
        let nobody = Students::new(std::collections::BTreeSet::new());
        assert!(!reaches(RowRule::Scope, &counselor, &Scoped::All, Some(&nobody)), "nothing that is shown changed");
        assert_eq!(format!("{:?}", changed([7, 8])), "2 students", "no key stands in a log");
    }
}
