"""Processes: α(t) and σ(t) of x_t = α(t) x_0 + σ(t) ε.

| name | α | σ | t | source |
|---|---|---|---|---|
| `linear` | sqrt(ᾱ_t), β from 1e-4 to 0.02 | sqrt(1 - ᾱ_t) | 1 .. T | Ho et al. 2020, arXiv:2006.11239, section 4 |
| `cosine` | sqrt(ᾱ_t), ᾱ a squared cosine | sqrt(1 - ᾱ_t) | 1 .. T | Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17 |
| `vp` | exp(-½ ∫β), β from 0.1 to 20 | sqrt(1 - α²) | (0, 1] | Song et al. 2021, arXiv:2011.13456, appendix B |
| `trigonometric` | cos(πt/2) | sin(πt/2) | (0, 1] | Albergo & Vanden-Eijnden 2023, arXiv:2209.15571 |
| `flow` | 1 - t | t | (0, 1] | Liu et al. 2022, arXiv:2209.03003; Lipman et al. 2023, arXiv:2210.02747 |
| `ve` | 1 | 0.01 · 5000^t | (0, 1] | Song et al. 2021, appendix C, for values in [-1, 1] |
| `edm` | 1 | t | 0.002 .. 80 | Karras et al. 2022, arXiv:2206.00364, table 1 |

The first two have a grid of T steps, and t = 0 is the data. Between its points λ is interpolated.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError

Name = Literal["linear", "cosine", "vp", "trigonometric", "flow", "ve", "edm"]
GRIDS = ("linear", "cosine")

BETA_FIRST, BETA_LAST = 1e-4, 0.02  # of `linear`, meant for T = 1000
COSINE_OFFSET, COSINE_BETA_MAX = 0.008, 0.999
VP_FIRST, VP_LAST = 0.1, 20.0
VE_LEAST, VE_MOST = 0.01, 50.0
EDM_LEAST, EDM_MOST = 0.002, 80.0
EARLIEST = 1e-3  # of times in (0, 1] that samplers evaluate at: σ is then about what 8 bits of the data are
CLOCK = 1000.0  # what networks read of times in (0, 1]: as many steps
EDM_CLOCK = CLOCK / 4  # times log σ (Karras et al. 2022, table 1, c_noise)
HALVINGS = 60  # of an interval of times: to double precision


@dataclass(frozen=True)
class Process:
    """α, σ and the clock of a process.

    formula: (t, numpy or jax.numpy) -> (α, σ), elementwise. clock: the same to what a network reads of t. first, last:
    the times next to the data and at noise that samplers use. prior: the standard deviation of x_last. steps: T of a
    grid, 0 = t is continuous.
    """

    formula: Callable[[Any, Any], tuple[Any, Any]]
    clock: Callable[[Any, Any], Any] = lambda t, xp: CLOCK * t
    first: float = EARLIEST
    last: float = 1.0
    prior: float = 1.0
    steps: int = 0

    def at(self, t: jax.Array, like: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(α, σ), float32, to be multiplied with `like` [B, ...]. t: [B] or a scalar."""
        alpha, sigma = self.formula(jnp.asarray(t), jnp)
        return _for(alpha, like), _for(sigma, like)

    def rates(self, t: jax.Array, like: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(dα/dt, dσ/dt) in the same way. t: float."""
        _, (alpha, sigma) = jax.jvp(lambda t: self.formula(t, jnp), (t,), (jnp.ones_like(t),))
        return _for(alpha, like), _for(sigma, like)

    def diffuse(self, x0: jax.Array, t: jax.Array, noise: jax.Array) -> jax.Array:
        """x_t of a standard normal draw. x0, noise: [B, ...], t: [B]."""
        alpha, sigma = self.at(t, x0)
        return alpha * x0 + sigma * noise

    def on_host(self, t: Any) -> tuple[np.ndarray, np.ndarray]:
        """(α, σ) in float64. t = 0 is the data itself."""
        return self.formula(np.asarray(t, np.float64), np)

    def time(self, ratio: np.ndarray) -> np.ndarray:
        """The t at which σ / α has these values, float64, by halving intervals."""
        low, high = (np.full(np.shape(ratio), end) for end in (self.first, self.last))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            alpha, sigma = self.on_host(middle)
            early = sigma < ratio * alpha
            low, high = np.where(early, middle, low), np.where(early, high, middle)
        return (low + high) / 2


def _for(values: jax.Array, like: jax.Array) -> jax.Array:
    values = values.astype(jnp.float32)
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim)) if values.ndim else values


def check(name: Name, steps: int) -> None:
    """Raises ConfigError where a process does not have so many steps."""
    if (name in GRIDS) != (steps > 0):
        right = "at least 2: its steps from data to noise" if name in GRIDS else "0: its time is continuous"
        raise ConfigError(f'"method.timesteps" is {steps}, and of method.schedule "{name}" it is {right}.')


def process(name: Name, steps: int = 0) -> Process:
    """The process of a name. steps: T, of those with a grid."""
    if name in GRIDS:
        return grid(alpha_bars(name, steps))
    if name == "vp":
        return Process(_vp)
    if name == "trigonometric":
        return Process(lambda t, xp: (xp.sin(0.5 * math.pi * (1 - t)), xp.sin(0.5 * math.pi * t)))
    if name == "flow":
        return Process(lambda t, xp: (1 - t, t))
    if name == "ve":
        return Process(lambda t, xp: (xp.ones_like(t), VE_LEAST * (VE_MOST / VE_LEAST) ** t), prior=VE_MOST)
    return Process(
        lambda t, xp: (xp.ones_like(t), t),
        lambda t, xp: EDM_CLOCK * xp.log(t),
        EDM_LEAST,
        EDM_MOST,
        prior=EDM_MOST,
    )


def _vp(t: Any, xp: Any) -> tuple[Any, Any]:
    exponent = -0.5 * t * (VP_FIRST + 0.5 * t * (VP_LAST - VP_FIRST))
    return xp.exp(exponent), xp.sqrt(-xp.expm1(2 * exponent))


def alpha_bars(name: Name, steps: int) -> np.ndarray:
    """ᾱ of a grid, float64 [T + 1], from ᾱ_0 = 1 downwards."""
    if name == "linear":
        beta = np.linspace(BETA_FIRST, BETA_LAST, steps)
    else:
        f = np.cos((np.arange(steps + 1) / steps + COSINE_OFFSET) / (1 + COSINE_OFFSET) * np.pi / 2) ** 2
        beta = np.minimum(1 - f[1:] / f[:-1], COSINE_BETA_MAX)
    return np.concatenate([[1.0], np.cumprod(1 - beta)])


def grid(alpha_bar: np.ndarray) -> Process:
    """The process of a table: ᾱ at t = 0 .. T.

    Tables are float64 on the host, because 1 - ᾱ_1 = 1e-4 keeps three digits in float32.
    """
    steps = len(alpha_bar) - 1
    alphas, sigmas = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    log_ratios = np.log(sigmas[1:]) - np.log(alphas[1:])

    def formula(t: Any, xp: Any) -> tuple[Any, Any]:
        whole = xp.rint(t).astype(xp.int32)
        known = xp.asarray(alphas)[whole], xp.asarray(sigmas)[whole]
        if xp is jnp and jnp.issubdtype(t.dtype, jnp.integer):
            return known
        ratio = xp.interp(t, xp.arange(1.0, steps + 1), xp.asarray(log_ratios))
        alpha = 1 / xp.sqrt(1 + xp.exp(2 * ratio))
        between = t != whole
        return xp.where(between, alpha, known[0]), xp.where(between, xp.exp(ratio) * alpha, known[1])

    return Process(formula, lambda t, xp: t, first=1.0, last=float(steps), steps=steps)
