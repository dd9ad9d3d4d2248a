"""Writes golden.json: what torchaudio and torch compute on random inputs.

    pip install torch==2.11.0 torchaudio==2.11.0
    python make_golden.py

Logits are whole thousandths, so that the Go test has exactly the same numbers. Labels repeat often, also next to each
other; some cases have just the frames that their labels need.
"""

import json
import pathlib
import random

import torch
import torchaudio
from torchaudio.functional import forced_align, merge_tokens

SEED = 20
CASES = 60


def needed(labels):
    return len(labels) + sum(a == b for a, b in zip(labels, labels[1:]))


def case(index):
    symbols = random.choice([2, 3, 5, 8])
    blank = random.choice([0, symbols - 1])
    letters = [k for k in range(symbols) if k != blank]
    labels = [random.choice(letters) for _ in range(random.randint(1, 8))]
    frames = needed(labels) + (0 if index % 5 == 0 else random.randint(0, 20))
    sharpness = random.choice([300, 2000, 6000])
    logits = [[round(random.gauss(0, 1) * sharpness) for _ in range(symbols)] for _ in range(frames)]
    log_probs = torch.log_softmax(torch.tensor(logits, dtype=torch.float64) / 1000, -1)
    path, scores = forced_align(log_probs[None], torch.tensor([labels]), blank=blank)
    spans = merge_tokens(path[0], scores[0], blank=blank)
    loss = torch.nn.functional.ctc_loss(
        log_probs[:, None], torch.tensor([labels]), torch.tensor([frames]), torch.tensor([len(labels)]),
        blank=blank, reduction="sum",
    )
    return {
        "symbols": symbols,
        "blank": blank,
        "labels": labels,
        "logits": sum(logits, []),
        "path": path[0].tolist(),
        "spans": [[s.token, s.start, s.end, s.score] for s in spans],
        "log_prob": -loss.item(),
    }


def main():
    random.seed(SEED)
    golden = {
        "versions": {"torch": torch.__version__, "torchaudio": torchaudio.__version__},
        "seed": SEED,
        "cases": [case(i) for i in range(CASES)],
    }
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size, golden["versions"])


if __name__ == "__main__":
    main()
