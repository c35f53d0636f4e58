"""Spacings: the times that a sampler looks at, from noise to data.

| name | times | source |
|---|---|---|
| `uniform` | equal steps from the last time to the first | Song et al. 2021, arXiv:2010.02502, appendix D.2 |
| `trailing` | equal steps from the last time to the data | Lin et al. 2023, arXiv:2305.08891, section 3.3 |
| `karras` | equal steps of (σ / α)^(1/7) | Karras et al. 2022, arXiv:2206.00364, eq. 5 |
| `log_snr` | equal steps of log(σ / α) | Lu et al. 2022, arXiv:2206.00927, section 3.4 |

Any other name is that of a file, with a time in each line. The times of a process with a grid are rounded to it.
"""

from pathlib import Path

import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.ops.diffusion.process import Process
from aigc_jax.ops.diffusion.samplers import FAINT, Grid

NAMES = ("uniform", "trailing", "karras", "log_snr")
RHO = 7.0  # of `karras`


def spaced(process: Process, name: str, steps: int) -> Grid:
    """The places of so many steps. Raises ConfigError for a file that has no such times."""
    if name in ("uniform", "trailing"):
        t = np.linspace(process.last, process.first if name == "uniform" else 0.0, steps + (name == "trailing"))
        t = t[:steps]
    elif name in NAMES:
        t = _by_ratio(process, name, steps)
    else:
        t = _read(process, name, steps)
    if process.steps:
        t = np.rint(t)
        if steps > process.steps or (np.diff(t) >= 0).any() or t[-1] < 1:
            t = _apart(t, process.steps)
    t = np.append(t, 0.0)
    alpha, sigma = process.on_host(t[:-1])
    return Grid(t, np.append(alpha, 1.0), np.append(sigma, 0.0))


def _by_ratio(process: Process, name: str, steps: int) -> np.ndarray:
    """Times whose σ / α are spaced so. The last may have an infinite one, which counts as 1 / FAINT."""
    (alpha, sigma), (alpha_first, sigma_first) = process.on_host(process.last), process.on_host(process.first)
    most, least = sigma / max(alpha, FAINT * sigma), sigma_first / alpha_first
    share = np.linspace(0, 1, steps)
    if name == "karras":
        ratio = (most ** (1 / RHO) + share * (least ** (1 / RHO) - most ** (1 / RHO))) ** RHO
    else:
        ratio = most * (least / most) ** share
    t = process.time(ratio)
    t[0] = process.last
    return t


def _apart(t: np.ndarray, steps: int) -> np.ndarray:
    """The nearest whole times that all differ: the spacing has more of them in a place than the grid."""
    for i in range(1, len(t)):
        t[i] = min(t[i], t[i - 1] - 1)
    for i in range(len(t) - 1, -1, -1):
        t[i] = max(t[i], len(t) - i)
    return t


def _read(process: Process, name: str, steps: int) -> np.ndarray:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(f'"sample.spacing" is "{name}", which is neither {", ".join(NAMES)} nor a file of times.')
    try:
        t = np.array([float(line) for line in path.read_text("utf-8").split()])
    except (ValueError, OSError):
        raise ConfigError(f'"sample.spacing" is {path}, and not every line of it is a number.') from None
    if len(t) != steps:
        raise ConfigError(f"{path} has {len(t)} times: set --config.sample.steps={len(t)} in place of {steps}.")
    if not (np.isfinite(t).all() and (np.diff(t) < 0).all() and t[-1] > 0 and t[0] <= process.last):
        raise ConfigError(f"{path}: times have to fall from at most {process.last:g}, and stay above 0.")
    return t
