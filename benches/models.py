"""Groupings that the models of sql/ begin with, run by yizhan over its lake, and by DuckDB and polars over the same files.

The SQL is the same for both that speak it but for the words that differ; polars has its own. All answers are compared
before any time is printed. A ratio is the peer's seconds over ours, so more than 1 means that ours is faster. Ours
includes the start of the program and the opening of the lake; each is timed three times, and the fastest counts.
`--data DIR` takes a lake that is there, in place of a new one.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import duckdb
import polars

from timing import fastest

ROOT = pathlib.Path(__file__).parent.parent


def lake(connection, data):
    for pipeline in ("card_txn", "gate_event"):
        files = f"{data}/lake/raw_{pipeline}/*/*.parquet"
        raw = f"read_parquet('{files}', hive_partitioning = true, hive_types = {{'occurred_on': DATE}})"
        connection.execute(f"CREATE VIEW raw_{pipeline} AS SELECT * FROM {raw}")
        twice = f"read_parquet('{data}/lake/dup_{pipeline}/*/*.parquet', hive_partitioning = true, hive_types = {{'occurred_on': DATE}})"
        connection.execute(
            f"CREATE VIEW stg_{pipeline} AS SELECT row.* FROM raw_{pipeline} AS row "
            f"ANTI JOIN {twice} AS twice ON row.occurred_on = twice.occurred_on AND row.file_no = twice.file_no AND row.row_no = twice.row_no"
        )


def polars_table(data, pipeline):
    """Rows of a pipeline without those that came twice."""
    rows, twice = (polars.scan_parquet(f"{data}/lake/{it}_{pipeline}/*/*.parquet", hive_partitioning=True) for it in ("raw", "dup"))
    return rows.join(twice, on=["occurred_on", "file_no", "row_no"], how="anti")


def polars_canteen(data):
    paid = polars_table(data, "card_txn").filter(polars.col("merchant_kind") == "canteen")
    hours = paid.group_by("student_key", polars.col("minute_of_day") // 60).agg(n=polars.len(), fen=polars.col("amount_fen").sum())
    return hours.select(rows_n=polars.len(), n=polars.col("n").sum(), fen=polars.col("fen").sum())


def polars_payments(data):
    day = polars_table(data, "card_txn").group_by("student_key", "occurred_on")
    newest = polars.col("balance_fen").sort_by("occurred_at", "txn_id").last()
    days = day.agg(n=polars.len(), fen=polars.col("amount_fen").sum(), balance_fen=newest)
    return days.select(rows_n=polars.len(), n=polars.col("n").sum(), fen=polars.col("fen").sum(), balance_fen=polars.col("balance_fen").sum())


def polars_passages(data):
    passed = polars_table(data, "gate_event").group_by("student_key", "occurred_on")
    # A sum of 32-bit numbers stays one, and a large campus has more minutes than that.
    minute = polars.col("minute_of_day").cast(polars.Int64)
    days = passed.agg(n=polars.len(), first=minute.min(), last=minute.max())
    return days.select(rows_n=polars.len(), n=polars.col("n").sum(), first=polars.col("first").sum(), last=polars.col("last").sum())


QUERIES = {
    "payments by day": (
        "SELECT count(*) AS rows_n, sum(n) AS n, sum(fen) AS fen, sum(balance_fen) AS balance_fen FROM (SELECT student_key, occurred_on, "
        "count(*) AS n, sum(amount_fen) AS fen, first_value(balance_fen ORDER BY occurred_at DESC, txn_id DESC) AS balance_fen "
        "FROM stg_card_txn GROUP BY student_key, occurred_on) AS part",
        polars_payments,
    ),
    "canteen by hour": (
        "SELECT count(*) AS rows_n, sum(n) AS n, sum(fen) AS fen FROM (SELECT student_key, minute_of_day / 60 AS hour, "
        "count(*) AS n, sum(amount_fen) AS fen FROM stg_card_txn WHERE merchant_kind = 'canteen' GROUP BY student_key, minute_of_day / 60) AS part",
        polars_canteen,
    ),
    "passages by day": (
        "SELECT count(*) AS rows_n, sum(n) AS n, sum(first) AS first, sum(last) AS last FROM (SELECT student_key, occurred_on, count(*) AS n, "
        "min(minute_of_day) AS first, max(minute_of_day) AS last FROM stg_gate_event GROUP BY student_key, occurred_on) AS part",
        polars_passages,
    ),
}


def bench(yizhan, data):
    for name, (query, in_polars) in QUERIES.items():

        def ours(query=query):
            command = [yizhan, "sql", query, "--data", str(data), "--format", "json"]
            return json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT, text=True).stdout)

        def duck(query=query):
            connection = duckdb.connect()
            lake(connection, data)
            cursor = connection.execute(query.replace("minute_of_day / 60", "minute_of_day // 60").replace("first_value(", "first("))
            return dict(zip([it[0] for it in cursor.description], map(int, cursor.fetchone())))

        def bear(in_polars=in_polars):
            return {key: int(value) for key, value in in_polars(data).collect(engine="streaming").row(0, named=True).items()}

        (a, left), (b, right) = fastest(ours), fastest(duck)
        c, other = fastest(bear)
        peers = [(f"duckdb {duckdb.__version__}", b, right), (f"polars {polars.__version__}", c, other)]
        for peer, _, right in peers:
            if left != right:
                raise SystemExit(f"{name}: yizhan says {left}, {peer} says {right}")
        beside = ", ".join(f"{peer} {seconds:.2f} s (ratio {seconds / a:.2f})" for peer, seconds, _ in peers)
        print(f"{name}, {left['rows_n']} rows: yizhan {a:.2f} s, {beside}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yizhan", required=True)
    parser.add_argument("--students", default="5000")
    parser.add_argument("--days", default="103")
    parser.add_argument("--data", help="data folder of a lake that is there")
    given = parser.parse_args()
    if given.data:
        return bench(given.yizhan, given.data)
    with tempfile.TemporaryDirectory() as folder:
        raw, data = pathlib.Path(folder, "raw"), pathlib.Path(folder, "data")
        quietly = {"check": True, "capture_output": True, "cwd": ROOT}
        subprocess.run([given.yizhan, "simulate", "--students", given.students, "--days", given.days, "--out", str(raw)], **quietly)
        subprocess.run([given.yizhan, "ingest", "--input", str(raw), "--data", str(data)], **quietly)
        bench(given.yizhan, data)


main()
