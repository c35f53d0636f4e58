"""Directions in a latent space along which a generator's output changes most, in closed form.

SeFa: Shen & Zhou 2021, arXiv:2007.06600, section 3. The first layer of a generator takes a latent z to A z + b, and a
step a n along a unit vector n moves that by a A n, wherever z is. The vectors that move it most, each orthogonal to
those before it, are the eigenvectors of A' A with the largest eigenvalues (eq. 5), and |A n|^2 is the eigenvalue.
Several layers that read the latent count as one with all their outputs.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

Array = jax.Array


def closed_form_directions(kernels: Sequence[Array]) -> tuple[Array, Array]:
    """(eigenvalues float32 [d], unit vectors float32 [d, d], one a row), the strongest direction first.

    kernels: A transposed, [d, outputs], of each layer that reads the latent. An eigenvector has two signs: its largest
    entry is positive here.
    """
    matrices = [kernel.astype(jnp.float32) for kernel in kernels]
    with jax.default_matmul_precision("highest"):
        values, vectors = jnp.linalg.eigh(sum(matrix @ matrix.T for matrix in matrices))
    values, directions = jnp.maximum(values[::-1], 0.0), vectors.T[::-1]
    largest = jnp.take_along_axis(directions, jnp.argmax(jnp.abs(directions), axis=1, keepdims=True), axis=1)
    return values, directions * jnp.sign(largest)
