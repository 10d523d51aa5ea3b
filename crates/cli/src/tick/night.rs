//! Whoever reads the list of tonight hears when it is complete: each once a night, and nothing of what is in it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use casework::Post;
use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use policy::Sessions;
use schema::time::date_days;
use store::{AbsenceCheck, Account};

use super::HOLDS;
use crate::house::House;

/// The table that says when the list of tonight is complete, building by building.
const TONIGHT: &str = "int_building_tonight";

/// The list of tonight itself.
const NIGHT_LIST: &str = "list_out_tonight";

/// For so long after a building's list is complete its readers are told of it: a server that starts later wakes nobody.
const NIGHT_NEWS_US: i64 = 2 * casework::HOUR_US;

/// Who keeps a building, and who looks after own students, as policies name them.
const KEEPER: &str = "dorm_keeper";
const COUNSELOR: &str = "counselor";

/// When the list of tonight is complete in a building, and until when its gates are known to work; in microseconds since 1970.
#[derive(Debug, Clone)]
struct Building {
    building_id: String,
    from_us: i64,
    until_us: Option<i64>,
}

impl Building {
    /// Whether its list is complete, and so lately that this is news.
    fn is_news(&self, now_us: i64) -> bool {
        (self.from_us..self.from_us + NIGHT_NEWS_US).contains(&now_us) && self.until_us.is_some_and(|it| now_us < it)
    }
}

/// Whom of those on the list of tonight each account may read.
type Reach = BTreeMap<String, BTreeSet<i64>>;

/// Readers of the list of tonight who were told by this process, and of which night.
#[derive(Debug, Default)]
pub(super) struct NightTold {
    night: String,
    accounts: BTreeSet<String>,
    /// Who stood on the list when it was last asked who reads whom, and what came of it.
    asked: BTreeSet<i64>,
    reach: Reach,
}

/// Tells keepers and counselors that the list of tonight is complete.
pub(super) async fn tell_night(house: &House, sessions: &Sessions, told: &mut NightTold, now_us: i64) -> anyhow::Result<()> {
    let (night, buildings) = tonight(house).await?;
    if !buildings.iter().any(|it| it.is_news(now_us)) {
        return Ok(());
    }
    if told.night != night {
        *told = NightTold { night, ..NightTold::default() };
    }
    let accounts = house.store.accounts().list().await?;
    let shifts = house.store.cases().on_duty(Post::CollegeDuty, now_us).await?;
    let on_duty: Vec<String> = shifts.into_iter().map(|it| it.account).collect();
    let listed = listed_tonight(house, &told.night, now_us).await?;
    // Whom somebody reads they read all evening: only who joins the list is asked about, for a session is opened for each reader.
    if !listed.is_subset(&told.asked) {
        told.reach = reach(house, sessions, &accounts, &listed, now_us).await?;
        let unread_n = listed.iter().filter(|it| told.reach.values().all(|own| !own.contains(*it))).count();
        if 0 < unread_n {
            tracing::warn!(unread_n, "students on the list of tonight whom no keeper and no counselor may read");
        }
        told.asked.clone_from(&listed);
    }
    let mut readers = night_readers(&buildings, &accounts, &on_duty, &listed, &told.reach, now_us);
    readers.retain(|it| !told.accounts.contains(it));
    if readers.is_empty() {
        return Ok(());
    }
    let new_n = house.store.messages().tell_night(&told.night, &readers, now_us).await?;
    told.accounts.extend(readers);
    if 0 < new_n {
        tracing::info!(new_n, "keepers and counselors are told that the list of tonight is complete");
    }
    Ok(())
}

/// Students whose rows of the list of tonight hold now and whom nobody answered for yet; none where the project has no such list.
/// The lake hears of answers with the next run only, and the store has them at once.
async fn listed_tonight(house: &House, night: &str, now_us: i64) -> anyhow::Result<BTreeSet<i64>> {
    let mut listed = BTreeSet::new();
    let Some(table) = house.engine.table(NIGHT_LIST).await? else { return Ok(listed) };
    // A project's own list may not say when somebody was seen last; then an answer holds for the night.
    let seen = if table.schema().field_with_name("last_seen_at").is_ok() { "last_seen_at" } else { "NULL" };
    let context = house.engine.context();
    context.register_table("held", table)?;
    let [from, until] = HOLDS;
    let query = format!(
        "SELECT CAST(student_key AS BIGINT) AS student_key, CAST({seen} AS BIGINT) AS seen_us FROM held \
         WHERE CAST({from} AS BIGINT) <= {now_us} AND CAST({until} AS BIGINT) > {now_us}"
    );
    let batches = context.sql(&query).await?.collect().await?;
    let answers = house.store.cases().absence_checks(i64::from(date_days(night.parse::<NaiveDate>()?))).await?;
    let answers: BTreeMap<i64, AbsenceCheck> = answers.into_iter().map(|it| (it.student_key, it)).collect();
    for batch in batches {
        let (keys, seen) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
        let is_open = |key: &i64, seen_us| answers.get(key).is_none_or(|it| !it.result.explains(it.at_us, seen_us));
        listed.extend(keys.iter().zip(seen.iter()).filter_map(|(key, seen_us)| key.filter(|it| is_open(it, seen_us))));
    }
    Ok(listed)
}

/// Whom of those listed keepers and counselors may read, by their own policies. It opens nothing in their names.
async fn reach(
    house: &House,
    sessions: &Sessions,
    accounts: &[Account],
    listed: &BTreeSet<i64>,
    now_us: i64,
) -> anyhow::Result<Reach> {
    let mut reach = Reach::new();
    if listed.is_empty() {
        return Ok(reach);
    }
    let cases = house.store.cases();
    for account in accounts.iter().filter(|it| !it.is_disabled) {
        for name in [KEEPER, COUNSELOR] {
            let Some(role) = sessions.policies().role(name).filter(|_| has_role(account, name)) else { continue };
            let principal = match serve::principal(&house.store, account, role, now_us).await {
                Ok(it) => it,
                // The others are told all the same.
                Err(error) => {
                    tracing::warn!(account = account.account, ?error, "whom an account may read at night");
                    continue;
                }
            };
            let withheld = cases.withheld_from(&account.account).await?;
            let session = sessions.open_without(principal, &withheld, &[]).await?;
            // A role may have no part in the list.
            if session.schema(NIGHT_LIST).await.is_err() {
                continue;
            }
            let own = listed.iter().copied().filter(|it| session.students().contains(*it));
            reach.entry(account.account.clone()).or_default().extend(own);
        }
    }
    Ok(reach)
}

fn has_role(account: &Account, role: &str) -> bool {
    account.grants.iter().any(|it| it.role == role)
}

/// The night, and its buildings; none where the project has no such table, or no building has a gate.
async fn tonight(house: &House) -> anyhow::Result<(String, Vec<Building>)> {
    let (mut night, mut buildings) = (String::new(), Vec::new());
    let Some(table) = house.engine.table(TONIGHT).await? else { return Ok((night, buildings)) };
    let context = house.engine.context();
    context.register_table("held", table)?;
    let query = "SELECT building_id, CAST(night_on AS VARCHAR) AS night_on, CAST(from_at AS BIGINT) AS from_us, \
                 CAST(until_at AS BIGINT) AS until_us FROM held WHERE from_at IS NOT NULL";
    for batch in context.sql(query).await?.collect().await? {
        let text = |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8);
        let (ids, nights) = (text(0)?, text(1)?);
        let (from_us, until_us) = (batch.column(2).as_primitive::<Int64Type>(), batch.column(3).as_primitive::<Int64Type>());
        let rows = ids.as_string::<i32>().iter().zip(nights.as_string::<i32>().iter()).zip(from_us.iter().zip(until_us.iter()));
        for ((id, on), (from_us, until_us)) in rows {
            if let (Some(id), Some(on), Some(from_us)) = (id, on, from_us) {
                on.clone_into(&mut night);
                buildings.push(Building { building_id: id.to_owned(), from_us, until_us });
            }
        }
    }
    Ok((night, buildings))
}

/// Whose list of tonight is complete now: of keepers that of all their buildings, of counselors that of every building. Where gates
/// are silent no list is complete, and what is complete elsewhere is told all the same.
///
/// A counselor reads own students only, on duty too, so one who would find an empty list is not woken. Who is listed and read by
/// nobody who is there at night is looked after by whose student they are.
fn night_readers(
    buildings: &[Building],
    accounts: &[Account],
    on_duty: &[String],
    listed: &BTreeSet<i64>,
    reach: &Reach,
    now_us: i64,
) -> Vec<String> {
    let is_complete = |is_own: &dyn Fn(&Building) -> bool| {
        let own = || buildings.iter().filter(|it| is_own(it));
        own().all(|it| it.from_us <= now_us) && own().any(|it| it.is_news(now_us))
    };
    let is_on_duty = |it: &Account| has_role(it, COUNSELOR) && on_duty.contains(&it.account);
    let active = || accounts.iter().filter(|it| !it.is_disabled);
    let there = active().filter(|it| has_role(it, KEEPER) || is_on_duty(it));
    let looked_after: BTreeSet<i64> = there.filter_map(|it| reach.get(&it.account)).flatten().copied().collect();
    let left: BTreeSet<i64> = listed.difference(&looked_after).copied().collect();
    let reaches = |it: &Account, keys: &BTreeSet<i64>| reach.get(&it.account).is_some_and(|own| !own.is_disjoint(keys));
    let reads = |it: &&Account| {
        let kept: Vec<&str> =
            it.grants.iter().filter(|grant| grant.role == KEEPER).filter_map(|grant| building_of(&grant.scope)).collect();
        let is_asked = has_role(it, COUNSELOR) && reaches(it, if is_on_duty(it) { listed } else { &left });
        is_complete(&|building| kept.contains(&building.building_id.as_str())) || (is_asked && is_complete(&|_| true))
    };
    active().filter(reads).map(|it| it.account.clone()).collect()
}

/// The building of a scope such as `building:N3/floor:4`.
fn building_of(scope: &str) -> Option<&str> {
    scope.strip_prefix("building:")?.split('/').next()
}

#[cfg(test)]
mod tests {
    use store::Grant;

    use super::*;

    fn account(name: &str, grants: &[(&str, &str)]) -> Account {
        let grants = grants.iter().map(|(role, scope)| Grant { role: (*role).to_owned(), scope: (*scope).to_owned() }).collect();
        Account { account: name.to_owned(), display_name: name.to_owned(), person_key: None, grants, is_disabled: false }
    }

    #[test]
    fn the_list_of_tonight_is_told_to_whoever_reads_it_once_all_of_theirs_is_complete() {
        let building = |id: &str, from_us, until_us| Building { building_id: id.to_owned(), from_us, until_us };
        // N3 closes later, and nobody hears from N4.
        let far = Some(i64::MAX);
        let buildings = [building("N1", 100, far), building("N2", 100, far), building("N3", 200, far), building("N4", 100, None)];
        let accounts = [
            account("bai", &[(KEEPER, "building:N1")]),
            account("song", &[(KEEPER, "building:N2/floor:4"), (KEEPER, "building:N3")]),
            account("mute", &[(KEEPER, "building:N4")]),
            account("both", &[(KEEPER, "building:N1"), (KEEPER, "building:N4")]),
            account("lin", &[(COUNSELOR, "assigned")]),
            account("off", &[(COUNSELOR, "assigned")]),
            account("gao", &[("psychologist", "university")]),
            Account { is_disabled: true, ..account("gone", &[(KEEPER, "building:N1")]) },
        ];
        let on_duty = ["lin".to_owned(), "gao".to_owned()];
        // Of those on the list lin reads the first, off the first two, and song keeps where the third lives.
        let reach = Reach::from([
            ("lin".to_owned(), BTreeSet::from([1])),
            ("off".to_owned(), BTreeSet::from([1, 2])),
            ("song".to_owned(), BTreeSet::from([3])),
        ]);
        let told_of = |listed: &[i64], now_us| {
            let listed: BTreeSet<i64> = listed.iter().copied().collect();
            night_readers(&buildings, &accounts, &on_duty, &listed, &reach, now_us)
        };
        let told = |now_us| told_of(&[1, 3], now_us);
        assert_eq!(told(99), Vec::<String>::new());
        assert_eq!(told(100), ["bai", "both"], "of N4 no list is complete");
        assert_eq!(told(200), ["bai", "song", "both", "lin"]);
        assert_eq!(told(200 + NIGHT_NEWS_US), Vec::<String>::new(), "what is told late wakes people for nothing");
        assert_eq!(told_of(&[3], 200), ["bai", "song", "both"], "on duty, and none of the list is theirs");
        assert_eq!(told_of(&[2, 3], 200), ["bai", "song", "both", "off"], "nobody who is there reads the second");
        assert_eq!(told_of(&[2, 3], 199), ["bai", "both"], "not before every building is complete");
        let silent = [building("N1", 100, Some(150))];
        let listed = BTreeSet::from([1]);
        assert_eq!(
            night_readers(&silent, &accounts, &on_duty, &listed, &reach, 150),
            Vec::<String>::new(),
            "its gates fell silent"
        );
    }
}
