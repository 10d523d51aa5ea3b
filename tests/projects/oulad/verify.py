"""The figures of the project computed without Yizhan, beside those that `yizhan sql` gives; ends with 1 where they differ."""

import argparse
import csv
import gzip
import io
import itertools
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

PROJECT = Path(__file__).parent
STARTS = {"2013B": date(2013, 2, 1), "2013J": date(2013, 10, 1), "2014B": date(2014, 2, 1), "2014J": date(2014, 10, 1)}
NOW = date(2014, 11, 15)
# The contract lets a day lie in the future by a day at most.
LATEST = NOW + timedelta(days=1)


def read(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def enrolment(row):
    return row["code_module"], row["code_presentation"], row["id_student"]


class Campus:
    """The exports with days turned into dates."""

    def __init__(self, folder):
        self.info = {enrolment(it): it for it in read(folder / "raw/studentInfo.csv")}
        self.at_risk = {key: it["final_result"] in ("Fail", "Withdrawn") for key, it in self.info.items()}
        self.length = {(it["code_module"], it["code_presentation"]): int(it["module_presentation_length"]) for it in read(folder / "raw/courses.csv")}
        self.refused, self.left, self.registered = Counter(), {}, {}
        for row in read(folder / "raw/studentRegistration.csv"):
            start = STARTS[row["code_presentation"]]
            if row["date_registration"] == "":
                self.refused["required"] += 1
            elif start + timedelta(days=int(row["date_registration"])) > LATEST:
                self.refused["time"] += 1
            else:
                self.registered[enrolment(row)] = start + timedelta(days=int(row["date_registration"]))
                if row["date_unregistration"]:
                    self.left[enrolment(row)] = start + timedelta(days=int(row["date_unregistration"]))
        self.tasks = defaultdict(list)
        for row in read(folder / "raw/assessments.csv"):
            start = STARTS[row["code_presentation"]]
            due = start + timedelta(days=int(row["date"])) if row["date"] else None
            self.tasks[row["code_module"], row["code_presentation"]].append((row["id_assessment"], row["assessment_type"], due, float(row["weight"])))
        course = {task[0]: key for key, tasks in self.tasks.items() for task in tasks}
        self.results, self.result_n = {}, 0
        for row in read(folder / "processed_assessments/student_assessment_processed.csv.gz"):
            self.result_n += 1
            on = STARTS[course[row["id_assessment"]][1]] + timedelta(days=int(row["date_submitted"]))
            self.results[row["id_student"], row["id_assessment"]] = (on, row["is_banked"] == "1", float(row["score"]))
        self.enrolment_n = Counter(it[2] for it in self.info)
        last = {}
        for _, presentation, student in self.info:
            last[student] = max(last.get(student, date.min), STARTS[presentation])
        self.weeks, self.week_n = defaultdict(dict), 0
        for path in sorted(folder.glob("weekly_features/features_week_*.csv.gz")):
            for row in read(path):
                self.week_n += 1
                known = last[row["id_student"]] + timedelta(days=int(row["Days"]) + 1)
                self.weeks[row["id_student"]][int(row["Week"])] = (known, int(row["total_clicks"]))

    def end(self, key):
        return STARTS[key[1]] + timedelta(days=self.length[key[:2]])

    def running(self, on):
        """Enrolments that run as of a date: what happened on a day is known from the next day on."""
        for key, registered in self.registered.items():
            left = self.left.get(key)
            if registered < on and not (left and left < on) and STARTS[key[1]] < on <= self.end(key):
                yield key

    def current(self, on):
        """The enrolment that stands for each student: the latest begun, by module."""
        found = {}
        for key in sorted(self.running(on), key=lambda it: (-STARTS[it[1]].toordinal(), it[0])):
            found.setdefault(key[2], key)
        return found.values()

    def facts(self, key, on):
        """What fct_enrolment says of one enrolment."""
        found = Counter()
        points = []
        first = min((task for task in self.tasks[key[:2]] if task[1] == "TMA"), key=lambda it: (it[2], it[0]))[0]
        for task, kind, due, weight in self.tasks[key[:2]]:
            submitted, banked, score = self.results.get((key[2], task), (None, None, None))
            submitted = submitted if submitted and submitted < on else None
            is_due = due is not None and due < on
            if kind == "Exam":
                continue
            found["due_n"] += is_due
            found["submitted_n"] += is_due and submitted is not None
            found["late_n"] += is_due and submitted is not None and not banked and submitted > due
            if submitted:
                found["scored_n"] += 1
                found["score"] += score
                points.append(((due - STARTS[key[1]]).days, score))
            if task == first and is_due:
                found["first_due"] = 1
                found["first_missing"] = int(submitted is None)
                found["open_days"] = (on - due).days
        weeks = self.weeks.get(key[2], {}) if self.enrolment_n[key[2]] == 1 else {}
        found["weeks"] = {week: clicks for week, (known, clicks) in weeks.items() if known <= on}
        found["points"] = points
        return found

    def known_label_n(self, on):
        return sum(min(self.left.get(key, self.end(key)), self.end(key)) < on for key in self.info)


def slope(points):
    """The middle of the slopes between all pairs (Theil-Sen)."""
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(sorted(points), 2) if a[0] != b[0]]
    return statistics.median(slopes) if slopes else None


def expected(campus):
    """Name of a figure, its value, and the query that gives it."""
    yield "students", len(campus.enrolment_n), "SELECT count(DISTINCT student_key) FROM stg_enrolment"
    yield "enrolments", len(campus.info), "SELECT count(*) FROM stg_enrolment"
    for code, n in sorted(Counter(it["final_result"] for it in campus.info.values()).items()):
        yield f"result {code}", n, f"SELECT count(*) FROM stg_enrolment WHERE final_result = '{code.lower()}'"
    for presentation in STARTS:
        of = [risk for key, risk in campus.at_risk.items() if key[1] == presentation]
        share = "CAST(sum(CASE WHEN outcome THEN 1 ELSE 0 END) AS DOUBLE) / count(*)"
        yield f"at risk {presentation}", sum(of) / len(of), f"SELECT {share} FROM label_at_risk WHERE code_presentation = '{presentation}'"
    yield f"labels known {NOW}", campus.known_label_n(NOW + timedelta(days=1)), f"SELECT count(*) FROM label_at_risk WHERE known_on <= DATE '{NOW + timedelta(days=1)}'"
    yield "results kept", campus.result_n, "SELECT count(*) FROM stg_assessment_result"
    yield "weekly rows kept", campus.week_n, "SELECT count(*) FROM stg_weekly_feature"
    yield "registrations kept", len(campus.registered), "SELECT count(*) FROM raw_registration"
    for reason, n in sorted(campus.refused.items()):
        yield f"registrations refused, {reason}", n, f"SELECT count(*) FROM ops_quarantine WHERE reason = '{reason}'"

    # 2013J on the Mondays after weeks 4 and 8, 2014B after week 4, and 2014J on both sides of the end of week 6.
    moments = [("2013J", date(2013, 10, 28)), ("2013J", date(2013, 11, 4)), ("2013J", date(2013, 12, 2)), ("2014B", date(2014, 3, 3))]
    moments += [("2014J", date(2014, 11, 12)), ("2014J", date(2014, 11, 13))]
    for presentation, on in moments:
        facts = {key: campus.facts(key, on) for key in campus.running(on) if key[1] == presentation}
        where = f"FROM fct_enrolment WHERE as_of_on = DATE '{on}' AND code_presentation = '{presentation}'"
        name = f"{presentation} as of {on}:"
        total = {it: sum(fact[it] for fact in facts.values()) for it in ("due_n", "submitted_n", "late_n", "scored_n", "score")}
        yield f"{name} running", len(facts), f"SELECT count(*) {where}"
        yield f"{name} newest week", max((max(it["weeks"], default=0) for it in facts.values())), f"SELECT max(week) {where}"
        for week in (2, 4, 6, 8):
            clicks = [it["weeks"][week] for it in facts.values() if week in it["weeks"]]
            yield f"{name} rows of week {week}", len(clicks), f"SELECT count(click_{week}_n) {where}"
            yield f"{name} clicks of week {week}", sum(clicks), f"SELECT coalesce(sum(click_{week}_n), 0) {where}"
        yield f"{name} submission rate", total["submitted_n"] / total["due_n"], f"SELECT CAST(sum(submitted_n) AS DOUBLE) / sum(due_n) {where}"
        yield f"{name} late", total["late_n"], f"SELECT sum(late_n) {where}"
        yield f"{name} results seen", total["scored_n"], f"SELECT sum(scored_n) {where}"
        yield f"{name} mean score", total["score"] / total["scored_n"], f"SELECT CAST(sum(score_tenths) AS DOUBLE) / 10 / sum(scored_n) {where}"
        joined = (
            "FROM fct_enrolment AS seen INNER JOIN label_at_risk AS label ON label.student_key = seen.student_key "
            "AND label.code_module = seen.code_module AND label.code_presentation = seen.code_presentation "
            f"WHERE seen.as_of_on = DATE '{on}' AND seen.code_presentation = '{presentation}'"
        )
        for flag, words in ((1, "first task missing"), (0, "first task there")):
            risks = [campus.at_risk[key] for key, it in facts.items() if it["first_due"] and it["first_missing"] == flag]
            condition = f"AND seen.is_first_missing = {'TRUE' if flag else 'FALSE'}"
            yield f"{name} {words}", len(risks), f"SELECT count(*) {joined} {condition}"
            share = "CAST(sum(CASE WHEN label.outcome THEN 1 ELSE 0 END) AS DOUBLE) / count(*)"
            yield f"{name} {words}, at risk", sum(risks) / len(risks) if risks else None, f"SELECT {share} {joined} {condition}"

    on = date(2013, 12, 2)
    facts = [campus.facts(key, on) for key in campus.current(on)]
    slopes = [it for it in (slope(fact["points"]) for fact in facts if len(fact["points"]) >= 3) if it is not None]
    measure = f"FROM feat_measure WHERE as_of_on = DATE '{on}' AND measure"
    yield f"students as of {on}", len(facts), f"SELECT count(*) FROM dim_student WHERE as_of_on = DATE '{on}'"
    yield f"score_trend as of {on}", len(slopes), f"SELECT count(value) {measure} = 'score_trend'"
    yield f"score_trend as of {on}, median", statistics.median(slopes), f"SELECT median(value) {measure} = 'score_trend'"
    rates = [it["submitted_n"] / it["due_n"] for it in facts if it["due_n"]]
    yield f"submission_rate as of {on}, mean", sum(rates) / len(rates), f"SELECT avg(value) {measure} = 'submission_rate'"

    # What the rule offers on the newest date: due for two days, for four weeks at most, and not there.
    facts = [campus.facts(key, NOW) for key in campus.current(NOW)]
    warned = sum(it["first_missing"] and 2 <= it["open_days"] <= 28 for it in facts)
    yield f"warnings as of {NOW}", warned, f"SELECT count(*) FROM warning_student WHERE as_of_on = DATE '{NOW}'"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the exports")
    parser.add_argument("--data", default="/tmp/oulad", help="data of the run")
    parser.add_argument("--yizhan", default="yizhan", help="the binary")
    given = parser.parse_args()
    figures = list(expected(Campus(given.folder)))
    # One question for all figures: opening the lake takes longer than answering.
    query = "SELECT " + ", ".join(f"({sql}) AS f{place}" for place, (_, _, sql) in enumerate(figures))
    command = [given.yizhan, "sql", "--project", str(PROJECT), "--data", given.data, "--format", "csv", query]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row = next(csv.DictReader(io.StringIO(answer)))
    different = 0
    for place, (name, own, _) in enumerate(figures):
        said = row[f"f{place}"]
        is_same = said == "" if own is None else said != "" and abs(float(said) - own) <= 1e-9 * max(1.0, abs(own))
        different += not is_same
        show = lambda it: "" if it in ("", None) else f"{float(it):.6f}".rstrip("0").rstrip(".")
        print(f"{name:58} {show(own):>14} {show(said):>14} {'' if is_same else 'DIFFERENT'}")
    print(f"{len(figures)} figures, {different} different")
    return 1 if different else 0


sys.exit(main())
