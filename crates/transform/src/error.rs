//! Why a model could not be planned or built.

use datafusion::error::DataFusionError;
use schema::Blame;

/// Why the tables could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two files make the same table.
    #[error("table \"{table}\" is made twice: by {first} and by {second}")]
    MadeTwice {
        /// The table.
        table: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// Models read each other in a circle.
    #[error("models read each other in a circle: {}", circle.join(" -> "))]
    Circle {
        /// The tables of the circle, first and last the same.
        circle: Vec<String>,
    },
    /// A model reads a table that nobody makes.
    #[error("{path} reads table \"{table}\", which nobody makes{}", hint.as_ref().map(|it| format!("; did you mean \"{it}\"?")).unwrap_or_default())]
    UnknownTable {
        /// The model's file.
        path: String,
        /// What it reads.
        table: String,
        /// The nearest table that exists.
        hint: Option<String>,
    },
    /// A model does what its kind may not.
    #[error("{path}: {message}")]
    Refused {
        /// The model's file.
        path: String,
        /// What is wrong and what would do.
        message: String,
    },
    /// The query does not plan or fails.
    #[error("could not {verb} {path}")]
    Query {
        /// "plan" or "build".
        verb: &'static str,
        /// The model's file.
        path: String,
        /// What DataFusion said.
        #[source]
        source: Box<DataFusionError>,
    },
    /// Rows that should be unique are not.
    #[error("{path}: {rows} rows share their grain ({}), for example {example}", grain.join(", "))]
    Grain {
        /// The model's file.
        path: String,
        /// Surplus rows.
        rows: usize,
        /// The columns that should be unique.
        grain: Vec<String>,
        /// One of them.
        example: String,
    },
    /// A model that was selected does not exist.
    #[error("there is no model \"{model}\"{}", hint.as_ref().map(|it| format!("; did you mean \"{it}\"?")).unwrap_or_default())]
    NoSuchModel {
        /// What was asked for.
        model: String,
        /// The nearest model.
        hint: Option<String>,
    },
    /// A risk model could not be trained, scored or judged.
    #[error("risk model \"{model}\"")]
    Model {
        /// The model.
        model: String,
        /// What the arithmetic said.
        #[source]
        source: warning::Error,
    },
    /// The lake refused.
    #[error("could not {verb} table \"{table}\"")]
    Lake {
        /// What was tried.
        verb: &'static str,
        /// The table.
        table: String,
        /// What the lake said.
        #[source]
        source: lake::Error,
    },
    /// The engine refused.
    #[error("could not read table \"{table}\"")]
    Engine {
        /// The table.
        table: String,
        /// What the engine said.
        #[source]
        source: engine::Error,
    },
}

impl Error {
    /// Says whose move it is: a model is written by the caller.
    pub fn blame(&self) -> Blame {
        match self {
            Error::MadeTwice { .. }
            | Error::Circle { .. }
            | Error::UnknownTable { .. }
            | Error::Refused { .. }
            | Error::Grain { .. }
            | Error::NoSuchModel { .. } => Blame::Caller,
            Error::Query { source, .. } => match source.find_root() {
                DataFusionError::ResourcesExhausted(_) | DataFusionError::IoError(_) => Blame::World,
                _ => Blame::Caller,
            },
            Error::Model { source, .. } => source.blame(),
            Error::Lake { source, .. } => source.blame(),
            Error::Engine { source, .. } => source.blame(),
        }
    }

    pub(crate) fn query(verb: &'static str, path: &str) -> impl FnOnce(DataFusionError) -> Self {
        let path = path.to_owned();
        move |source| Error::Query { verb, path, source: Box::new(source) }
    }

    pub(crate) fn lake(verb: &'static str, table: &str) -> impl FnOnce(lake::Error) -> Self {
        let table = table.to_owned();
        move |source| Error::Lake { verb, table, source }
    }
}
