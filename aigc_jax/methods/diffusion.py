"""Denoising diffusion: Ho, Jain & Abbeel 2020 (arXiv:2006.11239); sampling also by Song et al. 2021 (arXiv:2010.02502).

A network learns to see the noise in x_t = sqrt(ᾱ_t) x_0 + sqrt(1 - ᾱ_t) ε, where t is uniform in 1 .. T:

    L_simple = E |ε - ε_θ(x_t, t)|²                                                             (eq. 14)

here as a mean over dimensions. Samples go from x_T ~ N(0, I) back to x_0 by algorithm 2 or by DDIM.
What is evaluated is the bound on -log p(x_0) of the ancestral sampler with all T steps, with the variance
and the clipping that the configuration names:

    L = KL(q(x_T | x_0) || p(x_T)) + Σ_{t>1} KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) - log p(x_0 | x_1)   (eq. 5)
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Key, Measure, Method, PyTree, State
from aigc_jax.ops import diffusion as ops
from aigc_jax.ops import latent, samplers
from aigc_jax.ops.batch import draw, per_example
from aigc_jax.ranges import Count, Share, Size, at_least

NETWORKS = ("net",)
LABELS = 2  # the stream of random keys that a sample's label is from; 0 and 1 are those of its noise


def diffusion(
    learners: Mapping[str, Learner],
    /,
    *,
    timesteps: Annotated[int, at_least(2)],
    schedule: ops.Schedule,
    prediction: ops.Prediction,
    sampler: Literal["ancestral", "ddim"],
    sampler_steps: Size,
    eta: Share,
    variance: ops.Variance,
    clip: bool,
    bound_terms: Count,
    image_shape: tuple[Size, Size, Size],
) -> Method:
    """The method for images.

    learners: "net" maps (x [B, H, W, C], t int32 [B], train) to float32 [B, H, W, C]; where its field `classes` says
    that it reads labels, (x, t, label int32 [B], train), and without a condition samples are of any class.
    timesteps: T, the steps from data to noise. schedule: of the noise over t. prediction: what the network gives.
    sampler: DDPM's or DDIM's. sampler_steps: how many of the T to sample with. eta: of DDIM only.
    variance: of the ancestral sampler and the bound. clip: keep the predicted x_0 in [-1, 1].
    bound_terms: how many of the T - 1 middle terms of the bound to evaluate on each example, at random t,
    one in each of as many equal ranges; 0 = all of them, the exact sum over t.
    """
    if sampler_steps > timesteps:
        raise ConfigError(f'"method.sampler_steps" is {sampler_steps}, of only {timesteps} "method.timesteps".')
    if bound_terms >= timesteps:
        raise ConfigError(f'"method.bound_terms" is {bound_terms}, of only timesteps - 1 = {timesteps - 1} terms.')
    net = learners["net"]
    classes = getattr(net.module, "classes", 0)
    process = ops.process(schedule, timesteps)
    bound = ops.Bound(process, variance)
    if sampler == "ancestral":
        steps = samplers.ancestral(process, sampler_steps, variance)
    else:
        steps = samplers.ddim(process, sampler_steps, eta)

    def noised(key: Key, x0: Array, t: Array) -> tuple[Array, Array]:
        noise = draw(jax.random.normal, key, x0.shape)
        return process.diffuse(x0, t, noise), ops.target(prediction, process, x0, noise, t)

    def labels(batch: Batch) -> tuple[Array, ...]:
        """What the network reads besides the image and the time."""
        return (batch["label"],) if classes else ()

    def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple[PyTree, Mapping[str, Array]]]:
        time_key, noise_key, dropout_key = jax.random.split(key, 3)
        x0 = batch["image"]
        t = draw(jax.random.randint, time_key, x0.shape[:1], 1, timesteps + 1)
        x, target = noised(noise_key, x0, t)
        output, extra = net.apply(params, extra, x, t, *labels(batch), train=True, key=dropout_key)
        losses = per_example(jnp.mean, jnp.square(target - output))
        return losses, (extra, {"simple": jnp.mean(losses)})

    def init(key: Key, batch: Batch, frozen: Mapping[str, PyTree]) -> State:
        image = jnp.zeros(batch["image"].shape, jnp.float32)
        times = jnp.zeros(image.shape[:1], jnp.int32)
        return initial_state({"net": (net, net.init(key, image, times, *labels(batch), train=False))}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        return net.update(key, state, loss, batch)

    def predict(state: State, x: Array, t: Array, *label: Array) -> tuple[Array, Array]:
        """(the network's output, the x_0 that it implies) for x = x_t; t: int [B]."""
        output = net.predict(state, x, t, *label, train=False)
        x0 = ops.to_data(prediction, process, output, x, t)
        return output, jnp.clip(x0, -1, 1) if clip else x0

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, Measure]:
        """Bits per dimension, their parts (section 4.3: distortion is L_0, rate the rest), and L_simple over all t."""
        x0 = batch["image"]
        rows, dimensions = x0.shape[0], np.prod(x0.shape[1:])
        terms = bound_terms or timesteps - 1

        def at(key: Key, t: Array) -> tuple[Array, Array]:
            x, target = noised(key, x0, t)
            output, predicted = predict(state, x, t, *labels(batch))
            return predicted, per_example(jnp.mean, jnp.square(target - output))

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
        rate = bound.prior(x0) + middle * ((timesteps - 1) / terms)
        distortion = bound.decoder(x0, first)
        bits = 1 / (np.log(2) * dimensions)
        return {
            "bits_per_dim": Measure.of((rate + distortion) * bits),
            "rate": Measure.of(rate * bits),
            "distortion": Measure.of(distortion * bits),
            "simple": Measure.of((simple * ((timesteps - 1) / terms) + simple_first) / timesteps),
        }

    def generated(key: Key, state: State, steps: samplers.Steps, start: Array, condition: Array | None) -> Array:
        label = (condition,) if classes else ()

        def denoise(x: Array, t: Array) -> Array:
            return predict(state, x, jnp.broadcast_to(t, x.shape[:1]), *label)[1]

        return jnp.clip(samplers.run(denoise, steps, key, start), -1, 1)

    def sample(key: Key, state: State, n: int, condition: Any) -> Array:
        if condition is not None and not classes:
            raise ConfigError('This model takes no condition: leave "sample.condition" empty.')
        if condition is None and classes:
            condition = draw(jax.random.randint, jax.random.fold_in(key, LABELS), (n,), 0, classes)
        start_key, steps_key = jax.random.split(key)
        start = draw(jax.random.normal, start_key, (n, *image_shape))
        return generated(steps_key, state, steps, start, condition)

    def walk(key: Key, state: State, n: int) -> Array:
        """Of one class, by DDIM with eta = 0: it adds no noise, which would end each x_T elsewhere."""
        one = jax.random.randint(jax.random.fold_in(key, LABELS), (), 0, classes) if classes else 0
        label = jnp.full(n, one, jnp.int32)
        start = latent.walk(key, n, image_shape)
        return generated(key, state, samplers.ddim(process, sampler_steps, 0.0), start, label)

    return Method(init, step, evaluate, sample, walk)
