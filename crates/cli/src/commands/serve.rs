//! `yizhan serve`: API and web app, the lake's one writer, the nightly run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use chrono::{Days, NaiveDateTime, Utc};
use clap::Args;
use serve::{Catalog, DemoLogin, Done, Jobs, Live, LiveLimits, Order, Topic};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::{Common, ingest, quarantine, replay, run, transform};
use crate::background::Background;
use crate::handover::{self, Address};
use crate::house::{Access, House};
use crate::import::Wizard;
use crate::stream::{self, Doorstep, Feeds, Pushing};
use crate::telling;
use crate::tick;
use crate::traces;
use crate::upkeep;
use crate::working_days;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Folder with the exports that the nightly run takes in (default: <project>/input).
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,
    /// Address to listen on.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

impl Serve {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let house = Arc::new(common.open(Access::Write).await?);
        serve_house(house, self.input, self.listen, Vec::new()).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Serves a house until it is told to stop.
pub(crate) async fn serve_house(
    house: Arc<House>,
    input: Option<PathBuf>,
    listen: Option<String>,
    demo_logins: Vec<DemoLogin>,
) -> anyhow::Result<()> {
    let listen = listen.unwrap_or_else(|| house.settings.serve.listen.clone());
    let audit = Arc::new(serve::StoreAudit::new(house.store.clone()));
    let sessions = Arc::new(crate::tables::sessions(&house, audit).await?);
    let (rules, rules_now) = watch::channel(working_days::rules(&house).await?);
    let bounds = &house.settings.live;
    let live = Arc::new(Live::new(LiveLimits {
        ring: bounds.events_kept,
        streams: bounds.streams_max,
        session_streams: bounds.session_streams_max,
    }));
    let background = Background::new()?;
    let jobs = Arc::new(HouseJobs {
        house: house.clone(),
        input: house.input(input.as_ref()),
        one_at_a_time: Arc::default(),
        rules,
        live: live.clone(),
        background: background.handle().clone(),
    });
    // A secret that is missing is known now and not on the night on which it is needed.
    let channels = crate::messages::channels(&house)?;
    let metrics_token = metrics_token(&house.settings.serve.metrics_token_env)?;
    let token = handover::token()?;
    let address = Address { url: format!("http://{listen}"), token: token.clone(), pid: std::process::id() };
    let noted = handover::note(&house.place.data, &address)?;
    let config = serve::Config {
        listen: listen.clone(),
        is_demo: house.settings.serve.is_demo || !demo_logins.is_empty(),
        demo_logins,
        campus: house.settings.campus.clone(),
        labels: casework::LabelScheme { labels: house.settings.casework.labels.clone() },
        death_by: house.settings.casework.death_by.clone(),
        k_default: house.settings.policy.k_default,
        k_sensitive: house.settings.policy.k_sensitive,
        clock_offset_us: clock_offset_us(&house).await?,
        talk_hours_a_week: house.settings.warning.capacity.hours_a_week,
        talk_hours: house.settings.warning.capacity.hours_a_talk,
        channels: house
            .settings
            .notify
            .channel
            .iter()
            .map(|it| serve::ChannelWords { name: it.name().to_owned(), receipts: it.receipts() })
            .collect(),
        drill_days: house.settings.notify.drill_days,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        push_bytes_max: usize::try_from(house.settings.stream.body_bytes_max.0).unwrap_or(usize::MAX),
        pushes_max: house.settings.stream.requests_max,
        import_bytes_max: usize::try_from(house.settings.serve.import_bytes_max.0).unwrap_or(usize::MAX),
        hand_over_token: Some(token),
        metrics_token,
    };
    let door = Arc::new(Doorstep::new(house.clone(), house.input(input.as_ref()))?);
    let pushes = Arc::new(Pushing(door.clone()));
    let parts = serve::Parts {
        sessions: sessions.clone(),
        reading: serve::Reading {
            store: house.store.clone(),
            lake: house.lake.clone(),
            catalog: Arc::new(catalog(&house).await?),
            delivered: serve::Delivered::default(),
        },
        rules: rules_now.clone(),
        jobs: jobs.clone(),
        imports: Arc::new(Wizard::new(house.clone(), house.input(input.as_ref()))?),
        pushes: pushes.clone(),
        live: live.clone(),
        metrics: house.metrics.clone(),
        pipelines: Arc::new(Feeds::new(house.clone())),
    };
    let doors = stream::open_doors(&house, &door)?;
    let telling = tokio::spawn(telling::run(house.clone(), pushes, live.clone()));
    let committer = tokio::spawn(stream::run(house.clone(), door));
    let schedule = (house.fixed_now_us.is_none() && house.place.project.join("yizhan.toml").exists())
        .then(|| tokio::spawn(schedule(jobs.clone())));
    let tick = tick::run(house.clone(), sessions.clone(), live.clone(), jobs.one_at_a_time.clone());
    let tick = house.fixed_now_us.is_none().then(|| background.handle().spawn(tick));
    let upkeep = background.handle().spawn(upkeep::run(house.clone(), jobs.one_at_a_time.clone()));
    // Whoever pretends that it is another time asks nobody to come.
    let care = house.fixed_now_us.is_none().then(|| tokio::spawn(care(house.clone(), channels, rules_now.clone(), live)));
    eprintln!("驿站已启动 / serving on http://{listen}  (Ctrl-C 停止 / stops)");
    let result = serve::serve(config, parts, shutdown()).await;
    for task in [schedule, tick, care, Some(committer), Some(telling), Some(upkeep)].into_iter().flatten().chain(doors) {
        task.abort();
    }
    // A run under way ends in a commit or not at all; waiting for it only spares the next start some work.
    let idle = jobs.one_at_a_time.lock().await;
    // What stays in the log after a failure here is committed by the next start.
    if let Err(error) = stream::commit(&house).await {
        tracing::error!(error = format!("{error:#}"), "pushed events stay in the log");
    }
    drop(noted);
    drop(idle);
    if let Some(traces) = &house.traces {
        tokio::task::block_in_place(|| traces.stop());
    }
    result.context("the server stopped")
}

/// Token of a monitor, if the settings name a variable for it; a guess of a few letters is none.
fn metrics_token(variable: &str) -> anyhow::Result<Option<String>> {
    const BYTES_MIN: usize = 16;
    if variable.is_empty() {
        return Ok(None);
    }
    match std::env::var(variable) {
        Ok(token) if BYTES_MIN <= token.trim().len() => Ok(Some(token.trim().to_owned())),
        _ => anyhow::bail!(crate::exit::Caller(format!(
            "serve.metrics_token_env 指定的变量 {variable} 未设置，或不足 {BYTES_MIN} 个字符 / serve.metrics_token_env names \
             {variable}, which is not set or has fewer than {BYTES_MIN} characters"
        ))),
    }
}

/// What casework's clock is ahead of the wall's. Where the data end on a fixed day, cases go on from there, and never
/// before what was done on them already.
async fn clock_offset_us(house: &House) -> anyhow::Result<i64> {
    let Some(fixed_us) = house.fixed_now_us else { return Ok(0) };
    let latest_us = house.store.cases().latest_us().await?.unwrap_or(fixed_us);
    Ok(fixed_us.max(latest_us) - Utc::now().timestamp_micros())
}

async fn shutdown() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}

/// Work that other processes hand over, and the nightly run: one at a time.
#[derive(Clone)]
struct HouseJobs {
    house: Arc<House>,
    input: PathBuf,
    one_at_a_time: Arc<Mutex<()>>,
    /// Follows the calendar of the lake.
    rules: watch::Sender<casework::Rules>,
    live: Arc<Live>,
    background: Handle,
}

#[async_trait]
impl Jobs for HouseJobs {
    async fn run(&self, order: Order) -> Done {
        // The set ends its work when it is dropped, so what nobody waits for any longer goes on no more than it would here.
        let (mut work, jobs) = (JoinSet::new(), self.clone());
        work.spawn_on(async move { jobs.work(order).await }, &self.background);
        match work.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => Done {
                exit_code: crate::exit::LATER,
                messages: vec!["服务正在停止 / the server stops".to_owned()],
                ..Done::default()
            },
        }
    }
}

impl HouseJobs {
    async fn work(&self, order: Order) -> Done {
        let _one = self.one_at_a_time.lock().await;
        let order = Order { input: Some(order.input.unwrap_or_else(|| self.input.clone())), ..order };
        let mut done = Done::default();
        let stage = ["run", "ingest", "replay", "reread", "transform", "upkeep"]
            .into_iter()
            .find(|it| *it == order.stage)
            .unwrap_or("other");
        let traced = traces::begin("job");
        traces::note(&traced, "yizhan.stage", stage);
        let work = async {
            match order.stage.as_str() {
                "run" => run::work(&self.house, &order, &mut done).await,
                "ingest" => ingest::work(&self.house, &order).await.map(|it| done = it),
                "replay" => quarantine::work(&self.house, &order).await.map(|it| done = it),
                "reread" => replay::work(&self.house, &order).await.map(|it| done = it),
                "transform" => transform::work(&self.house, &order).await.map(|it| done = it),
                "upkeep" => upkeep::work(&self.house, &order).await.map(|it| done = it),
                other => Err(crate::exit::Caller(format!("there is no stage \"{other}\"")).into()),
            }
        };
        let result = traces::within(&traced, work).await;
        if let Err(error) = result {
            traces::failed(&traced);
            done.messages.push(format!("错误 / error: {error:#}"));
            done.exit_code = crate::exit::code(&error);
        }
        self.live.publish(Topic::Runs { version: Utc::now().timestamp_micros() });
        match working_days::rules(&self.house).await {
            Ok(rules) => drop(self.rules.send_replace(rules)),
            Err(error) => done.messages.push(format!("校历未能读取，仍用原有工作日 / the calendar was not read: {error:#}")),
        }
        done
    }
}

/// Runs every night at the set time, and at once if the last one was missed.
async fn schedule(jobs: Arc<HouseJobs>) {
    let house = &jobs.house;
    let zone = house.settings.campus.time_zone;
    loop {
        let now = Utc::now().with_timezone(&zone);
        let today: NaiveDateTime = now.date_naive().and_time(house.settings.serve.run_at);
        let due = if now.naive_local() < today { today.checked_sub_days(Days::new(1)).unwrap_or(today) } else { today };
        let last = house.store.runs().last_success("upkeep").await.ok().flatten();
        let last = last.and_then(|it| chrono::DateTime::from_timestamp_micros(it.began_at_us));
        let is_due = last.is_none_or(|it| it.with_timezone(&zone).naive_local() < due) && jobs.input.is_dir();
        // Under a clock that leapt the night would be that of another day.
        if is_due && house.leapt_clock().is_none() {
            tracing::info!("the nightly run begins");
            let order = Order { stage: "run".to_owned(), is_json: true, ..Order::default() };
            let done = jobs.run(order).await;
            for message in &done.messages {
                tracing::error!(message, "the nightly run");
            }
        }
        // Looked at every minute, so that a clock that is set does not lose a night.
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    }
}

/// Pause between two looks at cases and messages: the shortest deadline is five minutes.
const CARE_PAUSE: std::time::Duration = std::time::Duration::from_secs(15);

/// Escalates cases that are late and takes the next step of every message, several times a minute.
async fn care(house: Arc<House>, channels: notify::Channels, rules: watch::Receiver<casework::Rules>, live: Arc<Live>) {
    // What was put off was so under the settings of before.
    if let Err(error) = house.store.messages().bring_back().await {
        tracing::error!(error = format!("{error:#}"), "messages that were put off wait until their time");
    }
    loop {
        let now = rules.borrow().clone();
        if let Err(error) = care_once(&house, &channels, &now, &live).await {
            // The next round tries all of it again.
            tracing::error!(error = format!("{error:#}"), "casework and messages");
        }
        tokio::time::sleep(CARE_PAUSE).await;
    }
}

async fn care_once(house: &House, channels: &notify::Channels, rules: &casework::Rules, live: &Live) -> anyhow::Result<()> {
    crate::cases::escalate(house, rules).await?;
    let round = crate::messages::round(house, channels).await?;
    if 0 < round.sent_n + round.failed_n + round.to_call_n + round.settled_n {
        tracing::info!(?round, "messages");
        live.publish(Topic::Channels { version: Utc::now().timestamp_micros() });
    }
    Ok(())
}

/// A local time of day, as `23:30`.
fn minute_of_day(text: &str) -> Option<i64> {
    let time = chrono::NaiveTime::parse_from_str(text, "%H:%M").ok()?;
    Some(i64::from(chrono::Timelike::num_seconds_from_midnight(&time)) / 60)
}

/// What the catalogue page shows, and the words of measures, rules and lists.
pub(crate) async fn catalog(house: &House) -> anyhow::Result<Catalog> {
    let builder = house.builder().await?;
    let mut catalog = Catalog::default();
    for node in house.graph.nodes() {
        catalog.tables.push(serve::CatalogTable {
            table: node.name.clone(),
            about_zh: node.said_zh().to_owned(),
            about_en: node.about.clone(),
            grain: node.grain.join(", "),
            owner: node.owner.clone(),
            kind: node.kind.clone(),
            materialized: format!("{:?}", node.materialized).to_lowercase(),
            purpose: node.purpose.clone(),
            inputs: node.inputs.clone(),
            schema: builder.schema(&node.name).context("a table without columns")?,
        });
    }
    for it in &house.project.pipelines {
        let (identity, taken): (Vec<_>, Vec<_>) =
            it.columns.iter().partition(|(_, column)| column.class == schema::Class::Identity && column.person.is_none());
        catalog.sources.push(serve::SourceWords {
            source: it.name().to_owned(),
            about_zh: it.pipeline.said_zh().to_owned(),
            about_en: it.pipeline.about.clone(),
            owner: it.pipeline.owner.clone(),
            shape: if it.is_event() { "event" } else { "state" }.to_owned(),
            is_full: it.pipeline.export == schema::Export::Full,
            is_own: it.topic().is_some(),
            purpose: it.pipeline.purpose.clone(),
            retention_days: it.pipeline.retention.days(),
            usual_delay_h: it.contract.usual_delay.micros() / 3_600_000_000,
            column_n: taken.len(),
            identity_n: identity.len(),
        });
    }
    for it in house.graph.tags() {
        let front = &it.front;
        catalog.tags.push(serve::TagWords {
            tag: it.name.clone(),
            title_zh: front.title_zh.clone().unwrap_or_default(),
            title_en: front.title_en.clone().unwrap_or_default(),
            dimension: front.dimension.clone().unwrap_or_default(),
        });
    }
    for it in house.graph.measures() {
        let front = &it.front;
        let is_closed = front.class == Some(schema::Class::Closed);
        let table = if is_closed { "closed_measure" } else { "feat_measure" };
        let tables: Vec<String> = house.graph.node(table).map(|it| it.inputs.clone()).unwrap_or_default();
        catalog.measures.push(serve::MeasureWords {
            measure: it.name.clone(),
            title_zh: front.title_zh.clone().unwrap_or_default(),
            title_en: front.title_en.clone().unwrap_or_default(),
            about_zh: front.said_zh().to_owned(),
            about_en: front.about.clone(),
            unit: front.unit.clone().unwrap_or_default(),
            dimension: front.dimension.clone().unwrap_or_default(),
            facet: front.facet.clone().unwrap_or_default(),
            is_closed,
            purpose: front.purpose.clone(),
            path: it.path.clone(),
            sql: it.query(),
            window: front.window.map(|it| format!("{}d", it.days())).unwrap_or_default(),
            source: tables.iter().filter(|table| it.sql.contains(table.as_str())).cloned().collect(),
            n_min: front.n_min.unwrap_or_default(),
            cov_min: front.cov_min.unwrap_or_default(),
        });
    }
    for it in house.graph.rules().iter().chain(house.graph.trends()) {
        let front = &it.front;
        catalog.rules.push(serve::RuleWords {
            rule: it.name.clone(),
            title_zh: front.title_zh.clone().unwrap_or_default(),
            title_en: front.title_en.clone().unwrap_or_default(),
            measure: front.measure.clone().unwrap_or_else(|| it.name.clone()),
            unit: front.unit.clone().unwrap_or_default(),
            caveat_zh: front.caveat_zh.clone().unwrap_or_default(),
            caveat_en: front.caveat_en.clone().unwrap_or_default(),
            first_step_zh: first_step(front).0,
            first_step_en: first_step(front).1,
        });
    }
    for it in house.graph.risks() {
        let (front, label) = (&it.model.front, &it.label.front);
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        catalog.rules.push(serve::RuleWords {
            rule: it.name().to_owned(),
            title_zh: text(&front.title_zh),
            title_en: text(&front.title_en),
            measure: it.name().to_owned(),
            unit: "share".to_owned(),
            caveat_zh: text(&front.caveat_zh),
            caveat_en: text(&front.caveat_en),
            first_step_zh: first_step(front).0,
            first_step_en: first_step(front).1,
        });
        let inputs = it.inputs.iter().map(|input| {
            let (title_zh, title_en, unit) = builder.input_words(input);
            let measure = house.graph.measures().iter().find(|it| it.name == input.measure);
            let about_zh = measure.map(|it| it.front.said_zh().to_owned()).unwrap_or_default();
            let about_en = measure.map(|it| it.front.about.clone()).unwrap_or_default();
            serve::InputWords { input: input.name.clone(), title_zh, title_en, unit, about_zh, about_en }
        });
        catalog.models.push(serve::ModelWords {
            model: it.name().to_owned(),
            title_zh: text(&front.title_zh),
            title_en: text(&front.title_en),
            about_zh: front.said_zh().to_owned(),
            about_en: front.about.clone(),
            thread: front.thread.map_or("", schema::Thread::as_str).to_owned(),
            label: it.label.name.clone(),
            label_about_zh: label.said_zh().to_owned(),
            label_about_en: label.about.clone(),
            horizon_days: it.horizon.days,
            caveat_zh: text(&front.caveat_zh),
            caveat_en: text(&front.caveat_en),
            inputs: inputs.collect(),
            baselines: front.baselines.iter().map(|it| (it.clone(), builder.baseline_words(it))).collect(),
        });
    }
    let titles: BTreeMap<&str, &schema::Model> = house.project.models.iter().map(|it| (it.name.as_str(), it)).collect();
    for node in house.graph.nodes().iter().filter(|it| it.kind == "list") {
        let front = titles.get(node.name.as_str()).map(|it| &it.front);
        catalog.lists.push(serve::ListWords {
            list: node.name.trim_start_matches("list_").to_owned(),
            title_zh: front.and_then(|it| it.title_zh.clone()).unwrap_or_default(),
            title_en: front.and_then(|it| it.title_en.clone()).unwrap_or_default(),
            about_zh: node.said_zh().to_owned(),
            about_en: node.about.clone(),
            owner: node.owner.clone(),
            is_live: front.is_some_and(|it| it.live),
            complete_minute: front.and_then(|it| it.complete_at.as_deref()).and_then(minute_of_day),
            grain: node.grain.clone(),
            heads: node
                .columns
                .iter()
                .filter_map(|(name, it)| Some((name.clone(), it.title_zh.clone()?, it.title_en.clone()?)))
                .collect(),
        });
    }
    Ok(catalog)
}

/// What somebody may do first about what a file finds: its own words, else those of its thread.
pub(crate) fn first_step(front: &schema::FrontMatter) -> (String, String) {
    let of_thread = front.thread.map(schema::Thread::first_step).unwrap_or_default();
    let own = |it: &Option<String>, or: &str| it.clone().unwrap_or_else(|| or.to_owned());
    (own(&front.first_step_zh, of_thread.0), own(&front.first_step_en, of_thread.1))
}
