//! Invented names: a common surname and a common given name, so that nobody in particular is meant.

use crate::random::Draw;

const SURNAMES: [&str; 40] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马", "罗", "梁",
    "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾", "彭", "吕",
];
const GIVEN: [&str; 48] = [
    "一一", "二宁", "三思", "小雨", "小舟", "小禾", "子一", "子安", "子涵", "天天", "天元", "文文", "文乐", "方圆", "心怡",
    "可可", "可心", "平平", "平安", "乐乐", "乐山", "安安", "安然", "宁宁", "宁远", "书白", "书言", "青青", "青禾", "明明",
    "明远", "知新", "知行", "佳佳", "佳禾", "欣欣", "欣然", "思思", "思源", "星星", "星河", "晨晨", "晨光", "雨晴", "雪松",
    "清扬", "若水", "示例",
];

/// Makes up a name.
pub(crate) fn name(draw: &mut Draw) -> String {
    format!("{}{}", draw.pick(&SURNAMES), draw.pick(&GIVEN))
}
