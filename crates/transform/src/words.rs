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

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_table_of_the_house_is_told_in_chinese_without_a_word_that_judges() {
        for name in ["feat_measure", "portrait_student", "warning_student", "risk_score", "model_effect", "model_visit"] {
            let said = table(name).unwrap_or_default();
            assert!(said.ends_with('。'), "{name}: {said}");
            assert_eq!(schema::forbidden(said), [""; 0], "{name}");
        }
        assert_eq!(table("dim_student"), None);
    }
}
