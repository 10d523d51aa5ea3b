"""Card ingest beside DuckDB's CSV-to-Parquet COPY of the same rows, in one run.

DuckDB reads UTF-8 copies without the planted broken lines, because it cannot read GB18030 and would stop at them; making
the copies is not timed. Yizhan also checks, pseudonymises, hashes, sorts and commits. The ratio is DuckDB's seconds over
ours, so more than 1 means that ours is faster. Both have all cores; each is timed three times, and the fastest counts.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import duckdb

from timing import fastest

# A row that DuckDB reads without help: number, three texts, amount, balance, a day that there is, a time.
WHOLE = re.compile(r"\d+,\d*,[^,\"]*,[^,\"]*,-?\d+(\.\d+)?,(-?\d+(\.\d+)?)?,20\d\d/(1[0-2]|[1-9])/([12]?\d|3[01]) ([01]?\d|2[0-3]):\d\d:\d\d\r?")


def plain_copies(card, folder):
    """UTF-8 copies of the rows that any reader understands; gives back bytes and rows of the originals."""
    size = rows = 0
    for file in sorted(card.glob("card_20*.csv")):
        raw = file.read_bytes()
        size += len(raw)
        head, *lines = raw.split(b"\n")
        good = []
        for line in filter(None, lines):
            rows += 1
            try:
                text = line.decode("gb18030")
            except UnicodeDecodeError:
                continue
            if WHOLE.fullmatch(text):
                good.append(text)
        text = "\n".join([head.decode("gb18030"), *good]) + "\n"
        (folder / file.name).write_text(text, encoding="utf-8", newline="")
    return size / 1e6, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yizhan", required=True)
    parser.add_argument("--students", default="5000")
    parser.add_argument("--days", default="103")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        raw, plain = root / "raw", root / "utf8"
        simulate = [given.yizhan, "simulate", "--students", given.students, "--days", given.days, "--out", str(raw)]
        subprocess.run(simulate, check=True, capture_output=True)
        plain.mkdir()
        size, rows = plain_copies(raw / "card", plain)

        def ours():
            shutil.rmtree(root / "data", ignore_errors=True)
            command = [given.yizhan, "ingest", "card_txn", "--set", "ingest.approvals=off", "--input", str(raw), "--data", str(root / "data"), "--format", "json"]
            out = subprocess.run(command, check=True, capture_output=True, text=True)
            report = json.loads(out.stdout.splitlines()[0])
            if report["rows_in"] != rows:
                raise SystemExit(f"yizhan read {report['rows_in']} of {rows} rows")

        def theirs():
            duckdb.connect().execute(
                f"COPY (SELECT * FROM read_csv('{plain}/*.csv', header = true)) "
                f"TO '{root}/duck.parquet' (FORMAT parquet, COMPRESSION zstd)"
            )

        (a, _), (b, _) = fastest(ours), fastest(theirs)
        stored = sum(it.stat().st_size for it in (root / "data/lake/raw_card_txn").rglob("*.parquet")) / 1e6
        other = (root / "duck.parquet").stat().st_size / 1e6
        print(
            f"card ingest, {size:.0f} MB, {rows} rows: yizhan {a:.2f} s ({stored:.0f} MB), "
            f"duckdb {duckdb.__version__} {b:.2f} s ({other:.0f} MB), ratio {b / a:.2f}"
        )


main()
