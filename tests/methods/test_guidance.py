"""Every kind of guidance of diffusion against normal data, whose guided posteriors are known."""

import itertools
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import UNLIKE
from aigc_jax.methods.diffusion import diffusion
from aigc_jax.ops.diffusion import guidance
from aigc_jax.ops.diffusion.process import CLOCK, process

MEANS, STD = (-0.5, 0.0, 0.6), 0.2
SHAPE, FLOW = (2, 2, 1), process("flow")
LABEL = {"label": jnp.array([2, 0, 1, 2], jnp.int32)}
NEGATIVE = {UNLIKE + "label": jnp.array([0, 0, 2, 0], jnp.int32)}
X = jax.random.normal(jax.random.key(0), (4, *SHAPE))
TIMES = (0.02, 0.9, 1.0)  # of which the last has α = 0


def expected(x, t, mean, std=STD):
    """E[x_0 | x_t] for N(mean, std²)."""
    alpha, sigma = FLOW.at(t, x)
    return mean + alpha * std**2 / ((alpha * std) ** 2 + sigma**2) * (x - alpha * mean)


class Optimal(nn.Module):
    """E[x_0 | x_t, class] for data N(shift + MEANS[class], STD²), of mean `shift` without a class."""

    reads: tuple[str, ...] = ("label",)
    shift: float = 0.0

    @nn.compact
    def __call__(self, x, t, given=None, kept=None, *, train):
        mean = jnp.full(len(x), self.shift)
        if given:
            own = jnp.asarray(MEANS)[given["label"]]
            mean += own if kept is None else jnp.where(kept, own, 0.0)
        mean = mean[:, None, None, None] * self.param("weight", nn.initializers.ones, ())
        return expected(x, (t / CLOCK)[:, None, None, None], mean)


class Slopes(nn.Module):
    """A classifier whose logits are linear in the mean of an image."""

    image_shape: tuple[int, ...] = SHAPE
    slopes: tuple[float, ...] = (-4.0, 0.0, 3.0)

    def __call__(self, images):
        mean = jnp.mean(images, (1, 2, 3))[:, None]
        return mean, mean * jnp.asarray(self.slopes)


ONES = {"params": {"weight": jnp.float32(1)}}
FROZEN = {"guide": Optimal(shift=0.3), "classifier": Slopes()}


def made(frozen=(), drop=0.1, reads=("label",), clip=False):
    """(method, state)."""
    method = diffusion(
        {"net": Learner("net", Optimal(reads), optax.sgd(0.0), {}, 1)}, frozen={name: FROZEN[name] for name in frozen},
        schedule="flow", prediction="data", clip=clip, bound_terms=2, drop=drop, shape=SHAPE, levels=0,
    )  # fmt: skip
    variables = {"guide": ONES, "classifier": {}}
    return method, method.init(jax.random.key(0), Batch4, {name: variables[name] for name in frozen})


class Batch4:
    target, given = X, LABEL


def looked(method, state, t, given=LABEL, **settings):
    """D at X."""
    plan = method.plan(sampler="euler", steps=4, **settings)
    return method.parts["denoise"](state, X, jnp.float32(t), given, plan)


def means(labels):
    return jnp.asarray(MEANS)[labels][:, None, None, None]


@pytest.mark.parametrize("t", TIMES)
def test_each_weight_is_a_straight_line_through_the_model_and_the_weaker_one(t):
    """Of optimal networks D is linear in the mean of the data, so guidance moves the mean alone."""
    method, state = made(["guide"])
    own, negative = means(LABEL["label"]), means(NEGATIVE[UNLIKE + "label"])
    look, unlike = jax.jit(partial(method.parts["denoise"], state)), {**LABEL, **NEGATIVE}
    for w in (0.0, 0.5, 1.0, 3.0):
        for given, settings, mean in (
            (LABEL, {"guidance": w}, w * own),
            (unlike, {"guidance": w}, negative + w * (own - negative)),
            (LABEL, {"autoguidance": w}, own + 0.3 * (1 - w)),
            (LABEL, {"autoguidance": w, "guidance": 2.0}, 2 * own + 0.3 * (1 - w)),
        ):
            plan = method.plan(sampler="euler", steps=4, **settings)
            found = look(X, jnp.float32(t), given, plan)
            np.testing.assert_allclose(found, expected(X, t, mean), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("t", TIMES)
def test_a_classifier_s_gradient_goes_through_the_network(t):
    """Of normal data D' σ² / α is the variance of x_0 given x_t, up to where σ / α counts in full."""
    method, state = made(["classifier"])
    plain = looked(method, state, t)
    mean = jnp.mean(plain, (1, 2, 3))[:, None]
    slopes = jnp.asarray(Slopes.slopes)
    rise = slopes[LABEL["label"]] - jnp.sum(jax.nn.softmax(mean * slopes) * slopes, axis=-1)
    alpha, sigma = FLOW.at(jnp.float32(t), jnp.float32(t))
    variance = STD**2 * sigma**2 / ((alpha * STD) ** 2 + sigma**2)
    share = 1.0 if t < 1 else 0.0  # at α = 0 the slope of the network is 0
    shift = share * 2.5 * variance * rise[:, None, None, None] / 4  # of the four values that the mean is of
    np.testing.assert_allclose(looked(method, state, t, classifier_guidance=2.5), plain + shift, rtol=1e-3, atol=1e-5)
    both = looked(method, state, t, classifier_guidance=2.5, guidance=2.0)
    np.testing.assert_allclose(both, looked(method, state, t, guidance=2.0) + shift, rtol=1e-3, atol=1e-5)


def test_weights_that_leave_everything_out_are_the_model_to_the_last_bit():
    method, state = made(["guide", "classifier"])
    plain = made()[0].parts["denoise"](state, X, jnp.float32(0.4), LABEL)
    given = {**LABEL, **NEGATIVE}
    for settings in ({}, {"negative": "0"}, {"guidance": 3.0, "autoguidance": 2.0, "classifier_guidance": 1.0}):
        interval = (0.5, 1.0) if "guidance" in settings else (0.0, 1.0)  # 0.4 lies outside
        found = looked(method, state, 0.4, given, guidance_interval=interval, **settings)
        np.testing.assert_array_equal(found, plain)


def test_what_is_guided_is_clipped_at_the_end_and_rescaled_as_a_whole():
    method, state = made(["guide", "classifier"], clip=True)
    strong = {"guidance": 9.0, "autoguidance": 4.0, "classifier_guidance": 3.0}
    assert float(jnp.abs(looked(method, state, 0.4, **strong)).max()) == 1.0
    method, state = made(["guide", "classifier"])
    found = looked(method, state, 0.4, guidance_rescale=1.0, **strong)
    spread = lambda x: np.std(x, axis=(1, 2, 3))  # noqa: E731
    np.testing.assert_allclose(spread(found), spread(looked(method, state, 0.4)), rtol=1e-4)


def test_one_program_samples_with_every_strength_of_every_kind():
    method, state = made(["guide", "classifier"])
    traced, found = [], []

    @jax.jit
    def sample(keys, plan):
        traced.append(plan)
        return method.sample(keys, state, {**LABEL, **NEGATIVE}, plan)

    keys = jax.random.split(jax.random.key(1), 4)
    for key, none in (("guidance", 1.0), ("autoguidance", 1.0), ("classifier_guidance", 0.0)):
        for weight in (none, 0.5, 3.0):
            plan = method.plan(sampler="heun", steps=4, negative="0", **{key: weight})
            found.append(np.asarray(sample(keys, plan)))
    assert len(traced) == 1
    assert len({x.tobytes() for x in found}) == 7, "three of nine are the model itself"
    for other in (found[3], found[6]):
        np.testing.assert_array_equal(other, found[0])


class Mixture(nn.Module):
    """E[x_0 | x_t] for an equal mixture of N(±0.5, 0.3²), value by value."""

    @nn.compact
    def __call__(self, x, t, train):
        t = (t / CLOCK)[:, None, None, None]
        alpha, sigma = FLOW.at(t, x)
        share = jax.nn.sigmoid(2 * alpha * 0.5 * x / ((alpha * 0.3) ** 2 + sigma**2))
        found = share * expected(x, t, 0.5, 0.3) + (1 - share) * expected(x, t, -0.5, 0.3)
        return self.param("weight", nn.initializers.ones, ()) * found


class Logistic(nn.Module):
    """p(y | x_0) of that mixture, exactly: y = 1 is N(0.5, 0.3²)."""

    def __call__(self, images):
        logit = 2 * 0.5 * images[:, 0, 0] / 0.3**2
        return logit, jnp.concatenate([jnp.zeros_like(logit), logit], axis=-1)


def flowed(weight, count=2000, steps=2000):
    """The ends of that mixture's flow, guided, from evenly spread quantiles of noise: NumPy, Euler, differences."""
    x = np.asarray(jax.scipy.special.ndtri((np.arange(count) + 0.5) / count), np.float64)
    times = np.linspace(1, 1e-3, steps)

    def best(x, alpha, sigma):
        variance = (alpha * 0.3) ** 2 + sigma**2
        ends = [mean + alpha * 0.09 / variance * (x - alpha * mean) for mean in (0.5, -0.5)]
        share = 1 / (1 + np.exp(-alpha * x / variance))
        return share * ends[0] + (1 - share) * ends[1]

    for t, s in itertools.pairwise(times):
        log_class = lambda x, t=t: -np.log1p(np.exp(-best(x, 1 - t, t) / 0.09))  # noqa: E731
        slope = (log_class(x + 1e-5) - log_class(x - 1e-5)) / 2e-5
        guided = best(x, 1 - t, t) + weight * t * (min(t / (1 - t), 10) if t < 1 else 10) * slope
        x = x + (s - t) * (x - guided) / t
    return best(x, 1 - s, s)


def test_a_classifier_draws_its_class_from_a_mixture_of_both():
    """The guided posterior is N(0.5, 0.3²). p(y | D) is surer than p(y | x_t), so samples go beyond it."""
    method = diffusion(
        {"net": Learner("net", Mixture(), optax.sgd(0.0), {}, 1)}, frozen={"classifier": Logistic()}, schedule="flow",
        prediction="data", clip=False, bound_terms=2, drop=0.0, shape=(1, 1, 1), levels=0,
    )  # fmt: skip
    assert method.reads == ("label",), "what a classifier tells is asked for, though the network reads nothing"
    net = {"params": {"weight": jnp.float32(1)}}
    state = made()[1].replace(params={"net": net["params"]}, frozen={"classifier": {}})
    keys, sample = jax.random.split(jax.random.key(1), 4000), jax.jit(method.sample)
    drawn = {}
    for weight in (0.0, 1.0):
        plan = method.plan(sampler="heun", steps=60, classifier_guidance=weight)
        drawn[weight] = np.asarray(sample(keys, state, {"label": jnp.ones(4000, jnp.int32)}, plan))
    assert np.mean(drawn[0.0] > 0) == pytest.approx(0.5, abs=0.03)
    assert np.mean(drawn[1.0] > 0) > 0.95, "as of the class itself"
    known = flowed(1.0)
    assert drawn[1.0].mean() == pytest.approx(known.mean(), abs=0.02) and 0.5 < known.mean() < 0.65
    assert drawn[1.0].std() == pytest.approx(known.std(), rel=0.05)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"autoguidance": 2.0}, r"sample.autoguidance.*set it to 1.*frozen.guide.weights"),
        ({"classifier_guidance": 1.0}, r"sample.classifier_guidance.*set it to 0.*frozen.classifier.weights"),
        ({"guidance": 2.0}, r"sample.guidance.*method.drop"),
        ({"negative": "cat"}, r'sample.negative" is "cat".*reads nothing'),
    ],
)
def test_what_is_not_there_does_not_guide(settings, match):
    with pytest.raises(ConfigError, match=match):
        made(drop=0.0, reads=())[0].plan(sampler="euler", steps=4, **settings)


def test_a_negative_condition_needs_no_training_without_what_is_given():
    method, state = made(drop=0.0)
    found = looked(method, state, 0.4, {**LABEL, **NEGATIVE}, guidance=2.0, negative="0")
    own, negative = means(LABEL["label"]), means(NEGATIVE[UNLIKE + "label"])
    np.testing.assert_allclose(found, expected(X, 0.4, 2 * own - negative), rtol=1e-4, atol=1e-5)


def test_a_classifier_of_other_images_or_of_data_without_classes_is_refused(monkeypatch):
    method, state = made(["classifier"], drop=0.0, reads=())
    with pytest.raises(ConfigError, match='data have no "label"'):
        looked(method, state, 0.4, {}, classifier_guidance=1.0)
    monkeypatch.setitem(FROZEN, "classifier", Slopes(image_shape=(28, 28, 1)))
    with pytest.raises(ConfigError, match=r'frozen.classifier.weights" is of images of \(28, 28, 1\)'):
        made(["classifier"])


def test_towards_noise_a_classifier_s_weight_stays_finite():
    alpha, sigma = FLOW.at(jnp.float32(1.0), X)
    moved = guidance.by_classifier(jnp.zeros(()), jnp.ones(()), 1.0, alpha, sigma)
    assert float(moved) == guidance.MOST
