"""Opens every table of a lake with DuckDB's and Polars' own Delta readers and compares counts and sums with yizhan's.

Prints one line a table; a difference is an error with the table, the reader and both answers.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import duckdb
import polars
from duckdb_extensions import import_extension

WHOLE = {"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"}


def by_yizhan(program, data, table, whole):
    sums = "".join(f', CAST(sum(CAST("{it}" AS DECIMAL(38, 0))) AS VARCHAR) AS "{it}"' for it in whole)
    query = f"SELECT count(*) AS counted_rows{sums} FROM {table}"
    command = [program, "--data", data, "sql", query, "--format", "json"]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    row = json.loads(out.stdout.splitlines()[0])
    return row["counted_rows"], [None if row.get(it) is None else int(row[it]) for it in whole]


def by_duckdb(connection, path, whole):
    sums = "".join(f', sum("{it}"::HUGEINT)' for it in whole)
    row = connection.execute(f"SELECT count(*){sums} FROM delta_scan('{path}')").fetchone()
    return row[0], [None if it is None else int(it) for it in row[1:]]


def by_polars(path, whole):
    wanted = [polars.len().alias("counted rows")]
    wanted += [polars.col(it).cast(polars.Int128).sum().alias(it) for it in whole]
    wanted += [polars.col(it).count().alias(f"known {it}") for it in whole]
    row = polars.scan_delta(str(path)).select(wanted).collect().row(0, named=True)
    # Polars sums nothing to zero, SQL to NULL.
    return row["counted rows"], [None if row[f"known {it}"] == 0 else int(row[it]) for it in whole]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yizhan", required=True)
    parser.add_argument("--data", required=True)
    given = parser.parse_args()
    import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    tables = sorted(it.parent for it in pathlib.Path(given.data, "lake").glob("*/_delta_log"))
    if not tables:
        sys.exit(f"{given.data} has no lake")
    wrong = 0
    for path in tables:
        schema = polars.scan_delta(str(path)).collect_schema()
        whole = [name for name, type_ in schema.items() if str(type_) in WHOLE]
        ours = by_yizhan(given.yizhan, given.data, path.name, whole)
        for reader, theirs in (("duckdb", by_duckdb(connection, path, whole)), ("polars", by_polars(path, whole))):
            if theirs != ours:
                wrong += 1
                print(f"{path.name}: {reader} says {theirs}, yizhan {ours}, over {whole}", file=sys.stderr)
        print(f"{path.name}: {ours[0]} rows, {len(whole)} sums")
    print(f"{len(tables)} tables, duckdb {duckdb.__version__}, polars {polars.__version__}, {wrong} differences")
    sys.exit(1 if wrong else 0)


main()
