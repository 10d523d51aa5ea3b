//! `yizhan demo`: a synthetic campus from nothing to the cockpit.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use casework::{DutyShift, Post};
use chrono::{Days, NaiveDate};
use clap::Args;
use serve::{DemoLogin, Done};
use store::{Grant, NewAccount};

use super::{Common, run, serve::serve_house, simulate::simulate_into};
use crate::house::{Access, House};
use crate::settings::{Place, Settings};
use crate::talks::{Truth, talk};

/// Printed on the login page; the demo holds nobody's data.
pub(super) const PASSWORD: &str = "yizhan-demo";
const FIRST_DAY: &str = "2025-09-01";
/// Takes what the first hands over; no login of a role of its own.
pub(super) const SECOND_COUNSELOR: &str = "counselor2";
/// How long the psychologist of the demo is on shift.
const SHIFT_DAYS: i64 = 28;

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Number of students.
    #[arg(long, default_value_t = 5000)]
    students: u32,
    /// Number of days from 2025-09-01; the default ends on a Friday of a teaching week.
    #[arg(long, default_value_t = 103)]
    days: u32,
    /// Address to listen on.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Another campus.
    #[arg(long, default_value_t = 20_250_901)]
    seed: u64,
    /// Live through it a week at a time, with talks that follow the offers up: rules are then weighed by what came of them.
    #[arg(long)]
    talks: bool,
    /// Build everything and stop, without serving.
    #[arg(long)]
    build_only: bool,
}

/// Days after which the first offers are made where talks follow them up: eight weeks, of which four are the past.
const TALKS_FROM: u32 = 56;

impl Demo {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let mut place = common.place();
        if common.data.is_none() {
            place.data = place.project.join("data").join("demo");
        }
        let exports = place.data.join("exports");
        let done = exports.join("truth").join("manifest.json");
        let mut wanted = format!("{} {}", self.students, self.days);
        // The campus as it always was goes without saying.
        if self.seed != simulate::Config::default().seed || self.talks {
            wanted += &format!(" {}{}", self.seed, if self.talks { " talks" } else { "" });
        }
        let mark = place.data.join("demo.txt");
        let is_there = done.exists() && std::fs::read_to_string(&mark).is_ok_and(|it| it == wanted);
        if !is_there {
            if place.data.exists() {
                std::fs::remove_dir_all(&place.data).with_context(|| format!("could not clear {}", place.data.display()))?;
            }
            eprintln!("1/3 生成示例校园 / making a synthetic campus: {} students, {} days", self.students, self.days);
            if !self.talks {
                self.simulate(self.days, &exports)?;
                std::fs::write(&mark, &wanted)?;
            }
        }
        let mut flags = vec![
            // Keys from a seed and no syncing: nobody's data, and a second start that is quick.
            ("store.mint".to_owned(), "20250901".to_owned()),
            ("lake.durability".to_owned(), "\"os\"".to_owned()),
            ("serve.is_demo".to_owned(), "true".to_owned()),
            ("casework.death_by".to_owned(), "[\"psychologist\"]".to_owned()),
        ];
        flags.extend(common.flags()?);
        let settings = || anyhow::Ok(Settings::read(&place.project, &flags)?.0);
        if self.talks && !is_there {
            self.live_through(&place, &settings, &exports).await?;
            std::fs::write(&mark, &wanted)?;
        }
        let settings = settings()?;
        let end: NaiveDate =
            FIRST_DAY.parse::<NaiveDate>()?.checked_add_days(Days::new(self.days.into())).context("too many days")?;
        let midnight = schema::time::local_micros(end.and_hms_opt(0, 0, 0).context("no midnight")?);
        let now = settings.campus.clock().instant(midnight).context("no midnight")?;
        let house = House::open(&place, settings, Access::Write, Some(now)).await?;
        eprintln!("2/3 入湖与计算 / through the door, and every table");
        let mut done = Done::default();
        let stages = run::walk(&house, Some(&exports), false, &mut done).await?;
        let code = super::say(&done);
        for it in &stages {
            eprintln!("    {:<10} {:>10} -> {:<10} {:>7.1}s  {}", it.stage, it.rows_in, it.rows_out, it.seconds, it.result);
        }
        let logins = logins(&house).await?;
        // Now that there are accounts, students have somebody who is responsible.
        crate::cases::night(&house).await?;
        on_shift(&house).await?;
        println!("3/3 演示账号 / demo logins (password {PASSWORD}):");
        for it in &logins {
            println!("    {:<14} {}", it.account, it.role);
        }
        if self.build_only {
            return Ok(code);
        }
        serve_house(Arc::new(house), Some(exports), self.listen, logins).await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Demo {
    fn simulate(&self, days: u32, exports: &Path) -> anyhow::Result<()> {
        let Self { students, seed, .. } = *self;
        simulate_into(&simulate::Config { students, days, seed, out: exports.to_owned(), ..Default::default() })?;
        Ok(())
    }

    /// Week after week: a few more days of exports, the night, and talks about what it offered. The last days are left.
    async fn live_through(
        &self,
        place: &Place,
        settings: &(dyn Fn() -> anyhow::Result<Settings> + Sync),
        exports: &PathBuf,
    ) -> anyhow::Result<()> {
        for days in (TALKS_FROM..self.days).step_by(7) {
            self.simulate(days, exports)?;
            let on = FIRST_DAY.parse::<NaiveDate>()?.checked_add_days(Days::new(days.into())).context("too many days")?;
            let settings = settings()?;
            // The first instant of the campus day: what the week brought is known, and so is what came of the talks.
            let now = settings.campus.clock().day_start(schema::time::date_days(on));
            let house = House::open(place, settings, Access::Write, Some(now)).await?;
            run::walk(&house, Some(exports), false, &mut Done::default()).await?;
            let truth = Truth::read(exports)?;
            let students = keys(&house, "SELECT student_key FROM raw_student ORDER BY row_no").await?;
            let closed = talk(&house, &truth, &students, on).await?;
            eprintln!("    {on}: {closed} 次谈话 / talks");
        }
        self.simulate(self.days, exports)
    }
}

/// One account a role; the counselor is the one with most students, the student one whose portrait says most, and college,
/// class and building are where there is something to do.
async fn logins(house: &House) -> anyhow::Result<Vec<DemoLogin>> {
    let newest = "as_of_on = (SELECT max(as_of_on) FROM dim_student)";
    let most = |unit: &str| {
        format!(
            "SELECT student.{unit} FROM dim_student AS student LEFT JOIN list_unverified_absence AS missed \
             ON missed.student_key = student.student_key AND missed.as_of_on = student.as_of_on \
             WHERE student.{newest} AND student.{unit} IS NOT NULL \
             GROUP BY student.{unit} ORDER BY count(missed.student_key) DESC, count(*) DESC, student.{unit} LIMIT 1"
        )
    };
    let unit = async |unit: &str, scope: &str| {
        let found = words(house, &most(unit)).await?;
        anyhow::Ok(found.first().map_or_else(|| format!("{scope}:-"), |it| format!("{scope}:{it}")))
    };
    let (college, building) = (unit("college", "college").await?, unit("building_id", "building").await?);
    let tutored = "FROM stg_staff_link WHERE kind = 'tutor_class' AND superseded_at IS NULL \
                   AND linked_to IN (SELECT class FROM dim_student) ORDER BY link_id LIMIT 1";
    let class = words(house, &format!("SELECT linked_to {tutored}")).await?;
    let class = class.first().map_or_else(|| "class:-".to_owned(), |it| format!("class:{it}"));
    let tutor = keys(house, &format!("SELECT staff_key {tutored}")).await?.first().copied();
    let posts = async |posts: &str| {
        let sql = format!(
            "SELECT staff_key FROM stg_staff WHERE post IN ({posts}) AND superseded_at IS NULL ORDER BY staff_key DESC LIMIT 8"
        );
        keys(house, &sql).await
    };
    let (psychologists, offices) = (posts("'psychologist'").await?, posts("'student_affairs', 'logistics'").await?);
    let office = |at: usize| offices.get(at % offices.len().max(1)).copied();
    let counselors = keys(house, "SELECT counselor_key FROM dim_student WHERE counselor_key IS NOT NULL GROUP BY counselor_key ORDER BY count(*) DESC, counselor_key LIMIT 2").await?;
    let student = keys(house, "SELECT student_key FROM portrait_student WHERE as_of_on = (SELECT max(as_of_on) FROM portrait_student) ORDER BY known_n DESC, student_key LIMIT 1").await?;
    let counselor = |at: usize| counselors.get(at).copied();
    let accounts = [
        ("leader", "leader", "校领导（示例）", "university", None),
        ("psychology_head", "psychology_head", "心理中心主任（示例）", "university", psychologists.last().copied()),
        ("psychologist", "psychologist", "心理教师（示例）", "university", psychologists.first().copied()),
        ("counselor", "counselor", "辅导员（示例）", "assigned", counselor(0)),
        // Work is handed over and delegated to somebody.
        (SECOND_COUNSELOR, "counselor", "辅导员二（示例）", "assigned", counselor(1)),
        ("tutor", "tutor", "班主任（示例）", class.as_str(), tutor),
        ("college_secretary", "college_secretary", "院系副书记（示例）", college.as_str(), office(0)),
        ("college_office", "college_office", "院系学工办（示例）", college.as_str(), None),
        ("dorm_keeper", "dorm_keeper", "宿管（示例）", building.as_str(), office(1)),
        ("security", "security", "保卫处值班（示例）", "on_call", office(2)),
        ("duty_office", "duty_office", "总值班室（示例）", "on_call", office(3)),
        ("aid_centre", "aid_centre", "资助中心（示例）", "university", None),
        ("hospital", "hospital", "校医院（示例）", "on_call", None),
        ("analyst", "analyst", "数据分析师（示例）", "university", None),
        ("student", "student", "学生（示例）", "own", student.first().copied()),
        ("administrator", "administrator", "系统管理员（示例）", "university", None),
        ("auditor", "auditor", "审计员（示例）", "university", None),
    ];
    let mut logins = Vec::new();
    for (account, role, display_name, scope, person_key) in accounts {
        let grants = vec![Grant { role: role.to_owned(), scope: scope.to_owned() }];
        let new = NewAccount { account, password: Some(PASSWORD), display_name, person_key, grants };
        house.store.accounts().create(new).await?;
        if account == role {
            logins.push(DemoLogin { account: account.to_owned(), password: PASSWORD.to_owned(), role: role.to_owned() });
        }
    }
    Ok(logins)
}

/// Puts those of the demo on shift who work by shifts; no post has a backup, and two have nobody.
async fn on_shift(house: &House) -> anyhow::Result<()> {
    let now_us = house.now_us();
    let posts = [(Post::PsychologyNight, "psychologist"), (Post::DutyOffice, "duty_office"), (Post::SecurityOffice, "security")];
    for (post, account) in posts {
        let shift = DutyShift {
            post,
            account: account.to_owned(),
            backup: None,
            from_us: now_us,
            until_us: now_us + SHIFT_DAYS * casework::DAY_US,
        };
        house.store.cases().roster(&shift).await?;
    }
    Ok(())
}

/// The first column of a query over the people of the demo.
async fn keys(house: &House, sql: &str) -> anyhow::Result<Vec<i64>> {
    let rows = rows(house, sql).await?;
    Ok(rows.iter().flat_map(|it| it.column(0).as_primitive::<Int64Type>().values().to_vec()).collect())
}

/// The same where it holds words.
async fn words(house: &House, sql: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for batch in rows(house, sql).await? {
        let column = arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
        words.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(words)
}

async fn rows(house: &House, sql: &str) -> anyhow::Result<Vec<RecordBatch>> {
    let context = house.engine.context();
    for name in ["dim_student", "portrait_student", "list_unverified_absence", "raw_student", "stg_staff", "stg_staff_link"] {
        if let Some(table) = house.engine.table(name).await? {
            context.register_table(name, table)?;
        }
    }
    Ok(context.sql(sql).await?.collect().await?)
}
