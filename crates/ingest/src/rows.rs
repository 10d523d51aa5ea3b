//! The rows of one file on their way through the contract: every row ends as kept or as rejected.

use std::borrow::Cow;

use schema::{Comparison, EpochUnit, Holder, Known, PersonKind, Pipeline, Pseudonyms, VaultError};

use crate::cell::Cell;
use crate::column::{Context, EMPTY, People, Slot, Sparse, Values};
use crate::moment::Moments;
use crate::reject::{Reason, Reject};
use crate::{Door, Error, FileInput, KnownAt, Persons};

/// The first year of the calendar: no fact is believed to be older, whatever number an export holds.
const YEAR_ONE_US: i64 = -62_135_596_800_000_000;

/// The rows of one file.
pub(crate) struct Rows<'d> {
    pub(crate) slots: Vec<Slot>,
    pub(crate) context: Context,
    pub(crate) rejects: Vec<Reject>,
    /// Row numbers of the kept rows.
    pub(crate) row_nos: Vec<i64>,
    /// Instants of the kept rows.
    pub(crate) occurred_at: Sparse<i64>,
    /// Campus days and minutes of the kept rows, of events only.
    pub(crate) occurred_on: Vec<i32>,
    pub(crate) minutes: Vec<i32>,
    occurred: Option<Occurred>,
    /// Columns of counted days, and the columns that decide from which day.
    counted: Vec<(usize, usize)>,
    /// Columns that say when a state changed, where every row says it: the newest of them shuts out what is older.
    changed: Vec<usize>,
    is_event: bool,
    earliest: i64,
    latest: i64,
    /// What happened before this came too late.
    pub(crate) late_before: i64,
    rules: Vec<BoundRule>,
    rows_max: u64,
    /// Columns of persons known by an identifier.
    identified: Vec<usize>,
    pub(crate) register: Option<Register<'d>>,
    pseudonyms: &'d dyn Pseudonyms,
    /// Why the vault could not say whose an identifier is: the file is refused.
    pub(crate) silence: Option<VaultError>,
    now_us: i64,
}

/// Columns of a register of identifiers.
pub(crate) struct Register<'d> {
    pub(crate) person: PersonKind,
    pub(crate) value: usize,
    pub(crate) kind: usize,
    pub(crate) from: usize,
    pub(crate) until: Option<usize>,
    persons: &'d Persons,
}

impl Register<'_> {
    /// The identifier of a row as the vault knows it, with its kind; `None` if sources do not use that kind.
    ///
    /// # Errors
    /// If it does not look like one of its kind.
    pub(crate) fn read<'a>(&self, slots: &'a [Slot], row: usize) -> Result<Option<(&'a str, Cow<'a, str>)>, Reason> {
        let text = |at: usize| match &slots[at].values {
            Values::Text(texts) => texts.get(row).and_then(|it| std::str::from_utf8(it).ok()),
            _ => None,
        };
        let (Some(kind), Some(value)) = (text(self.kind), text(self.value)) else { return Ok(None) };
        let Some(rule) = self.persons.identifier_rule(self.person, kind) else { return Ok(None) };
        Ok(Some((kind, rule.number(value).ok_or(Reason::Person)?)))
    }

    /// Whether a kind is a further number of the person's own sort.
    pub(crate) fn is_number(&self, kind: &str) -> bool {
        self.persons.is_number_kind(self.person, kind)
    }
}

/// Where the instant of a row comes from.
#[derive(Debug, Clone, Copy)]
struct Occurred {
    slot: usize,
    unit: Unit,
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Instant,
    Date,
    /// Microseconds in one of the source's units.
    Epoch(i64),
}

#[derive(Debug)]
struct BoundRule {
    name: String,
    left: usize,
    op: Comparison,
    right: usize,
}

impl<'d> Rows<'d> {
    /// No rows yet, and all that is to be checked of them.
    ///
    /// # Errors
    /// If the contract asks for what cannot be checked.
    pub(crate) fn new(door: &'d Door<'_>, encoding: schema::Encoding) -> Result<Self, Error> {
        let pipeline = door.pipeline;
        let refuse = |message: String| Error::Contract { pipeline: pipeline.name().to_owned(), message };
        let mut people: Vec<People> = Vec::new();
        let mut slots: Vec<Slot> = Vec::new();
        for (name, column) in &pipeline.columns {
            let people_at = match column.person {
                None => None,
                Some(kind) => Some(match people.iter().position(|it| it.kind == kind && it.by == column.by) {
                    Some(at) => at,
                    None => {
                        let (rule, place) = match &column.by {
                            None => (door.persons.rule(kind), format!("person.{kind}")),
                            Some(by) => (door.persons.identifier_rule(kind, by), format!("person.{kind}.identifier.{by}")),
                        };
                        let lacking = || refuse(format!("column \"{name}\" needs [{place}] pattern in the settings"));
                        people.push(People::new(kind, column.by.clone(), rule.ok_or_else(lacking)?.clone()));
                        people.len() - 1
                    }
                }),
            };
            let slot = Slot::new(name, column, pipeline, people_at);
            if let Some(lake_name) = &slot.lake_name
                && let Some(other) = slots.iter().find(|it| it.lake_name.as_ref() == Some(lake_name))
            {
                let message = format!("columns \"{}\" and \"{name}\" both become \"{lake_name}\": set key_as", other.name);
                return Err(refuse(message));
            }
            slots.push(slot);
        }
        let find = |name: &str| {
            slots.iter().position(|it| it.name == name).ok_or_else(|| refuse(format!("there is no column \"{name}\"")))
        };
        let occurred = match &pipeline.contract.occurred_at {
            None => None,
            Some(it) => {
                let slot = find(&it.column)?;
                let unit = match (it.as_, &slots[slot].values) {
                    (Some(EpochUnit::EpochS), _) => Unit::Epoch(1_000_000),
                    (Some(EpochUnit::EpochMs), _) => Unit::Epoch(1_000),
                    (None, Values::Date(..)) => Unit::Date,
                    (None, _) => Unit::Instant,
                };
                Some(Occurred { slot, unit })
            }
        };
        let mut counted = Vec::new();
        for (at, (_, column)) in pipeline.columns.iter().enumerate() {
            if let Some((by, _)) = column.epoch.as_ref().and_then(|it| it.by_column()) {
                counted.push((at, find(by)?));
            }
        }
        let mut changed = Vec::new();
        if pipeline.says_when_changed() {
            for name in &pipeline.contract.changed_at {
                changed.push(find(name)?);
            }
        }
        let mut rules = Vec::new();
        for rule in &pipeline.contract.rules {
            let (left, right) = (find(&rule.left)?, find(&rule.right)?);
            if !slots[left].is_comparable(&slots[right]) {
                let (left, right) = (&rule.left, &rule.right);
                return Err(refuse(format!(
                    "rule \"{}\" compares \"{left}\" with \"{right}\": both must be numbers, dates, times or texts that \
                     reach the lake",
                    rule.name
                )));
            }
            rules.push(BoundRule { name: rule.name.clone(), left, op: rule.op, right });
        }
        let identified =
            |it: &usize| matches!(&slots[*it].values, Values::Person(numbers) if people[numbers.people_at].by.is_some());
        let identified = (0..slots.len()).filter(identified).collect();
        let person = pipeline.columns.iter().filter(|(_, it)| it.by.is_none()).find_map(|(_, it)| it.person);
        let register = pipeline.columns.iter().find_map(|(name, it)| Some((name, it.identifier.as_ref()?)));
        let register = match (register, person) {
            (Some((value, of)), Some(person)) => Some(Register {
                person,
                value: find(value)?,
                kind: find(&of.kind)?,
                from: find(&of.from)?,
                until: of.until.as_deref().map(find).transpose()?,
                persons: door.persons,
            }),
            _ => None,
        };
        let mut moments = Moments::new(door.clock.clone());
        Ok(Self {
            identified,
            register,
            pseudonyms: door.pseudonyms,
            silence: None,
            now_us: door.now_us,
            slots,
            earliest: start(pipeline, &mut moments).unwrap_or(YEAR_ONE_US),
            late_before: match (door.known, pipeline.contract.late_max) {
                (KnownAt::At(known) | KnownAt::InOrder(known), Some(late_max)) => {
                    known.min(door.now_us).saturating_sub(late_max.micros())
                }
                _ => i64::MIN,
            },
            latest: door.now_us.saturating_add(pipeline.contract.skew_max.micros()),
            context: Context { encoding, field_bytes_max: door.limits.field_bytes_max as usize, moments, people, has_gap: false },
            rejects: Vec::new(),
            row_nos: Vec::new(),
            occurred_at: Sparse::default(),
            occurred_on: Vec::new(),
            minutes: Vec::new(),
            occurred,
            counted,
            changed,
            is_event: pipeline.is_event(),
            rules,
            rows_max: door.limits.rows_max.min(u64::from(u32::MAX) - 1),
        })
    }

    /// Makes room for the rows of a text, of which none is shorter than one byte a column.
    pub(crate) fn reserve(&mut self, text: &[u8]) {
        let lines = memchr::memchr_iter(b'\n', text).count() + 1;
        let n = lines.min(text.len() / self.slots.len().max(1) + 1).min(self.rows_max as usize);
        for slot in &mut self.slots {
            slot.reserve(n);
        }
        self.row_nos.reserve(n);
        self.occurred_at.values.reserve(n);
        if self.is_event {
            self.occurred_on.reserve(n);
            self.minutes.reserve(n);
        }
    }

    /// How many rows there were so far.
    pub(crate) fn rows_in(&self) -> u64 {
        (self.row_nos.len() + self.rejects.len()) as u64
    }

    /// The number of the next row.
    ///
    /// # Errors
    /// If the file has more rows than allowed.
    #[inline]
    pub(crate) fn next_row_no(&self, file: &FileInput<'_>) -> Result<i64, Error> {
        let n = self.rows_in();
        if self.rows_max <= n {
            return Err(Error::TooLarge { file: file.display.to_owned(), limit: self.rows_max, unit: "rows" });
        }
        Ok(n as i64 + 1)
    }

    /// Takes a row: keeps its values, or the row as `raw` gives it with the first check that failed.
    ///
    /// `cells` are in the order of the declared columns.
    #[inline]
    pub(crate) fn take(&mut self, row_no: i64, cells: &[Cell<'_>], raw: impl FnOnce(&[Slot]) -> Vec<u8>) {
        match self.check(cells) {
            Ok(()) => self.row_nos.push(row_no),
            Err((reason, column)) => self.refuse(row_no, cells, reason, column, raw),
        }
    }

    /// Rejects a row that did not come apart into cells.
    pub(crate) fn reject(&mut self, row_no: i64, reason: Reason, column: Option<String>, row: Vec<u8>) {
        self.rejects.push(Reject { reason, column, row_no, row, persons: Vec::new() });
    }

    /// Rejects a row that did, for a reason that is not in its values.
    pub(crate) fn reject_cells(&mut self, row_no: i64, cells: &[Cell<'_>], reason: Reason, column: Option<String>, row: Vec<u8>) {
        let persons = self.persons(cells);
        self.rejects.push(Reject { reason, column, row_no, row, persons });
    }

    #[inline]
    fn check(&mut self, cells: &[Cell<'_>]) -> Result<(), (Reason, Where)> {
        let mut gap = None;
        for &(days, by) in &self.counted {
            self.slots[days].count_from(&cells[by], self.context.encoding);
        }
        for (at, (slot, cell)) in self.slots.iter_mut().zip(cells).enumerate() {
            slot.put(cell, &mut self.context).map_err(|it| (it, Where::Column(at)))?;
            if self.context.has_gap {
                self.context.has_gap = false;
                gap.get_or_insert(at);
            }
        }
        if let Some(at) = gap {
            return Err((Reason::Time, Where::Column(at)));
        }
        // One that lies ahead would shut out every correction until its day has come.
        for &slot in &self.changed {
            if self.slots[slot].last_integer().is_some_and(|it| self.latest < it) {
                return Err((Reason::Time, Where::Column(slot)));
            }
        }
        if let Some(Occurred { slot, unit }) = self.occurred {
            let value = self.slots[slot].last_integer();
            let at_us = match unit {
                Unit::Instant => value,
                Unit::Date => value.map(|it| self.context.moments.day_start(it as i32)),
                Unit::Epoch(factor) => match value.map(|it| it.checked_mul(factor)) {
                    // An instant that no calendar has lies outside every contract.
                    Some(None) => return Err((Reason::Time, Where::Column(slot))),
                    Some(at_us) => at_us,
                    None => None,
                },
            };
            if at_us.is_some_and(|it| it < self.earliest || self.latest < it) {
                return Err((Reason::Time, Where::Column(slot)));
            }
            if at_us.is_some_and(|it| it < self.late_before) {
                return Err((Reason::Late, Where::Column(slot)));
            }
            self.check_rules()?;
            self.check_identifiers(at_us)?;
            if self.is_event
                && let Some(at_us) = at_us
            {
                let moment = self.context.moments.moment(at_us);
                self.occurred_on.push(moment.occurred_on);
                self.minutes.push(moment.minute_of_day);
            }
            self.occurred_at.push(at_us);
        } else {
            self.check_rules()?;
            self.check_identifiers(None)?;
            self.occurred_at.push(None);
        }
        Ok(())
    }

    /// Finds who held each identifier on the day of the row, and checks those that a register tells.
    #[inline]
    fn check_identifiers(&mut self, at_us: Option<i64>) -> Result<(), (Reason, Where)> {
        if let Some(register) = &self.register {
            register.read(&self.slots, self.row_nos.len()).map_err(|it| (it, Where::Column(register.value)))?;
        }
        if self.identified.is_empty() {
            return Ok(());
        }
        let day = self.context.moments.moment(at_us.unwrap_or(self.now_us)).occurred_on;
        for &slot in &self.identified {
            let Values::Person(numbers) = &mut self.slots[slot].values else { continue };
            let Some(id) = numbers.ids.last_mut().filter(|it| **it != EMPTY) else { continue };
            let people = &mut self.context.people[numbers.people_at];
            match people.hold(*id, self.pseudonyms, |holders| Holder::on(holders, day)) {
                Ok(Some(place)) => *id = place,
                Ok(None) => return Err((Reason::Holder, Where::Column(slot))),
                Err(silence) => {
                    self.silence.get_or_insert(silence);
                    return Err((Reason::Holder, Where::Column(slot)));
                }
            }
        }
        Ok(())
    }

    fn check_rules(&self) -> Result<(), (Reason, Where)> {
        for (at, rule) in self.rules.iter().enumerate() {
            let ordering = self.slots[rule.left].compare(&self.slots[rule.right]);
            if ordering.is_some_and(|it| !rule.op.holds(it)) {
                return Err((Reason::Rule, Where::Rule(at)));
            }
        }
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, row_no: i64, cells: &[Cell<'_>], reason: Reason, at: Where, raw: impl FnOnce(&[Slot]) -> Vec<u8>) {
        let n = self.row_nos.len();
        for slot in &mut self.slots {
            slot.truncate(n);
        }
        self.occurred_at.truncate(n);
        self.occurred_on.truncate(n);
        self.minutes.truncate(n);
        let encoding = self.context.encoding;
        // A row of another encoding fails some check by chance; that it is illegal is the truer reason.
        let illegal = self.slots.iter().zip(cells).find(|(_, cell)| Slot::is_illegal(cell, encoding));
        let (reason, column) = match (illegal, at) {
            (Some((slot, _)), _) => (Reason::Encoding, slot.name.clone()),
            (None, Where::Column(at)) => (reason, self.slots[at].name.clone()),
            (None, Where::Rule(at)) => (reason, self.rules[at].name.clone()),
        };
        let persons = self.persons(cells);
        let row = raw(&self.slots);
        self.rejects.push(Reject { reason, column: Some(column), row_no, row, persons });
    }

    fn persons(&mut self, cells: &[Cell<'_>]) -> Vec<(usize, u32)> {
        let Self { slots, context, pseudonyms, silence, .. } = self;
        let mut persons = Vec::new();
        for (slot, cell) in slots.iter_mut().zip(cells) {
            let Some((people_at, id)) = slot.person(cell, context) else { continue };
            let people = &mut context.people[people_at];
            if people.by.is_none() {
                persons.push((people_at, id));
                continue;
            }
            // Whenever it was: a row that an erased person's card is in is not kept.
            match people.hold(id, *pseudonyms, |holders| holders.iter().position(|it| it.who == Known::Erased)) {
                Ok(place) => persons.extend(place.map(|it| (people_at, it))),
                Err(unanswered) => {
                    silence.get_or_insert(unanswered);
                }
            }
        }
        persons
    }
}

/// First instant that the contract believes.
pub(crate) fn start(pipeline: &Pipeline, moments: &mut Moments) -> Option<i64> {
    pipeline.contract.start.map(|it| moments.midnight(schema::time::date_days(it)))
}

/// Where a check failed.
#[derive(Debug, Clone, Copy)]
enum Where {
    Column(usize),
    Rule(usize),
}
