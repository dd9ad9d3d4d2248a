"""Batches for Whisper's training, its loss, and greedy decoding."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from asr import features, network
from asr.text import END_OF_TEXT, FIRST_TIME, NO_SPEECH, NO_TIMES, START
from ctc.training import FRAME, label, spread

NO_SPEECH_SHARE = 0.06  # of clips without words
NO_TIMES_SHARE = 0.2  # of texts without times
LETTERS_WEIGHT = 0.3  # of the CTC head's loss
TOKENS = {False: 30, True: 130}  # room in a row, by whether it is a whole window
WINDOW = 30.0  # seconds


def time_token(sample: float) -> int:
    return FIRST_TIME + min(1500, int(round(sample / FRAME)))


def sentence(tokenizer, text: str, begin: int, end: int, times: bool) -> list[int]:
    tokens = tokenizer.encode(" " + text)
    return [time_token(begin), *tokens, time_token(end)] if times else tokens


def row(batches, rng, recordings, texts, length, tokenizer):
    """Joins recordings in a row; returns (samples, tokens, letters, guess of each frame's letter)."""
    samples, times = np.zeros(length, np.float32), rng.random() >= NO_TIMES_SHARE
    tokens, said, guess, at = [START] + [NO_TIMES] * (not times), [], np.zeros(length // FRAME, np.int32), 0
    if rng.random() < NO_SPEECH_SHARE:
        count = rng.integers(length // 4, length)
        samples[:count] = batches.noises.cut(rng, count) * 10 ** rng.uniform(-6, -0.7)
        return samples, [START, NO_SPEECH if rng.random() < 0.85 else FIRST_TIME, END_OF_TEXT], said, guess
    for (clip, begin, end), text in zip(recordings, texts):
        if at + len(clip) > length or len(tokens) > TOKENS[length > 10 * features.RATE] - 25:
            break
        samples[at:at + len(clip)] = clip / (clip.std() + 1e-4) * 10 ** rng.uniform(-1.8, -0.8)
        tokens += sentence(tokenizer, text, at + begin, at + end, times)
        letters = label(text)
        guess = np.where(guess > 0, guess, spread(letters, (at + begin) / FRAME, (at + end) / FRAME, len(guess)))
        said += [4] * bool(said) + letters
        at += len(clip)
    return samples, tokens + [END_OF_TEXT], said, guess


def batch(batches, number: int, shortest: bool, whole: bool, tokenizer, table, filters):
    """Returns (mel, tokens, mask of the targets, letters, their padding, guess) of a batch of speech.corpus.Batches."""
    length, texts, recordings = batches.recordings(number, shortest)
    rng, groups = np.random.default_rng((batches.seed, number, 2)), [[i] for i in range(len(texts))]
    if whole:
        length, groups = int(WINDOW * features.RATE), [list(rng.permutation(len(texts))[:rng.integers(1, 9)]) for _ in range(2)]
    rows = [row(batches, rng, [recordings[i] for i in g], [texts[i] for i in g], length, tokenizer) for g in groups]
    mel = np.stack([features.log_mel(samples, filters) for samples, *_ in rows])
    tokens = np.full((len(rows), TOKENS[whole] + 1), table.rows[END_OF_TEXT], np.int32)
    mask = np.zeros(tokens.shape, np.float32)
    letters = np.zeros((len(rows), max(int(length / features.RATE * (12 if whole else 28)), 1)), np.int32)
    padding = np.ones(letters.shape, np.float32)
    for i, (_, written, said, _) in enumerate(rows):
        written, said = written[:tokens.shape[1]], said[:letters.shape[1]]
        tokens[i, :len(written)], mask[i, 1:len(written)] = [table.rows[t] for t in written], 1
        letters[i, :len(said)], padding[i, :len(said)] = said, 0
    return mel, tokens, mask, letters, padding, np.stack([guess for *_, guess in rows])


def loss(w, mel, tokens, mask, letters, padding, guess, shape, flat=False):
    """The mean cross-entropy of the tokens, and a share of the letters' loss; flat: of guessed letters."""
    memory = network.encode(w, mel, shape)
    scores = network.letters(w, memory)
    if flat:
        side = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(scores, guess[:, :scores.shape[1]]))
    else:
        each = optax.ctc_loss(scores, jnp.zeros(scores.shape[:2]), letters, padding)
        side = jnp.mean(each / jnp.maximum(1, jnp.sum(1 - padding, 1)))
    predicted = network.logits(w, memory, tokens[:, :-1], shape)
    entropy = optax.softmax_cross_entropy_with_integer_labels(predicted, tokens[:, 1:])
    return jnp.sum(entropy * mask[:, 1:]) / jnp.sum(mask) + LETTERS_WEIGHT * side


def flat_loss(w, mel, tokens, mask, letters, padding, guess, shape):
    return loss(w, mel, tokens, mask, letters, padding, guess, shape, flat=True)


class Listener:
    """Greedy decoding with times, without a cache: for evaluations."""

    def __init__(self, weights, shape, tokenizer, table, filters, seconds: float):
        self.tokenizer, self.table, self.filters, self.length = tokenizer, table, filters, int(seconds * features.RATE)
        encode = jax.jit(lambda w, mel: network.encode(w, mel, shape))
        logits = jax.jit(lambda w, memory, tokens: network.logits(w, memory, tokens, shape))
        self.encode = lambda mel: encode(weights, mel)
        self.logits = lambda memory, tokens: np.array(logits(weights, memory, tokens))

    def hear(self, samples: np.ndarray) -> str:
        """Returns the text of int16 samples."""
        audio = np.zeros(self.length, np.float32)
        audio[:min(len(samples), self.length)] = samples[:self.length] / 32768
        memory = self.encode(features.log_mel(audio, self.filters)[None])
        tokens = [self.table.rows[START], self.table.rows[FIRST_TIME]]
        window = np.zeros((1, TOKENS[False]), np.int32)
        while len(tokens) < window.shape[1] and tokens[-1] != self.table.rows[END_OF_TEXT]:
            window[0, :len(tokens)] = tokens
            scores = self.logits(memory, window)[0, len(tokens) - 1]
            scores[[self.table.rows[NO_SPEECH], self.table.rows[NO_TIMES], self.table.rows[START]]] = -1e9
            tokens.append(int(scores.argmax()))
        return self.tokenizer.decode([self.table.ids[t] for t in tokens]).strip()
