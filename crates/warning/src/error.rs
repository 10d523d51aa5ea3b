use schema::Blame;

/// Why a model could not be trained, read or judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A measure or label is of a kind that may be neither.
    #[error("\"{name}\" may be neither input nor label of a risk model, because of \"{word}\"")]
    Sensitive {
        /// The measure or label.
        name: String,
        /// The word in its name that is on the list.
        word: &'static str,
    },
    /// A feature is one of the rows the label was made of, so it knows the future.
    #[error("measure \"{measure}\" is what label \"{label}\" is made of")]
    Leak {
        /// The measure.
        measure: String,
        /// The label it gives away.
        label: String,
    },
    /// One student has two values of one measure as of one day.
    #[error("measure \"{measure}\" of student_key {student_key} stands twice as of day {as_of_on}")]
    Duplicate {
        /// The measure.
        measure: String,
        /// The student.
        student_key: i64,
        /// Days since 1970-01-01.
        as_of_on: i32,
    },
    /// Two rows of a matrix have the same student and day.
    #[error("student_key {student_key} stands twice as of day {as_of_on}")]
    DuplicateRow {
        /// The student.
        student_key: i64,
        /// Days since 1970-01-01.
        as_of_on: i32,
    },
    /// A value is infinite; a missing one would be NULL.
    #[error("measure \"{measure}\" has a value that is not finite")]
    NotFinite {
        /// The measure.
        measure: String,
    },
    /// A column of the long form is absent or of another type.
    #[error("could not read the long form of the measures")]
    Frame {
        /// What polars says.
        #[source]
        source: polars::error::PolarsError,
    },
    /// Two things that belong together differ in length.
    #[error("{what}: {expected} expected, {found} found")]
    Length {
        /// Which two.
        what: &'static str,
        /// The length of the first.
        expected: usize,
        /// The length of the second.
        found: usize,
    },
    /// There is nothing to learn from: no rows, no columns, or labels of one class.
    #[error("{n_positive} of {n_rows} rows are positive and there are {n_features} measures: nothing to learn from")]
    NothingToLearn {
        /// Rows to train on.
        n_rows: usize,
        /// Those with a true label.
        n_positive: usize,
        /// Columns.
        n_features: usize,
    },
    /// A matrix has other columns than the model was trained on.
    #[error("the model knows the measures [{expected}], the matrix has [{found}]")]
    OtherFeatures {
        /// Names the model knows.
        expected: String,
        /// Names of the matrix.
        found: String,
    },
    /// A calibration was asked to learn from the term it will be used in.
    #[error("a row as of day {as_of_on} is not before day {before_on}: calibration learns from past terms only")]
    FutureRow {
        /// The row's day.
        as_of_on: i32,
        /// The first day calibration may not see.
        before_on: i32,
    },
    /// A setting lies outside what it can be.
    #[error("{setting} is {value}: it must be {allowed}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it was.
        value: String,
        /// What it can be.
        allowed: &'static str,
    },
    /// The library that fits a model gave up.
    #[error("could not fit a {kind} model")]
    Fit {
        /// Which kind.
        kind: &'static str,
        /// What the library says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored model cannot be read.
    #[error("could not read a stored model")]
    Decode {
        /// What MessagePack says.
        #[source]
        source: rmp_serde::decode::Error,
    },
    /// A stored model is of a format this program does not know.
    #[error("a stored model has format {found}, this program knows format {known}")]
    Format {
        /// The stored one.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A model, report or card cannot be written down.
    #[error("could not write down a {what}")]
    Encode {
        /// What.
        what: &'static str,
        /// What the encoder says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Says whose move it is: the caller's, the world's, or ours.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Sensitive { .. }
            | Error::Leak { .. }
            | Error::Duplicate { .. }
            | Error::DuplicateRow { .. }
            | Error::NotFinite { .. }
            | Error::NothingToLearn { .. }
            | Error::OtherFeatures { .. }
            | Error::FutureRow { .. }
            | Error::Setting { .. }
            | Error::Format { .. }
            | Error::Decode { .. } => Blame::Caller,
            Error::Frame { .. } | Error::Length { .. } | Error::Fit { .. } | Error::Encode { .. } => Blame::Us,
        }
    }
}
