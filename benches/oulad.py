"""At-risk students of the OULAD data at weeks 2, 4, 6 and 8: our boosting model beside scikit-learn's, in one run.

Both work on the same rows, inputs and folds, which ours writes to a temporary folder. The published figures are those of
a public student project (reyquiroz/OULAD_CourseAware, LightGBM). The five-fold schemes are for comparison only: a model
that is used is judged on the future. The data is not part of this repository; give its folder.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import tempfile
import time

import pandas
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

PUBLISHED = {
    "rows_5fold": {2: 0.714, 4: 0.780, 6: 0.803, 8: 0.835},
    "future_2014J": {2: 0.713, 4: 0.752, 6: 0.773, 8: 0.800},
}
SCHEMES = ("rows_5fold", "students_5fold", "future_2014J")
# The settings of ours, as far as the peer has them.
SETTINGS = {"max_iter": 400, "learning_rate": 0.03, "max_depth": 5, "min_samples_leaf": 32, "l2_regularization": 5.0, "max_features": 0.6}


def peer(folder, **settings):
    """Area under the curve of every cell, and the seconds of fitting and scoring."""
    answer, seconds = {}, 0.0
    for file in sorted(pathlib.Path(folder).glob("*.csv")):
        cohort, week = file.stem.rsplit("_", 1)
        table = pandas.read_csv(file)
        label, inputs = table["label"], table.drop(columns=["label", *SCHEMES])
        for scheme in SCHEMES:
            areas = []
            for fold in range(1 if scheme == "future_2014J" else 5):
                test = table[scheme] == fold
                began = time.perf_counter()
                model = HistGradientBoostingClassifier(random_state=7, **settings).fit(inputs[~test], label[~test])
                scores = model.predict_proba(inputs[test])[:, 1]
                seconds += time.perf_counter() - began
                areas.append(roc_auc_score(label[test], scores))
            answer[f"auroc.{cohort}.{scheme}.{week}"] = sum(areas) / len(areas)
    return answer, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--example", required=True, help="the built example, such as target/release/examples/oulad")
    parser.add_argument("--same-settings", action="store_true", help="the peer once more, with our settings instead of its own")
    parser.add_argument("--data", required=True, help="folder with raw/, weekly_features/ and processed_assessments/")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        ran = subprocess.run([arguments.example, arguments.data, "--rows", folder], check=True, stdout=subprocess.PIPE)
        minutes = (time.perf_counter() - began) / 60
        ours = json.loads(ran.stdout)
        default, default_seconds = peer(folder)
        same, same_seconds = peer(folder, **SETTINGS) if arguments.same_settings else ({}, 0.0)

    answer = {name: value for name, value in ours.items() if name.startswith(("auroc.", "rows.", "features.", "base_rate."))}
    answer |= {f"sklearn.{name}": value for name, value in default.items()}
    answer |= {f"sklearn_same_settings.{name}": value for name, value in same.items()}
    answer["minutes.ours"] = minutes
    answer["minutes.ours.fit_and_score"] = ours["seconds.fit_and_score"] / 60
    answer["minutes.sklearn.fit_and_score"] = default_seconds / 60
    if arguments.same_settings:
        answer["minutes.sklearn_same_settings.fit_and_score"] = same_seconds / 60
    answer["memory_peak_bytes.ours"] = ours["memory_peak_bytes"]
    # Linux counts kilobytes.
    answer["memory_peak_bytes.sklearn"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for scheme, weeks in PUBLISHED.items():
        for week, area in weeks.items():
            answer[f"published.auroc.{scheme}.week{week}"] = area
            for cohort in ("published_cohort", "published_cohort_with_course", "published_cohort_with_registry"):
                answer[f"beats_published.{cohort}.{scheme}.week{week}"] = area < answer[f"auroc.{cohort}.{scheme}.week{week}"]
    print(json.dumps(answer, indent=2, sort_keys=True))


main()
