"""Greedy decoding with times, and word error rates, for evaluations during the training."""

import jax
import numpy as np

from asr import features, network
from asr.text import END_OF_TEXT, FIRST_TIME, NO_SPEECH, NO_TIMES, PREVIOUS, START
from speech.sentences import letters

LONGEST = 40  # tokens
AT_ONCE = 5  # clips


class Listener:
    """Decodes clips in a window of some seconds."""

    def __init__(self, weights, shape, tokenizer, table, filters, seconds: float):
        self.tokenizer, self.table, self.filters, self.length = tokenizer, table, filters, int(seconds * features.RATE)
        zeros = np.zeros(AT_ONCE, np.int32)
        encode = jax.jit(lambda w, mel: network.encode(w, mel, zeros, shape))
        logits = jax.jit(lambda w, memory, tokens: network.logits(w, memory, tokens, zeros, shape)[0])
        self.encode = lambda mel: encode(weights, mel)
        self.logits = lambda memory, tokens: np.asarray(logits(weights, memory, tokens))

    def hear(self, clips: list[np.ndarray]) -> list[str]:
        """Returns the texts of int16 samples."""
        texts = []
        for i in range(0, len(clips), AT_ONCE):
            some = clips[i:i + AT_ONCE]
            texts += self._hear(some + [some[-1]] * (AT_ONCE - len(some)))[:len(some)]
        return texts

    def _hear(self, clips) -> list[str]:
        audio = np.zeros((AT_ONCE, self.length), np.float32)
        for row, samples in zip(audio, clips):
            row[:len(samples)] = samples[:self.length] / np.float32(32768)
        memory = self.encode(np.stack([features.scaled(features.raw_log_mel(row, self.filters)) for row in audio]))
        rows = self.table.rows
        window = np.full((AT_ONCE, LONGEST), rows[END_OF_TEXT], np.int32)
        window[:, 0], window[:, 1] = rows[START], rows[FIRST_TIME]
        open_rows = np.ones(AT_ONCE, bool)
        for at in range(1, LONGEST - 1):
            scores = self.logits(memory, window)[:, at].copy()
            scores[:, [rows[t] for t in (START, PREVIOUS, NO_SPEECH, NO_TIMES)]] = -1e9
            window[:, at + 1] = np.where(open_rows, scores.argmax(1), rows[END_OF_TEXT])
            open_rows &= window[:, at + 1] != rows[END_OF_TEXT]
            if not open_rows.any():
                break
        return [self.tokenizer.decode([self.table.ids[t] for t in row]).strip() for row in window]


def distance(a: list[str], b: list[str]) -> int:
    """The least number of changed, added and missing words."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def words_wrong(wanted: list[str], heard: list[str]) -> float:
    """The word error rate of texts, without regard to capitals and punctuation."""
    pairs = [(letters(a).split(), letters(b).split()) for a, b in zip(wanted, heard)]
    return sum(distance(a, b) for a, b in pairs) / sum(len(a) for a, _ in pairs)
