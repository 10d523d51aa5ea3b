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


def by_yizhan(program, data, whole_of):
    """Counts and sums of all tables; many tables a process, for each has to open the project."""
    found = {}
    names = sorted(whole_of)
    for at in range(0, len(names), 25):
        parts = []
        for table in names[at : at + 25]:
            sums = [f"coalesce(CAST(sum(CAST(\"{it}\" AS DECIMAL(38, 0))) AS VARCHAR), '-')" for it in whole_of[table]]
            told = " || ' ' || ".join(sums) or "''"
            parts.append(f"SELECT '{table}' AS told_table, count(*) AS counted_rows, {told} AS sums FROM {table}")
        command = [program, "--data", data, "sql", " UNION ALL ".join(parts), "--format", "json"]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        for row in map(json.loads, out.stdout.splitlines()):
            sums = [None if it == "-" else int(it) for it in row["sums"].split()]
            found[row["told_table"]] = (row["counted_rows"], sums)
    return found


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
    whole_of = {}
    for path in tables:
        schema = polars.scan_delta(str(path)).collect_schema()
        whole_of[path.name] = [name for name, type_ in schema.items() if str(type_) in WHOLE]
    all_ours = by_yizhan(given.yizhan, given.data, whole_of)
    for path in tables:
        whole, ours = whole_of[path.name], all_ours[path.name]
        for reader, theirs in (("duckdb", by_duckdb(connection, path, whole)), ("polars", by_polars(path, whole))):
            if theirs != ours:
                wrong += 1
                print(f"{path.name}: {reader} says {theirs}, yizhan {ours}, over {whole}", file=sys.stderr)
        print(f"{path.name}: {ours[0]} rows, {len(whole)} sums")
    print(f"{len(tables)} tables, duckdb {duckdb.__version__}, polars {polars.__version__}, {wrong} differences")
    sys.exit(1 if wrong else 0)


main()
