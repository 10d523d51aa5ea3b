//! The exports made on Sundays: leaves, tickets and the log of tickets.
//!
//! When the data end in mid-week, the last day makes a file too.

use std::fmt::Write as _;
use std::path::Path;

use crate::Error;
use crate::calendar::{DAY, date, moment};
use crate::campus::OFFICES;
use crate::defect::Reason;
use crate::leave::{Leave, REMINDED_DAYS};
use crate::lines::{Lines, minute, second};
use crate::random::{Draw, Purpose};
use crate::sheet::{Cell, write, write_sheet};
use crate::student::staff_number;
use crate::tally::Tally;
use crate::ticket::{CATEGORIES, Desk, Step, Ticket, TicketEvent};
use crate::world::World;

/// Writes the leaves approved or ended in the days `low..=high`, as they stand after the last of them.
pub(crate) fn write_leaves(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    // The first file has what was approved before the first day as well.
    let begin = if low == 0 { i64::MIN } else { i64::from(low) * DAY };
    let end = i64::from(high + 1) * DAY;
    let mut lines = Vec::new();
    for (index, student) in world.people.students.iter().enumerate() {
        let told = world.stories[index].iter().filter_map(|it| it.leave(world.seed, index as u32));
        let all = world.leaves(index as u32, student, low - 1 - REMINDED_DAYS, high).into_iter().chain(told);
        for it in all.filter(|it| it.has_record) {
            let is_new = (begin..end).contains(&it.approved);
            let is_back = it.back.is_some_and(|it| (begin..end).contains(&it));
            if is_new || (is_back && it.approved < end) {
                lines.push((it.approved, index as u32, it));
            }
        }
    }
    lines.sort_by_key(|it| (it.0, it.1));
    let mut text = String::from("请假单号,学号,请假类型,开始时间,结束时间,审批人工号,审批时间,销假时间\n");
    let mut write_line = |(_, index, it): &(i64, u32, Leave), mark: &str, to: i64| {
        let student = &world.people.students[*index as usize];
        let back = it.back.filter(|it| *it < end).map_or_else(String::new, minute);
        let counselor = staff_number(world.people.classes[usize::from(student.class)].counselor);
        let id = format!("QJ{}{index:06}{mark}", moment(it.from).format("%Y%m%d"));
        let _ = writeln!(
            text,
            "{id},{},{},{},{},{counselor},{},{back}",
            student.number,
            it.kind.word(),
            minute(it.from),
            minute(to),
            minute(it.approved)
        );
    };
    lines.iter().for_each(|it| write_line(it, "", it.2.to));
    let mut draw = Draw::new(world.seed, Purpose::State, low as u64, 2);
    let due = tally.due("leave_record", lines.len(), &mut draw);
    for _ in &due {
        let line = draw.pick(&lines);
        write_line(line, "X", line.2.from - draw.between(4, 40) * 3600);
    }
    tally.rows("leave_record", (lines.len() + due.len()) as u64);
    write(&out.join(format!("leave/leave_{}.csv", date(high).format("%Y%m%d"))), text.as_bytes())
}

/// Writes the tickets opened or changed since the last time, and what happened to them.
pub(crate) fn write_tickets(world: &World, desk: &mut Desk, out: &Path, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let (tickets, events) = desk.changed();
    let on = date(high).format("%Y%m%d");
    let mut rows: Vec<Vec<Cell>> = tickets.iter().map(|it| ticket_line(world, it)).collect();
    let mut draw = Draw::new(world.seed, Purpose::State, high as u64, 3);
    for (place, reason) in tally.due("ticket", rows.len(), &mut draw).into_iter().enumerate() {
        let mut row = rows[draw.below(tickets.len() as u32) as usize].clone();
        row[0] = Cell::text(format!("GD{on}9{place:03}"));
        let Cell::Moment(opened) = row[8] else { unreachable!("the ninth column is when it was opened") };
        match reason {
            Reason::Rule => {
                row[10] = Cell::Moment(opened - draw.between(1, 30) * 3600);
                row[11] = Cell::text(Step::Resolved.state());
            }
            _ => row[1] = Cell::text("2.023E+09"),
        }
        rows.push(row);
    }
    tally.rows("ticket", rows.len() as u64);
    let heads = [
        "工单号",
        "学号",
        "渠道",
        "类别",
        "来源",
        "责任部门",
        "楼栋号",
        "房间号",
        "提交时间",
        "时限",
        "办结时间",
        "状态",
        "满意度",
        "内容",
    ];
    write_sheet(&out.join(format!("ticket/ticket_{on}.xlsx")), &heads, &rows)?;
    let mut feedbacks = Lines::new("工单号,评价时间,满意度,是否解决");
    let end = i64::from(high + 1) * DAY - 1;
    for it in tickets.iter().filter(|it| !it.satisfaction.is_empty()) {
        let at = (it.closed.unwrap_or(it.opened) + 1800).min(end);
        let is_solved = if it.satisfaction == "不满意" { "否" } else { "是" };
        feedbacks.row(&[&it.id, &second(at), &it.satisfaction, &is_solved]);
    }
    feedbacks.write(&out.join(format!("ticket/feedback_{on}.csv")), "ticket_feedback", tally)?;
    let text = event_lines(&events, &on.to_string(), &mut draw, tally);
    write(&out.join(format!("ticket/ticket_event_{on}.csv")), text.as_bytes())
}

fn ticket_line(world: &World, it: &Ticket) -> Vec<Cell> {
    let room = it.room.map(|it| world.campus.rooms[it as usize]);
    let or_empty = |it: Option<String>| it.map_or(Cell::Empty, Cell::Text);
    vec![
        Cell::text(&it.id),
        Cell::text(world.people.students[it.student as usize].number.to_string()),
        Cell::text(it.channel),
        Cell::text(CATEGORIES[it.category].word),
        Cell::text(if it.is_proactive { "主动" } else { "被动" }),
        Cell::text(OFFICES[CATEGORIES[it.category].office].0),
        or_empty(room.map(|it| world.campus.buildings[usize::from(it.building)].id.clone())),
        or_empty(room.map(|it| it.id())),
        Cell::Moment(it.opened),
        Cell::Moment(it.due),
        it.closed.map_or(Cell::Empty, Cell::Moment),
        Cell::text(it.step.state()),
        if it.satisfaction.is_empty() { Cell::Empty } else { Cell::text(it.satisfaction) },
        Cell::text(it.text),
    ]
}

fn event_lines(events: &[TicketEvent], on: &str, draw: &mut Draw, tally: &mut Tally) -> String {
    let mut text = String::from("事件号,工单号,环节,时间,经办人工号,部门\n");
    let mut write_line = |number: usize, it: &TicketEvent, step: &str| {
        let staff = it.staff.map_or_else(String::new, staff_number);
        let at = moment(it.at).format("%Y-%m-%d %H:%M:%S");
        let _ = writeln!(text, "E{on}{number:06},{},{step},{at},{staff},{}", it.ticket, OFFICES[it.office].0);
    };
    for (number, it) in events.iter().enumerate() {
        write_line(number + 1, it, it.step.word());
    }
    let due = tally.due("ticket_event", events.len(), draw);
    for place in 0..due.len() {
        write_line(events.len() + place + 1, draw.pick(events), "escalated");
    }
    tally.rows("ticket_event", (events.len() + due.len()) as u64);
    text
}
