#!/usr/bin/env python3
"""Fits the calibration of the starter model for pronunciation scoring to the experts' scores.

    go run ./models/starter/train/measure -vocabulary ../pronunciation.vocab.json -lexicon ../pronunciation.lexicon.txt \\
        -outputs /somewhere/pronunciation/outputs > /somewhere/measured.jsonl
    venv/bin/python calibrate_pronunciation.py --measured /somewhere/measured.jsonl --readings /somewhere/so762 \\
        --scores /somewhere/scores-train.jsonl --work /somewhere/pronunciation --out ..

Each score is a logistic function of a few features (docs/pronunciation.md), with the least squared difference from the
experts' means. No weight is negative. A word that was said instead of a similar one has no expert's score; it counts as 2.5
of 10, because the experts' instructions say 2 to 3 for it. A text of which nothing was said counts as 1 of 10.
"""

import argparse
import json
import pathlib

import numpy as np
from scipy.optimize import minimize

from pronunciation import corpus, export

CHANGED = 0.25  # score of a word that was said as another one
UNSAID = 0.1  # score of a text of which nothing was said, but something else
WRONG = 0.6  # weight of a changed word and phoneme
OTHERS = 0.3  # weight of a reading with another text than its own
UNJUDGED, OMISSION, INSERTION = 0, 3, 4  # error types of the API
FEATURES = {"unit": ["gop", "rating"], "word": ["mean", "worst"], "accuracy": ["mean", "worst"], "fluency": ["pace", "rating"],
            "overall": ["accuracy", "fluency", "completeness", "lowest"]}
PENALTY = 1e-4  # of the squares of weights


def score(formula: dict, features: dict) -> float:
    return 1 / (1 + np.exp(-formula["bias"] - sum(w * features[name] for name, w in formula["weights"].items())))


def fit(name: str, rows: list[tuple[dict, float, float]]) -> dict:
    """The formula for rows of features, target and weight. Prints how it agrees with the targets."""
    names = FEATURES[name]
    x = np.array([[features[n] for n in names] for features, _, _ in rows])
    y, weight = np.array([t for _, t, _ in rows]), np.array([w for _, _, w in rows])
    scale = x.std(0) + 1e-6

    def loss(p):
        out = 1 / (1 + np.exp(-np.clip(p[0] + x / scale @ p[1:], -30, 30)))
        slope = 2 * weight * (out - y) * out * (1 - out) / weight.sum()
        gradient = np.concatenate([[slope.sum()], slope @ (x / scale) + 2 * PENALTY * p[1:]])
        return (weight * (out - y) ** 2).sum() / weight.sum() + PENALTY * (p[1:] ** 2).sum(), gradient

    best = minimize(loss, np.full(len(names) + 1, 0.5), jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * len(names)).x
    formula = {"bias": round(float(best[0]), 4), "weights": {n: round(float(w), 4) for n, w in zip(names, best[1:] / scale) if w > 0}}
    out, own = np.array([score(formula, features) for features, _, _ in rows]), weight == 1
    print(f"{name}: {formula}; correlation {np.corrcoef(out[own], y[own])[0, 1]:.3f}, mean {100 * out[own].mean():.1f}, "
          f"experts' {100 * y[own].mean():.1f}, n {own.sum()}")
    return formula


def calibrate(measured: list[tuple[dict, corpus.Reading, dict]]) -> dict:
    """The formulas for measurements of readings. The last of each says with which text: see write_outputs."""
    units, words, formulas = [], [], {}
    for result, reading, about in measured:
        result["said"] = [w for w in result["Words"] if w["Error"] != INSERTION]
        for w, rated in zip(result["said"], reading.words):
            if not about and rated.units and len(w["Units"] or []) == len(rated.units):
                units += [(u["Features"], s, 1.0) for u, s in zip(w["Units"], rated.units)]
        if "changed" in about:
            place, at = about["changed"]
            said, rated = result["said"][place], reading.words[place]
            if len(said["Units"] or []) == len(rated.phonemes):
                units.append((said["Units"][at]["Features"], 0.0, WRONG))
    formulas["unit"] = fit("unit", units)
    for result, reading, about in measured:
        for w in result["said"]:
            if w["Error"] not in (UNJUDGED, OMISSION):
                scores = [score(formulas["unit"], u["Features"]) for u in w["Units"]]
                w["Features"] |= {"mean": np.mean(scores), "worst": min(scores)}
        pairs = [(w, rated) for w, rated in zip(result["said"], reading.words) if w["Error"] not in (UNJUDGED, OMISSION)]
        if "changed" in about:
            words += [(w["Features"], CHANGED, WRONG) for w in result["said"][about["changed"][0]:][:1] if w["Features"]]
        elif not about:
            words += [(w["Features"], rated.score, 1.0) for w, rated in pairs]
    formulas["word"] = fit("word", words)
    texts = []
    for result, reading, about in measured:
        if "changed" in about or not result["Features"]:
            continue
        judged = [w for w in result["said"] if w["Error"] != UNJUDGED]
        scores = [score(formulas["word"], w["Features"]) if w["Error"] != OMISSION else 0.0 for w in judged]
        sizes = [len(w["Units"] or w["Text"]) for w in judged]
        result["Features"]["accuracy"] = {"mean": np.average(scores, weights=sizes), "worst": min(scores)}
        texts.append((result, reading, about.get("share", 1), OTHERS if about else 1.0))
    least = lambda said, share: share * said + (1 - share) * UNSAID
    formulas["accuracy"] = fit("accuracy", [(t["Features"]["accuracy"], least(r.accuracy, share), w) for t, r, share, w in texts])
    formulas["fluency"] = fit("fluency", [(t["Features"]["fluency"], r.fluency, w) for t, r, share, w in texts if share == 1])
    for t, _, _, _ in texts:
        parts = {name: score(formulas[name], t["Features"][name]) for name in ("accuracy", "fluency")}
        t["Features"]["overall"] |= parts | {"lowest": min(*parts.values(), t["Features"]["overall"]["completeness"])}
    formulas["overall"] = fit("overall", [(t["Features"]["overall"], least(r.total, share), w) for t, r, share, w in texts])
    return formulas


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("measured", "readings", "scores", "work", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    options = parser.parse_args()
    readings = {r.name: r for r in corpus.speechocean(options.readings, "train", options.scores)}
    lines = map(json.loads, (options.work / "outputs" / "readings.jsonl").read_text().splitlines())
    results = map(json.loads, options.measured.read_text().splitlines())
    about = lambda line: {key: line[key] for key in ("changed", "share") if key in line}
    formulas = calibrate([(result, readings[line["name"]], about(line)) for result, line in zip(results, lines, strict=True)])
    name = f"{export.NAME}.calibration.json"
    (options.out / name).write_text(json.dumps(formulas, indent=1) + "\n")
    export.write_sums(options.out, [name] + [f"{export.NAME}.{end}" for end in ("onnx", "vocab.json", "lexicon.txt")])


if __name__ == "__main__":
    main()
