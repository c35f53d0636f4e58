"""Editing on normal data, whose conditional means, flow and laws are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.ops import latent
from aigc_jax.ops.diffusion import editing, samplers
from aigc_jax.ops.diffusion.process import process as named
from aigc_jax.ops.diffusion.spacing import spaced

MEAN, STD = 0.2, 0.4  # of each pixel, all independent
SIDE = 4
KEPT = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 3 > 0
OBSERVATIONS = {
    "masked": (editing.masked(KEPT), 1),
    "shrunk": (editing.shrunk(2), 2),
    "blurred": (editing.blurred(0.8), 1),
    "grey": (editing.grey(), 3),
}
exact = pytest.mark.parametrize("name", ["masked", "shrunk", "grey"])  # A⁺A is a projection


def optimal(process):
    """E[x_0 | x_t]."""

    def denoise(x, t):
        alpha, sigma = process.at(t, x)
        return MEAN + alpha * STD**2 / ((alpha * STD) ** 2 + sigma**2) * (x - alpha * MEAN)

    return denoise


def normal(key, *shape):
    return jax.random.normal(jax.random.key(key), shape)


def images(count=3, channels=1, key=0):
    return MEAN + STD * normal(key, count, SIDE, SIDE, channels)


def matrix(observation, channels):
    """A, by what it makes of each unit vector: float64 [values of y, values of x]."""
    size = SIDE * SIDE * channels
    seen = observation.measure(jnp.eye(size).reshape(size, SIDE, SIDE, channels))
    return np.asarray(seen, np.float64).reshape(size, -1).T


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_every_look_is_the_mean_given_the_noisy_image_and_what_is_seen(name):
    """By conditioning on (x_t, y) with matrices. A regularised inverse is right for a y of as much noise."""
    observation, channels = OBSERVATIONS[name]
    process, t = named("flow"), 0.7
    alpha, sigma = process.on_host(t)
    x0 = images(1, channels)
    x = process.diffuse(x0, jnp.array([t]), normal(1, *x0.shape))
    y = observation.measure(x0)
    agree = editing.agreeing(observation, y)
    found = agree(optimal(process)(x, jnp.float32(t)))
    left = (STD * sigma) ** 2 / ((alpha * STD) ** 2 + sigma**2)  # the variance of x_0 given x_t
    noise = editing.FAINTEST * left if name == "blurred" else 1e-9
    a = matrix(observation, channels)
    size, seen = a.shape[1], a.shape[0]
    looks = np.concatenate([alpha * np.eye(size), a])
    spread = np.diag([sigma**2] * size + [noise] * seen)
    gain = STD**2 * looks.T @ np.linalg.inv(STD**2 * looks @ looks.T + spread)
    both = np.concatenate([np.ravel(x), np.ravel(y)])
    wanted = MEAN + gain @ (both - looks @ np.full(size, MEAN))
    np.testing.assert_allclose(np.ravel(found), wanted, atol=2e-4)


@exact
def test_the_pseudo_inverse_is_the_one_of_moore_and_penrose(name):
    observation, channels = OBSERVATIONS[name]
    a = matrix(observation, channels)
    y = observation.measure(images(2, channels))
    wanted = np.linalg.pinv(a) @ np.asarray(y, np.float64).reshape(2, -1).T
    np.testing.assert_allclose(np.asarray(observation.restore(y)).reshape(2, -1).T, wanted, atol=1e-6)


def test_a_blur_is_the_sum_over_a_gaussian_around_the_edges():
    """In space, where the Gaussian of this deviation is narrow beside the image and wide beside a pixel."""
    side, deviation = 24, 1.5
    x = np.asarray(normal(0, 1, side, side, 1), np.float64)
    reach = np.arange(-side // 2, side // 2)
    weights = np.exp(-(reach**2) / (2 * deviation**2))
    weights /= weights.sum()
    wanted = x
    for axis in (1, 2):
        wanted = sum(w * np.roll(wanted, shift, axis) for w, shift in zip(weights, reach, strict=True))
    observation = editing.blurred(deviation)
    np.testing.assert_allclose(observation.measure(jnp.asarray(x, jnp.float32)), wanted, atol=1e-5)
    smooth = wanted.astype(np.float32)  # sharp again but for what is faint
    again = observation.measure(observation.restore(observation.measure(jnp.asarray(smooth))))
    np.testing.assert_allclose(again, observation.measure(jnp.asarray(smooth)), atol=0.02)


def sampled(agree, sampler="heun", count=4000, channels=1, steps=30):
    process = named("flow")
    table = samplers.named(sampler, process, spaced(process, "uniform", steps), False, 0.0, 0.0).padded(100)
    looks = lambda x, t: agree(optimal(process)(x, t))  # noqa: E731
    run = jax.jit(lambda start: agree(samplers.run(looks, table, jax.random.split(jax.random.key(1), count), start)))
    return np.asarray(run(normal(5, count, SIDE, SIDE, channels)))


@exact
def test_samples_agree_with_what_is_seen_and_are_free_elsewhere(name):
    observation, channels = OBSERVATIONS[name]
    y = observation.measure(images(1, channels))
    found = sampled(editing.agreeing(observation, y), channels=channels)
    np.testing.assert_allclose(observation.measure(found), np.broadcast_to(y, (4000, *y.shape[1:])), atol=1e-5)
    a = matrix(observation, channels)
    hidden = np.eye(a.shape[1]) - np.linalg.pinv(a) @ a  # the prior's part that y says nothing of
    rest = found.reshape(4000, -1) @ hidden
    np.testing.assert_allclose(rest.mean(0), hidden @ np.full(a.shape[1], MEAN), atol=0.03)
    np.testing.assert_allclose(np.cov(rest.T), STD**2 * hidden, atol=0.02)


@pytest.mark.parametrize("sampler", ["ancestral", "euler", "adams", "dpmpp_3m", "unipc"])
def test_known_pixels_are_exact_with_every_sampler(sampler):
    x0 = np.asarray(images(1))
    agree = editing.agreeing(editing.masked(KEPT), jnp.asarray(x0))
    found = sampled(agree, sampler, count=8, steps=6)
    np.testing.assert_array_equal(found[:, KEPT], np.broadcast_to(x0[:, KEPT], found[:, KEPT].shape))
    assert np.std(found[:, ~KEPT], axis=0).min() > 0.05


def test_black_around_an_image_is_known():
    agree = editing.agreeing(editing.shrunk(2), jnp.zeros((1, 1, 1, 1)), pad=1)
    found = np.array(agree(images(1)))
    assert abs(found[0, 1:3, 1:3].mean()) < 1e-6 and found[0, 1:3, 1:3].std() > 0.01
    found[:, 1:3, 1:3] = -1
    assert np.all(found == -1)


def edited(strength, sampler, name="flow", spacing="uniform", count=4000, steps=40):
    """Of one image: (it, what comes of it, what sampling makes of the same noise)."""
    process = named(name)
    whole = spaced(process, spacing, steps)
    grid = editing.tail(whole, strength)
    table = samplers.named(sampler, process, grid, False, 0.0, 0.0) if grid.steps else editing.no_steps()
    full = samplers.named(sampler, process, whole, False, 0.0, 0.0).padded(100)
    x0, noise = images(1), normal(3, count, SIDE, SIDE, 1)
    keys = jax.random.split(jax.random.key(4), count)
    run = jax.jit(lambda table, x0, noise: editing.run(optimal(process), process, table, keys, x0, noise))
    free = jax.jit(lambda table, noise: samplers.run(optimal(process), table, keys, noise))
    return x0, run(table.padded(100), jnp.repeat(x0, count, 0), noise), free(full, noise), grid


@pytest.mark.parametrize("name", ["flow", "vp", "edm"])
def test_a_variation_of_strength_0_is_the_image_and_of_1_a_sample(name):
    x0, found, _, _ = edited(0.0, "heun", name, "karras", 3)
    np.testing.assert_array_equal(found, np.repeat(x0, 3, 0))
    _, found, sample, _ = edited(1.0, "ancestral", name, "karras", 3)
    np.testing.assert_array_equal(found, sample)


@pytest.mark.parametrize("sampler", ["heun", "ancestral"])
def test_a_variation_has_the_law_of_the_noise_it_begins_with(sampler):
    """Heun follows the flow, which is affine. The ancestral sampler draws of p(x_0 | x_t)."""
    x0, found, _, grid = edited(0.6, sampler, steps=40 if sampler == "heun" else 90)
    alpha, sigma = grid.alpha[0], grid.sigma[0]
    assert abs(grid.t[0] - 0.6) < 0.02
    total = (alpha * STD) ** 2 + sigma**2
    gain = STD / np.sqrt(total) if sampler == "heun" else alpha * STD**2 / total
    added = 0.0 if sampler == "heun" else STD**2 * sigma**2 / total
    np.testing.assert_allclose(np.mean(found, 0), MEAN + gain * alpha * (x0[0] - MEAN), atol=0.03)
    np.testing.assert_allclose(np.std(found, 0), np.sqrt((gain * sigma) ** 2 + added), rtol=0.06)


@pytest.mark.parametrize("name", ["flow", "linear", "edm"])
def test_the_noise_of_an_image_is_the_flows_and_leads_back(name):
    process = named(name, 1000 if name == "linear" else 0)
    x0, last = images(), process.last
    alpha, sigma = process.on_host(last)
    wanted = alpha * MEAN + np.sqrt((alpha * STD) ** 2 + sigma**2) * (np.asarray(x0) - MEAN) / STD
    away, back = [], []
    follow = jax.jit(lambda table, x: editing.follow(optimal(process), table, x))
    for steps in (12, 24, 48):
        ways = editing.ways(process, steps)
        noise = follow(ways.to_noise, x0)
        away.append(np.abs(noise - wanted).max() / process.prior)
        back.append(np.abs(follow(ways.to_data, noise) - x0).max())
    assert away[1] < away[0] / 2.5 and away[2] < away[1] / 2.5 and away[2] < 0.02, away
    assert back[1] < back[0] / 2.5 and back[2] < back[1] / 2.5 and back[2] < 0.01, back


def test_places_of_the_flow_have_to_be_there():
    with pytest.raises(ConfigError, match='"steps" is 21, of only 20 "method.timesteps"'):
        editing.ways(named("linear", 20), 21)
    with pytest.raises(ConfigError, match='"steps" is 1, and from data to noise it is 2 to 1024'):
        editing.ways(named("flow"), 1)


def test_an_arc_keeps_the_length_and_turns_evenly():
    start = normal(0, 3, 3, 1)
    end = normal(1, 3, 3, 1)
    end = end * jnp.linalg.norm(start) / jnp.linalg.norm(end)
    points = np.asarray(editing.sphere(start, end, 6)).reshape(6, -1)
    np.testing.assert_allclose(points[[0, 5]], [np.ravel(start), np.ravel(end)], atol=1e-6)
    length = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(length, length[0], rtol=1e-5)
    turned = np.sum(points[1:] * points[:-1], axis=1) / length[0] ** 2
    np.testing.assert_allclose(turned, turned[0], rtol=1e-5)
    right = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
    np.testing.assert_allclose(editing.sphere(*right, 5), latent.arc(*right, 5), atol=1e-6)
    np.testing.assert_allclose(editing.sphere(start, 2 * start, 3)[1], 1.5 * start, rtol=1e-5)
