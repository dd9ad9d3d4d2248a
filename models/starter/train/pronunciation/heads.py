"""The head in PyTorch: from the encoder's features to phonemes, ratings of phonemes and fluency; and its losses.

The ratings of a frame say for each phoneme how well it was said there, if it was the expected one, as a logit. They are
trained with the experts' scores of phonemes and words, and with other phonemes in the place of the right ones, which
are wrong.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from pronunciation.corpus import NUMBERS, SYMBOLS

MARGIN = 2  # frames on either side of a phoneme's span in which its rating counts, as in engines/hubert/scoring
WORST = 0.5  # weight of a word's worst phoneme; the rest is the mean's
SMOOTH = 0.02
# Phonemes that are often said for each other; each pair is a word's only difference in ship/sheep, think/sink and the like.
NEAR = ("IH IY,IH EH,IH EY,EH AE,EH EY,AE AH,AE AA,AH AA,AH UH,AH ER,AA AO,AO OW,OW AW,UH UW,AY EY,OY AY,S TH,S Z,S SH,TH T,TH F,"
        "DH D,DH Z,V W,V F,V B,L R,L N,N NG,N M,SH CH,CH JH,ZH JH,ZH SH,P B,T D,K G,Y JH,HH F,R W")


def near() -> torch.Tensor:
    """[symbols, 8]: the phonemes that are near each one, repeated to fill the row."""
    pairs = [tuple(NUMBERS[p] for p in pair.split()) for pair in NEAR.split(",")]
    rows = [[b if a == k else a for a, b in pairs if k in (a, b)] or [k] for k in range(len(SYMBOLS))]
    return torch.tensor([(row * 8)[:8] for row in rows])


CONFUSED = near()


class Head(nn.Module):
    def __init__(self, mean: torch.Tensor, std: torch.Tensor, width: int = 128, kernel: int = 5):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.inp, self.ln = nn.Linear(len(mean), width), nn.LayerNorm(width)
        self.dw = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.up, self.down, self.ln2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), nn.LayerNorm(width)
        self.ctc, self.acc, self.flu = nn.Linear(width, len(SYMBOLS)), nn.Linear(width, len(SYMBOLS)), nn.Linear(width, 1)
        self.drop = nn.Dropout(0.1)

    def forward(self, x, mask):
        """Features [batch, frames, width] and a mask of the frames; returns logits, ratings and fluency."""
        mask = mask[..., None]
        x = F.gelu(self.inp((x - self.mean) / self.std)) * mask
        y = self.dw((self.ln(x) * mask).transpose(1, 2)).transpose(1, 2)
        x = self.drop(self.ln2(x + self.down(self.drop(F.gelu(self.up(y))))))
        return self.ctc(x), self.acc(x), self.flu(x)[..., 0]


def aligned(scores: np.ndarray, labels: list[int]):
    """The first frames of the labels and the ones after their last, on the best path; None if there
    are no labels or the clip is too short for them.

    scores are log-probabilities [frames, symbols]."""
    labels = np.asarray(labels, int)
    if len(labels) == 0 or len(scores) < len(labels) + (labels[1:] == labels[:-1]).sum():
        return None
    symbols = np.zeros(2 * len(labels) + 1, int)
    symbols[1::2] = labels
    skips = np.zeros(len(symbols), bool)
    skips[3::2] = labels[1:] != labels[:-1]
    emitted, none = scores[:, symbols], np.array([-1e30, -1e30])
    best = np.full(len(symbols), -1e30)
    best[:2] = emitted[0, :2]
    steps = np.zeros(emitted.shape, np.int8)
    for t in range(1, len(scores)):
        ways = np.stack([best, np.concatenate([none[:1], best[:-1]]), np.where(skips, np.concatenate([none, best[:-2]]), -1e30)])
        steps[t] = ways.argmax(0)
        best = ways.max(0) + emitted[t]
    state = len(symbols) - 1 - int(best[-2] >= best[-1])
    first, last = np.zeros(len(labels), int), np.zeros(len(labels), int)
    for t in range(len(scores) - 1, -1, -1):
        if state % 2:
            first[state // 2], last[state // 2] = t, max(last[state // 2], t + 1)
        state -= steps[t, state]
    return first, last


def unit_ratings(ratings, spans):
    """The mean ratings [units, symbols] over the units' spans and their margins."""
    sums = torch.cumsum(F.pad(ratings, (0, 0, 1, 0)), 0)
    first = torch.as_tensor(np.maximum(spans[0] - MARGIN, 0))
    last = torch.as_tensor(np.minimum(spans[1] + MARGIN, len(ratings)))
    return (sums[last] - sums[first]) / (last - first)[:, None].float()


def of_word(units):
    """The score of a word from the scores of its units."""
    return WORST * units.min() + (1 - WORST) * units.mean()


def ctc_loss(logits, readings, lengths):
    """Readings count less if the experts found them inaccurate: who knows what was said there."""
    scores = F.log_softmax(logits, -1).transpose(0, 1)
    labels = torch.tensor([k for r in readings for k in r.labels])
    each = F.ctc_loss(scores, labels, torch.tensor(lengths), torch.tensor([len(r.labels) for r in readings]),
                      reduction="none", zero_infinity=True)
    weights = torch.tensor([min(1.0, max(0.05, 2 * r.accuracy - 0.6)) for r in readings])
    return 8 * (each * weights).sum() / sum(lengths)


def rating_losses(ratings, fluency, readings, spans):
    """The losses of phonemes, words and fluency; spans are None for readings that cannot be aligned."""
    units, words, texts = [], [], []  # (output, target, weight)
    for b, (reading, span) in enumerate(zip(readings, spans)):
        if span is None:
            continue
        labels = torch.tensor(reading.labels)
        rated = unit_ratings(ratings[b], span)
        own = rated[torch.arange(len(labels)), labels]
        # A synthesizer's other phonemes are wrong for sure; a learner's may be what was said.
        surely = 0.35 if reading.total is not None else 1.0
        similar = CONFUSED[labels, torch.randint(0, CONFUSED.shape[1], labels.shape)]
        for other, weight in ((torch.randint(1, len(SYMBOLS), labels.shape), 0.35), (similar, surely)):
            wrong = rated[torch.arange(len(labels)), other][other != labels]
            units.append((wrong, torch.full_like(wrong, SMOOTH), torch.full_like(wrong, weight)))
        at = 0
        for word in reading.words:
            mine = own[at:at + len(word.phonemes)]
            at += len(word.phonemes)
            if word.units is not None:
                target = torch.tensor(word.units).float()
                units.append((mine, target.clamp(SMOOTH, 1 - SMOOTH), 1 + 4 * (1 - target)))
            if reading.total is not None:
                words.append((of_word(torch.sigmoid(mine)), word.score))
        if reading.fluency is not None:
            texts.append((torch.sigmoid(fluency[b, span[0][0]:span[1][-1]].mean()), reading.fluency))
    if not units:
        return torch.zeros(())
    outputs, targets, weights = (torch.cat(parts) for parts in zip(*units))
    loss = (F.binary_cross_entropy_with_logits(outputs, targets, reduction="none") * weights).sum() / weights.sum()
    if words:
        outputs, targets = torch.stack([o for o, _ in words]), torch.tensor([t for _, t in words])
        weights = 1 + 2 * (1 - targets)
        loss = loss + 8 * (weights * (outputs - targets) ** 2).sum() / weights.sum()
        outputs, targets = torch.stack([o for o, _ in texts]), torch.tensor([t for _, t in texts])
        loss = loss + 15 * ((outputs - targets) ** 2).mean()
    return loss
