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

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import UNLIKE, Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import latent
from aigc_jax.ops.batch import draw, fold_in, normals, per_example
from aigc_jax.ops.diffusion import bound, editing, likelihood, measures, parameterisation, samplers, weights
from aigc_jax.ops.diffusion import guidance as guides
from aigc_jax.ops.diffusion import process as processes
from aigc_jax.ops.diffusion import times as laws
from aigc_jax.ops.diffusion.spacing import spaced as spaced_by
from aigc_jax.ranges import Amount, Count, Part, Share, Size, at_least

NETWORKS = ("net",)
OPTIONAL = ("guide", "classifier")  # frozen networks
AGREED = ("schedule", "timesteps", "prediction")  # with the run of a frozen network
START, STEPS = 0, 1  # streams of a sample's random keys
FLOW = 2**32 - 1  # the stream of an evaluation's likelihood by the flow: no term of the bound has this number
WALK_STEPS = 100  # of each sample on a walk, at most
LOOKS = 2048  # rows of a plan's table, at least: evaluations of the network that a sample may take


class Plan(NamedTuple):
    """How samples are drawn: data of a program."""

    table: samplers.Table
    guidance: guides.Strengths


def plan(
    process: processes.Process,
    variance: bound.Variance,
    there: guides.There,
    strength: float,
    /,
    *,
    sampler: samplers.Name,
    steps: Size,
    eta: Share = 0.0,
    spacing: str = "uniform",
    churn: Amount = 0.0,
    guidance: Amount = 1.0,
    negative: str | Count = "",
    autoguidance: Amount = 1.0,
    classifier_guidance: Amount = 0.0,
    guidance_interval: tuple[Share, Share] = (0.0, 1.0),
    guidance_rescale: Share = 0.0,
) -> Plan:
    """Settings of sampling as arrays.

    strength: the share of the steps that is taken, the last ones: 1 from noise on, less from an image (`editing`).
    sampler: see `ops.diffusion.samplers`. steps: from noise to data; of a grid, at most T. eta: of ddim only, the noise
    that it adds. spacing: of the steps, see `ops.diffusion.spacing`. churn: of heun only, S_churn. guidance: the weight
    of what is given, where the model was trained with `drop` or there is something negative; 1 = the model itself.
    negative: what samples are to be unlike, as `sample.given`; "" = like those without anything given. autoguidance:
    the weight of the model against `frozen.guide`, a weaker one; 1 = the model itself. classifier_guidance: the weight
    of what `frozen.classifier` says of the class that is given; 0 = none. guidance_interval: of σ / (α + σ), outside of
    which there is no guidance of any kind. guidance_rescale: how far its values' deviation is taken back.
    """
    if process.steps and steps > process.steps:
        raise ConfigError(f'"sample.steps" is {steps}, of only {process.steps} "method.timesteps".')
    there.check(guidance, str(negative), autoguidance, classifier_guidance)
    grid = editing.tail(spaced_by(process, spacing, steps), strength)
    table = (
        samplers.named(sampler, process, grid, variance == "large", eta, churn) if grid.steps else editing.no_steps()
    )
    rows = max(LOOKS, 2 * process.steps)
    if table.count > rows:
        raise ConfigError(f'"sample.steps" is {steps}, and {sampler} takes {table.count} looks, of at most {rows}.')
    strengths = (guidance, autoguidance, classifier_guidance, guidance_interval, guidance_rescale)
    return Plan(table.padded(rows), guides.Strengths(*(np.array(each, np.float32) for each in strengths)))


def diffusion(
    learners: Mapping[str, Learner],
    /,
    *,
    frozen: Mapping[str, nn.Module],
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
    examples it may see that, None of all. frozen: where there are any, "guide", a weaker network of the same kind, and
    "classifier", images to (features, logits), both for sampling alone.
    schedule: α and σ. timesteps: T of the schedules with a grid, 0 of the others. prediction: what the network gives.
    times: the law of t in training. spaced: whether the times of a batch are spread evenly over that law.
    weight: of the loss over t. variance: of the ancestral sampler and of a grid's bound.
    clip: keep the predicted x_0 in [-1, 1]. bound_terms: how many terms of the bound between its ends to evaluate on
    each example, at random t, one in each of as many equal ranges; 0 = all T - 1 of a grid, the exact sum over t.
    flow_likelihood: steps of the solver that measures the likelihood by the probability flow, four looks each; 50 do
    for most; 0 = it is not measured. drop: the share of training examples without what is given, for guidance.
    levels: that a value of the data has, 256; 0 = they are not of levels, and there is no bound.
    """
    processes.check(schedule, timesteps)
    process = processes.process(schedule, timesteps)
    bound.check(bound_terms, process)
    parameterisation.check(prediction, process)
    laws.check(times, process)
    likelihood.check(flow_likelihood, levels)
    net, guide, classifier = learners["net"], frozen.get("guide"), frozen.get("classifier")
    reads: tuple[str, ...] = getattr(net.module, "reads", ())
    guides.check_drop(drop, reads)
    guides.check_images(classifier, shape)
    guided, weaker = drop > 0, getattr(guide, "reads", ())
    asked = tuple(dict.fromkeys((*reads, *weaker, *([guides.CLASS] if classifier else []))))
    walked = spaced_by(process, "uniform", min(process.steps or WALK_STEPS, WALK_STEPS))
    walking = samplers.named("euler", process, walked, False, 0.0, 0.0).padded(LOOKS)

    def conditions(given: Given, kept: Array | None, names: Sequence[str] = reads) -> tuple[Any, ...]:
        """What a network reads besides x and the time."""
        return ({name: given[name] for name in names if name in given}, kept) if names else ()

    inputs = partial(parameterisation.inputs, prediction, process)
    to_data = partial(parameterisation.to_data, prediction, process)  # (output, x_t, t) -> D

    def clipped(x0: Array) -> Array:
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
        return clipped(to_data(output, x, t)), per_example(jnp.mean, errors(output, x0, noise, t))

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Bits per dimension, their parts (Ho et al. 2020, section 4.3), and the mean of (F - target)² over all t."""
        of_grid, of_time = partial(measures.of_grid, process, variance), partial(measures.of_time, process, times)
        look = partial(seen, state=state, batch=batch)
        simple, of_bound = (of_grid if process.steps else of_time)(look, key, batch.target, bound_terms, levels > 0)
        found = {"simple": PerExample.of(simple)}
        if flow_likelihood:
            density = partial(log_density, state=state, given=batch.given, steps=flow_likelihood)
            of_flow = likelihood.bits(density, jax.random.fold_in(key, FLOW), batch.target, levels)
            found["bits_per_dim_ode"] = PerExample.of(of_flow)
        if of_bound is None:
            return found
        return {**jax.tree.map(PerExample.of, measures.in_bits(*of_bound, int(np.prod(shape)))), **found}

    def log_density(key: Key, state: State, x0: Array, given: Given, *, steps: int, draws: int = 0) -> Array:
        """log p(x_0) by the probability flow in nats, [B]: see `ops.diffusion.likelihood.log_density`."""
        look = lambda x, t: denoise(state, x, t, given)  # noqa: E731
        return likelihood.log_density(look, process, x0, key, steps=steps, draws=draws)

    def looks(state: State, at: Array, given: Given) -> guides.Looks:
        """Who says what of x_t. at: t [n]."""
        unlike = {name: given[UNLIKE + name] for name in reads if UNLIKE + name in given}

        def model(x: Array) -> Array:
            output = net.predict(state, *inputs(x, at), *conditions(given, None), train=False)
            return to_data(output, x, at)

        def pair(x: Array) -> tuple[Array, Array]:
            both = ((*inputs(x, at), dict(given)), (*inputs(x, at), {**given, **unlike}))
            twice = jax.tree.map(lambda *rows: jnp.concatenate(rows), *both)
            kept = (jnp.arange(2 * len(x)) < len(x)) | bool(unlike)
            output = net.predict(state, *twice[:2], *conditions(twice[2], kept), train=False)
            strong, weak = (to_data(each, x, at) for each in jnp.split(output, 2))
            return strong, weak

        def by_guide(guide: nn.Module, x: Array) -> Array:
            read = (*inputs(x, at), *conditions(given, None, weaker))
            output: Any = guide.apply(state.frozen["guide"], *read, train=False)
            return to_data(output, x, at)

        weak = partial(by_guide, guide) if guide else None
        tells = guides.log_class(classifier, state.frozen["classifier"], given) if classifier else None
        return guides.Looks(model, pair if guided or unlike else None, weak, tells)

    def denoise(state: State, x: Array, t: Array, given: Given, plan: Plan | None = None) -> Array:
        """The expected x_0 of x = x_t [n, *shape], with the plan's guidance. t: scalar."""
        found = looks(state, jnp.broadcast_to(t, x.shape[:1]), given)
        return clipped(found.model(x) if plan is None else guides.guided(found, plan.guidance, *process.at(t, t), x))

    def finished(x: Array) -> Array:
        return jnp.clip(x, -1, 1) if levels else x

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        start = normals(fold_in(keys, START), shape)
        look = lambda x, t: denoise(state, x, t, given, plan)  # noqa: E731
        return finished(samplers.run(look, plan.table, fold_in(keys, STEPS), start))

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        """By the probability flow: noise on the way would end each x_T elsewhere."""
        start = latent.walk(key, n, shape)
        keys = jax.random.split(key, n)  # of noise that these steps do not add
        return finished(samplers.run(lambda x, t: denoise(state, x, t, given), walking, keys, start))

    def edit(keys: Array, state: State, given: Given, plan: Plan, x0: Array, agree: editing.Images) -> Array:
        """Samples that begin as the plan's strength has it, at images x0, every look made to agree (`editing`)."""
        look = lambda x, t: agree(denoise(state, x, t, given, plan))  # noqa: E731
        noise = normals(fold_in(keys, START), shape)
        return finished(agree(editing.run(look, process, plan.table, fold_in(keys, STEPS), x0, noise)))

    def follow(state: State, given: Given, table: samplers.Table, x: Array) -> Array:
        """The other end of the probability flow through x, by one of `editing.Ways`, without guidance."""
        return editing.follow(lambda x, t: denoise(state, x, t, given), table, x)

    def planned(strength: float) -> Callable[..., Plan]:
        there = guides.There(guided, bool(reads), guide is not None, classifier is not None)
        return partial(plan, process, variance, there, strength)

    parts: dict[str, Callable] = {"denoise": denoise, "walk": walk, "log_density": log_density}
    parts |= {"edit": edit, "follow": follow}
    parts |= {"ways": partial(editing.ways, process), "plan": planned}  # these on the host
    return Method(init, step, evaluate, sample, planned(1.0), asked, parts)
