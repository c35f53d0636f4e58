"""Shapes, dtypes and parameter counts of the fully connected VAE and denoiser."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.nn.mlp import VAE, Denoiser, Discriminator, Generator

SHAPE = (1, 1, 2)


def count(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables))


def test_the_vae():
    net, images = VAE(SHAPE, (8, 6), 3, 2, jnp.bfloat16), jnp.zeros((5, *SHAPE))
    variables = jax.eval_shape(net.init, jax.random.key(0), images)
    mean, log_variance = jax.eval_shape(lambda v: net.apply(v, images, method="encode"), variables)
    decoded = jax.eval_shape(lambda v: net.apply(v, jnp.zeros((5, 3)), method="decode"), variables)
    assert mean.shape == log_variance.shape == (5, 3) and decoded.shape == (5, *SHAPE, 2)
    assert {mean.dtype, log_variance.dtype, decoded.dtype} == {jnp.dtype("float32")}
    encoder = 3 * 8 + 9 * 6 + 7 * 6
    decoder = 4 * 6 + 7 * 8 + 9 * 4
    assert count(variables) == encoder + decoder


def test_the_denoiser_tells_times_and_places_apart():
    net = Denoiser(SHAPE, 16, 2, 3)
    x, t = jnp.full((2, *SHAPE), 0.3), jnp.array([1, 900])
    variables = net.init(jax.random.key(0), x, t, train=False)
    waves, block = 2 + 2 * 2 * 3, 3 * (16 * 16 + 16)
    assert count(variables) == (waves + 1) * 16 + 17 * 16 + 2 * block + 17 * 2
    out = net.apply(variables, x, t, train=False)
    assert out.shape == x.shape and out.dtype == jnp.float32
    assert np.abs(out[0] - out[1]).max() > 1e-3
    swapped = net.apply(variables, x.at[..., 0].set(-0.3), t, train=False)
    assert np.abs(out - swapped).max() > 1e-3


def test_a_gan_takes_points():
    noise, images = jnp.zeros((4, 3)), jnp.zeros((4, *SHAPE))
    made = Generator(SHAPE, (5,), 0).init_with_output(jax.random.key(0), noise)[0]
    told = Discriminator((5,), 0).init_with_output(jax.random.key(0), images)[0]
    assert made.shape == (4, *SHAPE) and told.shape == (4,)
