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
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{column, table};

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
}
