//! What columns of campus systems are called: Chinese heads, the codes of education standards, and the house's names.

use schema::PersonKind;

/// What a column is about, as far as its head tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    /// A person's number.
    Person(PersonKind),
    /// A real name, telephone, document number or address.
    Identity,
    /// Health, family, belief, politics, discipline, aid, free text.
    Closed,
    /// When something happened.
    When,
    /// When a row was written or changed, or when something ends: no happening of its own.
    Until,
    /// A place or device.
    Place,
    /// An amount of money.
    Money,
    /// A number that tells one record from another.
    Number,
    /// A word, count or mark of no special sensitivity.
    Plain,
}

/// What is known of a head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Known {
    /// The house's name.
    pub(super) name: &'static str,
    pub(super) sense: Sense,
    /// It is a code of an education standard, which another system may use otherwise.
    pub(super) is_code: bool,
}

use PersonKind::{Staff, Student};
use Sense::{Closed, Identity, Money, Number, Person, Place, Plain, Until, When};

/// Heads as campus systems write them, without brackets and white space.
const HEADS: [(&str, Sense, &[&str]); 98] = [
    ("student_id", Person(Student), &["学号", "学生学号", "学生编号", "学籍号码", "学生号"]),
    ("staff_id", Person(Staff), &["工号", "教工号", "职工号", "教职工号", "教工编号", "人员编号", "教师工号", "教职工工号"]),
    ("counselor", Person(Staff), &["责任辅导员工号", "辅导员工号"]),
    ("approver", Person(Staff), &["审批人工号", "批准人工号"]),
    ("handler", Person(Staff), &["经办人工号", "处理人工号"]),
    ("tutor", Person(Staff), &["导师工号", "校内指导教师工号", "指导教师工号"]),
    ("inspector", Person(Staff), &["检查人工号"]),
    ("checker", Person(Staff), &["查寝人工号"]),
    ("name", Identity, &["姓名", "学生姓名", "名字", "真实姓名", "教师姓名", "职工姓名"]),
    ("phone", Identity, &["手机号", "手机", "手机号码", "联系电话", "电话", "联系方式", "本人电话", "移动电话"]),
    ("id_card", Identity, &["身份证号", "身份证", "身份证号码", "身份证件号", "证件号", "证件号码"]),
    ("email", Identity, &["邮箱", "电子邮箱", "电子邮件"]),
    ("address", Identity, &["地址", "家庭住址", "家庭地址", "住址", "通讯地址", "现住址"]),
    ("bank_account", Identity, &["银行卡号", "银行账号"]),
    ("wechat", Identity, &["微信号", "微信"]),
    ("qq", Identity, &["QQ", "QQ号"]),
    ("emergency_contact", Identity, &["紧急联系人", "紧急联系人姓名"]),
    ("emergency_phone", Identity, &["紧急联系电话", "紧急联系人电话", "家长电话", "家长联系电话", "监护人电话"]),
    ("parent_name", Identity, &["家长姓名", "监护人", "父亲姓名", "母亲姓名"]),
    ("card_no", Identity, &["卡号", "校园卡号", "一卡通号"]),
    ("exam_no", Identity, &["考生号", "准考证号"]),
    ("gender", Closed, &["性别", "性别码"]),
    ("ethnicity", Closed, &["民族", "民族码"]),
    ("political_status", Closed, &["政治面貌", "政治面貌码"]),
    ("religion", Closed, &["宗教信仰", "宗教"]),
    ("birth_date", Closed, &["出生日期", "生日", "出生年月"]),
    ("native_place", Closed, &["籍贯", "生源地"]),
    ("health", Closed, &["健康状况", "身体状况", "健康情况"]),
    ("note", Closed, &["备注", "说明", "小结", "谈话记录"]),
    ("reason", Closed, &["原因", "事由", "请假事由", "请假原因"]),
    ("content", Closed, &["内容", "描述", "问题描述", "诉求内容"]),
    ("comment", Closed, &["意见", "评语", "反馈"]),
    ("class", Plain, &["班级", "班级名称", "行政班", "行政班级", "所在班级"]),
    ("class_id", Plain, &["班号", "班级编号", "班级代码"]),
    ("college", Plain, &["学院", "院系", "所属学院", "所在学院", "学院名称", "院系名称", "系部"]),
    ("college_id", Plain, &["院系号", "学院代码", "学院编号", "院系所号"]),
    ("major", Plain, &["专业", "专业名称", "所学专业"]),
    ("major_id", Plain, &["专业码", "专业代码"]),
    ("grade", Plain, &["年级", "入学年份", "所在年级"]),
    ("study_stage", Plain, &["学段", "培养层次", "学历层次", "学生类别"]),
    ("status", Plain, &["学籍状态", "在校状态", "学生状态", "状态"]),
    ("campus", Plain, &["校区", "校区名称", "所在校区"]),
    ("boarder", Plain, &["住宿类型", "住宿方式"]),
    ("office", Plain, &["部门", "责任部门", "所在部门", "部门名称"]),
    ("unit_id", Plain, &["单位编号", "单位号", "部门编号", "部门代码"]),
    ("unit_name", Plain, &["单位名称", "单位"]),
    ("building_id", Place, &["楼栋号", "楼号", "宿舍楼号", "楼栋编号", "公寓楼号"]),
    ("building_name", Place, &["楼栋名称", "楼栋", "宿舍楼", "公寓楼", "楼名"]),
    ("floor", Place, &["楼层"]),
    ("room_id", Place, &["房间号", "寝室号", "宿舍号", "房号", "房间编号", "寝室"]),
    ("bed", Place, &["床位", "床号", "床位号"]),
    ("place", Place, &["地点", "位置", "场所", "活动地点", "消费地点"]),
    ("terminal_id", Place, &["终端号", "终端编号", "POS机号", "机具号"]),
    ("device_id", Place, &["设备号", "设备编号", "门禁编号", "闸机编号"]),
    ("device_name", Place, &["设备名称", "闸机名称"]),
    ("merchant_name", Place, &["商户名称", "商户", "消费商户"]),
    ("merchant_kind", Place, &["商户类型"]),
    ("direction", Place, &["方向", "进出方向", "出入方向", "进出"]),
    ("amount", Money, &["金额", "交易金额", "消费金额", "交易额", "发生金额"]),
    ("balance", Money, &["余额", "卡余额"]),
    ("fee", Money, &["费用", "缴费金额", "应缴金额"]),
    ("txn_id", Number, &["流水号", "交易流水号", "交易号", "流水编号"]),
    ("event_id", Number, &["事件编号", "事件号", "记录编号", "记录号"]),
    ("leave_id", Number, &["请假单号", "请假编号"]),
    ("ticket_id", Number, &["工单号", "工单编号", "报修单号"]),
    ("loan_id", Number, &["借阅编号", "借用编号"]),
    ("course_id", Number, &["课程号", "课程编号", "课程代码"]),
    ("section_id", Number, &["教学班号", "教学班"]),
    ("activity_id", Number, &["活动编号"]),
    ("record_id", Number, &["编号", "序号", "记录ID", "单号"]),
    ("course_name", Plain, &["课程名称", "课程名"]),
    ("activity_name", Plain, &["活动名称"]),
    ("term", Plain, &["学期"]),
    ("school_year", Plain, &["学年"]),
    ("score", Plain, &["成绩", "分数", "得分", "总分"]),
    ("credit", Plain, &["学分"]),
    ("level", Plain, &["级别", "等级"]),
    ("kind", Plain, &["类型", "类别", "种类", "分类"]),
    ("mode", Plain, &["方式"]),
    ("channel", Plain, &["渠道", "来源"]),
    ("result", Plain, &["结果"]),
    ("minutes", Plain, &["时长", "持续时间"]),
    ("leave_kind", Closed, &["请假类型", "请假类别"]),
    ("paid_at", When, &["交易时间", "消费时间", "支付时间", "付款时间"]),
    ("passed_at", When, &["刷卡时间", "进出时间", "通行时间", "打卡时间", "过闸时间", "识别时间"]),
    ("borrowed_at", When, &["借出时间", "借阅时间"]),
    ("checked_in_at", When, &["签到时间"]),
    ("submitted_at", When, &["提交时间", "申请时间", "受理时间"]),
    ("happened_at", When, &["时间", "日期时间", "发生时间", "记录时间", "事件时间", "操作时间"]),
    ("begins_at", When, &["开始时间", "起始时间"]),
    ("ends_at", Until, &["结束时间", "截止时间", "终止时间"]),
    ("returned_at", Until, &["归还时间", "销假时间", "返校时间"]),
    ("approved_at", Until, &["审批时间", "批准时间", "审核时间"]),
    ("updated_at", Until, &["更新时间", "修改时间", "创建时间", "入库时间"]),
    ("happened_on", When, &["日期", "发生日期"]),
    ("begins_on", When, &["开始日期", "起始日期"]),
    ("ends_on", Until, &["结束日期", "截止日期", "失效日期"]),
    ("moved_in_on", Until, &["入住日期", "入学日期"]),
];

/// Names of fields of JY/T 1001, 1002, 1006 and their neighbours, as vendors' tables have them.
const CODES: [(&str, Sense, &[&str]); 33] = [
    ("student_id", Person(Student), &["xh"]),
    ("staff_id", Person(Staff), &["jzgh", "gh", "jgh", "zgh"]),
    ("name", Identity, &["xm"]),
    ("id_card", Identity, &["sfzjh", "sfzh"]),
    ("phone", Identity, &["sjh", "lxdh", "sjhm", "yddh"]),
    ("email", Identity, &["dzxx", "dzyx"]),
    ("address", Identity, &["jtzz", "txdz", "jtdz"]),
    ("card_no", Identity, &["kh", "ykth"]),
    ("exam_no", Identity, &["ksh"]),
    ("gender", Closed, &["xbm", "xb"]),
    ("birth_date", Closed, &["csrq"]),
    ("ethnicity", Closed, &["mzm", "mz"]),
    ("political_status", Closed, &["zzmmm", "zzmm"]),
    ("native_place", Closed, &["jgm", "jg", "syd"]),
    ("health", Closed, &["jkzkm"]),
    ("note", Closed, &["bz"]),
    ("college_id", Plain, &["yxsh", "yxsdm", "xydm"]),
    ("college", Plain, &["yxsmc", "yxmc", "xymc"]),
    ("unit_id", Plain, &["dwh", "dwdm"]),
    ("unit_name", Plain, &["dwmc"]),
    ("major_id", Plain, &["zym", "zyh", "zydm"]),
    ("major", Plain, &["zymc"]),
    ("class_id", Plain, &["bh", "szbh", "bjdm"]),
    ("class", Plain, &["bjmc"]),
    ("grade", Plain, &["sznj", "nj", "rxny", "rxnf"]),
    ("study_stage", Plain, &["pyccm", "xslbm"]),
    ("status", Plain, &["xsdqztm", "xjzt"]),
    ("campus", Plain, &["xqh", "xqdm"]),
    ("school_year", Plain, &["xn", "xnd"]),
    ("building_id", Place, &["ldh", "ssldm"]),
    ("room_id", Place, &["fjh", "ssh"]),
    ("bed", Place, &["cwh"]),
    ("course_id", Number, &["kch", "kcdm"]),
];

/// What a head is known as; brackets, stars and white space do not count.
pub(super) fn known(head: &str) -> Option<Known> {
    let bare = bare(head);
    let find = |table: &'static [(&'static str, Sense, &'static [&'static str])], is_code| {
        let row = table.iter().find(|(_, _, heads)| heads.iter().any(|it| it.eq_ignore_ascii_case(&bare)))?;
        Some(Known { name: row.0, sense: row.1, is_code })
    };
    find(&HEADS, false).or_else(|| find(&CODES, true)).or_else(|| {
        // The house's own names mean what they mean.
        let row = HEADS.iter().find(|(name, ..)| *name == bare)?;
        Some(Known { name: row.0, sense: row.1, is_code: false })
    })
}

/// A head without what is in brackets, stars, white space and full-width letters.
pub(super) fn bare(head: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    for it in head.chars() {
        match it {
            '(' | '（' | '[' | '【' => depth += 1,
            ')' | '）' | ']' | '】' => depth = depth.saturating_sub(1),
            '*' | '＊' | ':' | '：' => {}
            it if it.is_whitespace() || 0 < depth => {}
            '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(u32::from(it) - 0xfee0)),
            it => out.push(it),
        }
    }
    out
}

/// What a head that stands in no table tells by its last words, or by words in it.
pub(super) fn hinted(head: &str) -> Option<Sense> {
    let text = bare(head);
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(['_', '-', '.']).collect();
    let ends = |with: &[&str]| with.iter().any(|it| text.ends_with(it));
    let has = |any: &[&str]| any.iter().any(|it| text.contains(it));
    let word = |any: &[&str]| words.iter().any(|it| any.contains(it));
    // From the most to the least sensitive: where two senses fit, the safer one holds.
    if ends(&["学号"]) || lower == "student_no" {
        return Some(Person(Student));
    }
    if ends(&["工号"]) || lower == "staff_no" || lower == "teacher_id" {
        return Some(Person(Staff));
    }
    let contact = [
        "姓名",
        "电话",
        "手机",
        "身份证",
        "证件号",
        "邮箱",
        "微信",
        "QQ",
        "住址",
        "地址",
        "银行卡",
        "联系人",
        "联系方式",
        "照片",
        "人脸",
    ];
    if has(&contact) || word(&["phone", "mobile", "email", "address", "idcard", "surname", "fullname"]) {
        return Some(Identity);
    }
    let closed = [
        "备注", "原因", "事由", "说明", "描述", "内容", "意见", "小结", "评语", "反馈", "谈话", "日志", "心理", "咨询", "健康",
        "病", "诊断", "医", "残疾", "用药", "家庭", "父亲", "母亲", "父母", "家长", "监护", "婚", "宗教", "信仰", "民族", "政治",
        "党", "入团", "处分", "违纪", "违规", "惩", "困难", "贫困", "低保", "资助", "助学", "补助", "孤儿", "单亲", "情况",
        "性别", "籍贯", "血型", "出生",
    ];
    let closed_words = [
        "note",
        "notes",
        "remark",
        "remarks",
        "comment",
        "comments",
        "reason",
        "health",
        "disease",
        "diagnosis",
        "family",
        "religion",
        "ethnicity",
        "nation",
        "gender",
        "sex",
        "birthday",
        "birth",
        "punishment",
        "aid",
        "poverty",
    ];
    if has(&closed) || word(&closed_words) {
        return Some(Closed);
    }
    if has(&["金额", "余额", "(元)", "（元）", "费"]) && !has(&["免费"])
        || head.contains("元)")
        || head.contains("元）")
        || word(&["amount", "balance", "fee", "price", "yuan", "cost"])
    {
        return Some(Money);
    }
    if has(&["结束", "截止", "失效", "更新", "修改", "创建", "审批", "审核", "归还", "返校", "毕业"]) && ends(&["时间", "日期"])
        || word(&["updated", "created", "modified", "ended", "ends"])
    {
        return Some(Until);
    }
    if ends(&["时间", "日期", "时刻", "日"]) || word(&["time", "date", "datetime", "timestamp", "at", "on"]) {
        return Some(When);
    }
    let place = [
        "楼", "房间", "寝室", "宿舍", "床位", "地点", "位置", "校门", "终端", "设备", "闸机", "商户", "食堂", "教室", "经度",
        "纬度",
    ];
    if has(&place) || word(&["building", "room", "place", "location", "terminal", "device", "gate", "latitude", "longitude"]) {
        return Some(Place);
    }
    if ends(&["编号", "单号", "流水号", "序号", "代码", "号", "码"])
        || lower.ends_with("_id")
        || lower.ends_with("_no")
        || lower == "id"
    {
        return Some(Number);
    }
    None
}

/// An ASCII head as a snake_case word; `None` if nothing is left of it, or it begins with a digit.
pub(super) fn snake(head: &str) -> Option<String> {
    let text = bare(head);
    if !text.is_ascii() {
        return None;
    }
    let mut out = String::new();
    let mut was_lower = false;
    for it in text.chars() {
        if it.is_ascii_alphanumeric() {
            if it.is_ascii_uppercase() && was_lower {
                out.push('_');
            }
            was_lower = it.is_ascii_lowercase() || it.is_ascii_digit();
            out.push(it.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
            was_lower = false;
        }
    }
    let out = out.trim_matches('_').to_owned();
    out.starts_with(|it: char| it.is_ascii_lowercase()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn heads_of_campus_systems_are_known() {
        #[track_caller]
        fn check(head: &str, name: &str, sense: Sense) {
            let found = known(head).unwrap_or_else(|| panic!("{head} is not known"));
            assert_eq!((found.name, found.sense), (name, sense), "{head}");
        }
        check("学号",             "student_id",       Person(Student));
        check(" 学 号 *",         "student_id",       Person(Student));
        check("工号（必填）",     "staff_id",         Person(Staff));
        check("责任辅导员工号",   "counselor",        Person(Staff));
        check("姓名",             "name",             Identity);
        check("ＱＱ号",           "qq",               Identity);
        check("班级",             "class",            Plain);
        check("学院",             "college",          Plain);
        check("楼栋号",           "building_id",      Place);
        check("房间号",           "room_id",          Place);
        check("交易金额(元)",     "amount",           Money);
        check("刷卡时间",         "passed_at",        When);
        check("政治面貌",         "political_status", Closed);
        check("XH",               "student_id",       Person(Student));
        check("xm",               "name",             Identity);
        check("XBM",              "gender",           Closed);
        check("YXSH",             "college_id",       Plain);
        check("BH",               "class_id",         Plain);
        check("student_id",       "student_id",       Person(Student));
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn heads_nobody_listed_are_judged_on_the_safe_side() {
        #[track_caller]
        fn check(head: &str, sense: Option<Sense>) {
            assert_eq!(hinted(head), sense, "{head}");
        }
        check("班主任工号",       Some(Person(Staff)));
        check("室友学号",         Some(Person(Student)));
        check("监护人手机",       Some(Identity));
        check("家庭年收入(元)",   Some(Closed));
        check("心理测评得分",     Some(Closed));
        check("入党时间",         Some(Closed));
        check("充值金额",         Some(Money));
        check("离校日期",         Some(When));
        check("毕业日期",         Some(Until));
        check("图书馆位置",       Some(Place));
        check("物资编号",         Some(Number));
        check("home_address",     Some(Identity));
        check("created_at",       Some(Until));
        check("颜色",             None);
    }

    #[test]
    fn names_are_listed_once() {
        let mut heads: Vec<&str> = HEADS.iter().chain(&CODES).flat_map(|it| it.2.iter().copied()).collect();
        heads.sort_unstable();
        let twice: Vec<_> = heads.windows(2).filter(|it| it[0] == it[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn ascii_heads_become_words() {
        assert_eq!(snake("StudentName").as_deref(), Some("student_name"));
        assert_eq!(snake("Order No.").as_deref(), Some("order_no"));
        assert_eq!(snake("2025"), None);
        assert_eq!(snake("姓名"), None);
    }
}
