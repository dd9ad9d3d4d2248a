"""The last phase of the training: the decoder alone, on rows that the finished encoder encoded once.

A step is much cheaper than one that trains both, and the encoder already knows the letters that the decoder needs.
"""

import dataclasses
import functools
import multiprocessing
import os
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

from asr import network, rows, training
from asr.text import SPECIAL

DECAY = 0.8  # of the steps
AMID = {rows.LONG: 0.6, rows.WHOLE: 0.5}  # shares of rows from amid a window; of others SELDOM_AMID
SELDOM_AMID = 0.3
ENCODED_SECONDS = 30  # of rows that are encoded at once
# What a step learns from: seconds of short rows of a form, and long rows, windows with a sentence or whole windows, a
# few of one kind. With several sentences in most rows, the decoder does not find out where to look.
SHORT_SECONDS = 40
OTHERS, OTHER_SHARES = (2, 2, 1), (0.3, 0.45, 0.25)

SWAPPED = 0.08  # of the words' tokens that are read: those written must come of what is heard, more than of what was read

_encoder = None  # of a process of its own: a Maker, a function that encodes, and the width of what it gives


@dataclasses.dataclass
class Memories:
    """What the encoder makes of rows: [rows, frames, width], and what is to be written of them."""

    form: rows.Form
    encoded: np.ndarray
    wanted: list[np.ndarray]  # first positions, tokens, targets, mask, looks

    def some(self, rng: np.random.Generator, count: int, words: int):
        """Draws rows; tokens below words are those of text."""
        chosen = np.sort(rng.integers(len(self.encoded), size=count))
        first, tokens, *rest = (part[chosen] for part in self.wanted)
        swapped = (tokens < words) & (rng.random(tokens.shape) < SWAPPED)
        others = rng.permutation(tokens[tokens < words])
        tokens[swapped] = others[:swapped.sum()]
        return self.encoded[chosen], first, tokens, *rest


def remember(job: tuple[pathlib.Path, rows.Form, int]) -> None:
    """Encodes a number of rows of a form into a file."""
    path, form, count = job
    maker, encode, width = _encoder
    each, parts, started = max(1, 50 * ENCODED_SECONDS // form.frames), [], time.monotonic()
    partial = path.with_suffix(".partial")
    encoded = np.lib.format.open_memmap(partial, "w+", np.float16, (count, form.frames, width))
    maker.seconds = each * form.frames / 50
    for i in range(0, count, each):
        mel, begins, *rest = maker.batch(i, rows.Shares(amid=AMID.get(form, SELDOM_AMID)), form)
        encoded[i:i + each] = np.asarray(encode(mel, begins))[:count - i]
        parts.append(rest[:5])
    encoded.flush()
    np.savez(path.with_suffix(".npz"), *(np.concatenate(part)[:count] for part in zip(*parts)))
    partial.rename(path)
    print(f"encoded {count} rows of {form.frames} frames in {time.monotonic() - started:.0f} s", flush=True)


def start_encoder(make_maker, weights: dict, shape):
    """Begins a process that encodes rows."""
    global _encoder
    encode = jax.jit(lambda w, mel, begins: network.encode(w, mel, begins, shape).astype(jnp.float16))
    _encoder = make_maker(), functools.partial(encode, weights), shape.width


def remember_all(folder: pathlib.Path, make_maker, counts: tuple[int, int, int, int], weights: dict, shape) -> list[Memories]:
    """Encodes rows, as many processes as cores, or reads them where that was done already.

    counts are those of short rows, of long ones, of windows with a sentence, and of whole windows; make_maker(), which
    other processes call, gives a rows.Maker.
    """
    parts = np.array([share / form.frames for form, share in zip(rows.SHORT, make_maker().shares)])
    asked = [(form, round(counts[0] * weight)) for form, weight in zip(rows.SHORT, parts / parts.sum())]
    asked += zip((rows.LONG, rows.ALONE, rows.WHOLE), counts[1:])
    jobs = [(folder / f"rows{form.frames}-{form.tokens}.npy", form, count) for form, count in asked]
    missing = sorted((job for job in jobs if not job[0].exists()), key=lambda job: -job[1].frames * job[2])
    if missing:
        encoder = {name: np.asarray(value) for name, value in weights.items() if name.startswith("encoder.")}
        with multiprocessing.get_context("spawn").Pool(os.cpu_count(), start_encoder, (make_maker, encoder, shape)) as pool:
            pool.map(remember, missing, 1)
    return [read(path, form) for path, form, _ in jobs]


def read(path: pathlib.Path, form: rows.Form) -> Memories:
    with np.load(path.with_suffix(".npz")) as file:
        return Memories(form, np.load(path, mmap_mode="r"), [file[name] for name in file.files])


def draw(rng, memories: list[Memories], words: int) -> list[tuple]:
    """Returns the two parts that a step learns from; short rows by how much they hold."""
    short, others = memories[:-3], memories[-3:]
    held = np.array([m.encoded.shape[0] * m.form.frames for m in short], float)
    some = short[rng.choice(len(short), p=held / held.sum())]
    kind = rng.choice(3, p=OTHER_SHARES)
    return [some.some(rng, 50 * SHORT_SECONDS // some.form.frames, words), others[kind].some(rng, OTHERS[kind], words)]


def loss(decoder, memory, first, tokens, targets, mask, looks, shape):
    """As training.loss, without the encoder's part; summed over the tokens, and with the sums (loss, right, tokens)."""
    predicted, seen = network.logits(decoder, memory.astype(jnp.float32), tokens, first, shape)
    words, look, right = training.written(predicted, seen, targets, mask, looks)
    count = jnp.sum(mask)
    total = count * (words + training.LOOK_WEIGHT * look)
    return total, jnp.stack([total, count * right, count])


def train(checkpoint: pathlib.Path, weights: dict, memories: list[Memories], steps: int, peak: float, shape, seed: int) -> dict:
    """Returns the weights with a trained decoder; goes on from the checkpoint, if there is one."""
    decoder = {name: value for name, value in weights.items() if name.startswith("decoder.")}
    words = len(decoder["decoder.token_embedding.weight"]) - SPECIAL
    optim = training.late_optimiser()
    state, done = optim.init(decoder), 0
    if checkpoint.exists():
        done, decoder, state = training.restore(checkpoint, state)

    # Each form's gradient is compiled by itself: there are many more pairs of forms.
    slopes_of = jax.jit(functools.partial(jax.value_and_grad(loss, has_aux=True), shape=shape))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def update(decoder, state, slopes, rate, tokens):
        slopes = jax.tree.map(lambda *parts: sum(parts) / tokens, *slopes)
        updates, state = optim.update(slopes, state, decoder)
        return jax.tree.map(lambda w, u: w + rate * u, decoder, updates), state

    decoder, recent, started = jax.tree.map(jnp.array, decoder), [], time.monotonic()
    for number in range(done + 1, steps + 1):
        rate = np.float32(training.rate_at(number - 1, steps, peak, DECAY))
        parts = [slopes_of(decoder, *part) for part in draw(np.random.default_rng((seed, number)), memories, words)]
        sums = sum(np.asarray(values) for (_, values), _ in parts)
        decoder, state = update(decoder, state, [slopes for _, slopes in parts], rate, sums[2])
        recent.append(sums)
        if number % 100 == 0:
            total, right, tokens = np.sum(recent, 0)
            print(f"decoder {number}/{steps}: loss {total / tokens:.3f}, right {right / tokens:.3f}, {time.monotonic() - started:.0f} s", flush=True)
            recent = []
        if number % 500 == 0 or number == steps:
            training.save(checkpoint, number, decoder, state)
    return {**weights, **decoder}
