//! Takes masks of columns. Runs below the barrier, so it has no error that depends on a value.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, LargeStringArray, PrimitiveArray, StringArray, StringViewArray, new_null_array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, ArrowTimestampType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use schema::time::CampusClock;

use crate::Mask;

/// What masks need besides the value: the campus day and the key of the hash.
#[derive(Debug, Clone)]
pub(crate) struct Masking {
    clock: CampusClock,
    hash_key: [u8; 32],
}

impl Masking {
    pub(crate) fn new(clock: CampusClock, hash_key: [u8; 32]) -> Arc<Self> {
        Arc::new(Self { clock, hash_key })
    }

    /// The mask as a function of one column.
    pub(crate) fn function(self: &Arc<Self>, mask: Mask) -> ScalarUDF {
        ScalarUDF::new_from_impl(MaskFunction {
            mask,
            name: format!("mask_{mask}"),
            signature: Signature::any(1, Volatility::Immutable),
            masking: Arc::clone(self),
        })
    }

    /// Masks a column. What the mask does not fit becomes NULL: too little is shown rather than too much.
    pub(crate) fn mask(&self, mask: Mask, values: &ArrayRef) -> ArrayRef {
        let data_type = values.data_type();
        if !mask.fits(data_type) {
            return new_null_array(data_type, values.len());
        }
        match (mask, data_type) {
            (Mask::Keep, _) | (Mask::Day, DataType::Date32) => Arc::clone(values),
            (Mask::Hour, _) => self.instants(values, |us, _| floor(us, 3_600_000_000)),
            (Mask::QuarterHour, _) => self.instants(values, |us, _| floor(us, 900_000_000)),
            (Mask::Day, _) => self.instants(values, |us, clock| {
                let moment = clock.moment(us);
                clock.day_start(moment.occurred_on)
            }),
            (Mask::Bin(width), DataType::Int8) => bin::<Int8Type>(values, width),
            (Mask::Bin(width), DataType::Int16) => bin::<Int16Type>(values, width),
            (Mask::Bin(width), DataType::Int32) => bin::<Int32Type>(values, width),
            (Mask::Bin(width), DataType::Int64) => bin::<Int64Type>(values, width),
            (Mask::Hash, DataType::Int64) => {
                let keys = values.as_primitive::<Int64Type>();
                Arc::new(keys.iter().map(|it| it.map(|it| self.hash(&it.to_le_bytes()))).collect::<Int64Array>())
            }
            (Mask::Hash, DataType::Utf8) => {
                Arc::new(values.as_string::<i32>().iter().map(|it| self.hash_text(it)).collect::<StringArray>())
            }
            (Mask::Hash, DataType::LargeUtf8) => {
                Arc::new(values.as_string::<i64>().iter().map(|it| self.hash_text(it)).collect::<LargeStringArray>())
            }
            (Mask::Hash, DataType::Utf8View) => {
                Arc::new(values.as_string_view().iter().map(|it| self.hash_text(it)).collect::<StringViewArray>())
            }
            _ => new_null_array(data_type, values.len()),
        }
    }

    /// 63 bits of a keyed hash. A fast hash with a seed would not do: who knows one value and its hash has the seed.
    fn hash(&self, bytes: &[u8]) -> i64 {
        let digest = blake3::keyed_hash(&self.hash_key, bytes);
        let mut head = [0; 8];
        head.copy_from_slice(&digest.as_bytes()[..8]);
        i64::from_le_bytes(head) & i64::MAX
    }

    fn hash_text(&self, text: Option<&str>) -> Option<String> {
        text.map(|it| format!("{:016x}", self.hash(it.as_bytes())))
    }

    fn instants(&self, values: &ArrayRef, cut: impl Fn(i64, &mut CampusClock) -> i64) -> ArrayRef {
        // The clock keeps offsets it has looked up, and so is changed by looking: a copy a batch.
        let mut clock = self.clock.clone();
        let DataType::Timestamp(unit, zone) = values.data_type() else {
            return new_null_array(values.data_type(), values.len());
        };
        let mut cut = |us| cut(us, &mut clock);
        match unit {
            TimeUnit::Second => instants_of::<TimestampSecondType>(
                values,
                zone,
                |it| it.saturating_mul(1_000_000),
                |us| us.div_euclid(1_000_000),
                &mut cut,
            ),
            TimeUnit::Millisecond => instants_of::<TimestampMillisecondType>(
                values,
                zone,
                |it| it.saturating_mul(1_000),
                |us| us.div_euclid(1_000),
                &mut cut,
            ),
            TimeUnit::Microsecond => instants_of::<TimestampMicrosecondType>(values, zone, |it| it, |us| us, &mut cut),
            TimeUnit::Nanosecond => instants_of::<TimestampNanosecondType>(
                values,
                zone,
                |it| it.div_euclid(1_000),
                |us| us.saturating_mul(1_000),
                &mut cut,
            ),
        }
    }
}

/// Furthest instant from 1970 that a calendar is asked about, in microseconds: year 9999. Beyond it nothing is shown.
const HORIZON_US: i64 = 253_402_300_800_000_000;

fn instants_of<T: ArrowTimestampType>(
    values: &ArrayRef,
    zone: &Option<Arc<str>>,
    to_us: impl Fn(i64) -> i64,
    from_us: impl Fn(i64) -> i64,
    cut: &mut impl FnMut(i64) -> i64,
) -> ArrayRef {
    let values = values.as_primitive::<T>();
    let cut: PrimitiveArray<T> = values
        .iter()
        .map(|it| {
            let us = to_us(it?);
            (-HORIZON_US..HORIZON_US).contains(&us).then(|| from_us(cut(us)))
        })
        .collect();
    Arc::new(cut.with_timezone_opt(zone.clone()))
}

fn bin<T: ArrowPrimitiveType>(values: &ArrayRef, width: i64) -> ArrayRef
where
    T::Native: Into<i64> + TryFrom<i64>,
{
    let binned: PrimitiveArray<T> = values
        .as_primitive::<T>()
        .iter()
        // A bin that begins below the least value of the type is no value of it.
        .map(|it| T::Native::try_from(floor_checked(it?.into(), width)?).ok())
        .collect();
    Arc::new(binned)
}

fn floor(value: i64, width: i64) -> i64 {
    value - value.rem_euclid(width)
}

fn floor_checked(value: i64, width: i64) -> Option<i64> {
    value.checked_sub(value.rem_euclid(width))
}

/// The function that stands in a plan. Two are the same if they mask alike under the same key.
#[derive(Debug)]
struct MaskFunction {
    mask: Mask,
    name: String,
    signature: Signature,
    masking: Arc<Masking>,
}

impl PartialEq for MaskFunction {
    fn eq(&self, other: &Self) -> bool {
        self.mask == other.mask && Arc::ptr_eq(&self.masking, &other.masking)
    }
}

impl Eq for MaskFunction {}

impl std::hash::Hash for MaskFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.mask.hash(state);
    }
}

impl ScalarUDFImpl for MaskFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = args.args[0].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(self.masking.mask(self.mask, &values)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int32Array, TimestampMicrosecondArray, TimestampSecondArray};
    use chrono::NaiveTime;

    use super::*;

    fn masking() -> Arc<Masking> {
        let four = NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 exists");
        Masking::new(CampusClock::new(chrono_tz::Asia::Shanghai, four), [7; 32])
    }

    fn instants(texts: &[&str]) -> ArrayRef {
        let us = texts
            .iter()
            .map(|it| chrono::NaiveDateTime::parse_from_str(it, "%F %T").expect("instant").and_utc().timestamp_micros());
        Arc::new(TimestampMicrosecondArray::from_iter_values(us).with_timezone("UTC"))
    }

    #[track_caller]
    fn check(mask: Mask, given: ArrayRef, expected: ArrayRef) {
        assert_eq!(&masking().mask(mask, &given), &expected, "{mask}");
    }

    #[test]
    fn instants_are_cut_and_never_rounded_up() {
        let given = || instants(&["2026-03-01 22:59:59", "2026-03-01 17:30:01"]);
        check(Mask::Hour, given(), instants(&["2026-03-01 22:00:00", "2026-03-01 17:00:00"]));
        check(Mask::QuarterHour, given(), instants(&["2026-03-01 22:45:00", "2026-03-01 17:30:00"]));
        // 22:59 UTC is 06:59 of 2 March in Shanghai; 17:30 UTC is 01:30 and belongs to the campus day before.
        check(Mask::Day, given(), instants(&["2026-03-01 20:00:00", "2026-02-28 20:00:00"]));
    }

    #[test]
    fn an_instant_beyond_the_calendar_is_not_shown() {
        let given: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(i64::MAX), Some(3_601), None]));
        check(Mask::Hour, given, Arc::new(TimestampSecondArray::from(vec![None, Some(3_600), None])));
    }

    #[test]
    fn bins_begin_at_multiples_below_zero_too() {
        let given: ArrayRef = Arc::new(Int32Array::from(vec![Some(0), Some(499), Some(500), Some(-1), None]));
        check(Mask::Bin(500), given, Arc::new(Int32Array::from(vec![Some(0), Some(0), Some(500), Some(-500), None])));
        let least: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN]));
        check(Mask::Bin(500), least, Arc::new(Int64Array::from(vec![None])));
    }

    #[test]
    fn a_hash_tells_equal_from_unequal_and_hides_the_rest() {
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(1), None]));
        let hashed = masking().mask(Mask::Hash, &keys);
        let hashed = hashed.as_primitive::<Int64Type>();
        assert_eq!(hashed.value(0), hashed.value(2));
        assert_ne!(hashed.value(0), hashed.value(1));
        assert_ne!(hashed.value(0), 1);
        assert!(hashed.is_null(3) && 0 <= hashed.value(0) && 0 <= hashed.value(1));
    }

    #[test]
    fn a_mask_that_does_not_fit_shows_nothing() {
        let given: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
        check(Mask::Bin(500), Arc::clone(&given), Arc::new(Float64Array::from(vec![None])));
        check(Mask::Hour, given, Arc::new(Float64Array::from(vec![None])));
    }
}
