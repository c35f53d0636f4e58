"""Latents against their definition, with a network whose posterior is known."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.codecs.latents import latents
from aigc_jax.errors import ConfigError

SCALE, DEVIATION = 3.0, 0.5


class Known(nn.Module):
    """z = (x, -x) on average, with a standard deviation of DEVIATION; its decoder gives tanh(z_0)'s logit as it is."""

    latent: int = 2

    def encode(self, images):
        x = images[:, 0, 0]
        return jnp.concatenate([x, -x], -1), jnp.full((len(x), 2), 2 * np.log(DEVIATION))

    def decode(self, z):
        return z[:, None, None, :1, None]


class Maps(Known):
    """The same, whose latents are a map of two positions."""

    latent_shape: tuple[int, ...] = (2, 1, 1)


def codec(network, **settings):
    return latents({"shape": (1, 1, 1)}, frozen={"codec": network}, likelihood="bernoulli", scale=SCALE, **settings)


def test_latents_are_draws_of_the_posterior_times_the_scale():
    images, made = jnp.full((20_000, 1, 1, 1), 0.7), codec(Known())
    drawn = np.asarray(made.encode(jax.random.key(0), {"codec": {}}, images))
    assert made.facts == {"shape": (1, 1, 2), "levels": 0} and drawn.shape == (20_000, 1, 1, 2)
    error = 5 * SCALE * DEVIATION / np.sqrt(len(drawn))
    np.testing.assert_allclose(drawn.mean((0, 1, 2)), [SCALE * 0.7, -SCALE * 0.7], atol=error)
    np.testing.assert_allclose(drawn.std((0, 1, 2)), SCALE * DEVIATION, rtol=0.03)
    assert not np.array_equal(drawn, made.encode(jax.random.key(1), {"codec": {}}, images))


@pytest.mark.parametrize("network", [Known(), Maps()])
def test_decoding_is_the_likelihood_s_mean_at_the_latent(network):
    """Of Bernoulli pixels in [-1, 1]: 2 sigmoid(logit) - 1, which is tanh(logit / 2)."""
    made = codec(network)
    z = np.random.RandomState(0).randn(6, 2).astype(np.float32)
    decoded = made.decode({"codec": {}}, jnp.asarray(SCALE * z).reshape(-1, *made.facts["shape"]))
    np.testing.assert_allclose(decoded, np.tanh(z[:, 0] / 2).reshape(6, 1, 1, 1), atol=1e-6)


def test_a_shift_is_taken_off_each_channel_before_the_scale_and_comes_back():
    images, plain, made = jnp.full((5, 1, 1, 1), 0.7), codec(Known()), codec(Known(), shift=(0.5, -2.0))
    one, other = (each.encode(jax.random.key(0), {"codec": {}}, images) for each in (plain, made))
    np.testing.assert_allclose(other, one - SCALE * np.array([0.5, -2.0]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made.decode({"codec": {}}, other), plain.decode({"codec": {}}, one), atol=1e-5)
    with pytest.raises(ConfigError, match='"codec.shift" has 3 numbers, and the latents 2 channels'):
        codec(Known(), shift=(0.0, 1.0, 2.0))


def test_latents_that_are_a_map_come_as_one():
    images = jnp.full((3, 1, 1, 1), 0.7)
    flat, maps = (codec(network).encode(jax.random.key(0), {"codec": {}}, images) for network in (Known(), Maps()))
    assert codec(Maps()).facts["shape"] == (2, 1, 1)
    np.testing.assert_array_equal(maps, flat.reshape(3, 2, 1, 1))
