//! Which of a user's predicates may be evaluated on rows that the user may not see.

use datafusion::logical_expr::{Expr, Operator};

/// Says whether a predicate can go below the policy filter: it cannot fail, calls nothing, and reads only columns
/// for which `is_plain` holds.
///
/// Comparison of a column with a literal, `IN` a list of literals, `BETWEEN` literals, `IS [NOT] NULL`, a Boolean
/// column, and AND, OR, NOT of these. A cast, a division or a function is not among them: its error would tell.
pub(crate) fn is_leakproof(predicate: &Expr, is_plain: &impl Fn(&str) -> bool) -> bool {
    let is_column = |it: &Expr| matches!(it, Expr::Column(column) if is_plain(&column.name));
    let is_literal = |it: &Expr| matches!(it, Expr::Literal(_, _));
    match predicate {
        Expr::BinaryExpr(it) if matches!(it.op, Operator::And | Operator::Or) => {
            is_leakproof(&it.left, is_plain) && is_leakproof(&it.right, is_plain)
        }
        Expr::BinaryExpr(it) => {
            is_comparison(it.op) && (is_column(&it.left) && is_literal(&it.right) || is_literal(&it.left) && is_column(&it.right))
        }
        Expr::InList(it) => is_column(&it.expr) && it.list.iter().all(is_literal),
        Expr::Between(it) => is_column(&it.expr) && is_literal(&it.low) && is_literal(&it.high),
        Expr::IsNull(it) | Expr::IsNotNull(it) => is_column(it),
        Expr::Not(it) => is_leakproof(it, is_plain),
        Expr::Column(_) => is_column(predicate),
        _ => false,
    }
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;
    use datafusion::logical_expr::{cast, lit};
    use datafusion::prelude::col;

    use super::*;

    #[track_caller]
    fn check(predicate: Expr, expected: bool) {
        assert_eq!(is_leakproof(&predicate, &|it| it != "masked"), expected, "{predicate}");
    }

    #[test]
    fn only_what_cannot_fail_or_tell_goes_below() {
        check(col("a").eq(lit(1)), true);
        check(lit(1).lt(col("a")), true);
        check(col("a").in_list(vec![lit(1), lit(2)], true), true);
        check(col("a").between(lit(1), lit(2)), true);
        check(col("a").is_null().or(col("b").gt(lit(1))), true);
        check(col("masked").eq(lit(1)), false);
        check(col("masked").is_not_null(), false);
        check(col("a").eq(lit(1)).or(col("masked").eq(lit(1))), false);
        check(col("a").eq(col("b")), false);
        check(cast(col("a"), DataType::Int64).eq(lit(1)), false);
        check((lit(1) / col("a")).eq(lit(1)), false);
        check(col("a").like(lit("x%")), false);
    }
}
