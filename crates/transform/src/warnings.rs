//! `warning_signal` and `warning_student`: rows out of the lake into the rules of `warning`, and back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::{cast, concat_batches, take};
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int32Type, Int64Type, Schema};
use datafusion::prelude::SessionContext;
use schema::{Direction, Model, Noise, Subject};
use warning::{
    Candidate, Decision, Finding, Issued, Learnt, Member, Notice, Offer, OfferRules, Outcomes, Signal, Trend, TrendRules, Week,
};

use crate::Error;
use crate::build::{Builder, date, with_as_of};
use crate::node::Node;
use crate::standing::Peer;

/// Tables with what became of offers.
pub(crate) const OUTCOMES: [&str; 2] = ["stg_case_offer", "stg_case_state"];

/// The measure that says how long nobody was in contact with a student.
pub(crate) const CONTACT_GAP: &str = "contact_gap";

/// Table with the hours that people said they have for talks.
pub(crate) const HOURS: &str = "stg_talk_hours";

/// Word of `subject_kind` for a row about one person.
const PERSON: &str = "person";

/// Every person of a date with the groups that may have moved together, NULL where a person is in none of a kind.
pub(crate) fn members_sql(subject: &Subject) -> String {
    let groups: String = subject
        .groups
        .iter()
        .map(|(kind, columns)| {
            let parts: Vec<String> = columns.iter().map(|it| format!("CAST({it} AS VARCHAR)")).collect();
            format!(", {} AS {kind}", parts.join(" || '/' || "))
        })
        .collect();
    format!("SELECT {key}{groups} FROM {table} WHERE as_of_on = $as_of", key = subject.key, table = subject.table)
}

impl Builder<'_> {
    /// What the trends say on a date, in the columns of `warning_signal` without the partition.
    pub(crate) async fn signals(
        &self,
        node: &Node,
        context: &SessionContext,
        subject: &Subject,
        as_of_on: i32,
    ) -> Result<RecordBatch, Error> {
        let (signals, notices) = self.signals_found(node, context, subject, as_of_on, &self.config.warning.trend).await?;
        self.signal_rows(node, as_of_on, &signals, &notices)
    }

    /// What the trends say of students and groups on a date.
    pub(crate) async fn signals_found(
        &self,
        node: &Node,
        context: &SessionContext,
        subject: &Subject,
        as_of_on: i32,
        rules: &TrendRules,
    ) -> Result<(Vec<Signal>, Vec<Notice>), Error> {
        let mut weeks = Vec::new();
        for (trend, model) in self.graph.trends.iter().enumerate() {
            let fail = || Error::query("build", &model.path);
            let frame = context.sql(&with_as_of(&model.query(), as_of_on)).await.map_err(fail())?;
            for batch in frame.collect().await.map_err(fail())? {
                let column = |place: usize, of: DataType| cast(batch.column(place), &of).map_err(|it| fail()(it.into()));
                let (key, week_no) = (column(0, DataType::Int64)?, column(1, DataType::Int64)?);
                let (value, n) = (column(2, DataType::Float64)?, column(3, DataType::Int64)?);
                let cov = column(4, DataType::Float64)?;
                let (key, week_no) = (key.as_primitive::<Int64Type>(), week_no.as_primitive::<Int64Type>());
                let (value, n) = (value.as_primitive::<Float64Type>(), n.as_primitive::<Int64Type>());
                let cov = cov.as_primitive::<Float64Type>();
                weeks.extend((0..batch.num_rows()).filter(|row| key.is_valid(*row) && value.is_valid(*row)).filter_map(|row| {
                    let week = u8::try_from(week_no.value(row)).ok()?;
                    let cov = if cov.is_valid(row) { cov.value(row) } else { 0.0 };
                    Some(Week { key: key.value(row), trend, week, value: value.value(row), n: n.value(row), cov })
                }));
            }
        }
        let trends: Vec<Trend> = self
            .graph
            .trends
            .iter()
            .map(|it| Trend {
                name: it.name.clone(),
                channel: it.front.channel.clone().unwrap_or_default(),
                is_rising: it.front.direction == Some(Direction::Rising),
                is_of_events: it.front.noise == Noise::Events,
                mad_floor: it.front.mad_floor.unwrap_or(1.0),
                n_min: it.front.n_min.unwrap_or(1),
                cov_min: it.front.cov_min.unwrap_or(0.0),
            })
            .collect();
        let members = self.members(node, context, subject, as_of_on).await?;
        Ok(warning::signals(&trends, rules, &members, &weeks))
    }

    async fn members(
        &self,
        node: &Node,
        context: &SessionContext,
        subject: &Subject,
        as_of_on: i32,
    ) -> Result<Vec<Member>, Error> {
        let fail = || Error::query("build", &node.path);
        let peers = self.peers(context, subject, &[], as_of_on, &node.path).await?;
        let mut near: HashMap<&str, usize> = HashMap::new();
        peers.iter().for_each(|it| *near.entry(it.near.as_str()).or_default() += 1);
        let peer_of = |it: &Peer| {
            // A small group is held against the whole wider one, as for measures.
            let is_small = near[it.near.as_str()] < self.config.warning.trend.peer_min;
            if is_small { format!("wide {}", it.far) } else { it.near.clone() }
        };
        let mut groups: HashMap<i64, Vec<(String, String)>> = HashMap::new();
        let frame = context.sql(&with_as_of(&members_sql(subject), as_of_on)).await.map_err(fail())?;
        for batch in frame.collect().await.map_err(fail())? {
            let keys = batch.column(0).as_primitive::<Int64Type>();
            for (place, kind) in subject.groups.keys().enumerate() {
                let names = cast(batch.column(1 + place), &DataType::Utf8).map_err(|it| fail()(it.into()))?;
                for (key, name) in keys.iter().zip(names.as_string::<i32>()) {
                    if let (Some(key), Some(name)) = (key, name) {
                        groups.entry(key).or_default().push((kind.clone(), name.to_owned()));
                    }
                }
            }
        }
        let member = |it: &Peer| Member { key: it.key, peer: peer_of(it), groups: groups.remove(&it.key).unwrap_or_default() };
        Ok(peers.iter().map(member).collect())
    }

    fn signal_rows(&self, node: &Node, as_of_on: i32, signals: &[Signal], notices: &[Notice]) -> Result<RecordBatch, Error> {
        let since = |weeks: u8| as_of_on - 7 * (i32::from(weeks) + 1);
        let day = |it: i32| schema::time::days_date(it).map(|it| it.to_string()).unwrap_or_default();
        let trend = |place: usize| &self.graph.trends[place];
        let reasons: Vec<(String, String)> = signals
            .iter()
            .map(|it| {
                let front = &trend(it.trend).front;
                let word = |it: &Option<String>| it.clone().unwrap_or_default();
                let (zh, en, unit) = (word(&front.title_zh), word(&front.title_en), word(&front.unit));
                warning::reason(&zh, &en, &unit, &day(since(it.since_week)), it)
            })
            .collect();
        let inputs: Vec<String> = signals.iter().map(|it| serde_json::to_string(&it.input).unwrap_or_default()).collect();
        // Persons first, groups behind them: a column is one list after the other.
        let of_both = |of_person: &dyn Fn(&Signal) -> Option<f64>, of_group: &dyn Fn(&Notice) -> Option<f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter(signals.iter().map(of_person).chain(notices.iter().map(of_group))))
        };
        let none = |_: &Notice| None;
        let names = signals.iter().map(|it| it.trend).chain(notices.iter().map(|it| it.trend)).map(|it| &trend(it).name);
        let kinds = signals.iter().map(|_| PERSON).chain(notices.iter().map(|it| it.kind.as_str()));
        let ids = signals.iter().map(|it| it.key.to_string()).chain(notices.iter().map(|it| it.group.clone()));
        let text = |of_person: Vec<&String>| -> ArrayRef {
            Arc::new(StringArray::from_iter(of_person.into_iter().map(Some).chain(notices.iter().map(|_| None))))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(StringArray::from_iter_values(kinds)),
            Arc::new(StringArray::from_iter_values(ids)),
            Arc::new(Int64Array::from_iter(signals.iter().map(|it| Some(it.key)).chain(notices.iter().map(|_| None)))),
            Arc::new(BooleanArray::from_iter(
                signals.iter().map(|it| Some(it.is_standing)).chain(notices.iter().map(|_| Some(true))),
            )),
            Arc::new(Date32Array::from_iter_values(
                signals.iter().map(|it| since(it.since_week)).chain(notices.iter().map(|it| since(it.since_week))),
            )),
            of_both(&|it| Some(it.baseline), &none),
            of_both(&|it| Some(it.now_value), &none),
            Arc::new(Int64Array::from_iter_values(signals.iter().map(|it| it.n).chain(notices.iter().map(|it| it.n as i64)))),
            of_both(&|it| Some(it.cov), &none),
            of_both(&|it| Some(it.z), &|it| Some(it.shift)),
            of_both(&|it| Some(it.shift), &none),
            of_both(&|it| Some(it.ewma), &none),
            of_both(&|it| Some(it.cusum), &|it| Some(it.t)),
            text(reasons.iter().map(|it| &it.0).collect()),
            text(reasons.iter().map(|it| &it.1).collect()),
            text(inputs.iter().collect()),
        ];
        self.stored(node, columns)
    }

    /// What is offered on a date, in the columns of `warning_student` without the partition.
    pub(crate) async fn offers(
        &self,
        node: &Node,
        context: &SessionContext,
        subject: &Subject,
        as_of_on: i32,
    ) -> Result<RecordBatch, Error> {
        let fail = || Error::query("build", &node.path);
        let key = &subject.key;
        let sql = format!("SELECT * FROM warning_candidate WHERE as_of_on = {} ORDER BY {key}, rule", date(as_of_on));
        let frame = context.sql(&sql).await.map_err(fail())?;
        let empty = Arc::new(frame.schema().as_arrow().clone());
        let found = frame.collect().await.map_err(fail())?;
        let found = concat_batches(found.first().map_or(&empty, |it| it.schema_ref()), &found).map_err(|it| fail()(it.into()))?;
        let rules = OfferRules { talks_of: self.talks_of(node, context, as_of_on).await?, ..self.config.warning.offers() };
        let sql = format!(
            "SELECT DISTINCT {key}, owner_key, severity, issued_on FROM {own} WHERE as_of_on < {on} AND severity IS NOT NULL \
             AND issued_on > {since}",
            own = node.name,
            on = date(as_of_on),
            since = date(as_of_on - rules.cool_down_days.max(rules.budget_days)),
        );
        let lately = context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())?;
        let issued: Vec<Issued> = lately.iter().flat_map(issued).collect();
        let sql = format!("SELECT count(*) FROM {} WHERE as_of_on = {}", subject.table, date(as_of_on));
        let counted = context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())?;
        let students = counted.first().map_or(0, |it| it.column(0).as_primitive::<Int64Type>().value(0));
        let students = usize::try_from(students).unwrap_or(0);
        let worth = warning::worth(&self.config.warning.learn, &self.outcomes_of_rules(node, context, as_of_on).await?);
        let gaps = self.contact_gaps(context, as_of_on, &node.path).await?;
        let candidates = self.candidates(&found, key, students, &worth, &gaps).map_err(|it| fail()(it.into()))?;
        let offers = warning::offers(&rules, &candidates, students, &issued, as_of_on);
        self.offer_rows(node, &found, key, &candidates, &offers.offered, as_of_on)
    }

    /// Talks that each owner can give by the hours that they said they have; who said nothing has those of the settings.
    async fn talks_of(&self, node: &Node, context: &SessionContext, as_of_on: i32) -> Result<BTreeMap<i64, u32>, Error> {
        if !node.inputs.iter().any(|it| it == HOURS) {
            return Ok(BTreeMap::new());
        }
        let fail = || Error::query("build", &node.path);
        let sql = format!(
            "SELECT staff_key, minutes_a_week FROM {HOURS} WHERE from_on <= {on} ORDER BY staff_key, from_on, entry_no",
            on = date(as_of_on),
        );
        let mut talks = BTreeMap::new();
        for batch in context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())? {
            let column = |place: usize| cast(batch.column(place), &DataType::Int64).map_err(|it| fail()(it.into()));
            let (keys, minutes) = (column(0)?, column(1)?);
            let (keys, minutes) = (keys.as_primitive::<Int64Type>(), minutes.as_primitive::<Int64Type>());
            // In the order in which they begin: the last stands.
            for row in 0..batch.num_rows() {
                let hours = minutes.value(row) as f64 / 60.0;
                talks.insert(keys.value(row), self.config.warning.capacity.talks_in(hours));
            }
        }
        Ok(talks)
    }

    /// What came of the earlier offers of each rule and trend, as far as it was known on a date; nothing where casework is
    /// no source.
    async fn outcomes_of_rules(&self, node: &Node, context: &SessionContext, as_of_on: i32) -> Result<Vec<Outcomes>, Error> {
        if !OUTCOMES.iter().all(|it| node.inputs.iter().any(|input| input == it)) {
            return Ok(Vec::new());
        }
        let fail = || Error::query("build", &node.path);
        let sql = format!(
            "WITH part AS (SELECT DISTINCT warning_id, unnest(string_to_array(rules, ',')) AS rule FROM {own} \
             WHERE as_of_on < {on} AND severity IS NOT NULL), \
             closing AS (SELECT stg_case_offer.warning_id, min(stg_case_state.outcome) AS outcome FROM stg_case_offer \
             INNER JOIN stg_case_state ON stg_case_state.thread_key = stg_case_offer.thread_key \
             WHERE stg_case_state.step = 'closed' AND stg_case_state.reason <> 'quiet_for_long' GROUP BY stg_case_offer.warning_id) \
             SELECT part.rule, count(*) AS closed_n, \
             sum(CASE WHEN closing.outcome IN ('needed_support', 'already_supported', 'referred') THEN 1 ELSE 0 END) AS useful_n \
             FROM part INNER JOIN closing ON closing.warning_id = part.warning_id GROUP BY part.rule ORDER BY part.rule",
            own = node.name,
            on = date(as_of_on),
        );
        let mut outcomes = Vec::new();
        for batch in context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())? {
            let column = |place: usize, of: DataType| cast(batch.column(place), &of).map_err(|it| fail()(it.into()));
            let (names, closed) = (column(0, DataType::Utf8)?, column(1, DataType::Int64)?);
            let useful = column(2, DataType::Int64)?;
            let count = |of: &ArrayRef, row: usize| u64::try_from(of.as_primitive::<Int64Type>().value(row)).unwrap_or(0);
            outcomes.extend((0..batch.num_rows()).map(|row| Outcomes {
                name: names.as_string::<i32>().value(row).to_owned(),
                closed_n: count(&closed, row),
                useful_n: count(&useful, row),
            }));
        }
        Ok(outcomes)
    }

    /// Days since anybody was in contact with each student, where the project has such a measure. It makes no offer; of
    /// equal ones whoever waited longest comes first.
    pub(crate) async fn contact_gaps(
        &self,
        context: &SessionContext,
        as_of_on: i32,
        path: &str,
    ) -> Result<HashMap<i64, i32>, Error> {
        if !self.graph.measures.iter().any(|it| it.name == CONTACT_GAP) {
            return Ok(HashMap::new());
        }
        let fail = || Error::query("build", path);
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let sql = format!(
            "SELECT CAST({key} AS BIGINT) AS key, CAST(value AS BIGINT) AS days FROM feat_measure \
             WHERE as_of_on = {} AND measure = '{CONTACT_GAP}' AND value IS NOT NULL",
            date(as_of_on)
        );
        let mut gaps = HashMap::new();
        for batch in context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())? {
            let (keys, days) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
            gaps.extend(
                keys.values().iter().zip(days.values()).map(|(key, days)| (*key, i32::try_from(*days).unwrap_or(i32::MAX))),
            );
        }
        Ok(gaps)
    }

    fn candidates(
        &self,
        found: &RecordBatch,
        key: &str,
        students: usize,
        worth: &BTreeMap<String, f64>,
        gaps: &HashMap<i64, i32>,
    ) -> Result<Vec<Candidate>, datafusion::arrow::error::ArrowError> {
        let column = |name: &str, of: DataType| cast(&found[name], &of);
        let (keys, owners) = (column(key, DataType::Int64)?, column("owner_key", DataType::Int64)?);
        let (names, channels) = (column("rule", DataType::Utf8)?, column("channel", DataType::Utf8)?);
        let (severities, since) = (column("severity", DataType::Int32)?, column("since_on", DataType::Date32)?);
        let (scores, values) = (column("score", DataType::Float64)?, column("now_value", DataType::Float64)?);
        let severities = severities.as_primitive::<Int32Type>();
        let scores = scores.as_primitive::<Float64Type>();
        let is_risk = |name: &str| self.graph.risks.iter().any(|it| it.name() == name);
        let rarity = {
            let (names, values) = (names.as_string::<i32>(), values.as_primitive::<Float64Type>());
            // Sums of a trend, probabilities of a risk model; a rule says yes or no.
            let strength = |row: usize| match (scores.is_valid(row), is_risk(names.value(row)) && values.is_valid(row)) {
                (true, _) => scores.value(row),
                (false, true) => values.value(row),
                (false, false) => 0.0,
            };
            warning::rarity(&(0..names.len()).map(|row| (names.value(row), strength(row))).collect::<Vec<_>>(), students)
        };
        let candidate = |row: usize| {
            let severity = severities.is_valid(row).then(|| severities.value(row) as u8);
            let value = values.as_primitive::<Float64Type>();
            let name = names.as_string::<i32>().value(row);
            // A finding comes by its own figure, whatever is offered by how rare it is.
            let rarity = match severity {
                Some(_) => rarity[row],
                None if value.is_valid(row) => value.value(row),
                None => 0.0,
            };
            let owner = owners.as_primitive::<Int64Type>();
            let key = keys.as_primitive::<Int64Type>().value(row);
            Candidate {
                key,
                name: name.to_owned(),
                channel: channels.as_string::<i32>().value(row).to_owned(),
                severity,
                // It reads what other channels show.
                is_derived: is_risk(name),
                rarity,
                worth: worth.get(name).copied().unwrap_or(1.0),
                since_on: since.as_primitive::<Date32Type>().value(row),
                owner: owner.is_valid(row).then(|| owner.value(row)),
                gap_days: gaps.get(&key).copied(),
            }
        };
        Ok((0..found.num_rows()).map(candidate).collect())
    }

    fn offer_rows(
        &self,
        node: &Node,
        found: &RecordBatch,
        key: &str,
        candidates: &[Candidate],
        offers: &[Offer],
        as_of_on: i32,
    ) -> Result<RecordBatch, Error> {
        let fail = |it: datafusion::arrow::error::ArrowError| Error::query("build", &node.path)(it.into());
        // What is said of an offer's figures is said of its strongest finding.
        let strongest: Int64Array = offers.iter().map(|it| it.findings[0] as i64).collect();
        let of_strongest = |name: &str| take(&found[name], &strongest, None).map_err(fail);
        let lines = |name: &str| -> Result<ArrayRef, Error> {
            let all = cast(&found[name], &DataType::Utf8).map_err(fail)?;
            let all = all.as_string::<i32>();
            let of = |it: &Offer| {
                let placed = self.placed_lines(it).into_iter().map(|(zh, en)| if name == "reason_zh" { zh } else { en });
                let found = it.findings.iter().map(|row| all.value(*row).to_owned());
                found.chain(placed).collect::<Vec<_>>().join("\n")
            };
            Ok(Arc::new(StringArray::from_iter_values(offers.iter().map(of))))
        };
        let findings = self.findings(found).map_err(fail)?;
        let input = |it: &Offer| -> Result<String, serde_json::Error> {
            let findings = it.findings.iter().map(|row| findings[*row].clone()).collect();
            let decision = Decision { as_of_on, before: it.before, findings };
            let mut input = match &it.evidence {
                Some(evidence) => serde_json::to_value(evidence)?,
                None => serde_json::json!({}),
            };
            input["decision"] = serde_json::to_value(&decision)?;
            serde_json::to_string(&input)
        };
        let inputs: Vec<String> = offers.iter().map(input).collect::<Result<_, _>>().map_err(|it| Error::Refused {
            path: node.path.clone(),
            message: format!("the evidence of an offer could not be written: {it}"),
        })?;
        let channels = |it: &Offer| {
            let mut channels: Vec<&str> = Vec::new();
            for channel in it.findings.iter().map(|row| candidates[*row].channel.as_str()) {
                if !channels.contains(&channel) {
                    channels.push(channel);
                }
            }
            channels.join(",")
        };
        let rules = |it: &Offer| it.findings.iter().map(|row| candidates[*row].name.as_str()).collect::<Vec<_>>().join(",");
        // Study is the thread only where nothing but study changed.
        let threads = cast(&found["thread"], &DataType::Utf8).map_err(fail)?;
        let threads = threads.as_string::<i32>();
        let thread = |it: &Offer| {
            let first = threads.value(it.findings[0]);
            let is_mixed = it.findings.iter().any(|row| threads.value(*row) != first);
            if is_mixed { schema::Thread::LifeAid.as_str() } else { first }
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(offers.iter().map(|it| warning_id(it, candidates)))),
            of_strongest(key)?,
            of_strongest("owner_key")?,
            of_strongest("rule")?,
            Arc::new(StringArray::from_iter_values(offers.iter().map(rules))),
            Arc::new(StringArray::from_iter_values(offers.iter().map(thread))),
            Arc::new(StringArray::from_iter_values(offers.iter().map(channels))),
            Arc::new(Int32Array::from_iter(offers.iter().map(|it| it.severity.map(i32::from)))),
            Arc::new(Date32Array::from_iter_values(offers.iter().map(|it| it.since_on))),
            Arc::new(Date32Array::from_iter_values(offers.iter().map(|it| it.issued_on))),
            of_strongest("baseline")?,
            of_strongest("now_value")?,
            of_strongest("n")?,
            of_strongest("cov")?,
            Arc::new(Float64Array::from_iter_values(offers.iter().map(|it| it.score))),
            lines("reason_zh")?,
            lines("reason_en")?,
            of_strongest("explanations")?,
            of_strongest("last_seen_at")?,
            of_strongest("last_seen_source")?,
            Arc::new(StringArray::from_iter_values(inputs)),
        ];
        self.stored(node, columns)
    }

    /// The rows of `warning_candidate` as they are stored with an offer, in their order.
    fn findings(&self, found: &RecordBatch) -> Result<Vec<Finding>, datafusion::arrow::error::ArrowError> {
        let column = |name: &str, of: DataType| cast(&found[name], &of);
        let (rules, channels) = (column("rule", DataType::Utf8)?, column("channel", DataType::Utf8)?);
        let (since, n) = (column("since_on", DataType::Date32)?, column("n", DataType::Int64)?);
        let (baselines, values) = (column("baseline", DataType::Float64)?, column("now_value", DataType::Float64)?);
        let (covs, seen_at) = (column("cov", DataType::Float64)?, column("last_seen_at", DataType::Int64)?);
        let (explanations, seen_by) = (column("explanations", DataType::Utf8)?, column("last_seen_source", DataType::Utf8)?);
        let (zh, en) = (column("reason_zh", DataType::Utf8)?, column("reason_en", DataType::Utf8)?);
        let files = self.graph.rules.iter().chain(&self.graph.trends);
        let of_file: HashMap<&str, (String, BTreeMap<String, f64>)> =
            files.map(|it| (it.name.as_str(), (sql_hash(it), bounds(it)))).collect();
        let text = |of: &ArrayRef, row: usize| of.as_string::<i32>().value(row).to_owned();
        let number = |of: &ArrayRef, row: usize| of.is_valid(row).then(|| of.as_primitive::<Float64Type>().value(row));
        let whole = |of: &ArrayRef, row: usize| of.is_valid(row).then(|| of.as_primitive::<Int64Type>().value(row));
        let one = |row: usize| {
            let rule = text(&rules, row);
            let file = of_file.get(rule.as_str());
            Finding {
                sql_hash: file.map(|it| it.0.clone()),
                bounds: file.map(|it| it.1.clone()).unwrap_or_default(),
                channel: text(&channels, row),
                since_on: since.as_primitive::<Date32Type>().value(row),
                baseline: number(&baselines, row),
                now_value: number(&values, row),
                n: whole(&n, row),
                cov: number(&covs, row),
                explanations: text(&explanations, row),
                last_seen_at: whole(&seen_at, row),
                last_seen_source: seen_by.is_valid(row).then(|| text(&seen_by, row)),
                reason_zh: text(&zh, row),
                reason_en: text(&en, row),
                rule,
            }
        };
        Ok((0..found.num_rows()).map(one).collect())
    }

    /// Why an offer stands where it stands, in words, where there is more to say than how rare it is.
    fn placed_lines(&self, offer: &Offer) -> Vec<(String, String)> {
        let Some(evidence) = &offer.evidence else { return Vec::new() };
        let titles = |rule: &str| {
            let risks = self.graph.risks().iter().map(|it| &it.model);
            let found = self.graph.rules().iter().chain(self.graph.trends()).chain(risks).find(|it| it.name == rule);
            let title = |it: Option<&String>| it.cloned().unwrap_or_else(|| rule.to_owned());
            (title(found.and_then(|it| it.front.title_zh.as_ref())), title(found.and_then(|it| it.front.title_en.as_ref())))
        };
        let learnt = evidence.witnesses.iter().filter_map(|it| {
            let (zh, en) = titles(&it.rule);
            Some(Learnt::of(it.worth)?.line(&zh, &en))
        });
        warning::agreed(evidence.told().witnesses).into_iter().chain(learnt).collect()
    }

    /// Columns in the order of a table's schema, without the partition.
    pub(crate) fn stored(&self, node: &Node, columns: Vec<ArrayRef>) -> Result<RecordBatch, Error> {
        let fail = || Error::query("build", &node.path);
        let fields = self.schemas[&node.name].fields();
        let schema = Arc::new(Schema::new(fields[..fields.len() - 1].to_vec()));
        let columns: Vec<ArrayRef> = columns
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<_, _>>()
            .map_err(|it| fail()(it.into()))?;
        RecordBatch::try_new(schema, columns).map_err(|it| fail()(it.into()))
    }
}

/// Hash of a file's query with its settings put in, by which a stored finding says what it was made by.
pub fn sql_hash(model: &Model) -> String {
    blake3::hash(model.query().as_bytes()).to_hex().to_string()
}

/// Numbers of a file's settings: the bounds of a rule.
fn bounds(model: &Model) -> BTreeMap<String, f64> {
    let settings = model.front.settings.iter();
    settings
        .filter_map(|(name, it)| {
            let number = it.as_float().or_else(|| it.as_integer().map(|it| it as f64))?;
            Some((name.clone(), number))
        })
        .collect()
}

/// The same for as long as an offer goes on, so that the work that follows hangs on one name; it gives nothing away.
fn warning_id(offer: &Offer, candidates: &[Candidate]) -> String {
    let name = match offer.severity {
        Some(_) => format!("offer/{}/{}", offer.key, offer.issued_on),
        None => format!("{}/{}/{}", candidates[offer.findings[0]].name, offer.key, offer.since_on),
    };
    blake3::hash(name.as_bytes()).to_hex()[..16].to_owned()
}

fn issued(batch: &RecordBatch) -> Vec<Issued> {
    let keys = batch.column(0).as_primitive::<Int64Type>();
    let owners = batch.column(1).as_primitive::<Int64Type>();
    let severities = batch.column(2).as_primitive::<Int32Type>();
    let dates = batch.column(3).as_primitive::<Date32Type>();
    let one = |row: usize| Issued {
        key: keys.value(row),
        owner: owners.is_valid(row).then(|| owners.value(row)),
        severity: severities.value(row) as u8,
        issued_on: dates.value(row),
    };
    (0..batch.num_rows()).map(one).collect()
}
