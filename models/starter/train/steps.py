"""Shared by train_voice.py and loop.py: optimizer, steps, checkpoints."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax

WARM_UP = 100  # steps
WEIGHT_DECAY = 0.02


def optimiser():
    """AdamW of rate 1; make_step's steps multiply."""
    matrices = lambda tree: {name: value.ndim == 2 for name, value in tree.items()}
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1.0, b2=0.98, weight_decay=WEIGHT_DECAY, mask=matrices))


def rate_at(step: int, steps: int, peak: float) -> float:
    """The learning rate: a short warm-up, then constant, then a linear decay over the last third."""
    decay = max(1, steps // 3)
    return peak * min(1.0, step / WARM_UP, 0.02 + 0.98 * (steps - step) / decay)


def make_step(shape, optim, loss_of):
    """Returns a step of the optimiser by loss_of."""
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
