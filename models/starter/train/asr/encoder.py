"""A later phase of the training: the encoder alone, on letters, with an optimizer that learns more in each step."""

import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

from asr import training

DECAY = 0.8  # of the steps


def train(checkpoint: pathlib.Path, weights: dict, batches, steps: int, peak: float, shape, parts=("encoder.", "letters.")) -> dict:
    """Returns the weights with a trained encoder; goes on from the checkpoint, if there is one.

    batches(done, steps) gives the rows of all steps that are not done. Of the weights only those of the parts learn.
    """
    encoder = {name: value for name, value in weights.items() if name.startswith(parts)}
    kept = {name: value for name, value in weights.items() if name.startswith("encoder.") and name not in encoder}
    optim, done = training.late_optimiser(), 0
    state = optim.init(encoder)
    if checkpoint.exists():
        done, encoder, state = training.restore(checkpoint, state)
    step = training.make_step(shape, lambda learnt, *batch: training.letters_loss({**kept, **learnt}, *batch), optim)
    encoder, recent, started = jax.tree.map(jnp.array, encoder), [], time.monotonic()
    for number, batch in enumerate(batches(done, steps), done + 1):
        rate = np.float32(training.rate_at(number - 1, steps, peak, DECAY))
        encoder, state, losses = step(encoder, state, rate, *batch)
        recent.append(losses[0])
        if number % 50 == 0:
            print(f"{checkpoint.stem} {number}/{steps}: letters {np.mean(recent):.3f}, {time.monotonic() - started:.0f} s", flush=True)
            recent = []
        if number % 200 == 0 or number == steps:
            training.save(checkpoint, number, encoder, state)
    return {**weights, **encoder}
