"""The last phase of the training: the decoder alone, on what the finished encoder makes of rows that are encoded once.

A step costs a fifth of one that trains both, and the letters that the encoder knows by then are all that it needs.
"""

import dataclasses
import functools
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

from asr import network, rows, training

SECONDS = 40  # of short and long rows in a step; of whole windows it has one
AMID = {rows.LONG: 0.6, rows.WHOLE: 0.5}  # shares of rows from amid a window; of short ones SHORT_AMID
SHORT_AMID = 0.3
# Shares of steps with long rows and with whole windows, before and after LATE of the steps. Most have single sentences:
# with several in each from the beginning, the decoder does not find out where to look.
LATE, EARLY_SHARES, LATE_SHARES = 0.6, (0.10, 0.08), (0.15, 0.35)


@dataclasses.dataclass
class Memories:
    """What the encoder makes of rows: [rows, frames, width], and what is to be written of them."""

    form: rows.Form
    encoded: np.ndarray
    wanted: list[np.ndarray]  # first positions, tokens, targets, mask, looks

    def some(self, rng: np.random.Generator, count: int):
        chosen = np.sort(rng.integers(len(self.encoded), size=count))
        return self.encoded[chosen], *(part[chosen] for part in self.wanted)


def remember(path: pathlib.Path, maker: rows.Maker, form: rows.Form, count: int, weights: dict, shape) -> Memories:
    """Encodes rows of a form, or reads them where that was done already."""
    wanted = path.with_suffix(".npz")
    if not wanted.exists():
        encode = jax.jit(lambda w, mel, begins: network.encode(w, mel, begins, shape).astype(jnp.float16))
        each, parts = at_once(form), []
        encoded = np.lib.format.open_memmap(path, "w+", np.float16, (count, form.frames, shape.width))
        maker.seconds = each * form.frames / 50
        for i in range(0, count, each):
            mel, begins, *rest = maker.batch(i, (0, 0, AMID.get(form, SHORT_AMID)), form)
            encoded[i:i + each] = np.asarray(encode(weights, mel, begins))[:count - i]
            parts.append(rest[:5])
        encoded.flush()
        np.savez(wanted, *(np.concatenate(part)[:count] for part in zip(*parts)))
    with np.load(wanted) as file:
        return Memories(form, np.load(path, mmap_mode="r"), [file[name] for name in file.files])


def remember_all(folder: pathlib.Path, maker: rows.Maker, counts: tuple[int, int, int], weights: dict, shape) -> list[Memories]:
    """counts are those of short rows, of long ones and of whole windows."""
    parts = np.array([share / form.frames for form, share in zip(rows.SHORT, maker.shares)])
    asked = [(form, round(counts[0] * weight)) for form, weight in zip(rows.SHORT, parts / parts.sum())]
    asked += [(rows.LONG, counts[1]), (rows.WHOLE, counts[2])]
    return [remember(folder / f"rows{form.frames}.npy", maker, form, count, weights, shape) for form, count in asked]


def at_once(form: rows.Form) -> int:
    return 1 if form is rows.WHOLE else max(1, int(50 * SECONDS / form.frames))


def draw(rng, memories: list[Memories], late: bool) -> Memories:
    """Returns what a step learns from; short rows by how much they hold."""
    *short, long, whole = memories
    several, windows = LATE_SHARES if late else EARLY_SHARES
    drawn = rng.random()
    if drawn < windows + several:
        return whole if drawn < windows else long
    held = np.array([m.encoded.shape[0] * m.form.frames for m in short], float)
    return short[rng.choice(len(short), p=held / held.sum())]


def loss(decoder, memory, first, tokens, targets, mask, looks, shape):
    """As training.loss, without the encoder's part."""
    predicted, seen = network.logits(decoder, memory.astype(jnp.float32), tokens, first, shape)
    words, look, right = training.written(predicted, seen, targets, mask, looks)
    return words + training.LOOK_WEIGHT * look, jnp.stack([words, right])


def train(checkpoint: pathlib.Path, weights: dict, memories: list[Memories], steps: int, peak: float, shape, seed: int) -> dict:
    """Returns the weights with a trained decoder; goes on from the checkpoint, if there is one."""
    decoder = {name: value for name, value in weights.items() if name.startswith("decoder.")}
    optim = training.optimiser()
    state, done = optim.init(decoder), 0
    if checkpoint.exists():
        done, decoder, state = training.restore(checkpoint, state)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(decoder, state, rate, *batch):
        (_, parts), slopes = jax.value_and_grad(loss, has_aux=True)(decoder, *batch, shape)
        updates, state = optim.update(slopes, state, decoder)
        return jax.tree.map(lambda w, u: w + rate * u, decoder, updates), state, parts

    decoder, recent, started = jax.tree.map(jnp.array, decoder), [], time.monotonic()
    for number in range(done + 1, steps + 1):
        rng = np.random.default_rng((seed, number))
        drawn = draw(rng, memories, number > LATE * steps)
        batch = drawn.some(rng, at_once(drawn.form))
        decoder, state, parts = step(decoder, state, np.float32(training.rate_at(number - 1, steps, peak)), *batch)
        recent.append(np.asarray(parts))
        if number % 200 == 0:
            words, right = np.mean(recent, 0)
            print(f"decoder {number}/{steps}: tokens {words:.3f}, right {right:.3f}, {time.monotonic() - started:.0f} s", flush=True)
            recent = []
        if number % 1000 == 0 or number == steps:
            training.save(checkpoint, number, decoder, state)
    return {**weights, **decoder}
