//! What goes on beside classes: activities, who signs up, who comes, and what they say of it.
//!
//! Who likes company goes more often; what they go to follows a taste that nothing else shows.

use std::path::Path;

use crate::Error;
use crate::calendar::{DAY, DayKind, HOUR, calendar_day, date};
use crate::campus::{COLLEGES, OFFICES};
use crate::lines::{Lines, minute, second};
use crate::random::{Draw, Purpose};
use crate::tally::Tally;
use crate::world::World;

/// Kinds of activity: kind, dimension, titles, hours.
const KINDS: [(&str, &str, [&str; 2], f64); 10] = [
    ("主题党团日", "德", ["主题团日：我与社区", "红色经典诵读"], 1.5),
    ("理论讲座", "德", ["形势与政策社区讲堂", "榜样面对面"], 1.5),
    ("学业辅导", "智", ["高数答疑坊", "考前互助自习"], 2.0),
    ("学术讲座", "智", ["前沿技术讲座", "读书分享会"], 2.0),
    ("体育竞赛", "体", ["楼栋篮球赛", "晨跑打卡"], 2.0),
    ("文艺展演", "美", ["社区音乐会", "手作工坊"], 2.0),
    ("志愿服务", "劳", ["楼宇志愿清洁", "爱心便民服务"], 3.0),
    ("劳动实践", "劳", ["寝室美化行动", "校园绿植养护"], 2.0),
    ("安全教育", "安", ["消防演练", "防诈骗宣讲"], 1.0),
    ("心理团辅", "智", ["压力管理工作坊", "新生适应团辅"], 1.5),
];

struct Activity {
    id: String,
    kind: usize,
    title: &'static str,
    college: Option<u8>,
    from: i64,
    capacity: u32,
    has_expert: bool,
}

/// How much a student likes the five dimensions and safety, each about zero.
fn taste(world: &World, index: u32, kind: usize) -> f64 {
    let mut draw = Draw::new(world.seed, Purpose::Taste, u64::from(index), kind as u64);
    0.8 * draw.normal()
}

fn of_week(world: &World, low: i32, high: i32) -> Vec<Activity> {
    let mut found = Vec::new();
    let count = 6 + world.people.students.len() as u32 / 250;
    for day in low..=high {
        let it = calendar_day(day);
        if matches!(it.kind, DayKind::Vacation | DayKind::Holiday | DayKind::Exam) {
            continue;
        }
        let mut draw = Draw::new(world.seed, Purpose::Activity, day as u64, 0);
        for number in 0..draw.whole(f64::from(count) / 7.0) {
            let kind = draw.weighted(&[0.14, 0.08, 0.13, 0.10, 0.16, 0.12, 0.12, 0.05, 0.07, 0.03]);
            let hour = if it.kind == DayKind::Weekend { [9.5, 14.5][draw.below(2) as usize] } else { 19.0 };
            found.push(Activity {
                id: format!("HD{}{number:02}", date(day).format("%Y%m%d")),
                kind,
                title: KINDS[kind].2[draw.below(2) as usize],
                college: draw.chance(0.6).then(|| draw.below(COLLEGES.len() as u32) as u8),
                from: i64::from(day) * DAY + (hour * HOUR as f64) as i64,
                capacity: [20, 30, 40, 60, 100, 150][draw.below(6) as usize],
                has_expert: draw.chance(0.15),
            });
        }
    }
    found
}

/// Writes activities that begin in the days `low..=high`, with sign-up, attendance and feedback.
pub(crate) fn write_week(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let mut all = Lines::new("活动编号,活动名称,类型,五育维度,主办单位,地点,开始时间,结束时间,名额,名师专家,发布时间");
    let mut signups = Lines::new("报名编号,活动编号,学号,角色,报名时间");
    let mut attendances = Lines::new("签到编号,活动编号,学号,签到时间,签到方式,时长");
    let mut feedbacks = Lines::new("评价编号,活动编号,学号,评分,评价时间,意见");
    for it in of_week(world, low, high) {
        let (kind, dimension, _, hours) = KINDS[it.kind];
        let owner = it.college.map_or(OFFICES[0].0, |it| COLLEGES[usize::from(it)].id);
        let to = it.from + (hours * HOUR as f64) as i64;
        let published = it.from - 8 * DAY;
        let expert = if it.has_expert { "是" } else { "否" };
        let place = ["党团活动室", "第三空间", "综合服务中心", "体育馆", "社区广场"][it.kind % 5];
        all.row(&[
            &it.id,
            &it.title,
            &kind,
            &dimension,
            &owner,
            &place,
            &minute(it.from),
            &minute(to),
            &it.capacity,
            &expert,
            &minute(published),
        ]);
        let mut draw = Draw::new(world.seed, Purpose::Activity, it.from as u64, it.kind as u64 + 100);
        let mut here = 0;
        // Twelve are asked for every place; who comes depends on who they are.
        for _ in 0..it.capacity * 12 {
            let index = draw.below(world.people.students.len() as u32);
            let (roll, comes, speaks) = (draw.unit(), draw.unit(), draw.unit());
            let student = &world.people.students[index as usize];
            let is_own = it.college.is_none_or(|it| it == student.college);
            let liking = -3.0 + 0.9 * student.sociability + taste(world, index, it.kind) + if is_own { 0.8 } else { -1.5 };
            if here == it.capacity || !student.is_enrolled || 1.0 / (1.0 + (-liking).exp()) < roll {
                continue;
            }
            here += 1;
            let role = if roll < 0.004 {
                "组织者"
            } else if it.kind == 6 {
                "志愿者"
            } else {
                "参与者"
            };
            let id = format!("{}{:03}", &it.id[2..], here);
            let signed = published + draw.between(HOUR, 7 * DAY);
            signups.row(&[&format!("BM{id}"), &it.id, &student.number, &role, &second(signed)]);
            let day = it.from.div_euclid(DAY) as i32;
            let is_here = world.stay(index, student, day).is_some_and(|stay| stay.from < it.from && to < stay.to);
            if !is_here || 0.86 < comes {
                continue;
            }
            let at = it.from + draw.between(-900, 600);
            let method = ["扫码", "刷卡", "名单"][if comes < 0.6 {
                0
            } else if comes < 0.8 {
                1
            } else {
                2
            }];
            attendances.row(&[&format!("QD{id}"), &it.id, &student.number, &second(at), &method, &hours]);
            if speaks < 0.35 {
                let stars = [5, 5, 4, 4, 3, 2][draw.below(6) as usize];
                let word = ["", "希望多举办", "时间可以再早一些"][draw.below(3) as usize];
                let at = to + draw.between(600, 2 * DAY);
                // Who answers after the file was written is not in it.
                if i64::from(high + 1) * DAY <= at {
                    continue;
                }
                feedbacks.row(&[&format!("PJ{id}"), &it.id, &student.number, &stars, &second(at), &word]);
            }
        }
    }
    let on = date(high).format("%Y%m%d");
    all.write(&out.join(format!("activity/activity_{on}.csv")), "activity", tally)?;
    signups.write(&out.join(format!("activity/signup_{on}.csv")), "activity_signup", tally)?;
    attendances.write(&out.join(format!("activity/attendance_{on}.csv")), "activity_attendance", tally)?;
    feedbacks.write(&out.join(format!("activity/feedback_{on}.csv")), "activity_feedback", tally)
}
