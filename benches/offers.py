"""What is offered against what was planted: precision, recall and delay at the budget, beside chance, rules and floors.

Usage: python3 benches/offers.py --data FOLDER [--yizhan target/debug/yizhan]
FOLDER is a demonstration that was built; its exports hold the planted truth. With `--talks` it is lived through week by
week and the rules are weighed by what came of the talks:
    yizhan --data FOLDER --set transform.as_of_days=1 demo --students 6000 --days 103 --seed 2 --talks --build-only

A reason is a planted one that began before the date: a latent state, a drop of spending, nights away. The state is
weak by design (crates/simulate/README.md), so most of those who have it cannot be told from others by any method; drops
of spending can.

A single rule is compared at the same budget: of each date as many of the rule's findings as were offered, the strongest
first, nobody twice within the cool-down. A rule that finds fewer leaves hours unused: `filled` gives these to chance.
"""

import argparse
import csv
import json
import random
import statistics
import subprocess
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path


COOL_DOWN = 14


def rows(yizhan, data, query):
    said = subprocess.run([yizhan, "--data", data, "sql", query, "--format", "json"], check=True, capture_output=True, text=True)
    return [json.loads(it) for it in said.stdout.splitlines()]


def truth(folder):
    """Planted reasons by place in the register: (kind, first day, last day)."""
    reasons, numbers = defaultdict(list), []
    with open(folder / "students.csv", newline="") as file:
        for place, it in enumerate(csv.DictReader(file)):
            numbers.append(it["student_id"])
            if it["onset"]:
                reasons[place].append(("state", date.fromisoformat(it["onset"]), date.max))
    place_of = {it: place for place, it in enumerate(numbers)}
    manifest = json.loads((folder / "manifest.json").read_text())
    for kind in ("spending_drop", "spending_drop_other"):
        for it in manifest["planted"][kind]:
            reasons[place_of[it["student"]]].append(("spending_drop", date.fromisoformat(it["from"]), date.fromisoformat(it["to"])))
    for it in manifest["planted"]["overnight_absence"]:
        night = date.fromisoformat(it["date"])
        reasons[place_of[it["student"]]].append(("overnight", night, night))
    return reasons, len(numbers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--yizhan", default="target/debug/yizhan")
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    reasons, students = truth(Path(options.data) / "exports/truth")
    ask = lambda query: rows(options.yizhan, options.data, query)
    keys = [it["student_key"] for it in ask("SELECT student_key FROM raw_student ORDER BY row_no")]
    place_of = {key: place for place, key in enumerate(keys)}

    def has_reason(place, on, kinds=("state", "spending_drop", "overnight")):
        # A reason counts while it lasts and for two weeks after: windows look back.
        return any(kind in kinds and since <= on <= (until if until == date.max else until + timedelta(days=14)) for kind, since, until in reasons[place])

    offered = ask("SELECT student_key, rules, severity, score, issued_on, min(as_of_on) AS as_of_on FROM warning_student "
                  "WHERE severity IS NOT NULL GROUP BY student_key, rules, severity, score, issued_on")
    new = {}
    for it in sorted(offered, key=lambda it: it["as_of_on"]):
        new.setdefault((it["student_key"], it["issued_on"]), it)
    found = ask("SELECT student_key, rule, as_of_on, coalesce(score, 0) AS score FROM warning_candidate WHERE severity IS NOT NULL")
    homes = {it["student_key"]: (it.get("building_id"), it.get("floor")) for it in
             ask("SELECT student_key, building_id, floor FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student)")}
    draw = random.Random(7)

    def share(picked):
        picked = list(picked)
        right = sum(has_reason(place_of[key], on) for key, on in picked)
        return right, len(picked), right / len(picked) if picked else float("nan")

    ours = [(key, date.fromisoformat(issued)) for key, issued in new]
    by_date = defaultdict(int)
    for _, on in ours:
        by_date[on] += 1
    chance = [(draw.choice(keys), on) for on, n in by_date.items() for _ in range(20 * n)]
    by_rule = defaultdict(dict)
    for it in sorted(found, key=lambda it: it["as_of_on"]):
        by_rule[it["rule"]].setdefault((it["student_key"], it["as_of_on"]), date.fromisoformat(it["as_of_on"]))
    # The floor with most candidates of the date before, as many of its residents as were offered.
    floors = []
    for on, n in by_date.items():
        hits = defaultdict(int)
        for it in found:
            if date.fromisoformat(it["as_of_on"]) < on and it["student_key"] in homes:
                hits[homes[it["student_key"]]] += 1
        best = sorted(hits, key=lambda it: (-hits[it], str(it)))
        residents = [key for floor in best for key in keys if homes.get(key) == floor]
        floors += [(key, on) for key in residents[:n]]
    report = {"students": students, "offers": len(ours)}
    chance_share = share(chance)[2]
    by_week = {}
    for on in sorted(by_date):
        right, n, precision = share([it for it in ours if it[1] == on])
        by_week[str(on)] = {"right": right, "n": n, "precision": round(precision, 3)}
    report["by date"] = by_week

    def top(rule):
        """Of each date the rule's strongest, as many as were offered, nobody twice within the cool-down."""
        taken, last = [], {}
        for on in sorted(by_date):
            of_date = [it for it in found if it["rule"] == rule and it["as_of_on"] == str(on)]
            of_date.sort(key=lambda it: (-float(it["score"]), draw.random()))
            fresh = [it["student_key"] for it in of_date if it["student_key"] not in last or COOL_DOWN <= (on - last[it["student_key"]]).days]
            for key in fresh[: by_date[on]]:
                last[key] = on
                taken.append((key, on))
        return taken

    at_budget = {}
    for rule in sorted(by_rule):
        right, n, precision = share(top(rule))
        filled = (right + (len(ours) - n) * chance_share) / len(ours)
        at_budget[rule] = {"right": right, "n": n, "precision": round(precision, 3), "filled": round(filled, 3)}
    report["rules at the same budget"] = at_budget
    for name, picked in [("offered", ours), ("chance", chance), ("floor", floors)] + [(f"rule {rule}", [(key, on) for (key, _), on in its.items()]) for rule, its in sorted(by_rule.items())]:
        right, n, precision = share(picked)
        report[name] = {"right": right, "n": n, "precision": round(precision, 3)}
    first, last = min(by_date), max(by_date)
    for kind in ("state", "spending_drop", "overnight"):
        begun = {place: since for place, its in reasons.items() for it_kind, since, _ in its if it_kind == kind and first <= since <= last}
        delays = []
        for place, since in begun.items():
            mine = [on for key, on in ours if place_of[key] == place and since <= on]
            if mine:
                delays.append((min(mine) - since).days)
        report[f"recall {kind}"] = {"found": len(delays), "of": len(begun), "days until offered": statistics.median(delays) if delays else None}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
