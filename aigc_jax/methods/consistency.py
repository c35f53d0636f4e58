"""Consistency distillation: samples in one step, learned from a finished run (Song et al. 2023, arXiv:2303.01469).

A student f sends each point of a path of the probability flow to the path's end, next to the data. Of two neighbouring
places a and b of a path, b nearer to the data, the teacher's step leads from x_a to x_b (algorithm 2), and

    L = E d(f(x_a, a), f(x_b, b)),    without a gradient through f(x_b, b)

with d the pseudo-Huber distance (Song & Dhariwal 2023, arXiv:2310.14189, section 3.3), and no average of the student in
the second f (section 3.2). On a path that is straight while D stays, f is the way to its end along the student's own D:

    f(x, t) = c_first (D + v_first / v (x / c - D)),    c = α + σ,    v = σ / c

which is x itself at the end, as it has to be, and the teacher's step where the student is the teacher. So the student
begins with the teacher's weights. Several steps take a sample to the end, and add noise again, in turn (algorithm 1).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops.batch import draw, fold_in, normals, per_example
from aigc_jax.ops.diffusion import parameterisation
from aigc_jax.ops.diffusion import process as processes
from aigc_jax.ops.diffusion.spacing import spaced
from aigc_jax.ranges import Count, Size, at_least

NETWORKS = ("net",)
FROZEN = ("teacher",)
AGREED = ("schedule", "timesteps", "prediction")  # with the run of the teacher
START, STEPS = 0, 1  # streams of a sample's random keys
MOST_STEPS = 128
HUBER = 0.00054  # times the root of the dimensions
Denoise = Callable[[Array, Array], tuple[Array, Any]]
"""(x [B, ...], t [B]) -> (the expected x_0, anything)."""


class Plan(NamedTuple):
    """How samples are drawn."""

    times: Any  # float32 [MOST_STEPS]: falling
    count: Any  # int32


def plan(process: processes.Process, /, *, steps: Size = 1, spacing: str = "uniform") -> Plan:
    """steps: evaluations of the network. spacing: of their times, see `ops.diffusion.spacing`."""
    if steps > MOST_STEPS:
        raise ConfigError(f'"sample.steps" is {steps}, of at most {MOST_STEPS}.')
    times = np.zeros(MOST_STEPS, np.float32)
    times[:steps] = spaced(process, spacing, steps + 1).t[:steps]  # the last place of all is the end of a path
    return Plan(times, np.int32(steps))


def consistency(
    learners: Mapping[str, Learner],
    /,
    *,
    frozen: Mapping[str, nn.Module],
    schedule: processes.Name,
    timesteps: Annotated[int, at_least(2, besides=0)] = 0,
    prediction: parameterisation.Name,
    places: Annotated[int, at_least(2)] = 40,
    spacing: str = "karras",
    shape: tuple[Size, ...],
    levels: Count,
) -> Method:
    """The method for images, and for whatever else has this shape.

    learners: "net" as `methods.diffusion` has it; networks.net.start names the teacher. frozen: "teacher", the same
    network. schedule, timesteps, prediction: those that the teacher was trained with. places: of a path, N of the
    paper. spacing: of the places, see `ops.diffusion.spacing`. levels: that a value of the data has; 0 = samples are
    not clipped.
    """
    processes.check(schedule, timesteps)
    process, net, teacher = processes.process(schedule, timesteps), learners["net"], frozen["teacher"]
    reads: tuple[str, ...] = getattr(net.module, "reads", ())
    path = spaced(process, spacing, places).t[:-1]

    def conditions(given: Given) -> tuple[Any, ...]:
        return ({name: given[name] for name in reads}, None) if reads else ()

    def inputs(x: Array, t: Array, given: Given) -> tuple[Any, ...]:
        """What the network reads of x_t and t [B]."""
        return *parameterisation.inputs(prediction, process, x, t), *conditions(given)

    implied = partial(parameterisation.to_data, prediction, process)

    def line(x: Array, t: Array) -> tuple[Array, Array]:
        """(c, v) of the times [B]."""
        alpha, sigma = process.at(t, x)
        return alpha + sigma, sigma / (alpha + sigma)

    def along(x: Array, t: Array, s: Array, expected: Array) -> Array:
        """From x_t to s along a straight line."""
        (c, v), (c_next, v_next) = line(x, t), line(x, s)
        return c_next * (expected + v_next / v * (x / c - expected))

    def ended(denoise: Denoise, x: Array, t: Array) -> tuple[Array, Any]:
        """(f(x, t), what `denoise` gives besides)."""
        expected, other = denoise(x, t)
        return along(x, t, jnp.full_like(t, path[-1]), expected), other

    def taught(state_of_teacher: PyTree, x: Array, t: Array, s: Array, given: Given) -> Array:
        """The teacher's step by Heun's method, from x_t to s."""

        def expected(x: Array, t: Array) -> Array:
            output: Any = teacher.apply(state_of_teacher, *inputs(x, t, given), train=False)
            return implied(output, x, t)

        first = expected(x, t)
        (c, v), (c_next, v_next) = line(x, t), line(x, s)
        y, ahead = x / c, along(x, t, s, first)
        slopes = (y - first) / v, (ahead / c_next - expected(ahead, s)) / v_next
        return c_next * (y + (v_next - v) * (slopes[0] + slopes[1]) / 2)

    def distances(denoise: Denoise, key: Key, state_of_teacher: PyTree, batch: Batch) -> tuple[Array, Any]:
        """(squared distances of the two ends [B], what `denoise` gives besides)."""
        place_key, noise_key = jax.random.split(key)
        x0 = batch.target
        i = draw(jax.random.randint, place_key, x0.shape[:1], 0, places - 1)
        t, s = (jnp.asarray(path, jnp.float32)[at] for at in (i, i + 1))
        x = process.diffuse(x0, t, draw(jax.random.normal, noise_key, x0.shape))
        near = jax.lax.stop_gradient(taught(state_of_teacher, x, t, s, batch.given))
        found, other = ended(denoise, x, t)
        aim = jax.lax.stop_gradient(ended(denoise, near, s)[0])
        return per_example(jnp.sum, jnp.square(found - aim)), other

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        x = jnp.zeros(batch.target.shape, jnp.float32)
        variables = net.init(key, x, jnp.zeros(len(x)), *conditions(batch.given), train=False)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple[PyTree, Mapping]]:
            path_key, dropout_key = jax.random.split(key)

            def denoise(x: Array, t: Array) -> tuple[Array, PyTree]:
                read = inputs(x, t, batch.given)
                output, changed = net.apply(params, extra, *read, train=True, key=dropout_key)
                return implied(output, x, t), changed

            squares, changed = distances(denoise, path_key, state.frozen["teacher"], batch)
            bend = HUBER * np.sqrt(np.prod(shape))
            mean = jnp.mean(squares) / np.prod(shape)
            return jnp.sqrt(squares + bend**2) - bend, (changed, {"distance": mean})

        return net.update(key, state, loss, batch)

    def denoised(state: State, x: Array, t: Array, given: Given) -> tuple[Array, None]:
        return implied(net.predict(state, *inputs(x, t, given), train=False), x, t), None

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Mean squared distance of the two ends."""
        denoise = partial(denoised, state, given=batch.given)
        squares, _ = distances(denoise, key, state.frozen["teacher"], batch)
        return {"distance": PerExample.of(squares / np.prod(shape))}

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        x = process.prior * normals(fold_in(keys, START), shape)

        def row(i: Array, x: Array) -> Array:
            t = jnp.broadcast_to(jnp.asarray(plan.times)[i], x.shape[:1])
            end, _ = ended(partial(denoised, state, given=given), x, t)
            more = i + 1 < plan.count
            following = jnp.where(more, jnp.asarray(plan.times)[jnp.minimum(i + 1, MOST_STEPS - 1)], t)
            noise = normals(fold_in(fold_in(keys, STEPS), i), shape)
            return jnp.where(more, process.diffuse(end, following, noise), end)

        x = jax.lax.fori_loop(0, plan.count, row, x)
        return jnp.clip(x, -1, 1) if levels else x

    return Method(init, step, evaluate, sample, partial(plan, process), reads)
