"""Works measures of the newest date out again, in plain Python from the staged rows, and compares them with the lake's.

Nothing of ours is called but `yizhan sql` for the rows: days, meals, entropies and slopes are written down here a second time,
after the definitions. Prints one line a measure; a difference is an error with the student, the measure and both answers.
"""

import argparse
import datetime
import json
import math
import statistics
import subprocess
import sys
from collections import defaultdict
from itertools import combinations


def orderliness(sequence):
    """Minus the entropy: each place's shortest run that was not there before; the whole rest where all of it was."""
    n, total = len(sequence), 0
    if n < 2:
        return None
    text = "".join(chr(0x4E00 + it) for it in sequence)
    for at in range(n):
        length = 1
        while at + length <= n and text[at : at + length] in text[:at]:
            length += 1
        total += min(length, n - at)
    return -math.log(n) / (total / n)


def spread(minutes):
    """Entropy of the hours, 1 where all are alike."""
    hours = defaultdict(int)
    for it in minutes:
        hours[it // 60 % 24] += 1
    return -math.fsum(it / len(minutes) * math.log(it / len(minutes)) for it in hours.values()) / math.log(24) if minutes else None


def slope(points):
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if a[0] != b[0]]
    return statistics.median(slopes) if slopes else None


def share(part, whole):
    return part / whole if whole else None


class Day:
    """What the devices saw of a student on a campus day; passages by face are for safety and left out."""

    def __init__(self):
        self.paid, self.passed = [], []

    @property
    def events(self):
        return len(self.paid) + len(self.passed)

    def close(self):
        """Works out what the measures ask for, once all rows are in."""
        self.paid.sort(key=lambda it: (it["at"], it["txn_id"]))
        canteen = [it for it in self.paid if it["merchant_kind"] == "canteen"]
        self.canteen_fen = sum(it["amount_fen"] for it in canteen)
        self.spent_fen = sum(it["amount_fen"] for it in self.paid)
        gaps = [(b["at"] - a["at"]).total_seconds() for a, b in zip(canteen, canteen[1:])]
        self.meals = (1 if canteen else 0) + sum(it > 45 * 60 for it in gaps)
        self.has_breakfast = any(360 <= it["minute"] < 570 for it in canteen)
        self.has_low = any(it["balance_fen"] is not None and it["balance_fen"] < 1000 for it in self.paid)
        self.night = sum(it["minute"] < 300 for it in self.paid + self.passed)
        self.water = sum(it["merchant_kind"] == "water" and it["place"].startswith("T-J") for it in self.paid)
        self.library = sum(it["place"].startswith("G-L") and it["is_in"] for it in self.passed)
        first = lambda rows: min(rows, default=None)
        within = lambda low, high: first(it["minute"] for it in canteen if low <= it["minute"] < high)
        self.eaten = [it for it in (within(300, 570), within(600, 810), within(960, 1200)) if it is not None]
        late = lambda it: it["minute"] + 1440 if it["minute"] < 240 else it["minute"]
        self.shower = first(late(it) for it in self.paid if it["merchant_kind"] == "shower")
        self.first = first(late(it) for it in self.paid + self.passed)
        home = [late(it) for it in self.passed if it["place"].startswith("G-N") and it["is_in"] and late(it) >= 1200]
        self.home = max(home, default=None)


def of_days(days, kind_of, on):
    """Measures of the days of one student: name -> (value, support)."""
    since = lambda n: [(day, it) for day, it in days if day >= on - datetime.timedelta(days=n)]
    month, two = since(28), since(56)
    here = [it for _, it in month if it.events]
    total = lambda name: sum(getattr(it, name) for it in here)
    n, meals, events = len(here), total("meals"), total("events")
    found = {}
    if here:
        per_month = lambda name: (28 * total(name) / n, n)
        middle = statistics.median(it.canteen_fen for it in here)
        found = {
            "breakfast_rate": (total("has_breakfast") / n, n),
            "meals_per_day": (meals / n, n),
            "canteen_spend": (28 * total("canteen_fen") / 100 / n, n),
            "meal_price": (share(total("canteen_fen") / 100, meals), meals),
            "canteen_share": (share(total("canteen_fen"), total("spent_fen")), sum(len(it.paid) for it in here)),
            "spending_volatility": (share(statistics.median(abs(it.canteen_fen - middle) for it in here), middle), n),
            "night_ratio": (share(total("night"), events), events),
            "low_balance_days": per_month("has_low"),
            "study_water_n": per_month("water"),
            "library_in_n": per_month("library"),
        }
    eaten = [minute // 30 for _, it in month for minute in sorted(it.eaten)]
    if eaten:
        found["meal_orderliness"] = (orderliness(eaten), len(eaten))
    for name, of in (("shower_orderliness", "shower"), ("first_event_orderliness", "first")):
        bins = [getattr(it, of) // 30 for _, it in two if getattr(it, of) is not None]
        if two:
            found[name] = (orderliness(bins), len(bins))
    if month:
        minutes = [minute for _, it in month for minute in [*it.eaten, it.shower, it.first, it.home] if minute is not None]
        found["hour_entropy"] = (spread(minutes), len(minutes))
    weekend = [it.first for day, it in two if it.events and kind_of(day) == "weekend" and it.first is not None]
    taught = [it.first for day, it in two if it.events and kind_of(day) in TAUGHT and it.first is not None]
    if any(it.events for _, it in two):
        lag = abs(statistics.median(weekend) - statistics.median(taught)) if weekend and taught else None
        found["social_jet_lag"] = (lag, min(3 * len(weekend), len(taught)))
    usual = [(day >= on - datetime.timedelta(days=14), it) for day, it in since(70) if it.events and kind_of(day) in TAUGHT]
    now, past = [it for is_now, it in usual if is_now], [it for is_now, it in usual if not is_now]
    if usual:
        half = lambda its: (sum(it.meals for it in its) + 0.5) / len(its)
        support = min(3 * len(now), len(past))
        found["meal_drop"] = (math.log(half(now) / half(past)) if now and past else None, support)
        before = statistics.median(it.canteen_fen for it in past) if past else 0
        if before > 0:
            after = statistics.median(it.canteen_fen for it in now) if now else None
            found["spending_drop"] = (None if after is None else math.log((after + 1) / (before + 1)), support)
    return found


def of_nights(days, on):
    """When a boarder came home: the middle over four weeks, how firmly it is kept round the clock, and in which order."""
    minutes = [it.home for day, it in days if day >= on - datetime.timedelta(days=28) and it.home is not None]
    turns = [2 * math.pi * it / 1440 for it in minutes]
    firm = math.hypot(math.fsum(map(math.cos, turns)), math.fsum(map(math.sin, turns))) / len(turns) if turns else None
    lately = [(day, it.home) for day, it in sorted(days, key=lambda it: it[0]) if day >= on - datetime.timedelta(days=56)]
    bins = [home // 30 for _, home in lately if home is not None]
    return {
        **({"return_orderliness": (orderliness(bins), len(bins))} if lately else {}),
        "evening_return": (statistics.median(minutes) if minutes else None, len(minutes)),
        "return_concentration": (firm, len(minutes)),
    }


# Thirty evenings at the gate within eight weeks: hardly anybody's on a campus of two months.
RARE = {"return_orderliness"}
# A day that no calendar names is a teaching day.
TAUGHT = {"teaching", "makeup", None}


def of_grades(rows, courses):
    """Measures of the marks of one student."""
    found = {}
    counted = [it for it in rows if it["exam_kind"] in ("final", "retake")]
    mean = lambda its: share(sum(it["score"] * it["credit_tenths"] for it in its), sum(it["credit_tenths"] for it in its))
    if counted:
        newest = sorted({it["term"] for it in counted})[-2:]
        last = [it for it in counted if it["term"] in newest]
        found["gpa"] = (mean(last), len(last))
    best = defaultdict(lambda: (-1, 0))
    for it in rows:
        if it["exam_kind"] != "midterm":
            score, credit = best[it["course_id"], it["term"]]
            best[it["course_id"], it["term"]] = (max(score, it["score"]), max(credit, it["credit_tenths"]))
    if best:
        found["failed_credits"] = (sum(credit for score, credit in best.values() if score < 60) / 10, len(best))
    finals = [it for it in rows if it["exam_kind"] == "final"]
    if finals:
        terms = sorted({it["term"] for it in finals})
        means = [(place, mean([it for it in finals if it["term"] == term])) for place, term in enumerate(terms)]
        found["gpa_trend"] = (slope(means), len(terms))
        off = sum((it["score"] - courses[it["course_id"], it["term"]]) * it["credit_tenths"] for it in finals)
        found["grade_residual"] = (share(off, sum(it["credit_tenths"] for it in finals)), len(finals))
    return found


def of_activities(ask, people, word, known, valid):
    """What everybody took part in over 120 days: an activity of several days is one, who checks in twice was there once."""
    came, first = {}, f"occurred_on < DATE '{word}' AND occurred_on >= DATE '{word}' - INTERVAL '120' DAY"
    rows = ask(f"SELECT student_key, activity_id, occurred_on, checked_in_at, checkin_id, hour_tenths FROM stg_activity_attendance "
               f"WHERE {known} AND {first}")
    for it in sorted(rows, key=lambda it: (it["checked_in_at"], it["checkin_id"])):
        came.setdefault((it["student_key"], it["activity_id"], it["occurred_on"]), it["hour_tenths"] or 0)
    kinds = {it["activity_id"]: it for it in ask(f"SELECT activity_id, kind, dimension FROM stg_activity WHERE {valid}")}
    roles = defaultdict(list)
    for it in ask(f"SELECT student_key, activity_id, role FROM stg_activity_signup WHERE {known} AND occurred_on < DATE '{word}'"):
        roles[it["student_key"], it["activity_id"]].append(it["role"])
    hours = defaultdict(lambda: defaultdict(int))
    for (key, activity, _), tenths in came.items():
        hours[key][activity] += tenths
    found = defaultdict(dict)
    for key in people if rows else ():
        own = hours[key]
        of = lambda name: [kinds[it][name] for it in own if it in kinds]
        is_of = lambda it, wanted: it in kinds and kinds[it]["kind"] in wanted
        leading = [it for it in own if min((role for role in roles[key, it] if role), default=None) in ("organiser", "volunteer")]
        ideology = [it for it in own if is_of(it, ("party_league_day", "ideology_lecture"))]
        values = {"activity_n": len(own), "organiser_n": len(leading), "ideology_participation_n": len(ideology)}
        values["activity_hours"] = sum(own.values()) / 10
        values["ideology_hours"] = sum(own[it] for it in ideology) / 10
        values["volunteer_hours"] = sum(own[it] for it in own if is_of(it, ("volunteering",))) / 10
        values["activity_repeat_n"] = len(of("kind")) - len(set(of("kind")))
        for dimension in ("moral", "intellectual", "physical", "aesthetic", "labor", "safety"):
            values[f"{dimension}_activity_n"] = of("dimension").count(dimension)
        for name, value in values.items():
            found[name][key] = (value, None)
    return found


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--yizhan", required=True)
    flags.add_argument("--data", required=True)
    flags.add_argument("--project")
    flags = flags.parse_args()

    def ask(query):
        project = ["--project", flags.project] if flags.project else []
        command = [flags.yizhan, *project, "--data", flags.data, "sql", query, "--format", "json"]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [defaultdict(lambda: None, json.loads(it)) for it in out.splitlines()]

    word = ask("SELECT max(as_of_on) AS day FROM feat_measure")[0]["day"]
    on = datetime.date.fromisoformat(word)
    known = f"known_at <= day_start(DATE '{word}')"
    valid = f"{known} AND (superseded_at IS NULL OR superseded_at > day_start(DATE '{word}'))"
    recent = f"{known} AND occurred_on < DATE '{word}' AND occurred_on >= DATE '{word}' - INTERVAL '70' DAY"
    people = {it["student_key"]: it for it in ask(f"SELECT * FROM dim_student WHERE as_of_on = DATE '{word}'")}
    days = defaultdict(lambda: defaultdict(Day))
    at = lambda it: datetime.datetime.fromisoformat(it["occurred_at"].replace("Z", "+00:00"))
    for it in ask(f"SELECT student_key, occurred_on, occurred_at, txn_id, minute_of_day, merchant_kind, terminal_id, amount_fen, "
                  f"balance_fen FROM stg_card_txn WHERE {recent}"):
        it.update(at=at(it), minute=it["minute_of_day"], place=it["terminal_id"])
        days[it["student_key"]][it["occurred_on"]].paid.append(it)
    for it in ask(f"SELECT student_key, occurred_on, minute_of_day, device_id, direction FROM stg_gate_event "
                  f"WHERE {recent} AND method IS DISTINCT FROM 'face'"):
        it.update(minute=it["minute_of_day"], place=it["device_id"], is_in=it["direction"] == "in")
        days[it["student_key"]][it["occurred_on"]].passed.append(it)
    calendar = defaultdict(list)
    for it in ask(f"SELECT date, kind, campus, cohort_scope FROM stg_calendar_day WHERE {valid}"):
        calendar[it["date"]].append(it)

    def kind_of(person):
        def kind(day):
            fits = [it for it in calendar[day.isoformat()] if it["campus"] in (None, person["campus"] or "")
                    and it["cohort_scope"] in (None, str(person["grade"]))]
            fits.sort(key=lambda it: (it["cohort_scope"] is None, it["campus"] is None, it["kind"]))
            return fits[0]["kind"] if fits else None
        return kind

    expected = defaultdict(dict)

    def take(key, found):
        for name, it in found.items():
            expected[name][key] = it

    for key, own in days.items():
        if key in people:
            for it in own.values():
                it.close()
            dated = sorted((datetime.date.fromisoformat(day), it) for day, it in own.items())
            take(key, of_days(dated, kind_of(people[key]), on))
    for key, person in people.items():
        if person["boarder"] == "boarder" and person["is_enrolled"] and person["building_id"]:
            # Who does not live in a dormitory has none of these, whatever its gates saw on a visit.
            take(key, of_nights([(datetime.date.fromisoformat(day), it) for day, it in days[key].items()], on))
    marks, scores = defaultdict(list), defaultdict(list)
    for it in ask(f"SELECT * FROM stg_grade_record WHERE {valid}"):
        marks[it["student_key"]].append(it)
        if it["exam_kind"] == "final":
            scores[it["course_id"], it["term"]].append(it["score"])
    courses = {course: sum(its) / len(its) for course, its in scores.items()}
    for key, rows in marks.items():
        take(key, of_grades(rows, courses))
    called = defaultdict(list)
    for it in ask(f"SELECT student_key, state FROM stg_class_attendance WHERE {recent} AND occurred_on >= DATE '{word}' - INTERVAL '28' DAY"):
        called[it["student_key"]].append(it["state"])
    for key, states in called.items():
        due = [it for it in states if it != "leave"]
        take(key, {"class_attendance_rate": (share(sum(it in ("present", "late") for it in due), len(due)), len(due))})

    for name, of in of_activities(ask, people, word, known, valid).items():
        expected[name] = of
    for name, since, query in (
        ("award_n", 1095, f"SELECT student_key, award_id AS id, awarded_on AS day FROM stg_award WHERE {valid} AND awarded_on < DATE '{word}'"),
        ("library_loan_n", 180, f"SELECT student_key, loan_id AS id, campus_on(borrowed_at) AS day FROM stg_library_loan WHERE {valid} "
                                f"AND borrowed_at < day_start(DATE '{word}')"),
    ):
        rows = ask(query)
        first = (on - datetime.timedelta(days=since)).isoformat()
        held = defaultdict(set)
        for it in rows:
            if it["day"] >= first:
                held[it["student_key"]].add(it["id"])
        if rows:
            expected[name] = {key: (len(held[key]), None) for key in people}

    told = defaultdict(dict)
    names = ", ".join(f"'{it}'" for it in expected)
    for it in ask(f"SELECT student_key, measure, value, n FROM feat_measure WHERE as_of_on = DATE '{word}' AND measure IN ({names})"):
        told[it["measure"]][it["student_key"]] = (it["value"], it["n"])
    wrong = 0
    for name in sorted(expected):
        known_n = 0
        for key in expected[name].keys() | told[name].keys():
            ours, theirs = told[name].get(key), expected[name].get(key)
            # How many days a system covers is not worked out again: it is one number for everybody.
            is_same = ours is not None and theirs is not None and theirs[1] in (ours[1], None)
            if is_same and ours[0] is not None:
                known_n += 1
                is_same = theirs[0] is not None and abs(ours[0] - theirs[0]) <= 1e-6 * max(1, abs(theirs[0]))
            if not is_same:
                wrong += 1
                print(f"{name} of {key}: the lake says {ours}, Python {theirs}", file=sys.stderr)
        if known_n == 0 and name not in RARE:
            wrong += 1
            print(f"{name}: nobody has a value to compare", file=sys.stderr)
        print(f"{name}: {known_n} values of {len(told[name])} students are equal")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
