"""Muon (Jordan et al., 2024): steps with matrices whose singular values are all about 1.

optax.contrib has it too, but with products in float32, which takes twice the time.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from products import times, times_transposed

ROUNDS = 5  # of Newton and Schulz's iteration
FIRST, THIRD, FIFTH = 3.4445, -4.775, 2.0315  # its polynomial: steep at 0, and between 0.7 and 1.2 at the end
SIZE = 0.2  # root mean square of a step's numbers, about that of AdamW


def orthogonal(matrix):
    """Brings the singular values to about 1, and the numbers to SIZE."""
    x = matrix.reshape(len(matrix), -1)  # a convolution's sums over channels and positions
    rows, columns = x.shape
    x = x / (jnp.linalg.norm(x) + 1e-8)
    for _ in range(ROUNDS):
        # The smaller of the two squares. XLA is slow where a tall matrix is turned instead.
        square = times(x.T, x) if rows > columns else times_transposed(x, x)
        change = THIRD * square + FIFTH * times(square, square)
        x = FIRST * x + (times(x, change) if rows > columns else times(change, x))
    return x.reshape(matrix.shape) * SIZE * np.sqrt(max(rows, columns))


def muon(weight_decay: float) -> optax.GradientTransformation:
    """Muon of rate 1 for a tree of matrices."""
    return optax.chain(optax.trace(0.95, nesterov=True), optax.stateless(lambda tree, _: jax.tree.map(orthogonal, tree)),
                       optax.add_decayed_weights(weight_decay), optax.scale(-1.0))
