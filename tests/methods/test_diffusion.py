"""The diffusion family against what is known of normal data: the best denoiser, and the bound of its sampler."""

from typing import get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import integrate, stats

from aigc_jax.config import bind
from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, ema
from aigc_jax.method import Batch
from aigc_jax.methods.diffusion import diffusion
from aigc_jax.ops.diffusion import bound, parameterisation, samplers
from aigc_jax.ops.diffusion.process import CLOCK, EDM_CLOCK, alpha_bars, process

SETTINGS = dict(
    timesteps=20,
    schedule="linear",
    prediction="noise",
    variance="small",
    clip=False,
    bound_terms=0,
    drop=0.0,
    shape=(4, 4, 1),
    levels=256,
    frozen={},
)
MEAN, STD = 0.1, 0.4  # of the data


class Optimal(nn.Module):
    """E[ε | x_t] for normal data, times a weight that starts at 1."""

    @nn.compact
    def __call__(self, x, t, train):
        alpha, sigma = process("linear", SETTINGS["timesteps"]).at(t, x)
        noise = sigma * (x - alpha * MEAN) / ((alpha * STD) ** 2 + sigma**2)
        return self.param("weight", nn.initializers.ones, ()) * noise


class Zero(nn.Module):
    """A network before training: its output is zero."""

    @nn.compact
    def __call__(self, x, t, train):
        return nn.Conv(x.shape[-1], (1, 1), kernel_init=nn.initializers.zeros)(x)


def method(module, ema_decay=0.0, **changes):
    learner = Learner("net", module, optax.adam(1e-2), {"net": ema(ema_decay, False)} if ema_decay else {}, 1)
    made = diffusion({"net": learner}, **{**SETTINGS, **changes})
    return made._replace(step=jax.jit(made.step), evaluate=jax.jit(made.evaluate), sample=jax.jit(made.sample))


def drawn(method, state, count, sampler="ancestral", **settings):
    plan = method.plan(**{"sampler": sampler, "steps": 20, "eta": 0.0, **settings})
    return method.sample(jax.random.split(jax.random.key(0), count), state, {}, plan)


def images(count, key=0):
    return Batch(MEAN + STD * jax.random.normal(jax.random.key(key), (count, 4, 4, 1)), {})


def started(module, count=8, **changes):
    made = method(module, **changes)
    return made, made.init(jax.random.key(0), images(count), {})


def mean(measure):
    return float(measure.total.sum() / measure.weight.sum())


@pytest.mark.parametrize("timesteps", [20, 1000])
def test_loss_of_a_zero_output_is_the_noise_s_variance(timesteps):
    made, state = started(Zero(), timesteps=timesteps, bound_terms=3)
    _, metrics = made.step(jax.random.key(1), state, images(512))
    assert float(metrics["simple"]) == pytest.approx(1, abs=5 * np.sqrt(2 / (512 * 16)))


def test_loss_of_the_best_denoiser_is_its_posterior_s_variance():
    made, state = started(Optimal())
    alpha_bar = alpha_bars("linear", 20)[1:]
    # Var[ε | x_t] = Var[sqrt(ᾱ) x_0 | x_t] / (1 - ᾱ), averaged over t
    expected = np.mean(alpha_bar * STD**2 / (alpha_bar * STD**2 + 1 - alpha_bar))
    measures = made.evaluate(jax.random.key(1), state, images(256))
    assert mean(measures["simple"]) == pytest.approx(expected, rel=0.02)
    losses = [made.step(jax.random.key(k), state, images(256, k))[1]["simple"] for k in range(4)]
    assert np.mean(losses) == pytest.approx(expected, rel=0.1)


def test_every_time_is_trained_on_equally_often():
    class Record(nn.Module):  # the loss is the mean of t, once the noise is out of it
        @nn.compact
        def __call__(self, x, t, train):
            self.param("unused", nn.initializers.zeros, ())
            return x + 100.0 * t[:, None, None, None]

    made, state = started(Record())
    _, metrics = made.step(jax.random.key(0), state, images(4096))
    times = np.arange(1, 21)
    expected = 1e4 * np.mean(times**2)
    assert float(metrics["simple"]) == pytest.approx(expected, abs=5e4 * np.std(times**2) / 64)


def test_a_step_learns_and_averages():
    made, state = started(Optimal(), ema_decay=0.5)
    state = state.replace(params={"net": {"weight": jnp.float32(0.0)}}, ema={"net": {"weight": jnp.float32(0.0)}})
    after, _ = made.step(jax.random.key(0), state, images(8))
    weight = float(after.params["net"]["weight"])
    assert weight == pytest.approx(1e-2, rel=1e-3)  # Adam's first step goes up by the learning rate
    assert float(after.ema["net"]["weight"]) == pytest.approx(0.5 * weight)


def reference_bound(variance):
    """Nats a dimension of the optimal reverse process on normal data: eq. 5 by plain loops and quadrature."""
    alpha_bar = alpha_bars("linear", 20)
    total = 0.5 * (alpha_bar[20] * (MEAN**2 + STD**2) - alpha_bar[20] - np.log(1 - alpha_bar[20]))  # L_T
    for t in range(2, 21):
        a_t, a_s = alpha_bar[t], alpha_bar[t - 1]
        beta = 1 - a_t / a_s
        small = beta * (1 - a_s) / (1 - a_t)
        sigma2 = small if variance == "small" else beta
        # E (x_0 - E[x_0 | x_t])² is the posterior's variance
        error = STD**2 * (1 - a_t) / (a_t * STD**2 + 1 - a_t)
        coefficient = np.sqrt(a_s) * beta / (1 - a_t)
        total += 0.5 * (np.log(sigma2 / small) + small / sigma2 - 1 + coefficient**2 * error / sigma2)
    # L_0 over the error's law, with the density for the bin's mass (exact where bins are narrow)
    a_1, a_2 = alpha_bar[1], alpha_bar[2]
    scale2 = (1 - a_2 / a_1) * (1 - a_1) / (1 - a_2)
    error = stats.norm(0, np.sqrt(STD**2 * (1 - a_1) / (a_1 * STD**2 + 1 - a_1)))

    def term(e):
        mass = stats.norm.cdf(e + 1 / 255, 0, np.sqrt(scale2)) - stats.norm.cdf(e - 1 / 255, 0, np.sqrt(scale2))
        return -error.pdf(e) * np.log(mass)

    return total, integrate.quad(term, -5 * error.std(), 5 * error.std())[0]


@pytest.mark.parametrize("variance", ["small", "large"])
def test_bound_is_that_of_the_best_denoiser(variance):
    made, state = started(Optimal(), variance=variance)
    inside = Batch(jnp.clip(images(2048).target, -0.99, 0.99), {})  # the outer bins are wider: keep out of them
    measures = made.evaluate(jax.random.key(1), state, inside)
    rate, distortion = (value / np.log(2) for value in reference_bound(variance))
    assert mean(measures["rate"]) == pytest.approx(rate, rel=0.03)
    assert mean(measures["distortion"]) == pytest.approx(distortion, rel=0.02)
    assert mean(measures["bits_per_dim"]) == pytest.approx(rate + distortion, rel=0.02)
    np.testing.assert_allclose(
        measures["bits_per_dim"].total, measures["rate"].total + measures["distortion"].total, rtol=1e-5
    )


@pytest.mark.parametrize("terms", [1, 4, 19])
def test_few_terms_estimate_the_bound_without_bias(terms):
    made, state = started(Optimal())
    rough = method(Optimal(), bound_terms=terms)
    batch = images(2048)
    exact = made.evaluate(jax.random.key(1), state, batch)
    found = rough.evaluate(jax.random.key(2), state, batch)
    for name in ("rate", "simple"):
        error = float(np.std(found[name].total - exact[name].total)) / np.sqrt(2048)
        assert mean(found[name]) == pytest.approx(mean(exact[name]), abs=4 * error)
    assert mean(found["distortion"]) == pytest.approx(mean(exact["distortion"]), rel=0.02)


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_samples_follow_the_recursion(sampler):
    made, state = started(Optimal())
    x = drawn(made, state, 2000, sampler)
    assert x.shape == (2000, 4, 4, 1)
    assert float(jnp.abs(x).max()) <= 1
    # 20 steps of the linear schedule leave ᾱ_T = 0.8: the start N(0, I) is not q(x_T), so follow the recursion
    bars = alpha_bars("linear", 20)
    location, variance = 0.0, 1.0
    for t in range(20, 0, -1):
        a_t, a_s = bars[t], bars[t - 1]
        slope = np.sqrt(a_t) * STD**2 / (a_t * STD**2 + 1 - a_t)
        if sampler == "ancestral":
            beta = 1 - a_t / a_s
            data, kept, noise2 = (
                np.sqrt(a_s) * beta / (1 - a_t),
                np.sqrt(1 - beta) * (1 - a_s) / (1 - a_t),
                beta * (1 - a_s) / (1 - a_t),
            )
        else:
            kept, noise2 = np.sqrt((1 - a_s) / (1 - a_t)), 0.0
            data = np.sqrt(a_s) - kept * np.sqrt(a_t)
        location = (data * slope + kept) * location + data * (MEAN - slope * np.sqrt(a_t) * MEAN)
        variance = (data * slope + kept) ** 2 * variance + noise2
    free = stats.norm(location, np.sqrt(variance))
    expected = integrate.quad(lambda v: np.clip(v, -1, 1) * free.pdf(v), -9, 9, points=[-1, 1])[0]
    assert float(x.mean()) == pytest.approx(expected, abs=5 * np.sqrt(variance / x.size))


def test_sampling_and_evaluating_read_the_averaged_weights():
    made, state = started(Optimal(), ema_decay=0.5)
    broken = state.replace(params={"net": {"weight": jnp.float32(jnp.nan)}})
    assert np.isfinite(drawn(made, broken, 2)).all()
    assert np.isfinite(mean(made.evaluate(jax.random.key(0), broken, images(2))["bits_per_dim"]))
    worse = broken.replace(ema={"net": {"weight": jnp.float32(0.5)}})
    bits = [mean(made.evaluate(jax.random.key(0), s, images(64))["bits_per_dim"]) for s in (broken, worse)]
    assert bits[0] < bits[1]


def test_clipping_keeps_the_predicted_data_in_range():
    class Loud(nn.Module):
        @nn.compact
        def __call__(self, x, t, train):
            self.param("unused", nn.initializers.zeros, ())
            return 1e3 * jnp.ones_like(x)  # implies an x_0 far below -1

    clipped, state = started(Loud(), clip=True)
    free = method(Loud(), clip=False)
    batch = Batch(jnp.full((4, 4, 4, 1), -1.0), {})
    # at x_0 = -1 the clipped prediction is exact: nothing of the middle terms remains but L_T
    rate = mean(clipped.evaluate(jax.random.key(0), state, batch)["rate"])
    prior = bound.OfGrid(process("linear", 20), "small").prior(batch.target)[0] / 16 / np.log(2)
    assert rate == pytest.approx(float(prior), rel=1e-4)
    assert mean(free.evaluate(jax.random.key(0), state, batch)["rate"]) > 1e3
    np.testing.assert_allclose(drawn(clipped, state, 2), -1, atol=1e-5)


def test_more_steps_than_there_are_are_refused():
    with pytest.raises(ConfigError, match="method.bound_terms"):
        method(Zero(), bound_terms=20)
    with pytest.raises(ConfigError, match="sample.steps"):
        method(Zero()).plan(sampler="ddim", steps=21, eta=0.0)


def test_every_setting_is_bound_and_the_target_s_shape_is_a_fact():
    section = {"name": "diffusion", **SETTINGS}
    facts = {key: section.pop(key) for key in ("shape", "levels", "frozen")}
    assert bind(diffusion, section, "method", facts) == SETTINGS
    with pytest.raises(ConfigError, match="variance"):
        bind(diffusion, {**section, "variance": "medium"}, "method", facts)


def test_one_program_samples_with_any_settings():
    traced, made = [], diffusion({"net": Learner("net", Optimal(), optax.adam(1e-2), {}, 1)}, **SETTINGS)

    def sample(*arguments):
        traced.append(arguments)
        return made.sample(*arguments)

    compiled, (_, state) = jax.jit(sample), started(Optimal())
    keys, found = jax.random.split(jax.random.key(1), 4), []
    for settings in (("ddim", 1, 0.0), ("ddim", 20, 0.5), ("ancestral", 7, 0.0), ("ancestral", 20, 0.0)):
        plan = made.plan(**dict(zip(("sampler", "steps", "eta"), settings, strict=True)))
        found.append(compiled(keys, state, {}, plan))
    assert len(traced) == 1 and len({float(x.sum()) for x in found}) == 4


def test_a_target_without_levels_has_no_bound():
    made, state = started(Optimal(), levels=0)
    assert set(made.evaluate(jax.random.key(0), state, images(4))) == {"simple"}
    assert float(jnp.abs(drawn(made, state, 500)).max()) > 1, "and its samples are not clipped"


CONTINUOUS = {**SETTINGS, "timesteps": 0, "bound_terms": 10, "clip": False, "levels": 256}
KINDS = {
    "flow": dict(schedule="flow", prediction="flow", times="logit_normal"),
    "edm": dict(schedule="edm", prediction="edm", times="log_normal", weight="edm"),
    "velocity": dict(schedule="trigonometric", prediction="velocity", weight="sigmoid", spaced=True),
    "score": dict(schedule="vp", prediction="noise"),
}


class Wise(nn.Module):
    """What a network of any prediction says that knows normal data, times a weight that starts at 1."""

    schedule: str
    prediction: str

    @nn.compact
    def __call__(self, x, t, train):
        chosen = process(self.schedule, 0)
        t = jnp.exp(t / EDM_CLOCK) if self.schedule == "edm" else t / CLOCK
        scales = parameterisation.scales(self.prediction, chosen, t, x)
        x = x / scales.into
        alpha, sigma = chosen.at(t, x)
        best = MEAN + alpha * STD**2 / ((alpha * STD) ** 2 + sigma**2) * (x - alpha * MEAN)
        return self.param("weight", nn.initializers.ones, ()) * (best - scales.skip * x) / scales.out


def of_kind(kind, **changes):
    settings = {**CONTINUOUS, **KINDS[kind], **changes}
    made = method(Wise(settings["schedule"], settings["prediction"]), **settings)
    return made, made.init(jax.random.key(0), images(8), {})


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_network_of_continuous_time_has_a_tight_bound_and_a_still_loss(kind):
    """The gap between bound and entropy is what half a level's noise costs; and no gradient moves the weight."""
    made, state = of_kind(kind)
    measures = made.evaluate(jax.random.key(1), state, images(1024))
    entropy = (0.5 * np.log(2 * np.pi * np.e * STD**2) - np.log(2 / 255)) / np.log(2)
    assert entropy - 0.1 < mean(measures["bits_per_dim"]) < entropy + 0.45
    _, metrics = made.step(jax.random.key(2), state, images(1024))
    assert np.isfinite(metrics["simple"]) and ("loss" in metrics) == (KINDS[kind].get("weight", "simple") != "simple")
    gradient = float(metrics["net_gradient"])
    worse = state.replace(params={"net": {"weight": jnp.float32(0.5)}})
    assert gradient < 0.15 * float(made.step(jax.random.key(2), worse, images(1024))[1]["net_gradient"])


@pytest.mark.parametrize("sampler", ["ddim", "heun", "adams", "dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "unipc"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_sampler_draws_the_data_of_every_process(kind, sampler):
    made, state = of_kind(kind, levels=0)
    spacing = "karras" if kind == "edm" else "trailing" if kind == "flow" else "log_snr"
    x = drawn(made, state, 2000, sampler, steps=30, spacing=spacing)
    assert float(x.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(x.std()) == pytest.approx(STD, rel=0.15 if sampler == "ddim" else 0.08)  # which is of order 1


def test_one_program_draws_with_every_sampler_spacing_number_of_steps_and_guidance():
    compiled = 0
    made, state = of_kind("flow")

    @jax.jit
    def sample(keys, plan):
        nonlocal compiled
        compiled += 1
        return diffusion(
            {"net": Learner("net", Wise("flow", "flow"), optax.sgd(0.0), {}, 1)}, **{**CONTINUOUS, **KINDS["flow"]}
        ).sample(keys, state, {}, plan)

    keys, found = jax.random.split(jax.random.key(0), 2), set()
    for sampler in get_args(samplers.Name):
        for spacing, steps in (("uniform", 3), ("karras", 5), ("log_snr", 8), ("trailing", 40)):
            plan = made.plan(sampler=sampler, steps=steps, spacing=spacing, eta=0.3, churn=2.0)
            found.add(float(sample(keys, plan).sum()))
    assert compiled == 1 and len(found) > 3 * len(get_args(samplers.Name)), (
        "but for those whose first steps are the same"
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (dict(schedule="flow", timesteps=10), "method.timesteps"),
        (dict(schedule="cosine", timesteps=0), "method.timesteps"),
        (dict(schedule="flow", timesteps=0, bound_terms=0), "bound_terms"),
        (dict(prediction="flow"), "method.prediction"),
        (dict(schedule="flow", timesteps=0, bound_terms=2, times="log_normal"), "method.times"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes, match):
    with pytest.raises(ConfigError, match=match):
        method(Zero(), **changes)
