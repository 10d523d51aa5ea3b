//! What is said of a failure: everything to the operators, the least to whoever asked.

use std::fmt;

use datafusion::error::DataFusionError;
use schema::Blame;

/// An error from below the barrier. Its text is for the log; what it displays is for anybody.
#[derive(Debug)]
pub(crate) struct Hidden {
    table: String,
    detail: String,
    sqlstate: &'static str,
}

impl Hidden {
    /// Hides an error met while reading a table.
    pub(crate) fn of(table: &str, error: DataFusionError) -> DataFusionError {
        let fault = Fault::of_execution(&error);
        DataFusionError::External(Box::new(Self { table: table.to_owned(), detail: fault.detail, sqlstate: fault.sqlstate }))
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table \"{}\" could not be read", self.table)
    }
}

impl std::error::Error for Hidden {}

/// A failure in its two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// SQLSTATE.
    pub(crate) sqlstate: &'static str,
    /// What may be shown.
    pub(crate) public_message: String,
    /// What only operators and the audit log see.
    pub(crate) detail: String,
    /// Whose move it is.
    pub(crate) blame: Blame,
}

impl Fault {
    /// A refusal in our own words.
    pub(crate) fn refused(sqlstate: &'static str, message: &str) -> Self {
        Self { sqlstate, public_message: message.to_owned(), detail: message.to_owned(), blame: Blame::Caller }
    }

    /// A failure while the text was planned. No row has been read, and the names in it are those of the session's own
    /// catalog, so the planner may say what is wrong. Anything else than the planner's own kinds of error came from
    /// elsewhere and stays hidden.
    pub(crate) fn of_planning(error: &DataFusionError) -> Self {
        let root = error.find_root();
        let sqlstate = match root {
            DataFusionError::SQL(_, _) => "42601",
            DataFusionError::SchemaError(_, _) => "42703",
            DataFusionError::NotImplemented(_) => "0A000",
            DataFusionError::Plan(message) if message.contains("not found") && message.contains("table '") => "42P01",
            DataFusionError::Plan(_) => "42000",
            DataFusionError::Diagnostic(_, _) | DataFusionError::Collection(_) | DataFusionError::Context(_, _) => "42000",
            _ => return Self::of_execution(error),
        };
        let detail = error.strip_backtrace();
        // A collection would print its first member only, and a diagnostic wraps what it explains: the root is the
        // sentence, without the words that the engine puts before it.
        let public_message = root.message().trim().to_owned();
        let public_message = if public_message.is_empty() { "the query cannot be planned".to_owned() } else { public_message };
        Self { sqlstate, public_message, detail, blame: Blame::Caller }
    }

    /// A failure while rows were read or computed: a code and a fixed sentence, because the text may quote a value.
    pub(crate) fn of_execution(error: &DataFusionError) -> Self {
        let detail = error.strip_backtrace();
        let (sqlstate, detail) = match hidden(error) {
            Some(hidden) => (hidden.sqlstate, format!("{detail}: {}", hidden.detail)),
            None => (execution_state(error.find_root(), &detail), detail),
        };
        let (public_message, blame) = match sqlstate {
            "22012" => ("division by zero", Blame::Caller),
            "22003" => ("a number is out of range", Blame::Caller),
            "22018" => ("a value cannot be cast to the type asked for", Blame::Caller),
            "22000" => ("a value does not fit what is computed of it", Blame::Caller),
            "53200" => ("the query needs more memory than a session may use", Blame::Caller),
            "58030" => ("the lake could not be read", Blame::World),
            "0A000" => ("the query uses what this engine does not support", Blame::Caller),
            _ => ("the query failed inside the platform", Blame::Us),
        };
        Self { sqlstate, public_message: public_message.to_owned(), detail, blame }
    }
}

/// The hidden error at the end of a chain, if there is one.
fn hidden(error: &DataFusionError) -> Option<&Hidden> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(it) = cause {
        if let Some(hidden) = it.downcast_ref::<Hidden>() {
            return Some(hidden);
        }
        // An external error shows the source of what it holds and skips the thing itself.
        if let Some(DataFusionError::External(held)) = it.downcast_ref::<DataFusionError>()
            && let Some(hidden) = held.downcast_ref::<Hidden>()
        {
            return Some(hidden);
        }
        cause = it.source();
    }
    None
}

fn execution_state(root: &DataFusionError, detail: &str) -> &'static str {
    use arrow::error::ArrowError;
    match root {
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::DivideByZero => "22012",
            ArrowError::ArithmeticOverflow(_) => "22003",
            ArrowError::CastError(_) | ArrowError::ParseError(_) => "22018",
            ArrowError::ComputeError(_) | ArrowError::InvalidArgumentError(_) => "22000",
            ArrowError::IoError(_, _) => "58030",
            _ => "XX000",
        },
        DataFusionError::ResourcesExhausted(_) => "53200",
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) | DataFusionError::ParquetError(_) => "58030",
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::Execution(_) if detail.contains("ivide by zero") => "22012",
        DataFusionError::Execution(_) => "22000",
        DataFusionError::Plan(_) | DataFusionError::SchemaError(_, _) => "42000",
        _ => "XX000",
    }
}
