//! Ways to make a query tell of rows and columns that it does not return. Each was found to work somewhere.

use crate::campus::{answer, counselor, key, open, principal};

/// Student 7 is not the counselor's: the phone number must appear in no answer and no error.
const STRANGER: &str = "13800000007";

async fn refused(sql: &str) -> (String, String) {
    let session = open(counselor()).await;
    let (sqlstate, message) = answer(&session, sql).await.expect_err(sql);
    assert!(!message.contains("1380000"), "{sql}: {message}");
    (sqlstate, message)
}

async fn rows(sql: &str) -> Vec<String> {
    answer(&open(counselor()).await, sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

#[tokio::test]
async fn an_error_tells_neither_another_ones_number_nor_ones_own() {
    let theirs = key(7);
    let cast = format!("cast(CASE WHEN student_key = {theirs} THEN phone || 'x' ELSE '1' END AS bigint)");
    // The row of the stranger is not there to be cast, so nothing fails.
    assert_eq!(rows(&format!("SELECT count(*) FROM card WHERE {cast} > 0")).await, ["20"]);
    assert_eq!(rows(&format!("SELECT min({cast}) FROM card")).await, ["1"]);
    assert_eq!(
        rows(&format!(
            "SELECT count(*) FROM card c JOIN dim_student d ON c.student_key = d.student_key AND {} > 0",
            cast.replace("student_key", "c.student_key")
        ))
        .await,
        ["20"]
    );
    // Of visible rows the cast fails, and says so in fixed words.
    let (sqlstate, message) = refused("SELECT count(*) FROM card WHERE cast(phone || 'x' AS bigint) > 0").await;
    assert_eq!((sqlstate.as_str(), message.as_str()), ("22018", "a value cannot be cast to the type asked for"));
}

#[tokio::test]
async fn a_division_by_zero_tells_of_no_hidden_row() {
    for hidden in ["phone = '13800000007'", "phone = '13800000011'", "student_key IS NULL", "student_key = 42"] {
        let sql = format!("SELECT count(*) FROM card WHERE 1 / (CASE WHEN {hidden} THEN 0 ELSE 1 END) = 1");
        assert_eq!(rows(&sql).await, ["20"], "{hidden}");
    }
    let (sqlstate, message) = refused("SELECT 1 / (txn_no - txn_no) FROM card").await;
    assert_eq!((sqlstate.as_str(), message.as_str()), ("22012", "division by zero"));
}

#[tokio::test]
async fn a_condition_on_a_masked_column_sees_the_mask() {
    // Amounts are 250 + 137 n: none is a multiple of 500, but every bin is.
    assert_eq!(rows("SELECT count(*) FROM card WHERE amount_fen % 500 <> 0").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM card WHERE amount_fen = 250").await, ["0"]);
    assert_ne!(rows("SELECT count(*) FROM card WHERE amount_fen = 0").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM card WHERE amount_fen BETWEEN 251 AND 499").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM card WHERE minute_of_day IS NOT NULL").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM card WHERE date_part('minute', occurred_at) <> 0").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM card WHERE note IS NOT NULL").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM card WHERE note LIKE 'secret%' OR note IN ('secret 0')").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM card c JOIN (VALUES ('secret 0')) AS v(note) ON c.note = v.note").await, ["0"]);
}

#[tokio::test]
async fn order_and_limit_see_the_mask_and_the_scope() {
    let top = rows("SELECT amount_fen, student_key FROM card ORDER BY amount_fen DESC, txn_no LIMIT 3").await;
    assert!(top.iter().all(|it| it.split('|').next().expect("column").ends_with("00")), "{top:?}");
    assert_eq!(rows("SELECT txn_no FROM card LIMIT 100").await.len(), 20);
    assert_eq!(rows("SELECT txn_no FROM card ORDER BY txn_no DESC LIMIT 1").await, ["51"]);
    assert_eq!(rows("SELECT txn_no FROM card ORDER BY txn_no OFFSET 19").await, ["51"]);
}

#[tokio::test]
async fn every_way_to_name_a_table_gives_the_same_rows() {
    let all = "WITH c AS (SELECT * FROM card) SELECT count(*) FROM c";
    let ways = [
        all,
        "SELECT count(*) FROM card",
        "SELECT count(1) FROM lake.public.card",
        "SELECT count(*) FROM public.card AS c",
        "SELECT count(student_key) FROM (SELECT * FROM card) AS c",
        "SELECT count(*) FROM card a JOIN card b ON a.txn_no = b.txn_no",
        "SELECT count(*) FROM card WHERE txn_no IN (SELECT txn_no FROM card)",
        "SELECT count(*) FROM card a WHERE EXISTS (SELECT 1 FROM card b WHERE a.txn_no = b.txn_no)",
        "SELECT count(*) FROM (SELECT txn_no FROM card UNION SELECT txn_no FROM card) AS u",
        "SELECT count(*) FROM (SELECT txn_no FROM card INTERSECT SELECT txn_no FROM card) AS u",
        "SELECT sum(n) FROM (SELECT count(*) AS n FROM card GROUP BY place) AS g",
        "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY txn_no) AS n FROM card) AS w",
        "SELECT (SELECT count(*) FROM card)",
        "SELECT count(*) FROM card WHERE NOT (student_key = 1)",
        "SELECT count(*) FROM card WHERE student_key IS NOT NULL",
        "SELECT count(*) FROM card WHERE student_key = 42 OR student_key IS NULL OR true",
        "WITH RECURSIVE r AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM r JOIN (SELECT 1 AS one FROM card LIMIT 1) AS c ON true WHERE i < 19) SELECT count(*) FROM r",
    ];
    for sql in ways {
        assert_eq!(rows(sql).await, ["20"], "{sql}");
    }
}

#[tokio::test]
async fn rows_about_nobody_or_a_stranger_are_not_shown_in_a_scope() {
    let university = open(principal("watcher", &[], None)).await;
    // The stranger's key is not in the register, but the whole university has no list to be missing from.
    assert_eq!(answer(&university, "SELECT count(*) FROM card WHERE student_key IS NULL").await, Ok(vec!["0".to_owned()]));
    assert_eq!(rows("SELECT count(*) FROM card WHERE student_key IS NULL OR student_key = 42").await, ["0"]);
    assert_eq!(rows("SELECT count(*) FROM emptied").await, ["0"]);
}

#[tokio::test]
async fn what_is_closed_unclassified_or_denied_cannot_be_named() {
    for (column, table) in [("debug", "card"), ("id_card", "card"), ("counselor_key", "dim_student")] {
        let (sqlstate, message) = refused(&format!("SELECT {column} FROM {table}")).await;
        assert_eq!(sqlstate, "42703", "{column}: {message}");
    }
    let columns = rows("SELECT column_name FROM information_schema.columns WHERE table_name = 'card'").await;
    assert_eq!(
        columns,
        ["amount_fen", "minute_of_day", "note", "occurred_at", "occurred_on", "phone", "place", "student_key", "txn_no"]
    );
    assert_eq!(rows("SELECT count(note) FROM card").await, ["0"]);
}

#[tokio::test]
async fn a_hidden_table_and_one_that_is_not_there_are_told_the_same() {
    let (hidden_state, hidden) = refused("SELECT * FROM unruled").await;
    let (absent_state, absent) = refused("SELECT * FROM unheard").await;
    assert_eq!((hidden_state.as_str(), absent_state.as_str()), ("42P01", "42P01"));
    assert_eq!(hidden.replace("unruled", "unheard"), absent);
    // A table by scope that names no subject: there is no telling whose rows they are.
    assert_eq!(refused("SELECT * FROM orphan").await.0, "42P01");
    let tables = rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'").await;
    assert_eq!(tables, ["card", "cockpit_college", "cockpit_day", "dim_student", "emptied", "ledger_day"]);
    assert_eq!(refused("SELECT * FROM information_schema.df_settings").await.0, "42P01");
    assert_eq!(refused("SELECT * FROM other.public.card").await.0, "42P01");
}

#[tokio::test]
async fn an_aggregate_and_its_filter_see_only_what_is_shown() {
    assert_eq!(rows("SELECT max(phone) FROM card").await, ["13800000003"]);
    assert_eq!(rows(&format!("SELECT count(*) FILTER (WHERE phone = '{STRANGER}') FROM card")).await, ["0"]);
    assert_eq!(rows("SELECT count(DISTINCT student_key) FROM card").await, ["4"]);
    assert_eq!(rows("SELECT count(*) FROM card GROUP BY GROUPING SETS ((), (place))").await.len(), 4);
}

#[tokio::test]
async fn a_clearance_below_a_column_leaves_null_even_where_a_mask_says_keep() {
    let clerk = open(principal("clerk", &[], None)).await;
    let seen = answer(&clerk, "SELECT count(*), count(amount_fen), count(occurred_at), count(place) FROM card").await;
    assert_eq!(seen, Ok(vec!["30|0|0|30".to_owned()]));
    let hashed = answer(&clerk, &format!("SELECT count(*) FROM card WHERE student_key = {}", key(1))).await;
    assert_eq!(hashed, Ok(vec!["0".to_owned()]), "a hashed key is not the key");
    let distinct = answer(&clerk, "SELECT count(DISTINCT student_key) FROM card").await;
    assert_eq!(distinct, Ok(vec!["6".to_owned()]));
}

/// Non-interference: a lake with a hidden student and one without answer alike, so no pair of queries whose groups
/// differ by one (k and k - 1) can tell of somebody outside the scope.
///
/// Inside a scope differencing works, as it must: the rows are shown. A role with `rows = "all"` on rows about people
/// (an analyst) can difference everything, and is protected against by pseudonyms and coarse time only. Figures for
/// leaders are suppressed when they are built.
#[tokio::test]
async fn differencing_tells_nothing_of_a_student_outside_the_scope() {
    use crate::campus::{Lake, STUDENTS, purchases, sessions_of};
    let without: Vec<_> = purchases().into_iter().filter(|it| it.student_key != Some(key(7))).collect();
    let others: Vec<i64> = (0..STUDENTS).filter(|it| *it != 7).collect();
    let with = open(counselor()).await;
    let without = sessions_of(Lake::of(&without, others)).open(counselor()).await.expect("session");
    for sql in [
        "SELECT count(*), sum(amount_fen), min(phone), max(phone) FROM card",
        "SELECT place, count(*) FROM card GROUP BY place",
        "SELECT count(*) FROM card WHERE phone <> '13800000007'",
        "SELECT count(*) FROM card WHERE student_key IS DISTINCT FROM 100000000055433",
        "SELECT college, count(*) FROM dim_student GROUP BY college",
        "SELECT * FROM information_schema.columns",
        "EXPLAIN SELECT count(*) FROM card c JOIN dim_student d ON c.student_key = d.student_key",
        "EXPLAIN VERBOSE SELECT max(phone) FROM card WHERE amount_fen > 1000",
    ] {
        assert_eq!(answer(&with, sql).await, answer(&without, sql).await, "{sql}");
    }
    assert_eq!(with.policy_hash(), without.policy_hash());
}
