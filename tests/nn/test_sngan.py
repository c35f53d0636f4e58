"""The residual networks of SN-GAN: sizes, classes, and the cheap forms of their convolutions."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from jax import lax

from aigc_jax.errors import ConfigError
from aigc_jax.nn import sngan
from aigc_jax.nn.layers.spectral import COLLECTION

CLASSES = 3
LABELS = {"label": jnp.array([0, 2, 2, 1], jnp.int32)}
NOISE = jax.random.normal(jax.random.key(0), (4, 5))
IMAGES = jax.random.uniform(jax.random.key(1), (4, 8, 8, 1), minval=-1)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def generator(classes=CLASSES):
    return sngan.Generator((8, 8, 1), classes, 4, (2, 1))


def discriminator(classes=CLASSES, spectral=True):
    return sngan.Discriminator(classes, 4, (1, 2, 2), 2, spectral)


@pytest.fixture(scope="module")
def variables():
    made = ((generator(), NOISE), (discriminator(), IMAGES))
    return tuple(jax.jit(net.init)(jax.random.key(2), inputs, LABELS) for net, inputs in made)


@pytest.mark.parametrize("image", [(28, 28, 1), (32, 32, 3)], ids=str)
def test_sides_of_28_and_32_fit(image):
    multipliers = (1,) * (2 if image[0] == 28 else 3)
    net = sngan.Generator(image, 0, 8, multipliers)
    out, _ = jax.eval_shape(net.init_with_output, jax.random.key(0), NOISE)
    assert out.shape == (4, *image) and out.dtype == jnp.float32
    net = sngan.Discriminator(0, 8, (1, 1, 1, 1), 2, True)
    logits, _ = jax.eval_shape(net.init_with_output, jax.random.key(0), out)
    assert logits.shape == (4,) and logits.dtype == jnp.float32


def test_the_papers_networks_for_cifar10():
    """Tables 4 and 5: a grid of 4x4x256 and three blocks of 256 channels; four blocks of 128, of which two halve."""
    net = sngan.Generator((32, 32, 3), 0, 256, (1, 1, 1))
    g = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 128)))["params"]
    block = 2 * (9 * 256 * 256 + 256) + 2 * 2 * 256 + 256 * 256 + 256
    assert count(g) == 129 * 4 * 4 * 256 + 3 * block + 2 * 256 + 9 * 256 * 3 + 3
    net = sngan.Discriminator(0, 128, (1, 1, 1, 1), 2, True)
    d = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    plain = 2 * (9 * 128 * 128 + 128)
    first = 9 * 3 * 128 + 128 + 9 * 128 * 128 + 128 + 3 * 128 + 128
    assert count(d["params"]) == first + (plain + 128 * 128 + 128) + 2 * plain + 128 + 1
    assert len(jax.tree.leaves(d[COLLECTION])) == 2 * 4 + 2 + 1  # a vector for each kernel


def test_a_network_without_spectral_normalisation_has_no_vectors():
    d = discriminator(spectral=False)
    assert set(jax.eval_shape(d.init, jax.random.key(0), IMAGES, LABELS)) == {"params"}


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="8 × 8 can be halved 3 times"):
        sngan.Generator((8, 8, 1), 0, 4, (1, 1, 1, 1)).init(jax.random.key(0), NOISE)
    with pytest.raises(ConfigError, match="there are 2 blocks"):
        sngan.Discriminator(0, 4, (1, 1), 3, True).init(jax.random.key(0), IMAGES)


def reference(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def test_a_convolution_and_a_mean_of_four_are_one_of_stride_two():
    x = jax.random.normal(jax.random.key(0), (2, 6, 4, 3))
    conv = sngan.Conv(5, sngan.HALF, False, jnp.float32)
    variables = conv.init(jax.random.key(1), x, False)
    y = reference(x, variables["params"]["weight"]["kernel"])
    np.testing.assert_allclose(conv.apply(variables, x, False), y.reshape(2, 3, 2, 2, 2, 5).mean((2, 4)), atol=1e-5)


def test_doubling_and_a_convolution_are_one_transposed_convolution():
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 3))
    conv = sngan.Conv(5, sngan.TWICE, False, jnp.float32)
    variables = conv.init(jax.random.key(1), x, False)
    expected = reference(jnp.kron(x, jnp.ones((1, 2, 2, 1))), variables["params"]["weight"]["kernel"])
    np.testing.assert_allclose(conv.apply(variables, x, False), expected, atol=1e-5)


def test_the_logit_is_linear_in_the_features_and_adds_the_classs_projection(variables):
    """Equation 3: with w = 0 and b = 0 the logit is <v_y, phi>, and phi is what w would read."""
    params = variables[1]["params"]
    rest = {COLLECTION: variables[1][COLLECTION]}
    net, unconditional = discriminator(), discriminator(0)
    logits = net.apply({"params": params, **rest}, IMAGES, LABELS)

    def without_classes(params):
        return unconditional.apply({"params": {k: v for k, v in params.items() if k != "classes"}, **rest}, IMAGES)

    # phi by the unconditional logit: its derivative by w, whose norm is 1 after normalisation
    kernel = params["logit"]["weight"]["kernel"]
    width = kernel.shape[0]
    plain = sngan.Discriminator(0, 4, (1, 2, 2), 2, False)

    def normalised(path, leaf):
        names = [each.key for each in path]
        if names[-1] != "kernel":
            return leaf
        vectors = variables[1][COLLECTION]
        for name in names[:-1]:
            vectors = vectors[name]
        return sngan.Spectral().apply({COLLECTION: vectors["norm"]}, leaf, False)

    divided = jax.tree_util.tree_map_with_path(normalised, params)
    bare = {key: value for key, value in divided.items() if key != "classes"}

    def feature(i):
        w = {"weight": {"kernel": jnp.eye(width)[:, i : i + 1]}, "bias": jnp.zeros(1)}
        return plain.apply({"params": {**bare, "logit": w}}, IMAGES)

    phi = jnp.stack([feature(i) for i in range(width)], axis=-1)
    projected = jnp.sum(divided["classes"]["kernel"][LABELS["label"]] * phi, axis=-1)
    np.testing.assert_allclose(without_classes(params), phi @ divided["logit"]["weight"]["kernel"][:, 0], atol=1e-5)
    np.testing.assert_allclose(logits, without_classes(params) + projected, atol=1e-5)


def test_conditional_normalisation_scales_and_shifts_by_class():
    x = jax.random.normal(jax.random.key(0), (4, 3, 3, 2))
    norm = sngan.Norm(CLASSES, jnp.float32)
    variables = norm.init(jax.random.key(1), x, LABELS, True)
    scale, shift = (jax.random.normal(jax.random.key(i), (CLASSES, 2)) for i in (2, 3))
    variables = {**variables, "params": {"scale": scale, "shift": shift}}
    y, moved = norm.apply(variables, x, LABELS, True, mutable=["batch_stats"])
    whitened = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + sngan.EPSILON)
    rows = LABELS["label"]
    np.testing.assert_allclose(y, whitened * scale[rows][:, None, None] + shift[rows][:, None, None], atol=1e-5)
    mean = moved["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(mean, (1 - sngan.MOMENTUM) * x.mean((0, 1, 2)), atol=1e-6)


def test_a_label_decides_what_is_generated_and_judged(variables):
    """Tables of classes begin alike, so they are moved apart first."""
    other = {"label": (LABELS["label"] + 1) % CLASSES}
    for net, inputs, first in zip((generator(), discriminator()), (NOISE, IMAGES), variables, strict=True):
        assert net.reads == ("label",)
        apart = jax.tree.map(lambda x: x + jax.random.normal(jax.random.key(4), x.shape), first["params"])
        moved = {**first, "params": apart}
        assert np.abs(net.apply(moved, inputs, LABELS) - net.apply(moved, inputs, other)).max() > 1e-3
    assert generator(0).reads == discriminator(0).reads == ()


def test_images_stay_within_their_range(variables):
    loud = {**variables[0], "params": jax.tree.map(lambda x: 10 * x, variables[0]["params"])}
    images = generator().apply(loud, NOISE, LABELS)
    assert np.abs(images).max() <= 1 and images.dtype == jnp.float32


def test_one_kernel_reads_the_noise(variables):
    flat = traverse_util.flatten_dict(variables[0]["params"], sep="/")
    (kernel,) = (leaf for path, leaf in flat.items() if re.search(sngan.Generator.latent_kernels, path))
    assert kernel.shape == (NOISE.shape[1], 2 * 2 * 8)
