//! When devices are down: nothing is seen then, or it is seen and sent later.
//!
//! Each outage comes from (seed, device, day) alone, or from a written plan, so one more day adds and never changes.

use crate::calendar::{DAY, HOUR, MINUTE};
use crate::campus::{Campus, DeviceKind};
use crate::random::{Draw, Purpose};

/// What becomes of the passages during an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    /// People pass unseen.
    Lost,
    /// The device remembers and sends everything at this second.
    Late { sent: i64 },
}

/// A time without heartbeats; seconds from the first midnight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) kind: OutageKind,
}

/// A planned outage of both gates of a dormitory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildingOutage {
    pub(crate) building: u16,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Nights on which a whole building is dark: about 40 % into data of 10, 20, 40, 150 or 300 days.
const DARK_NIGHTS: [i32; 7] = [4, 8, 15, 30, 60, 120, 240];
/// Data of that many days end with a building whose gates were down for the last [`DARK_DAYS`].
const DARK_ENDS: [i32; 7] = [20, 40, 60, 100, 150, 200, 300];
/// Evenings on which a gate of the first building remembers and sends a day later, so that any data has late rows.
const LATE_EVENINGS: [i32; 8] = [2, 6, 13, 25, 50, 85, 130, 200];
/// Length of those last days.
pub(crate) const DARK_DAYS: i32 = 3;

/// Plans the outages of whole buildings: those over one night, then those over the last days.
pub(crate) fn plan(seed: u64, days: i32, campus: &Campus) -> (Vec<BuildingOutage>, Vec<BuildingOutage>) {
    let buildings = campus.buildings.len() as u32;
    let draw = |number: i32, salt| Draw::new(seed, Purpose::Outage, u64::MAX, (number * 2 + salt) as u64).below(buildings) as u16;
    let nights = DARK_NIGHTS.into_iter().filter(|it| *it < days).map(|night| {
        let at = i64::from(night) * DAY;
        BuildingOutage { building: draw(night, 0), from: at + 19 * HOUR, to: at + 32 * HOUR }
    });
    let ends = DARK_ENDS.into_iter().filter(|it| it - DARK_DAYS < days).map(|end| {
        let at = i64::from(end) * DAY;
        BuildingOutage { building: draw(end, 1), from: at - i64::from(DARK_DAYS) * DAY + 3 * HOUR, to: at + 9 * HOUR }
    });
    if buildings == 0 { (Vec::new(), Vec::new()) } else { (nights.collect(), ends.collect()) }
}

/// All outages of each device that begin within the data, in order of time.
pub(crate) fn outages(seed: u64, days: i32, campus: &Campus, planned: &[BuildingOutage]) -> Vec<Vec<Outage>> {
    let of_device = |(index, device): (usize, &crate::campus::Device)| {
        let mut list: Vec<Outage> = planned
            .iter()
            .filter(|it| device.building == Some(it.building))
            .map(|it| Outage { from: it.from, to: it.to, kind: OutageKind::Lost })
            .collect();
        if device.building == Some(0) && device.id.ends_with("-1") {
            list.extend(LATE_EVENINGS.into_iter().filter(|it| *it < days).map(|evening| {
                let at = i64::from(evening) * DAY;
                let kind = OutageKind::Late { sent: at + 40 * HOUR };
                Outage { from: at + 17 * HOUR, to: at + 25 * HOUR, kind }
            }));
        }
        // A till is a simpler thing than a gate.
        let rate = if device.kind == DeviceKind::Canteen { 1.0 / 240.0 } else { 1.0 / 60.0 };
        for day in 0..days {
            let mut draw = Draw::new(seed, Purpose::Outage, index as u64, day as u64);
            if !draw.chance(rate) {
                continue;
            }
            let from = i64::from(day) * DAY + draw.between(0, DAY);
            let to = from + draw.between(2 * HOUR, 12 * HOUR);
            let delay = if draw.chance(0.6) { draw.between(MINUTE, 10 * MINUTE) } else { draw.between(HOUR, 34 * HOUR) };
            let is_late = device.kind != DeviceKind::Canteen && draw.chance(0.45);
            let kind = if is_late { OutageKind::Late { sent: to + delay } } else { OutageKind::Lost };
            if list.iter().all(|it| to + HOUR < it.from || it.to + HOUR < from) {
                list.push(Outage { from, to, kind });
            }
        }
        list.sort_by_key(|it| it.from);
        list
    };
    campus.devices.iter().enumerate().map(of_device).collect()
}

/// The outage of a device at a second, if there is one.
pub(crate) fn outage_at(list: &[Outage], at: i64) -> Option<&Outage> {
    list.iter().find(|it| it.from <= at && at < it.to)
}
