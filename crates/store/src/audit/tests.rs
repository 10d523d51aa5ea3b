//! The chain, and everything somebody with the database file could try.

use sqlx::AssertSqlSafe;

use super::AuditEvent;
use crate::scene::Scene;
use crate::{Error, Store};

fn event(at_us: i64) -> AuditEvent {
    AuditEvent {
        at_us,
        actor: "lin".to_owned(),
        role: "counselor".to_owned(),
        session: Some("s1".to_owned()),
        action: "read".to_owned(),
        resource: "portrait_student/123456789012345".to_owned(),
        purpose: Some("portrait".to_owned()),
        row_count: Some(1),
        outcome: "ok".to_owned(),
    }
}

async fn five_events(scene: &Scene) -> Store {
    let store = scene.open().await;
    for at_us in 1..=5 {
        assert_eq!(store.audit().append(event(at_us)).await.unwrap(), at_us);
    }
    store
}

/// Does what nobody may: changes rows with the guards taken away.
async fn tamper(store: &Store, sql: &str) {
    let mut tx = store.database().begin("audit_event").await.unwrap();
    for guard in ["audit_event_no_update", "audit_event_no_delete"] {
        let drop = format!("DROP TRIGGER {guard}{}", store.database().of_table("audit_event"));
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *tx).await.unwrap();
    }
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[track_caller]
fn broken_at(verified: Result<i64, Error>) -> i64 {
    match verified {
        Err(Error::AuditBroken { seq }) => seq,
        other => panic!("not broken: {other:?}"),
    }
}

#[tokio::test]
async fn an_untouched_chain_holds_across_openings() {
    let scene = Scene::new();
    let store = scene.open().await;
    assert_eq!(store.audit().verify().await.unwrap(), 0);
    drop(store);
    let store = five_events(&scene).await;
    let store = scene.reopen(store).await;
    store.audit().append(AuditEvent::default()).await.unwrap();

    assert_eq!(store.audit().verify().await.unwrap(), 6);
    let rows = store.audit().list(3, 2).await.unwrap();
    assert_eq!(rows.iter().map(|it| it.seq).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(rows[0].event, event(4));
    assert_eq!(store.audit().list(5, 10).await.unwrap()[0].event, AuditEvent::default());
}

#[tokio::test]
async fn the_hash_of_a_row_is_the_sha256_of_the_one_before_and_its_json() {
    use sha2::{Digest, Sha256};
    let scene = Scene::new();
    let store = scene.open().await;
    store.audit().append(AuditEvent { session: None, ..event(7) }).await.unwrap();

    // Written out, so that a change of the canonical form cannot pass unseen.
    let json = r#"{"event":{"action":"read","actor":"lin","at_us":7,"outcome":"ok","purpose":"portrait","#.to_owned()
        + r#""resource":"portrait_student/123456789012345","role":"counselor","row_count":1,"session":null},"seq":1}"#;
    let expected = Sha256::new().chain_update([0; 32]).chain_update(json).finalize();

    let row = store.audit().list(0, 1).await.unwrap().remove(0);
    assert_eq!(row.hash, crate::store::hex(&expected));
}

#[tokio::test]
async fn the_database_refuses_to_change_a_row() {
    let scene = Scene::new();
    let store = five_events(&scene).await;

    for sql in ["UPDATE audit_event SET actor = 'wang' WHERE seq = 3", "DELETE FROM audit_event WHERE seq = 3"] {
        let mut tx = store.database().begin("audit_event").await.unwrap();
        let refused = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
    assert_eq!(store.audit().verify().await.unwrap(), 5);
}

#[tokio::test]
async fn a_changed_row_is_found() {
    for (column, value) in [
        ("at_us", "9"),
        ("actor", "'wang'"),
        ("role", "'leader'"),
        ("session", "NULL"),
        ("action", "'export'"),
        ("resource", "'nothing'"),
        ("purpose", "NULL"),
        ("row_count", "0"),
        ("outcome", "'refused'"),
    ] {
        let scene = Scene::new();
        let store = five_events(&scene).await;
        tamper(&store, &format!("UPDATE audit_event SET {column} = {value} WHERE seq = 3")).await;
        assert_eq!(broken_at(store.audit().verify().await), 3, "{column}");
    }
}

#[tokio::test]
async fn a_missing_row_is_found() {
    let scene = Scene::new();
    let store = five_events(&scene).await;
    tamper(&store, "DELETE FROM audit_event WHERE seq = 2").await;
    assert_eq!(broken_at(store.audit().verify().await), 2);
}

#[tokio::test]
async fn a_cut_tail_is_found_and_stays_found_when_the_log_goes_on() {
    let scene = Scene::new();
    let store = five_events(&scene).await;
    tamper(&store, "DELETE FROM audit_event WHERE seq > 3").await;
    assert_eq!(broken_at(store.audit().verify().await), 3);

    let store = scene.reopen(store).await;
    store.audit().append(event(6)).await.unwrap();
    assert_eq!(broken_at(store.audit().verify().await), 4);
}

#[tokio::test]
async fn an_emptied_log_is_found() {
    for sql in ["DELETE FROM audit_event", "DELETE FROM audit_head"] {
        let scene = Scene::new();
        let store = five_events(&scene).await;
        tamper(&store, sql).await;
        broken_at(store.audit().verify().await);
    }
}

#[tokio::test]
async fn a_row_that_was_added_with_a_right_hash_is_found() {
    let scene = Scene::new();
    let store = five_events(&scene).await;
    let last = store.audit().list(4, 1).await.unwrap().remove(0);
    let previous: Vec<u8> = (0..32).map(|it| u8::from_str_radix(&last.hash[2 * it..2 * it + 2], 16).unwrap()).collect();
    let hash = super::chain(&previous.try_into().unwrap(), 6, &event(6));
    tamper(
        &store,
        &format!(
            "INSERT INTO audit_event SELECT 6, 6, actor, role, session, action, resource, purpose, row_count, \
             outcome, {} FROM audit_event WHERE seq = 5",
            store.database().bytes_literal(&hash)
        ),
    )
    .await;

    assert_eq!(broken_at(store.audit().verify().await), 6);
    store.audit().append(event(7)).await.unwrap();
    assert_eq!(broken_at(store.audit().verify().await), 7);
}

#[tokio::test]
async fn the_guards_come_back_with_the_next_opening() {
    let scene = Scene::new();
    let store = five_events(&scene).await;
    tamper(&store, "SELECT 1").await;
    let store = scene.reopen(store).await;

    let mut tx = store.database().begin("audit_event").await.unwrap();
    let refused = sqlx::raw_sql("DELETE FROM audit_event").execute(&mut *tx).await;

    assert!(refused.is_err());
}

#[tokio::test]
async fn events_added_at_once_make_one_chain() {
    let scene = Scene::new();
    let store = scene.open().await;
    let tasks: Vec<_> = (0..20)
        .map(|it| {
            let audit = store.audit();
            tokio::spawn(async move { audit.append(event(it)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }

    assert_eq!(store.audit().verify().await.unwrap(), 20);
}

#[tokio::test]
async fn an_event_is_written_though_its_caller_goes_away() {
    let scene = Scene::new();
    let store = scene.open().await;
    // The writer is held up, so that all of them wait together.
    let held = store.database().begin("audit_event").await.unwrap();
    let tasks: Vec<_> = (0..3)
        .map(|it| {
            let audit = store.audit();
            tokio::spawn(async move { audit.append(event(it)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    tasks[0].abort();
    tasks[1].abort();
    drop(held);

    let ends = [0, 1, 2].map(|it| it < 2);
    for (task, is_cancelled) in tasks.into_iter().zip(ends) {
        assert_eq!(task.await.is_err(), is_cancelled);
    }
    assert_eq!(store.audit().verify().await.unwrap(), 3);
}

#[tokio::test]
async fn events_that_cannot_be_written_are_refused_one_and_all_and_later_ones_are_taken() {
    let scene = Scene::new();
    let store = five_events(&scene).await;
    rename(&store, "audit_event", "elsewhere").await;
    let tasks: Vec<_> = (0..4)
        .map(|it| {
            let audit = store.audit();
            tokio::spawn(async move { audit.append(event(it)).await })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Err(Error::Together(_))));
    }
    rename(&store, "elsewhere", "audit_event").await;

    assert_eq!(store.audit().append(event(6)).await.unwrap(), 6);
    assert_eq!(store.audit().verify().await.unwrap(), 6);
}

async fn rename(store: &Store, from: &str, to: &str) {
    let mut tx = store.database().begin("audit_event").await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"))).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}
