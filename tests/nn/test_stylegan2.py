"""StyleGAN2's networks: what a style does, the mean of styles, mixing, noise, and the dial of their size."""

import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from aigc_jax.errors import Unfit
from aigc_jax.nn.stylegan2 import KEPT, Discriminator, Generator, widths
from aigc_jax.ops import batch

ROWS, LATENT, SHAPE = 8, 6, (12, 12, 2)
SIZE = dict(channels=4, most=8, halvings=1)
KEY = jax.random.key(0)
NOISE = jax.random.normal(jax.random.key(1), (ROWS, LATENT))
LABELS = {"label": jnp.arange(ROWS) % 3}


@functools.cache
def made(**changes):
    """(generator, its compiled `apply`, its variables, whose noise has a strength)"""
    fields = dict(SIZE, width=LATENT, depth=2, mixing=0.0, label_classes=0) | changes
    generator = Generator(SHAPE, **fields)
    variables = jax.jit(generator.init)({"params": KEY, "dropout": KEY}, NOISE, LABELS)
    params = traverse_util.flatten_dict(variables["params"])
    params = {path: x + 0.5 if path[-1] == "noise" else x for path, x in params.items()}
    apply = jax.jit(generator.apply, static_argnames=("train", "method", "mutable"))
    return generator, apply, {**variables, "params": traverse_util.unflatten_dict(params)}


def trained_with(apply, variables, noise=NOISE, key=KEY):
    """(images, mean of w after a call in training)"""
    images, moved = apply(variables, noise, LABELS, train=True, rngs={"dropout": key}, mutable=("styles",))
    return images, moved["styles"]["mean"]


def test_widths_double_up_to_the_most():
    """Those of the paper's 1024 x 1024 (table 2 of arXiv:1710.10196, twice as wide at fine grids), ADA's at 32 x 32."""
    assert widths(32, 512, 8) == [32, 64, 128, 256, 512, 512, 512, 512, 512]
    assert widths(1024, 512, 3) == [512] * 4


def test_the_papers_networks_have_as_many_parameters_as_its_authors_count():
    """At 1024 x 1024: their program prints 29,012,513, and 28,794,124 with a mapping network of two layers."""
    of_paper = dict(channels=32, most=512, halvings=8, label_classes=0)
    generator = Generator((1024, 1024, 3), **of_paper, width=512, depth=2, mixing=0.9)
    discriminator = Discriminator(**of_paper, residual=True, group=4, label_depth=0)
    z, images = jax.ShapeDtypeStruct((4, 512), jnp.float32), jax.ShapeDtypeStruct((4, 1024, 1024, 3), jnp.float32)
    for network, given, count in ((generator, z, 28_794_124), (discriminator, images, 29_012_513)):
        found = jax.eval_shape(network.init, {"params": KEY}, given)["params"]
        assert sum(x.size for x in jax.tree.leaves(found)) == count


def test_sides_that_cannot_be_halved_so_often_are_refused():
    for network, given in (
        (Generator((28, 28, 1), 4, 8, 3, 4, 1, 0.0, 0), NOISE),
        (Discriminator(4, 8, 3, True, 4, 0, 0), jnp.zeros((2, 28, 28, 1))),
    ):
        with pytest.raises(Unfit, match="28 × 28 can be halved 2 times"):
            network.init(KEY, given)


def test_psi_moves_styles_towards_the_image_of_the_mean():
    generator, apply, variables = made()
    _, mean = trained_with(apply, variables)
    variables = {**variables, "styles": {"mean": mean}}

    def style(psi):
        return apply(variables, NOISE, psi=psi, method="style")

    of_mean = apply(variables, jnp.broadcast_to(mean, (ROWS, generator.layers, LATENT)), method="render")
    np.testing.assert_allclose(apply(variables, style(0.0), method="render"), of_mean, atol=1e-5)
    np.testing.assert_array_equal(of_mean[1:], np.broadcast_to(of_mean[:1], of_mean[1:].shape))
    np.testing.assert_allclose(style(0.25) - mean, 0.25 * (style(1.0) - mean), atol=1e-6)
    images = apply(variables, NOISE)
    np.testing.assert_allclose(images, apply(variables, style(1.0), method="render"), atol=1e-5)
    assert np.abs(images - of_mean).max() > 1e-2


def test_the_mean_of_styles_moves_in_training_alone():
    _, apply, variables = made()
    w = apply(variables, NOISE, method="style")[:, 0]
    variables = {**variables, "styles": {"mean": jnp.arange(float(LATENT))}}
    _, mean = trained_with(apply, variables)
    np.testing.assert_allclose(mean, KEPT * jnp.arange(LATENT) + (1 - KEPT) * w.mean(0), rtol=1e-5)
    _, kept = apply(variables, NOISE, mutable=("styles",))
    np.testing.assert_array_equal(kept["styles"]["mean"], variables["styles"]["mean"])


def synthesised(generator, variables, noise):
    """The styles that the synthesis reads in training."""
    seen = []

    def note(next_function, args, kwargs, context):
        if context.module.name == "synthesis" and context.method_name == "__call__":
            seen.append(args[0])
        return next_function(*args, **kwargs)

    @jax.jit
    def styles(variables, noise):
        with nn.intercept_methods(note):
            generator.apply(variables, noise, train=True, rngs={"dropout": KEY}, mutable=["styles"])
        return seen[-1]

    return styles(variables, noise)


def test_mixing_crosses_over_once():
    """Every image has its own style in the first layers, and from a layer of its own on another one."""
    always, apply, variables = made(mixing=1.0)
    many = jnp.tile(NOISE, (50, 1))
    w = jnp.tile(apply(variables, NOISE, method="style"), (50, 1, 1))
    own = np.isclose(synthesised(always, variables, many), w, atol=1e-5).all(axis=-1)
    assert own[:, 0].all() and not own[:, -1].any()
    assert (np.diff(own.astype(int), axis=1) <= 0).all(), "once over, never back"
    np.testing.assert_allclose(np.bincount(own.sum(axis=1), minlength=4)[1:] / 400, 1 / 3, atol=0.1)
    seldom, *_ = made(mixing=0.3)
    mixed = ~np.isclose(synthesised(seldom, variables, many), w, atol=1e-5).all(axis=(1, 2))
    assert mixed.mean() == pytest.approx(0.3, abs=0.1)


def test_noise_is_drawn_in_training_and_fixed_otherwise():
    _, apply, variables = made()
    same = jnp.tile(NOISE[:1], (ROWS, 1))
    one, other = (trained_with(apply, variables, same, jax.random.key(i))[0] for i in range(2))
    assert (np.abs(one - other).max(axis=(1, 2, 3)) > 1e-2).all()
    assert (np.abs(one[1:] - one[:1]).max(axis=(1, 2, 3)) > 1e-2).all(), "each image has noise of its own"
    images = apply(variables, NOISE)
    np.testing.assert_allclose(apply(variables, jnp.roll(NOISE, 3, 0)), jnp.roll(images, 3, 0), atol=1e-5)
    silent = jax.tree_util.tree_map_with_path(lambda path, x: 0 * x if path[-1].key == "noise" else x, variables)
    assert np.abs(apply(silent, NOISE) - images).max() > 1e-2


def test_labels_change_images_and_logits():
    generator, apply, variables = made(label_classes=3)
    other = {"label": (LABELS["label"] + 1) % 3}
    assert generator.reads == ("label",) and made()[0].reads == ()
    images = apply(variables, NOISE, LABELS)
    assert (np.abs(images - apply(variables, NOISE, other)).max(axis=(1, 2, 3)) > 1e-3).all()
    discriminator = Discriminator(**SIZE, residual=True, group=4, label_depth=2, label_classes=3)
    weights = jax.jit(discriminator.init)(KEY, images, LABELS)
    assert discriminator.reads == ("label",)
    judge = jax.jit(discriminator.apply)
    logits = judge(weights, images, LABELS)
    assert logits.shape == (ROWS,) and logits.dtype == jnp.float32
    assert (np.abs(logits - judge(weights, images, other)) > 1e-4).all()


def test_latent_kernels_are_those_that_read_the_style():
    generator, _, variables = made()
    paths = traverse_util.flatten_dict(variables["params"], sep="/")
    found = {path for path in paths if re.search(generator.latent_kernels, path)}
    assert len(found) == 3 * SIZE["halvings"] + 2
    assert all(paths[path].shape[0] == LATENT for path in found)


@pytest.mark.skipif(jax.device_count() < 2, reason="needs several devices")
def test_devices_compute_what_one_does():
    """Images in training with noise and mixing, the mean of styles, and logits of groups over two devices."""
    generator, _, variables = made(mixing=0.9, label_classes=3)
    discriminator = Discriminator(**SIZE, residual=False, group=8, label_depth=1, label_classes=3)
    weights = jax.jit(discriminator.init)(KEY, jnp.zeros((ROWS, *SHAPE)), LABELS)

    def both(noise, given):
        images, moved = generator.apply(variables, noise, given, train=True, rngs={"dropout": KEY}, mutable=["styles"])
        return images, discriminator.apply(weights, images, given, train=True), moved["styles"]["mean"]

    images, logits, mean = jax.jit(both)(NOISE, LABELS)
    halves = jax.tree.map(lambda x: x.reshape(2, ROWS // 2, *x.shape[1:]), (NOISE, LABELS))
    of_two = jax.pmap(both, axis_name=batch.AXIS)(*halves)
    np.testing.assert_allclose(of_two[0].reshape(images.shape), images, atol=1e-5)
    np.testing.assert_allclose(of_two[1].reshape(-1), logits, atol=1e-5)
    np.testing.assert_allclose(of_two[2], [mean, mean], atol=1e-6)


def test_arithmetic_in_half_precision_is_near_that_in_single():
    _, apply, variables = made()
    images, rough = apply(variables, NOISE), made(dtype=jnp.bfloat16)[1](variables, NOISE)
    assert rough.dtype == jnp.float32
    assert np.abs(images - rough).mean() < 0.03 * np.abs(images).mean()
