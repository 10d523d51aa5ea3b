"""The figures of the ticket loop as of 2016-01-01, computed without Yizhan, for comparison with cockpit_ticket."""

import csv
import gzip
import statistics
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

FORMAT = "%m/%d/%Y %I:%M:%S %p"
ZONE = ZoneInfo("America/New_York")
NOW = datetime(2016, 1, 1, 4, tzinfo=ZONE)


def instant(text):
    return datetime.strptime(text, FORMAT).replace(tzinfo=ZONE) if text else None


def main(path):
    rows, refused = [], 0
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            opened, due, closed = (instant(row[it]) for it in ("OPEN_DT", "TARGET_DT", "CLOSED_DT"))
            if closed and closed < opened:
                refused += 1
                continue
            # Known an hour after it was opened, as the contract says.
            if opened.timestamp() + 3600 <= NOW.timestamp():
                rows.append((opened.timestamp(), due and due.timestamp(), closed.timestamp() if closed and closed < NOW else None))
    now = NOW.timestamp()
    print(f"refused={refused} known={len(rows)}")
    for period, start, end in (("now", 30, 0), ("before", 60, 30)):
        begin, finish = now - 86400 * start, now - 86400 * end
        raised = [it for it in rows if begin <= it[0] < finish]
        due = [it for it in rows if it[1] and begin <= it[1] < finish]
        hours = [(it[2] - it[0]) / 3600 for it in rows if it[2] and begin <= it[2] < finish]
        on_time = sum(1 for it in due if it[2] and it[2] <= it[1])
        overdue = sum(1 for it in rows if it[2] is None and it[1] and it[1] < now)
        print(
            f"{period}: ticket_n={len(raised)} due_n={len(due)} on_time_n={on_time} "
            f"resolved_n={sum(1 for it in raised if it[2])} overdue_n={overdue} median_hours={statistics.median(hours):.6f}"
        )


main(sys.argv[1])
