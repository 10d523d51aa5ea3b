//! Requests of students and the offices that work them off.
//!
//! Steps one day at a time; keeps only what is open or has changed since the last weekly file.
//! An office has so many hands a day, so bad weeks of a building delay everybody.

use std::collections::VecDeque;

use crate::calendar::{DAY, DayKind, HOUR, MINUTE, calendar_day};
use crate::day::is_silent;
use crate::random::{Draw, Purpose};
use crate::world::World;

/// Kind of request: word, office (index), deadline in hours, weight among those that are not of a building.
pub(crate) struct Category {
    pub(crate) word: &'static str,
    pub(crate) office: usize,
    pub(crate) deadline_h: i64,
    weight: f64,
    texts: [&'static str; 3],
}

/// All kinds; the first two happen in dormitory rooms.
pub(crate) const CATEGORIES: [Category; 8] = [
    Category {
        word: "宿舍报修",
        office: 1,
        deadline_h: 48,
        weight: 0.0,
        texts: ["宿舍水龙头漏水", "寝室灯管不亮", "门锁损坏无法关门"],
    },
    Category {
        word: "网络",
        office: 3,
        deadline_h: 48,
        weight: 0.0,
        texts: ["宿舍网络经常掉线", "无线网无法认证", "网速晚间很慢"],
    },
    Category {
        word: "餐饮",
        office: 1,
        deadline_h: 72,
        weight: 0.2,
        texts: ["希望食堂延长供应时间", "菜品偏咸", "希望增加清真窗口座位"],
    },
    Category {
        word: "教务",
        office: 2,
        deadline_h: 120,
        weight: 0.25,
        texts: ["咨询选课冲突如何处理", "成绩录入有误", "申请缓考流程"],
    },
    Category {
        word: "资助",
        office: 0,
        deadline_h: 168,
        weight: 0.15,
        texts: ["咨询助学金申请材料", "勤工助学岗位报名", "临时困难补助进度"],
    },
    Category {
        word: "后勤", office: 1, deadline_h: 72, weight: 0.2, texts: ["浴室水温不稳定", "路灯不亮", "自行车停放混乱"]
    },
    Category {
        word: "安全",
        office: 1,
        deadline_h: 48,
        weight: 0.07,
        texts: ["楼道堆放杂物", "消防通道被占用", "监控盲区照明不足"],
    },
    Category {
        word: "其他",
        office: 0,
        deadline_h: 120,
        weight: 0.13,
        texts: ["建议增加自习座位", "活动场地预约问题", "证明材料盖章"],
    },
];

const CHANNELS: [&str; 5] = ["小程序", "电话", "窗口", "校长信箱", "后勤热线"];

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Reported,
    Dispatched,
    Responded,
    Resolved,
    FollowedUp,
    Reopened,
    Withdrawn,
}

impl Step {
    /// Word in the log of events.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Step::Reported => "reported",
            Step::Dispatched => "dispatched",
            Step::Responded => "responded",
            Step::Resolved => "resolved",
            Step::FollowedUp => "followed_up",
            Step::Reopened => "reopened",
            Step::Withdrawn => "withdrawn",
        }
    }

    /// State of the ticket after the step.
    pub(crate) fn state(self) -> &'static str {
        match self {
            Step::Reported => "已提交",
            Step::Dispatched | Step::Reopened => "已转办",
            Step::Responded => "已反馈",
            Step::Resolved => "已办结",
            Step::FollowedUp => "已回访",
            Step::Withdrawn => "已撤回",
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) id: String,
    pub(crate) student: u32,
    pub(crate) channel: &'static str,
    pub(crate) category: usize,
    pub(crate) is_proactive: bool,
    /// Room, when it is about one.
    pub(crate) room: Option<u32>,
    pub(crate) opened: i64,
    pub(crate) due: i64,
    pub(crate) closed: Option<i64>,
    pub(crate) step: Step,
    pub(crate) satisfaction: &'static str,
    pub(crate) text: &'static str,
    draw: Draw,
    next: Option<(i64, Step)>,
    is_hard: bool,
    has_changed: bool,
}

/// A line of the log.
#[derive(Debug, Clone)]
pub(crate) struct TicketEvent {
    pub(crate) ticket: String,
    pub(crate) step: Step,
    pub(crate) at: i64,
    /// Index of the member of staff.
    pub(crate) staff: Option<u32>,
    pub(crate) office: usize,
}

/// The offices with their queues.
pub(crate) struct Desk {
    tickets: VecDeque<Ticket>,
    events: Vec<TicketEvent>,
    /// Members of staff of each office.
    hands: [Vec<u32>; 5],
}

/// Requests a student a day that are not of a room, and a resident a day that are.
const PLAIN_RATE: f64 = 0.0019;
const REPAIR_RATE: f64 = 0.0021;
/// How much more an office can do in a day than is asked of it.
const SPARE: f64 = 1.2;

impl Desk {
    pub(crate) fn new(world: &World) -> Desk {
        let of = |id: &str| -> Vec<u32> {
            let staff = world.people.staff.iter().enumerate();
            staff.filter(|(_, it)| it.unit == id && it.post != "分析师").map(|(index, _)| index as u32).collect()
        };
        let hands = crate::campus::OFFICES.map(|(id, _)| of(id));
        Desk { tickets: VecDeque::new(), events: Vec::new(), hands }
    }

    /// Works through one calendar day.
    pub(crate) fn step(&mut self, world: &World, day: i32) {
        self.open_new(world, day);
        self.serve(world, day);
        let end = i64::from(day + 1) * DAY;
        for ticket in &mut self.tickets {
            while let Some((at, step)) = ticket.next.filter(|it| it.0 < end) {
                let event = ticket.apply(at, step, &self.hands);
                self.events.push(event);
            }
        }
    }

    fn open_new(&mut self, world: &World, day: i32) {
        let mut draw = Draw::new(world.seed, Purpose::TicketDay, day as u64, 0);
        let mut number = 0;
        for (building, residents) in world.people.residents.iter().enumerate() {
            let week = (day / 7) as u64;
            let is_bad = Draw::new(world.seed, Purpose::TicketDay, building as u64, 1 << 32 | week).chance(0.08);
            let expected = residents.len() as f64 * REPAIR_RATE * if is_bad { 3.2 } else { 0.82 };
            for _ in 0..draw.whole(expected) {
                let category = draw.weighted(&[0.75, 0.25]);
                let student = *draw.pick(residents);
                number += 1;
                self.open(world, day, number, student, category);
            }
        }
        let count = world.people.students.len();
        for _ in 0..draw.whole(count as f64 * PLAIN_RATE) {
            let category = draw.weighted(&CATEGORIES.map(|it| it.weight));
            let student = draw.below(count as u32);
            number += 1;
            self.open(world, day, number, student, category);
        }
    }

    fn open(&mut self, world: &World, day: i32, number: u64, index: u32, category: usize) {
        let student = &world.people.students[index as usize];
        let mut draw = Draw::new(world.seed, Purpose::Ticket, day as u64, number);
        let is_away = world.stay(index, student, day).is_none_or(|it| it.arrives || it.departs);
        if !student.is_enrolled || is_away || is_silent(world, index, day) {
            return;
        }
        let hour = [9.0, 13.0, 17.0, 21.0][draw.weighted(&[0.3, 0.2, 0.2, 0.3])];
        let at = i64::from(day) * DAY + (hour * HOUR as f64) as i64 + draw.between(-2 * HOUR, 2 * HOUR);
        let kind = &CATEGORIES[category];
        let channel = CHANNELS[draw.weighted(&[0.55, 0.12, 0.13, 0.05, 0.15])];
        self.tickets.push_back(Ticket {
            id: format!("GD{}{number:04}", crate::calendar::date(day).format("%Y%m%d")),
            student: index,
            channel,
            category,
            is_proactive: draw.chance(0.08),
            room: student.bed.map(|it| it.0).filter(|_| category < 2),
            opened: at,
            due: at + kind.deadline_h * HOUR,
            closed: None,
            step: Step::Reported,
            satisfaction: "",
            text: kind.texts[draw.below(3) as usize],
            is_hard: draw.chance(0.05),
            draw,
            next: Some((at, Step::Reported)),
            has_changed: true,
        });
    }

    /// Gives each office its work of the day, oldest first.
    fn serve(&mut self, world: &World, day: i32) {
        let kind = calendar_day(day).kind;
        let attendance = if kind == DayKind::Holiday {
            0.15
        } else if kind.is_free() {
            0.4
        } else {
            1.0
        };
        let mut draw = Draw::new(world.seed, Purpose::Office, day as u64, 0);
        let students = world.people.students.len() as f64;
        let asked = CATEGORIES.iter().fold([0.0; 5], |mut sum, it| {
            sum[it.office] += students * PLAIN_RATE * it.weight;
            sum
        });
        let mut left: [u32; 5] = std::array::from_fn(|office| {
            let rooms = students * REPAIR_RATE * [0.0, 0.75, 0.0, 0.25, 0.0][office];
            draw.whole((asked[office] + rooms) * SPARE * attendance).max(u32::from(attendance == 1.0))
        });
        let start = i64::from(day) * DAY;
        for ticket in &mut self.tickets {
            let office = CATEGORIES[ticket.category].office;
            let waits = ticket.next.is_none() && matches!(ticket.step, Step::Responded | Step::Reopened);
            let is_too_hard = ticket.is_hard && start < ticket.opened + 9 * DAY;
            if waits && !is_too_hard && 0 < left[office] {
                left[office] -= 1;
                ticket.next = Some((start + ticket.draw.between(8 * HOUR, 18 * HOUR), Step::Resolved));
            }
        }
    }

    /// Hands over what has changed since last asked, and forgets what is over.
    pub(crate) fn changed(&mut self) -> (Vec<Ticket>, Vec<TicketEvent>) {
        let changed: Vec<Ticket> = self.tickets.iter().filter(|it| it.has_changed).cloned().collect();
        self.tickets.iter_mut().for_each(|it| it.has_changed = false);
        self.tickets.retain(|it| it.next.is_some() || !it.is_over());
        let mut events = std::mem::take(&mut self.events);
        events.sort_by(|a, b| (a.at, &a.ticket).cmp(&(b.at, &b.ticket)));
        (changed, events)
    }
}

/// The time itself, or the next morning when nobody is at work then.
fn at_work(at: i64, draw: &mut Draw) -> i64 {
    let midnight = at - at.rem_euclid(DAY);
    let delay = draw.between(0, 100 * MINUTE);
    match at - midnight {
        second if second < 8 * HOUR => midnight + 8 * HOUR + delay,
        second if second < 18 * HOUR => at,
        _ => midnight + DAY + 8 * HOUR + delay,
    }
}

impl Ticket {
    fn is_over(&self) -> bool {
        matches!(self.step, Step::FollowedUp | Step::Withdrawn | Step::Resolved)
    }

    /// Takes a step and decides what comes next; `None` waits for the office, or is the end.
    fn apply(&mut self, at: i64, step: Step, hands: &[Vec<u32>; 5]) -> TicketEvent {
        let office = CATEGORIES[self.category].office;
        self.step = step;
        self.has_changed = true;
        let draw = &mut self.draw;
        self.next = match step {
            Step::Reported => Some((at_work(at + draw.between(5 * MINUTE, 3 * HOUR), draw), Step::Dispatched)),
            Step::Dispatched if draw.chance(0.03) => Some((at + draw.between(HOUR, 30 * HOUR), Step::Withdrawn)),
            Step::Dispatched => Some((at_work(at + draw.between(20 * MINUTE, 6 * HOUR), draw), Step::Responded)),
            // Much is mended on the spot.
            Step::Responded if draw.chance(0.4) && !self.is_hard => {
                Some((at_work(at + draw.between(30 * MINUTE, 5 * HOUR), draw), Step::Resolved))
            }
            Step::Resolved if draw.chance(0.7) => Some((at_work(at + draw.between(20 * HOUR, 6 * DAY), draw), Step::FollowedUp)),
            _ => None,
        };
        match step {
            Step::Resolved => self.closed = Some(at),
            Step::FollowedUp => {
                let is_on_time = self.closed.is_some_and(|it| it <= self.due);
                let shares = if is_on_time { [0.6, 0.16, 0.05, 0.19] } else { [0.28, 0.28, 0.25, 0.19] };
                self.satisfaction = ["满意", "基本满意", "不满意", ""][draw.weighted(&shares)];
                if self.satisfaction == "不满意" && draw.chance(0.4) {
                    self.next = Some((at + draw.between(HOUR, 20 * HOUR), Step::Reopened));
                }
            }
            Step::Reopened => {
                self.closed = None;
                self.satisfaction = "";
            }
            _ => {}
        }
        let desk = match step {
            Step::Responded | Step::Resolved => office,
            _ => 0,
        };
        let staff = match step {
            Step::Reported | Step::Withdrawn | Step::Reopened => None,
            _ => Some(*draw.pick(&hands[desk])),
        };
        TicketEvent { ticket: self.id.clone(), step, at, staff, office }
    }
}
