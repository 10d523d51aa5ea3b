//! Tables that the house writes out of what several files say: warnings, findings, portraits.

use std::collections::BTreeMap;

use schema::{Cadence, Class, Column, ColumnType, Key, Kind, Materialized, Model, ModelColumn, Pipeline, Subject};

use crate::node::{Node, Origin};

pub(crate) fn column(about: &str, class: Class) -> ModelColumn {
    ModelColumn { about: Some(about.to_owned()), class: Some(class), ..Default::default() }
}

pub(crate) fn as_of(name: &str, about: &str, subject: &str, grain: &[&str], sql: String, origin: Origin) -> Node {
    Node {
        name: name.to_owned(),
        path: format!("{name} (generated)"),
        about: about.to_owned(),
        about_zh: crate::words::table(name).map(str::to_owned),
        owner: "platform".to_owned(),
        kind: "table".to_owned(),
        materialized: Materialized::AsOf,
        grain: grain.iter().map(|it| (*it).to_owned()).collect(),
        subject: Some(subject.to_owned()),
        purpose: vec!["portrait".to_owned(), "trend_warning".to_owned()],
        columns: BTreeMap::new(),
        inputs: Vec::new(),
        sql,
        origin,
        lookback_days: 0,
        cadence: Cadence::Day,
        is_cached: false,
        is_kept: false,
        is_versioned: false,
        is_live: false,
    }
}

/// `feat_measure`: every measure in the long form, with the person's own past and peers.
pub(crate) fn feat_measure(measures: &[&Model], subject: &Subject) -> Node {
    let about = "Every measure of every student as of a date, with support, coverage, own past and peers (度量长表).";
    long("feat_measure", about, measures, subject)
}

/// `closed_measure`: the measures of the closed compartment, on Mondays only.
pub(crate) fn closed_measure(measures: &[&Model], subject: &Subject) -> Node {
    let about = "Closed measures of every student as of a Monday: company and body, for psychology only (封闭度量).";
    let mut node = long("closed_measure", about, measures, subject);
    node.cadence = Cadence::Week;
    node.purpose = vec!["care".to_owned()];
    node
}

fn long(name: &str, about: &str, measures: &[&Model], subject: &Subject) -> Node {
    let mut node = as_of(name, about, &subject.key, &[&subject.key, "measure"], String::new(), Origin::Measures);
    node.inputs = vec![subject.table.clone()];
    node.inputs.extend(subject.calendar.clone());
    node.inputs.extend(subject.own_past.clone());
    // A measure's file may be of a low class; the long table mixes them, so all its values are as high as the highest.
    let highest = measures.iter().filter_map(|it| it.front.class).max().unwrap_or(Class::Personal);
    node.columns = BTreeMap::from([
        (subject.key.clone(), column("The person, pseudonymous.", Class::Personal)),
        ("measure".to_owned(), column("Name of the measure: its file in sql/measures.", Class::Internal)),
        ("value".to_owned(), column("Value in the measure's unit; NULL below its floors (数据不足).", highest)),
        ("n".to_owned(), column("Support: observations behind the value.", highest)),
        ("cov".to_owned(), column("Coverage: share of the expected device time that was observed.", Class::Internal)),
        ("z_self".to_owned(), column("Distance from the person's own past teaching weeks, in robust deviations.", highest)),
        ("z_peer".to_owned(), column("Distance from the peer group on the same date, in robust deviations.", highest)),
        ("as_of_on".to_owned(), column("As-of date: only what was known when it began.", Class::Internal)),
    ]);
    node
}

/// `portrait_tag`: statements of fact about a person, each with its date, evidence and expiry.
pub(crate) fn portrait_tag(tags: &[&Model], subject: &Subject) -> Node {
    let key = &subject.key;
    let branches: Vec<String> = tags
        .iter()
        .map(|tag| {
            format!(
                "SELECT '{name}' AS tag, {key}, CAST(since_on AS DATE) AS since_on, CAST(expires_on AS DATE) AS expires_on, \
                 CAST(n AS BIGINT) AS n, evidence_zh, evidence_en, CAST(source AS VARCHAR) AS source FROM ({sql}) AS {name}",
                name = tag.name,
                sql = tag.query(),
            )
        })
        .collect();
    let sql = format!(
        "SELECT {key}, tag, since_on, expires_on, n, evidence_zh, evidence_en, source FROM ({}) AS said \
         WHERE expires_on IS NULL OR expires_on >= $as_of",
        branches.join(" UNION ALL ")
    );
    let about = "Tags of the portrait: what is so since when, on what evidence, until when it holds (画像标签).";
    let mut node = as_of("portrait_tag", about, key, &[key, "tag"], sql, Origin::Query);
    node.kind = "tag".to_owned();
    let trace = |about| column(about, Class::Trace);
    node.columns = BTreeMap::from([
        (key.clone(), column("The person, pseudonymous.", Class::Personal)),
        ("tag".to_owned(), trace("File in sql/tags that says it.")),
        ("since_on".to_owned(), trace("Day since which it is so.")),
        ("expires_on".to_owned(), trace("Last day on which it is said without being seen again.")),
        ("n".to_owned(), trace("Rows of evidence.")),
        ("evidence_zh".to_owned(), trace("The evidence as a sentence, in Chinese.")),
        ("evidence_en".to_owned(), trace("The evidence as a sentence, in English.")),
        ("source".to_owned(), trace("Table that the evidence stands in.")),
        ("as_of_on".to_owned(), column("As-of date.", Class::Internal)),
    ]);
    node
}

/// `warning_signal`: trends that left a person's own past, and groups that moved together.
pub(crate) fn warning_signal(subject: &Subject) -> Node {
    let key = &subject.key;
    let about =
        "Trends of students' own weeks that left their past, net of what groups did together; and those groups (趋势信号).";
    let grain = ["trend", "subject_kind", "subject_id"];
    let mut node = as_of("warning_signal", about, key, &grain, String::new(), Origin::Signals);
    node.kind = "trend".to_owned();
    node.purpose = vec!["trend_warning".to_owned()];
    node.inputs = vec![subject.table.clone()];
    // Replay reads the input row for as long as the offer stands in its table.
    node.is_kept = true;
    let trace = |about| column(about, Class::Trace);
    node.columns = BTreeMap::from([
        ("trend".to_owned(), column("File in sql/trend.", Class::Internal)),
        ("subject_kind".to_owned(), column("person, or the kind of a group such as building.", Class::Internal)),
        ("subject_id".to_owned(), column("Key of the person or name of the group, as text.", Class::Personal)),
        (key.clone(), column("The person, pseudonymous; empty for a group.", Class::Personal)),
        ("is_standing".to_owned(), trace("Whether the signal stands: it reached the bound and has not fallen below half of it.")),
        ("since_on".to_owned(), trace("First day of the week in which the change began.")),
        ("baseline".to_owned(), trace("Median of the weeks before, in the trend's unit; empty for a group.")),
        ("now_value".to_owned(), trace("Median of the weeks since, in the trend's unit; empty for a group.")),
        ("n".to_owned(), trace("Days or events of the weeks since; of a group its students.")),
        ("cov".to_owned(), column("Least coverage of the weeks since.", Class::Internal)),
        (
            "z".to_owned(),
            trace("The newest week in robust deviations from the own past, net; more is worse. Of a group its shift."),
        ),
        ("shift".to_owned(), trace("What was taken off the newest week because a group moved.")),
        ("ewma".to_owned(), trace("Moving average of z; empty for a group.")),
        ("cusum".to_owned(), trace("One-sided sum of z; of a group its shift in standard errors.")),
        ("reason_zh".to_owned(), trace("What changed, as a fact, in Chinese; empty for a group.")),
        ("reason_en".to_owned(), trace("What changed, as a fact, in English; empty for a group.")),
        ("input".to_owned(), trace("The input row that the figures follow from, as JSON; empty for a group.")),
    ]);
    node
}

/// `warning_group`: the groups of `warning_signal`, for those who look after places and classes.
pub(crate) fn warning_group() -> Node {
    let sql = "SELECT subject_kind AS group_kind, subject_id AS group_id, trend, since_on, n, z AS shift, cusum AS t \
               FROM warning_signal WHERE as_of_on = $as_of AND subject_kind <> 'person'"
        .to_owned();
    let about = "Buildings, floors, classes, majors and colleges whose students moved together: a matter of places and plans, not of persons (环境变化).";
    let mut node = as_of("warning_group", about, "", &["trend", "group_kind", "group_id"], sql, Origin::Query);
    node.kind = "trend".to_owned();
    node.subject = None;
    node.purpose = vec!["trend_warning".to_owned()];
    let words = [
        ("group_kind", "building, floor, class, major or college."),
        ("group_id", "Which one."),
        ("trend", "File in sql/trend."),
        ("since_on", "First day of the first week since which it lasts."),
        ("n", "Students of the group with a value."),
        ("shift", "Middle of the group beyond what wider groups explain, in robust deviations."),
        ("t", "The shift in standard errors."),
        ("as_of_on", "As-of date."),
    ];
    node.columns = words.into_iter().map(|(name, about)| (name.to_owned(), column(about, Class::Trace))).collect();
    node.columns.insert("group_kind".to_owned(), column("building, floor, class, major or college.", Class::Personal));
    node
}

/// `warning_candidate`: everything that rules, trends and risk models found on a date, before anybody's hours are looked at.
pub(crate) fn warning_candidate(rules: &[&Model], trends: &[&Model], risks: &[&Model], subject: &Subject) -> Node {
    let key = &subject.key;
    let word = |it: &Option<String>| it.clone().unwrap_or_default();
    let mut branches: Vec<String> = rules
        .iter()
        .map(|rule| {
            let severity = rule.front.severity.map_or("CAST(NULL AS INT)", |_| "CAST(1 AS INT)");
            format!(
                "SELECT '{name}' AS rule, '{thread}' AS thread, '{channel}' AS channel, {severity} AS severity, {key}, \
                 CAST(since_on AS DATE) AS since_on, CAST(baseline AS DOUBLE) AS baseline, \
                 CAST(now_value AS DOUBLE) AS now_value, CAST(n AS BIGINT) AS n, CAST(cov AS DOUBLE) AS cov, \
                 CAST(NULL AS DOUBLE) AS score, reason_zh, reason_en, explanations, \
                 arrow_cast(last_seen_at, 'Timestamp(Microsecond, Some(\"UTC\"))') AS last_seen_at, \
                 CAST(last_seen_source AS VARCHAR) AS last_seen_source FROM ({sql}) AS {name}",
                name = rule.name,
                thread = rule.front.thread.map_or("", |it| it.as_str()),
                channel = word(&rule.front.channel),
                sql = rule.query(),
            )
        })
        .collect();
    branches.extend(trends.iter().map(|trend| {
        format!(
            "SELECT trend AS rule, '{thread}' AS thread, '{channel}' AS channel, CAST(1 AS INT) AS severity, {key}, since_on, \
             baseline, now_value, n, cov, cusum AS score, reason_zh, reason_en, '' AS explanations, \
             arrow_cast(NULL, 'Timestamp(Microsecond, Some(\"UTC\"))') AS last_seen_at, CAST(NULL AS VARCHAR) AS last_seen_source \
             FROM warning_signal WHERE as_of_on = $as_of AND subject_kind = 'person' AND is_standing AND trend = '{name}'",
            thread = trend.front.thread.map_or("", |it| it.as_str()),
            channel = word(&trend.front.channel),
            name = trend.name,
        )
    }));
    // A risk model finds somebody only where it may be offered; all that it says stays in its own table.
    branches.extend(risks.iter().map(|risk| {
        format!(
            "SELECT model AS rule, '{thread}' AS thread, '{channel}' AS channel, CAST(1 AS INT) AS severity, {key}, \
             CAST($as_of AS DATE) AS since_on, base_rate AS baseline, probability AS now_value, known_n AS n, \
             CAST(known_n AS DOUBLE) / {inputs_n} AS cov, CAST(NULL AS DOUBLE) AS score, reason_zh, reason_en, '' AS explanations, \
             arrow_cast(NULL, 'Timestamp(Microsecond, Some(\"UTC\"))') AS last_seen_at, CAST(NULL AS VARCHAR) AS last_seen_source \
             FROM risk_score WHERE as_of_on = $as_of AND is_offered AND model = '{name}'",
            thread = risk.front.thread.map_or("", |it| it.as_str()),
            channel = risk.front.channel.as_deref().unwrap_or("study"),
            inputs_n = risk.front.inputs.len(),
            name = risk.name,
        )
    }));
    let owner = subject.owner.as_ref().map_or("CAST(NULL AS BIGINT)".to_owned(), |it| format!("person.{it}"));
    let sql = format!(
        "SELECT found.rule, found.thread, found.channel, found.severity, found.{key}, {owner} AS owner_key, found.since_on, \
         found.baseline, found.now_value, found.n, found.cov, found.score, found.reason_zh, found.reason_en, found.explanations, \
         found.last_seen_at, found.last_seen_source FROM ({}) AS found \
         INNER JOIN {table} AS person ON person.{key} = found.{key} AND person.as_of_on = $as_of",
        branches.join(" UNION ALL "),
        table = subject.table,
    );
    let about = "What rules, trends and risk models found of students on a date, before it is bundled and before anybody's hours are looked at (候选提示).";
    let mut node = as_of("warning_candidate", about, key, &["rule", key], sql, Origin::Query);
    node.kind = "rule".to_owned();
    node.purpose = vec!["trend_warning".to_owned()];
    node.columns = offered(key);
    node.columns.insert("channel".to_owned(), column("Where it was seen.", Class::Trace));
    node
}

/// `warning_student`: what is offered on a date, with severity, and findings without one.
///
/// `beside` are the tables with what became of earlier offers and with the hours that owners have, where they are sources;
/// `ties` that with the measure by which equal offers are ordered, where the project has it.
pub(crate) fn warning_student(subject: &Subject, beside: &[&str], ties: Option<&str>) -> Node {
    let about = "Dated, explained offers of attention (关怀提示), one a student, and findings without severity (数据无记录).";
    let mut node = as_of("warning_student", about, &subject.key, &["warning_id"], String::new(), Origin::Offers);
    node.kind = "rule".to_owned();
    node.is_kept = true;
    node.inputs = vec!["warning_candidate".to_owned(), subject.table.clone()];
    node.inputs.extend(ties.map(str::to_owned));
    node.inputs.extend(beside.iter().map(|it| (*it).to_owned()));
    let trace = |about| column(about, Class::Trace);
    node.columns = offered(&subject.key);
    node.columns.extend([
        ("input".to_owned(), trace("What the score follows from, as JSON: of each channel the strongest finding, how rare it is, and what earlier ones of its rule were worth; and what it was decided by: the row of each rule's query with the hash of the query, and the offer of before.")),
        ("warning_id".to_owned(), trace("Id of the offer: the same for as long as it goes on.")),
        ("rules".to_owned(), trace("All files that found something, the strongest first, comma-separated.")),
        ("channels".to_owned(), trace("Where it was seen, comma-separated.")),
        ("issued_on".to_owned(), trace("As-of date on which it was first offered.")),
    ]);
    node
}

/// Columns of a finding and of an offer.
fn offered(key: &str) -> BTreeMap<String, ModelColumn> {
    let trace = |about| column(about, Class::Trace);
    BTreeMap::from([
        (key.to_owned(), column("The person, pseudonymous.", Class::Personal)),
        ("owner_key".to_owned(), column("Who takes it up, pseudonymous.", Class::Personal)),
        ("rule".to_owned(), trace("File in sql/warning, sql/trend or sql/risk that found it; of an offer the strongest.")),
        ("thread".to_owned(), trace("Kind of work that follows: academic, life_aid or safety.")),
        (
            "severity".to_owned(),
            trace("1, of an offer 2 where two independent channels changed; NULL for a finding, which is no level."),
        ),
        ("since_on".to_owned(), trace("Day since which it holds.")),
        ("baseline".to_owned(), trace("What was usual before, in the unit of the rule or trend.")),
        ("now_value".to_owned(), trace("What is now, in the unit of the rule or trend.")),
        ("n".to_owned(), trace("Support.")),
        ("cov".to_owned(), trace("Coverage.")),
        (
            "score".to_owned(),
            trace(
                "By what it is ordered: a trend's sum; of an offer how rare all of it is together, by what earlier ones were worth.",
            ),
        ),
        ("reason_zh".to_owned(), trace("What changed, as facts, in Chinese, a line each.")),
        ("reason_en".to_owned(), trace("What changed, as facts, in English, a line each.")),
        ("explanations".to_owned(), trace("Explanations that were looked for and found, comma-separated; empty if none.")),
        ("last_seen_at".to_owned(), trace("Findings: last evidence on any channel.")),
        ("last_seen_source".to_owned(), trace("Findings: channel of that evidence.")),
        ("as_of_on".to_owned(), column("As-of date.", Class::Internal)),
    ])
}

/// `portrait_student`: one row a person, the measures side by side.
pub(crate) fn portrait_student(measures: &[&Model], subject: &Subject) -> Node {
    let key = &subject.key;
    let pivot: Vec<String> =
        measures.iter().map(|it| format!("max(CASE WHEN measure = '{name}' THEN value END) AS {name}", name = it.name)).collect();
    let values: Vec<String> = measures.iter().map(|it| format!("pivot.{}", it.name)).collect();
    let sql = format!(
        "WITH pivot AS (SELECT {key}, {pivot}, count(*) AS measures_n, count(value) AS known_n FROM feat_measure \
         WHERE as_of_on = $as_of GROUP BY {key}) \
         SELECT person.*, coalesce(pivot.measures_n, 0) AS measures_n, coalesce(pivot.known_n, 0) AS known_n, {values} \
         FROM (SELECT * EXCEPT (as_of_on) FROM {table} WHERE as_of_on = $as_of) AS person LEFT JOIN pivot ON pivot.{key} = person.{key}",
        pivot = pivot.join(", "),
        values = values.join(", "),
        table = subject.table,
    );
    let mut node = as_of(
        "portrait_student",
        "What is known of one student as of a date (一键画像): who, where, and every measure.",
        key,
        &[key],
        sql,
        Origin::Query,
    );
    node.columns = measures
        .iter()
        .map(|it| {
            let front = &it.front;
            (
                it.name.clone(),
                ModelColumn {
                    about: Some(front.about.clone()),
                    about_zh: front.about_zh.clone(),
                    unit: front.unit.clone(),
                    class: front.class,
                    ..Default::default()
                },
            )
        })
        .collect();
    node.columns.insert("measures_n".to_owned(), column("Measures computed for the person.", Class::Trace));
    node.columns.insert("known_n".to_owned(), column("Measures above their floors.", Class::Trace));
    node
}

/// Whether somebody delivers a source day by day. Nobody delivers the platform's own facts, and how many there are of a
/// day would say how much care was given.
pub(crate) fn is_delivered(pipeline: &Pipeline) -> bool {
    pipeline.is_event() && pipeline.topic().is_none()
}

/// `quality_source_day`: what each source of events delivered on each day, for freshness, volume and drift.
pub(crate) fn quality_source_day(pipelines: &[Pipeline]) -> Node {
    let part = |name: &str| {
        let hours =
            |from: u32, to: u32| format!("sum(CASE WHEN minute_of_day >= {from} AND minute_of_day < {to} THEN 1 ELSE 0 END)");
        format!(
            "SELECT '{name}' AS source, count(*) AS rows_n, {night} AS night_n, {morning} AS morning_n, {afternoon} AS afternoon_n, \
             {evening} AS evening_n, sum(CASE WHEN known_lag(known_at, occurred_on) > 2 THEN 1 ELSE 0 END) AS late_n, \
             sum(CASE WHEN known_lag(known_at, occurred_on) > 1 AND NOT is_known_assumed THEN 1 ELSE 0 END) AS after_end_n, occurred_on \
             FROM raw_{name} GROUP BY occurred_on",
            night = hours(0, 360),
            morning = hours(360, 720),
            afternoon = hours(720, 1080),
            evening = hours(1080, 1440),
        )
    };
    let branches: Vec<String> = pipelines.iter().filter(|it| is_delivered(it)).map(|it| part(it.name())).collect();
    let about = "What each source of events delivered on each campus day, by part of the day (数据到达日统计).";
    let mut node = as_of("quality_source_day", about, "", &["source"], branches.join(" UNION ALL "), Origin::Query);
    node.materialized = Materialized::Day;
    node.is_live = true;
    node.subject = None;
    node.purpose = vec!["cockpit".to_owned()];
    let words = [
        ("source", "Pipeline."),
        ("rows_n", "Rows."),
        ("night_n", "Rows from 00:00 to 06:00."),
        ("morning_n", "Rows from 06:00 to 12:00."),
        ("afternoon_n", "Rows from 12:00 to 18:00."),
        ("evening_n", "Rows from 18:00 to 24:00."),
        ("late_n", "Rows that became known two days or more after their own."),
        ("after_end_n", "Rows that became known after the day had ended: tables as of the next date were made without them."),
        ("occurred_on", "Campus day."),
    ];
    node.columns = words.into_iter().map(|(name, about)| (name.to_owned(), column(about, Class::Internal))).collect();
    node
}

/// `drift_column_day`: how often each value of a declared column came on each day, for `quality_column`.
///
/// Numbers stand at places an eighth of an octave apart, so that nothing has to be known of them beforehand. Not named as
/// what administrators read: on a day with one row the count of a value says what that row was.
pub(crate) fn drift_column_day(pipelines: &[Pipeline]) -> Node {
    let delivered = || pipelines.iter().filter(|it| is_delivered(it));
    let mut branches: Vec<String> = delivered()
        .flat_map(|pipeline| pipeline.columns.iter().filter_map(move |(name, column)| values_sql(pipeline, name, column)))
        .collect();
    if branches.is_empty() {
        // A school whose sources have no such column has the table all the same.
        branches.extend(delivered().take(1).map(|it| {
            format!(
                "SELECT '' AS source, '' AS column_name, '' AS bucket, CAST(NULL AS BIGINT) AS place, count(*) AS rows_n, occurred_on \
                 FROM {} WHERE FALSE GROUP BY occurred_on",
                it.raw_table()
            )
        }));
    }
    let about = "How often each value of a declared column of codes or numbers came on each campus day (数据取值日统计).";
    let grain = ["source", "column_name", "bucket"];
    let mut node = as_of("drift_column_day", about, "", &grain, branches.join(" UNION ALL "), Origin::Query);
    node.materialized = Materialized::Day;
    node.subject = None;
    node.purpose = vec!["cockpit".to_owned()];
    let words = [
        ("source", "Pipeline.", Class::Internal),
        ("column_name", "Column of its contract.", Class::Internal),
        ("bucket", "Value of a code; of a number its place; empty where there is none.", Class::Trace),
        ("place", "Place of a number, an eighth of an octave wide; empty for codes.", Class::Trace),
        ("rows_n", "Rows.", Class::Trace),
        ("occurred_on", "Campus day.", Class::Internal),
    ];
    node.columns = words.into_iter().map(|(name, about, class)| (name.to_owned(), column(about, class))).collect();
    node
}

/// The values of one column by day; `None` for one whose values are not compared.
///
/// Codes are, and numbers that measure something: keys only grow, instants always move on, and of what is closed not
/// even the spread is told.
fn values_sql(pipeline: &Pipeline, name: &str, column: &Column) -> Option<String> {
    let is_key = matches!(&pipeline.contract.key, Key::Columns(key) if key.iter().any(|it| it == name));
    let is_told =
        column.class < Class::Closed && column.person.is_none() && column.identifier.is_none() && column.refers.is_none();
    if is_key || !is_told {
        return None;
    }
    let (bucket, place) = match column.type_ {
        ColumnType::Text if column.codes.is_some() || column.one_of.is_some() => {
            (format!("coalesce({name}, '')"), "CAST(NULL AS BIGINT)".to_owned())
        }
        ColumnType::Boolean => (format!("coalesce(CAST({name} AS VARCHAR), '')"), "CAST(NULL AS BIGINT)".to_owned()),
        ColumnType::Int64 | ColumnType::Float64 if column.unit.as_deref() != Some("ms") => {
            let step = format!("CAST(floor(8 * log2(CAST(abs({name}) AS DOUBLE))) AS BIGINT)");
            let place =
                format!("CASE WHEN {name} = 0 THEN 0 WHEN {name} < 0 THEN -1000 - {step} WHEN {name} > 0 THEN 1000 + {step} END");
            (format!("coalesce(CAST({place} AS VARCHAR), '')"), place)
        }
        _ => return None,
    };
    // Worked out below: a column of the source may be called as one of ours.
    Some(format!(
        "SELECT '{source}' AS source, '{name}' AS column_name, bucket, place, count(*) AS rows_n, occurred_on \
         FROM (SELECT {bucket} AS bucket, {place} AS place, occurred_on FROM {raw}) AS said GROUP BY bucket, place, occurred_on",
        source = pipeline.name(),
        raw = pipeline.raw_table(),
    ))
}

/// The models of one kind, by name.
pub(crate) fn of_kind(models: &[Model], kind: Kind) -> Vec<&Model> {
    models.iter().filter(|it| it.front.kind == kind).collect()
}
