//! One column of a file being read: its checks, and the values that passed them.
//!
//! Values go straight into the vectors that become Arrow arrays. Text and numbers of persons are kept by number: a
//! cell whose bytes were seen before costs one look-up and none of the checks.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use schema::time::date_days;
use schema::{Column, ColumnType, Encoding, Format, Holder, Known, PersonKind, Pipeline, Pseudonyms, VaultError};

use crate::cell::Cell;
use crate::encoding::decode;
use crate::interned::{Interned, Words};
use crate::local_time::LocalTime;
use crate::moment::Moments;
use crate::persons::PersonRule;
use crate::reject::Reason;
use crate::value::{Bounds, counted, date, float, instant, text_of, truth};

/// Number of an empty text or person.
pub(crate) const EMPTY: u32 = u32::MAX;
/// Rows after which a text column decides whether its values repeat.
const SAMPLE_ROWS: usize = 8_192;

/// What the columns of a file share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) encoding: Encoding,
    pub(crate) field_bytes_max: usize,
    pub(crate) moments: Moments,
    pub(crate) people: Vec<People>,
    /// Set by a column whose local time does not exist; that is found out last (`time`).
    pub(crate) has_gap: bool,
}

/// The distinct numbers of one kind of person in a file.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) kind: PersonKind,
    /// Kind of identifier, where the numbers are not the persons' own.
    pub(crate) by: Option<String>,
    pub(crate) rule: PersonRule,
    pub(crate) numbers: Interned,
    /// Of identifiers: their holders by number, once asked.
    pub(crate) holders: Vec<Option<Vec<Holder>>>,
    /// Of identifiers: the persons found, whom columns name by their place here instead of by the identifier.
    pub(crate) held: Vec<Known>,
    /// Places in `held` by identifier and holder.
    held_at: HashMap<(u32, u32), u32>,
}

impl People {
    /// No numbers yet.
    pub(crate) fn new(kind: PersonKind, by: Option<String>, rule: PersonRule) -> Self {
        let (holders, held, held_at) = (Vec::new(), Vec::new(), HashMap::new());
        Self { kind, by, rule, numbers: Interned::new(), holders, held, held_at }
    }

    /// The place in `held` of whoever `choose` names among the holders of an identifier; `None` if it names nobody.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub(crate) fn hold(
        &mut self,
        id: u32,
        pseudonyms: &dyn Pseudonyms,
        choose: impl Fn(&[Holder]) -> Option<usize>,
    ) -> Result<Option<u32>, VaultError> {
        self.holders.resize(self.numbers.words().len(), None);
        let holders = match &mut self.holders[id as usize] {
            Some(holders) => holders,
            unasked => {
                let by = self.by.as_deref().unwrap_or_default();
                // Identifiers are UTF-8: they were interned from text.
                let value = std::str::from_utf8(self.numbers.words().get(id)).unwrap_or_default();
                unasked.insert(pseudonyms.holders(self.kind, by, value)?)
            }
        };
        let Some(at) = choose(holders) else { return Ok(None) };
        let next = self.held.len() as u32;
        let place = *self.held_at.entry((id, at as u32)).or_insert(next);
        if place == next {
            self.held.push(holders[at].who);
        }
        Ok(Some(place))
    }
}

/// One declared column.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) head: String,
    /// Name in the lake; `None` for what stays in the vault.
    pub(crate) lake_name: Option<String>,
    pub(crate) is_required: bool,
    pub(crate) values: Values,
}

/// The values of a column.
#[derive(Debug)]
pub(crate) enum Values {
    Text(Texts),
    Person(Numbers),
    Whole(Sparse<i64>, Bounds),
    Float(Sparse<f64>),
    Truth(Sparse<bool>),
    Date(Sparse<i32>, Days),
    Instant(Sparse<i64>, Instants),
}

/// How a source says a day.
#[derive(Debug)]
pub(crate) enum Days {
    /// As a date, written in one of these ways.
    Written(Vec<LocalTime>),
    /// As a number of days since a day.
    Since(i32),
    /// As a number of days since a day that another value of the row decides.
    SinceOf {
        /// The days by value.
        days: HashMap<String, i32>,
        /// The day of the present row; `None` if its value is not listed.
        since: Option<i32>,
    },
}

/// How a source says an instant.
#[derive(Debug)]
pub(crate) struct Instants {
    formats: Vec<LocalTime>,
    /// Whole numbers are microseconds UTC.
    is_database: bool,
}

/// Values with the places of the empty ones.
#[derive(Debug, Default)]
pub(crate) struct Sparse<T> {
    pub(crate) values: Vec<T>,
    /// Rows that are empty, ascending.
    pub(crate) empty: Vec<u32>,
}

impl<T: Copy + Default> Sparse<T> {
    #[inline]
    pub(crate) fn push(&mut self, value: Option<T>) {
        if value.is_none() {
            self.empty.push(self.values.len() as u32);
        }
        self.values.push(value.unwrap_or_default());
    }

    pub(crate) fn truncate(&mut self, n: usize) {
        self.values.truncate(n);
        while self.empty.last().is_some_and(|it| n <= *it as usize) {
            self.empty.pop();
        }
    }

    /// The value of the newest row.
    fn last(&self) -> Option<T> {
        let n = self.values.len().checked_sub(1)?;
        (self.empty.last() != Some(&(n as u32))).then(|| self.values[n])
    }
}

/// Text by number of its word.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) ids: Vec<u32>,
    pub(crate) words: Words,
    /// Cells as they came, and the word that each became.
    seen: Interned,
    became: Vec<u32>,
    /// Values do not repeat: each is a word of its own and none is looked up.
    is_unique: bool,
    allowed: Option<HashSet<String>>,
    codes: Option<BTreeMap<String, String>>,
}

/// Persons by number in [`People`].
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) ids: Vec<u32>,
    /// Which of [`Context::people`].
    pub(crate) people_at: usize,
    seen: Interned,
    became: Vec<u32>,
}

impl Slot {
    /// An empty column; `people_at` says where the numbers of a person column are kept.
    pub(crate) fn new(name: &str, column: &Column, pipeline: &Pipeline, people_at: Option<usize>) -> Self {
        let formats = |default: &str| {
            let mut formats: Vec<LocalTime> = column.format.iter().filter_map(|it| LocalTime::new(it)).collect();
            // A sheet mixes real dates and texts; without a declared format only ISO texts are believed.
            if matches!(pipeline.bytes_format(), Format::Xlsx | Format::Xls) || formats.is_empty() {
                formats.extend(LocalTime::new(default));
            }
            // A database that keeps a day in a column of instants, or the other way round, writes what it keeps.
            if pipeline.is_pulled() {
                formats.extend(["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"].into_iter().filter_map(LocalTime::new));
            }
            formats
        };
        let days = || match &column.epoch {
            None => Days::Written(formats("%Y-%m-%d")),
            Some(epoch) => match (epoch.day(), epoch.by_column()) {
                (Some(day), _) => Days::Since(date_days(day)),
                (None, of) => {
                    let days = of.into_iter().flat_map(|(_, days)| days);
                    Days::SinceOf { days: days.map(|(value, day)| (value.clone(), date_days(*day))).collect(), since: None }
                }
            },
        };
        let values = match (people_at, column.type_) {
            (Some(people_at), _) => {
                Values::Person(Numbers { ids: Vec::new(), people_at, seen: Interned::new(), became: Vec::new() })
            }
            (None, ColumnType::Text) => Values::Text(Texts {
                ids: Vec::new(),
                words: Words::default(),
                seen: Interned::new(),
                became: Vec::new(),
                is_unique: false,
                allowed: column.one_of.as_ref().map(|it| it.iter().cloned().collect()),
                codes: column.codes.clone(),
            }),
            (None, ColumnType::Int64) => Values::Whole(Sparse::default(), Bounds::new(column)),
            (None, ColumnType::Float64) => Values::Float(Sparse::default()),
            (None, ColumnType::Boolean) => Values::Truth(Sparse::default()),
            (None, ColumnType::Date) => Values::Date(Sparse::default(), days()),
            (None, ColumnType::Timestamp) => {
                let formats = formats("%Y-%m-%d %H:%M:%S");
                Values::Instant(Sparse::default(), Instants { formats, is_database: pipeline.is_pulled() })
            }
        };
        Self {
            name: name.to_owned(),
            head: column.head.clone().unwrap_or_else(|| name.to_owned()),
            lake_name: schema::lake_column(name, column),
            is_required: column.required,
            values,
        }
    }

    /// Checks a cell and adds its value. After an `Err` the column may have one value too many: truncate it.
    #[inline]
    pub(crate) fn put(&mut self, cell: &Cell<'_>, context: &mut Context) -> Result<(), Reason> {
        let is_empty = match &mut self.values {
            Values::Text(texts) => texts.put(cell, context)?,
            Values::Person(numbers) => numbers.put(cell, context)?,
            Values::Whole(values, bounds) => keep(values, bounds.read(cell)?),
            Values::Float(values) => keep(values, float(cell)?),
            Values::Truth(values) => keep(values, truth(cell)?),
            Values::Date(values, Days::Written(formats)) => keep(values, date(cell, formats)?),
            Values::Date(values, Days::Since(since)) => keep(values, counted(cell, Some(*since))?),
            Values::Date(values, Days::SinceOf { since, .. }) => keep(values, counted(cell, *since)?),
            Values::Instant(values, Instants { formats, is_database }) => {
                keep(values, instant(cell, formats, *is_database, &mut context.moments, &mut context.has_gap)?)
            }
        };
        if is_empty && self.is_required { Err(Reason::Required) } else { Ok(()) }
    }

    /// Tells a column of counted days what the deciding value of the next row is.
    pub(crate) fn count_from(&mut self, value: &Cell<'_>, encoding: Encoding) {
        let Values::Date(_, Days::SinceOf { days, since }) = &mut self.values else { return };
        let mut scratch = String::new();
        let bytes = text_of(value, &mut scratch).unwrap_or_default();
        *since = decode(bytes, encoding).and_then(|it| days.get(it.trim()).copied());
    }

    /// Makes room for so many more rows.
    pub(crate) fn reserve(&mut self, n: usize) {
        match &mut self.values {
            Values::Text(texts) => texts.ids.reserve(n),
            Values::Person(numbers) => numbers.ids.reserve(n),
            Values::Whole(values, _) | Values::Instant(values, _) => values.values.reserve(n),
            Values::Float(values) => values.values.reserve(n),
            Values::Truth(values) => values.values.reserve(n),
            Values::Date(values, _) => values.values.reserve(n),
        }
    }

    /// Forgets rows from `n` on.
    pub(crate) fn truncate(&mut self, n: usize) {
        match &mut self.values {
            Values::Text(texts) => texts.ids.truncate(n),
            Values::Person(numbers) => numbers.ids.truncate(n),
            Values::Whole(values, _) | Values::Instant(values, _) => values.truncate(n),
            Values::Float(values) => values.truncate(n),
            Values::Truth(values) => values.truncate(n),
            Values::Date(values, _) => values.truncate(n),
        }
    }

    /// The person in a cell of a rejected row, if it is one.
    pub(crate) fn person(&mut self, cell: &Cell<'_>, context: &mut Context) -> Option<(usize, u32)> {
        let Values::Person(numbers) = &mut self.values else { return None };
        let n = numbers.ids.len();
        let number = numbers.put(cell, context).ok().and_then(|_| numbers.ids.last().copied());
        numbers.ids.truncate(n);
        number.filter(|it| *it != EMPTY).map(|it| (numbers.people_at, it))
    }

    /// Whether a cell holds bytes that are illegal in the encoding of the rows.
    pub(crate) fn is_illegal(cell: &Cell<'_>, encoding: Encoding) -> bool {
        match cell {
            Cell::Bytes(bytes) => decode(bytes, encoding).is_none(),
            Cell::Owned(bytes) => decode(bytes, encoding).is_none(),
            _ => false,
        }
    }

    /// Whether two columns can be compared by a rule.
    pub(crate) fn is_comparable(&self, other: &Slot) -> bool {
        let is_kept = self.lake_name.is_some() && other.lake_name.is_some();
        is_kept
            && matches!(
                (&self.values, &other.values),
                (Values::Text(_), Values::Text(_))
                    | (Values::Whole(..), Values::Whole(..))
                    | (Values::Float(_), Values::Float(_))
                    | (Values::Date(..), Values::Date(..))
                    | (Values::Instant(..), Values::Instant(..))
            )
    }

    /// Compares the newest row's values of two columns; `None` if either is empty.
    pub(crate) fn compare(&self, other: &Slot) -> Option<Ordering> {
        match (&self.values, &other.values) {
            (Values::Whole(left, _), Values::Whole(right, _)) => Some(left.last()?.cmp(&right.last()?)),
            (Values::Instant(left, _), Values::Instant(right, _)) => Some(left.last()?.cmp(&right.last()?)),
            (Values::Date(left, _), Values::Date(right, _)) => Some(left.last()?.cmp(&right.last()?)),
            (Values::Float(left), Values::Float(right)) => left.last()?.partial_cmp(&right.last()?),
            (Values::Text(left), Values::Text(right)) => Some(left.last()?.cmp(right.last()?)),
            _ => None,
        }
    }

    /// The newest row's value as an integer: of an instant, a date or a whole number.
    #[inline]
    pub(crate) fn last_integer(&self) -> Option<i64> {
        match &self.values {
            Values::Whole(values, _) | Values::Instant(values, _) => values.last(),
            Values::Date(values, _) => values.last().map(i64::from),
            _ => None,
        }
    }
}

impl Texts {
    /// The text of a row; `None` if it is empty.
    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        let id = self.ids[row];
        (id != EMPTY).then(|| self.words.get(id))
    }

    fn last(&self) -> Option<&[u8]> {
        self.get(self.ids.len().checked_sub(1)?)
    }

    #[inline]
    fn put(&mut self, cell: &Cell<'_>, context: &Context) -> Result<bool, Reason> {
        let mut scratch = String::new();
        let bytes = text_of(cell, &mut scratch)?;
        if bytes.is_empty() {
            self.ids.push(EMPTY);
            return Ok(true);
        }
        if !self.is_unique
            && let Some(at) = self.seen.find(bytes)
        {
            let id = self.became[at as usize];
            self.ids.push(id);
            return Ok(id == EMPTY);
        }
        self.put_new(bytes, context)
    }

    fn put_new(&mut self, bytes: &[u8], context: &Context) -> Result<bool, Reason> {
        if context.field_bytes_max < bytes.len() {
            return Err(Reason::Range);
        }
        let text = decode(bytes, context.encoding).ok_or(Reason::Encoding)?;
        let mut word = text.trim();
        if !word.is_empty() {
            if self.allowed.as_ref().is_some_and(|it| !it.contains(word)) {
                return Err(Reason::Code);
            }
            if let Some(codes) = &self.codes {
                word = codes.get(word).ok_or(Reason::Code)?;
            }
        }
        let id = if word.is_empty() { EMPTY } else { self.words.push(word.as_bytes()) };
        if !self.is_unique {
            self.seen.intern(bytes);
            self.became.push(id);
            self.is_unique = self.ids.len() == SAMPLE_ROWS && SAMPLE_ROWS / 2 < self.became.len();
        }
        self.ids.push(id);
        Ok(id == EMPTY)
    }
}

impl Numbers {
    #[inline]
    fn put(&mut self, cell: &Cell<'_>, context: &mut Context) -> Result<bool, Reason> {
        let mut scratch = String::new();
        let bytes = text_of(cell, &mut scratch)?;
        if bytes.is_empty() {
            self.ids.push(EMPTY);
            return Ok(true);
        }
        let id = match self.seen.find(bytes) {
            Some(at) => self.became[at as usize],
            None => self.recognise(bytes, context)?,
        };
        self.ids.push(id);
        Ok(id == EMPTY)
    }

    fn recognise(&mut self, bytes: &[u8], context: &mut Context) -> Result<u32, Reason> {
        if context.field_bytes_max < bytes.len() {
            return Err(Reason::Range);
        }
        let text = decode(bytes, context.encoding).ok_or(Reason::Encoding)?;
        let people = &mut context.people[self.people_at];
        let id = if text.trim().is_empty() {
            EMPTY
        } else {
            let number = people.rule.number(text.trim()).ok_or(Reason::Person)?;
            people.numbers.intern(number.as_bytes())
        };
        self.seen.intern(bytes);
        self.became.push(id);
        Ok(id)
    }
}

#[inline]
fn keep<T: Copy + Default>(values: &mut Sparse<T>, value: Option<T>) -> bool {
    values.push(value);
    value.is_none()
}
