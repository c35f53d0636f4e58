"""Augmentations of the images that a discriminator judges, real and generated alike, and ADA's rule for their share.

* Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", arXiv:2006.10738, section 3.2.
* Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", arXiv:2006.06676: the rule of
  section 3.1, and pixel blitting, geometric and colour transformations of appendix B.

An augmentation is a function (key, images [B, H, W, C], p) -> images of the same shape, linear in the images up to a
shift. Pixels are float32, about -1 to 1, and may leave that range. p, a scalar which may be traced, is a probability:
DiffAugment's functions change an image with probability p, and its authors take p = 1; each of ADA's holds several
transformations, and each of these happens with probability p.

ADA's geometric transformation is resampled by bilinear interpolation, beyond its border by reflection. The authors
filter by a wavelet at twice the resolution besides, which keeps fine structure sharp through rotations. Bilinear costs
a fraction of that. It blurs real and generated images alike, and at p < 1 the discriminator sees sharp ones too.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jax.typing import ArrayLike

from aigc_jax.errors import ConfigError
from aigc_jax.ops.batch import draw

Array = jax.Array
Key = jax.Array
Augmentation = Callable[[Key, Array, ArrayLike], Array]
"""(key, images float32 [B, H, W, C], p) -> images [B, H, W, C]."""

DOUBLE = math.log(2)  # scales are exp(N(0, s^2)) with s in units of this


def ada_probability(p: ArrayLike, signs_mean: ArrayLike, target: float, images: ArrayLike, images_to_one: int) -> Array:
    """The next p of ADA, float32: towards more where the discriminator overfits, towards less where it does not.

    signs_mean: r_t = E[sign(D(x))] over real training images since the last call, in [-1, 1]; overfitting raises it.
    images: how many the discriminator saw since then. images_to_one: how many take p from 0 to 1.
    """
    change = jnp.sign(jnp.asarray(signs_mean) - target) * images / images_to_one
    return jnp.clip(p + change, 0.0, 1.0).astype(jnp.float32)


# DiffAugment: an image is transformed as a whole, or not at all


def diff_color(key: Key, images: Array, p: ArrayLike) -> Array:
    """Brightness by -1/2 to 1/2, saturation by a factor of 0 to 2, contrast by a factor of 1/2 to 3/2."""
    gate, *keys = jax.random.split(key, 4)
    shape = (images.shape[0], 1, 1, 1)
    brightness, saturation, contrast = (draw(jax.random.uniform, each, shape) for each in keys)
    changed = images + (brightness - 0.5)
    grey = jnp.mean(changed, 3, keepdims=True)
    changed = grey + (changed - grey) * 2 * saturation
    mean = jnp.mean(changed, (1, 2, 3), keepdims=True)
    changed = mean + (changed - mean) * (contrast + 0.5)
    return jnp.where(draw(jax.random.uniform, gate, shape) < p, changed, images)


def diff_translation(key: Key, images: Array, p: ArrayLike) -> Array:
    """Moved along both axes by up to 1/8 of their length, whole pixels; 0 comes in from the border."""
    most = [math.floor(length / 8 + 0.5) for length in images.shape[1:3]]
    shifts = [
        _sometimes(each, p, images.shape[:1], 0, jax.random.randint, -pixels, pixels + 1)
        for each, pixels in zip(_same_gate(key, 2), most, strict=True)
    ]
    return _moved(images, jnp.stack(shifts, 1), most, "constant")


def diff_cutout(key: Key, images: Array, p: ArrayLike) -> Array:
    """A rectangle of half the height and half the width becomes 0. Its centre is anywhere in the image."""
    inside = jnp.ones((images.shape[0], 1, 1, 1), bool)
    for axis, each in enumerate(_same_gate(key, 2), 1):
        length = images.shape[axis]
        first = _sometimes(each, p, images.shape[:1], 2 * length, jax.random.randint, 0, length) - length // 4
        after = jnp.arange(length) - first[:, None]
        shape = [images.shape[0], 1, 1, 1]
        shape[axis] = length
        inside &= ((after >= 0) & (after < math.ceil(length / 2))).reshape(shape)
    return jnp.where(inside, 0.0, images)


# ADA: every transformation by itself, in the order of the paper


def ada_blit(key: Key, images: Array, p: ArrayLike) -> Array:
    """Pixels change places alone: mirrored, turned by a multiple of 90° where square, moved by up to 1/8."""
    flip_key, turn_key, move_key = jax.random.split(key, 3)
    rows, height, width, _ = images.shape

    def where(chosen: Array, one: Array, other: Array) -> Array:
        return jnp.where(chosen[:, None, None, None], one, other)

    mirrored = _sometimes(flip_key, p, (rows,), 0, jax.random.randint, 0, 2)
    images = where(mirrored == 1, images[:, :, ::-1], images)
    if height == width:
        quarters = _sometimes(turn_key, p, (rows,), 0, jax.random.randint, 0, 4)
        images = where(quarters % 2 == 1, jnp.rot90(images, axes=(1, 2)), images)
        images = where(quarters >= 2, images[:, ::-1, ::-1], images)
    share = _sometimes(move_key, p, (rows, 2), 0.0, jax.random.uniform, minval=-1 / 8, maxval=1 / 8)
    pixels = jnp.round(share * jnp.array([height, width])).astype(jnp.int32)
    return _moved(images, pixels, [round(height / 8), round(width / 8)], "reflect")


def ada_geometry(key: Key, images: Array, p: ArrayLike) -> Array:
    """Scaled, turned, stretched, turned again, and moved by fractions of pixels."""
    keys = jax.random.split(key, 5)
    rows, height, width, _ = images.shape
    # Two turns happen so that either of them does with probability p.
    turns = 1 - jnp.sqrt(1 - jnp.asarray(p, jnp.float32))

    def normal(key: Key, *shape: int) -> Array:
        return _sometimes(key, p, (rows, *shape), 0.0, jax.random.normal)

    def angle(key: Key) -> Array:
        return _sometimes(key, turns, (rows,), 0.0, jax.random.uniform, minval=-math.pi, maxval=math.pi)

    scale, stretch = (jnp.exp(0.2 * DOUBLE * normal(each)) for each in (keys[0], keys[2]))
    before, after = angle(keys[1]), angle(keys[3])
    right, down = (0.125 * normal(keys[4], 2) * jnp.array([width, height])).T
    # From a pixel of the result to where it was, so that the last transformation is undone first.
    origin = _product(
        _scaling(1 / scale, 1 / scale),
        _turning(-before),
        _scaling(1 / stretch, stretch),
        _turning(-after),
        _matrix([[1, 0, -right], [0, 1, -down], [0, 0, 1]]),
    )
    moved = jnp.any(origin != jnp.eye(3), (1, 2))
    return jnp.where(moved[:, None, None, None], _resampled(images, origin), images)


def ada_color(key: Key, images: Array, p: ArrayLike) -> Array:
    """Brightness, contrast, luma flipped about mid-grey, and, of RGB, hue turned and saturation.

    Raises ConfigError for images of other than 1 or 3 channels.
    """
    rows, channels = images.shape[0], images.shape[3]
    if channels not in (1, 3):
        raise ConfigError(
            f"method.augmentation: ada_color takes grey images or RGB, not images of {channels} channels: leave it out."
        )
    keys = jax.random.split(key, 5)

    def normal(key: Key) -> Array:
        return _sometimes(key, p, (rows,), 0.0, jax.random.normal)

    brightness, contrast = 0.2 * normal(keys[0]), jnp.exp(0.5 * DOUBLE * normal(keys[1]))
    flipped = _sometimes(keys[2], p, (rows,), 0, jax.random.randint, 0, 2)
    brightened = images + brightness[:, None, None, None]
    if channels == 1:
        return brightened * (contrast * (1 - 2 * flipped))[:, None, None, None]
    hue = _sometimes(keys[3], p, (rows,), 0.0, jax.random.uniform, minval=-math.pi, maxval=math.pi)
    saturation = jnp.exp(DOUBLE * normal(keys[4]))
    colours = _product(
        _about_grey(1, saturation, 0),
        _about_grey(1, jnp.cos(hue), jnp.sin(hue)),
        _about_grey(1 - 2 * flipped, 1, 0),
        _scaling(contrast, contrast, contrast),
    )
    return jnp.sum(colours[:, None, None] * brightened[..., None, :], -1)


AUGMENTATIONS: Mapping[str, Augmentation] = {
    each.__name__: each for each in (diff_color, diff_translation, diff_cutout, ada_blit, ada_geometry, ada_color)
}


# What they are made of


def _sometimes(
    key: Key | tuple[Key, Key], p: ArrayLike, shape: tuple[int, ...], neutral: float, sampler: Callable, *args, **kwargs
) -> Array:
    """A draw of `sampler` for each image with probability p, else `neutral`. [B, ...]."""
    gate, value = jax.random.split(key) if isinstance(key, jax.Array) else key
    happens = draw(jax.random.uniform, gate, (shape[0], *(1,) * (len(shape) - 1))) < p
    return jnp.where(happens, draw(sampler, value, shape, *args, **kwargs), neutral)


def _same_gate(key: Key, count: int) -> list[tuple[Key, Key]]:
    """Keys for `_sometimes` by which that many draws happen together."""
    gate, *values = jax.random.split(key, count + 1)
    return [(gate, value) for value in values]


def _moved(images: Array, pixels: Array, most: Sequence[int], border: str) -> Array:
    """Each image moved down and right by pixels [B, 2], int32, at most so many along each axis."""
    padded = jnp.pad(images, ((0, 0), *((pad, pad) for pad in most), (0, 0)), mode=border)

    def window(image: Array, start: Array) -> Array:
        return jax.lax.dynamic_slice(image, (start[0], start[1], 0), images.shape[1:])

    return jax.vmap(window)(padded, jnp.array(most) - pixels)


def _resampled(images: Array, origin: Array) -> Array:
    """Images whose pixels come from elsewhere.

    origin: [B, 3, 3], (x, y, 1) in pixels from the image's centre -> the same of where a pixel's value is found.
    """
    height, width = images.shape[1:3]
    y, x = (jnp.arange(length) - (length - 1) / 2 for length in (height, width))
    (to_x, to_y) = (
        origin[:, i, 0, None, None] * x + origin[:, i, 1, None, None] * y[:, None] + origin[:, i, 2, None, None]
        for i in range(2)
    )

    def plane(values: Array, y: Array, x: Array) -> Array:
        return map_coordinates(values, [y + (height - 1) / 2, x + (width - 1) / 2], order=1, mode="mirror")

    return jax.vmap(jax.vmap(plane, (2, None, None), 2))(images, to_y, to_x)


def _matrix(rows: Sequence[Sequence[ArrayLike]]) -> Array:
    """[B, n, n] of entries [B], or one number for all."""
    flat = jnp.broadcast_arrays(*(jnp.asarray(entry, jnp.float32) for row in rows for entry in row))
    return jnp.stack(flat, -1).reshape(*flat[0].shape, len(rows), len(rows))


def _product(*matrices: Array) -> Array:
    return functools.reduce(functools.partial(jnp.matmul, precision="highest"), matrices)


def _scaling(*factors: ArrayLike) -> Array:
    """Along each axis; what is left of three is homogeneous."""
    x, y, z = (*factors, 1)[:3]
    return _matrix([[x, 0, 0], [0, y, 0], [0, 0, z]])


def _turning(angle: Array) -> Array:
    """From x to y, in radians."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return _matrix([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _about_grey(along: ArrayLike, across: ArrayLike, turn: ArrayLike) -> Array:
    """On RGB: the grey part times `along`, the rest times `across`, and `turn` times the rest turned by 90°."""
    third, side = (jnp.asarray(along) - across) / 3, jnp.asarray(turn) / math.sqrt(3)
    same, next_, last = across + third, third - side, third + side
    return _matrix([[same, next_, last], [last, same, next_], [next_, last, same]])
