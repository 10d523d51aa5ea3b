//! The measures of `portrait` as SQL aggregates.
//!
//! Each collects the rows of its group as numbers, and works only when it has them all: it sorts first, so the order in
//! which partitions arrive changes nothing. A row with a NULL argument is left out, unless the function says otherwise.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, Int64Array, ListArray, ListBuilder, StringArray,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};
use datafusion::prelude::SessionContext;
use portrait::{Config, Passage, Swipe};

/// What an aggregate makes of the rows of one group.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Number(Option<f64>),
    Text(Option<String>),
    Edges(Vec<portrait::Edge>),
}

/// One aggregate: its arguments, and what becomes of them.
#[derive(Debug)]
struct Measure {
    name: &'static str,
    /// Arguments; all but text become doubles, which hold every whole number up to 2^53.
    arguments: &'static [Argument],
    /// Numbers kept of a row.
    width: usize,
    returns: Returns,
    of: fn(&[f64]) -> Value,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Argument {
    Number,
    /// May be NULL: kept as NaN.
    NumberOrNull,
    /// What `day_passages` returned: becomes a row for every passage, of minute and direction.
    Passages,
}

#[derive(Debug, Clone, Copy)]
enum Returns {
    Number,
    Text,
    Edges,
}

/// Registers the aggregates of the measures.
///
/// - `actual_entropy(at, bin)`: Lempel-Ziv entropy of the bins in the order of `at`, nats.
/// - `hour_entropy(minute)`: normalised entropy of the hours, 0 to 1.
/// - `circular_mean(minute)`, `circular_concentration(minute)`: of minutes of the day.
/// - `gap_surprise(gap, silence)`: `-ln P(gap >= silence)` against the group's own gaps; `silence` is one value a group.
/// - `theil_sen(x, y)`: median slope. `mad(value)`: median absolute deviation, unscaled.
/// - `day_passages(minute, is_in)`: passages of one day as text, minutes since 04:00; for `presence_regularity`.
/// - `presence_regularity(day, passages)`: -100 to 100; a covered day without passages has an empty text.
/// - `meal_bands(minute)`: minutes at which breakfast, lunch and dinner begin and end in a canteen, as text.
/// - `co_occurrence(student, meal, terminal_group, second)`: pairs who eat together more often than chance.
pub(crate) fn register(context: &SessionContext) {
    for measure in MEASURES {
        context.register_udaf(AggregateUDF::new_from_impl(Collect {
            signature: Signature::any(measure.arguments.len(), Volatility::Immutable),
            measure,
        }));
    }
}

use Argument::{Number, NumberOrNull, Passages};

static MEASURES: &[Measure] = &[
    Measure { name: "actual_entropy", arguments: &[Number, Number], width: 2, returns: Returns::Number, of: actual_entropy },
    Measure { name: "hour_entropy", arguments: &[Number], width: 1, returns: Returns::Number, of: hour_entropy },
    Measure {
        name: "circular_mean",
        arguments: &[Number],
        width: 1,
        returns: Returns::Number,
        of: |it| Value::Number(portrait::mean_minute(&sorted(it))),
    },
    Measure {
        name: "circular_concentration",
        arguments: &[Number],
        width: 1,
        returns: Returns::Number,
        of: |it| Value::Number(portrait::concentration(&sorted(it))),
    },
    Measure { name: "gap_surprise", arguments: &[Number, Number], width: 2, returns: Returns::Number, of: gap_surprise },
    Measure { name: "theil_sen", arguments: &[Number, Number], width: 2, returns: Returns::Number, of: theil_sen },
    Measure { name: "mad", arguments: &[Number], width: 1, returns: Returns::Number, of: |it| Value::Number(portrait::mad(it)) },
    Measure { name: "day_passages", arguments: &[Number, Number], width: 2, returns: Returns::Text, of: day_passages },
    Measure {
        name: "presence_regularity",
        arguments: &[Number, Passages],
        width: 3,
        returns: Returns::Number,
        of: presence_regularity,
    },
    Measure { name: "meal_bands", arguments: &[Number], width: 1, returns: Returns::Text, of: meal_bands },
    Measure {
        name: "co_occurrence",
        arguments: &[Number, Number, NumberOrNull, Number],
        width: 4,
        returns: Returns::Edges,
        of: co_occurrence,
    },
];

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Rows of two numbers, in order.
fn pairs(rows: &[f64]) -> Vec<(f64, f64)> {
    let mut pairs: Vec<(f64, f64)> = rows.chunks_exact(2).map(|it| (it[0], it[1])).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    pairs
}

fn actual_entropy(rows: &[f64]) -> Value {
    let bins: Vec<u16> = pairs(rows).into_iter().map(|it| it.1.clamp(0.0, f64::from(u16::MAX)) as u16).collect();
    Value::Number(portrait::actual_entropy(&bins))
}

fn hour_entropy(rows: &[f64]) -> Value {
    let minutes: Vec<u16> = rows.iter().map(|it| it.rem_euclid(1440.0) as u16).collect();
    Value::Number(portrait::hour_entropy(&minutes))
}

fn gap_surprise(rows: &[f64]) -> Value {
    let pairs = pairs(rows);
    let gaps: Vec<f64> = pairs.iter().map(|it| it.0).collect();
    let silence = pairs.iter().map(|it| it.1).fold(f64::NEG_INFINITY, f64::max);
    Value::Number(portrait::gap_surprise(&gaps, silence))
}

fn theil_sen(rows: &[f64]) -> Value {
    Value::Number(portrait::theil_sen(&pairs(rows)))
}

fn day_passages(rows: &[f64]) -> Value {
    // Two directions in one minute stay two: out comes before in.
    let words: Vec<String> =
        pairs(rows).iter().map(|it| format!("{:04}{}", it.0 as i64, if 0.5 < it.1 { '+' } else { '-' })).collect();
    Value::Text((!words.is_empty()).then(|| words.join(" ")))
}

fn presence_regularity(rows: &[f64]) -> Value {
    let passage = |it: &[f64]| Passage {
        day: it[0] as i32,
        minute: if it[1].is_nan() { 0 } else { it[1] as u16 },
        is_in: (!it[2].is_nan()).then_some(0.5 < it[2]),
    };
    let mut passages: Vec<Passage> = rows.chunks_exact(3).map(passage).collect();
    Value::Number(portrait::presence_regularity(&mut passages).map(|it| it.value))
}

fn meal_bands(rows: &[f64]) -> Value {
    let minutes: Vec<u16> = rows.iter().map(|it| it.rem_euclid(1440.0) as u16).collect();
    Value::Text((!minutes.is_empty()).then(|| portrait::slot_bands(&minutes).to_string()))
}

fn co_occurrence(rows: &[f64]) -> Value {
    let swipe = |it: &[f64]| Swipe {
        student: it[0] as i64,
        meal: it[1] as u32,
        group: if it[2].is_nan() { 0 } else { it[2] as u32 },
        at_s: it[3] as i64,
    };
    let swipes: Vec<Swipe> = rows.chunks_exact(4).map(swipe).collect();
    Value::Edges(portrait::edges(&swipes, &Config::default()))
}

impl Measure {
    /// Appends what is kept of one row.
    fn keep(&self, columns: &[Column], row: usize, kept: &mut Vec<f64>) {
        let begin = kept.len();
        for (argument, column) in self.arguments.iter().zip(columns) {
            match (argument, column) {
                (Argument::Passages, Column::Text(texts)) => {
                    let day = kept[begin];
                    kept.truncate(begin);
                    let text = if texts.is_null(row) { "" } else { texts.value(row) };
                    let before = kept.len();
                    for word in text.split(' ') {
                        if let Some((minute, sign)) = word.split_at_checked(4)
                            && let Ok(minute) = minute.parse::<f64>()
                        {
                            kept.extend([day, minute, if sign == "+" { 1.0 } else { 0.0 }]);
                        }
                    }
                    if kept.len() == before {
                        kept.extend([day, f64::NAN, f64::NAN]);
                    }
                }
                (_, Column::Number(numbers)) if numbers.is_valid(row) => kept.push(numbers.value(row)),
                (Argument::NumberOrNull, _) => kept.push(f64::NAN),
                _ => {
                    kept.truncate(begin);
                    return;
                }
            }
        }
    }

    fn columns(&self, values: &[ArrayRef]) -> Result<Vec<Column>> {
        self.arguments
            .iter()
            .zip(values)
            .map(|(argument, values)| match argument {
                Argument::Passages => {
                    let text = arrow::compute::cast(values, &DataType::Utf8)?;
                    Ok(Column::Text(text.as_string::<i32>().clone()))
                }
                _ => {
                    let number = arrow::compute::cast(values, &DataType::Float64)?;
                    Ok(Column::Number(number.as_primitive::<Float64Type>().clone()))
                }
            })
            .collect()
    }

    fn data_type(&self) -> DataType {
        match self.returns {
            Returns::Number => DataType::Float64,
            Returns::Text => DataType::Utf8,
            Returns::Edges => DataType::List(Arc::new(Field::new_list_field(DataType::Struct(edge_fields()), true))),
        }
    }

    fn array(&self, groups: &[Vec<f64>]) -> Result<ArrayRef> {
        let values = groups.iter().map(|it| (self.of)(it));
        Ok(match self.returns {
            Returns::Number => Arc::new(
                values
                    .map(|it| match it {
                        Value::Number(number) => number.filter(|it| it.is_finite()),
                        _ => None,
                    })
                    .collect::<Float64Array>(),
            ),
            Returns::Text => Arc::new(
                values
                    .map(|it| match it {
                        Value::Text(text) => text,
                        _ => None,
                    })
                    .collect::<StringArray>(),
            ),
            Returns::Edges => {
                let lists: Vec<Vec<portrait::Edge>> = values
                    .map(|it| match it {
                        Value::Edges(edges) => edges,
                        _ => Vec::new(),
                    })
                    .collect();
                let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
                let all: Vec<portrait::Edge> = lists.into_iter().flatten().collect();
                let item = Arc::new(Field::new_list_field(DataType::Struct(edge_fields()), true));
                Arc::new(ListArray::try_new(item, offsets, Arc::new(edge_rows(&all)?), None)?)
            }
        })
    }
}

fn edge_fields() -> Fields {
    let number = |name: &str, of: DataType| Field::new(name, of, true);
    Fields::from(vec![
        number("u", DataType::Int64),
        number("v", DataType::Int64),
        number("meetings", DataType::Int64),
        number("weight", DataType::Float64),
        number("expected", DataType::Float64),
        number("p", DataType::Float64),
        number("q", DataType::Float64),
    ])
}

fn edge_rows(edges: &[portrait::Edge]) -> Result<StructArray> {
    let whole = |of: fn(&portrait::Edge) -> i64| Arc::new(edges.iter().map(of).collect::<Int64Array>()) as ArrayRef;
    let number =
        |of: fn(&portrait::Edge) -> f64| Arc::new(edges.iter().map(|it| Some(of(it))).collect::<Float64Array>()) as ArrayRef;
    let columns = vec![
        whole(|it| it.u),
        whole(|it| it.v),
        whole(|it| i64::from(it.meetings)),
        number(|it| it.weight),
        number(|it| it.expected),
        number(|it| it.p),
        number(|it| it.q),
    ];
    Ok(StructArray::try_new(edge_fields(), columns, None)?)
}

enum Column {
    Number(Float64Array),
    Text(StringArray),
}

/// An aggregate that collects its rows.
#[derive(Debug)]
struct Collect {
    signature: Signature,
    measure: &'static Measure,
}

impl PartialEq for Collect {
    fn eq(&self, other: &Self) -> bool {
        self.measure.name == other.measure.name
    }
}

impl Eq for Collect {}

impl Hash for Collect {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.measure.name.hash(state);
    }
}

fn state_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
}

impl AggregateUDFImpl for Collect {
    fn name(&self) -> &str {
        self.measure.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.measure.data_type())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One { measure: self.measure, kept: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[rows]", args.name), state_type(), true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Many { measure: self.measure, groups: Vec::new(), bytes: 0 }))
    }
}

/// The rows of the only group.
#[derive(Debug)]
struct One {
    measure: &'static Measure,
    kept: Vec<f64>,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = self.measure.columns(values)?;
        for row in 0..values[0].len() {
            self.measure.keep(&columns, row, &mut self.kept);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let kept = std::mem::take(&mut self.kept);
        ScalarValue::try_from_array(&self.measure.array(&[kept])?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.kept.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let kept = std::mem::take(&mut self.kept);
        Ok(vec![ScalarValue::try_from_array(&lists(std::slice::from_ref(&kept)), 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.kept.extend(list.as_primitive::<Float64Type>().values());
        }
        Ok(())
    }
}

/// The rows of every group.
struct Many {
    measure: &'static Measure,
    groups: Vec<Vec<f64>>,
    bytes: usize,
}

impl Many {
    fn take(&mut self, emit_to: EmitTo) -> Vec<Vec<f64>> {
        let groups = emit_to.take_needed(&mut self.groups);
        self.bytes -= groups.iter().map(|it| it.capacity() * size_of::<f64>()).sum::<usize>();
        groups
    }

    fn add(&mut self, group: usize, mut change: impl FnMut(&mut Vec<f64>)) {
        let kept = &mut self.groups[group];
        self.bytes -= kept.capacity() * size_of::<f64>();
        change(kept);
        self.bytes += kept.capacity() * size_of::<f64>();
    }
}

impl GroupsAccumulator for Many {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, Vec::new);
        let columns = self.measure.columns(values)?;
        let measure = self.measure;
        for (row, group) in group_indices.iter().enumerate() {
            if filter.is_none_or(|it| it.is_valid(row) && it.value(row)) {
                self.add(*group, |kept| measure.keep(&columns, row, kept));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit_to);
        self.measure.array(&groups)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(lists(&self.take(emit_to)))])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize_with(total_num_groups, Vec::new);
        let lists = values[0].as_list_opt::<i32>().ok_or_else(|| exec_datafusion_err!("the state is a list of numbers"))?;
        for (row, group) in group_indices.iter().enumerate() {
            if lists.is_valid(row) {
                let rows = lists.value(row);
                self.add(*group, |kept| kept.extend(rows.as_primitive::<Float64Type>().values()));
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let columns = self.measure.columns(values)?;
        let of = |row| {
            let mut kept = Vec::with_capacity(self.measure.width);
            if filter.is_none_or(|it| it.is_valid(row) && it.value(row)) {
                self.measure.keep(&columns, row, &mut kept);
            }
            kept
        };
        let groups: Vec<Vec<f64>> = (0..values[0].len()).map(of).collect();
        Ok(vec![Arc::new(lists(&groups))])
    }

    fn size(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<Vec<f64>>()
    }
}

fn lists(groups: &[Vec<f64>]) -> ListArray {
    let mut builder = ListBuilder::new(Float64Builder::new());
    for rows in groups {
        builder.values().append_slice(rows);
        builder.append(true);
    }
    builder.finish()
}
