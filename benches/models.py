"""Models of sql/ that are plain SQL, run by yizhan over its lake and by DuckDB over the same Parquet files, in one run.

The text of the model is the one in sql/; for DuckDB only what differs between the dialects is replaced. Both answers are
compared before any time is printed. The ratio is DuckDB's seconds over ours, so more than 1 means that ours is faster.
Ours includes the start of the program and the opening of the lake; each is timed three times, and the fastest counts.
"""

import argparse
import json
import pathlib
import re
import subprocess
import tempfile
import tomllib

import duckdb

from timing import fastest

ROOT = pathlib.Path(__file__).parent.parent
STUDENT_DAY_SUMS = (
    "count(*) AS rows_n, sum(meal_n) AS meal_n, sum(breakfast_n) AS breakfast_n, sum(canteen_fen) AS canteen_fen, "
    "sum(library_minutes) AS library_minutes, sum(night_n) AS night_n, sum(event_n) AS event_n, "
    "sum(late_evidence_n) AS late_evidence_n, count(dorm_last_direction) AS dorm_last_n, count(school_last_direction) AS school_last_n"
)


def model(path):
    """The query of a model, with its settings filled in."""
    head, query = re.fullmatch(r"/\*---\n(.*?)---\*/(.*)", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL).groups()
    for name, value in tomllib.loads(head).get("settings", {}).items():
        query = query.replace("${" + name + "}", f"'{value}'" if isinstance(value, str) else str(value))
    return query


def duck_dialect(query):
    query = query.replace("CAST(occurred_at AS BIGINT)", "epoch_us(occurred_at)")
    query = re.sub(r"arrow_cast\((.*?), 'Timestamp\(Microsecond, Some\(\"UTC\"\)\)'\)", r"make_timestamp(CAST(\1 AS BIGINT))", query)
    # Seconds are cut with us and rounded there; division of whole numbers stays whole with us.
    query = re.sub(r"CAST\((date_part\('epoch', \w+\) - date_part\('epoch', \w+\)) AS BIGINT\)", r"CAST(trunc(\1) AS BIGINT)", query)
    return query.replace("AS BIGINT) / 60", "AS BIGINT) // 60").replace("dorm_last) / 2", "dorm_last) // 2")


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yizhan", required=True)
    parser.add_argument("--students", default="5000")
    parser.add_argument("--days", default="103")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw, data = pathlib.Path(folder, "raw"), pathlib.Path(folder, "data")
        quietly = {"check": True, "capture_output": True, "cwd": ROOT}
        subprocess.run([given.yizhan, "simulate", "--students", given.students, "--days", given.days, "--out", str(raw)], **quietly)
        subprocess.run([given.yizhan, "ingest", "--input", str(raw), "--data", str(data)], **quietly)
        subprocess.run([given.yizhan, "transform", "--select", "int_student_day", "--data", str(data)], **quietly)
        queries = {
            "int_student_day": f"SELECT {STUDENT_DAY_SUMS} FROM ({model('sql/intermediate/int_student_day.sql')}) AS day",
            "canteen by hour": "SELECT count(*) AS rows_n, sum(n) AS n, sum(fen) AS fen FROM (SELECT student_key, minute_of_day / 60 AS hour, "
            "count(*) AS n, sum(amount_fen) AS fen FROM stg_card_txn WHERE merchant_kind = 'canteen' GROUP BY student_key, minute_of_day / 60) AS part",
        }
        for name, query in queries.items():

            def ours(query=query):
                command = [given.yizhan, "sql", query, "--data", str(data), "--format", "json"]
                return json.loads(subprocess.run(command, text=True, **quietly).stdout)

            def theirs(query=query):
                connection = duckdb.connect()
                lake(connection, data)
                text = duck_dialect(query).replace("minute_of_day / 60", "minute_of_day // 60")
                cursor = connection.execute(text)
                return dict(zip([it[0] for it in cursor.description], map(int, cursor.fetchone())))

            (a, left), (b, right) = fastest(ours), fastest(theirs)
            if left != right:
                raise SystemExit(f"{name}: yizhan says {left}, duckdb says {right}")
            print(f"{name}, {left['rows_n']} rows: yizhan {a:.2f} s, duckdb {duckdb.__version__} {b:.2f} s, ratio {b / a:.2f}")


main()
