"""The recurrence of a long short-term memory (Hochreiter & Schmidhuber 1997; forget gates: Gers et al. 2000).

With the products of the inputs u_t = W x_t + b known for all times, and σ the sigmoid,

    i, f, g, o = u_t + R h_{t-1}                                           (four parts of equal width, in this order)
    c_t = σ(f) c_{t-1} + σ(i) tanh(g)
    h_t = σ(o) tanh(c_t)

The gradient runs backward over time for the slopes s_t of u_t alone. That of R is one product over all times and texts,
sum_t h_{t-1} s_t^T. The derivative of a loop would add a matrix of the size of R in each step.
"""

import jax
import jax.numpy as jnp

States = tuple[jax.Array, jax.Array]  # (h, c)


@jax.custom_vjp
def recurrence(products: jax.Array, kernel: jax.Array, h: jax.Array, c: jax.Array, kept: jax.Array) -> States:
    """The states after each time, h of the products' dtype and c float32, each [T, B, H].

    products: u, [T, B, 4 H]. kernel: R, [H, 4 H]. h, c: the state before the first time, [B, H].
    kept: float32 [T, B, 1], 1, or 0 where the state before this time is forgotten: a text begins.
    """
    return _forward(products, kernel, h, c, kept)[0]


def _forward(
    products: jax.Array, kernel: jax.Array, h: jax.Array, c: jax.Array, kept: jax.Array
) -> tuple[States, tuple]:
    dtype = products.dtype
    kernel = kernel.astype(dtype)
    first = h.astype(dtype), c.astype(jnp.float32)

    def turn(before: States, now: tuple[jax.Array, jax.Array]) -> tuple[States, tuple]:
        product, keep = now
        h, c = before[0] * keep.astype(dtype), before[1] * keep
        sums = product + jnp.matmul(h, kernel, preferred_element_type=jnp.float32)
        i, f, g, o = jnp.split(sums, 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        c = f * c + i * g
        after = (o * jnp.tanh(c)).astype(dtype), c
        return after, (after, jnp.concatenate([i, f, g, o], axis=-1).astype(dtype))

    _, (states, gates) = jax.lax.scan(turn, first, (products, kept))
    return states, (kernel, first, kept, states, gates, h, c)


def _backward(found: tuple, slopes: States) -> tuple:
    kernel, (h, c), kept, states, gates, given_h, given_c = found
    before = [jnp.concatenate([first[None], all[:-1]]) for first, all in zip((h, c), states, strict=True)]

    def turn(after: States, now: tuple) -> tuple[States, jax.Array]:
        slope_h, slope_c, c_before, c, gate, keep = now
        i, f, g, o = jnp.split(gate.astype(jnp.float32), 4, axis=-1)
        slope_h, tanh_c = slope_h.astype(jnp.float32) + after[0], jnp.tanh(c)
        slope_c = slope_c + after[1] + slope_h * o * (1 - tanh_c**2)
        parts = (
            slope_c * g * i * (1 - i),
            slope_c * c_before * keep * f * (1 - f),
            slope_c * i * (1 - g**2),
            slope_h * tanh_c * o * (1 - o),
        )
        slope = jnp.concatenate(parts, axis=-1).astype(kernel.dtype)
        to_h = jnp.matmul(slope, kernel.T, preferred_element_type=jnp.float32)
        return (to_h * keep, slope_c * f * keep), slope

    last = jnp.zeros(c.shape, jnp.float32), jnp.zeros(c.shape, jnp.float32)
    run = *slopes, before[1], states[1], gates, kept
    (to_h, to_c), to_products = jax.lax.scan(turn, last, run, reverse=True)
    read = (before[0] * kept.astype(kernel.dtype)).reshape(-1, kernel.shape[0])
    rows = to_products.reshape(-1, kernel.shape[1])
    to_kernel = jax.lax.dot_general(read, rows, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32)
    return to_products, to_kernel, to_h.astype(given_h.dtype), to_c.astype(given_c.dtype), jnp.zeros_like(kept)


recurrence.defvjp(_forward, _backward)
