//! What the tables that the house writes out are, in Chinese: the screens' half of the sentence beside their making.

/// The sentence of a table; `None` for one that a file describes.
pub(crate) fn table(name: &str) -> Option<&'static str> {
    Some(match name {
        "feat_measure" => "度量长表：每名学生在基准日的每项指标，附样本量、设备覆盖、与自己以往和与同类相比的偏离。",
        "closed_measure" => "封闭度量：每名学生在周一基准日的封闭指标（与谁在一起、身体方面），仅供心理工作使用。",
        "portrait_tag" => "画像标签：自何时起有此事实、依据什么记录、到哪天失效。",
        "portrait_student" => "一键画像：基准日对一名学生的所知，包括身份与所在，以及每项指标。",
        "warning_signal" => "趋势信号：学生自己的周趋势离开以往的部分，已扣除所在群体的共同变化；以及这些一起变化的群体。",
        "warning_group" => "环境变化：学生一起变化的楼栋、楼层、班级、专业和学院。这是场所与安排的事，不是个人的事。",
        "warning_candidate" => "候选提示：规则、趋势和风险模型在某日关于学生的发现，尚未合并，也未按可用工时取舍。",
        "warning_student" => "关怀提示：有日期、有解释的关注建议，每名学生一条；以及不分级的发现（数据无记录）。",
        "quality_source_day" => "数据到达日统计：每个事件来源在每个校园日各时段送来的行数。",
        "drift_column_day" => "数据取值日统计：声明为编码或数值的列，每个校园日各取值出现的次数；用于比较取值的分布是否变化。",
        "model_version" => "模型版本：风险模型的每个版本，从什么数据学习、如何评判，以及模型本身。",
        "model_backtest" => "回测：风险模型逐周会有多大用处，与规则、地点和随机相比。",
        "model_drift" => "漂移：风险模型的输入自学习以来变化了多少；已冻结的模型不产生提示。",
        "risk_score" => "风险评分：风险模型对其人群中结果尚未知的每名学生的评分，以及得出评分的那行数据。",
        "model_audit" => "公平性审计：风险模型的名单对各类学生是否一视同仁；仅供审计人员查看。",
        "model_effect" => "跟进效果：把情况相近、其中一人有人联系的学生配成对，看四周后变化是否还在。关怀人数不足十的不显示。",
        "model_visit" => {
            "相对走访所见召回：提示找到了谁、漏了谁，与随机抽取房间的走访所见相比。走访不是临床评估。抽中房间见到的不足60人，或希望得到支持的不足10人，不显示。"
        }
        _ => return None,
    })
}

/// The meaning of a column of such a table; `None` for one whose English words stand alone.
pub(crate) fn column(table: &str, column: &str) -> Option<&'static str> {
    Some(match (table, column) {
        ("feat_measure" | "closed_measure", "measure") => "指标名称，即其在 sql/measures 中的文件。",
        ("feat_measure" | "closed_measure", "value") => "以指标自己的单位计的值；样本或覆盖不足时为空（数据不足）。",
        ("feat_measure" | "closed_measure", "n") => "样本量：这个值依据多少次观测。",
        ("feat_measure" | "closed_measure", "cov") => "覆盖：设备应在线时间中实际观测到的比例。",
        ("feat_measure" | "closed_measure", "z_self") => "与自己以往教学周的偏离，以稳健标准差计。",
        ("feat_measure" | "closed_measure", "z_peer") => "与同一日期同类学生的偏离，以稳健标准差计。",
        ("portrait_tag", "tag") => "由 sql/tags 中的哪个文件得出。",
        ("portrait_tag", "since_on") => "自哪一天起如此。",
        ("portrait_tag", "expires_on") => "如不再出现，说到哪一天为止。",
        ("portrait_tag", "n") => "依据的记录行数。",
        ("portrait_tag", "evidence_zh") => "依据，中文一句话。",
        ("portrait_tag", "evidence_en") => "依据，英文一句话。",
        ("portrait_tag", "source") => "依据所在的表。",
        ("portrait_student", "measures_n") => "为该生计算的指标数。",
        ("portrait_student", "known_n") => "其中样本和覆盖足够的指标数。",
        ("warning_group", "group_kind") => "building 楼栋、floor 楼层、class 班级、major 专业或 college 学院。",
        ("warning_group", "group_id") => "是哪一个。",
        ("warning_group", "trend") => "sql/trend 中的文件。",
        ("warning_group", "since_on") => "变化持续以来第一周的第一天。",
        ("warning_group", "n") => "该群体有数值的学生数。",
        ("warning_group", "shift") => "群体中位数超出更大群体所能解释的部分，以稳健标准差计。",
        ("warning_group", "t") => "该偏离是其标准误的多少倍。",
        ("warning_candidate" | "warning_student", "owner_key") => "由谁跟进，以假名表示。",
        ("warning_candidate" | "warning_student", "rule") => {
            "由 sql/warning、sql/trend 或 sql/risk 中的哪个文件发现；提示取其中最强的一个。"
        }
        ("warning_candidate" | "warning_student", "thread") => {
            "其后的工作类别：academic 学业、life_aid 生活与资助或 safety 安全核实。"
        }
        ("warning_candidate" | "warning_student", "severity") => "1级；提示中两个独立渠道都有变化时为2级；不分级的发现为空。",
        ("warning_candidate" | "warning_student", "since_on") => "自哪一天起如此。",
        ("warning_candidate" | "warning_student", "baseline") => "以往通常的值，以该规则或趋势的单位计。",
        ("warning_candidate" | "warning_student", "now_value") => "现在的值，以该规则或趋势的单位计。",
        ("warning_candidate" | "warning_student", "n") => "样本量。",
        ("warning_candidate" | "warning_student", "cov") => "覆盖。",
        ("warning_candidate" | "warning_student", "reason_zh") => "变化了什么，以事实表述，中文，每条一行。",
        ("warning_candidate" | "warning_student", "reason_en") => "变化了什么，以事实表述，英文，每条一行。",
        ("warning_candidate" | "warning_student", "explanations") => "查找并找到的解释，以逗号分隔；没有时为空。",
        ("warning_candidate" | "warning_student", "last_seen_at") => "发现：任何渠道的最近一次记录。",
        ("warning_candidate" | "warning_student", "last_seen_source") => "发现：该记录来自哪个渠道。",
        ("warning_candidate", "channel") => "在哪个渠道看到。",
        ("warning_student", "warning_id") => "提示的编号：持续期间不变。",
        ("warning_student", "rules") => "有所发现的全部文件，最强的在前，以逗号分隔。",
        ("warning_student", "channels") => "在哪些渠道看到，以逗号分隔。",
        ("warning_student", "issued_on") => "首次提示的基准日。",
        ("quality_source_day", "source") => "数据来源。",
        ("quality_source_day", "rows_n") => "行数。",
        ("quality_source_day", "night_n") => "00:00 至 06:00 的行数。",
        ("quality_source_day", "morning_n") => "06:00 至 12:00 的行数。",
        ("quality_source_day", "afternoon_n") => "12:00 至 18:00 的行数。",
        ("quality_source_day", "evening_n") => "18:00 至 24:00 的行数。",
        ("quality_source_day", "late_n") => "比自己那天晚两天或以上才到的行数。",
        ("quality_source_day", "occurred_on") => "校园日。",
        ("drift_column_day", "source") => "数据来源。",
        ("drift_column_day", "column_name") => "数据约定中的列。",
        ("drift_column_day", "bucket") => "编码的取值；数值则为所在的档；没有值时为空。",
        ("drift_column_day", "place") => "数值所在的档，每档八分之一倍频；编码为空。",
        ("drift_column_day", "rows_n") => "行数。",
        ("drift_column_day", "occurred_on") => "校园日。",
        ("quality_source_day", "after_end_n") => "当日结束后才为系统所知的行数：次日的各表未用到它们。",
        ("warning_signal", "trend") => "sql/trend 中的文件。",
        ("warning_signal", "subject_kind") => "person 个人，或群体的类别，如 building 楼栋。",
        ("warning_signal", "subject_id") => "个人的假名或群体的名称，以文字表示。",
        ("warning_signal", "student_key") => "该生，以假名表示；群体为空。",
        ("warning_signal", "is_standing") => "信号是否持续：到过界限，且没有回落到界限的一半以下。",
        ("warning_signal", "since_on") => "变化开始那一周的第一天。",
        ("warning_signal", "baseline") => "此前各周的中位数，以该趋势的单位计；群体为空。",
        ("warning_signal", "now_value") => "此后各周的中位数，以该趋势的单位计；群体为空。",
        ("warning_signal", "n") => "此后各周的天数或次数；群体为其学生数。",
        ("warning_signal", "cov") => "此后各周中最低的覆盖。",
        ("warning_signal", "z") => "最近一周与自己以往的偏离，已扣除群体变化，以稳健标准差计，越大变化越不利；群体为其偏离。",
        ("warning_signal", "shift") => "因所在群体一起变化而从最近一周扣除的部分。",
        ("warning_signal", "ewma") => "z 的移动平均；群体为空。",
        ("warning_signal", "cusum") => "单侧累积和；群体为其偏离是标准误的多少倍。",
        ("warning_signal", "reason_zh") => "变化了什么，以事实表述，中文；群体为空。",
        ("warning_signal", "reason_en") => "变化了什么，以事实表述，英文；群体为空。",
        ("warning_signal", "input") => "得出各数字的那行数据，JSON 格式；群体为空。",
        ("warning_candidate" | "warning_student", "score") => {
            "排序的依据：趋势为其累积和；提示为各项发现合起来有多罕见，并按以往同类发现的用处加权。"
        }
        ("warning_student", "input") => {
            "得出排序分的依据，JSON 格式：每个渠道最强的发现、其少见程度、以往同一规则的用处；以及据以决定的内容：每条规则所见的那行数据、规则查询的哈希和此前的提示。"
        }
        ("model_version" | "model_backtest" | "model_drift" | "risk_score" | "model_audit", "model") => "sql/risk 中的文件。",
        ("model_version", "version") => "训练日期和哈希的前几位。",
        ("model_version", "kind") => "logistic 逻辑回归、forest 随机森林或 boost 提升树。",
        ("model_version", "label") => "学习的结果。",
        ("model_version", "trained_on") => "只从该日之前已经结束且已知的数据学习。",
        ("model_version", "known_at") => "最早可用于评分的时刻：该日开始之时。",
        ("model_version", "n_rows") => "学习所用的行数。",
        ("model_version", "n_positive") => "其中后来出现该结果的行数。",
        ("model_version", "budget") => "每周名单上的学生数。",
        ("model_version", "is_offered") => "回测表明它优于最好的单条规则和地点。",
        ("model_version", "reason_zh") => "可用或不可用的理由，中文。",
        ("model_version", "reason_en") => "可用或不可用的理由，英文。",
        ("model_version", "card") => "模型卡，JSON 格式，不含分组数据。",
        ("model_version", "hash") => "模型的 BLAKE3 哈希。",
        ("model_version", "bytes") => "模型本身，十六进制：只有数字，以后各版本的程序都能用它评分。",
        ("model_version", "calibration") => "由分数换算为概率的对照，JSON 格式。",
        ("model_version", "reference") => "学习所用的数值，不含个人，JSON 格式：用来判断漂移。",
        ("model_backtest", "judged_on") => "以该日已知的结果评判。",
        ("model_backtest", "known_at") => "该日开始之时。",
        ("model_backtest", "chosen") => "命中最多的候选模型。",
        ("model_backtest", "report") => "除分组以外的全部内容，JSON 格式。",
        ("model_backtest", "subgroups") => "各分组的比率，JSON 格式；仅供审计人员。",
        ("model_drift", "version") => "将用于评分的版本。",
        ("model_drift", "input") => "指标。",
        ("model_drift", "known_before") => "学习时有值的行所占比例。",
        ("model_drift", "known_now") => "该日有值的行所占比例。",
        ("model_drift", "coverage_psi") => "有值与无值的总体稳定性指数（PSI）。",
        ("model_drift", "value_psi") => "有值者数值的总体稳定性指数（PSI）。",
        ("model_drift", "level") => "quiet 平稳、look 需查看或 freeze 冻结。",
        ("model_drift", "is_coverage") => "覆盖本身已经变化：先查设备。",
        ("risk_score", "version") => "评分所用的版本。",
        ("risk_score", "score") => "分数，0 至 1：用于排序。",
        ("risk_score", "probability") => "以往分数相近者中后来出现该结果的比例。",
        ("risk_score", "base_rate") => "以往全部行中后来出现该结果的比例。",
        ("risk_score", "known_n") => "有值的输入项数。",
        ("risk_score", "is_listed") => "在该日的名单上；名单长度取决于可用工时。",
        ("risk_score", "is_offered") => "在名单上，且模型可用、未冻结。",
        ("risk_score", "contributions") => "每项输入使分数增减多少，JSON 格式；沿路径可加，并非 Shapley 值。",
        ("risk_score", "input") => "输入的那行数据，JSON 格式：可重算出同样的分数。",
        ("risk_score", "reason_zh") => "名单上的学生：与众不同之处，以事实表述，中文。",
        ("risk_score", "reason_en") => "名单上的学生：与众不同之处，以事实表述，英文。",
        ("model_audit", "attribute") => "按什么分组。",
        ("model_audit", "subgroup") => "哪一组。",
        ("model_audit", "rate") => "selection 列入率、precision 命中率、false_positive 误列率或 false_negative 漏列率。",
        ("model_audit", "n_rows") => "该比率依据的行数。",
        ("model_audit", "n_students") => "该比率依据的学生数。",
        ("model_audit", "value") => "比率；不足30行或30人时为空。",
        ("model_audit", "ratio") => "该比率与全体的比值。",
        ("model_audit", "is_flagged") => "区间落在 0.8 至 1.25 之外。",
        (
            "model_audit" | "model_visit",
            "value_low" | "ratio_low" | "prevalence_low" | "ppv_low" | "recall_low" | "missed_low",
        ) => "其 95% 区间的下限。",
        (
            "model_audit" | "model_visit",
            "value_high" | "ratio_high" | "prevalence_high" | "ppv_high" | "recall_high" | "missed_high",
        ) => "其 95% 区间的上限。",
        ("model_visit", "status") => "no_visits 尚无走访、too_few 样本不足或 estimated 已估计。",
        ("model_visit", "seen_n") => "见到的人数。",
        ("model_visit", "random_n") => "其中在随机抽取的房间见到的人数。",
        ("model_visit", "prevalence") => "希望得到支持者的比例；以走访所见为准。",
        ("model_visit", "ppv") => "有提示者中希望得到支持的比例；以走访所见为准。",
        ("model_visit", "recall") => "希望得到支持者中有提示的比例；以走访所见为准。",
        ("model_visit", "missed") => "没有提示者中希望得到支持的比例；以走访所见为准。",
        ("model_effect", "verdict") => {
            "too_few 样本不足、no_effect 看不出作用、less 联系之后更少或 more 联系之后更多：指四周后仍有变化的情形。"
        }
        ("model_effect", "lift") => "有人联系者的（实际－预计）减去与其配对者的同一差值，以比例计；负数为更少。",
        ("model_effect", "lift_low") => "其 99% 区间的下限。",
        ("model_effect", "lift_high") => "其 99% 区间的上限。",
        ("model_effect", "students_n") => "各周有过变化的学生数。",
        ("model_effect", "contacted_n") => "其中两周内有人谈过的学生数。",
        ("model_effect", "matched_n") => "其中找到情况相近者配对的学生数。",
        ("model_effect", "match_rate") => "有人联系者中配成对的比例。",
        ("model_effect", "similarity") => "配对后两组的重合程度，0 至 1。",
        ("model_effect", "doubts") => {
            "存疑的理由，以逗号分隔：few_students 人数少、few_matches 配对少、not_alike 两组不相近、too_good 好得可疑。"
        }
        // The key of the person, in tables that have one; a project may name it otherwise.
        (
            "feat_measure" | "closed_measure" | "portrait_tag" | "warning_candidate" | "warning_student" | "risk_score",
            "student_key",
        ) => "该生，以假名表示。",
        (_, "as_of_on") => "基准日。",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schema::Subject;

    use super::{column, table};
    use crate::issued;

    #[test]
    fn a_table_of_the_house_is_told_in_chinese_without_a_word_that_judges() {
        for name in ["feat_measure", "portrait_student", "warning_student", "risk_score", "model_effect", "model_visit"] {
            let said = table(name).unwrap_or_default();
            assert!(said.ends_with('。'), "{name}: {said}");
            assert_eq!(schema::forbidden(said), [""; 0], "{name}");
        }
        assert_eq!(table("dim_student"), None);
        for (table, name) in [("feat_measure", "value"), ("portrait_tag", "since_on"), ("warning_student", "severity")] {
            let said = column(table, name).unwrap_or_default();
            assert!(said.ends_with('。'), "{table}.{name}: {said}");
        }
        assert_eq!(column("dim_student", "value"), None, "the same name says something else elsewhere");
    }

    #[test]
    fn every_column_of_every_table_of_the_house_is_told_in_chinese() {
        let subject: Subject = serde_json::from_value(serde_json::json!({
            "table": "dim_student", "key": "student_key", "peer": [], "peer_wide": [], "peer_min": 5, "self_weeks": 8, "self_weeks_min": 3,
        }))
        .unwrap();
        let text = r#"/*---
kind = "risk"
about = "Everybody."
title_zh = "名单"
title_en = "List"
owner = "school"
purpose = ["trend_warning"]
thread = "academic"
label = "label_failure"
candidates = ["logistic"]
baselines = ["low:effort"]
inputs = ["effort"]
caveat_zh = "不说明原因。"
caveat_en = "It gives no reason."
---*/
SELECT student_key FROM dim_student
"#;
        let risk = schema::Model::parse(std::path::Path::new("sql/risk/failing.sql"), text, &BTreeMap::new()).unwrap();
        let mut nodes = vec![
            issued::feat_measure(&[], &subject),
            issued::closed_measure(&[], &subject),
            issued::portrait_tag(&[], &subject),
            issued::warning_signal(&subject),
            issued::warning_group(),
            issued::warning_candidate(&[], &[], &[], &subject),
            issued::warning_student(&subject, &[], None),
            issued::quality_source_day(&[]),
            crate::effect::node(&subject),
            crate::seen::node(&subject),
        ];
        let of_risks = crate::risk::generated(&[&risk], Vec::new(), Some(&subject));
        assert_eq!(of_risks.len(), 5, "a table of risk models is missing");
        nodes.extend(of_risks);
        for node in &nodes {
            assert!(node.about_zh.as_deref().is_some_and(|it| it.ends_with('。')), "{} has no words", node.name);
            assert!(!node.columns.is_empty(), "{} has no columns", node.name);
            for name in node.columns.keys() {
                let said = column(&node.name, name).unwrap_or_default();
                assert!(said.ends_with('。'), "{}.{name} is told in English only: {said}", node.name);
                assert_eq!(schema::forbidden(said), [""; 0], "{}.{name}", node.name);
            }
        }
    }
}
