//! How far a message has come on one channel to one person. Pure: times are parameters, microseconds since 1970 UTC.

use serde::{Deserialize, Serialize};

use crate::message::StaffKey;

/// How far a message has come, in this order.
///
/// Failed stands between sent and delivered: a vendor may report failure after having taken the message, and whoever has
/// read it proves the report wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Meant to be sent. Stored before the channel is asked, so that a crash never sends twice.
    Created,
    /// The vendor has taken it.
    Sent,
    /// It was not taken, or did not arrive.
    Failed,
    /// The vendor reports that it arrived.
    Delivered,
    /// The link was opened.
    Read,
    /// The person said that they take it on.
    Acknowledged,
}

impl State {
    /// All states, in order.
    pub const ALL: [State; 6] = [State::Created, State::Sent, State::Failed, State::Delivered, State::Read, State::Acknowledged];
}

/// What an event changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The message has come further.
    Moved,
    /// A state already passed got its time, or an earlier one; reports of vendors overtake each other.
    Dated,
    /// It was known.
    Nothing,
}

/// One message on one channel to one person.
///
/// Events may come twice and in any order: the state is the furthest of all, and each state's time the earliest reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The message.
    pub message_id: i64,
    /// To whom; not always the message's own recipient.
    pub to: StaffKey,
    /// Name of the channel in the settings, or [`TELEPHONE`](crate::escalate::TELEPHONE).
    pub channel: String,
    /// Level of the route at which it went out, from 0.
    pub level: usize,
    /// Time of each state, in the order of [`State::ALL`].
    at_us: [Option<i64>; 6],
}

impl Delivery {
    /// A delivery that is about to be tried.
    pub fn new(message_id: i64, to: StaffKey, channel: impl Into<String>, level: usize, created_us: i64) -> Self {
        let mut at_us = [None; 6];
        at_us[State::Created as usize] = Some(created_us);
        Self { message_id, to, channel: channel.into(), level, at_us }
    }

    /// Takes an event in.
    pub fn advance(&mut self, state: State, at_us: i64) -> Change {
        let before = self.state();
        let time = &mut self.at_us[state as usize];
        if time.is_some_and(|known| known <= at_us) {
            return Change::Nothing;
        }
        *time = Some(at_us);
        if before < state { Change::Moved } else { Change::Dated }
    }

    /// The furthest state.
    pub fn state(&self) -> State {
        State::ALL.into_iter().rev().find(|it| self.at_us[*it as usize].is_some()).unwrap_or(State::Created)
    }

    /// When a state was reached first, if it is known to have been.
    pub fn at_us(&self, state: State) -> Option<i64> {
        self.at_us[state as usize]
    }

    /// When it was meant to be sent.
    pub fn created_us(&self) -> i64 {
        self.at_us[State::Created as usize].unwrap_or(0)
    }

    /// Seconds from the beginning to a state; 0 where a vendor's clock is behind ours.
    pub fn seconds_to(&self, state: State) -> Option<f64> {
        Some((self.at_us(state)?.saturating_sub(self.created_us())).max(0) as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fresh() -> Delivery {
        Delivery::new(1, StaffKey(7), "wecom", 0, 100)
    }

    fn event() -> impl Strategy<Value = (State, i64)> {
        (1_usize..6, 100_i64..200).prop_map(|(state, at_us)| (State::ALL[state], at_us))
    }

    #[test]
    fn it_goes_forward_only() {
        let mut delivery = fresh();
        assert_eq!(delivery.advance(State::Sent, 110), Change::Moved);
        assert_eq!(delivery.advance(State::Read, 130), Change::Moved);
        assert_eq!(delivery.advance(State::Delivered, 120), Change::Dated);
        assert_eq!(delivery.state(), State::Read);
        assert_eq!(delivery.at_us(State::Delivered), Some(120));
        assert_eq!(delivery.advance(State::Sent, 111), Change::Nothing);
        assert_eq!(delivery.at_us(State::Sent), Some(110));
    }

    #[test]
    fn whoever_has_read_it_proves_a_report_of_failure_wrong() {
        let mut delivery = fresh();
        delivery.advance(State::Sent, 110);
        assert_eq!(delivery.advance(State::Failed, 120), Change::Moved);
        assert_eq!(delivery.state(), State::Failed);
        delivery.advance(State::Read, 130);
        assert_eq!(delivery.state(), State::Read);
        assert_eq!(delivery.advance(State::Failed, 140), Change::Nothing);
    }

    #[test]
    fn it_is_stored_and_read_back() {
        let mut delivery = fresh();
        delivery.advance(State::Sent, 110);
        let json = serde_json::to_string(&delivery).expect("json");
        assert_eq!(serde_json::from_str::<Delivery>(&json).expect("a delivery"), delivery);
    }

    proptest! {
        #[test]
        fn order_and_repetition_of_events_change_nothing(
            (events, shuffled) in proptest::collection::vec(event(), 0..12)
                .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
            repeated in 0_usize..12,
        ) {
            let mut one = fresh();
            let mut two = fresh();
            let mut states = vec![one.state()];
            for (state, at_us) in &events {
                one.advance(*state, *at_us);
                states.push(one.state());
            }
            for (state, at_us) in shuffled.iter().chain(shuffled.iter().take(repeated)) {
                two.advance(*state, *at_us);
            }
            prop_assert!(states.is_sorted());
            prop_assert_eq!(&one, &two);
            for (state, at_us) in &events {
                prop_assert_eq!(one.clone().advance(*state, *at_us), Change::Nothing);
            }
        }
    }
}
