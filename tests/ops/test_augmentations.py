"""Augmentations of a discriminator's images against matrices of NumPy and SciPy, and ADA's rule on scripted signs."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from aigc_jax.errors import ConfigError
from aigc_jax.ops import augmentations
from aigc_jax.ops.augmentations import AUGMENTATIONS, ada_probability

NAMES = sorted(AUGMENTATIONS)
KEY = jax.random.key(3)
GATE = None  # in a script: the draw that decides whether something happens, and it does


def some(*shape):
    return np.random.RandomState(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.fixture
def scripted(monkeypatch):
    """Calls an augmentation at p = 1 on the draws that a test gives, [B] or [B, n] each."""

    def run(name, images, draws):
        left = list(draws)

        def draw(sampler, key, shape, *args, **kwargs):
            value = left.pop(0)
            return jnp.zeros(shape) if value is GATE else jnp.asarray(value).reshape(shape)

        monkeypatch.setattr(augmentations, "draw", draw)
        changed = AUGMENTATIONS[name](KEY, jnp.asarray(images), 1.0)
        assert not left
        return np.asarray(changed)

    return run


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_at_p_0_images_are_left_as_they_are(name, channels):
    images = some(16, 9, 6, channels)
    changed = jax.jit(AUGMENTATIONS[name])(KEY, images, 0.0)
    assert changed.dtype == jnp.float32
    np.testing.assert_array_equal(changed, images)


# The share of images in which something changes, where a mirror, a luma flip and a turn by quarters may be the neutral
# one, and a translation by whole pixels may be by none. Images of 8 pixels: a move is by -1, 0 or 1; a uniform share
# of 1/8 is rounded to 0 with probability 1/2 along an axis.
SHARES = {
    ("diff_color", 1): lambda p: p,
    ("diff_color", 3): lambda p: p,
    ("diff_translation", 1): lambda p: p * 8 / 9,
    ("diff_cutout", 1): lambda p: p,
    # Not moved, along neither axis; no mirror, and no turn.
    ("ada_blit", 1): lambda p: 1 - (1 - p + p / 4) * (1 - p / 2) * (1 - 3 * p / 4),
    ("ada_geometry", 1): lambda p: 1 - (1 - p) ** 4,  # the two turns count as one
    ("ada_color", 1): lambda p: 1 - (1 - p) ** 2 * (1 - p / 2),
    ("ada_color", 3): lambda p: 1 - (1 - p) ** 4 * (1 - p / 2),
}


@pytest.mark.parametrize(("name", "channels"), SHARES)
@pytest.mark.parametrize("p", [0.3, 1.0])
def test_images_change_with_probability_p(name, channels, p):
    rows = 3000
    images = np.broadcast_to(some(8, 8, channels), (rows, 8, 8, channels))
    changed = np.asarray(jax.jit(AUGMENTATIONS[name])(KEY, images, p))
    found = np.mean((changed != images).any((1, 2, 3)))
    expected = SHARES[name, channels](p)
    assert found == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / rows) + 1e-9)


def test_each_turn_happens_so_that_either_has_probability_p():
    assert 1 - (1 - (1 - math.sqrt(1 - 0.3))) ** 2 == pytest.approx(0.3)
    asked = []
    record = lambda key, p, shape, neutral, *args, **kwargs: asked.append(float(p)) or jnp.full(shape, neutral)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentations, "_sometimes", record)
        augmentations.ada_geometry(KEY, jnp.zeros((2, 4, 4, 1)), 0.3)
    assert sorted(asked) == pytest.approx([1 - math.sqrt(0.7)] * 2 + [0.3] * 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_color_of_diff_augment(scripted, channels):
    images = some(2, 5, 4, channels)
    brightness, saturation, contrast = np.array([[0.1, 0.9], [0.3, 0.8], [0.2, 0.7]], np.float32)
    expected = []
    for image, b, s, c in zip(images, brightness, saturation, contrast, strict=True):
        # The affine maps one after another, on the pixels of an image as one vector.
        n = image.size
        grey = np.kron(np.eye(20), np.full((channels, channels), 1 / channels))
        saturate = 2 * s * np.eye(n) + (1 - 2 * s) * grey
        contrasted = (c + 0.5) * np.eye(n) + (0.5 - c) * np.full((n, n), 1 / n)
        expected.append((contrasted @ saturate @ (image.ravel() + b - 0.5)).reshape(image.shape))
    changed = scripted("diff_color", images, [brightness, saturation, contrast, GATE])
    np.testing.assert_allclose(changed, expected, atol=1e-5)


def test_translation_of_diff_augment_brings_in_zeros(scripted):
    images = some(3, 16, 24, 2)
    down, right = [2, -1, 0], [-3, 0, 3]
    changed = scripted("diff_translation", images, [GATE, down, GATE, right])
    for image, found, y, x in zip(images, changed, down, right, strict=True):
        expected = ndimage.shift(image, (y, x, 0), order=0, mode="constant")
        np.testing.assert_array_equal(found, expected)


def test_moves_reach_an_eighth_and_no_further():
    image = np.zeros((2000, 24, 16, 1), np.float32)
    image[:, 12, 8] = 1
    moved = np.asarray(augmentations.diff_translation(KEY, image, 1.0))
    _, y, x, _ = np.nonzero(moved)
    assert set(y) == set(range(9, 16)) and set(x) == set(range(6, 11))


def test_cutout_is_half_of_each_side_about_a_centre(scripted):
    images = some(2, 12, 8, 3) + 2
    changed = scripted("diff_cutout", images, [GATE, [6, 0], GATE, [4, 7]])
    expected = images.copy()
    expected[0, 3:9, 2:6] = 0
    expected[1, :3, 5:] = 0
    np.testing.assert_array_equal(changed, expected)


def test_blit_mirrors_turns_and_moves(scripted):
    images = some(4, 16, 16, 2)
    share = np.array([[0.1, -0.07], [0.0, 0.12], [-0.124, 0.0], [0.05, 0.01]], np.float32)
    changed = scripted("ada_blit", images, [GATE, [1, 0, 1, 0], GATE, [0, 1, 2, 3], GATE, share])
    for image, found, mirrored, quarters, (down, right) in zip(
        images, changed, [1, 0, 1, 0], range(4), np.round(share * 16), strict=True
    ):
        expected = np.rot90(image[:, ::-1] if mirrored else image, quarters)
        expected = ndimage.shift(expected, (down, right, 0), order=0, mode="mirror")
        np.testing.assert_array_equal(found, expected)


def test_oblong_images_are_not_turned(scripted):
    images = some(2, 8, 16, 1)
    changed = scripted("ada_blit", images, [GATE, [1, 0], GATE, np.zeros((2, 2))])
    np.testing.assert_array_equal(changed, [images[0, :, ::-1], images[1]])


def scaling(x, y):
    return np.diag([x, y, 1.0])


def turning(angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def moving(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def warped(image, forward):
    """An image after (x, y, 1) -> forward (x, y, 1) about its centre, bilinear, mirrored beyond its border."""
    back = np.linalg.inv(forward)[[1, 0]][:, [1, 0, 2]]  # SciPy counts rows first
    centre = (np.array(image.shape[:2]) - 1) / 2
    offset = back[:, 2] + centre - back[:, :2] @ centre
    planes = [
        ndimage.affine_transform(plane, back[:, :2], offset, order=1, mode="mirror")
        for plane in image.transpose(2, 0, 1)
    ]
    return np.stack(planes, -1)


def test_geometry_is_the_product_of_its_matrices(scripted):
    images = some(6, 11, 14, 2)
    random = np.random.RandomState(1)
    scale, stretch = random.randn(2, 6)
    before, after = random.uniform(-np.pi, np.pi, (2, 6))
    move = random.randn(6, 2)
    # The order of the draws, each after its gate.
    changed = scripted("ada_geometry", images, [GATE, scale, GATE, stretch, GATE, before, GATE, after, GATE, move])
    for i, (image, found) in enumerate(zip(images, changed, strict=True)):
        s, r = 2 ** (0.2 * scale[i]), 2 ** (0.2 * stretch[i])
        forward = moving(0.125 * move[i, 0] * 14, 0.125 * move[i, 1] * 11)
        forward = forward @ turning(after[i]) @ scaling(r, 1 / r) @ turning(before[i]) @ scaling(s, s)
        np.testing.assert_allclose(found, warped(image, forward), atol=2e-5)


def test_colour_is_the_product_of_its_matrices(scripted):
    images = some(5, 3, 4, 3)
    random = np.random.RandomState(2)
    brightness, contrast, saturation = random.randn(3, 5)
    flipped, hue = np.array([1, 0, 1, 0, 1]), random.uniform(-np.pi, np.pi, 5)
    draws = [GATE, brightness, GATE, contrast, GATE, flipped, GATE, hue, GATE, saturation]
    changed = scripted("ada_color", images, draws)
    v = np.ones((3, 1)) / np.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    for i, (image, found) in enumerate(zip(images, changed, strict=True)):
        turned = np.cos(hue[i]) * np.eye(3) + np.sin(hue[i]) * cross + (1 - np.cos(hue[i])) * v @ v.T  # Rodrigues
        householder = np.eye(3) - 2 * flipped[i] * v @ v.T
        saturated = v @ v.T + (np.eye(3) - v @ v.T) * 2 ** saturation[i]
        colours = saturated @ turned @ householder * 2 ** (0.5 * contrast[i])
        np.testing.assert_allclose(found, (image + 0.2 * brightness[i]) @ colours.T, atol=2e-5)


def test_grey_images_skip_what_needs_colour(scripted):
    images = some(2, 3, 4, 1)
    brightness, contrast = np.array([[0.5, -1.0], [1.0, 0.3]], np.float32)
    changed = scripted("ada_color", images, [GATE, brightness, GATE, contrast, GATE, [1, 0]])
    factor = (2 ** (0.5 * contrast) * [-1, 1])[:, None, None, None]
    np.testing.assert_allclose(changed, (images + 0.2 * brightness[:, None, None, None]) * factor, atol=1e-6)


def test_colours_of_two_channels_are_refused():
    with pytest.raises(ConfigError, match="method.augmentation: ada_color .* 2 channels"):
        augmentations.ada_color(KEY, jnp.zeros((2, 4, 4, 2)), 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_linear_part(name):
    """Each pixel's gradient is what the result changes by, and no pixel that is seen goes without."""
    images, weights = some(2, 5, 5, 3), some(2, 5, 5, 3) + 2

    @jax.jit
    def total(images):
        return jnp.sum(weights * AUGMENTATIONS[name](KEY, images, 0.8))

    basis = np.eye(images[0].size, dtype=np.float32).reshape(-1, 5, 5, 3)
    both = np.broadcast_to(basis[:, None], (len(basis), *images.shape))
    # One image at a time, so that the differences are its own.
    apart = np.concatenate([both * (np.arange(2) == i)[:, None, None, None] for i in range(2)])
    changes = jax.vmap(total)(apart) - total(jnp.zeros_like(images))
    gradients = jax.grad(total)(images)
    np.testing.assert_allclose(gradients, np.asarray(changes).reshape(images.shape), atol=2e-3)
    if name.endswith("color"):
        assert np.all(np.abs(gradients) > 1e-6)
    # A pixel is seen where the result depends on it.
    seen = np.abs(np.asarray(changes)).reshape(images.shape) > 1e-2
    assert seen.any() and np.all(np.asarray(gradients)[seen] != 0)


@pytest.mark.parametrize("name", NAMES)
def test_second_gradients_are_finite(name):
    """Penalties differentiate twice through an augmentation."""

    def slope(images):
        critic = lambda x: jnp.sum(AUGMENTATIONS[name](KEY, x, 0.8) ** 3)  # noqa: E731
        return jnp.sum(jax.grad(critic)(images) ** 2)

    found = jax.jit(jax.grad(slope))(some(2, 6, 6, 3))
    assert np.isfinite(found).all() and np.abs(found).max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_for_the_whole_batch_under_pmap(name):
    devices = min(4, jax.device_count())
    images = some(8, 6, 6, 3)
    shards = images.reshape(devices, -1, 6, 6, 3)
    mapped = jax.pmap(AUGMENTATIONS[name], axis_name="batch", in_axes=(None, 0, None), devices=jax.devices()[:devices])(
        KEY, shards, 0.7
    )
    whole = jax.jit(AUGMENTATIONS[name])(KEY, images, 0.7)
    np.testing.assert_allclose(np.asarray(mapped).reshape(images.shape), whole, atol=1e-6)


def test_the_probability_follows_the_signs():
    """Section 3.1: by images / images_to_one up above the target, down below it, and never beyond 0 and 1."""
    p, followed = 0.0, []
    for signs in [0.9, 0.61, 0.2, 0.2, 0.2, *[1.0] * 12, -1.0, 0.6]:
        p = ada_probability(p, signs, target=0.6, images=64, images_to_one=640)
        followed.append(float(p))
    up = [min(0.1 * i, 1.0) for i in range(1, 13)]
    assert followed == pytest.approx([0.1, 0.2, 0.1, 0.0, 0.0, *up, 0.9, 0.9], abs=1e-5)
    assert p.dtype == jnp.float32
