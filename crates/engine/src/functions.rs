//! SQL functions of our own: what SQL says badly about campus time.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, AsArray, Date32Array, Int32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::cast::as_timestamp_microsecond_array;
use datafusion::common::exec_err;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use schema::instant_type;
use schema::time::CampusClock;

/// Registers `campus_on(instant)`, `known_on(instant)`, `known_lag(instant, date)` and `day_start(date)`.
///
/// `campus_on` is the campus day of an instant. `known_on` is the first as-of date whose beginning (04:00) is not
/// before the instant: a row known at 03:00 on the 5th or at 04:00 sharp is used as of the 5th, one known a moment later
/// as of the 6th.
/// `known_lag` is the number of days from a row's own day to its `known_on`, usually 1. `day_start` is the instant at which a campus day begins.
pub(crate) fn register(context: &SessionContext, clock: &CampusClock) {
    context.register_udf(dates("campus_on", clock, |clock, at_us| clock.moment(at_us).occurred_on));
    context.register_udf(dates("known_on", clock, |clock, at_us| clock.moment(at_us - 1).occurred_on + 1));
    let shared = Arc::new(Mutex::new(clock.clone()));
    context.register_udf(create_udf(
        "known_lag",
        vec![instant_type(), DataType::Date32],
        DataType::Int32,
        Volatility::Immutable,
        Arc::new(move |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let instants = as_timestamp_microsecond_array(&arrays[0])?;
            let days = arrays[1].as_primitive::<Date32Type>();
            let Ok(mut clock) = shared.lock() else { return exec_err!("the campus clock is broken") };
            let lags: Int32Array =
                instants.iter().zip(days).map(|(at, on)| Some(clock.moment(at? - 1).occurred_on + 1 - on?)).collect();
            Ok(ColumnarValue::Array(Arc::new(lags)))
        }),
    ));
    let shared = Arc::new(Mutex::new(clock.clone()));
    context.register_udf(create_udf(
        "day_start",
        vec![DataType::Date32],
        instant_type(),
        Volatility::Immutable,
        Arc::new(move |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let Ok(mut clock) = shared.lock() else { return exec_err!("the campus clock is broken") };
            let days = arrays[0].as_primitive::<Date32Type>();
            let starts: TimestampMicrosecondArray = days.iter().map(|it| it.map(|day| clock.day_start(day))).collect();
            Ok(ColumnarValue::Array(Arc::new(starts.with_timezone("UTC"))))
        }),
    ));
}

fn dates(
    name: &str,
    clock: &CampusClock,
    of: impl Fn(&mut CampusClock, i64) -> i32 + Send + Sync + 'static,
) -> datafusion::logical_expr::ScalarUDF {
    let shared = Arc::new(Mutex::new(clock.clone()));
    create_udf(
        name,
        vec![instant_type()],
        DataType::Date32,
        Volatility::Immutable,
        Arc::new(move |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let instants: &TimestampMicrosecondArray = as_timestamp_microsecond_array(&arrays[0])?;
            let Ok(mut clock) = shared.lock() else { return exec_err!("the campus clock is broken") };
            let days: Date32Array = instants.iter().map(|it| it.map(|at_us| of(&mut clock, at_us))).collect();
            Ok(ColumnarValue::Array(Arc::new(days) as ArrayRef))
        }),
    )
}
