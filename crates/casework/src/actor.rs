//! Who acts, and what they stand in to one student at one instant.

use serde::{Deserialize, Serialize};

use crate::handover::Post;

codes! {
    /// A role, as policies and accounts name it.
    Role {
        System = "system", "系统", "the platform itself";
        Student = "student", "学生", "student";
        DormHead = "dorm_head", "宿舍长", "dorm head";
        ClassRep = "class_rep", "班级心理委员", "class representative";
        Counselor = "counselor", "辅导员", "counselor";
        Tutor = "tutor", "班主任、导师", "class teacher or tutor";
        DormKeeper = "dorm_keeper", "宿管", "dormitory keeper";
        Window = "window", "窗口人员", "service window";
        Psychologist = "psychologist", "心理教师", "psychologist";
        PsychologyHead = "psychology_head", "心理中心主任", "head of the psychology centre";
        Security = "security", "保卫处值班", "security on duty";
        DutyOffice = "duty_office", "总值班室", "university duty office";
        Hospital = "hospital", "校医院", "university hospital";
        CollegeOffice = "college_office", "院系学工办", "college office";
        CollegeSecretary = "college_secretary", "院系副书记", "deputy secretary of the college";
        StudentAffairs = "student_affairs", "学工处", "student affairs";
        AidCentre = "aid_centre", "资助中心", "financial aid centre";
        Leader = "leader", "校领导", "university leader";
        Assessor = "assessor", "督导考核", "assessor";
        Analyst = "analyst", "分析师", "analyst";
        Administrator = "administrator", "管理员", "administrator";
    }
}

impl Role {
    /// Says whether the psychology record is this role's own work.
    pub fn is_psychology(self) -> bool {
        matches!(self, Role::Psychologist | Role::PsychologyHead)
    }

    /// Says whether somebody of the university's staff acts, who may declare a crisis or say that nobody answers.
    pub fn is_staff(self) -> bool {
        !matches!(self, Role::System | Role::Student | Role::DormHead | Role::ClassRep)
    }
}

/// A shift of the duty roster that somebody stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// The post that is manned.
    pub post: Post,
    /// From when, in microseconds since 1970.
    pub from_us: i64,
    /// Until when; not this instant any more.
    pub until_us: i64,
}

impl Shift {
    /// Says whether the shift runs at an instant.
    pub fn runs_at(&self, now: i64) -> bool {
        self.from_us <= now && now < self.until_us
    }
}

/// Somebody who reads or acts, with the facts about them and one student that the store looked up.
///
/// A fact that was not looked up is absent, and absent facts open nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account; `system` for the platform itself.
    pub account: String,
    /// The one role that is active.
    pub role: Role,
    /// Whether the student is theirs: as responsible counselor, tutor, or by a delegation that runs.
    pub is_responsible: bool,
    /// Whether the student's college is theirs to cover.
    pub is_of_college: bool,
    /// The shift they stand in, if any.
    pub shift: Option<Shift>,
    /// Whether the settings name them for what only a few may enter: that a student has died.
    pub is_named: bool,
}

impl Actor {
    /// Makes an actor who stands in nothing to the student.
    pub fn stranger(account: &str, role: Role) -> Self {
        Self { account: account.to_owned(), role, is_responsible: false, is_of_college: false, shift: None, is_named: false }
    }

    /// The platform itself: what a schedule or a rule does.
    pub fn system() -> Self {
        Self::stranger("system", Role::System)
    }

    /// Says whether they stand in a shift now.
    pub fn is_on_shift(&self, now: i64) -> bool {
        self.shift.as_ref().is_some_and(|it| it.runs_at(now))
    }
}
