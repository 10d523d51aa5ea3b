//! From measures in the long form to the matrix a model reads.
//!
//! One row is a student as of a day, one column a measure; columns are in the order of their names and rows in the order
//! of (day, student), whatever order the long form came in, so the same facts always make the same bytes. A measure
//! nobody has is NaN, never a median: what to do with it is each model's own decision. What may not be an input at all
//! ([`refuse_sensitive`], [`refuse_leaks`]) is refused here, by name, before any model sees it.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView2};
use polars::prelude::{DataFrame, DataType, IntoColumn, NamedFrom, PolarsError, Series};

use crate::error::Error;
use crate::metrics::auroc;

/// Words that no input and no label may have in its name, each with the reason it is here.
///
/// Compared with the words between underscores, singular or plural: `case_n` is refused, `showcase_n` is not.
///
/// What somebody was once suspected of, treated for or believes must not come back as a reason to suspect them again.
pub const SENSITIVE: &[&str] = &[
    "screening",  // Results of the psychological census.
    "scl",        // The same, by the name of the usual scale.
    "psychology", // Anything of the psychology compartment.
    "psych",
    "mental",
    "counselling", // Visits to the centre must not cost anything.
    "counseling",
    "case",     // What people did about a student.
    "severity", // How bad people thought it was.
    "hospital", // Medical facts.
    "medical",
    "harm", // Self-harm.
    "suicide",
    "religion", // Belief and descent.
    "religious",
    "ethnicity",
    "ethnic",
    "minority",
    "nationality",
    "discipline", // Punishment and complaint.
    "disciplinary",
    "punishment",
    "complaint",
    "warned", // "Was warned" makes a model predict itself.
    "warning",
];

/// One value of the long form: what one measure says of one student as of one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Pseudonymous, stable.
    pub student_key: i64,
    /// Days since 1970-01-01.
    pub as_of_on: i32,
    /// Name of the measure.
    pub measure: String,
    /// `None` is "cannot be said".
    pub value: Option<f64>,
    /// Share of the window that was seen, 0 to 1.
    pub cov: f64,
}

/// Whose row it is, and as of when. Ordered by day, then student.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct RowKey {
    /// Days since 1970-01-01.
    pub as_of_on: i32,
    /// Pseudonymous, stable.
    pub student_key: i64,
}

/// What a model reads: rows in the order of their keys, columns in the order of their names.
///
/// # Shape
/// `values` and `cov`: `[keys, features]`. A missing value is NaN; a cell absent from the long form has coverage 0.
#[derive(Debug, Clone)]
pub struct Matrix {
    keys: Vec<RowKey>,
    features: Vec<String>,
    values: Array2<f64>,
    cov: Array2<f64>,
}

impl Matrix {
    /// Builds the matrix of `measures` from the long form; a measure without rows is a column of missing values.
    ///
    /// # Shape
    /// `long`: columns `student_key` (integer), `as_of_on` (days since 1970-01-01, integer), `measure` (text), `value` (double or NULL),
    /// `cov` (double, never NULL), in any order of rows and columns; others are ignored.
    ///
    /// # Errors
    /// If a column is absent, a measure is sensitive, a value infinite, or a student has a measure twice as of one day.
    pub fn from_frame(long: &DataFrame, measures: &[String]) -> Result<Matrix, Error> {
        refuse_sensitive(measures)?;
        let features = sorted_names(measures);
        let frame = |source| Error::Frame { source };

        // The measures were chosen above; a place in that list is all a row of the long form needs.
        let places: HashMap<&str, usize> = features.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let column = |name: &str, kind: DataType| long.column(name).and_then(|it| it.strict_cast(&kind)).map_err(frame);
        let (students, days) = (column("student_key", DataType::Int64)?, column("as_of_on", DataType::Int32)?);
        let (measures, seen) = (column("measure", DataType::String)?, column("cov", DataType::Float64)?);
        let known = column("value", DataType::Float64)?;
        for needed in [&students, &days, &measures, &seen] {
            if needed.null_count() != 0 {
                let source = PolarsError::NoData(format!("column {} has NULLs", needed.name()).into());
                return Err(frame(source));
            }
        }
        let (students, days) = (students.i64().map_err(frame)?, days.i32().map_err(frame)?);
        let (measures, seen) = (measures.str().map_err(frame)?, seen.f64().map_err(frame)?);
        let known = known.f64().map_err(frame)?;

        let row_keys = || {
            let pairs = days.into_no_null_iter().zip(students.into_no_null_iter());
            pairs.map(|(as_of_on, student_key)| RowKey { as_of_on, student_key })
        };
        // Every student of the long form is a row, even one with none of the wanted measures.
        let mut keys: Vec<RowKey> = row_keys().collect();
        keys.sort_unstable();
        keys.dedup();
        let rows: HashMap<RowKey, usize> = keys.iter().enumerate().map(|(at, key)| (*key, at)).collect();

        // A plain scatter: the pivot of polars 0.55 is one filtered aggregate for every column and group.
        let mut values = Array2::from_elem((keys.len(), features.len()), f64::NAN);
        let mut cov = Array2::from_elem((keys.len(), features.len()), f64::NAN);
        for (((key, measure), value), seen) in row_keys().zip(measures.iter()).zip(known.iter()).zip(seen.iter()) {
            let Some(column) = measure.and_then(|it| places.get(it)) else { continue };
            let cell = [rows[&key], *column];
            // Coverage stands in every cell that was filled, so it tells a second value from the first.
            if !cov[cell].is_nan() {
                let RowKey { as_of_on, student_key } = key;
                return Err(Error::Duplicate { measure: features[*column].clone(), student_key, as_of_on });
            }
            values[cell] = value.unwrap_or(f64::NAN);
            cov[cell] = seen.filter(|it| !it.is_nan()).unwrap_or(0.0);
        }
        cov.mapv_inplace(|it| if it.is_nan() { 0.0 } else { it });
        Matrix { keys, features, values, cov }.checked()
    }

    /// The same from single values.
    ///
    /// # Errors
    /// As [`Matrix::from_frame`].
    pub fn from_cells(cells: &[Cell], measures: &[String]) -> Result<Matrix, Error> {
        let column = |series: Series| series.into_column();
        let long = DataFrame::new_infer_height(vec![
            column(Series::new("student_key".into(), cells.iter().map(|it| it.student_key).collect::<Vec<_>>())),
            column(Series::new("as_of_on".into(), cells.iter().map(|it| it.as_of_on).collect::<Vec<_>>())),
            column(Series::new("measure".into(), cells.iter().map(|it| it.measure.as_str()).collect::<Vec<_>>())),
            column(Series::new("value".into(), cells.iter().map(|it| it.value).collect::<Vec<_>>())),
            column(Series::new("cov".into(), cells.iter().map(|it| it.cov).collect::<Vec<_>>())),
        ])
        .map_err(|source| Error::Frame { source })?;
        Matrix::from_frame(&long, measures)
    }

    /// The same from a matrix that already is wide; NaN is missing, coverage 1 where there is a value.
    ///
    /// # Shape
    /// `values`: `[keys, features]`, both in any order.
    ///
    /// # Errors
    /// As [`Matrix::from_frame`], and if the shape differs from the names.
    pub fn from_wide(keys: &[RowKey], features: &[String], values: ArrayView2<'_, f64>) -> Result<Matrix, Error> {
        refuse_sensitive(features)?;
        for (what, expected, found) in [("rows", keys.len(), values.nrows()), ("measures", features.len(), values.ncols())] {
            if expected != found {
                return Err(Error::Length { what, expected, found });
            }
        }
        let mut rows: Vec<usize> = (0..keys.len()).collect();
        rows.sort_by_key(|row| keys[*row]);
        let mut columns: Vec<usize> = (0..features.len()).collect();
        columns.sort_by_key(|column| &features[*column]);

        let values = Array2::from_shape_fn(values.raw_dim(), |(row, column)| values[[rows[row], columns[column]]]);
        let cov = values.mapv(|it| if it.is_nan() { 0.0 } else { 1.0 });
        let keys = rows.iter().map(|row| keys[*row]).collect();
        let features = columns.iter().map(|column| features[*column].clone()).collect();
        Matrix { keys, features, values, cov }.checked()
    }

    fn checked(self) -> Result<Matrix, Error> {
        if let Some(pair) = self.keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::DuplicateRow { student_key: pair[0].student_key, as_of_on: pair[0].as_of_on });
        }
        if let Some(pair) = self.features.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::Setting { setting: "measures", value: pair[0].clone(), allowed: "named once each" });
        }
        for (column, measure) in self.values.columns().into_iter().zip(&self.features) {
            if column.iter().any(|it| it.is_infinite()) {
                return Err(Error::NotFinite { measure: measure.clone() });
            }
        }
        Ok(self)
    }

    /// Whose rows these are, ascending.
    pub fn keys(&self) -> &[RowKey] {
        &self.keys
    }

    /// Names of the columns, ascending.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The values, `[keys, features]`, NaN where missing.
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The coverage behind each value, `[keys, features]`, 0 to 1.
    pub fn cov(&self) -> ArrayView2<'_, f64> {
        self.cov.view()
    }

    /// The rows named, in the order of the matrix whatever the order of `rows`; a row named twice stands once.
    ///
    /// # Panics
    /// If a row is outside the matrix: rows come from the matrix itself.
    pub fn pick(&self, rows: &[usize]) -> Matrix {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        Matrix {
            keys: rows.iter().map(|row| self.keys[*row]).collect(),
            features: self.features.clone(),
            values: self.values.select(ndarray::Axis(0), &rows),
            cov: self.cov.select(ndarray::Axis(0), &rows),
        }
    }

    /// Refuses a matrix with other columns than a model knows.
    pub(crate) fn expect_features(&self, features: &[String]) -> Result<(), Error> {
        if self.features == features {
            return Ok(());
        }
        Err(Error::OtherFeatures { expected: features.join(", "), found: self.features.join(", ") })
    }
}

fn sorted_names(measures: &[String]) -> Vec<String> {
    let mut names = measures.to_vec();
    names.sort();
    names.dedup();
    names
}

/// Refuses names that may be neither input nor label, by the words of [`SENSITIVE`].
///
/// # Errors
/// [`Error::Sensitive`] for the first such name.
pub fn refuse_sensitive(names: &[String]) -> Result<(), Error> {
    for name in names {
        let words = name.split(|it: char| !it.is_alphanumeric()).map(str::to_lowercase);
        for word in words {
            let singular = word.strip_suffix('s').unwrap_or(&word);
            // A warning by the teaching office is a fact about studies and an allowed label; one by us is not.
            if singular == "warning" && name.starts_with("academic_warning") {
                continue;
            }
            if let Some(word) = SENSITIVE.iter().find(|it| **it == word || **it == singular) {
                return Err(Error::Sensitive { name: name.clone(), word });
            }
        }
    }
    Ok(())
}

/// Refuses a measure that the label was made of.
///
/// # Shape
/// `label_inputs`: every measure and column that the label's model reads, as its front matter lists them.
///
/// # Errors
/// [`Error::Leak`] for the first such measure; [`Error::Sensitive`] if the label itself is of a forbidden kind.
pub fn refuse_leaks(features: &[String], label: &str, label_inputs: &[String]) -> Result<(), Error> {
    refuse_sensitive(&[label.to_owned()])?;
    match features.iter().find(|it| *it == label || label_inputs.contains(it)) {
        Some(measure) => Err(Error::Leak { measure: measure.clone(), label: label.to_owned() }),
        None => Ok(()),
    }
}

/// Returns measures that alone sort the labels too well to be true, with their area under the curve, best first.
///
/// A leak that no list of names gives away shows like this. Direction does not matter: 0.02 is as suspect as 0.98.
/// A measure that is known of a few rows sorts them by chance, as in the first weeks of a year: of such a one nothing is said.
///
/// # Shape
/// `labels`: one per row of the matrix. `at_least`: the area from which a measure is suspect, 0.98 is usual. `n_min`: known
/// rows of either outcome below which a measure is not.
pub fn suspects(matrix: &Matrix, labels: &[bool], at_least: f64, n_min: usize) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for (column, name) in matrix.values().columns().into_iter().zip(matrix.features()) {
        let (values, known): (Vec<f64>, Vec<bool>) =
            column.iter().zip(labels).filter(|(it, _)| !it.is_nan()).map(|(it, label)| (*it, *label)).unzip();
        let n_positive = known.iter().filter(|it| **it).count();
        if n_min <= n_positive.min(known.len() - n_positive)
            && let Some(area) = auroc(&values, &known).map(|it| it.max(1.0 - it))
            && at_least <= area
        {
            found.push((name.clone(), area));
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    fn cell(student_key: i64, as_of_on: i32, measure: &str, value: Option<f64>) -> Cell {
        Cell { student_key, as_of_on, measure: measure.to_owned(), value, cov: if value.is_some() { 0.9 } else { 0.2 } }
    }

    #[test]
    fn rows_and_columns_have_one_order_whatever_the_order_of_the_cells() {
        let mut cells = vec![
            cell(7, 20, "meals", Some(3.0)),
            cell(7, 13, "clicks", Some(5.0)),
            cell(3, 20, "meals", None),
            cell(3, 20, "clicks", Some(1.0)),
        ];
        let forward = Matrix::from_cells(&cells, &names(&["meals", "clicks"])).unwrap();
        cells.reverse();
        let backward = Matrix::from_cells(&cells, &names(&["clicks", "meals"])).unwrap();

        assert_eq!(forward.features(), names(&["clicks", "meals"]));
        assert_eq!(forward.features(), backward.features());
        let keys: Vec<(i32, i64)> = forward.keys().iter().map(|it| (it.as_of_on, it.student_key)).collect();
        assert_eq!(keys, [(13, 7), (20, 3), (20, 7)]);
        assert_eq!(forward.keys(), backward.keys());
        let bits = |it: &Matrix| it.values().iter().map(|it| it.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&forward), bits(&backward));
        assert_eq!(forward.values()[[1, 0]], 1.0);
    }

    #[test]
    fn a_missing_value_stays_missing_and_keeps_its_coverage() {
        let cells = [cell(1, 0, "a", None), cell(2, 0, "a", Some(4.0)), cell(2, 0, "unasked", Some(1.0))];
        let matrix = Matrix::from_cells(&cells, &names(&["a", "b"])).unwrap();
        assert!(matrix.values()[[0, 0]].is_nan());
        assert_eq!(matrix.cov()[[0, 0]], 0.2);
        assert!(matrix.values().column(1).iter().all(|it| it.is_nan()), "nobody has \"b\"");
        assert!(matrix.cov().column(1).iter().all(|it| *it == 0.0));
    }

    #[test]
    fn a_value_that_stands_twice_is_refused() {
        let cells = [cell(1, 0, "a", Some(1.0)), cell(1, 0, "a", Some(2.0))];
        assert!(matches!(Matrix::from_cells(&cells, &names(&["a"])), Err(Error::Duplicate { student_key: 1, as_of_on: 0, .. })));
    }

    #[test]
    fn columns_of_no_interest_are_ignored() {
        let long = DataFrame::new_infer_height(vec![
            Series::new("value".into(), [Some(2.5), None]).into_column(),
            Series::new("measure".into(), ["a", "a"]).into_column(),
            Series::new("student_key".into(), [9_i64, 4]).into_column(),
            Series::new("z_self".into(), [0.1, 0.2]).into_column(),
            Series::new("as_of_on".into(), [20_i64, 20]).into_column(),
            Series::new("cov".into(), [1.0, 0.5]).into_column(),
        ])
        .unwrap();
        let matrix = Matrix::from_frame(&long, &names(&["a"])).unwrap();
        assert_eq!(matrix.keys()[1], RowKey { as_of_on: 20, student_key: 9 });
        assert_eq!((matrix.values()[[1, 0]], matrix.cov()[[0, 0]]), (2.5, 0.5));
    }

    #[test]
    fn a_student_without_a_key_or_a_column_that_is_absent_is_refused() {
        let long = |key: Option<i64>| {
            DataFrame::new_infer_height(vec![
                Series::new("value".into(), [1.0]).into_column(),
                Series::new("measure".into(), ["a"]).into_column(),
                Series::new("student_key".into(), [key]).into_column(),
                Series::new("as_of_on".into(), [20]).into_column(),
                Series::new("cov".into(), [1.0]).into_column(),
            ])
            .unwrap()
        };
        assert!(Matrix::from_frame(&long(Some(1)), &names(&["a"])).is_ok());
        assert!(matches!(Matrix::from_frame(&long(None), &names(&["a"])), Err(Error::Frame { .. })));
        let narrow = long(Some(1)).drop("cov").unwrap();
        assert!(matches!(Matrix::from_frame(&narrow, &names(&["a"])), Err(Error::Frame { .. })));
    }

    #[test]
    fn an_infinite_value_is_refused() {
        let cells = [cell(1, 0, "a", Some(f64::INFINITY))];
        assert!(matches!(Matrix::from_cells(&cells, &names(&["a"])), Err(Error::NotFinite { .. })));
    }

    #[track_caller]
    fn check_sensitive(name: &str, word: Option<&str>) {
        let actual = match refuse_sensitive(&names(&[name])) {
            Err(Error::Sensitive { word, .. }) => Some(word),
            _ => None,
        };
        assert_eq!(actual, word, "name {name}");
    }

    #[test]
    fn sensitive_words_are_refused_by_the_word() {
        check_sensitive("screening_score", Some("screening"));
        check_sensitive("n_counselling_visits", Some("counselling"));
        check_sensitive("open_cases_n", Some("case"));
        check_sensitive("was_warned", Some("warned"));
        check_sensitive("Hospital-days", Some("hospital"));
        check_sensitive("showcase_n", None);
        check_sensitive("warnings_n", Some("warning"));
        check_sensitive("academic_warning", None);
        check_sensitive("breakfast_rate", None);
        check_sensitive("basket_fen", None);
    }

    #[test]
    fn a_measure_the_label_is_made_of_is_refused() {
        let features = names(&["absent_days", "final_mark"]);
        let made_of = names(&["final_mark", "credits"]);
        assert!(matches!(
            refuse_leaks(&features, "failed_course", &made_of),
            Err(Error::Leak { measure, .. }) if measure == "final_mark"
        ));
        assert!(refuse_leaks(&features[..1], "failed_course", &made_of).is_ok());
        assert!(matches!(refuse_leaks(&[], "mental_crisis", &[]), Err(Error::Sensitive { .. })));
    }

    #[test]
    fn a_planted_leak_is_a_suspect_and_an_honest_measure_is_not() {
        let keys: Vec<RowKey> = (0..100).map(|student_key| RowKey { as_of_on: 0, student_key }).collect();
        let labels: Vec<bool> = (0..100).map(|it| it % 3 == 0).collect();
        let values = Array2::from_shape_fn((100, 3), |(row, column)| match column {
            0 => f64::from(u8::from(labels[row])) - 0.001 * row as f64,
            1 => (row * 37 % 100) as f64,
            // Known of twelve rows, which it sorts as well as the leak does.
            _ if row < 12 => f64::from(u8::from(labels[row])),
            _ => f64::NAN,
        });
        let matrix = Matrix::from_wide(&keys, &names(&["leaky", "plain", "rare"]), values.view()).unwrap();
        let found = |n_min| -> Vec<String> { suspects(&matrix, &labels, 0.98, n_min).into_iter().map(|it| it.0).collect() };
        assert_eq!(found(20), ["leaky"]);
        // Four of the twelve have the outcome.
        assert_eq!((found(4).len(), found(5)), (2, vec!["leaky".to_owned()]));
    }
}
