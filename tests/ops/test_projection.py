"""A projection finds the latent of an image that a generator made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import projection

STEPS = 300


def projected(loss, start, steps=STEPS, spread=1.0, seed=0, stops=()):
    """w after all steps, in one part or in several."""

    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), np.arange(len(start)))

    @jax.jit
    def part(so_far, first, last):
        return projection.search(loss, so_far, keys, first, last, steps, spread)

    so_far, first = projection.begin(start), 0
    for stop in (*stops, steps):
        so_far, first = part(so_far, first, stop), stop
    return so_far.w


def linear(width=5, pixels=12):
    """A generator w [n, 1, width] -> [n, pixels], one to one."""
    matrix = jnp.asarray(np.linalg.qr(np.random.RandomState(0).randn(pixels, width))[0], jnp.float32)
    return lambda w: w[:, 0] @ matrix.T


def test_it_finds_the_latents_that_made_the_images():
    render, wanted = linear(), jnp.asarray(np.random.RandomState(1).randn(3, 1, 5), jnp.float32)
    images = render(wanted)

    def loss(w):
        return jnp.sum((render(w) - images) ** 2, axis=1)

    found = projected(loss, jnp.zeros((3, 1, 5)))
    np.testing.assert_allclose(found, wanted, atol=0.02)
    alone = projected(lambda w: jnp.sum((render(w) - images[:1]) ** 2, axis=1), jnp.zeros((1, 1, 5)))
    np.testing.assert_allclose(alone, found[:1], atol=1e-4)


def test_its_parts_are_the_whole_and_its_seed_decides():
    def loss(w):
        return jnp.sum((w - 1) ** 2, axis=(1, 2))

    start = jnp.zeros((2, 3, 4))
    whole = projected(loss, start)
    np.testing.assert_array_equal(whole, projected(loss, start, stops=(1, 7, 150)))
    assert not np.array_equal(whole, projected(loss, start, seed=1))


def test_the_schedules_are_those_of_the_paper():
    done = np.linspace(0, 1, 1001)
    rates, noises = projection.rate(done), projection.noise(done)
    np.testing.assert_allclose(rates[:51], 0.1 * np.arange(51) / 50, atol=1e-7)  # 50 of 1,000 steps
    np.testing.assert_allclose(rates[50:751], 0.1, atol=1e-7)
    np.testing.assert_allclose(
        rates[750:], 0.05 * (1 + np.cos(np.pi * np.arange(251) / 250)), atol=1e-7
    )  # the last 250
    assert noises[0] == pytest.approx(0.05) and not np.any(noises[750:])  # gone after 750
    np.testing.assert_allclose(noises[375], 0.05 / 4, rtol=1e-5)


def test_noise_takes_it_out_of_a_poor_minimum():
    """A valley on the way to the deeper one, narrower than the noise."""

    def loss(w):
        x = w[:, 0, 0]
        return 0.5 * (x - 3) ** 2 - 3 * jnp.exp(-((x / 0.3) ** 2))

    start = jnp.zeros((1, 1, 1))
    quiet, noisy = (float(projected(loss, start, spread=spread)[0, 0, 0]) for spread in (0.0, 40.0))
    assert abs(quiet) < 0.2 and abs(noisy - 3) < 0.1


@pytest.mark.parametrize("shape", [(8, 8, 3), (7, 5, 1)])
def test_the_distance_is_the_mean_over_all_levels(shape):
    random = np.random.RandomState(0)
    one, other = random.randn(2, 4, *shape).astype(np.float32)
    difference, levels = one - other, []
    while True:
        levels.append((difference**2).mean((1, 2, 3)))
        height, width = (side // 2 for side in difference.shape[1:3])
        if not height or not width:
            break
        quarters = [difference[:, i : 2 * height : 2, j : 2 * width : 2] for i in (0, 1) for j in (0, 1)]
        difference = np.mean(quarters, axis=0)
    np.testing.assert_allclose(projection.pyramid(one, other), np.mean(levels, axis=0), rtol=1e-5)
    flat = np.full((1, *shape), 0.5, np.float32)
    np.testing.assert_allclose(projection.pyramid(flat, 0 * flat), 0.25, rtol=1e-6)  # the same on all levels
