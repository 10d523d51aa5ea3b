//! The same wall over files: pruning may help the policy, and no path or file is reached besides.

use std::sync::Arc;

use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use object_store::local::LocalFileSystem;
use parquet::arrow::ArrowWriter;
use policy::{Parts, Sessions, TableEntry};
use tempfile::TempDir;
use url::Url;

use crate::campus::{
    Lake, answer, clock, config, counselor, key, policies, principal, purchase_batch, purchase_schema, purchases,
};

/// Purchases as three files of a folder, and sessions that may read that folder.
fn on_disk() -> (TempDir, Sessions) {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("lake/card");
    std::fs::create_dir_all(&root).expect("folder");
    for (number, rows) in purchases().chunks(21).enumerate() {
        let batch = purchase_batch(rows);
        let file = std::fs::File::create(root.join(format!("part-{number}.parquet"))).expect("file");
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
    }
    let url = ListingTableUrl::parse(root.display().to_string()).expect("url");
    let listing = ListingTableConfig::new(url)
        .with_listing_options(ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet"))
        .with_schema(purchase_schema());
    let table = Arc::new(ListingTable::try_new(listing).expect("table"));
    let mut lake = Lake::new();
    lake.0.insert("card".to_owned(), TableEntry::new(table, Some("student_key"), 1));
    let mut parts = Parts::new(policies(), Arc::new(lake), clock(), [3; 32]);
    let root = Url::from_directory_path(folder.path().join("lake")).expect("url");
    parts.stores = vec![(root, Arc::new(LocalFileSystem::new()))];
    (folder, Sessions::new(config(), parts).expect("sessions"))
}

#[tokio::test]
async fn files_are_filtered_and_masked_as_memory_is() {
    let (_folder, sessions) = on_disk();
    let session = sessions.open(counselor()).await.expect("session");
    let memory = crate::campus::open(counselor()).await;
    for sql in [
        "SELECT * FROM card",
        "SELECT count(*) FROM card",
        "SELECT count(*), max(phone), min(amount_fen) FROM card WHERE txn_no > 20 AND place <> '超市'",
        "SELECT min(occurred_at), max(occurred_at), max(student_key) FROM card",
        "SELECT count(*) FROM card WHERE cast(CASE WHEN phone = '13800000007' THEN phone || 'x' ELSE '1' END AS bigint) > 0",
        "SELECT txn_no FROM card ORDER BY txn_no DESC LIMIT 4",
    ] {
        assert_eq!(answer(&session, sql).await, answer(&memory, sql).await, "{sql}");
    }
    let own = sessions.open(principal("watcher", &["own"], Some(key(3)))).await.expect("session");
    assert_eq!(answer(&own, "SELECT count(*) FROM card").await, Ok(vec!["5".to_owned()]));
}

#[tokio::test]
async fn a_plan_and_an_error_name_no_file() {
    let (folder, sessions) = on_disk();
    let session = sessions.open(counselor()).await.expect("session");
    let plan = answer(&session, "EXPLAIN VERBOSE SELECT * FROM card WHERE txn_no = 1").await.expect("plan").join("\n");
    assert!(!plan.contains("part-0") && !plan.contains("parquet"), "{plan}");
    // A file that is no Parquet: the reader's words name it.
    std::fs::write(folder.path().join("lake/card/part-1.parquet"), "not parquet at all").expect("written");
    let (sqlstate, message) = answer(&session, "SELECT sum(txn_no) FROM card").await.expect_err("broken file");
    assert_eq!((sqlstate.as_str(), message.as_str()), ("58030", "the lake could not be read"));
}

#[tokio::test]
async fn a_table_outside_the_root_is_not_read_even_by_mistake() {
    let (folder, _) = on_disk();
    let url = ListingTableUrl::parse(folder.path().join("lake/card").display().to_string()).expect("url");
    let listing = ListingTableConfig::new(url)
        .with_listing_options(ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet"))
        .with_schema(purchase_schema());
    let mut lake = Lake::new();
    let table = Arc::new(ListingTable::try_new(listing).expect("table"));
    lake.0.insert("card".to_owned(), TableEntry::new(table, Some("student_key"), 1));
    let mut parts = Parts::new(policies(), Arc::new(lake), clock(), [3; 32]);
    let elsewhere = Url::from_directory_path(folder.path().join("elsewhere")).expect("url");
    parts.stores = vec![(elsewhere, Arc::new(LocalFileSystem::new()))];
    let session = Sessions::new(config(), parts).expect("sessions").open(counselor()).await.expect("session");
    let (sqlstate, message) = answer(&session, "SELECT * FROM card").await.expect_err("outside");
    assert_eq!((sqlstate.as_str(), message.as_str()), ("58030", "the lake could not be read"));
}
