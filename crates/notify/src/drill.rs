//! The monthly rehearsal (通知演练): one message through every channel to those on duty, and what became of it.
//!
//! A channel that nobody can be reached by is a broken channel, and the report says so before an emergency does.

use chrono::Utc;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::channel::{Addresses, Channels};
use crate::config::Receipts;
use crate::delivery::{Delivery, State};
use crate::message::{Kind, Language, Message, Origin, StaffKey, Target, Words};

/// Somebody on duty, who takes part.
#[derive(Debug, Clone)]
pub struct Officer {
    /// Who.
    pub staff_key: StaffKey,
    /// In which language they read.
    pub language: Language,
    /// Where they can be reached.
    pub addresses: Addresses,
}

/// One message of a rehearsal.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// How far it came. Later events are added to it like to every delivery, before [`report`].
    pub delivery: Delivery,
    /// Why it was not taken.
    pub failure: Option<Words>,
}

/// What became of a rehearsal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The rehearsal's message.
    pub message_id: i64,
    /// When it began, microseconds since 1970 UTC.
    pub began_us: i64,
    /// One row a channel, in the order of the settings.
    pub channels: Vec<ChannelReport>,
}

/// What became of a rehearsal on one channel. Seconds are those of the slowest, from the message's beginning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelReport {
    /// Name of the channel.
    pub channel: String,
    /// Who would say that a message arrived.
    pub receipts: Receipts,
    /// Those who have an address for it.
    pub officers_n: usize,
    /// Messages that the vendor took.
    pub sent_n: usize,
    /// Messages whose reader opened the link, or that somebody else reports as arrived; where there are no receipts the
    /// others may have arrived as well.
    pub delivered_n: usize,
    /// Messages whose reader confirmed them.
    pub acknowledged_n: usize,
    /// Seconds until the vendor had taken the last.
    pub sent_seconds: Option<f64>,
    /// Seconds until the last arrived.
    pub delivered_seconds: Option<f64>,
    /// Seconds until the last was confirmed.
    pub acknowledged_seconds: Option<f64>,
    /// What failed, and for whom.
    pub failed: Vec<Failed>,
    /// Whether it is to be shown in red: nobody could be reached by it, or one message was not taken.
    pub is_broken: bool,
}

/// A message that was not taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    /// To whom; `None` if it is about the channel.
    pub to: Option<StaffKey>,
    /// Why.
    #[serde(flatten)]
    pub words: Words,
}

/// The message of a rehearsal.
pub fn message(message_id: i64, recipient: StaffKey, created_us: i64) -> Message {
    let target = Target::Drill(message_id);
    Message { message_id, kind: Kind::Drill, severity: None, origin: Origin::Person, recipient, target, created_us }
}

/// Sends through every channel to every officer who has an address for it; all channels at once.
///
/// It ends when every channel has: tries and pauses are bounded by the settings. Quiet hours do not count: whoever is on
/// duty is awake, and the night is what is rehearsed.
pub async fn run(channels: &Channels, officers: &[Officer], message_id: i64) -> Vec<Attempt> {
    let mut tasks = JoinSet::new();
    let mut number = 0_usize;
    for channel in channels.iter() {
        for officer in officers.iter().filter(|it| it.addresses.for_channel(channel.as_ref()).is_some()) {
            let (channels, officer, name) = (channels.clone(), officer.clone(), channel.name().to_owned());
            let position = number;
            number += 1;
            tasks.spawn(async move {
                let created_us = Utc::now().timestamp_micros();
                let message = message(message_id, officer.staff_key, created_us);
                let mut delivery = Delivery::new(message_id, officer.staff_key, name.clone(), 0, created_us);
                let sent = channels.send(&name, &message, officer.staff_key, officer.language, &officer.addresses).await;
                let state = if sent.is_ok() { State::Sent } else { State::Failed };
                delivery.advance(state, Utc::now().timestamp_micros());
                (position, Attempt { delivery, failure: sent.err().map(|it| it.words()) })
            });
        }
    }
    let mut attempts = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(attempt) => attempts.push(attempt),
            Err(error) => tracing::error!(%error, "a rehearsal's message was cut off"),
        }
    }
    attempts.sort_by_key(|it| it.0);
    attempts.into_iter().map(|it| it.1).collect()
}

/// Sums a rehearsal up, one row a channel. Pure.
pub fn report(message_id: i64, channels: &[(String, Receipts)], attempts: &[Attempt]) -> Report {
    let began_us = attempts.iter().map(|it| it.delivery.created_us()).min().unwrap_or(0);
    Report { message_id, began_us, channels: channels.iter().map(|(name, receipts)| row(name, *receipts, attempts)).collect() }
}

fn row(channel: &str, receipts: Receipts, attempts: &[Attempt]) -> ChannelReport {
    let own: Vec<&Attempt> = attempts.iter().filter(|it| it.delivery.channel == channel).collect();
    // The first of these states that is known; one who confirmed has also received.
    let first = |attempt: &Attempt, states: &[State]| {
        states.iter().filter_map(|it| attempt.delivery.seconds_to(*it)).min_by(f64::total_cmp)
    };
    let reached = |states: &[State]| -> Vec<f64> { own.iter().filter_map(|it| first(it, states)).collect() };
    let slowest = |seconds: &[f64]| seconds.iter().copied().max_by(f64::total_cmp);
    let sent = reached(&[State::Sent]);
    let delivered = reached(&[State::Delivered, State::Read, State::Acknowledged]);
    let acknowledged = reached(&[State::Acknowledged]);
    let mut failed: Vec<Failed> = own
        .iter()
        .filter(|it| it.delivery.state() == State::Failed)
        .map(|it| {
            let unsaid = || Words { zh: "对方报告未送达".to_owned(), en: "reported as not delivered".to_owned() };
            Failed { to: Some(it.delivery.to), words: it.failure.clone().unwrap_or_else(unsaid) }
        })
        .collect();
    if own.is_empty() {
        let words = Words {
            zh: format!("渠道“{channel}”：值班人员均未登记此渠道的地址"),
            en: format!("channel \"{channel}\": nobody on duty has an address for it"),
        };
        failed.push(Failed { to: None, words });
    }
    ChannelReport {
        channel: channel.to_owned(),
        receipts,
        officers_n: own.len(),
        sent_n: sent.len(),
        delivered_n: delivered.len(),
        acknowledged_n: acknowledged.len(),
        sent_seconds: slowest(&sent),
        delivered_seconds: slowest(&delivered),
        acknowledged_seconds: slowest(&acknowledged),
        is_broken: !failed.is_empty(),
        failed,
    }
}

/// Whether a rehearsal is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// No channel is set: there is nothing to rehearse, and nobody would be told of anything.
    NoChannel,
    /// The next one is due then, microseconds since 1970 UTC.
    At(i64),
    /// There never was one.
    Never,
    /// The last was so many days ago, more than the settings allow.
    Late {
        /// Whole days.
        days: i64,
    },
}

const DAY_US: i64 = 86_400_000_000;

impl Due {
    /// Says whether one is due, from when the last was. Pure.
    ///
    /// # Units
    /// Instants are microseconds since 1970 UTC.
    pub fn of(channels_n: usize, last_us: Option<i64>, drill_days: u16, now_us: i64) -> Self {
        let span_us = i64::from(drill_days) * DAY_US;
        match last_us {
            _ if channels_n == 0 => Self::NoChannel,
            None => Self::Never,
            Some(last_us) if last_us + span_us < now_us => Self::Late { days: (now_us - last_us) / DAY_US },
            Some(last_us) => Self::At(last_us + span_us),
        }
    }

    /// Whether somebody has to do something.
    pub fn is_late(self) -> bool {
        matches!(self, Self::Never | Self::Late { .. })
    }

    /// What is wrong and what to do, if anything is.
    pub fn words(self) -> Option<Words> {
        let how = "请在有人值班时运行 yizhan notify drill";
        let (zh, en) = match self {
            Self::NoChannel | Self::At(_) => return None,
            Self::Never => (
                format!("还没有做过通知演练：{how}"),
                "there has been no rehearsal of messages: run yizhan notify drill while somebody is on duty".to_owned(),
            ),
            Self::Late { days } => (
                format!("上次通知演练已是{days}天前：{how}"),
                format!("the last rehearsal of messages was {days} days ago: run yizhan notify drill while somebody is on duty"),
            ),
        };
        Some(Words { zh, en })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_is_due_a_month_after_the_last_and_at_once_where_there_was_none() {
        assert_eq!(Due::of(2, Some(5), 31, 5 + 31 * DAY_US), Due::At(5 + 31 * DAY_US));
        assert_eq!(Due::of(2, Some(5), 31, 6 + 31 * DAY_US), Due::Late { days: 31 });
        assert_eq!(Due::of(2, None, 31, 0), Due::Never);
        assert_eq!(Due::of(0, None, 31, 0), Due::NoChannel, "there is nothing to rehearse");
        for (due, is_late) in [(Due::Never, true), (Due::Late { days: 40 }, true), (Due::At(9), false), (Due::NoChannel, false)] {
            assert_eq!((due.is_late(), due.words().is_some()), (is_late, is_late));
        }
        assert!(Due::Late { days: 40 }.words().expect("words").zh.contains("40天前"));
    }

    #[test]
    fn a_report_says_how_far_how_fast_and_what_failed() {
        let attempt = |to, channel: &str, events: &[(State, i64)]| {
            let mut delivery = Delivery::new(5, StaffKey(to), channel, 0, 1_000_000);
            for (state, at_us) in events {
                delivery.advance(*state, *at_us);
            }
            Attempt { delivery, failure: None }
        };
        let attempts = [
            attempt(1, "wecom", &[(State::Sent, 1_500_000), (State::Acknowledged, 61_000_000)]),
            attempt(2, "wecom", &[(State::Sent, 3_000_000)]),
            attempt(1, "sms", &[(State::Sent, 2_000_000), (State::Failed, 9_000_000)]),
        ];

        let names = [("wecom", Receipts::NotFetched), ("sms", Receipts::None), ("mail", Receipts::None)];
        let report = report(5, &names.map(|(name, receipts)| (name.to_owned(), receipts)), &attempts);

        let [wecom, sms, mail] = &report.channels[..] else { panic!("{report:?}") };
        assert_eq!((wecom.officers_n, wecom.sent_n, wecom.delivered_n, wecom.acknowledged_n), (2, 2, 1, 1));
        assert_eq!((wecom.sent_seconds, wecom.acknowledged_seconds, wecom.is_broken), (Some(2.0), Some(60.0), false));
        assert_eq!((sms.sent_n, sms.is_broken, sms.failed[0].to), (1, true, Some(StaffKey(1))));
        assert_eq!((mail.officers_n, mail.is_broken), (0, true));
        assert_eq!(mail.failed[0].words.zh, "渠道“mail”：值班人员均未登记此渠道的地址");
    }
}
