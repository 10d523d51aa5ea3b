"""Works the measures of the newest date out again, in plain Python from the staged rows, and compares them with the lake's.

Nothing of ours is called but `yizhan sql` for the rows: days, nights, meals, requests, entropies and slopes are written down
here a second time, after the definitions. Prints one line a measure; a difference is an error with the student, the measure and
both answers. Of the closed measures only what stands on pairs takes these from the lake: `crates/portrait/tests/reference.py`
works the pairs out again.
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


def late(it):
    """Minute of the campus day's own date; beyond 1440 after midnight."""
    return it["minute"] + 1440 if it["minute"] < 240 else it["minute"]


class Day:
    """What the devices saw of a student on a campus day; passages by face are for safety and left out."""

    def __init__(self):
        self.paid, self.passed, self.by_face = [], [], []

    EMPTY = None

    @property
    def events(self):
        return len(self.paid) + len(self.passed)

    def close(self):
        """Works out what the measures ask for, once all rows are in."""
        self.paid.sort(key=lambda it: (it["at"], it["txn_id"]))
        in_order = lambda it: (it["at"], it["place"], it["event_seq"] or 0)
        self.passed.sort(key=in_order)
        # Who looks for somebody asks every way of passage; no other measure does.
        self.any_way = sorted(self.passed + self.by_face, key=in_order)
        self.seen_at = [it["at"] for it in self.paid + self.any_way]
        self.balance_fen = self.paid[-1]["balance_fen"] if self.paid else None
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
        self.close_gates()
        self.shower = first(late(it) for it in self.paid if it["merchant_kind"] == "shower")
        self.first = first(late(it) for it in self.paid + self.passed)
        home = [late(it) for it in self.passed if it["place"].startswith("G-N") and it["is_in"] and late(it) >= 1200]
        self.home = max(home, default=None)

    def close_gates(self):
        """Stays in the library, entries after an entry, and passages by card while a face was elsewhere."""
        inside = [it for it in self.passed if it["place"].startswith("G-L")]
        self.library_minutes = self.library_open = 0
        for it, after in zip(inside, [*inside[1:], None]):
            gap = int((after["at"] - it["at"]).total_seconds()) // 60 if after else math.inf
            is_paired = after is not None and not after["is_in"]
            if it["is_in"]:
                self.library_open += not is_paired
                self.library_minutes += gap if is_paired else min(gap, max(0, 1320 - late(it)))
        self.dorm = [it for it in self.passed if it["place"].startswith("G-N")]
        self.double_in = sum(a["is_in"] and b["is_in"] for a, b in zip(self.dorm, self.dorm[1:]))
        site = lambda it: it["place"].split("-")[1]
        near = lambda a, b: (b["at"] - a["at"]).total_seconds() <= 120
        pairs = zip(self.any_way, self.any_way[1:])
        self.mismatch = sum(a["is_face"] != b["is_face"] and site(a) != site(b) and near(a, b) for a, b in pairs)

    def was_in(self, until):
        """Whether the day's last sign before a minute, at the dormitory's gate or a terminal inside, was of somebody inside."""
        signs = [(it["at"], it["is_in"]) for it in self.any_way if it["place"].startswith("G-N") and late(it) < until]
        signs += [(it["at"], True) for it in self.paid if it["place"].startswith("T-N") and late(it) < until]
        return max(signs)[1] if signs else None

    def went_out_first(self):
        """Whether the first passage of the dormitory's gate was an exit; nothing without one."""
        signs = [(it["at"], it["is_in"]) for it in self.any_way if it["place"].startswith("G-N")]
        return not min(signs)[1] if signs else None

    def is_late_on_campus(self):
        """Whether anything after 22:00 says that the student was on campus, and no exit from the school came after it."""
        went = lambda it: it["place"].startswith(("G-N", "G-S")) and not it["is_in"]
        signs = [it["at"] for it in self.paid if late(it) >= 1320]
        signs += [it["at"] for it in self.any_way if late(it) >= 1320 and not went(it)]
        school = max(((it["at"], it["is_in"]) for it in self.any_way if it["place"].startswith("G-S")), default=None)
        return bool(signs) and not (school is not None and not school[1] and school[0] > max(signs))


Day.EMPTY = Day()
Day.EMPTY.close()


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
            "gate_anomaly_n": per_month("double_in"),
            "face_card_mismatch_n": per_month("mismatch"),
            # Where most entries have no exit, how long somebody stayed is a guess.
            "library_hours": (28 * total("library_minutes") / 60 / n, n if 2 * total("library_open") <= total("library") else 0),
        }
        parts = [it / (total("library") + total("water")) for it in (total("library"), total("water")) if it]
        found["study_place_entropy"] = (-math.fsum(it * math.log2(it) for it in parts) if parts else None, total("library") + total("water"))
    if two:
        # What is left today is what was left before, less what was spent, plus what was topped up.
        left, tops = None, 0
        for _, it in two:
            tops += left is not None and it.balance_fen is not None and it.balance_fen - left + it.spent_fen >= 1000
            left = left if it.balance_fen is None else it.balance_fen
        found["topup_interval"] = (share(sum(it.events > 0 for _, it in two), tops), tops)
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


def of_evenings(days, on):
    """When a boarder came home: the middle over four weeks, how firmly it is kept round the clock, and in which order."""
    minutes = [it.home for day, it in days if day >= on - datetime.timedelta(days=28) and it.home is not None]
    turns = [2 * math.pi * it / 1440 for it in minutes]
    east, north = math.fsum(map(math.cos, turns)), math.fsum(map(math.sin, turns))
    firm = math.hypot(east, north) / len(turns) if turns else None
    # An evening of eight hours has its middle within it, on the other side of midnight too.
    mean = math.atan2(north, east) / (2 * math.pi) * 1440 % 1440 if turns else None
    mean = mean + 1440 if mean is not None and mean < 240 else mean
    lately = [(day, it.home) for day, it in sorted(days, key=lambda it: it[0]) if day >= on - datetime.timedelta(days=56)]
    bins = [home // 30 for _, home in lately if home is not None]
    return {
        **({"return_orderliness": (orderliness(bins), len(bins))} if lately else {}),
        "evening_return": (statistics.median(minutes) if minutes else None, len(minutes)),
        "return_concentration": (firm, len(minutes)),
        "return_mean": (mean, len(minutes)),
    }


class Night:
    """A night of a boarder: whether the gates worked, and what they and people say of where the student was."""

    def __init__(self, day, **said):
        self.day = day
        self.__dict__.update(said)

    @property
    def is_excused(self):
        return self.is_on_leave or self.is_free


class Nights:
    """What is asked about every night of four weeks, read once."""

    def __init__(self, ask, word, known, valid):
        within = f"{known} AND occurred_on < DATE '{word}' AND occurred_on >= DATE '{word}' - INTERVAL '28' DAY"
        beats = ask(f"SELECT device_id, occurred_on, count(CASE WHEN status = 'ok' AND (minute_of_day >= 1080 OR minute_of_day < 120) THEN 1 END) AS n "
                    f"FROM stg_device_heartbeat WHERE {within} GROUP BY device_id, occurred_on")
        self.dates = sorted({datetime.date.fromisoformat(it["occurred_on"]) for it in beats})
        alive = {(it["device_id"], it["occurred_on"]): min(480, 10 * it["n"]) for it in beats}
        gates = defaultdict(list)
        for it in ask(f"SELECT device_id, building_id FROM stg_device WHERE kind = 'dorm' AND {valid}"):
            gates[it["building_id"]].append(it["device_id"])
        self.share = {(building, day): sum(alive.get((it, day.isoformat()), 0) for it in its) / (480 * len(its))
                      for building, its in gates.items() for day in self.dates}
        self.closes = {}
        for it in ask(f"SELECT building_id, closes_at FROM stg_building WHERE {valid} AND closes_at IS NOT NULL"):
            hour, minute = map(int, it["closes_at"].split(":")[:2])
            at = 60 * (hour + 24 if hour < 4 else hour) + minute
            if at >= 1260:
                self.closes[it["building_id"]] = at
        self.leaves, self.away, self.stays = defaultdict(list), defaultdict(list), defaultdict(list)
        for it in ask(f"SELECT student_key, begins_at, ends_at, returned_at FROM stg_leave_record WHERE {valid}"):
            until = min(moment(it["ends_at"]), moment(it["returned_at"] or it["ends_at"]))
            self.leaves[it["student_key"]].append((moment(it["begins_at"]), until))
        for table, held in (("stg_internship_placement", self.away), ("stg_holiday_stay", self.stays)):
            for it in ask(f"SELECT student_key, begins_on, ends_on FROM {table} WHERE {valid}"):
                held[it["student_key"]].append((it["begins_on"], it["ends_on"]))
        self.found = {(it["student_key"], it["occurred_on"]) for it in
                      ask(f"SELECT student_key, occurred_on FROM stg_night_check WHERE {within} AND result = 'in'")}
        answers = {}
        for it in sorted(ask(f"SELECT student_key, night_on, check_no, result FROM stg_absence_check WHERE {known}"), key=lambda it: it["check_no"]):
            answers[it["student_key"], it["night_on"]] = it["result"]
        self.found |= {key for key, result in answers.items() if result == "in_room"}

    def of(self, key, person, days, kind_of):
        """Nights of one boarder; `days` are all that is known of eight weeks, oldest first."""
        building = person["building_id"]
        closes = self.closes.get(building)
        until = 1410 if closes is None else -(-(closes + 30) // 30) * 30
        # A later one closes with the campus day; one before 22:30 is not told apart from that.
        until = 9999 if until > 1470 else max(1350, until)
        told = {day: (it.was_in(until), it.went_out_first(), it) for day, it in days}
        found = []
        for day in self.dates:
            if (building, day) not in self.share:
                continue
            word, start = day.isoformat(), day_start(day)
            last = next((told[it][0] for it in sorted(told, reverse=True) if it <= day and told[it][0] is not None), None)
            went = next((told[it][1] for it in sorted(told) if it > day and told[it][1] is not None), None)
            covers = lambda spans: any(low <= word <= high for low, high in spans)
            free = {"holiday", "vacation"} & {kind_of(day), kind_of(day + datetime.timedelta(days=1))}
            evening, end = start + datetime.timedelta(hours=18), start + datetime.timedelta(hours=24)
            is_on_leave = covers(self.away[key]) or any(low < end and evening <= high for low, high in self.leaves[key])
            is_free = bool(free) and not covers(self.stays[key])
            is_seen = self.share[building, day] >= 0.8
            own = told[day][2] if day in told else Day.EMPTY
            is_absent = not (is_on_leave or is_free or (key, word) in self.found or own.is_late_on_campus() or went) and is_seen and last is False
            is_late = own.home is not None and own.home >= (1380 if closes is None else closes)
            found.append(Night(day, is_on_leave=is_on_leave, is_free=is_free, is_seen=is_seen, is_absent=is_absent, is_late=is_late, own=own))
        return found


def of_nights(nights):
    """Measures of a boarder's nights."""
    covered = [it for it in nights if it.is_seen and not it.is_excused]
    found = {}
    if nights:
        found["late_return_n"] = (sum(it.is_late for it in nights), len(covered))
        found["overnight_absence_n"] = (sum(it.is_absent for it in nights), len(covered))
    if covered:
        found["presence_regularity"] = (presence(covered), len(covered))
    return found


def presence(nights):
    """In how many minutes two days in a row are alike, in or out: one cell for every minute."""
    cells = {}
    for it in nights:
        signs = sorted({(late(sign) - 240, sign["is_in"]) for sign in it.own.dorm})
        if signs:
            cells[it.day] = bytearray()
            state = not signs[0][1]
            for minute, is_in in [*signs, (1440, None)]:
                cells[it.day] += bytes([state]) * (minute - len(cells[it.day]))
                state = is_in
        elif it.day - datetime.timedelta(days=1) in cells:
            cells[it.day] = bytes([cells[it.day - datetime.timedelta(days=1)][-1]]) * 1440
    pairs = [(own, cells[day + datetime.timedelta(days=1)]) for day, own in cells.items() if day + datetime.timedelta(days=1) in cells]
    equal = sum(a == b for one, other in pairs for a, b in zip(one, other))
    return 200 * equal / (1440 * len(pairs)) - 100 if pairs else None


def of_silence(days, met, kind_of, on):
    """Since when nothing was seen of a student, by devices or people, and how often their own gaps were as long."""
    seen = defaultdict(list)
    for day, it in days:
        seen[day] += it.seen_at
    for day, at in met:
        seen[day].append(at)
    seen = sorted((day, min(its), max(its)) for day, its in seen.items() if its and on - datetime.timedelta(days=60) <= day < on)
    if not seen:
        return {}
    silence = (day_start(on) - seen[-1][2]).total_seconds()
    is_free = lambda day: kind_of(day) in ("weekend", "holiday", "vacation")
    gaps = [(b[1] - a[2]).total_seconds() for a, b in zip(seen, seen[1:]) if is_free(a[0]) == is_free(seen[-1][0])]
    found = {"silence_h": (int(silence) // 3600, len(seen))}
    if gaps:
        found["silence_surprise"] = (math.log((len(gaps) + 1) / (sum(silence <= it for it in gaps) + 1)), len(gaps))
    return found


def of_bands(paid):
    """When the meals of every canteen are: between two of them stands the emptiest quarter of an hour."""
    minutes = defaultdict(list)
    for it in paid:
        minutes[it["place"].split("-")[1]].append(it["minute"])

    def boundary(bins, first, beyond, pause):
        return min(range(first, beyond, 15), key=lambda it: (bins[it // 15], abs(it - pause), it))

    bands = {}
    for canteen, its in minutes.items():
        bins = [0] * 96
        for it in its:
            bins[it // 15] += 1
        morning, noon = boundary(bins, 435, 705, 585), boundary(bins, 705, 1080, 885)
        usual = ((300, 570), (600, 810), (960, 1200))
        bands[canteen] = usual if len(its) < 500 else ((300, morning), (morning, noon), (noon, 1200))
    return bands


def of_meals(days, bands, on):
    """Which of the three meals were eaten, by the hours of the canteen."""
    here = [it for day, it in days if day >= on - datetime.timedelta(days=28) and it.events]
    slots = 0
    for day in here:
        canteen = [it for it in day.paid if it["merchant_kind"] == "canteen"]
        slots += len({slot for it in canteen for slot, (low, high) in enumerate(bands[it["place"].split("-")[1]]) if low <= it["minute"] < high})
    return {"three_meal_rate": (slots / (3 * len(here)), len(here))} if here else {}


def of_requests(ask, people, word, known, valid):
    """What everybody asked for, and what became of it: the steps say more than the register's own columns."""
    start = day_start(datetime.date.fromisoformat(word))
    steps, said = defaultdict(list), defaultdict(list)
    for it in ask(f"SELECT ticket_id, stage, occurred_at FROM stg_ticket_event WHERE {known} AND occurred_on < DATE '{word}'"):
        steps[it["ticket_id"]].append((it["stage"], moment(it["occurred_at"])))
    for it in ask(f"SELECT ticket_id, satisfaction FROM stg_ticket_feedback WHERE {known} AND occurred_on < DATE '{word}'"):
        if it["satisfaction"]:
            said[it["ticket_id"]].append(it["satisfaction"])
    asked, first = defaultdict(list), None
    for it in ask(f"SELECT * FROM stg_ticket WHERE {valid}"):
        at, own = moment(it["submitted_at"]), steps[it["ticket_id"]]
        if at >= start:
            continue
        first = min(first or at, at)
        resolved = moment(it["resolved_at"]) if it["resolved_at"] and moment(it["resolved_at"]) < start else None
        closed = max((when for stage, when in own if stage == "resolved"), default=resolved)
        again = max((when for stage, when in own if stage == "reopened"), default=None)
        if again and closed and again > closed:
            closed = None
        gone = any(stage == "withdrawn" for stage, _ in own) if own else it["status"] == "withdrawn"
        rating = min(said[it["ticket_id"]], default=it["satisfaction"] if resolved else None)
        asked[it["student_key"]].append(((start - at).total_seconds() / 86400, it["category"], not gone and closed is None, rating, at))
    found = defaultdict(dict)
    for key in people if first else ():
        recent = [it for it in asked[key] if it[0] <= 180]
        found["ticket_n"][key] = (len(recent), None)
        found["ticket_open_n"][key] = (sum(it[2] for it in recent), None)
        found["ticket_repeat_n"][key] = (len(recent) - len({it[1] for it in recent}), None)
        found["ticket_open_age"][key] = (max((int(it[0]) for it in asked[key] if it[2]), default=0), None)
    for key, its in asked.items():
        rated = [it[3] for it in its if it[3] and it[0] <= 365]
        if key and rated:
            found["satisfaction_rate"][key] = (sum(it in ("satisfied", "basically_satisfied") for it in rated) / len(rated), len(rated))
    return found, {key: [it[4] for it in its] for key, its in asked.items()}


def of_classes(ask, word, known, valid, people):
    """Evening classes by the timetable, and sections whose mid-term mark is missing."""
    evening = {(it["section_id"], 60 * int(it["begins"].split(":")[0]) + int(it["begins"].split(":")[1])) for it in
               ask(f"SELECT section_id, begins FROM stg_timetable_slot WHERE {valid} AND kind IN ('evening_class', 'evening_study')") if it["begins"]}
    due, found = defaultdict(list), defaultdict(dict)
    for it in ask(f"SELECT student_key, section_id, minute_of_day, state FROM stg_class_attendance WHERE {known} "
                  f"AND occurred_on < DATE '{word}' AND occurred_on >= DATE '{word}' - INTERVAL '28' DAY"):
        if (it["section_id"], it["minute_of_day"]) in evening:
            due[it["student_key"]].append(it["state"])
    for key, states in due.items():
        states = [it for it in states if it != "leave"]
        found["evening_class_rate"][key] = (share(sum(it in ("present", "late") for it in states), len(states)), len(states))
    marks = ask(f"SELECT student_key, section_id, term FROM stg_grade_record WHERE {valid} AND exam_kind = 'midterm'")
    newest = max((it["term"] for it in marks), default=None)
    marked = {(it["section_id"], it["student_key"]) for it in marks if it["term"] == newest and it["section_id"]}
    classes, taken = defaultdict(list), defaultdict(list)
    for key, it in people.items():
        if it["is_enrolled"]:
            classes[it["class"]].append(key)
    for it in ask(f"SELECT section_id, class, term FROM stg_course_section WHERE {valid}"):
        own = classes[it["class"]] if it["term"] == newest else []
        # A section that most have no mark of has not given its task yet.
        if own and 2 * sum((it["section_id"], key) in marked for key in own) >= len(own):
            for key in own:
                taken[key].append((it["section_id"], key) not in marked)
    for key, its in taken.items():
        found["first_task_missing_n"][key] = (sum(its), len(its))
    return found


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def day_start(day):
    """Campus days begin at 04:00 in Shanghai."""
    return datetime.datetime(day.year, day.month, day.day, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))


def campus_day(at):
    return (at + datetime.timedelta(hours=4)).date()


# Hardly anybody's on a campus of two months: thirty evenings at the gate, three months or terms of activities, mid-term marks.
RARE = {"return_orderliness", "activity_trend", "activity_growth", "volunteer_growth", "first_task_missing_n"}
# Teaching days that make a term.
TERM_DAYS = 28
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
    on = datetime.date.fromisoformat(word)
    ago = lambda day: (on - datetime.date.fromisoformat(day)).days - 1
    first = min((it[2] for it in came), default=None)
    # A month that the activity system does not cover by half is not told.
    months = [it for it in (3, 2, 1, 0) if first and ago(first) + 1 >= 30 * it + 15]
    dates = defaultdict(set)
    for key, activity, day in came:
        dates[key].add((ago(day) // 30, activity))
    for key in people if rows else ():
        own = hours[key]
        if months:
            points = [(-month, sum(it[0] == month for it in dates[key])) for month in months]
            found["activity_trend"][key] = (slope(points), len(points))
        is_ideology = lambda it: it in kinds and kinds[it]["kind"] in ("party_league_day", "ideology_lecture")
        found["ideology_months"][key] = (len({month for month, activity in dates[key] if is_ideology(activity)}), None)
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


# Who was met by somebody was there: table, when, and what of it says so of one person.
WITNESSES = (
    ("stg_class_attendance", "held_at", "state IN ('present', 'late') AND coalesce(method, 'roll_call') IN ('roll_call', 'card')"),
    ("stg_night_check", "checked_at", "result = 'in'"),
    ("stg_absence_check", "at", "result IN ('in_room', 'contacted')"),
    ("stg_contact_record", "held_at", "mode IN ('one_to_one', 'phone')"),
)


def of_terms(campus):
    """How taking part grew from term to term, of the terms in which somebody studied here."""
    ask, word, known = campus.ask, campus.word, campus.known
    came = ask(f"SELECT student_key, activity_id, occurred_on FROM stg_activity_attendance WHERE {known} AND occurred_on < DATE '{word}'")
    came = [it for it in came if it["occurred_on"] >= campus.ago(1095)]
    kinds = {it["activity_id"]: it["kind"] for it in ask(f"SELECT activity_id, kind FROM stg_activity WHERE {campus.valid}")}
    entered, away = {}, defaultdict(list)
    for it in ask(f"SELECT student_key, status, valid_from, valid_to FROM stg_enrollment_span WHERE {campus.valid}"):
        entered[it["student_key"]] = min(entered.get(it["student_key"], it["valid_from"]), it["valid_from"])
        if it["status"] not in ("enrolled", "extended"):
            away[it["student_key"]].append((it["valid_from"], it["valid_to"] or "9999"))
    for it in ask(f"SELECT student_key, begins_on, ends_on FROM stg_internship_placement WHERE {campus.valid}"):
        away[it["student_key"]].append((it["begins_on"], it["ends_on"]))
    week = lambda day: datetime.date.fromisoformat(day).isocalendar()[:2]
    told = {week(it["occurred_on"]) for it in came}
    went, cohorts = defaultdict(set), {}
    for it in came:
        went[it["student_key"]].add((it["activity_id"], it["occurred_on"]))
    found = defaultdict(dict)
    first = min((it["occurred_on"] for it in came), default=word)
    for key, person in campus.people.items():
        cohort = (person["campus"], person["grade"])
        if cohort not in cohorts:
            # The calendar of the cohort: every day of its terms that activities cover.
            of_day = campus.row_of(person)
            rows = [of_day(datetime.date.fromisoformat(it)) for it in campus.calendar if first <= it < word]
            cohorts[cohort] = {it["date"]: it for it in rows if it and it["term"] and it["kind"] != "vacation"}
        calendar = cohorts[cohort]
        terms = defaultdict(list)
        for day, it in sorted(calendar.items()):
            terms[it["term"]].append((day, it["kind"] in ("teaching", "makeup")))
        terms = {term: its for term, its in terms.items() if sum(is_taught for _, is_taught in its) >= TERM_DAYS}
        # A term of which half is missing is none in which nobody came.
        weeks_of = {term: {week(day) for day, _ in its} for term, its in terms.items()}
        terms = {term: its for term, its in terms.items() if 2 * len(weeks_of[term] & told) >= len(weeks_of[term])}
        points = defaultdict(list)
        for no, (term, its) in enumerate(sorted(terms.items(), key=lambda it: it[1][0])):
            low, high = its[0][0], its[-1][0]
            begins = datetime.date.fromisoformat(low) + datetime.timedelta(days=28)
            if begins.isoformat() < entered.get(key, f"{person['grade']}-09-01") or any(a <= high and low <= b for a, b in away[key]):
                continue
            own = {activity for activity, day in went[key] if day in calendar and calendar[day]["term"] == term}
            weeks = sum(is_taught for _, is_taught in its) / 28
            points["activity_growth"].append((no, len(own) / weeks))
            points["volunteer_growth"].append((no, sum(kinds.get(it) == "volunteering" for it in own) / weeks))
        for name, its in points.items():
            found[name][key] = (slope(its), len(its))
    return found


class Campus:
    """What was known on a date: people, their days, who met them, and the calendar."""

    def __init__(self, ask, word):
        self.ask, self.word, self.on = ask, word, datetime.date.fromisoformat(word)
        self.known = f"known_at <= day_start(DATE '{word}')"
        self.valid = f"{self.known} AND (superseded_at IS NULL OR superseded_at > day_start(DATE '{word}'))"
        recent = f"{self.known} AND occurred_on < DATE '{word}' AND occurred_on >= DATE '{word}' - INTERVAL '70' DAY"
        self.people = {it["student_key"]: it for it in ask(f"SELECT * FROM dim_student WHERE as_of_on = DATE '{word}'")}
        self.days = defaultdict(lambda: defaultdict(Day))
        self.canteen = []
        for it in ask(f"SELECT student_key, occurred_on, occurred_at, txn_id, minute_of_day, merchant_kind, terminal_id, amount_fen, "
                      f"balance_fen FROM stg_card_txn WHERE {recent}"):
            it.update(at=moment(it["occurred_at"]), minute=it["minute_of_day"], place=it["terminal_id"])
            self.days[it["student_key"]][it["occurred_on"]].paid.append(it)
            if it["merchant_kind"] == "canteen" and it["occurred_on"] >= self.ago(28):
                self.canteen.append(it)
        for it in ask(f"SELECT student_key, occurred_on, occurred_at, minute_of_day, device_id, event_seq, direction, method "
                      f"FROM stg_gate_event WHERE {recent}"):
            it.update(at=moment(it["occurred_at"]), minute=it["minute_of_day"], place=it["device_id"], is_in=it["direction"] == "in")
            it.update(is_face=it["method"] == "face")
            day = self.days[it["student_key"]][it["occurred_on"]]
            (day.by_face if it["is_face"] else day.passed).append(it)
        for own in self.days.values():
            for it in own.values():
                it.close()
        self.met = defaultdict(list)
        for table, at, which in WITNESSES:
            for it in ask(f"SELECT student_key, {at} AS met_at FROM {table} WHERE {self.known} AND occurred_on < DATE '{word}' AND {which}"):
                self.met[it["student_key"]].append((campus_day(moment(it["met_at"])), moment(it["met_at"])))
        self.calendar = defaultdict(list)
        for it in ask(f"SELECT date, term, kind, campus, cohort_scope FROM stg_calendar_day WHERE {self.valid}"):
            self.calendar[it["date"]].append(it)
        self.nights = Nights(ask, word, self.known, self.valid)

    def ago(self, days):
        return (self.on - datetime.timedelta(days=days)).isoformat()

    def row_of(self, person):
        def row(day):
            fits = [it for it in self.calendar.get(day.isoformat(), ()) if it["campus"] in (None, person["campus"] or "")
                    and it["cohort_scope"] in (None, str(person["grade"]))]
            fits.sort(key=lambda it: (it["cohort_scope"] is None, it["campus"] is None, it["kind"]))
            return fits[0] if fits else None
        return row

    def kind_of(self, person):
        row = self.row_of(person)
        return lambda day: (row(day) or {"kind": None})["kind"]

    def of(self, key, since=70):
        """The days of one student, oldest first."""
        return sorted((datetime.date.fromisoformat(day), it) for day, it in self.days[key].items() if day >= self.ago(since))

    def boarders(self):
        """Who lives in a dormitory: nobody else has a measure of nights, whatever the gates saw on a visit."""
        for key, it in self.people.items():
            if it["boarder"] == "boarder" and it["is_enrolled"] and it["building_id"]:
                yield key, it, self.nights.of(key, it, self.of(key, 56), self.kind_of(it))


def of_company(campus):
    """The closed measures, but for the pairs themselves."""
    ask, word, known, on = campus.ask, campus.word, campus.known, campus.on
    found = defaultdict(dict)
    tests = defaultdict(list)
    for it in ask(f"SELECT student_key, tested_on, test_id, score FROM stg_fitness_test WHERE {campus.valid} AND tested_on < DATE '{word}'"):
        if it["tested_on"] >= campus.ago(730):
            tests[it["student_key"]].append((it["tested_on"], it["test_id"], it["score"]))
    found["fitness_score"] = {key: (max(its)[2], len(its)) for key, its in tests.items()}

    choices = {}
    for it in sorted(ask(f"SELECT student_key, choice_no, choice FROM stg_social_choice WHERE {known}"), key=lambda it: it["choice_no"]):
        choices[it["student_key"]] = it["choice"]
    left = {key for key, choice in choices.items() if choice == "left"}

    came = defaultdict(set)
    for it in ask(f"SELECT student_key, activity_id FROM stg_activity_attendance WHERE {known} AND occurred_on < DATE '{word}' "
                  f"AND occurred_on >= DATE '{word}' - INTERVAL '120' DAY"):
        came[it["activity_id"]].add(it["student_key"])
    times, own = defaultdict(lambda: defaultdict(int)), defaultdict(int)
    for there in came.values():
        # An activity of hundreds says nothing about any two of them.
        there = there - left if len(there) <= 60 else ()
        for key in there:
            own[key] += 1
            for other in there:
                times[key][other] += key != other
    found["activity_company"] = {key: (sum(it >= 2 for it in times[key].values()), n) for key, n in own.items()}

    ties = {}
    for day in (word, campus.ago(28)):
        ties[day] = defaultdict(set)
        for it in ask(f"SELECT u, v FROM closed_edge WHERE as_of_on = DATE '{day}'"):
            if not {it["u"], it["v"]} & left:
                ties[day][it["u"]].add(it["v"])
                ties[day][it["v"]].add(it["u"])
    now, then = ties[word], ties[campus.ago(28)]
    if then:
        for key in now.keys() | then.keys():
            both, either = now[key] & then[key], now[key] | then[key]
            found["company_turnover"][key] = (1 - len(both) / len(either), len(either))

    # Where and when everybody paid first at each meal; payments of those who left only spoil the meals beside them.
    paid, spoilt = defaultdict(list), defaultdict(list)
    for it in campus.canteen:
        slot = 0 if it["minute"] < 570 else 1 if it["minute"] < 900 else 2
        at = (it["occurred_on"], slot, it["place"].split("-")[1])
        if it["student_key"] in left:
            spoilt[at].append(int(it["at"].timestamp()))
        else:
            paid[it["student_key"], at].append(int(it["at"].timestamp()))
    meals = defaultdict(dict)
    for (key, at), its in paid.items():
        meals[key][at] = min(its)
    changed = {}
    for key, own in meals.items():
        n = len({at[:2] for at in own})
        found["social_degree"][key] = (len(now[key]), n)
        dark = {at[:2] for at, second in own.items() if any(abs(second - it) <= 60 for it in spoilt[at])}
        told = {at[:2] for at in own} - dark
        beside = lambda at, second: any(abs(second - meals[it].get(at, math.inf)) <= 60 for it in now[key])
        together = {at[:2] for at, second in own.items() if at[:2] in told and beside(at, second)}
        if told:
            found["meal_alone_ratio"][key] = (1 - len(together) / len(told), len(told))
        if n >= 20 and then and key in campus.people:
            changed[key] = (len(then[key]) - len(now[key]), n)
    near, far = defaultdict(list), defaultdict(list)
    for key, (fewer, _) in changed.items():
        far[peers_of(campus.people[key])[:2]].append(fewer)
        near[peers_of(campus.people[key])].append(fewer)
    for key, (fewer, n) in changed.items():
        own, wide = near[peers_of(campus.people[key])], far[peers_of(campus.people[key])[:2]]
        usual = statistics.median(own) if len(own) >= 20 else statistics.median(wide) if len(wide) >= 20 else 0
        found["isolation_change"][key] = (fewer - max(0, usual), n)

    rooms = defaultdict(list)
    for key, person, nights in campus.boarders():
        for it in nights:
            if person["room_id"] and not it.is_free and key not in left:
                # Who came in unseen was there all the same: a lower bound.
                is_seen = it.own.home is not None or (it.own.shower or 0) >= 1200
                rooms[person["room_id"], it.day].append((key, is_seen, it.is_on_leave or not it.is_seen))
    together = defaultdict(list)
    for its in rooms.values():
        if len(its) > 1 and not any(unknown for _, _, unknown in its):
            for key, _, _ in its:
                together[key].append(all(seen for _, seen, _ in its))
    found["roommate_presence"] = {key: (sum(its) / len(its), len(its)) for key, its in together.items()}
    return found


def peers_of(person):
    """Stage and year first; of graduates neither year nor campus."""
    is_graduate = person["study_stage"] == "graduate"
    year, campus = (None, None) if is_graduate else (person["grade"], person["campus"])
    return person["study_stage"], year, person["college"], campus


def of_people(campus):
    """The open measures."""
    ask, word, known, valid, on, people = campus.ask, campus.word, campus.known, campus.valid, campus.on, campus.people
    expected = defaultdict(dict)

    def take(key, found):
        for name, it in found.items():
            expected[name][key] = it

    bands = of_bands(campus.canteen)
    for key in [it for it in campus.days if it in people]:
        own = campus.of(key)
        take(key, of_days(own, campus.kind_of(people[key]), on))
        take(key, of_meals(own, bands, on))
    for key, person in people.items():
        take(key, of_silence(campus.of(key), campus.met[key], campus.kind_of(person), on))
    for key, _, nights in campus.boarders():
        take(key, of_evenings(campus.of(key), on))
        take(key, of_nights(nights))
    marks, scores = defaultdict(list), defaultdict(list)
    for it in ask(f"SELECT * FROM stg_grade_record WHERE {valid}"):
        marks[it["student_key"]].append(it)
        if it["exam_kind"] == "final":
            scores[it["course_id"], it["term"]].append(it["score"])
    courses = {course: sum(its) / len(its) for course, its in scores.items()}
    for key, rows in marks.items():
        take(key, of_grades(rows, courses))
    called = defaultdict(list)
    for it in ask(f"SELECT student_key, state FROM stg_class_attendance WHERE {known} AND occurred_on < DATE '{word}' "
                  f"AND occurred_on >= DATE '{word}' - INTERVAL '28' DAY"):
        called[it["student_key"]].append(it["state"])
    for key, states in called.items():
        due = [it for it in states if it != "leave"]
        take(key, {"class_attendance_rate": (share(sum(it in ("present", "late") for it in due), len(due)), len(due))})

    requests, asked = of_requests(ask, people, word, known, valid)
    for found in (of_activities(ask, people, word, known, valid), requests, of_classes(ask, word, known, valid, people), of_terms(campus)):
        expected.update(found)
    talks = ask(f"SELECT student_key, occurred_on FROM stg_contact_record WHERE {known} AND occurred_on < DATE '{word}'")
    came = ask(f"SELECT student_key, occurred_on FROM stg_activity_attendance WHERE {known} AND occurred_on < DATE '{word}' "
               f"AND occurred_on >= DATE '{word}' - INTERVAL '180' DAY")
    gaps = defaultdict(list)
    for it in talks + came:
        gaps[it["student_key"]].append((on - datetime.date.fromisoformat(it["occurred_on"])).days)
    for key, its in asked.items():
        gaps[key] += [(on - campus_day(it)).days for it in its]
    if talks:
        # Who was never met has been without contact for as long as contacts are recorded.
        longest = min(180, max((on - datetime.date.fromisoformat(it["occurred_on"])).days for it in talks))
        expected["contact_gap"] = {key: (min([longest, *gaps[key]]), None) for key in people}
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
    return expected


def compare(ask, table, campus, expected):
    """Holds a table against what is expected, prints one line a measure, and says how many answers differ."""
    told = defaultdict(dict)
    names = ", ".join(f"'{it}'" for it in expected)
    for it in ask(f"SELECT student_key, measure, value, n FROM {table} WHERE as_of_on = DATE '{campus.word}' AND measure IN ({names})"):
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
    return wrong


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

    campus = Campus(ask, ask("SELECT max(as_of_on) AS day FROM feat_measure")[0]["day"])
    wrong = compare(ask, "feat_measure", campus, of_people(campus))
    # Closed measures are made on Mondays only.
    monday = ask("SELECT max(as_of_on) AS day FROM closed_measure")[0]["day"]
    if monday:
        campus = campus if monday == campus.word else Campus(ask, monday)
        wrong += compare(ask, "closed_measure", campus, of_company(campus))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
