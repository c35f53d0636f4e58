"""Every sampler on normal data, whose best denoiser is known: orders, the law of the samples, the loop."""

import numpy as np
import pytest

from aigc_jax.ops.diffusion import samplers
from aigc_jax.ops.diffusion.process import process as named
from aigc_jax.ops.diffusion.samplers import Churn, Grid, table

MEAN, STD = 0.5, 0.3  # of the data
END = 0.1  # t where the errors are looked at
SOLVERS = {  # name -> (rows of a grid, the order that its error falls by: their first steps are of order 1 and 2)
    "ddim": (lambda p, g: samplers.ddim(g, 0.0), 1),
    "heun": (lambda p, g: samplers.heun(p, g, Churn())[0], 2),
    "adams_2": (lambda p, g: samplers.adams(g, 2), 2),
    "adams_4": (lambda p, g: samplers.adams(g, 4), 2),
    "dpmpp_2m": (lambda p, g: samplers.dpmpp(g, 2, False), 2),
    "dpmpp_3m": (lambda p, g: samplers.dpmpp(g, 3, False), 2),
    "unipc": (lambda p, g: samplers.unipc(g, 2), 2),
    "unipc_3": (lambda p, g: samplers.unipc(g, 3), 2),
}


def places(process, t):
    t = np.asarray(t, np.float64)
    return Grid(t, *process.on_host(t))


def denoised(process, x, t):
    """E[x_0 | x_t], float64."""
    alpha, sigma = process.on_host(np.array(t))
    return MEAN + alpha * STD**2 / (alpha**2 * STD**2 + sigma**2) * (x - alpha * MEAN)


def solved(process, found, x):
    """The loop in float64."""
    y, kept = np.zeros_like(x), [np.zeros_like(x)] * samplers.KEPT
    for time, (p, q), other, state in zip(*found[:4], strict=True):
        e = p * x + q * denoised(process, x, time)
        basis = np.stack([x, y, e, *kept])
        x, y, kept = state @ basis, other @ basis, [e, *kept[:-1]]
    return x


def exact(grid, x):
    """The end of the probability flow that begins at x."""
    (a, s), (a_end, s_end) = ((grid.alpha[i], grid.sigma[i]) for i in (0, -1))
    z = (x - a * MEAN) / np.sqrt(a**2 * STD**2 + s**2)
    return a_end * MEAN + np.sqrt(a_end**2 * STD**2 + s_end**2) * z


@pytest.mark.parametrize("name", ["flow", "edm", "vp"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_errors_fall_by_the_order(name, solver):
    """From noise, also where α is 0 there, to a little noise, in ever more steps."""
    process, (rows_of, order) = named(name), SOLVERS[solver]
    start, errors = np.array([-1.3, 0.2, 1.7]), []
    for steps in (40, 160, 640):
        share = np.linspace(0, 1, steps + 1)
        t = (80 ** (1 / 7) + share * (END ** (1 / 7) - 80 ** (1 / 7))) ** 7 if name == "edm" else 1 - (1 - END) * share
        grid = places(process, t)
        x = start * grid.sigma[0]
        errors.append(np.abs(solved(process, table(rows_of(process, grid), 1.0), x) - exact(grid, x)).max())
    assert np.log2(errors[0] / errors[-1]) / 4 > order - 0.3, errors


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["flow", "edm", "vp", "trigonometric", "ve", "linear", "cosine"])
def test_all_end_at_the_data(name, solver):
    """40 steps to the data themselves: the deviation of the samples is nearly the data's."""
    process = named(name, 1000)
    t = np.append(
        np.linspace(process.last, process.first, 40)
        if process.steps
        else np.geomspace(process.last, process.first, 40),
        0,
    )
    alpha, sigma = process.on_host(t)
    grid = Grid(t, np.append(alpha[:-1], 1.0), np.append(sigma[:-1], 0.0))
    found = table(SOLVERS[solver][0](process, grid), 1.0)
    assert np.isfinite(np.concatenate([found.look.ravel(), found.other.ravel(), found.state.ravel()])).all()
    ends = solved(process, found, np.array([0.0, 1.0]) * process.prior)
    assert abs(ends[1] - ends[0]) == pytest.approx(STD, rel=0.15)
