//! Why a policy could not be read, or a session could not answer.

use std::path::PathBuf;

use datafusion::error::DataFusionError;
use schema::Blame;

/// A cause from outside this crate: the table source or the audit log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a policy could not be read, or a session could not be opened or could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or a file of it could not be read.
    #[error("could not read policies under {}", path.display())]
    Unreadable {
        /// Folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A policy file says something that cannot be understood.
    #[error(transparent)]
    Text(#[from] schema::Error),
    /// No such word in the grammar of scopes.
    #[error("\"{text}\" is no scope: write university, college:C01, class:C, building:B, building:B/floor:4, assigned or own")]
    UnknownScope {
        /// What was written.
        text: String,
    },
    /// No such mask.
    #[error("\"{text}\" is no mask: write keep, null, hour, minutes_15, day, bin_N with N above 1, or hash")]
    UnknownMask {
        /// What was written.
        text: String,
    },
    /// The principal's role has no policy.
    #[error("no policy for role \"{role}\"")]
    NoSuchRole {
        /// Role asked for.
        role: String,
    },
    /// The role may not read for this purpose.
    #[error("role \"{role}\" does not read for purpose \"{purpose}\"")]
    PurposeRefused {
        /// Role of the principal.
        role: String,
        /// Purpose asked for.
        purpose: String,
    },
    /// The table does not exist, or does not exist for this role: the two are not told apart.
    #[error("no table \"{table}\" for this session")]
    NoSuchTable {
        /// Table asked for.
        table: String,
    },
    /// The table source could not say which tables there are, or open one.
    #[error("could not open table \"{table}\"")]
    Tables {
        /// Table asked for; `*` for the list.
        table: String,
        /// What the table source said.
        #[source]
        source: Cause,
    },
    /// The person table cannot answer for a scope; nothing is shown rather than everything.
    #[error("table \"{table}\" cannot resolve scope \"{scope}\"")]
    Unresolved {
        /// The person table.
        table: String,
        /// Scope that was being resolved.
        scope: String,
        /// What the engine said.
        #[source]
        source: Box<DataFusionError>,
    },
    /// The runtime of the sessions could not be made from its settings.
    #[error("could not set up the runtime of sessions")]
    Runtime {
        /// What the engine said.
        #[source]
        source: Box<DataFusionError>,
    },
    /// The audit log cannot be written, and without it nothing is read.
    #[error("query {query_id} was refused because the audit log cannot be written")]
    Unaudited {
        /// Number of the query.
        query_id: String,
        /// What the audit log said.
        #[source]
        source: Cause,
    },
    /// The query was refused or failed; everything here may be shown to whoever asked.
    #[error("query {query_id} failed with {sqlstate}: {public_message}")]
    Query {
        /// Number under which the audit log and the operators' log keep the full text.
        query_id: String,
        /// SQLSTATE, five characters.
        sqlstate: &'static str,
        /// What may be shown: the planner's words about the user's own text, or a fixed sentence.
        public_message: String,
        /// Whose move it is.
        blame: Blame,
    },
}

impl Error {
    /// Says whose move it is: the caller's, the world's, or ours.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Text(source) => source.blame(),
            Error::UnknownScope { .. }
            | Error::UnknownMask { .. }
            | Error::NoSuchRole { .. }
            | Error::PurposeRefused { .. }
            | Error::NoSuchTable { .. } => Blame::Caller,
            Error::Unreadable { .. } | Error::Tables { .. } | Error::Runtime { .. } | Error::Unaudited { .. } => Blame::World,
            Error::Unresolved { .. } => Blame::Us,
            Error::Query { blame, .. } => *blame,
        }
    }
}
