//! What was made and what is true about it: written beside the data, for tests only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::calendar::{DAY, EPOCH_S, date};
use crate::outage::OutageKind;
use crate::sheet::write;
use crate::story::{Story, StoryKind};
use crate::tally::{Counts, Tally};
use crate::world::World;
use crate::{Config, Error};

/// What was written, by pipeline, and the truth behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Seed everything comes from.
    pub seed: u64,
    /// Number of students.
    pub students: u32,
    /// Number of days.
    pub days: u32,
    /// First day, such as `2025-09-01`.
    pub first_day: String,
    /// Data rows of each pipeline, defects and duplicates included, heads not.
    pub rows: Counts,
    /// Rows the contract must refuse, by pipeline and reason.
    pub defects: BTreeMap<String, Counts>,
    /// Identical rows beyond the first, by pipeline.
    pub duplicates: Counts,
    /// Rows uploaded more than six hours after they happened, by pipeline.
    pub late: Counts,
    /// Times during which a device sent no heartbeat.
    pub outages: Vec<DeviceOutage>,
    /// Stories that tests look for.
    pub planted: Planted,
}

/// A time without heartbeats of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceOutage {
    /// Device that was down.
    pub device_id: String,
    /// First millisecond of it.
    pub from_ms: i64,
    /// First millisecond after it; may lie after the end of the data.
    pub to_ms: i64,
    /// `lost`: passages were not seen. `late`: they were uploaded afterwards.
    pub kind: String,
}

/// Stories by kind, with the numbers of the students.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Planted {
    /// Silent for the last two to four days, and nothing explains it.
    pub no_trace: Vec<Episode>,
    /// Silent for the last two to four days under an approved leave.
    pub no_trace_leave: Vec<Episode>,
    /// Silent for the last two to four days with a card reported lost.
    pub no_trace_lost_card: Vec<Episode>,
    /// Silent for the last days while the gates of the building are down; only data of 20, 40, 60, 100, 150, 200 or
    /// 300 days end so.
    pub no_trace_outage: Vec<Episode>,
    /// Silences of all four kinds that are over, or began on the last day.
    pub silence_other: Vec<Episode>,
    /// Nights away without leave that are wholly within the data.
    pub overnight_absence: Vec<Night>,
    /// Meals at 45 % and prices at 85 %, begun at 60 % to 80 % of the data and still so at the end.
    pub spending_drop: Vec<Episode>,
    /// The same, over or begun elsewhere.
    pub spending_drop_other: Vec<Episode>,
    /// Latent states begun before the end, from the day of their onset to the last day of data: they do not end.
    pub weak_state: Vec<Episode>,
    /// Return after 23:00 on most evenings.
    pub late_return: Vec<String>,
    /// Away over the national holiday without a leave record.
    pub holiday_away_without_leave: Vec<String>,
    /// Nights on which both gates of a building were down.
    pub building_outage: Vec<DarkNight>,
    /// In the register without studying as everybody does: the status and its first day.
    pub on_paper: Vec<Episode>,
}

/// A story of one student over some campus days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Student number.
    pub student: String,
    /// First campus day.
    pub from: String,
    /// Last campus day; may lie after the end of the data.
    pub to: String,
    /// Kind of story, such as `no_trace`.
    pub kind: String,
}

/// One night of one student.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Night {
    /// Student number.
    pub student: String,
    /// Campus day whose night it is: from 22:00 to the next morning.
    pub date: String,
}

/// A night on which a building could not be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DarkNight {
    /// Building.
    pub building_id: String,
    /// First millisecond of it.
    pub from_ms: i64,
    /// First millisecond after it.
    pub to_ms: i64,
}

fn millis(at: i64) -> i64 {
    (at + EPOCH_S) * 1000
}

impl Manifest {
    pub(crate) fn new(config: &Config, world: &World, tally: Tally) -> Manifest {
        let end = i64::from(world.days) * DAY;
        let of_device = |(index, device): (usize, &crate::campus::Device)| {
            let id = device.id.clone();
            let known = world.outages[index].iter().filter(|it| it.from < end);
            let told = known.map(move |it| DeviceOutage {
                device_id: id.clone(),
                from_ms: millis(it.from),
                to_ms: millis(it.to),
                kind: if it.kind == OutageKind::Lost { "lost" } else { "late" }.to_owned(),
            });
            told.collect::<Vec<_>>()
        };
        Manifest {
            seed: config.seed,
            students: config.students,
            days: config.days,
            first_day: date(0).to_string(),
            rows: tally.rows,
            defects: (tally.defects.into_iter())
                .map(|(pipeline, it)| (pipeline, it.planted.into_iter().map(|(k, n)| (k.to_owned(), n)).collect::<Counts>()))
                .filter(|(_, it)| !it.is_empty())
                .map(|(pipeline, it)| (pipeline.to_owned(), it))
                .collect(),
            duplicates: tally.duplicates,
            late: tally.late,
            outages: world.campus.devices.iter().enumerate().flat_map(of_device).collect(),
            planted: planted(world),
        }
    }

    /// Writes `truth/manifest.json` and `truth/students.csv`.
    pub(crate) fn write(&self, world: &World, out: &Path) -> Result<(), Error> {
        let path = out.join("truth/manifest.json");
        let fail = |source| Error::Manifest { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(self).map_err(fail)?;
        write(&path, &text)?;
        write(&out.join("truth/students.csv"), traits(world).as_bytes())
    }
}

fn planted(world: &World) -> Planted {
    let mut planted = Planted::default();
    let days = world.days;
    for (index, student) in world.people.students.iter().enumerate() {
        let number = student.number.to_string();
        for story in world.stories[index].iter().filter(|it| it.from < days) {
            let (list, kind) = list_of(&mut planted, story, days);
            match list {
                Some(list) => list.push(Episode {
                    student: number.clone(),
                    from: date(story.from).to_string(),
                    to: date(story.to - 1).to_string(),
                    kind: kind.to_owned(),
                }),
                None if story.from + 1 < days => {
                    planted.overnight_absence.push(Night { student: number.clone(), date: date(story.from).to_string() });
                }
                None => {}
            }
        }
        if student.level != 0 && student.onset < days && student.is_enrolled {
            planted.weak_state.push(Episode {
                student: number.clone(),
                from: date(student.onset).to_string(),
                to: date(days - 1).to_string(),
                kind: format!("weak_state_{}", student.level),
            });
        }
        if student.is_late_returner && student.is_enrolled && student.bed.is_some() {
            planted.late_return.push(number.clone());
        }
        let national = crate::calendar::NATIONAL;
        let goes = world.leaves(index as u32, student, national.0, national.0);
        if national.0 < days && goes.iter().any(|it| !it.has_record) {
            planted.holiday_away_without_leave.push(number);
        }
    }
    planted.on_paper = crate::roll::on_paper(world)
        .into_iter()
        .map(|it| Episode {
            student: it.number.to_string(),
            from: date(it.since).to_string(),
            to: date(days - 1).to_string(),
            kind: it.status.1.to_owned(),
        })
        .collect();
    let end = i64::from(days) * DAY;
    planted.building_outage = (world.dark_nights.iter().filter(|it| it.to <= end))
        .map(|it| DarkNight {
            building_id: world.campus.buildings[usize::from(it.building)].id.clone(),
            from_ms: millis(it.from),
            to_ms: millis(it.to),
        })
        .collect();
    planted
}

/// The list a story belongs to; `None` is the one of nights.
fn list_of<'a>(planted: &'a mut Planted, story: &Story, days: i32) -> (Option<&'a mut Vec<Episode>>, &'static str) {
    let is_now = days <= story.to && (2..=4).contains(&(days - story.from));
    let kind = match story.kind {
        StoryKind::NoTrace => "no_trace",
        StoryKind::NoTraceLeave => "no_trace_leave",
        StoryKind::NoTraceLostCard => "no_trace_lost_card",
        StoryKind::NoTraceOutage => "no_trace_outage",
        StoryKind::SpendingDrop => "spending_drop",
        StoryKind::Overnight => return (None, "overnight_absence"),
    };
    let list = match story.kind {
        StoryKind::SpendingDrop => {
            let is_late = days * 6 <= story.from * 10 && story.from * 10 <= days * 8;
            if is_late && days <= story.to { &mut planted.spending_drop } else { &mut planted.spending_drop_other }
        }
        _ if !is_now => &mut planted.silence_other,
        StoryKind::NoTrace => &mut planted.no_trace,
        StoryKind::NoTraceLeave => &mut planted.no_trace_leave,
        StoryKind::NoTraceLostCard => &mut planted.no_trace_lost_card,
        _ => &mut planted.no_trace_outage,
    };
    (Some(list), kind)
}

/// The latent traits, one line a student.
fn traits(world: &World) -> String {
    let mut text = String::from(
        "student_id,rhythm,budget,sociability,diligence,off_card_share,friend_group,level,onset,state_meals,state_classes,state_study,state_washing,state_evening,is_late_returner,is_stayer,has_checkin_bot\n",
    );
    for (index, it) in world.people.students.iter().enumerate() {
        let onset = if it.level == 0 { String::new() } else { date(it.onset).to_string() };
        let _ = writeln!(
            text,
            "{},{:.4},{:.4},{:.4},{:.4},{:.4},{},{},{onset},{:.2},{:.2},{:.2},{:.2},{:.2},{},{},{}",
            it.number,
            it.rhythm,
            it.budget,
            it.sociability,
            it.diligence,
            it.leak,
            it.group,
            it.level,
            it.mix.meals,
            it.mix.classes,
            it.mix.study,
            it.mix.washing,
            it.mix.evening,
            it.is_late_returner,
            it.is_stayer,
            world.has_checkin_bot(index as u32, world.days)
        );
    }
    text
}
