"""Losses, optimizer and checkpoints for the training of Whisper."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax

from asr import network
from muon import muon

LETTERS_WEIGHT = 0.3  # of the CTC head's loss
LOOK_WEIGHT = 0.15  # of the loss that tells the first heads where each word is
WARM_UP = 150  # steps
ADAM_PART = 0.3  # of Muon's rate
WEIGHT_DECAY = 0.02


def spread_loss(w, mel, begins, first, tokens, targets, mask, looks, letters, padding, shape):
    """The cross-entropy of letters that are spread evenly over a clip: a start from which CTC finds alignments at once."""
    scores = network.letters(w, network.encode(w, mel, begins, shape))
    begin, end = looks[:, :1, 0] + 3, jnp.max(looks[..., 1], 1, keepdims=True) - 3  # of the times at both ends
    share = (jnp.arange(scores.shape[1]) - begin) / jnp.maximum(1, end - begin)
    at = jnp.clip(share * jnp.sum(1 - padding, 1, keepdims=True), 0, letters.shape[1] - 1).astype(int)
    guess = jnp.where((share >= 0) & (share < 1), jnp.take_along_axis(letters, at, 1), 0)
    loss = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(scores, guess))
    return loss, jnp.stack([loss, jnp.zeros(()), jnp.zeros(())])


def letters_loss(w, mel, begins, first, tokens, targets, mask, looks, letters, padding, shape):
    """CTC in nats a letter: what the encoder learns from first."""
    scores = network.letters(w, network.encode(w, mel, begins, shape))
    loss = _ctc(scores, letters, padding)
    return loss, jnp.stack([loss, jnp.zeros(()), jnp.zeros(())])


def loss(w, mel, begins, first, tokens, targets, mask, looks, letters, padding, shape):
    """The mean cross-entropy of the tokens, with shares of two others; returned with (letters, tokens, attention)."""
    memory = network.encode(w, mel, begins, shape)
    predicted, seen = network.logits(w, memory, tokens, first, shape)
    words, look, right = written(predicted, seen, targets, mask, looks)
    total = words + LOOK_WEIGHT * look
    side = jnp.zeros(())
    if letters.shape[1] > 1:
        side = _ctc(network.letters(w, memory), letters, padding)
        total += LETTERS_WEIGHT * side
    return total, jnp.stack([side, words, right])


def written(predicted, seen, targets, mask, looks):
    """Returns the cross-entropy of the tokens, that of the first heads' looks, and the share of tokens that are right."""
    entropy = optax.softmax_cross_entropy_with_integer_labels(predicted, targets)
    words = jnp.sum(entropy * mask) / jnp.sum(mask)
    frames = jnp.arange(seen.shape[-1])
    inside = (frames >= looks[..., :1]) & (frames <= looks[..., 1:])
    share = jnp.sum(seen * inside[:, None], -1)
    known = jnp.broadcast_to((jnp.any(inside, -1) * mask)[:, None], share.shape)
    look = jnp.sum(-jnp.log(share + 1e-4) * known) / jnp.maximum(1, jnp.sum(known))
    return words, look, jnp.sum((predicted.argmax(-1) == targets) * mask) / jnp.sum(mask)


def _ctc(scores, letters, padding):
    each = optax.ctc_loss(scores, jnp.zeros(scores.shape[:2]), letters, padding)
    return jnp.sum(each) / jnp.maximum(1, jnp.sum(1 - padding))


def optimiser():
    """AdamW of rate 1; steps multiply."""
    matrices = lambda tree: {name: value.ndim >= 2 and "positional" not in name for name, value in tree.items()}
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1.0, b2=0.98, weight_decay=WEIGHT_DECAY, mask=matrices))


def late_optimiser():
    """Muon for the layers' matrices, AdamW for the rest, of rate 1: steps multiply."""
    def part(name, value):
        inside = name.endswith("weight") and ("blocks" in name or "conv" in name)
        return "muon" if inside and value.ndim > 1 else "adamw"

    parts = {"muon": muon(WEIGHT_DECAY), "adamw": optax.adamw(ADAM_PART, b2=0.98, weight_decay=0)}
    labels = lambda tree: {name: part(name, value) for name, value in tree.items()}
    return optax.chain(optax.clip_by_global_norm(1.0), optax.partition(parts, labels))


def make_step(shape, loss_of, optim):
    """Returns a step (weights, state, rate, *batch) -> (weights, state, losses)."""

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(weights, state, rate, *batch):
        (_, parts), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights, *batch, shape)
        updates, state = optim.update(slopes, state, weights)
        return jax.tree.map(lambda w, u: w + rate * u, weights, updates), state, parts

    return step


def rate_at(step: int, steps: int, peak: float, decay: float = 0.55) -> float:
    """A short warm-up, then constant, then over a share of the steps a linear decay to nothing."""
    return peak * min(1.0, (step + 1) / WARM_UP, max(0.0, (steps - step) / (decay * steps)))


def save(path: pathlib.Path, done: int, weights: dict, state) -> None:
    arrays = {f"w:{name}": np.asarray(value) for name, value in weights.items()}
    arrays |= {f"s:{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, done=done, **arrays)
    partial.rename(path)


def weights_of(path: pathlib.Path) -> dict:
    with np.load(path) as file:
        return {name[2:]: jnp.asarray(file[name]) for name in file.files if name.startswith("w:")}


def restore(path: pathlib.Path, state):
    """Returns (steps done, weights, optimiser's state)."""
    with np.load(path) as file:
        leaves = [jnp.asarray(file[f"s:{i}"]) for i in range(len(jax.tree.leaves(state)))]
        return int(file["done"]), weights_of(path), jax.tree.unflatten(jax.tree.structure(state), leaves)
