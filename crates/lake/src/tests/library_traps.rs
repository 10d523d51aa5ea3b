//! What the Delta library does today when two writers meet, so that an upgrade that mends or worsens it is noticed.
//!
//! No test here is about our own code: each asserts the library's behaviour and names the rule of ours that avoids it.

use deltalake::datafusion::prelude::{SessionContext, col, lit};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{StructType, Transaction};
use deltalake::operations::vacuum::VacuumMode;
use deltalake::parquet::basic::{Compression, ZstdLevel};
use deltalake::parquet::file::metadata::SortingColumn;
use deltalake::parquet::file::properties::WriterProperties;
use deltalake::parquet::file::reader::{FileReader, SerializedFileReader};
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableBuilder};
use url::Url;

use super::*;

fn numbers(ids: Range<i64>) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, true)]);
    let ids: Arc<dyn Array> = Arc::new(Int64Array::from(ids.collect::<Vec<_>>()));
    RecordBatch::try_new(Arc::new(schema), vec![ids]).expect("one column")
}

/// A table of the library's own with four files of ten rows, the last of them under position 1.
async fn small_files() -> (TempDir, Url) {
    small_files_with(&[]).await
}

async fn small_files_with(configuration: &[(&str, &str)]) -> (TempDir, Url) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = Url::from_directory_path(folder.path()).expect("an absolute path");
    let columns: StructType = numbers(0..0).schema().try_into_kernel().expect("known types");
    let create = DeltaTable::try_from_url(url.clone()).await.expect("a table").create();
    let configuration = configuration.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
    create.with_columns(columns.fields().cloned()).with_configuration(configuration).await.expect("created");
    for file in 0..4 {
        let write = open(&url).await.write([numbers(file * 10..file * 10 + 10)]);
        write.with_save_mode(SaveMode::Append).await.expect("appended");
    }
    (folder, url)
}

async fn open(url: &Url) -> DeltaTable {
    DeltaTableBuilder::from_url(url.clone()).expect("a location").load().await.expect("a table")
}

/// Rows of the newest version, by the log.
async fn rows_of(url: &Url) -> usize {
    let table = open(url).await;
    table.snapshot().expect("loaded").log_data().iter().map(|it| it.num_records().expect("statistics")).sum()
}

fn position(version: i64) -> CommitProperties {
    CommitProperties::default().with_application_transaction(Transaction::new("app", version))
}

/// Two handles on the same version; OPTIMIZE has been committed through one of them since.
async fn stale_after_optimize() -> (TempDir, Url, DeltaTable) {
    let (folder, url) = small_files().await;
    let (winner, loser) = (open(&url).await, open(&url).await);
    winner.optimize().await.expect("the winner commits");
    assert_eq!(rows_of(&url).await, 40);
    (folder, url, loser)
}

// Rule: one actor a table does upkeep, and its Removes are checked against the state they are committed on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn optimize_after_a_concurrent_optimize_doubles_the_rows() {
    let (_folder, url, loser) = stale_after_optimize().await;
    loser.optimize().await.expect("the library lets it pass");
    assert_eq!(rows_of(&url).await, 80);
}

// Rule: every commit with Removes is a compare-and-swap on the version it was planned on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwrite_after_a_concurrent_optimize_keeps_the_old_rows() {
    let (_folder, url, loser) = stale_after_optimize().await;
    loser.write([numbers(0..1)]).with_save_mode(SaveMode::Overwrite).await.expect("the library lets it pass");
    assert_eq!(rows_of(&url).await, 41);
}

// The rule at work: without retries the library refuses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwrite_without_retries_after_a_concurrent_optimize_is_refused() {
    let (_folder, url, loser) = stale_after_optimize().await;
    let write = loser.write([numbers(0..1)]).with_save_mode(SaveMode::Overwrite);
    let refused = write.with_commit_properties(CommitProperties::default().with_max_retries(0)).await;
    assert!(refused.is_err());
    assert_eq!(rows_of(&url).await, 40);
}

// Nothing to avoid here; it is noted because the row above it is not refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delete_update_merge_and_replace_where_after_a_concurrent_optimize_are_refused() {
    let (_folder, url, loser) = stale_after_optimize().await;
    let few = || col("id").lt(lit(5i64));
    assert!(loser.clone().delete().with_predicate(few()).await.is_err(), "delete");
    let update = loser.clone().update().with_predicate(few()).with_update("id", lit(1i64));
    assert!(update.await.is_err(), "update");
    let source = SessionContext::new().read_batch(numbers(0..5)).expect("a source");
    let merge = loser.clone().merge(source, col("target.id").eq(col("source.id")));
    let merge = merge.with_source_alias("source").with_target_alias("target");
    let merge = merge.when_matched_update(|it| it.update("id", col("source.id"))).expect("a merge");
    assert!(merge.await.is_err(), "merge");
    let write = loser.write([numbers(0..5)]).with_save_mode(SaveMode::Overwrite).with_replace_where(few());
    assert!(write.await.is_err(), "replaceWhere");
    assert_eq!(rows_of(&url).await, 40);
}

// Rule: the position is read, under the lock of the table's state, before every append.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_is_refused_to_a_stale_handle_and_granted_twice_to_fresh_ones() {
    let (_folder, url) = small_files().await;
    let (winner, loser) = (open(&url).await, open(&url).await);
    let append = |it: DeltaTable| it.write([numbers(40..50)]).with_save_mode(SaveMode::Append);
    append(winner).with_commit_properties(position(1)).await.expect("the first");
    assert!(append(loser).with_commit_properties(position(1)).await.is_err(), "stale");
    assert_eq!(rows_of(&url).await, 50);
    append(open(&url).await).with_commit_properties(position(1)).await.expect("the library does not deduplicate");
    assert_eq!(rows_of(&url).await, 60);
}

// Rule: `delta.setTransactionRetentionDuration` is never set; `Shape` writes a fixed configuration without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retention_of_transactions_forgets_positions() {
    let retention = ("delta.setTransactionRetentionDuration", "interval 1 days");
    let (_folder, url) = small_files_with(&[retention]).await;
    let old = Transaction::new_with_last_update("app", 1, Some(1_000));
    let write = open(&url).await.write([numbers(40..50)]).with_save_mode(SaveMode::Append);
    write.with_commit_properties(CommitProperties::default().with_application_transaction(old)).await.expect("committed");
    let table = open(&url).await;
    let state = table.snapshot().expect("loaded");
    assert_eq!(state.transaction_version(table.log_store().as_ref(), "app").await.expect("readable"), None);
}

// Rule: compaction goes through our own writer, which knows one set of properties.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn optimize_writes_with_properties_of_its_own() {
    let (folder, url) = small_files().await;
    for ids in [40..50, 50..60] {
        let order = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("a level")))
            .set_sorting_columns(Some(vec![order]))
            .set_created_by("us".to_owned())
            .build();
        let write = open(&url).await.write([numbers(ids)]).with_save_mode(SaveMode::Append);
        write.with_writer_properties(properties).await.expect("appended");
    }
    let (table, _) = open(&url).await.optimize().await.expect("optimized");
    let view = table.snapshot().expect("loaded").log_data().iter().next().expect("one file");
    let file = std::fs::File::open(folder.path().join(view.path().as_ref())).expect("the merged file");
    let merged = SerializedFileReader::new(file).expect("a whole file");
    let (footer, group) = (merged.metadata().file_metadata(), merged.metadata().row_group(0));
    assert_ne!(footer.created_by(), Some("us"));
    assert_eq!(group.sorting_columns(), None, "the declared order is lost");
    // Older versions lost zstd here as well; this one has made it its own default.
    assert!(matches!(group.column(0).compression(), Compression::ZSTD(_)));
}

// Rule: what is removed is found by our own sweep, which commits nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_light_vacuum_adds_two_commits() {
    let (_folder, url) = small_files().await;
    let (table, _) = open(&url).await.optimize().await.expect("optimized");
    let before = table.version().expect("a version");
    let vacuum = table.vacuum().with_mode(VacuumMode::Lite).with_enforce_retention_duration(false);
    let (table, _) = vacuum.with_retention_period(chrono::Duration::zero()).await.expect("vacuumed");
    assert_eq!(table.version(), Some(before + 2));
}

// Rule: whoever wants a later version asks the lake for another snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_never_sees_a_later_commit() {
    let (_folder, url) = small_files().await;
    let table = open(&url).await;
    let session = SessionContext::new();
    table.update_datafusion_session(&session.state()).expect("a session");
    session.register_table("numbers", table.table_provider().await.expect("a provider")).expect("registered");
    open(&url).await.write([numbers(40..50)]).with_save_mode(SaveMode::Append).await.expect("appended");
    let counted = session.sql("SELECT id FROM numbers").await.expect("planned").count().await.expect("counted");
    assert_eq!((counted, rows_of(&url).await), (40, 50));
}

// And ours: what the library commits beside us makes us plan again, and never doubles a row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_replacement_refuses_where_the_librarys_would_double_rows() {
    let (_folder, lake) = lake().await;
    for position in 0..4 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    let planned_on = pinned(&lake).await.version;
    let url = Url::from_directory_path(lake.root().join("raw_gate_event")).expect("an absolute path");
    open(&url).await.optimize().await.expect("optimized from outside");
    let file = stage(&lake, &spec(), MONDAY, 0..4);
    let refused = lake.replace(&spec(), Replace::All, vec![file.clone()], plain(), Some(planned_on)).await;
    assert!(matches!(refused, Err(crate::Error::Moved { expected: 3, found: 4, .. })), "{refused:?}");
    lake.replace(&spec(), Replace::All, vec![file], plain(), None).await.expect("planned again");
    assert_eq!(students(&pinned(&lake).await), [0, 1, 2, 3]);
}
