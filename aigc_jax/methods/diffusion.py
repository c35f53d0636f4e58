"""Diffusion and flow: a network learns to undo noise at every level, and samples go from noise to data.

    x_t = α(t) x_0 + σ(t) ε,    L = E w(t) |F(c_in x_t, t) - target|²    as a mean over dimensions, t of a law

What can be chosen stands in `ops/diffusion/`, a file each:

| key | file | |
|---|---|---|
| `schedule`, `timesteps` | `process` | α and σ |
| `prediction` | `parameterisation` | what F is of: with it, D(x_t, t) is the expected x_0 |
| `times`, `spaced` | `times` | the law of t |
| `weight` | `weights` | w |
| `sample.sampler`, `sample.steps`, `sample.spacing` … | `samplers`, `spacing` | how x_0 is drawn |
| `sample.guidance` … | `guidance` | wrappers of D |

Denoising diffusion (Ho, Jain & Abbeel 2020, arXiv:2006.11239) is one choice of these; flow matching (Lipman et al.
2023, arXiv:2210.02747; Liu et al. 2022, arXiv:2209.03003) and EDM (Karras et al. 2022, arXiv:2206.00364) are others.
What is evaluated is the loss over all t, a bound on -log p(x_0) (`bound`), and where `flow_likelihood` asks for it
-log p(x_0) of the probability flow (`likelihood`).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import latent
from aigc_jax.ops.batch import draw, fold_in, normals, per_example
from aigc_jax.ops.diffusion import bound, editing, likelihood, measures, parameterisation, samplers, weights
from aigc_jax.ops.diffusion import guidance as guides
from aigc_jax.ops.diffusion import process as processes
from aigc_jax.ops.diffusion import times as laws
from aigc_jax.ops.diffusion.spacing import spaced as spaced_by
from aigc_jax.ranges import Amount, Count, Part, Share, Size, at_least

NETWORKS = ("net",)
START, STEPS = 0, 1  # streams of a sample's random keys
FLOW = 2**32 - 1  # the stream of an evaluation's likelihood by the flow: no term of the bound has this number
WALK_STEPS = 100  # of each sample on a walk, at most
LOOKS = 2048  # rows of a plan's table, at least: evaluations of the network that a sample may take


class Plan(NamedTuple):
    """How samples are drawn: data of a program."""

    table: samplers.Table
    guidance: Any  # float32 scalars, as the keys of their names
    interval: Any  # float32 [2]
    rescale: Any


def plan(
    process: processes.Process,
    variance: bound.Variance,
    guided: bool,
    strength: float,
    /,
    *,
    sampler: samplers.Name,
    steps: Size,
    eta: Share = 0.0,
    spacing: str = "uniform",
    churn: Amount = 0.0,
    guidance: Amount = 1.0,
    guidance_interval: tuple[Share, Share] = (0.0, 1.0),
    guidance_rescale: Share = 0.0,
) -> Plan:
    """Settings of sampling as arrays.

    strength: the share of the steps that is taken, the last ones: 1 from noise on, less from an image (`editing`).
    sampler: see `ops.diffusion.samplers`. steps: from noise to data; of a grid, at most T. eta: of ddim only, the noise
    that it adds. spacing: of the steps, see `ops.diffusion.spacing`. churn: of heun only, S_churn. guidance: the weight
    of what is given, where the model was trained with `drop`. guidance_interval: of σ / (α + σ), outside of which there
    is none. guidance_rescale: how far its values' deviation is taken back.
    """
    if process.steps and steps > process.steps:
        raise ConfigError(f'"sample.steps" is {steps}, of only {process.steps} "method.timesteps".')
    if guidance != 1 and not guided:
        raise ConfigError(
            f'"sample.guidance" is {guidance}, and the model has not learned to do without what is given: set it to 1, '
            'or train with "method.drop" above 0.'
        )
    grid = editing.tail(spaced_by(process, spacing, steps), strength)
    table = (
        samplers.named(sampler, process, grid, variance == "large", eta, churn) if grid.steps else editing.no_steps()
    )
    rows = max(LOOKS, 2 * process.steps)
    if table.count > rows:
        raise ConfigError(f'"sample.steps" is {steps}, and {sampler} takes {table.count} looks, of at most {rows}.')
    interval = np.array(guidance_interval, np.float32)
    return Plan(table.padded(rows), np.float32(guidance), interval, np.float32(guidance_rescale))


def diffusion(
    learners: Mapping[str, Learner],
    /,
    *,
    schedule: processes.Name,
    timesteps: Annotated[int, at_least(2, besides=0)] = 0,
    prediction: parameterisation.Name,
    times: laws.Law = "uniform",
    spaced: bool = False,
    weight: weights.Name = "simple",
    variance: bound.Variance = "small",
    clip: bool,
    bound_terms: Count,
    flow_likelihood: Count = 0,
    drop: Part,
    shape: tuple[Size, ...],
    levels: Count,
) -> Method:
    """The method for images, and for whatever else has this shape.

    learners: "net" maps (x [B, *shape], t float or int [B] in steps of a thousand or of T, train) to float32
    [B, *shape]; where its field `reads` names what is given, (x, t, given, kept, train): kept bool [B] says of which
    examples it may see that, None of all.
    schedule: α and σ. timesteps: T of the schedules with a grid, 0 of the others. prediction: what the network gives.
    times: the law of t in training. spaced: whether the times of a batch are spread evenly over that law.
    weight: of the loss over t. variance: of the ancestral sampler and of a grid's bound.
    clip: keep the predicted x_0 in [-1, 1]. bound_terms: how many terms of the bound between its ends to evaluate on
    each example, at random t, one in each of as many equal ranges; 0 = all T - 1 of a grid, the exact sum over t.
    flow_likelihood: steps of the solver that measures the likelihood by the probability flow, four looks each; 50 do
    for most; 0 = it is not measured.
    drop: the share of training examples without what is given, for guidance.
    levels: that a value of the data has, 256; 0 = they are not of levels, and there is no bound.
    """
    _check(schedule, timesteps, prediction, bound_terms)
    if flow_likelihood and not levels:
        raise ConfigError(
            f'"method.flow_likelihood" is {flow_likelihood}, and these data are not of levels, of which bits could be '
            "measured: set it to 0."
        )
    process = processes.process(schedule, timesteps)
    laws.check(times, process)
    net = learners["net"]
    reads: tuple[str, ...] = getattr(net.module, "reads", ())
    if drop and not reads:
        raise ConfigError(
            f'"method.drop" is {drop}, and the network reads nothing that could be left out: set it to 0.'
        )
    guided = drop > 0
    walking = samplers.named("euler", process, _walked(process), False, 0.0, 0.0).padded(LOOKS)

    def conditions(given: Given, kept: Array | None) -> tuple[Any, ...]:
        """What the network reads besides x and the time."""
        return ({name: given[name] for name in reads if name in given}, kept) if reads else ()

    inputs = partial(parameterisation.inputs, prediction, process)

    def implied(output: Array, x: Array, t: Array) -> Array:
        """D: the x_0 of x = x_t that the network's output says. t: [B]."""
        x0 = parameterisation.to_data(prediction, process, output, x, t)
        return jnp.clip(x0, -1, 1) if clip else x0

    def errors(output: Array, x0: Array, noise: Array, t: Array) -> Array:
        """(F - target)² of each value."""
        return jnp.square(parameterisation.target(prediction, process, x0, noise, t) - output)

    def loss(params: PyTree, extra: PyTree, key: Key, batch: Batch) -> tuple[Array, tuple[PyTree, Mapping[str, Array]]]:
        time_key, noise_key, dropout_key = jax.random.split(key, 3)
        x0 = batch.target
        t = laws.times(times, process, time_key, x0.shape[0], spaced)
        noise = draw(jax.random.normal, noise_key, x0.shape)
        kept = None
        if guided:
            kept = draw(jax.random.uniform, jax.random.fold_in(key, 0), x0.shape[:1]) >= drop
        read = inputs(process.diffuse(x0, t, noise), t)
        output, extra = net.apply(params, extra, *read, *conditions(batch.given, kept), train=True, key=dropout_key)
        squares = errors(output, x0, noise, t)
        simple = per_example(jnp.mean, squares)
        if weight == "simple":
            return simple, (extra, {"simple": jnp.mean(simple)})
        losses = per_example(jnp.mean, squares * weights.weight(weight, prediction, process, t, x0))
        return losses, (extra, {"loss": jnp.mean(losses), "simple": jnp.mean(simple)})

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        x = jnp.zeros(batch.target.shape, jnp.float32)
        at = jnp.zeros(x.shape[:1], jnp.int32 if process.steps else jnp.float32)
        variables = net.init(key, x, at, *conditions(batch.given, None), train=False)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        return net.update(key, state, loss, batch)

    def seen(key: Key, state: State, batch: Batch, t: Array) -> tuple[Array, Array]:
        """(D, the mean of (F - target)²) of each example at its t."""
        x0 = batch.target
        noise = draw(jax.random.normal, key, x0.shape)
        x = process.diffuse(x0, t, noise)
        output = net.predict(state, *inputs(x, t), *conditions(batch.given, None), train=False)
        return implied(output, x, t), per_example(jnp.mean, errors(output, x0, noise, t))

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Bits per dimension, their parts (Ho et al. 2020, section 4.3), and the mean of (F - target)² over all t."""
        of_grid, of_time = partial(measures.of_grid, process, variance), partial(measures.of_time, process, times)
        look = partial(seen, state=state, batch=batch)
        simple, of_bound = (of_grid if process.steps else of_time)(look, key, batch.target, bound_terms, levels > 0)
        found = {"simple": PerExample.of(simple)}
        if flow_likelihood:
            found["bits_per_dim_ode"] = PerExample.of(by_flow(jax.random.fold_in(key, FLOW), state, batch))
        if of_bound is None:
            return found
        rate, distortion = of_bound
        bits = 1 / (np.log(2) * np.prod(batch.target.shape[1:]))
        return {
            "bits_per_dim": PerExample.of((rate + distortion) * bits),
            "rate": PerExample.of(rate * bits),
            "distortion": PerExample.of(distortion * bits),
            **found,
        }

    def by_flow(key: Key, state: State, batch: Batch) -> Array:
        """Bits per dimension of the probability flow, of each example."""
        level_key, key = jax.random.split(key)
        x0 = likelihood.dequantized(level_key, batch.target, levels)
        draws = int(np.prod(shape) > likelihood.EXACT)
        density = log_density(key, state, x0, batch.given, steps=flow_likelihood, draws=draws)
        return likelihood.bits_per_dim(density, int(np.prod(shape)), levels)

    def log_density(key: Key, state: State, x0: Array, given: Given, *, steps: int, draws: int = 0) -> Array:
        """log p(x_0) by the probability flow in nats, [B]: see `ops.diffusion.likelihood.log_density`."""
        looks = lambda x, t: denoise(state, x, t, given)  # noqa: E731
        return likelihood.log_density(looks, process, x0, key, steps=steps, draws=draws)

    def denoise(state: State, x: Array, t: Array, given: Given, plan: Plan | None = None) -> Array:
        """The expected x_0 of x = x_t [n, *shape], with the plan's guidance. t: scalar."""
        at = jnp.broadcast_to(t, x.shape[:1])

        def plain(x: Array) -> Array:
            output = net.predict(state, *inputs(x, at), *conditions(given, None), train=False)
            return implied(output, x, at)

        if not guided or plan is None:
            return plain(x)
        alpha, sigma = process.at(t, t)
        amount = guides.within(plan.guidance, plan.interval[0], plan.interval[1], alpha, sigma)

        def away(x: Array) -> Array:
            twice = jax.tree.map(lambda rows: jnp.concatenate([rows, rows]), (*inputs(x, at), dict(given)))
            kept = jnp.arange(2 * len(x)) < len(x)
            output = net.predict(state, *twice[:2], *conditions(twice[2], kept), train=False)
            strong, weak = (parameterisation.to_data(prediction, process, each, x, at) for each in jnp.split(output, 2))
            found = guides.rescaled(guides.away(strong, weak, amount), strong, plan.rescale)
            return jnp.clip(found, -1, 1) if clip else found

        return jax.lax.cond(amount == 1, plain, away, x)

    def finished(x: Array) -> Array:
        return jnp.clip(x, -1, 1) if levels else x

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        start = normals(fold_in(keys, START), shape)
        looks = lambda x, t: denoise(state, x, t, given, plan)  # noqa: E731
        return finished(samplers.run(looks, plan.table, fold_in(keys, STEPS), start))

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        """By the probability flow: noise on the way would end each x_T elsewhere."""
        start = latent.walk(key, n, shape)
        keys = jax.random.split(key, n)  # of noise that these steps do not add
        return finished(samplers.run(lambda x, t: denoise(state, x, t, given), walking, keys, start))

    def edit(keys: Array, state: State, given: Given, plan: Plan, x0: Array, agree: editing.Images) -> Array:
        """Samples that begin as the plan's strength has it, at images x0, every look made to agree (`editing`)."""
        looks = lambda x, t: agree(denoise(state, x, t, given, plan))  # noqa: E731
        noise = normals(fold_in(keys, START), shape)
        return finished(agree(editing.run(looks, process, plan.table, fold_in(keys, STEPS), x0, noise)))

    def follow(state: State, given: Given, table: samplers.Table, x: Array) -> Array:
        """The other end of the probability flow through x, by one of `editing.Ways`, without guidance."""
        return editing.follow(lambda x, t: denoise(state, x, t, given), table, x)

    def planned(strength: float) -> Callable[..., Plan]:
        return partial(plan, process, variance, guided, strength)

    parts: dict[str, Callable] = {"denoise": denoise, "walk": walk, "log_density": log_density}
    parts |= {"edit": edit, "follow": follow}
    parts |= {"ways": partial(editing.ways, process), "plan": planned}  # these on the host
    return Method(init, step, evaluate, sample, planned(1.0), reads, parts)


def _check(schedule: str, timesteps: int, prediction: str, bound_terms: int) -> None:
    """Raises ConfigError for settings that do not go together."""
    of_grid = schedule in processes.GRIDS
    if of_grid != (timesteps > 0):
        right = "at least 2: its steps from data to noise" if of_grid else "0: its time is continuous"
        raise ConfigError(f'"method.timesteps" is {timesteps}, and of method.schedule "{schedule}" it is {right}.')
    if of_grid and bound_terms >= timesteps:
        raise ConfigError(f'"method.bound_terms" is {bound_terms}, of only timesteps - 1 = {timesteps - 1} terms.')
    if not of_grid and not bound_terms:
        raise ConfigError(
            '"method.bound_terms" is 0, and continuous time has no last term: set it to 10, for instance.'
        )
    if of_grid and prediction == "flow":
        raise ConfigError(
            f'"method.prediction" is "flow", and "{schedule}" has a grid of times, which have no rates: set "velocity".'
        )


def _walked(process: processes.Process) -> samplers.Grid:
    return spaced_by(process, "uniform", min(process.steps or WALK_STEPS, WALK_STEPS))
