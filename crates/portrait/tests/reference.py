"""Computes every measure a second time, by the shortest way from its definition, and prints inputs and answers as JSON.

Nothing here is shared with the crate: quadratic searches, one cell a minute, all pairs, exact fractions. Run it as

    python3 crates/portrait/tests/reference.py > crates/portrait/tests/reference.json

The same bytes come out every time. `reference.rs` reads them.
"""

import cmath
import json
import math
import random
import statistics
from collections import defaultdict
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 120


def actual_entropy(sequence):
    n = len(sequence)
    if n < 2:
        return None
    text = "".join(chr(0x4E00 + it) for it in sequence)
    total = 0
    for at in range(n):
        length = 1
        while at + length < n and text[at:at + length] in text[:at]:
            length += 1
        total += length
    return math.log(n) / (total / n)


def hour_entropy(minutes):
    if not minutes:
        return None
    hours = [it // 60 % 24 for it in minutes]
    shares = [hours.count(hour) / len(hours) for hour in sorted(set(hours))]
    return abs(math.fsum(-it * math.log(it) for it in shares)) / math.log(24)


def resultant(minutes):
    turns = [cmath.exp(2j * math.pi * it / 1440) for it in minutes]
    return complex(math.fsum(it.real for it in turns), math.fsum(it.imag for it in turns)) / len(turns)


def mean_minute(minutes):
    if not minutes or abs(resultant(minutes)) < 1e-9:
        return None
    return cmath.phase(resultant(minutes)) % (2 * math.pi) / (2 * math.pi) * 1440


def concentration(minutes):
    return abs(resultant(minutes)) if minutes else None


def presence_regularity(rows):
    """One cell for every minute of every day."""
    states = {}
    by_day = defaultdict(list)
    for day, minute, is_in in rows:
        by_day[day].append((minute, is_in))
    for day in sorted(by_day):
        passages = sorted((minute, is_in) for minute, is_in in by_day[day] if is_in is not None)
        if passages:
            cells = []
            for minute in range(1440):
                before = [is_in for at, is_in in passages if at <= minute]
                cells.append(before[-1] if before else not passages[0][1])
            states[day] = cells
        elif day - 1 in states:
            states[day] = [states[day - 1][-1]] * 1440
    pairs = [day for day in states if day + 1 in states]
    if not pairs:
        return None
    equal = sum(states[day][minute] == states[day + 1][minute] for day in pairs for minute in range(1440))
    return [float(-100 + Fraction(200 * equal, 1440 * len(pairs))), len(pairs)]


def gap_surprise(gaps, silence):
    if not gaps:
        return None
    return abs(math.log((1 + sum(it >= silence for it in gaps)) / (len(gaps) + 1)))


def theil_sen(points):
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[:i] if a[0] != b[0]]
    return statistics.median(slopes) if slopes else None


def median(values):
    return statistics.median(values) if values else None


def mad(values):
    return statistics.median(abs(it - statistics.median(values)) for it in values) if values else None


def meals(purchases, gap_s):
    found = []
    for at in sorted(purchases):
        if found and at - found[-1][1] <= gap_s:
            found[-1][1] = at
        else:
            found.append([at, at])
    return found


def slot_bands(minutes):
    minutes = [it for it in minutes if it < 1440]
    if len(minutes) < 200:
        return [300, 570, 600, 810, 960, 1200]

    def boundary(first, beyond, pause):
        starts = range(first, beyond, 15)
        return min(starts, key=lambda it: (sum(it <= minute < it + 15 for minute in minutes), abs(it - pause), it))

    morning = boundary(435, 705, 585)
    afternoon = boundary(705, 1080, 885)
    return [300, morning, morning, afternoon, afternoon, 1200]


def poisson_tail(k, mean):
    """1 - e^-mean * (1 + mean + mean^2/2 + ...), in 120 digits."""
    exact = Fraction(mean)
    term, below = Fraction(1), Fraction(0)
    for j in range(k):
        below += term
        term = term * exact / (j + 1)
    decimal = Decimal(exact.numerator) / Decimal(exact.denominator)
    return float(1 - (-decimal).exp() * Decimal(below.numerator) / Decimal(below.denominator))


def edges(swipes, window_s, meetings_min, q_max):
    """All pairs of students, every meal, every group."""
    first = {}
    for student, meal, group, at_s in swipes:
        key = (meal, group, student)
        first[key] = min(first.get(key, at_s), at_s)
    times = defaultdict(dict)
    for (meal, group, student), at_s in first.items():
        times[meal, group][student] = at_s
    students = sorted({it[0] for it in swipes})
    chance = {}
    for slot, at in times.items():
        n = len(at)
        near = sum(abs(at[a] - at[b]) <= window_s for a in at for b in at if a != b)
        chance[slot] = near / (n * (n - 1)) if n > 1 else 0.0
    tested = []
    for i, u in enumerate(students):
        for v in students[i + 1:]:
            by_meal = defaultdict(list)
            for slot in sorted(times):
                if u in times[slot] and v in times[slot]:
                    by_meal[slot[0]].append(slot)
            weights = []
            for slots in by_meal.values():
                near = []
                for slot in slots:
                    a, b = times[slot][u], times[slot][v]
                    if abs(a - b) <= window_s:
                        crowd = sum(abs(it - min(a, b)) <= window_s for it in times[slot].values())
                        near.append((min(a, b), slot, crowd))
                if near:
                    weights.append(1 / math.log(1 + min(near)[2]))
            expected = math.fsum(min(1.0, math.fsum(chance[it] for it in slots)) for slots in by_meal.values())
            if len(weights) >= meetings_min:
                p = poisson_tail(len(weights), expected)
                tested.append((p, u, v, len(weights), math.fsum(weights), expected))
    tested.sort()
    pairs = len(students) * (len(students) - 1) // 2
    found = []
    for i, (p, u, v, meetings, weight, expected) in enumerate(tested):
        q = min([1.0] + [tested[j][0] * pairs / (j + 1) for j in range(i, len(tested))])
        if q <= q_max:
            found.append([u, v, meetings, weight, expected, p, q])
    return sorted(found)


def sequences(chance):
    yield from ([], [5], [5, 5], [5, 6])
    for symbols, n, habit in [(2, 60, 0), (48, 84, 0), (48, 84, 3), (48, 200, 7), (6, 300, 21), (3, 500, 0), (1, 40, 0)]:
        sequence = []
        for at in range(n):
            repeats = habit and at >= habit and chance.random() < 0.85
            sequence.append(sequence[at - habit] if repeats else chance.randrange(symbols))
        yield sequence


def nights(chance):
    """Lists of (day, minute, is_in), with days not covered, days without passages and gates that missed one direction."""
    yield []
    yield [(3, 100, True)]
    for days, covered, seen, firmness in [(28, 1.0, 1.0, 20), (28, 0.8, 0.8, 120), (60, 0.9, 0.5, 300), (14, 0.5, 0.7, 60)]:
        rows = []
        for day in range(100, 100 + days):
            if chance.random() >= covered:
                continue
            minutes = sorted(min(1439, max(0, round(chance.gauss(it, firmness)))) for it in (230, 500, 620, 820, 900, 1110))
            passages = [(day, it, at % 2 == 1) for at, it in enumerate(minutes) if chance.random() < seen]
            # One day a week the student is away or at home all day, and the gates say so.
            rows += [(day, 0, None)] if day % 7 == 4 or not passages else passages
        chance.shuffle(rows)
        yield rows


def canteen(chance, students, meal_count):
    """A small crowd at two groups of terminals; students 1 and 2, 3 and 4, 5 and 6 always eat together."""
    swipes = []
    for meal in range(meal_count):
        at = {}
        for student in range(1, students + 1):
            if chance.random() < 0.15 and student > 6:
                continue
            group, at_s = chance.randrange(2), 1_700_000_000 + meal * 20_000 + min(5400, int(chance.expovariate(1 / 1500)))
            if student in (2, 4, 6):
                group, at_s = at[student - 1][0], at[student - 1][1] + chance.randrange(-20, 40)
            at[student] = (group, at_s)
            swipes.append([student * 1_000_003, meal * 7, group, at_s])
            # A drink later at the same group, and sometimes a dish at the other.
            if chance.random() < 0.2:
                swipes.append([student * 1_000_003, meal * 7, group, at_s + chance.randrange(600)])
            if chance.random() < 0.15:
                swipes.append([student * 1_000_003, meal * 7, 1 - group, at_s + chance.randrange(-300, 300)])
    chance.shuffle(swipes)
    return swipes


def main():
    chance = random.Random(20260301)
    cases = defaultdict(list)

    def add(name, function, *inputs):
        cases[name].append({"in": list(inputs), "out": function(*inputs)})

    for sequence in sequences(chance):
        add("actual_entropy", actual_entropy, sequence)
    for n, spread in [(0, 1), (1, 1), (30, 60), (200, 1440), (50, 1800)]:
        add("hour_entropy", hour_entropy, [480 + chance.randrange(spread) for _ in range(n)])
    for n, centre, spread in [(0, 0, 0), (1, 10, 0), (28, 1400, 60), (28, 1438, 20), (500, 300, 400), (90, 1500, 90)]:
        minutes = [round(chance.gauss(centre, spread), 2) % 2880 for _ in range(n)]
        add("mean_minute", mean_minute, minutes)
        add("concentration", concentration, minutes)
    add("mean_minute", mean_minute, [360, 1080])
    add("mean_minute", mean_minute, [100, 580, 1060, 1540])
    for rows in nights(chance):
        add("presence_regularity", presence_regularity, rows)
    add("gap_surprise", gap_surprise, [], 4)
    for n, silence in [(1, 0.25), (40, 30), (400, 0), (400, 12.5), (400, 50), (400, 4000)]:
        add("gap_surprise", gap_surprise, [round(chance.expovariate(1 / 10) * 4) / 4 for _ in range(n)], silence)
    for n, terms in [(0, 1), (1, 1), (5, 1), (8, 8), (9, 5), (40, 12)]:
        points = [[chance.randrange(terms), round(chance.uniform(1, 5), 2)] for _ in range(n)]
        add("theil_sen", theil_sen, points)
    for n in [0, 1, 2, 7, 8, 101, 400]:
        values = [round(chance.gauss(12, 4), 1) for _ in range(n)]
        add("median", median, values)
        add("mad", mad, values)
    for n, gap_s in [(0, 2700), (1, 2700), (60, 2700), (200, 600), (200, 0)]:
        add("meals", meals, [1_700_000_000 + chance.randrange(400_000) for _ in range(n)], gap_s)
    for n, centres, spread in [(199, (450, 700, 1080), 30), (300, (450, 700, 1080), 30), (4000, (430, 730, 1050), 60),
                               (3000, (480, 690, 1020), 90), (2000, (420, 760), 40), (900, (700,), 200)]:
        add("slot_bands", slot_bands, [int(chance.gauss(chance.choice(centres), spread)) % 1500 for _ in range(n)])
    for k in [0, 1, 2, 3, 8, 15, 16, 17, 28, 84, 300]:
        for mean in [0.0, 1e-6, 0.01, 0.4, 1.0, 2.75, 8.0, 15.5, 27.9, 84.0, 260.0]:
            # Of 120 digits the subtraction may eat a hundred.
            if mean == 0 or k * math.log10(mean) - math.lgamma(k + 1) / math.log(10) > -95:
                add("poisson_tail", poisson_tail, k, mean)
    swipes = canteen(chance, 60, 10)
    for window_s, meetings_min, q_max in [(60, 3, 0.05), (60, 1, 1.0), (30, 2, 0.9), (200, 3, 0.2), (0, 1, 1.0), (9000, 1, 1.0)]:
        add("edges", edges, swipes, window_s, meetings_min, q_max)
    planted = {(1_000_003 * u, 1_000_003 * (u + 1)) for u in (1, 3, 5)}
    assert planted <= {(it[0], it[1]) for it in cases["edges"][0]["out"]}, "the planted pairs are not found"
    # One crowd serves all the cases; written once, the file stays small.
    for case in cases["edges"]:
        case["in"] = case["in"][1:]
    cases["swipes"] = swipes

    lines = []
    for name, rows in cases.items():
        body = ",\n".join(json.dumps(it, separators=(",", ":"), allow_nan=False) for it in rows)
        lines.append(f'"{name}":[\n{body}\n]')
    print("{\n" + ",\n".join(lines) + "\n}")


main()
