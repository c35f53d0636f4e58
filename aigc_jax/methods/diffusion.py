"""Denoising diffusion: Ho, Jain & Abbeel 2020 (arXiv:2006.11239); sampling also by Song et al. 2021 (arXiv:2010.02502).

A network learns to see the noise in x_t = sqrt(ᾱ_t) x_0 + sqrt(1 - ᾱ_t) ε, where t is uniform in 1 .. T:

    L_simple = E |ε - ε_θ(x_t, t)|²                                                             (eq. 14)

here as a mean over dimensions. Samples go from x_T ~ N(0, I) back to x_0 by algorithm 2 or by DDIM.
What is evaluated is the bound on -log p(x_0) of the ancestral sampler with all T steps, with the variance
and the clipping that the configuration names:

    L = KL(q(x_T | x_0) || p(x_T)) + Σ_{t>1} KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) - log p(x_0 | x_1)   (eq. 5)
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import diffusion as ops
from aigc_jax.ops import latent, samplers
from aigc_jax.ops.batch import draw, fold_in, normals, per_example
from aigc_jax.ranges import Amount, Count, Part, Share, Size, at_least

NETWORKS = ("net",)
START, STEPS = 0, 1  # streams of a sample's random keys
WALK_STEPS = 100  # of each sample on a walk, at most


class Plan(NamedTuple):
    """How samples are drawn."""

    steps: samplers.Steps
    guidance: Any  # float32; 1 = the model itself


def plan(
    process: ops.Process,
    variance: ops.Variance,
    guided: bool,
    /,
    *,
    sampler: Literal["ancestral", "ddim"],
    steps: Size,
    eta: Share,
    guidance: Amount = 1.0,
) -> Plan:
    """Settings of sampling as arrays.

    sampler: DDPM's or DDIM's. steps: how many of the T to sample with. eta: of DDIM only. guidance: the weight of what
    is given, where the model was trained with `drop` (Ho & Salimans 2022, arXiv:2207.12598, eq. 6, as 1 + w).
    """
    if steps > process.timesteps:
        raise ConfigError(f'"sample.steps" is {steps}, of only {process.timesteps} "method.timesteps".')
    if guidance != 1 and not guided:
        raise ConfigError(
            f'"sample.guidance" is {guidance}, and the model has not learned to do without what is given: set it to 1, '
            'or train with "method.drop" above 0.'
        )
    if sampler == "ancestral":
        found = samplers.ancestral(process, steps, variance)
    else:
        found = samplers.ddim(process, steps, eta)
    return Plan(found.table(process.timesteps), np.float32(guidance))


def diffusion(
    learners: Mapping[str, Learner],
    /,
    *,
    timesteps: Annotated[int, at_least(2)],
    schedule: ops.Schedule,
    prediction: ops.Prediction,
    variance: ops.Variance,
    clip: bool,
    bound_terms: Count,
    drop: Part,
    shape: tuple[Size, ...],
    levels: Count,
) -> Method:
    """The method for images, and for whatever else has this shape.

    learners: "net" maps (x [B, *shape], t int32 [B], train) to float32 [B, *shape]; where its field `reads` names what
    is given, (x, t, given, kept, train): kept bool [B] says of which examples it may see that, None of all.
    timesteps: T, the steps from data to noise. schedule: of the noise over t. prediction: what the network gives.
    variance: of the ancestral sampler and the bound. clip: keep the predicted x_0 in [-1, 1].
    bound_terms: how many of the T - 1 middle terms of the bound to evaluate on each example, at random t,
    one in each of as many equal ranges; 0 = all of them, the exact sum over t.
    drop: the share of training examples without what is given, for guidance.
    levels: that a value of the data has, 256; 0 = they are not of levels, and there is no bound.
    """
    if bound_terms >= timesteps:
        raise ConfigError(f'"method.bound_terms" is {bound_terms}, of only timesteps - 1 = {timesteps - 1} terms.')
    net = learners["net"]
    reads: tuple[str, ...] = getattr(net.module, "reads", ())
    if drop and not reads:
        raise ConfigError(
            f'"method.drop" is {drop}, and the network reads nothing that could be left out: set it to 0.'
        )
    guided = drop > 0
    process = ops.process(schedule, timesteps)
    bound = ops.Bound(process, variance)
    walking = samplers.ddim(process, min(timesteps, WALK_STEPS), 0.0).table(timesteps)

    def noised(key: Key, x0: Array, t: Array) -> tuple[Array, Array]:
        noise = draw(jax.random.normal, key, x0.shape)
        return process.diffuse(x0, t, noise), ops.target(prediction, process, x0, noise, t)

    def conditions(given: Given, kept: Array | None) -> tuple[Any, ...]:
        """What the network reads besides x and the time."""
        return ({name: given[name] for name in reads}, kept) if reads else ()

    def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple[PyTree, Mapping[str, Array]]]:
        time_key, noise_key, dropout_key = jax.random.split(key, 3)
        x0 = batch.target
        t = draw(jax.random.randint, time_key, x0.shape[:1], 1, timesteps + 1)
        x, target = noised(noise_key, x0, t)
        kept = None
        if guided:
            kept = draw(jax.random.uniform, jax.random.fold_in(key, 0), x0.shape[:1]) >= drop
        output, extra = net.apply(params, extra, x, t, *conditions(batch.given, kept), train=True, key=dropout_key)
        losses = per_example(jnp.mean, jnp.square(target - output))
        return losses, (extra, {"simple": jnp.mean(losses)})

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        x = jnp.zeros(batch.target.shape, jnp.float32)
        times = jnp.zeros(x.shape[:1], jnp.int32)
        variables = net.init(key, x, times, *conditions(batch.given, None), train=False)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        return net.update(key, state, loss, batch)

    def implied(output: Array, x: Array, t: Array) -> Array:
        """The x_0 of x = x_t; t: int [B]."""
        x0 = ops.to_data(prediction, process, output, x, t)
        return jnp.clip(x0, -1, 1) if clip else x0

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Bits per dimension, their parts (section 4.3: distortion is L_0, rate the rest), and L_simple over all t."""
        x0 = batch.target
        rows, dimensions = x0.shape[0], np.prod(x0.shape[1:])
        terms = bound_terms or timesteps - 1

        def at(key: Key, t: Array) -> tuple[Array, Array]:
            x, target = noised(key, x0, t)
            output = net.predict(state, x, t, *conditions(batch.given, None), train=False)
            return implied(output, x, t), per_example(jnp.mean, jnp.square(target - output))

        def add(sums: tuple[Array, Array], i: Array) -> tuple[tuple[Array, Array], None]:
            time_key, noise_key = jax.random.split(jax.random.fold_in(key, i))
            place = draw(jax.random.uniform, time_key, (rows,)) if bound_terms else jnp.zeros(rows)
            t = jnp.floor((i + place) * ((timesteps - 1) / terms)).astype(jnp.int32) + 2
            t = jnp.minimum(t, timesteps)  # where i + place rounded up
            predicted, simple = at(noise_key, t)
            return (sums[0] + bound.step(x0, predicted, t), sums[1] + simple), None

        zero = jnp.zeros(rows)
        (middle, simple), _ = jax.lax.scan(add, (zero, zero), jnp.arange(terms))
        first, simple_first = at(jax.random.fold_in(key, terms), jnp.ones(rows, jnp.int32))
        simple = (simple * ((timesteps - 1) / terms) + simple_first) / timesteps
        if not levels:
            return {"simple": PerExample.of(simple)}
        rate = bound.prior(x0) + middle * ((timesteps - 1) / terms)
        distortion = bound.decoder(x0, first)
        bits = 1 / (np.log(2) * dimensions)
        return {
            "bits_per_dim": PerExample.of((rate + distortion) * bits),
            "rate": PerExample.of(rate * bits),
            "distortion": PerExample.of(distortion * bits),
            "simple": PerExample.of(simple),
        }

    def denoise(state: State, x: Array, t: Array, given: Given, guidance: Array | float = 1.0) -> Array:
        """The expected x_0 of x = x_t [n, *shape]; t: int32 scalar."""
        times = jnp.broadcast_to(t, x.shape[:1])

        def plain(x: Array) -> Array:
            return net.predict(state, x, times, *conditions(given, None), train=False)

        def away(x: Array) -> Array:
            twice = jax.tree.map(lambda rows: jnp.concatenate([rows, rows]), (x, times, dict(given)))
            kept = jnp.arange(2 * len(x)) < len(x)
            output = net.predict(state, *twice[:2], *conditions(twice[2], kept), train=False)
            with_given, without = jnp.split(output, 2)
            return without + guidance * (with_given - without)

        output = jax.lax.cond(jnp.asarray(guidance) == 1, plain, away, x) if guided else plain(x)
        return implied(output, x, times)

    def finished(x: Array) -> Array:
        return jnp.clip(x, -1, 1) if levels else x

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        def expected(x: Array, t: Array) -> Array:
            return denoise(state, x, t, given, plan.guidance)

        start = normals(fold_in(keys, START), shape)
        return finished(samplers.run(expected, plan.steps, fold_in(keys, STEPS), start))

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        """By DDIM with eta = 0: it adds no noise, which would end each x_T elsewhere."""
        start = latent.walk(key, n, shape)
        keys = jax.random.split(key, n)  # of noise that these steps do not add
        return finished(samplers.run(lambda x, t: denoise(state, x, t, given), walking, keys, start))

    bound_plan = partial(plan, process, variance, guided)
    return Method(init, step, evaluate, sample, bound_plan, reads, {"denoise": denoise, "walk": walk})
