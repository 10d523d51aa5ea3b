"""Card ingest beside DuckDB's CSV-to-Parquet COPY of the same rows, in one run.

DuckDB reads UTF-8 copies, because it cannot read GB18030; making them is not timed. Yizhan also checks,
pseudonymises, hashes, sorts and commits; the ratio is DuckDB's seconds over ours, so more than 1 means ours is faster.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import duckdb


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--yizhan", required=True)
    parser.add_argument("--students", default="5000")
    parser.add_argument("--days", default="60")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        raw = root / "raw"
        simulate = [given.yizhan, "simulate", "--students", given.students, "--days", given.days, "--out", str(raw)]
        subprocess.run(simulate, check=True)
        # DuckDB gets the rows that the contract keeps: the planted defects would stop it.
        plain = root / "utf8"
        plain.mkdir()
        for file in sorted((raw / "card").glob("card_20*.csv")):
            text = file.read_bytes().decode("gb18030", errors="replace")
            (plain / file.name).write_text(text, encoding="utf-8", newline="")
        size = sum(it.stat().st_size for it in (raw / "card").glob("card_20*.csv")) / 1e6

        began = time.perf_counter()
        command = [given.yizhan, "ingest", "card_txn", "--input", str(raw), "--data", str(root / "data"), "--format", "json"]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        ours = time.perf_counter() - began
        report = json.loads(out.stdout.splitlines()[0])

        began = time.perf_counter()
        duckdb.execute(
            f"COPY (SELECT * FROM read_csv('{plain}/*.csv', header = true, ignore_errors = true, strict_mode = false)) "
            f"TO '{root}/duck.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )
        theirs = time.perf_counter() - began
        print(f"{size:.0f} MB, {report['rows_in']} rows: yizhan {ours:.2f} s, duckdb {theirs:.2f} s, ratio {theirs / ours:.2f}")


main()
