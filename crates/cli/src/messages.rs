//! Messages to staff: whom to ask next is worked out anew, stored, and only then sent.
//!
//! A message is made in the transaction of the step that it is about (`store`), what to do next follows from what was tried
//! (`notify::escalate`). So a crash between any two lines is made good by the next round and sends nothing twice.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use notify::escalate::{self, Action, Person, Route, Situation, TELEPHONE};
use notify::{
    Address, AddressKind, Addresses, Channels, Delivery, Kind, Message, Origin, Receipts, Severity, StaffKey, State, Target,
    drill,
};
use schema::PersonKind;
use store::{Asked, Fate, OpenMessage, Reach, StoredDelivery};

use crate::house::House;

/// Columns of the register of staff that hold an address, and of which kind.
const ADDRESSES: [(&str, AddressKind); 4] = [
    ("phone", AddressKind::Mobile),
    ("email", AddressKind::Email),
    ("wecom_id", AddressKind::WeComUser),
    ("dingtalk_id", AddressKind::DingTalkUser),
];

/// How long a message that reaches nobody stays open: somebody may be put on the roster yet.
const REACHES_NOBODY_US: i64 = 7 * casework::DAY_US;
/// The same of a live list: what was so two hours ago is looked up on its page, and sends nobody anywhere.
const LIST_REACHES_NOBODY_US: i64 = 2 * casework::HOUR_US;

/// How long a message that reaches nobody is left alone, unless it is urgent: whoever comes on the roster waits for it.
const LOOK_AGAIN_US: i64 = 10 * casework::MINUTE_US;
/// The same of what cannot wait, where channels were out of order.
const TRY_AGAIN_US: i64 = 2 * casework::MINUTE_US;

/// From here on a message that reaches nobody is tried in every round.
const URGENT: i64 = 3;

/// Steps of one message in one round; a route has fewer.
const STEPS_MAX: usize = 64;

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// Messages that were looked at.
    pub(crate) due_n: usize,
    /// Deliveries that a channel took, and that it did not.
    pub(crate) sent_n: usize,
    pub(crate) failed_n: usize,
    /// People to be called, by a person.
    pub(crate) to_call_n: usize,
    /// Messages that were settled.
    pub(crate) settled_n: usize,
    /// Messages for which nobody has an address.
    pub(crate) unreached_n: usize,
}

/// Everybody who can be asked, by account.
struct People {
    of: HashMap<String, (StaffKey, Addresses)>,
}

impl People {
    async fn read(house: &House) -> anyhow::Result<Self> {
        let accounts = house.store.accounts().list().await?;
        let keys: BTreeMap<String, i64> =
            accounts.into_iter().filter(|it| !it.is_disabled).filter_map(|it| Some((it.account, it.person_key?))).collect();
        let columns = ADDRESSES.map(|it| it.0);
        let wanted: Vec<i64> = keys.values().copied().collect();
        let known = house.store.vault().identities(PersonKind::Staff, &wanted, &columns).await?;
        let addresses = |key: i64| {
            let values = known.get(&key);
            // What is no address is passed over: the person is asked by their other channels.
            ADDRESSES
                .iter()
                .filter_map(|(column, kind)| Address::new(*kind, values?.get(*column)?).ok())
                .fold(Addresses::new(), Addresses::with)
        };
        let of = keys.into_iter().map(|(account, key)| (account, (StaffKey(key), addresses(key)))).collect();
        Ok(Self { of })
    }

    fn persons(&self, accounts: &[String], channels: &Channels) -> Vec<Person> {
        let known = accounts.iter().filter_map(|it| self.of.get(it));
        known.map(|(key, addresses)| Person { staff_key: *key, channels: channels.names_for(addresses) }).collect()
    }

    fn route(&self, asked: &Asked, channels: &Channels) -> Route {
        let levels = asked.levels.iter().map(|it| self.persons(it, channels)).filter(|it| !it.is_empty()).collect();
        Route { levels, duty_officers: self.persons(&asked.duty, channels) }
    }

    fn addresses(&self, key: StaffKey) -> Addresses {
        self.of.values().find(|it| it.0 == key).map(|it| it.1.clone()).unwrap_or_default()
    }
}

/// The channels of the settings, with their secrets.
pub(crate) fn channels(house: &House) -> anyhow::Result<Channels> {
    Ok(Channels::build(&house.settings.notify, &|name| std::env::var(name).ok())?)
}

/// Takes the next step of every message that is due, the gravest first.
pub(crate) async fn round(house: &House, channels: &Channels) -> anyhow::Result<Round> {
    let mut round = Round::default();
    let now_us = house.now_us();
    house.store.messages().ask_follow_ups(now_us).await?;
    let mut due: Vec<OpenMessage> = Vec::new();
    loop {
        let page = house.store.messages().due(due.last(), now_us).await?;
        if page.is_empty() {
            break;
        }
        due.extend(page);
    }
    if due.is_empty() {
        return Ok(round);
    }
    due.sort_by_key(|it| (std::cmp::Reverse(urgency(it)), it.message_id));
    let people = People::read(house).await?;
    for message in &due {
        round.due_n += 1;
        step(house, channels, &people, message, &mut round).await?;
    }
    Ok(round)
}

/// A crisis first, then safety, then by severity.
fn urgency(message: &OpenMessage) -> i64 {
    match message.kind.as_str() {
        "crisis_declared" => 6,
        "safety_step_due" => 5,
        "help_asked" => 4,
        _ => message.severity.unwrap_or(0),
    }
}

async fn step(house: &House, channels: &Channels, people: &People, open: &OpenMessage, round: &mut Round) -> anyhow::Result<()> {
    let (messages, cases) = (house.store.messages(), house.store.cases());
    let now_us = house.now_us();
    if messages.is_overtaken(open).await? {
        messages.settle(open.message_id, Fate::Overtaken, now_us).await?;
        round.settled_n += 1;
        return Ok(());
    }
    let asked = match (open.thread_key, open.hand_over_key) {
        (Some(thread_key), _) if open.kind == "help_asked" => cases.asked_for_help(thread_key, now_us).await?,
        (Some(thread_key), _) => cases.asked_about(thread_key, now_us).await?,
        (None, Some(hand_over_key)) => cases.asked_to_take(hand_over_key).await?,
        (None, None) if open.kind == "list_ready" => match &open.to_account {
            Some(account) => Asked { levels: vec![vec![account.clone()]], duty: Vec::new() },
            None => cases.asked_to_look(now_us).await?,
        },
        (None, None) => match open.follow_up_key {
            Some(follow_up_key) => cases.asked_to_contact(follow_up_key, now_us).await?,
            None => cases.asked_to_place(now_us).await?,
        },
    };
    let route = people.route(&asked, channels);
    let message = message(open, &route)?;
    let zone_minutes = zone_minutes(house, now_us)?;
    let mut put_off = None;
    for _ in 0..STEPS_MAX {
        let deliveries: Vec<Delivery> =
            messages.deliveries(open.message_id).await?.iter().map(|it| delivery(open.message_id, it)).collect();
        let escalation = &house.settings.notify.escalation;
        let situation = Situation { message: &message, deliveries: &deliveries, route: &route, escalation, zone_minutes };
        match escalate::next(&situation, now_us) {
            Action::Send { to, channel, level, .. } => {
                if !messages.begin(open.message_id, to.0, &channel, level as i64, now_us).await? {
                    return Ok(());
                }
                let language = house.settings.notify.language;
                // The last rung may see nothing of such work: it is told that somebody is to be called.
                // Whoever was asked before in a higher office may see it, whenever their turn comes.
                let may_see = route.levels.iter().flatten().any(|it| it.staff_key == to);
                let is_last = level == route.levels.len() && !may_see && (open.kind == "help_asked" || open.report_key.is_some());
                let said = if is_last { Message { kind: Kind::CallSomebody, ..message } } else { message };
                let sent = channels.send(&channel, &said, to, language, &people.addresses(to)).await;
                let reach = if sent.is_ok() { Reach::Sent } else { Reach::Failed };
                messages.advance(open.message_id, to.0, Some(&channel), reach, house.now_us()).await?;
                match sent {
                    Ok(_) => round.sent_n += 1,
                    Err(error) => {
                        round.failed_n += 1;
                        tracing::error!(message_id = open.message_id, channel, error = %error, "a message was not taken");
                    }
                }
            }
            Action::Call { people, level } => {
                for to in &people {
                    messages.begin(open.message_id, to.0, TELEPHONE, level as i64, now_us).await?;
                }
                round.to_call_n += people.len();
                tracing::error!(message_id = open.message_id, n = people.len(), "a message begins with a call: dial now");
            }
            Action::Wait { until_us, .. } if put_off == Some(until_us) => return Ok(()),
            Action::Wait { until_us, .. } => {
                messages.put_off(open.message_id, until_us).await?;
                // Once more: an answer that came just before the line above would be slept over.
                put_off = Some(until_us);
            }
            Action::Done { by } => {
                let fate = if by.is_some() { Fate::Answered } else { Fate::Sent };
                messages.settle(open.message_id, fate, now_us).await?;
                round.settled_n += 1;
                return Ok(());
            }
            Action::Exhausted { .. } => {
                let patience_us = if open.kind == "list_ready" { LIST_REACHES_NOBODY_US } else { REACHES_NOBODY_US };
                let has_asked = deliveries.iter().any(|it| it.channel != TELEPHONE && it.state() != notify::State::Failed);
                if !has_asked && 0 < messages.forget_failed(open.message_id).await? {
                    // Every channel was out of order: that is no answer, so everybody is asked anew in a while.
                    round.unreached_n += 1;
                    let pause_us = if urgency(open) < URGENT { LOOK_AGAIN_US } else { TRY_AGAIN_US };
                    messages.put_off(open.message_id, now_us + pause_us).await?;
                } else if has_asked || open.created_us + patience_us <= now_us {
                    messages.settle(open.message_id, Fate::GivenUp, now_us).await?;
                    round.settled_n += 1;
                    tracing::error!(message_id = open.message_id, "everybody was asked and nobody answered");
                } else {
                    round.unreached_n += 1;
                    if urgency(open) < URGENT {
                        messages.put_off(open.message_id, now_us + LOOK_AGAIN_US).await?;
                    }
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The stored message as `notify` knows it.
fn message(open: &OpenMessage, route: &Route) -> anyhow::Result<Message> {
    let about = open.hand_over_key.or(open.follow_up_key).or(open.report_key);
    let (kind, target) = match (open.kind.as_str(), open.thread_key, about) {
        ("new_thread", Some(key), _) => (Kind::NewThread, Target::Thread(key)),
        ("help_asked", Some(key), _) => (Kind::HelpAsked, Target::Thread(key)),
        ("new_thread", None, Some(key)) => (Kind::NewThread, Target::Report(key)),
        ("overdue", Some(key), _) => (Kind::Overdue, Target::Thread(key)),
        ("safety_step_due", Some(key), _) => (Kind::SafetyStepDue, Target::SafetyCheck(key)),
        ("crisis_declared", Some(key), _) => (Kind::CrisisDeclared, Target::Crisis(key)),
        ("hand_over_asked", _, Some(key)) => (Kind::HandOverAsked, Target::HandOver(key)),
        ("follow_up_due", _, Some(key)) => (Kind::FollowUpDue, Target::FollowUp(key)),
        ("list_ready", ..) => (Kind::ListReady, Target::List(open.message_id)),
        (other, ..) => anyhow::bail!("message {} is of the kind \"{other}\", which nobody sends", open.message_id),
    };
    let severity = open.severity.map(|it| u8::try_from(it).map_err(|it| it.to_string()).and_then(Severity::try_from));
    let severity = severity.transpose().map_err(|it| anyhow::anyhow!("message {}: {it}", open.message_id))?;
    let origin = if open.is_of_machine { Origin::System } else { Origin::Person };
    let first = route.levels.iter().flatten().chain(&route.duty_officers).next();
    let recipient = first.map_or(StaffKey(0), |it| it.staff_key);
    Ok(Message { message_id: open.message_id, kind, severity, origin, recipient, target, created_us: open.created_us })
}

fn delivery(message_id: i64, stored: &StoredDelivery) -> Delivery {
    let level = usize::try_from(stored.level).unwrap_or(0);
    let mut delivery = Delivery::new(message_id, StaffKey(stored.to_key), stored.channel.clone(), level, stored.created_us);
    let reached = [
        (State::Sent, stored.sent_us),
        (State::Failed, stored.failed_us),
        (State::Delivered, stored.delivered_us),
        (State::Read, stored.read_us),
        (State::Acknowledged, stored.acknowledged_us),
    ];
    for (state, at_us) in reached {
        if let Some(at_us) = at_us {
            delivery.advance(state, at_us);
        }
    }
    delivery
}

fn zone_minutes(house: &House, now_us: i64) -> anyhow::Result<i32> {
    let now = chrono::DateTime::from_timestamp_micros(now_us).context("the clock is out of range")?;
    let offset = chrono::Offset::fix(now.with_timezone(&house.settings.campus.time_zone).offset());
    Ok(offset.local_minus_utc() / 60)
}

/// Rehearses (通知演练): one message through every channel to everybody on duty now.
pub(crate) async fn rehearse(house: &House) -> anyhow::Result<drill::Report> {
    let channels = channels(house)?;
    let people = People::read(house).await?;
    let duty = house.store.cases().duty(house.now_us()).await?;
    let language = house.settings.notify.language;
    let officers: Vec<drill::Officer> = duty
        .iter()
        .filter_map(|it| people.of.get(it))
        .map(|(key, addresses)| drill::Officer { staff_key: *key, language, addresses: addresses.clone() })
        .collect();
    if officers.is_empty() {
        anyhow::bail!(crate::exit::Caller(
            "值班表上现在没有可通知的人 / nobody who can be told is on duty now: fill the duty roster, and bind the accounts to members of staff (yizhan user add --number)".to_owned()
        ));
    }
    let messages = house.store.messages();
    let message_id = messages.begin_drill(house.now_us()).await?;
    let attempts = drill::run(&channels, &officers, message_id).await;
    for attempt in &attempts {
        let it = &attempt.delivery;
        messages.begin(message_id, it.to.0, &it.channel, 0, it.created_us()).await?;
        for (state, reach) in [(State::Sent, Reach::Sent), (State::Failed, Reach::Failed)] {
            if let Some(at_us) = it.at_us(state) {
                messages.advance(message_id, it.to.0, Some(&it.channel), reach, at_us).await?;
            }
        }
    }
    Ok(drill::report(message_id, &names(house), &attempts))
}

/// What became of a rehearsal by now.
pub(crate) async fn rehearsed(house: &House, message_id: i64) -> anyhow::Result<drill::Report> {
    let messages = house.store.messages();
    let is_drill = messages.get(message_id).await?.is_some_and(|it| it.kind == "drill");
    if !is_drill {
        anyhow::bail!(crate::exit::Caller(format!("没有编号为 {message_id} 的演练 / there is no rehearsal {message_id}")));
    }
    let stored = messages.deliveries(message_id).await?;
    let attempts: Vec<drill::Attempt> =
        stored.iter().map(|it| drill::Attempt { delivery: delivery(message_id, it), failure: None }).collect();
    Ok(drill::report(message_id, &names(house), &attempts))
}

/// Whether a rehearsal is due (通知演练): a month that passes without one is told by every nightly run.
pub(crate) async fn rehearsal_due(house: &House) -> anyhow::Result<drill::Due> {
    let last_us = house.store.messages().last_drill().await?.map(|it| it.created_us);
    let settings = &house.settings.notify;
    Ok(drill::Due::of(settings.channel.len(), last_us, settings.drill_days, house.now_us()))
}

fn names(house: &House) -> Vec<(String, Receipts)> {
    house.settings.notify.channel.iter().map(|it| (it.name().to_owned(), it.receipts())).collect()
}
