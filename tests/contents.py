"""Prints every table of a lake and of the closed compartment beside it as one JSON object: name to sorted rows.

Read by Polars' own Delta reader, in one process: to compare two lakes by what they hold.
"""

import json
import pathlib
import sys

import polars

# Of what waits in quarantine the instants differ from run to run.
QUARANTINE = ["pipeline", "reason", "column", "file_no", "row_no", "sealed_row"]


def cell(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def main():
    found = {}
    for log in sorted(it for folder in ("lake", "closed") for it in pathlib.Path(sys.argv[1], folder).glob("*/_delta_log")):
        table = polars.scan_delta(str(log.parent))
        if log.parent.name == "ops_quarantine":
            table = table.select(QUARANTINE)
        else:
            table = table.select(sorted(table.collect_schema().names()))
        found[log.parent.name] = sorted(" | ".join(map(cell, row)) for row in table.collect().rows())
    json.dump(found, sys.stdout)


main()
