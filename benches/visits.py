"""Whether random visits tell what was missed: 200 times visits and outcomes anew over one scored campus.

Usage: python3 benches/visits.py --data FOLDER [--yizhan target/debug/yizhan] [--example target/debug/examples/resample]
FOLDER is a demonstration that was built (`yizhan demo --build-only --data FOLDER`); its exports hold the planted truth.

Rooms, residents and offers are those of the lake on the newest Monday, when plans are made; a plan is a college. Who truly wants support is drawn
from the planted state: six in ten of those who have it, three in a hundred of the others.
"""

import argparse
import csv
import json
import subprocess
import tempfile
from datetime import date
from pathlib import Path


def rows(yizhan, data, query):
    said = subprocess.run([yizhan, "--data", data, "sql", query, "--format", "json"], check=True, capture_output=True, text=True)
    return [json.loads(it) for it in said.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--yizhan", default="target/debug/yizhan")
    parser.add_argument("--example", default="target/debug/examples/resample")
    parser.add_argument("--data", required=True)
    parser.add_argument("--exports", type=Path, help="where the campus lies, if not in the data folder")
    parser.add_argument("--on", help="Monday of the plans instead of the newest, such as 2025-12-15")
    parser.add_argument("--times", default="200")
    options = parser.parse_args()
    ask = lambda query: rows(options.yizhan, options.data, query)
    newest = options.on or ask("SELECT CAST(date_trunc('week', max(as_of_on)) AS DATE) AS on FROM portrait_student")[0]["on"]
    since = {}
    with open((options.exports or Path(options.data) / "exports") / "truth/students.csv", newline="") as file:
        for place, it in enumerate(csv.DictReader(file)):
            if it["onset"]:
                since[place] = date.fromisoformat(it["onset"])
    keys = [it["student_key"] for it in ask("SELECT student_key FROM raw_student ORDER BY row_no")]
    place_of = {key: place for place, key in enumerate(keys)}
    warned = {it["student_key"] for it in ask(f"SELECT DISTINCT student_key FROM warning_student WHERE as_of_on = DATE '{newest}' AND severity IS NOT NULL")}
    residents = ask(f"SELECT student_key, room_id, college FROM dim_student WHERE as_of_on = DATE '{newest}' AND status = 'enrolled' AND room_id IS NOT NULL ORDER BY student_key")
    rooms = {it: at for at, it in enumerate(sorted({it["room_id"] for it in residents}))}
    colleges = {it: at for at, it in enumerate(sorted({it["college"] for it in residents}))}
    asked = {it["room_id"] for it in residents if it["student_key"] in warned}
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["plan_key", "room_key", "is_chosen", "is_warned", "need"])
        for it in residents:
            is_low = since.get(place_of[it["student_key"]], date.max) <= date.fromisoformat(newest)
            word = lambda it: "true" if it else "false"
            lines.writerow([colleges[it["college"]], rooms[it["room_id"]], word(it["room_id"] in asked), word(it["student_key"] in warned), 0.6 if is_low else 0.03])
        file.flush()
        print(subprocess.run([options.example, file.name, options.times], check=True, capture_output=True, text=True).stdout, end="")


if __name__ == "__main__":
    main()
