"""The losses: durations, and parameters that are close to the teacher's and change like them."""

import jax
import jax.numpy as jnp

from voice import network, symbols, vocoder

HALF = 0.5  # frames added to durations before the logarithm
HEAD = jnp.array(([2.0] + [1.0] * 12 + [0.7] * (vocoder.ORDER - 13)) + [2.0, 1.0, 0.5])  # weights of the columns


def by_half(x):
    """[batch, frames, 2 * COLUMNS] to [batch, 2 * frames, COLUMNS]."""
    return x.reshape(x.shape[0], 2 * x.shape[1], vocoder.COLUMNS)


def loss(w, ids, lengths, index, frames, heard, mean, deviation, shape: network.Shape):
    """frames are the vocoder's parameters; mean and deviation bring them to about the size of 1."""
    mask = (ids != symbols.IDS[symbols.PAD])[..., None].astype(jnp.float32)
    x, predicted = network.read(w, ids, mask, shape)
    apart = jnp.abs(jnp.log(predicted + HALF) - jnp.log(lengths + HALF)) * mask[..., 0]
    durations = jnp.sum(apart) / jnp.sum(mask)
    out = by_half(network.say(w, x, index, shape))
    goal = (by_half(frames) - mean) / deviation
    real = jnp.repeat(index >= 0, 2, axis=1)[..., None].astype(jnp.float32)
    voiced = heard.reshape(heard.shape[0], -1)
    weight = HEAD * real * jnp.ones(goal.shape)
    weight = weight.at[..., vocoder.PITCH].multiply(0.1 + 0.9 * voiced)
    weight = weight.at[..., vocoder.VOICED].multiply(0)
    moves = jnp.abs((out - goal)[:, 1:] - (out - goal)[:, :-1]) * weight[:, 1:]
    near = jnp.sum(jnp.abs(out - goal) * weight) + jnp.sum(moves)
    logit = out[..., vocoder.VOICED]
    flag = (jax.nn.softplus(logit) - voiced * logit) * real[..., 0]
    return durations + near / (jnp.sum(real) * vocoder.COLUMNS) + jnp.sum(flag) / jnp.sum(real)
