//! What to do next about a message that nobody has taken on. Pure: `now` is a parameter, nothing is sent here.
//!
//! A route has levels: the person whose work it is with deputies (备岗), one level up, and so on; the duty officers (值班) are
//! the last. At each level the persons are asked in order, each by one channel after the other. A step waits for an answer
//! before the next; a level has an end even where steps are left. Whoever acknowledges ends it all.
//!
//! The caller asks [`next`], stores a [`Delivery`] *before* it acts, acts, and asks again. So a crash leaves a delivery that
//! was never sent and goes on with the next step in time; it never sends twice.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::minute_of_day;
use crate::delivery::{Delivery, State};
use crate::message::{Kind, Message, Origin, Severity, StaffKey};

/// Channel of a call by a person. It is no channel of the settings: people dial.
pub const TELEPHONE: &str = "telephone";

const MINUTE_US: i64 = 60_000_000;
const DAY_MINUTES: i64 = 24 * 60;

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Minutes before the next channel or person is tried.
    pub step_minutes: u32,
    /// Minutes before it goes one level up, however many steps are left.
    pub level_minutes: u32,
}

impl Window {
    /// The shorter of each.
    fn and(self, other: Window) -> Window {
        Window {
            step_minutes: self.step_minutes.min(other.step_minutes),
            level_minutes: self.level_minutes.min(other.level_minutes),
        }
    }
}

/// Hours in which mild messages wait (免打扰), local time; equal ends mean none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Begin, minutes since midnight; `"22:30"` in settings.
    #[serde(deserialize_with = "minute_of_day")]
    pub from: u16,
    /// End, minutes since midnight.
    #[serde(deserialize_with = "minute_of_day")]
    pub until: u16,
}

/// Settings `[notify.escalation.kind]`: one window for each kind that needs an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindWindows {
    /// A thread to claim.
    pub new_thread: Window,
    /// Somebody asks for help.
    pub help_asked: Window,
    /// A deadline that has passed.
    pub overdue: Window,
    /// A hand-over to consent to.
    pub hand_over_asked: Window,
    /// The next step of a safety check.
    pub safety_step_due: Window,
    /// A crisis.
    pub crisis_declared: Window,
    /// A follow-up.
    pub follow_up_due: Window,
}

/// Settings `[notify.escalation]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// Windows of severity 4.
    pub severity_4: Window,
    /// Windows of severity 3.
    pub severity_3: Window,
    /// Windows of severity 2.
    pub severity_2: Window,
    /// Windows of severity 1.
    pub severity_1: Window,
    /// Windows of kinds; a message with a severity takes the shorter of the two.
    pub kind: KindWindows,
    /// Hours in which severity 1 and 2 wait.
    pub quiet: QuietHours,
    /// Time of day at which what the platform itself raised at severity 1 goes out, minutes since midnight.
    #[serde(deserialize_with = "minute_of_day")]
    pub severity_1_at: u16,
}

impl Escalation {
    /// The windows of a message.
    pub fn window(&self, message: &Message) -> Window {
        let kind = match message.kind {
            Kind::NewThread => self.kind.new_thread,
            // Words for the last rung of such work, and no work of their own.
            Kind::HelpAsked | Kind::CallSomebody => self.kind.help_asked,
            Kind::Overdue => self.kind.overdue,
            Kind::HandOverAsked => self.kind.hand_over_asked,
            Kind::SafetyStepDue => self.kind.safety_step_due,
            Kind::CrisisDeclared => self.kind.crisis_declared,
            Kind::FollowUpDue => self.kind.follow_up_due,
            // They wait for nobody, so that no window is ever used.
            Kind::ListReady | Kind::Drill => self.severity_1,
        };
        match message.severity.map(u8::from) {
            Some(4) => kind.and(self.severity_4),
            Some(3) => kind.and(self.severity_3),
            Some(2) => kind.and(self.severity_2),
            Some(_) => kind.and(self.severity_1),
            None => kind,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let named = [
            ("severity_4", self.severity_4),
            ("severity_3", self.severity_3),
            ("severity_2", self.severity_2),
            ("severity_1", self.severity_1),
            ("kind.new_thread", self.kind.new_thread),
            ("kind.help_asked", self.kind.help_asked),
            ("kind.overdue", self.kind.overdue),
            ("kind.hand_over_asked", self.kind.hand_over_asked),
            ("kind.safety_step_due", self.kind.safety_step_due),
            ("kind.crisis_declared", self.kind.crisis_declared),
            ("kind.follow_up_due", self.kind.follow_up_due),
        ];
        for (name, window) in named {
            let fits = (1..=window.level_minutes).contains(&window.step_minutes) && window.level_minutes <= 60 * 24 * 60;
            if !fits {
                let message = "step_minutes must be 1 or more and no more than level_minutes, and that 86400 or less";
                return Err(Error::setting(format!("notify.escalation.{name}"), message));
            }
        }
        if self.severity_4.level_minutes > self.severity_3.level_minutes {
            return Err(Error::setting("notify.escalation.severity_4", "must not be slower than severity_3"));
        }
        let quiet = self.quiet;
        let length = (i32::from(quiet.until) - i32::from(quiet.from)).rem_euclid(DAY_MINUTES as i32);
        if 16 * 60 < length {
            return Err(Error::setting("notify.escalation.quiet", "is longer than 16 hours: are its ends exchanged?"));
        }
        Ok(())
    }
}

/// Somebody who can be asked, and by which channels, the usual one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub staff_key: StaffKey,
    /// Names of channels in the settings.
    pub channels: Vec<String>,
}

/// Who is asked: the person whose work it is with deputies, then one level up with deputies, and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Levels from the bottom; in each the person first, then deputies.
    pub levels: Vec<Vec<Person>>,
    /// Those on duty now; they are the last level, and are told when nobody answers.
    pub duty_officers: Vec<Person>,
}

/// Why a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The first message.
    First,
    /// The same person by another channel.
    NextChannel,
    /// A deputy (备岗).
    Deputy,
    /// One level up (上一级).
    LevelUp,
    /// The duty officer (值班).
    DutyOfficer,
}

/// Why nothing is done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// Somebody has been asked and still has time.
    Answer,
    /// Quiet hours.
    QuietHours,
    /// Severity 1 goes out once a day.
    OnceADay,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Send by one channel to one person. Store a delivery with this level first.
    Send {
        /// To whom.
        to: StaffKey,
        /// Name of the channel.
        channel: String,
        /// Level of the route, from 0.
        level: usize,
        /// Why.
        step: Step,
    },
    /// A person calls these, in this order, until one has taken it on. Store a delivery by [`TELEPHONE`] for each first;
    /// messages follow at once and replace no call.
    Call {
        /// Whom to call.
        people: Vec<StaffKey>,
        /// Level of the route, from 0.
        level: usize,
    },
    /// Ask again then, microseconds since 1970 UTC.
    Wait {
        /// When.
        until_us: i64,
        /// Why.
        pause: Pause,
    },
    /// Somebody has taken it on, or it needs no answer and has been sent.
    Done {
        /// Who has taken it on.
        by: Option<StaffKey>,
    },
    /// Everybody was asked and nobody answered. These are told by a person, and the operations page shows it in red.
    Exhausted {
        /// The duty officers.
        tell: Vec<StaffKey>,
    },
}

/// What is known about a message.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The message.
    pub message: &'a Message,
    /// Everything that was tried for it, in any order.
    pub deliveries: &'a [Delivery],
    /// Who may be asked.
    pub route: &'a Route,
    /// Settings.
    pub escalation: &'a Escalation,
    /// Minutes that the campus clock is ahead of UTC now.
    pub zone_minutes: i32,
}

/// Decides what to do next about a message.
///
/// Answers [`Action::Done`] or [`Action::Exhausted`] after at most as many sends as the route has pairs of person and
/// channel, and one call a level. No pair comes twice, whatever the deliveries say.
///
/// # Units
/// `now_us`: microseconds since 1970 UTC.
pub fn next(situation: &Situation<'_>, now_us: i64) -> Action {
    let Situation { message, deliveries, route, escalation, .. } = *situation;
    let acknowledged = deliveries.iter().filter_map(|it| Some((it.at_us(State::Acknowledged)?, it.to))).min();
    if let Some((_, by)) = acknowledged {
        return Action::Done { by: Some(by) };
    }
    let is_alive = |it: &&Delivery| it.state() != State::Failed;
    if !message.kind.needs_answer() && deliveries.iter().any(|it| is_alive(&it)) {
        return Action::Done { by: None };
    }
    if let Some(wait) = situation.held(now_us) {
        return wait;
    }

    let window = escalation.window(message);
    let (step_us, level_us) = (i64::from(window.step_minutes) * MINUTE_US, i64::from(window.level_minutes) * MINUTE_US);
    let levels: Vec<&[Person]> = route.levels.iter().map(Vec::as_slice).chain([route.duty_officers.as_slice()]).collect();
    let first = deliveries.iter().map(|it| it.level).max().unwrap_or(0);
    for (level, people) in levels.iter().enumerate().skip(first) {
        let here = || deliveries.iter().filter(|it| it.level == level);
        let level_ends_us = here().map(Delivery::created_us).min().map(|it| situation.awake(it + level_us, step_us));
        if level_ends_us.is_some_and(|it| it <= now_us) {
            continue;
        }
        if situation.begins_with_a_call() {
            let uncalled = situation.uncalled(level, people);
            if !uncalled.is_empty() {
                return Action::Call { people: uncalled, level };
            }
        }
        let pending = here().filter(is_alive).filter(|it| it.channel != TELEPHONE);
        let answer_due_us = pending.map(|it| situation.awake(it.created_us() + step_us, step_us)).max();
        if let Some(until_us) = answer_due_us.filter(|it| now_us < *it) {
            let until_us = level_ends_us.map_or(until_us, |it| it.min(until_us));
            return Action::Wait { until_us, pause: Pause::Answer };
        }
        for (index, person) in people.iter().enumerate() {
            let was_tried = |channel: &str| deliveries.iter().any(|it| it.to == person.staff_key && it.channel == channel);
            let Some(channel) = person.channels.iter().find(|it| *it != TELEPHONE && !was_tried(it)) else { continue };
            let step = if level == route.levels.len() {
                Step::DutyOfficer
            } else if 0 < level {
                Step::LevelUp
            } else if 0 < index {
                Step::Deputy
            } else if deliveries.iter().any(|it| it.channel != TELEPHONE) {
                Step::NextChannel
            } else {
                Step::First
            };
            return Action::Send { to: person.staff_key, channel: channel.clone(), level, step };
        }
    }
    Action::Exhausted { tell: route.duty_officers.iter().map(|it| it.staff_key).collect() }
}

impl Situation<'_> {
    /// Severity 4 is never left to messages alone.
    fn begins_with_a_call(&self) -> bool {
        self.message.kind == Kind::CrisisDeclared || self.message.severity == Some(Severity::FOUR)
    }

    /// Those of a level who have not been called; the duty officers are called with the first.
    fn uncalled(&self, level: usize, people: &[Person]) -> Vec<StaffKey> {
        let with_duty = if level == 0 { self.route.duty_officers.as_slice() } else { &[] };
        let mut keys = Vec::new();
        for person in people.iter().chain(with_duty) {
            let was_called = self.deliveries.iter().any(|it| it.to == person.staff_key && it.channel == TELEPHONE);
            if !was_called && !keys.contains(&person.staff_key) {
                keys.push(person.staff_key);
            }
        }
        keys
    }

    /// Whether quiet hours hold it: severity 1 and 2 only, and nothing that a person reported or that is about safety.
    fn may_wait(&self) -> bool {
        let is_mild = self.message.severity.is_some_and(|it| it <= Severity::TWO);
        let is_urgent = matches!(self.message.kind, Kind::CrisisDeclared | Kind::SafetyStepDue | Kind::HelpAsked);
        is_mild && !is_urgent && self.message.origin == Origin::System
    }

    fn held(&self, now_us: i64) -> Option<Action> {
        if !self.may_wait() {
            return None;
        }
        if let Some(until_us) = self.quiet_end(now_us) {
            return Some(Action::Wait { until_us, pause: Pause::QuietHours });
        }
        if self.message.severity == Some(Severity::ONE) && self.deliveries.is_empty() {
            let at_us = self.next_minute_of_day(self.message.created_us, self.escalation.severity_1_at);
            // A time of day within quiet hours moves to their end by itself: it is then in the past.
            return (now_us < at_us).then_some(Action::Wait { until_us: at_us, pause: Pause::OnceADay });
        }
        None
    }

    /// A deadline that does not pass while its reader may sleep: one in quiet hours is `grace_us` after their end.
    fn awake(&self, due_us: i64, grace_us: i64) -> i64 {
        match self.quiet_end(due_us) {
            Some(end_us) if self.may_wait() => end_us + grace_us,
            _ => due_us,
        }
    }

    /// When the quiet hours end that an instant lies in.
    fn quiet_end(&self, at_us: i64) -> Option<i64> {
        let (from, until) = (i64::from(self.escalation.quiet.from), i64::from(self.escalation.quiet.until));
        let minute = self.local_minute(at_us);
        let is_quiet = if from <= until { (from..until).contains(&minute) } else { from <= minute || minute < until };
        is_quiet.then(|| self.next_minute_of_day(at_us, self.escalation.quiet.until))
    }

    /// The next instant after `at_us` at which the campus clock shows a minute of the day.
    fn next_minute_of_day(&self, at_us: i64, minute: u16) -> i64 {
        let ahead = (i64::from(minute) - self.local_minute(at_us)).rem_euclid(DAY_MINUTES);
        let ahead = if ahead == 0 { DAY_MINUTES } else { ahead };
        at_us.div_euclid(MINUTE_US) * MINUTE_US + ahead * MINUTE_US
    }

    fn local_minute(&self, at_us: i64) -> i64 {
        (at_us.div_euclid(MINUTE_US) + i64::from(self.zone_minutes)).rem_euclid(DAY_MINUTES)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::tests::message;

    const HOUR_US: i64 = 60 * MINUTE_US;
    const BEIJING: i32 = 480;

    fn escalation() -> Escalation {
        let window = |step_minutes, level_minutes| Window { step_minutes, level_minutes };
        Escalation {
            severity_4: window(5, 10),
            severity_3: window(120, 480),
            severity_2: window(720, 2880),
            severity_1: window(1440, 4320),
            kind: KindWindows {
                new_thread: window(1440, 10_080),
                help_asked: window(15, 30),
                overdue: window(720, 2880),
                hand_over_asked: window(1440, 4320),
                safety_step_due: window(10, 30),
                crisis_declared: window(5, 10),
                follow_up_due: window(240, 1440),
            },
            quiet: QuietHours { from: 22 * 60 + 30, until: 7 * 60 },
            severity_1_at: 8 * 60 + 30,
        }
    }

    fn person(key: i64, channels: &[&str]) -> Person {
        Person { staff_key: StaffKey(key), channels: channels.iter().map(|it| (*it).to_owned()).collect() }
    }

    /// 1 with deputy 2, superior 3, duty officer 9.
    fn route() -> Route {
        Route {
            levels: vec![vec![person(1, &["wecom", "sms"]), person(2, &["wecom"])], vec![person(3, &["wecom"])]],
            duty_officers: vec![person(9, &["sms"])],
        }
    }

    /// A local time of Beijing on the first of January 1970 (or a later day), as an instant.
    fn at(day: i64, hour: i64, minute: i64) -> i64 {
        ((day * 24 + hour) * 60 + minute - i64::from(BEIJING)) * MINUTE_US
    }

    /// Does as it is told, like the caller; `fails` and `acknowledges` say how the world answers.
    #[derive(Debug)]
    struct Drive {
        message: Message,
        route: Route,
        escalation: Escalation,
        deliveries: Vec<Delivery>,
        now_us: i64,
    }

    impl Drive {
        fn new(message: Message, now_us: i64) -> Self {
            let message = Message { created_us: now_us, ..message };
            Self { message, route: route(), escalation: escalation(), deliveries: Vec::new(), now_us }
        }

        fn next(&self) -> Action {
            let situation = Situation {
                message: &self.message,
                deliveries: &self.deliveries,
                route: &self.route,
                escalation: &self.escalation,
                zone_minutes: BEIJING,
            };
            next(&situation, self.now_us)
        }

        /// One decision and its effect.
        fn step(&mut self, fails: impl Fn(StaffKey, &str) -> bool) -> Action {
            let action = self.next();
            match &action {
                Action::Send { to, channel, level, .. } => {
                    let mut delivery = Delivery::new(self.message.message_id, *to, channel.clone(), *level, self.now_us);
                    delivery.advance(if fails(*to, channel) { State::Failed } else { State::Sent }, self.now_us);
                    self.deliveries.push(delivery);
                }
                Action::Call { people, level } => {
                    for to in people {
                        self.deliveries.push(Delivery::new(self.message.message_id, *to, TELEPHONE, *level, self.now_us));
                    }
                }
                Action::Wait { until_us, .. } => self.now_us = *until_us,
                Action::Done { .. } | Action::Exhausted { .. } => {}
            }
            action
        }

        /// Runs to the end; tells what happened, as `minute action`.
        fn told(&mut self, fails: impl Fn(StaffKey, &str) -> bool) -> Vec<String> {
            let began_us = self.now_us;
            let mut told = Vec::new();
            for _ in 0..100 {
                let minute = (self.now_us - began_us) / MINUTE_US;
                match self.step(&fails) {
                    Action::Send { to, channel, step, .. } => told.push(format!("{minute} {to} {channel} {step:?}")),
                    Action::Call { people, .. } => {
                        let people: Vec<String> = people.iter().map(StaffKey::to_string).collect();
                        told.push(format!("{minute} call {}", people.join(" ")));
                    }
                    Action::Wait { pause: Pause::Answer, .. } => {}
                    Action::Wait { pause, .. } => told.push(format!("{minute} {pause:?}")),
                    Action::Done { by } => {
                        told.push(format!("{minute} done {}", by.map_or("-".into(), |it| it.to_string())));
                        return told;
                    }
                    Action::Exhausted { tell } => {
                        told.push(format!("{minute} exhausted {}", tell[0]));
                        return told;
                    }
                }
            }
            panic!("no end: {told:?}");
        }
    }

    fn never(_: StaffKey, _: &str) -> bool {
        false
    }

    #[test]
    fn nobody_answers_and_it_climbs_to_the_duty_officer() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(3)), at(1, 10, 0));
        let expected = [
            "0 1 wecom First",
            "120 1 sms NextChannel",
            "240 2 wecom Deputy",
            "360 3 wecom LevelUp",
            "480 9 sms DutyOfficer",
            "600 exhausted 9",
        ];
        assert_eq!(drive.told(never), expected);
        assert_eq!(drive.next(), Action::Exhausted { tell: vec![StaffKey(9)] });
    }

    #[test]
    fn a_channel_that_fails_costs_no_time() {
        let mut drive = Drive::new(message(Kind::Overdue, Some(3)), at(1, 10, 0));
        let told = drive.told(|_, channel| channel == "wecom");
        let expected = [
            "0 1 wecom First",
            "0 1 sms NextChannel",
            "120 2 wecom Deputy",
            "120 3 wecom LevelUp",
            "120 9 sms DutyOfficer",
            "240 exhausted 9",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_level_ends_even_where_steps_are_left() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(3)), at(1, 10, 0));
        drive.escalation.severity_3 = Window { step_minutes: 100, level_minutes: 150 };
        let told = drive.told(never);
        assert_eq!(told[..3], ["0 1 wecom First", "100 1 sms NextChannel", "150 3 wecom LevelUp"]);
    }

    #[test]
    fn whoever_takes_it_on_ends_it() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(3)), at(1, 10, 0));
        drive.step(never);
        drive.deliveries[0].advance(State::Read, drive.now_us);
        assert!(matches!(drive.next(), Action::Wait { .. }), "to read is not to take on");
        drive.deliveries[0].advance(State::Acknowledged, drive.now_us + 1);
        assert_eq!(drive.next(), Action::Done { by: Some(StaffKey(1)) });
    }

    #[test]
    fn what_was_sent_arrived_or_was_read_is_no_answer() {
        for reached in [State::Sent, State::Delivered, State::Read] {
            let mut drive = Drive::new(message(Kind::SafetyStepDue, None), at(1, 12, 0));
            let mut asked = Vec::new();
            for _ in 0..40 {
                match drive.step(never) {
                    Action::Send { to, channel, .. } => {
                        asked.push((to.0, channel));
                        let now_us = drive.now_us;
                        drive.deliveries.last_mut().expect("just sent").advance(reached, now_us);
                    }
                    Action::Wait { until_us, .. } => drive.now_us = until_us,
                    Action::Exhausted { tell } => {
                        assert_eq!(tell, [StaffKey(9)]);
                        break;
                    }
                    other => panic!("{reached:?} ended it: {other:?}"),
                }
            }
            let asked: Vec<i64> = asked.iter().map(|it| it.0).collect();
            assert!(asked.contains(&9), "a channel without receipts stops nothing: {asked:?}");
        }
    }

    #[test]
    fn a_crisis_begins_with_a_call_and_messages_follow_at_once() {
        let mut drive = Drive::new(message(Kind::CrisisDeclared, Some(4)), at(1, 3, 0));
        let expected = [
            "0 call 1 2 9",
            "0 1 wecom First",
            "5 1 sms NextChannel",
            "10 call 3",
            "10 3 wecom LevelUp",
            "15 9 sms DutyOfficer",
            "20 exhausted 9",
        ];
        assert_eq!(drive.told(never), expected);
    }

    #[test]
    fn a_call_that_was_taken_ends_it() {
        let mut drive = Drive::new(message(Kind::Overdue, Some(4)), at(1, 3, 0));
        assert!(matches!(drive.step(never), Action::Call { .. }));
        drive.deliveries[1].advance(State::Acknowledged, drive.now_us);
        assert_eq!(drive.next(), Action::Done { by: Some(StaffKey(2)) });
    }

    #[test]
    fn mild_messages_wait_for_the_morning() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(2)), at(1, 22, 30));
        assert_eq!(drive.told(never)[..2], ["0 QuietHours", "510 1 wecom First"]);
        let mut drive = Drive::new(message(Kind::NewThread, Some(2)), at(1, 22, 29));
        assert_eq!(drive.told(never)[0], "0 1 wecom First");
        let mut drive = Drive::new(message(Kind::NewThread, Some(2)), at(1, 6, 59));
        assert_eq!(drive.told(never)[..2], ["0 QuietHours", "1 1 wecom First"]);
    }

    #[test]
    fn nobody_is_passed_over_because_they_slept() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(2)), at(1, 22, 0));
        drive.escalation.severity_2 = Window { step_minutes: 60, level_minutes: 600 };
        // Due at 23:00, in quiet hours: an hour after their end, at 08:00. The level ends then too.
        assert_eq!(drive.told(never)[..2], ["0 1 wecom First", "600 3 wecom LevelUp"]);
    }

    #[test]
    fn severity_1_goes_out_once_a_day() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(1)), at(1, 10, 0));
        assert_eq!(drive.told(never)[..2], ["0 OnceADay", "1350 1 wecom First"]);
    }

    #[test]
    fn a_list_is_sent_once_and_waits_for_nobody() {
        let mut drive = Drive::new(message(Kind::ListReady, None), at(1, 23, 0));
        assert_eq!(drive.told(|_, channel| channel == "wecom"), ["0 1 wecom First", "0 1 sms NextChannel", "0 done -"]);
    }

    #[test]
    fn a_route_without_anybody_is_exhausted_at_once() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(3)), at(1, 10, 0));
        drive.route = Route::default();
        assert_eq!(drive.next(), Action::Exhausted { tell: Vec::new() });
    }

    #[test]
    fn a_crash_between_storing_and_sending_goes_on_with_the_next_step() {
        let mut drive = Drive::new(message(Kind::NewThread, Some(3)), at(1, 10, 0));
        drive.deliveries.push(Delivery::new(drive.message.message_id, StaffKey(1), "wecom", 0, drive.now_us));
        assert_eq!(drive.told(never)[0], "120 1 sms NextChannel");
    }

    fn any_route() -> impl Strategy<Value = Route> {
        let channels = proptest::sample::subsequence(vec!["wecom", "sms", "mail", "ding"], 1..=4).prop_shuffle();
        let person = (1_i64..12, channels).prop_map(|(key, channels)| person(key, &channels));
        let level = proptest::collection::vec(person.clone(), 1..4);
        (proptest::collection::vec(level, 1..5), proptest::collection::vec(person, 1..3))
            .prop_map(|(levels, duty_officers)| Route { levels, duty_officers })
    }

    fn any_kind() -> impl Strategy<Value = Kind> {
        proptest::sample::select(vec![
            Kind::NewThread,
            Kind::HelpAsked,
            Kind::Overdue,
            Kind::HandOverAsked,
            Kind::SafetyStepDue,
            Kind::CrisisDeclared,
            Kind::FollowUpDue,
        ])
    }

    /// A drive with some route, some time of day, and channels of persons that fail.
    fn any_drive(severities: Vec<Option<u8>>) -> impl Strategy<Value = (Drive, u64)> {
        let severity = proptest::sample::select(severities);
        (any_route(), any_kind(), severity, any::<bool>(), 0..3 * 24 * 60_i64, any::<u64>()).prop_map(
            |(route, kind, severity, is_person, minute, failing)| {
                let origin = if is_person { Origin::Person } else { Origin::System };
                let message = Message { origin, ..message(kind, severity) };
                (Drive { route, ..Drive::new(message, minute * MINUTE_US) }, failing)
            },
        )
    }

    fn fails(bits: u64) -> impl Fn(StaffKey, &str) -> bool {
        move |to, channel| (bits >> ((to.0 as usize * 7 + channel.len() * 3) % 64)) & 1 == 1
    }

    proptest! {
        #[test]
        fn grave_messages_reach_somebody_at_each_level_in_bounded_time((mut drive, bits) in any_drive(vec![Some(3), Some(4)])) {
            let began_us = drive.now_us;
            let level_us = i64::from(drive.escalation.window(&drive.message).level_minutes) * MINUTE_US;
            let fails = fails(bits);
            let last = (0..500).map(|_| drive.step(&fails)).find(|it| matches!(it, Action::Done { .. } | Action::Exhausted { .. }));
            prop_assert!(matches!(last, Some(Action::Exhausted { .. })), "{last:?}");
            let all = drive.route.levels.iter().chain([&drive.route.duty_officers]);
            for (level, people) in all.enumerate() {
                // Somebody of each level was asked before the levels below could have used up their time.
                let tried = drive.deliveries.iter().filter(|it| people.iter().any(|person| person.staff_key == it.to));
                let first_us = tried.map(Delivery::created_us).min();
                let bound_us = began_us + level as i64 * level_us;
                prop_assert!(first_us.is_some_and(|it| it <= bound_us), "level {level}: {first_us:?} after {bound_us}");
            }
            prop_assert!(drive.now_us <= began_us + (drive.route.levels.len() as i64 + 1) * level_us);
        }

        #[test]
        fn quiet_hours_never_delay_what_is_grave_or_safety_or_told_by_people(
            (drive, _) in any_drive(vec![None, Some(1), Some(2), Some(3), Some(4)]),
        ) {
            let Message { severity, kind, origin, .. } = drive.message;
            let is_mild = severity.is_some_and(|it| it <= Severity::TWO);
            let is_said = matches!(kind, Kind::SafetyStepDue | Kind::CrisisDeclared | Kind::HelpAsked) || origin == Origin::Person;
            let is_urgent = !is_mild || is_said;
            let is_held = matches!(drive.next(), Action::Wait { pause: Pause::QuietHours | Pause::OnceADay, .. });
            prop_assert!(!(is_urgent && is_held), "{:?}", drive.next());
        }

        #[test]
        fn in_quiet_hours_no_mild_message_leaves((mut drive, bits) in any_drive(vec![Some(1), Some(2)])) {
            drive.message.origin = Origin::System;
            drive.message.kind = Kind::NewThread;
            let fails = fails(bits);
            for _ in 0..200 {
                let minute = (drive.now_us / MINUTE_US + i64::from(BEIJING)).rem_euclid(1440);
                let is_quiet = !(420..1350).contains(&minute);
                let action = drive.step(&fails);
                prop_assert!(!(is_quiet && matches!(action, Action::Send { .. })), "{action:?} at {minute}");
            }
        }

        #[test]
        fn nobody_gets_a_message_twice_by_the_same_channel(
            (mut drive, bits) in any_drive(vec![None, Some(1), Some(2), Some(3), Some(4)]),
            jump_minutes in proptest::collection::vec(0_i64..3000, 0..40),
        ) {
            let fails = fails(bits);
            let mut jumps = jump_minutes.into_iter();
            let mut before_us = drive.now_us;
            for _ in 0..400 {
                let action = drive.step(&fails);
                // The caller may come late, and a wait is never in the past.
                if let Action::Wait { until_us, .. } = action {
                    prop_assert!(before_us < until_us);
                    drive.now_us += jumps.next().unwrap_or(0) * MINUTE_US;
                }
                before_us = drive.now_us;
            }
            let pairs = || drive.deliveries.iter().map(|it| (it.to, it.channel.clone()));
            let distinct: std::collections::BTreeSet<_> = pairs().collect();
            prop_assert_eq!(distinct.len(), pairs().count());
            prop_assert!(matches!(drive.next(), Action::Exhausted { .. }), "bounded: {:?}", drive.next());
        }
    }

    #[test]
    fn the_shorter_window_of_kind_and_severity_counts() {
        let escalation = escalation();
        assert_eq!(escalation.window(&message(Kind::SafetyStepDue, Some(3))).level_minutes, 30);
        assert_eq!(escalation.window(&message(Kind::SafetyStepDue, Some(4))).level_minutes, 10);
        assert_eq!(escalation.window(&message(Kind::SafetyStepDue, None)).step_minutes, 10);
        assert_eq!(escalation.window(&message(Kind::FollowUpDue, None)).step_minutes, 240);
        assert_eq!(escalation.window(&message(Kind::FollowUpDue, Some(3))).step_minutes, 120);
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        let mut wrong = escalation();
        wrong.severity_2.step_minutes = 0;
        let said = wrong.check().expect_err("refused").to_string();
        assert!(said.starts_with("setting \"notify.escalation.severity_2\": step_minutes must be 1"), "{said}");
        let mut wrong = escalation();
        wrong.quiet = QuietHours { from: 7 * 60, until: 23 * 60 + 1 };
        assert!(wrong.check().is_err());
        assert!(HOUR_US == 60 * MINUTE_US && escalation().check().is_ok());
    }
}
