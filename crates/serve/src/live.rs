//! What changed, told to open pages (实时更新): identities and versions, never content.
//!
//! Whoever changes something publishes a [`Topic`]. A bounded ring keeps the newest, so that a browser that was away for
//! a moment goes on where it was; one that was away too long is told to load what it shows anew. Who may hear of a topic
//! is asked by the route for every reader and every event: this file knows nobody.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// What bounds live updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveLimits {
    /// Events that are kept for browsers that come back.
    pub ring: usize,
    /// Streams that are open at once.
    pub streams: usize,
    /// Those of one session.
    pub session_streams: usize,
}

/// Students whose rows of a table changed.
#[derive(Clone, PartialEq, Eq)]
pub struct Students(Arc<BTreeSet<i64>>);

impl Students {
    /// Those of these keys.
    #[must_use]
    pub fn new(keys: BTreeSet<i64>) -> Self {
        Self(Arc::new(keys))
    }

    /// Their keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Debug for Students {
    /// Never the keys: this ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} students", self.0.len())
    }
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// A table has a new version: told to whom the policy may show rows of it.
    Table {
        /// The table.
        table: String,
        /// Its version.
        version: i64,
        /// Whose rows changed; `None` where that is not known, or where the instant says nothing of anybody.
        students: Option<Students>,
    },
    /// A case moved: told to whom it stands in their list.
    Case {
        /// The case.
        thread_key: i64,
        /// Its version.
        version: i64,
    },
    /// So many cases moved that none is named: told to everybody who works on cases.
    Cases {
        /// Rises with every change.
        version: i64,
    },
    /// A run ended: told to operators.
    Runs {
        /// Rises with every run.
        version: i64,
    },
    /// Messages went out, failed or were answered: told to operators, who see counts only.
    Channels {
        /// Rises with every round that did something.
        version: i64,
    },
    /// A source delivered, failed or was committed: told to operators.
    Pipelines {
        /// Rises with every change.
        version: i64,
    },
}

impl Topic {
    /// Name, identity and version, as they are told.
    pub(crate) fn told(&self) -> (&'static str, Option<String>, i64) {
        match self {
            Topic::Table { table, version, .. } => ("table", Some(table.clone()), *version),
            Topic::Case { thread_key, version } => ("case", Some(thread_key.to_string()), *version),
            Topic::Cases { version } => ("cases", None, *version),
            Topic::Runs { version } => ("runs", None, *version),
            Topic::Channels { version } => ("channels", None, *version),
            Topic::Pipelines { version } => ("pipelines", None, *version),
        }
    }
}

/// Everything that changed lately, and how many listen.
#[derive(Debug)]
pub struct Live {
    limits: LiveLimits,
    /// Names of events come from a key of this process: a count would tell every reader how much there is that they may
    /// not see, and after a restart an old name is unknown instead of wrong.
    names: RandomState,
    state: Mutex<State>,
    woken: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Topic>,
    /// Number of the newest event; the first is 1.
    newest: u64,
    sessions: HashMap<String, usize>,
    open: usize,
    is_closed: bool,
}

impl State {
    /// Number of the newest event that is no longer kept.
    fn forgotten(&self) -> u64 {
        self.newest - self.events.len() as u64
    }
}

/// What came after an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// These, with their numbers.
    Events(Vec<(u64, Topic)>),
    /// More than is kept; going on from this number.
    TooLong(u64),
}

/// Why no further stream is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The session has as many as it may.
    Session,
    /// The server has, or it is about to stop.
    Server,
}

/// The room that an open stream takes up.
#[derive(Debug)]
pub(crate) struct Place {
    live: Arc<Live>,
    session: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.live.state.lock();
        state.open -= 1;
        if let Some(n) = state.sessions.get_mut(&self.session) {
            *n -= 1;
            if *n == 0 {
                state.sessions.remove(&self.session);
            }
        }
    }
}

impl Live {
    /// A hub that nobody listens to yet.
    pub fn new(limits: LiveLimits) -> Self {
        Self { limits, names: RandomState::new(), state: Mutex::default(), woken: watch::Sender::new(0) }
    }

    /// Tells that something changed.
    pub fn publish(&self, topic: Topic) {
        {
            let mut state = self.state.lock();
            state.newest += 1;
            state.events.push_back(topic);
            while self.limits.ring < state.events.len() {
                state.events.pop_front();
            }
        }
        self.recheck();
    }

    /// Lets every stream look again whether its session lives: somebody signed out.
    pub fn recheck(&self) {
        self.woken.send_modify(|it| *it = it.wrapping_add(1));
    }

    /// Ends all streams and opens none any more: the server stops, and would wait for them.
    pub fn close(&self) {
        self.state.lock().is_closed = true;
        self.recheck();
    }

    /// Streams that are open.
    pub fn open(&self) -> usize {
        self.state.lock().open
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    pub(crate) fn wakes(&self) -> watch::Receiver<u64> {
        self.woken.subscribe()
    }

    /// Takes room for a stream of a session.
    pub(crate) fn enter(self: &Arc<Self>, session: &str) -> Result<Place, Full> {
        let mut state = self.state.lock();
        if state.is_closed || self.limits.streams <= state.open {
            return Err(Full::Server);
        }
        let own = state.sessions.entry(session.to_owned()).or_default();
        if self.limits.session_streams <= *own {
            return Err(Full::Session);
        }
        *own += 1;
        state.open += 1;
        Ok(Place { live: Arc::clone(self), session: session.to_owned() })
    }

    /// The name under which a browser knows an event.
    pub(crate) fn name(&self, number: u64) -> String {
        format!("{:016x}", self.names.hash_one(number))
    }

    /// Number of the newest event.
    pub(crate) fn newest(&self) -> u64 {
        self.state.lock().newest
    }

    /// Number of the event of a name, if all that came after it is still kept.
    pub(crate) fn find(&self, name: &str) -> Option<u64> {
        let (first, last) = {
            let state = self.state.lock();
            (state.forgotten(), state.newest)
        };
        (first..=last).rev().find(|it| self.name(*it) == name)
    }

    /// What came after the event of a number.
    pub(crate) fn since(&self, number: u64) -> Since {
        let state = self.state.lock();
        let forgotten = state.forgotten();
        if number < forgotten {
            return Since::TooLong(state.newest);
        }
        let skipped = usize::try_from(number - forgotten).unwrap_or(usize::MAX);
        Since::Events((number + 1..).zip(state.events.iter().skip(skipped).cloned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(ring: usize) -> Arc<Live> {
        Arc::new(Live::new(LiveLimits { ring, streams: 3, session_streams: 2 }))
    }

    fn runs(version: i64) -> Topic {
        Topic::Runs { version }
    }

    #[test]
    fn a_browser_that_comes_back_goes_on_where_it_was() {
        let live = hub(8);
        assert_eq!(live.find(&live.name(0)), Some(0), "nothing happened yet, and that has a name too");
        (1..=3).for_each(|it| live.publish(runs(it)));
        let seen = live.name(1);
        assert_eq!(live.find(&seen), Some(1));
        assert_eq!(live.since(1), Since::Events(vec![(2, runs(2)), (3, runs(3))]));
        assert_eq!(live.since(3), Since::Events(Vec::new()));
    }

    #[test]
    fn a_browser_that_was_away_too_long_is_told_so() {
        let live = hub(2);
        let first = live.name(1);
        (1..=4).for_each(|it| live.publish(runs(it)));
        assert_eq!(live.find(&first), None);
        assert_eq!(live.since(1), Since::TooLong(4));
        // The last that was forgotten is enough to go on from.
        assert_eq!(live.since(2), Since::Events(vec![(3, runs(3)), (4, runs(4))]));
    }

    #[test]
    fn names_tell_no_counts_and_are_of_this_process_only() {
        let (live, other) = (hub(8), hub(8));
        assert_ne!(live.name(1), live.name(2));
        other.publish(runs(1));
        live.publish(runs(1));
        assert_eq!(live.find(&other.name(1)), None);
    }

    #[test]
    fn streams_are_bounded_for_a_session_and_for_all() {
        let live = hub(2);
        let own = [live.enter("a").expect("room"), live.enter("a").expect("room")];
        assert_eq!(live.enter("a").err(), Some(Full::Session));
        let other = live.enter("b").expect("room");
        assert_eq!(live.enter("c").err(), Some(Full::Server));
        assert_eq!(live.open(), 3);
        drop(own);
        assert_eq!(live.open(), 1);
        let again = live.enter("a").expect("the room is free again");
        drop((other, again));
        live.close();
        assert_eq!(live.enter("a").err(), Some(Full::Server), "a server that stops opens none");
    }
}
