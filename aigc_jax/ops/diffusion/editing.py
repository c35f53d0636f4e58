"""Editing with a denoiser that was trained for samples alone: observations, a start from an image, the flow both ways.

* Inpainting, super-resolution, deblurring, colour: D' = A⁺y + (I - A⁺A) D in every look, for what is seen of an image,
  y = A x. DDNM: Wang et al. 2022, arXiv:2212.00490, eq. 13.
* A variation of an image: samples from α x + σ ε on. SDEdit: Meng et al. 2022, arXiv:2108.01073, section 3.
* The noise of an image: the probability flow from data to noise. Song et al. 2021, arXiv:2011.13456, section 4.3.
* What lies between two images: the arc between their noises. Song, Meng & Ermon 2021, arXiv:2010.02502, section 5.3.

All is around `samplers.run`: what is seen changes D, what is begun from changes the table and the first x. Images are
float32 [n, H, W, C] in [-1, 1], whatever is said of x.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.ops.diffusion import samplers
from aigc_jax.ops.diffusion.process import Process
from aigc_jax.ops.diffusion.samplers import BASIS, E, Grid, Row, Table, X, Y
from aigc_jax.ops.diffusion.spacing import spaced

Images = Callable[[jax.Array], jax.Array]
LOOKS = 2048  # rows of the tables here; of a grid of T steps, at least 2 T
FAINTEST = 1e-3  # g² of a blur at which half of a frequency is left to the network: 8 bits say little of fainter ones
GREY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601, with which Pillow makes images grey
PARALLEL = 1e-4  # sines of angles below which an arc is taken for a line


class Observation(NamedTuple):
    """What is seen of an image x: y = A x, and the image A⁺y of the least norm that looks so."""

    measure: Images  # A: x -> y
    restore: Images  # A⁺: y -> float32 [n, H, W, C]
    picture: Images  # y as an image to look at, float32 [n, H, W, C]


def masked(kept: jax.Array | np.ndarray) -> Observation:
    """The pixels that are kept. kept: bool [H, W]. A = A⁺ sets the others to 0."""
    weights = jnp.asarray(kept, jnp.float32)[:, :, None]

    def only(x: jax.Array) -> jax.Array:
        return x * weights

    return Observation(only, only, only)


def shrunk(factor: int) -> Observation:
    """The means of squares of pixels: y [n, H / factor, W / factor, C]. A⁺ repeats each of them over its square."""

    def measure(x: jax.Array) -> jax.Array:
        n, height, width, channels = x.shape
        parts = x.reshape(n, height // factor, factor, width // factor, factor, channels)
        return jnp.mean(parts, axis=(2, 4))

    def restore(y: jax.Array) -> jax.Array:
        return jnp.repeat(jnp.repeat(y, factor, axis=1), factor, axis=2)

    return Observation(measure, restore, restore)


def blurred(deviation: float) -> Observation:
    """A Gaussian of this standard deviation in pixels, around the edges: y [n, H, W, C].

    With g the Fourier transform of the Gaussian, A multiplies frequencies with g. The pseudo-inverse 1 / g would raise
    what rounding has made of faint frequencies without limit. A⁺ here is regularised: it multiplies with
    g / (g² + `FAINTEST`). So A⁺A is no projection. It takes a share g² / (g² + `FAINTEST`) of each frequency from y,
    and leaves the rest to the network.
    """

    def by(x: jax.Array, multiplied: Callable[[jax.Array], jax.Array]) -> jax.Array:
        down, across = (jnp.fft.fftfreq(size) for size in x.shape[1:3])
        g = jnp.exp(-2 * (np.pi * deviation) ** 2 * (down[:, None] ** 2 + across**2))[:, :, None]
        return jnp.fft.ifft2(jnp.fft.fft2(x, axes=(1, 2)) * multiplied(g), axes=(1, 2)).real

    return Observation(lambda x: by(x, lambda g: g), lambda y: by(y, lambda g: g / (g**2 + FAINTEST)), lambda y: y)


def grey() -> Observation:
    """The grey of each pixel: x [n, H, W, 3] -> y [n, H, W, 1]. A⁺ is the colour of that grey with the least norm."""
    weights = jnp.array(GREY)

    def measure(x: jax.Array) -> jax.Array:
        return jnp.sum(x * weights, axis=-1, keepdims=True)

    def restore(y: jax.Array) -> jax.Array:
        return y * weights / jnp.sum(weights**2)

    return Observation(measure, restore, lambda y: jnp.repeat(y, 3, axis=-1))


def free(expected: jax.Array) -> jax.Array:
    """D' where nothing is seen: D itself."""
    return expected


def agreeing(observation: Observation, y: jax.Array, pad: int = 0) -> Images:
    """D -> D' = A⁺y + (I - A⁺A) D, with which every step of a sampler agrees with y.

    pad: pixels of black (-1) on every side of an image, which networks see and A does not.
    """
    seen = observation.restore(y)

    def agree(expected: jax.Array) -> jax.Array:
        height, width = expected.shape[1:3]
        inner = expected[:, pad : height - pad, pad : width - pad]
        inner = seen + (inner - observation.restore(observation.measure(inner)))
        return jnp.pad(inner, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=-1)

    return agree


def tail(grid: Grid, strength: float) -> Grid:
    """The last places of a grid, a share `strength` of its steps, to the nearest step."""
    begin = grid.steps - round(strength * grid.steps)
    return Grid(grid.t[begin:], grid.alpha[begin:], grid.sigma[begin:])


def no_steps() -> Table:
    """The table of a grid without steps."""
    none = np.zeros((0, BASIS))
    return Table(np.zeros(0), np.zeros((0, 2)), none, none, np.zeros(0), np.float64(0), 0)


def begin(process: Process, table: Table, x0: jax.Array, noise: jax.Array) -> jax.Array:
    """The x that a sampler begins at, α x_0 + σ ε at the first time of its table: SDEdit's.

    From the process's last time on it is the sampler's own, of noise alone. Without a step it is the image.
    table: of `tail`, on the device. x0: the image, noise: of N(0, I), [n, H, W, C] each.
    """
    time = table.time[0]
    alpha, _ = process.at(time, time)
    share = jnp.where(table.count == 0, 1.0, jnp.where(time == process.last, 0.0, alpha))
    return share * x0 + table.start * noise


def run(
    denoise: samplers.Denoise, process: Process, table: Table, keys: jax.Array, x0: jax.Array, noise: jax.Array
) -> jax.Array:
    """`samplers.run` from `begin` on: float32 [n, H, W, C]. keys: [n], of noise that steps add."""
    return samplers.run(denoise, table._replace(start=jnp.float32(1)), keys, begin(process, table, x0, noise))


class Ways(NamedTuple):
    """Tables of the probability flow: from data to noise, and back."""

    to_noise: Table
    to_data: Table


def ways(process: Process, steps: int) -> Ways:
    """Both through the same places, `steps` of them, with Heun's method: two looks between any two.

    They are equally spaced times; of `edm`, whose times are not bounded by 1, they are its paper's. The first place
    from the data has no noise yet: x = α x_0 there. Its σ / α is 1e-3 to 1e-2, and what is left out is its square.
    """
    if process.steps and steps > process.steps:
        raise ConfigError(f'"steps" is {steps}, of only {process.steps} "method.timesteps".')
    rows = max(LOOKS, 2 * process.steps)
    if not 2 <= steps <= rows // 2:
        raise ConfigError(f'"steps" is {steps}, and from data to noise it is 2 to {rows // 2}.')
    grid = spaced(process, "uniform" if process.steps or process.last == 1 else "karras", steps)
    back = Grid(*(column[-2::-1] for column in grid))
    there = samplers.table(trapezoids(back), float(grid.alpha[-2]))
    return Ways(there.padded(rows), samplers.table(trapezoids(grid), 1.0).padded(rows))


def trapezoids(grid: Grid) -> list[Row]:
    """Heun's method for dx = D dα + ε dσ, ε = (x - α D) / σ, along places in either order; to σ = 0 it is x = D.

    This form of the probability flow is finite at an α of 0, and needs no time.
    """
    rows = []
    for i in range(grid.steps):
        (alpha, alpha_next), (sigma, sigma_next) = grid.alpha[i : i + 2], grid.sigma[i : i + 2]
        if not sigma_next:
            rows.append(Row(grid.t[i], {E: 1.0}))
            continue
        rise, spread = alpha_next - alpha, sigma_next - sigma
        rows.append(Row(grid.t[i], {X: 1 + spread / sigma, E: rise - spread * alpha / sigma}))
        begun = {Y: 1 + spread / sigma / 2, E + 1: (rise - spread * alpha / sigma) / 2}
        ended = {X: spread / sigma_next / 2, E: (rise - spread * alpha_next / sigma_next) / 2}
        rows.append(Row(grid.t[i + 1], begun | ended))
    return rows


def follow(denoise: samplers.Denoise, table: Table, x: jax.Array) -> jax.Array:
    """The other end of the flow through x, by one of the `Ways`: float32 [n, H, W, C]."""
    keys = jax.random.split(jax.random.key(0), len(x))  # of noise, which these tables do not have
    return samplers.run(denoise, table, keys, x)


def sphere(start: jax.Array, end: jax.Array, n: int) -> jax.Array:
    """n points on the arc of a great circle from a to b: [*shape] each -> float32 [n, *shape].

    (sin((1 - s) θ) a + sin(s θ) b) / sin θ,    θ the angle between a and b, s = 0 … 1
    """
    shares = jnp.linspace(0, 1, n).reshape(n, *[1] * start.ndim)
    cosine = jnp.sum(start * end) / jnp.maximum(jnp.linalg.norm(start) * jnp.linalg.norm(end), 1e-12)
    angle = jnp.arccos(jnp.clip(cosine, -1, 1))
    near = jnp.sin(angle) < PARALLEL
    angle = jnp.where(near, 1.0, angle)
    first, second = jnp.sin((1 - shares) * angle) / jnp.sin(angle), jnp.sin(shares * angle) / jnp.sin(angle)
    return jnp.where(near, 1 - shares, first) * start + jnp.where(near, shares, second) * end
