"""MeanFlow: samples in one step, learned from scratch (Geng et al. 2025, arXiv:2505.13447).

On the straight line z_t = (1 - t) x + t ε, whose velocity is v = ε - x, a network learns the mean velocity from r to t,

    u(z_t, r, t) = 1 / (t - r) ∫ v(z_s, s) ds,    s from r to t                                      (eq. 3)

by an identity that holds of it and needs no integral: u = v - (t - r) du/dt, where du/dt = v ∂u/∂z + ∂u/∂t is one
product with the Jacobian in forward mode (eq. 6 and 8). A sample is z_r = z_t - (t - r) u(z_t, r, t) (eq. 12), at once
from t = 1 to r = 0 or in a few steps.

The network is given t and t - r, times 10: with the thousand of `methods.diffusion`, du/dt is large wherever the
network's embedding of time turns fast, and training bursts (Lu & Song 2024, arXiv:2410.11081, section 4.1). It has to
allow forward-mode derivatives, which those of convolutions here do not: a transformer's do.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import latent
from aigc_jax.ops.batch import draw, fold_in, normals, per_example
from aigc_jax.ranges import Count, Share, Size, between

NETWORKS = ("net",)
START = 0  # of a sample's random keys
CLOCK = 10.0  # times that, in what the network reads
MOST_STEPS = 128
FLOOR = 1e-3  # c of the loss's weight 1 / (|error|² + c), section 4.3
TERMS = 8  # pairs of times that measures are taken at


class Plan(NamedTuple):
    """How samples are drawn."""

    times: Any  # float32 [MOST_STEPS + 1]: from 1 down to 0
    count: Any  # int32: steps


def plan(*, steps: Size = 1) -> Plan:
    """steps: of equal length from noise to data."""
    if steps > MOST_STEPS:
        raise ConfigError(f'"sample.steps" is {steps}, of at most {MOST_STEPS}.')
    times = np.zeros(MOST_STEPS + 1, np.float32)
    times[: steps + 1] = np.linspace(1, 0, steps + 1)
    return Plan(times, np.int32(steps))


def meanflow(
    learners: Mapping[str, Learner],
    /,
    *,
    apart: Share = 0.25,
    mean: Annotated[float, between(-10, 10)] = -0.4,
    weight_power: Share = 1.0,
    shape: tuple[Size, ...],
    levels: Count,
) -> Method:
    """The method for images, and for whatever else has this shape.

    learners: "net" maps (x [B, *shape], times float [B, 2], train) to float32 [B, *shape], as the networks of
    `methods.diffusion` do; where its field `reads` names what is given, (x, times, given, None, train).
    apart: the share of training examples with r below t; of the others r = t, which is flow matching (table 1a).
    mean: of the logit-normal law of both times, whose deviation is 1 (table 1d). weight_power: p of the loss's weight
    1 / (|error|² + c)^p (table 1e). levels: that a value of the data has; 0 = samples are not clipped.
    """
    net = learners["net"]
    reads: tuple[str, ...] = getattr(net.module, "reads", ())

    def conditions(given: Given) -> tuple[Any, ...]:
        return ({name: given[name] for name in reads}, None) if reads else ()

    def time(key: Key, rows: int) -> Array:
        return jax.nn.sigmoid(mean + draw(jax.random.normal, key, (rows,)))

    def times(key: Key, rows: int) -> tuple[Array, Array]:
        """(r, t) of each example, r <= t."""
        first, second, chosen = jax.random.split(key, 3)
        drawn = time(first, rows), time(second, rows)
        t, r = jnp.maximum(*drawn), jnp.minimum(*drawn)
        return jnp.where(draw(jax.random.uniform, chosen, (rows,)) < apart, r, t), t

    def errors(average: Any, key: Key, x: Array, r: Array, t: Array) -> tuple[Array, Any]:
        """(u - its target, what `average` gives besides). average: (z, r, t) -> (u, anything)."""
        noise = draw(jax.random.normal, key, x.shape)
        far, apart = _for(t, x), _for(t - r, x)
        z, v = (1 - far) * x + far * noise, noise - x
        u, slope, other = jax.jvp(average, (z, r, t), (v, jnp.zeros_like(r), jnp.ones_like(t)), has_aux=True)
        return u - jax.lax.stop_gradient(v - apart * slope), other

    def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple[PyTree, Mapping[str, Array]]]:
        time_key, noise_key, dropout_key = jax.random.split(key, 3)
        r, t = times(time_key, len(batch.target))

        def average(z: Array, r: Array, t: Array) -> tuple[Array, PyTree]:
            read = _clock(r, t), *conditions(batch.given)
            return net.apply(params, extra, z, *read, train=True, key=dropout_key)

        found, extra = errors(average, noise_key, batch.target, r, t)
        squares = per_example(jnp.mean, jnp.square(found))
        weights = jax.lax.stop_gradient((squares + FLOOR) ** -weight_power)
        return weights * squares, (extra, {"simple": jnp.mean(squares)})

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        x = jnp.zeros(batch.target.shape, jnp.float32)
        variables = net.init(key, x, jnp.zeros((len(x), 2)), *conditions(batch.given), train=False)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        return net.update(key, state, loss, batch)

    def average(state: State, z: Array, r: Array, t: Array, given: Given) -> Array:
        """u. r, t: [B]."""
        return net.predict(state, z, _clock(r, t), *conditions(given), train=False)

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Mean squared errors of the identity: "simple" at r = t, the loss of flow matching, and "jump" elsewhere."""
        x = batch.target

        def there(z: Array, r: Array, t: Array) -> tuple[Array, None]:
            return average(state, z, r, t, batch.given), None

        def add(sums: tuple[Array, Array], i: Array) -> tuple[tuple[Array, Array], None]:
            time_key, noise_key = jax.random.split(jax.random.fold_in(key, i))
            first, second = (time(each, len(x)) for each in jax.random.split(time_key))
            pairs = (first, first), (jnp.minimum(first, second), jnp.maximum(first, second))
            found = [errors(there, noise_key, x, *at)[0] for at in pairs]
            first, second = (per_example(jnp.mean, jnp.square(each)) / TERMS for each in found)
            return (sums[0] + first, sums[1] + second), None

        (simple, jump), _ = jax.lax.scan(add, (jnp.zeros(len(x)), jnp.zeros(len(x))), jnp.arange(TERMS))
        return {"simple": PerExample.of(simple), "jump": PerExample.of(jump)}

    def drawn(state: State, z: Array, given: Given, plan: Plan) -> Array:
        """Samples of the noise z."""

        def row(i: Array, z: Array) -> Array:
            t, r = jnp.asarray(plan.times)[i], jnp.asarray(plan.times)[i + 1]
            from_time, to_time = (jnp.broadcast_to(each, z.shape[:1]) for each in (t, r))
            return z - (t - r) * average(state, z, to_time, from_time, given)

        z = jax.lax.fori_loop(0, plan.count, row, z)
        return jnp.clip(z, -1, 1) if levels else z

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        return drawn(state, normals(fold_in(keys, START), shape), given, plan)

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        return drawn(state, latent.walk(key, n, shape), given, plan(steps=1))

    return Method(init, step, evaluate, sample, plan, reads, {"walk": walk})


def _clock(r: Array, t: Array) -> Array:
    """What the network reads of two times [B]: [B, 2]."""
    return CLOCK * jnp.stack([t, t - r], -1)


def _for(t: Array, like: Array) -> Array:
    return t.reshape(t.shape + (1,) * (like.ndim - 1))
