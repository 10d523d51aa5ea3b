//! Words that no screen, message or form of ours may show.

/// Words the house never says of a student, in both languages; compared without case.
///
/// A machine's finding is said as a fact ("近两周早餐次数减少"), a person's as a behaviour that was seen.
pub const FORBIDDEN: &[&str] = &[
    "自杀风险",
    "自杀倾向",
    "抑郁",
    "异常",
    "高危",
    "问题学生",
    "精神病",
    "心理疾病",
    "不正常",
    "suicide risk",
    "suicidal",
    "depress",
    "abnormal",
    "high-risk",
    "high risk",
    "problem student",
    "mentally ill",
];

/// Returns the forbidden words that a text holds, in the order of the list; none is the right answer.
pub fn forbidden(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    FORBIDDEN.iter().copied().filter(|it| text.contains(it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_word_is_found_whatever_stands_around_it() {
        assert_eq!(forbidden("该生有自杀倾向，系高危"), ["自杀倾向", "高危"]);
        assert_eq!(forbidden("A High-Risk student"), ["high-risk"]);
        assert_eq!(forbidden("近两周早餐次数减少"), [""; 0]);
    }
}
