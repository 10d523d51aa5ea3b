//! The policies that ship, and what policies are held to.

use std::path::Path;

use policy::{Policies, Role, Sight, check, check_tables};

use crate::campus::{Lake, ROLES, policies, sessions_of};

fn shipped() -> Policies {
    Policies::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")).expect("policies that ship")
}

#[test]
fn the_shipped_policies_do_what_they_say() {
    assert_eq!(check(&shipped()), []);
    let names: Vec<_> = shipped().roles().map(|it| it.role.clone()).collect();
    let expected = "administrator aid_centre analyst auditor class_rep college_office college_secretary counselor dorm_head \
                    dorm_keeper duty_office hospital leader psychologist psychology_head security student tutor";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn no_shipped_role_reads_raw_tables_and_closed_columns_only_psychology_and_aid_in_the_closed_compartment() {
    let (roles, mut seen) = (shipped(), Vec::new());
    for role in roles.roles() {
        assert!(role.rule("raw_card_txn").is_none(), "{}", role.role);
        for (table, rule) in &role.tables {
            if role.sight(rule, "note", Some(schema::Class::Closed)) == Sight::Keep {
                seen.push((role.role.as_str(), table.as_str()));
            }
        }
    }
    // And the aid centre whom aid is about.
    let expected = [
        ("aid_centre", "closed_aid_roll"),
        ("psychologist", "closed_counselling"),
        ("psychologist", "closed_measure"),
        ("psychology_head", "closed_counselling"),
        ("psychology_head", "closed_measure"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_shipped_role_with_all_rows_reads_no_names() {
    let roles = shipped();
    // What is told of risk models and of rules, figures of the cockpit, the places of gates and houses
    // without a list are about nobody.
    let nobodys = ["rule_scorecard", "stg_device", "list_gate_crowd", "list_gate_fault", "int_building_tonight"];
    let is_of_nobody = |table: &str| table.starts_with("model_") || table.starts_with("cockpit_") || nobodys.contains(&table);
    let is_wide = |(table, rule): (&String, &policy::Rule)| rule.rows == policy::RowRule::All && !is_of_nobody(table);
    let wide = roles.roles().filter(|it| it.tables.iter().any(is_wide));
    let wide: Vec<_> = wide.map(|it| (it.role.as_str(), it.names)).collect();
    assert_eq!(wide, [("administrator", false), ("analyst", false), ("auditor", false), ("leader", false)]);
}

/// Who may see what, a row a role: names, leave, portrait, rhythm, record, the closed compartment, offers, tonight's
/// absences, where somebody was last seen, residents, figures, own work. Swipes and rows of cases are nobody's, and where
/// somebody passed a gate last is security's alone.
const MATRIX: &str = "
    role              | names leave portrait rhythm record closed offers absent seen resident figures own
    administrator     | -     -     -        -      -      -      -      -      -    -        -       -
    aid_centre        | yes   -     -        -      -      -      -      -      -    -        -       -
    analyst           | -     all   -        all    -      -      -      -      -    -        all     -
    auditor           | -     -     -        -      -      -      -      -      -    -        -       -
    class_rep         | -     -     -        -      -      -      -      -      -    -        -       -
    college_office    | yes   scope -        -      -      -      -      -      -    -        college -
    college_secretary | yes   scope -        -      -      -      -      -      -    -        college -
    counselor         | yes   scope scope    scope  scope  -      scope  scope  scope -       -       own
    dorm_head         | -     -     -        -      -      -      -      -      -    -        -       -
    dorm_keeper       | yes   -     -        -      -      -      -      scope  -    scope    -       -
    duty_office       | yes   -     -        -      -      -      -      -      -    -        -       -
    hospital          | yes   -     -        -      -      -      -      -      -    -        -       -
    leader            | -     -     -        -      -      -      -      -      -    -        all     -
    psychologist      | yes   scope scope    scope  scope  scope  scope  scope  scope -       -       own
    psychology_head   | yes   scope scope    scope  scope  scope  scope  scope  scope -       -       own
    security          | yes   -     -        -      -      -      -      -      -    -        -       -
    student           | yes   -     scope    scope  scope  -      -      -      -    -        -       -
    tutor             | yes   -     -        -      scope  -      -      -      -    -        -       own
";

#[test]
fn who_may_see_what_is_as_the_table_says() {
    use policy::RowRule::{All, College, Own, Scope};
    use schema::Class::{Closed, Internal, Personal, Trace};
    let columns = [
        ("dim_student", "leave_kind", Trace),
        ("portrait_student", "breakfast_rate", Trace),
        ("feat_measure", "value", Trace),
        ("record_student_event", "detail_zh", Trace),
        ("closed_measure", "value", Closed),
        ("warning_student", "severity", Trace),
        ("list_unverified_absence", "room_id", Trace),
        ("list_unverified_absence", "last_seen_at", Trace),
        ("list_resident", "room_id", Trace),
        ("cockpit_night", "due_n", Internal),
        ("ledger_staff_day", "talk_n", Personal),
    ];
    let shown = |role: &Role, (table, column, class): (&str, &str, schema::Class)| {
        let Some((_, rule)) = role.rule(table) else { return "-" };
        // Of a long table held to some measures a role sees those, and no rhythm.
        let is_whole = rule.only.get("measure").is_none_or(|it| it.iter().any(|it| it == "meals_per_day"));
        match (role.sight(rule, column, Some(class)), rule.rows) {
            (Sight::Keep, _) if !is_whole => "-",
            (Sight::Keep, All) => "all",
            (Sight::Keep, Scope) => "scope",
            (Sight::Keep, Own) => "own",
            (Sight::Keep, College) => "college",
            _ => "-",
        }
    };
    let mut lines = MATRIX.lines().map(str::trim).filter(|it| !it.is_empty()).skip(1);
    for role in shipped().roles() {
        let line = lines.next().expect("a row a role");
        let words: Vec<&str> = line.split_whitespace().filter(|it| *it != "|").collect();
        let mut actual = vec![role.role.as_str(), if role.names { "yes" } else { "-" }];
        actual.extend(columns.map(|it| shown(role, it)));
        assert_eq!(actual, words, "{line}");
        for table in ["raw_card_txn", "raw_gate_event", "stg_case_event"] {
            let is_seen = role.rule(table).is_some_and(|(_, rule)| rule.rows != policy::RowRule::None);
            assert!(!is_seen, "{} reads {table}", role.role);
        }
        assert_eq!(role.rule("safety_passage").is_some(), role.role == "security", "{}", role.role);
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn figures_are_told_to_leaders_and_analysts_of_one_college_to_its_office_and_of_care_no_lower() {
    use policy::RowRule::{All, College};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/cockpit");
    let files = std::fs::read_dir(folder).expect("the tables of the cockpit").map(|it| it.expect("a file").path());
    let tables: Vec<String> = files.filter_map(|it| Some(it.file_stem()?.to_str()?.to_owned())).collect();
    assert!(10 < tables.len(), "{tables:?}");
    for role in shipped().roles() {
        for table in &tables {
            let expected = match (role.role.as_str(), table.as_str()) {
                ("leader" | "analyst", _) => Some(All),
                (
                    "college_office" | "college_secretary",
                    "cockpit_contact" | "cockpit_night" | "cockpit_population" | "cockpit_warning",
                ) => Some(College),
                ("college_office" | "college_secretary" | "administrator" | "auditor", "cockpit_data") => Some(All),
                ("counselor" | "psychologist" | "psychology_head", "cockpit_case_outcome") => Some(All),
                _ => None,
            };
            assert_eq!(role.rule(table).map(|(_, rule)| rule.rows), expected, "{} {table}", role.role);
        }
    }
}

#[test]
fn roles_of_one_college_building_class_or_shift_are_granted_nothing_wider() {
    let roles = shipped();
    let granted: Vec<_> =
        roles.roles().filter(|it| !it.grants.is_empty()).map(|it| (it.role.as_str(), it.grants.join(" "))).collect();
    let expected = [
        ("aid_centre", "university"),
        ("college_office", "college"),
        ("college_secretary", "college"),
        ("dorm_keeper", "building"),
        ("duty_office", "on_call"),
        ("hospital", "on_call"),
        ("psychology_head", "university"),
        ("security", "on_call"),
        ("tutor", "class"),
    ];
    assert_eq!(granted, expected.map(|(role, grants)| (role, grants.to_owned())));
}

const CLAIMS: &str = r#"
role = "tester"
title_zh = "测"
title_en = "Tester"
about = "A policy that does not hold."
clearance = "personal"
[tables]
card = { rows = "all" }
"#;

#[track_caller]
fn findings(claims: &str, expected: &[&str]) {
    let role = Role::parse(Path::new("tester.toml"), &format!("{CLAIMS}{claims}")).expect("a policy");
    let mut policies = Policies::default();
    policies.insert(role);
    let found: Vec<_> = check(&policies).into_iter().map(|it| it.message).collect();
    assert_eq!(found, expected, "{claims}");
}

#[test]
fn a_claim_that_does_not_hold_is_a_finding() {
    let absent = "[[test]]\ntable = \"x\"\nexpect = \"absent\"\n";
    let with = |claim: &str| format!("{absent}[[test]]\n{claim}");
    findings(absent, &[]);
    findings("", &["no [[test]] says that something is absent"]);
    findings(&with("table = \"x\"\nexpect = \"keep\""), &["expected Keep, but no rule matches, so the table does not exist"]);
    findings(&with("table = \"card\"\nexpect = \"absent\""), &["expected the table to be Absent, but it is Keep"]);
    findings(&with("table = \"card\"\nexpect = \"keep\"\nrows = \"scope\""), &["expected rows Scope, but they are All"]);
    findings(
        &with("table = \"card\"\ncolumn = \"at\"\nclass = \"trace\"\nexpect = \"keep\""),
        &["expected column \"at\" to be Keep, but it is Masked"],
    );
    findings(
        &with("table = \"card\"\ncolumn = \"at\"\nexpect = \"masked\""),
        &["expected column \"at\" to be Masked, but it is Absent"],
    );
}

#[test]
fn what_cannot_be_understood_is_refused_with_its_place() {
    for (text, word) in [
        (CLAIMS.replace("clearance = \"personal\"", "clearance = \"secret\""), "secret"),
        (CLAIMS.replace("clearance = \"personal\"", "clearance = \"identity\""), "identity"),
        (CLAIMS.replace("rows = \"all\"", "rows = \"most\""), "most"),
        (CLAIMS.replace("rows = \"all\"", "row = \"all\""), "rows"),
        (CLAIMS.replace("card", "\"*ca*\""), "star"),
        (CLAIMS.replace("{ rows = \"all\" }", "{ rows = \"all\", mask = { at = \"minute\" } }"), "minute"),
        (CLAIMS.replace("clearance", "scopes = [\"corridor:4\"]\nclearance"), "corridor:4"),
        (CLAIMS.replace("\"tester\"", "\"toaster\""), "toaster"),
    ] {
        let error = Role::parse(Path::new("tester.toml"), &text).expect_err(&text);
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[tokio::test]
async fn policies_are_compared_with_the_tables_they_are_about() {
    let misfit = r#"
        role = "misfit"
        title_zh = "错"
        title_en = "Misfit"
        about = "Fits no table."
        clearance = "trace"
        [tables]
        orphan = { rows = "scope" }
        card = { rows = "all", mask = { place = "bin_5" } }
        "#;
    let policies = Policies::parse([(Path::new("misfit.toml"), misfit)]).expect("a policy");
    let found = check_tables(&policies, &Lake::new()).await.expect("checked");
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "role \"misfit\", table \"card\": column \"place\" is Utf8, of which mask bin_5 leaves NULL",
            "role \"misfit\", table \"orphan\": rows = \"scope\", but the table names no subject column",
        ]
    );
}

#[tokio::test]
async fn a_policy_explains_itself() {
    assert_eq!(ROLES.len(), policies().roles().count());
    let session = sessions_of(Lake::new()).open(crate::campus::counselor()).await.expect("session");
    let text = session.explain_policy("card").await.expect("explained");
    let expected = "\
table card version 1
rule  \"card\" of role watcher, clearance trace
rows  scope by student_key (4 students)
  txn_no         internal  keep
  student_key    personal  keep
  occurred_at    trace     hour
  occurred_on    personal  keep
  minute_of_day  trace     null
  amount_fen     trace     bin_500
  place          personal  keep
  phone          personal  keep
  note           closed    null
  id_card        identity  absent
  debug          no class  absent
";
    assert_eq!(text, expected);
    assert!(session.explain_policy("unruled").await.is_err());
    assert_eq!(
        session.tables().await.expect("tables"),
        ["card", "cockpit_college", "cockpit_day", "dim_student", "emptied", "ledger_day"]
    );
}
