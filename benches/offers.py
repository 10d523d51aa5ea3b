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

What weighing by outcomes does is seen by date, and by the same demonstration made without it:
    yizhan --set warning.learn.closed_min=1000000 --data OTHER ... demo ... --talks --build-only
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


class Campus:
    """What was planted, offered and found in a demonstration."""

    def __init__(self, yizhan, data):
        self.reasons, self.students = truth(Path(data) / "exports/truth")
        ask = lambda query: rows(yizhan, data, query)
        self.keys = [it["student_key"] for it in ask("SELECT student_key FROM raw_student ORDER BY row_no")]
        self.place_of = {key: place for place, key in enumerate(self.keys)}
        offered = ask("SELECT student_key, issued_on, input FROM warning_student WHERE severity IS NOT NULL AND issued_on = as_of_on")
        self.ours = sorted((it["issued_on"], it["student_key"]) for it in offered)
        self.ours = [(key, date.fromisoformat(on)) for on, key in self.ours]
        self.found = ask("SELECT student_key, rule, as_of_on, coalesce(score, 0) AS score FROM warning_candidate WHERE severity IS NOT NULL")
        self.homes = {it["student_key"]: (it.get("building_id"), it.get("floor")) for it in
                      ask("SELECT student_key, building_id, floor FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student)")}
        self.draw = random.Random(7)
        self.by_date = defaultdict(int)
        for _, on in self.ours:
            self.by_date[on] += 1
        # From the first date on which what came of earlier offers weighs a rule.
        weighed = [it["issued_on"] for it in offered if any(witness["worth"] != 1 for witness in json.loads(it["input"])["witnesses"])]
        self.weighed_from = date.fromisoformat(min(weighed)) if weighed else None

    def is_right(self, key, on):
        # A reason counts while it lasts and for two weeks after: windows look back.
        return any(since <= on <= (until if until == date.max else until + timedelta(days=14)) for _, since, until in self.reasons[self.place_of[key]])

    def share(self, picked):
        picked = list(picked)
        right = sum(self.is_right(key, on) for key, on in picked)
        return {"right": right, "n": len(picked), "precision": round(right / len(picked), 3) if picked else None}

    def chance(self):
        """As many as were offered of each date, drawn from all students twenty times."""
        return [(self.draw.choice(self.keys), on) for on, n in self.by_date.items() for _ in range(20 * n)]

    def top(self, rule):
        """Of each date the rule's strongest, as many as were offered, nobody twice within the cool-down."""
        taken, last = [], {}
        for on in sorted(self.by_date):
            of_date = [it for it in self.found if it["rule"] == rule and it["as_of_on"] == str(on)]
            of_date.sort(key=lambda it: (-float(it["score"]), self.draw.random()))
            fresh = [it["student_key"] for it in of_date if it["student_key"] not in last or COOL_DOWN <= (on - last[it["student_key"]]).days]
            for key in fresh[: self.by_date[on]]:
                last[key] = on
                taken.append((key, on))
        return taken

    def floors(self):
        """Of each date residents of the floors with most findings before, as many as were offered."""
        taken = []
        for on, n in self.by_date.items():
            hits = defaultdict(int)
            for it in self.found:
                if date.fromisoformat(it["as_of_on"]) < on and it["student_key"] in self.homes:
                    hits[self.homes[it["student_key"]]] += 1
            best = sorted(hits, key=lambda it: (-hits[it], str(it)))
            residents = [key for floor in best for key in self.keys if self.homes.get(key) == floor]
            taken += [(key, on) for key in residents[:n]]
        return taken

    def recall(self, kind, picked):
        """Of the reasons that began while there were offers: how many were picked afterwards, and after how many days."""
        first, last = min(self.by_date), max(self.by_date)
        begun = [(place, since) for place, its in self.reasons.items() for of, since, _ in its if of == kind and first <= since <= last]
        on_of = defaultdict(list)
        for key, on in picked:
            on_of[self.place_of[key]].append(on)
        delays = [(min(on for on in on_of[place] if since <= on) - since).days for place, since in begun if any(since <= on for on in on_of[place])]
        return {"found": len(delays), "of": len(begun), "days until offered": statistics.median(delays) if delays else None}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--yizhan", default="target/debug/yizhan")
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    campus = Campus(options.yizhan, options.data)
    chance = campus.chance()
    usual = campus.share(chance)["right"] / len(chance)
    tops = {rule: campus.top(rule) for rule in sorted({it["rule"] for it in campus.found})}
    floors = campus.floors()

    def beside(is_meant):
        """Ours beside chance, floors and every rule at the same budget, of some dates."""
        of = lambda picked: [it for it in picked if is_meant(it[1])]
        ours = campus.share(of(campus.ours))
        said = {"offered": ours, "chance": campus.share(of(chance))["precision"], "floor": campus.share(of(floors))["precision"]}
        for rule, picked in tops.items():
            its = campus.share(of(picked))
            its["filled"] = round((its["right"] + (ours["n"] - its["n"]) * usual) / max(ours["n"], 1), 3)
            said[f"rule {rule}"] = its
        return said

    report = {"students": campus.students, "weighed from": str(campus.weighed_from)}
    report["by date"] = {str(on): campus.share(it for it in campus.ours if it[1] == on) for on in sorted(campus.by_date)}
    report["all dates"] = beside(lambda on: True)
    if campus.weighed_from:
        report["before outcomes"] = beside(lambda on: on < campus.weighed_from)
        report["after outcomes"] = beside(lambda on: campus.weighed_from <= on)
    filled = lambda rule: report["all dates"][f"rule {rule}"]["filled"]
    best = max(tops, key=filled)
    # One draw of chance of the same size: recall grows with the number picked.
    once = [(campus.draw.choice(campus.keys), on) for _, on in campus.ours]
    for kind in ("state", "spending_drop", "overnight"):
        report[f"recall {kind}"] = {name: campus.recall(kind, picked) for name, picked in
                                    [("offered", campus.ours), ("chance", once), ("floor", floors), (f"rule {best}", tops[best])]}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
