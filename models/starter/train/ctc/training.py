"""Letters, loss, optimizer, checkpoints, and error rates."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ctc import network
from muon import muon
from speech.sentences import letters

NUMBERS = {symbol: i for i, symbol in enumerate(network.SYMBOLS)}
FRAME = 320  # samples
WARM_UP = 100  # steps
WEIGHT_DECAY = 0.02
ADAMW_SHARE = 0.3  # of Muon's rate
SILENCE = 0.06  # seconds at both ends of a clip of speech.voices


def label(text: str) -> list[int]:
    """The symbols that are said for a text."""
    return [NUMBERS["|" if c == " " else c] for c in letters(text)]


def spread(said: list[int], begin: float, end: float, frames: int) -> np.ndarray:
    """Gives each symbol an equal share of the frames between begin and end, and the others the blank."""
    margin = SILENCE / 0.02
    share = (np.arange(frames) - begin - margin) / max(1.0, end - begin - 2 * margin) * len(said)
    inside = (share >= 0) & (share < len(said))
    return np.where(inside, np.array(said)[np.clip(share.astype(int), 0, len(said) - 1)], 0)


def flat_loss(weights, mel, labels, padding, guess, shape):
    """The cross-entropy of guessed symbols in nats a frame: a start from which CTC finds alignments at once."""
    scores = network.logits(weights, mel, shape)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(scores, guess))


def loss(weights, mel, labels, padding, guess, shape):
    """The mean CTC loss in nats a letter."""
    scores = network.logits(weights, mel, shape)
    losses = optax.ctc_loss(scores, jnp.zeros(scores.shape[:2]), labels, padding)
    return jnp.mean(losses / jnp.sum(1 - padding, 1))


def optimiser():
    """AdamW of rate 1; make_step's steps multiply."""
    matrices = lambda tree: {name: value.ndim == 2 for name, value in tree.items()}
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1.0, b2=0.98, weight_decay=WEIGHT_DECAY, mask=matrices))


def muon_and_adamw():
    """Muon for the matrices but the head's, AdamW for the rest, of rate 1."""
    def part(name, value):
        return "muon" if value.ndim == 2 and name != "head.weight" and not name.endswith("time.weight") else "adamw"

    parts = {"muon": muon(WEIGHT_DECAY), "adamw": optax.adamw(ADAMW_SHARE, b2=0.98, weight_decay=WEIGHT_DECAY)}
    labels = lambda tree: {name: part(name, value) for name, value in tree.items()}
    return optax.chain(optax.clip_by_global_norm(1.0), optax.partition(parts, labels))


def rate_at(step: int, steps: int, peak: float) -> float:
    """The learning rate: a short warm-up, then constant, then a linear decay over the last third."""
    decay = max(1, steps // 3)
    return peak * min(1.0, step / WARM_UP, 0.02 + 0.98 * (steps - step) / decay)


def make_step(shape, optim, loss_of):
    """Returns a step of the optimiser by loss_of, which is loss or flat_loss."""
    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(weights, state, rate, *batch):
        value, gradient = jax.value_and_grad(loss_of)(weights, *batch, shape)
        updates, state = optim.update(gradient, state, weights)
        updates = jax.tree.map(lambda u: rate * u, updates)
        return optax.apply_updates(weights, updates), state, value

    return step


def save(path: pathlib.Path, step: int, weights: dict, state) -> None:
    arrays = {f"state/{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
    arrays |= {f"weights/{name}": np.asarray(value) for name, value in weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, step=step, **arrays)
    temporary.rename(path)


def restore(path: pathlib.Path, state):
    """Returns (step, weights, state); the state passed tells its structure."""
    arrays = np.load(path)
    weights = {name.removeprefix("weights/"): jnp.asarray(arrays[name]) for name in arrays if name.startswith("weights/")}
    leaves = [jnp.asarray(arrays[f"state/{i}"]) for i in range(len(jax.tree.leaves(state)))]
    return int(arrays["step"]), weights, jax.tree.unflatten(jax.tree.structure(state), leaves)


def greedy(scores: np.ndarray) -> str:
    """The likeliest symbol of each frame, collapsed."""
    best = scores.argmax(-1)
    kept = [b for i, b in enumerate(best) if b > 3 and (i == 0 or best[i - 1] != b)]
    return "".join(network.SYMBOLS[b] for b in kept).replace("|", " ").strip()


def distance(left, right) -> int:
    """The edit distance of two sequences."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def error_rates(clips, hear) -> tuple[float, float]:
    """Returns the error rates of letters and of words; hear turns samples into text."""
    wrong_letters = all_letters = wrong_words = all_words = 0
    for clip in clips:
        said, heard = letters(clip.text), hear(clip.samples)
        wrong_letters, all_letters = wrong_letters + distance(said, heard), all_letters + len(said)
        wrong_words, all_words = wrong_words + distance(said.split(), heard.split()), all_words + len(said.split())
    return wrong_letters / all_letters, wrong_words / all_words
