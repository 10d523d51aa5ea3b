//! Accounts and logins.

use sqlx::Row;

use super::{Accounts, Grant, LoginError, NewAccount};
use crate::Error;
use crate::scene::Scene;

const MINUTE_US: i64 = 60 * 1_000_000;

fn lin<'a>(password: Option<&'a str>) -> NewAccount<'a> {
    NewAccount { account: "lin", password, display_name: "Lin", person_key: Some(7), grants: vec![counselor()] }
}

fn counselor() -> Grant {
    Grant { role: "counselor".to_owned(), scope: "assigned".to_owned() }
}

async fn wrong(accounts: &Accounts, account: &str, times: usize, now_us: i64) {
    for _ in 0..times {
        let refused = accounts.verify(account, "guess", now_us).await.expect_err("a guess");
        assert!(matches!(refused, LoginError::Wrong | LoginError::Unknown), "{refused:?}");
    }
}

#[tokio::test]
async fn the_right_password_gives_the_account() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();

    let account = accounts.verify("lin", "a good password", 0).await.unwrap();

    assert_eq!((account.account.as_str(), account.display_name.as_str()), ("lin", "Lin"));
    assert_eq!((account.person_key, account.is_disabled), (Some(7), false));
    assert_eq!(account.grants, [counselor()]);
    assert_eq!(accounts.get("lin").await.unwrap(), Some(account.clone()));
    assert_eq!(accounts.list().await.unwrap(), [account]);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_read_the_same() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();
    accounts.create(NewAccount { account: "robot", ..lin(None) }).await.unwrap();

    let wrong = accounts.verify("lin", "a bad password", 0).await.unwrap_err();
    let unknown = accounts.verify("wang", "a good password", 0).await.unwrap_err();
    let without = accounts.verify("robot", "", 0).await.unwrap_err();

    assert!(matches!(wrong, LoginError::Wrong), "{wrong:?}");
    assert!(matches!(unknown, LoginError::Unknown), "{unknown:?}");
    assert!(matches!(without, LoginError::Unknown), "{without:?}");
    assert_eq!(wrong.to_string(), unknown.to_string());
}

#[tokio::test]
async fn ten_wrong_passwords_lock_the_name_for_a_quarter_of_an_hour() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();
    // Spread over the window: the lock counts from the last, not from the first.
    wrong(&accounts, "lin", 9, 0).await;
    wrong(&accounts, "lin", 1, 14 * MINUTE_US).await;

    for at in [14 * MINUTE_US, 29 * MINUTE_US - 1] {
        let locked = accounts.verify("lin", "a good password", at).await.unwrap_err();
        let LoginError::Locked { until_us } = locked else { panic!("{locked:?} at {at}") };
        assert_eq!(until_us, 29 * MINUTE_US);
    }
    accounts.verify("lin", "a good password", 29 * MINUTE_US).await.expect("the lock is over");
}

#[tokio::test]
async fn a_name_that_does_not_exist_locks_too() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    wrong(&accounts, "nobody", 10, 0).await;

    let locked = accounts.verify("nobody", "guess", 1).await.unwrap_err();

    assert!(matches!(locked, LoginError::Locked { .. }), "{locked:?}");
    wrong(&accounts, "somebody else", 1, 1).await;
}

#[tokio::test]
async fn wrong_passwords_are_forgotten_with_time_and_with_the_right_one() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();

    wrong(&accounts, "lin", 9, 0).await;
    accounts.verify("lin", "a good password", 1).await.expect("the tenth try is right");
    wrong(&accounts, "lin", 9, 2).await;
    wrong(&accounts, "lin", 9, 15 * MINUTE_US + 2).await;
    accounts.verify("lin", "a good password", 15 * MINUTE_US + 3).await.expect("nine within the window");
}

#[tokio::test]
async fn trying_in_parallel_gains_no_try() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();
    let tasks: Vec<_> = (0..14)
        .map(|_| {
            let accounts = accounts.clone();
            tokio::spawn(async move { accounts.verify("lin", "guess", 0).await })
        })
        .collect();

    let mut wrong = 0;
    for task in tasks {
        wrong += i32::from(matches!(task.await.unwrap(), Err(LoginError::Wrong)));
    }

    assert_eq!(wrong, 10);
}

#[tokio::test]
async fn a_disabled_account_says_so_only_to_who_knows_the_password() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();
    accounts.disable("lin").await.unwrap();
    // Bringing an account up to date does not open it again.
    accounts.create(lin(None)).await.unwrap();

    let right = accounts.verify("lin", "a good password", 0).await.unwrap_err();
    let wrong = accounts.verify("lin", "a bad password", 0).await.unwrap_err();

    assert!(matches!(right, LoginError::Disabled), "{right:?}");
    assert!(matches!(wrong, LoginError::Wrong), "{wrong:?}");
    accounts.enable("lin").await.unwrap();
    assert!(accounts.verify("lin", "a good password", 0).await.is_ok());
}

#[tokio::test]
async fn an_account_is_brought_up_to_date_and_keeps_its_password() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();
    let leader = Grant { role: "leader".to_owned(), scope: "university".to_owned() };
    let grants = vec![leader.clone(), leader.clone()];

    accounts.create(NewAccount { display_name: "Lin Xiaoyu", grants, ..lin(None) }).await.unwrap();

    let account = accounts.verify("lin", "a good password", 0).await.unwrap();
    assert_eq!((account.display_name.as_str(), account.grants), ("Lin Xiaoyu", vec![leader]));
    assert_eq!(accounts.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_password_ends_the_old_one_and_its_sessions() {
    let scene = Scene::new();
    let store = scene.open().await;
    let accounts = store.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();
    let token = store.sessions().create("lin", "counselor", 0).await.unwrap();

    accounts.set_password("lin", "a better password").await.unwrap();

    assert!(accounts.verify("lin", "a good password", 0).await.is_err());
    assert!(accounts.verify("lin", "a better password", 0).await.is_ok());
    assert_eq!(store.sessions().find(&token, 1).await.unwrap(), None);
    let unknown = accounts.set_password("wang", "a better password").await;
    assert!(matches!(unknown, Err(Error::NoSuchAccount { .. })), "{unknown:?}");
}

#[tokio::test]
async fn names_and_passwords_have_bounds() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    let long = "x".repeat(1_025);

    for password in ["", &long] {
        let refused = accounts.create(lin(Some(password))).await;
        assert!(matches!(refused, Err(Error::PasswordLength)), "{refused:?}");
    }
    for account in ["", &long[..129]] {
        let refused = accounts.create(NewAccount { account, ..lin(None) }).await;
        assert!(matches!(refused, Err(Error::AccountLength)), "{refused:?}");
    }
    let unknown = accounts.verify(&long, &long, 0).await;
    assert!(matches!(unknown, Err(LoginError::Unknown)), "{unknown:?}");
    assert_eq!(accounts.list().await.unwrap(), []);
}

#[tokio::test]
async fn no_password_is_readable_on_disk() {
    let scene = Scene::new();
    let accounts = scene.open().await.accounts();
    accounts.create(lin(Some("a good password"))).await.unwrap();

    let bytes = scene.bytes();

    let holds = |text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(!holds("a good password"));
    assert!(holds("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn accounts_of_a_person_are_found_by_an_index() {
    let scene = Scene::new();
    // PostgreSQL reads a table of a few rows whole, whatever index it has.
    if !scene.is_file() {
        return;
    }
    let store = scene.open().await;
    // What `greeting_of` asks, and what is asked when somebody has died.
    for sql in [
        "EXPLAIN QUERY PLAN SELECT display_name FROM account WHERE person_key = $1 ORDER BY account LIMIT 1",
        "EXPLAIN QUERY PLAN SELECT account FROM account WHERE person_key = $1",
    ] {
        let rows = sqlx::query(sql).bind(7_i64).fetch_all(store.database().read()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|it| it.get(3)).collect();
        assert!(plan.len() == 1 && plan[0].contains("INDEX account_person"), "{sql}: {plan:?}");
    }
}
