"""Samplers: tables of coefficients, and the loop that they share.

A row of a table is one look at the network, D = denoise(x, t), the expected x_0. With the looks before it,

    e = p x + q D,    y <- A · (x, y, e, e_1, e_2, e_3),    x <- B · (x, y, e, e_1, e_2, e_3) + noise z

where e_k is the e of k rows ago, y a second state, and z ~ N(0, I). Every sampler here is linear in these, and so a
table is data: one program samples with any of them, any number of steps and any spacing.

| name | source |
|---|---|
| `ancestral` | Ho et al. 2020, arXiv:2006.11239, algorithm 2 |
| `ddim` | Song, Meng & Ermon 2021, arXiv:2010.02502 |
| `euler` | the same without its noise: Euler's method for the probability flow |
| `heun` | Karras et al. 2022, arXiv:2206.00364, algorithm 2: two looks a step |
| `adams` | Adams & Bashforth's linear multistep, of order 4 |
| `dpmpp_2m`, `dpmpp_3m`, `dpmpp_2m_sde` | DPM-Solver++: Lu et al. 2022, arXiv:2211.01095 |
| `unipc` | Zhao et al. 2023, arXiv:2302.04867 |
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.ops import batch
from aigc_jax.ops.diffusion.process import Process

Denoise = Callable[[jax.Array, jax.Array], jax.Array]
"""(x_t [B, ...], t float32 scalar) -> the expected x_0 [B, ...]."""
Name = Literal["ancestral", "ddim", "euler", "heun", "adams", "dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "unipc"]

KEPT = 3  # e_1 .. e_3
BASIS = 3 + KEPT  # x, y, e, e_1, e_2, e_3
X, Y, E = 0, 1, 2  # places in it
FAINT = 1e-3  # α / σ below which σ / α is no measure of time


class Table(NamedTuple):
    """A sampler, one entry a row. Arrays of NumPy on the host, of JAX in a program."""

    time: Any  # float [rows]: t
    look: Any  # float [rows, 2]: p, q
    other: Any  # float [rows, BASIS]: A
    state: Any  # float [rows, BASIS]: B
    noise: Any  # float [rows]
    start: Any  # float: the deviation of the first x
    count: Any  # int: the rows; those beyond them are not taken

    def padded(self, rows: int) -> "Table":
        """The same in single precision, filled up to so many rows."""

        def fill(column: np.ndarray) -> np.ndarray:
            rest = [(0, rows - len(column))] + [(0, 0)] * (column.ndim - 1)
            return np.pad(column, rest).astype(np.float32)

        time, look, other, state, noise = (fill(np.asarray(column)) for column in self[:5])
        return Table(time, look, other, state, noise, np.float32(self.start), np.int32(self.count))


class Grid(NamedTuple):
    """The places that a sampler goes through, from noise to data: t, α and σ in float64, one more than steps."""

    t: np.ndarray
    alpha: np.ndarray
    sigma: np.ndarray

    @property
    def steps(self) -> int:
        return len(self.t) - 1

    @property
    def ratio(self) -> np.ndarray:
        """σ / α, infinite where α is 0."""
        with np.errstate(divide="ignore"):
            return self.sigma / self.alpha

    @property
    def log_snr(self) -> np.ndarray:
        """λ = log(α / σ), infinite at either end."""
        with np.errstate(divide="ignore"):
            return np.log(self.alpha) - np.log(self.sigma)


class Row(NamedTuple):
    """What a sampler says of one look. other, state: coefficients by their places in the basis."""

    time: float
    state: Mapping[int, float]
    other: Mapping[int, float] = {X: 1.0}
    look: tuple[float, float] = (0.0, 1.0)
    noise: float = 0.0


class Step(NamedTuple):
    """From (t, α, σ) to the next α and σ. h: the rise of λ, infinite to the data and from an α of 0."""

    t: float
    alpha: float
    sigma: float
    alpha_next: float
    sigma_next: float
    h: float


def steps_of(grid: Grid) -> list[Step]:
    """The steps of a grid."""
    with np.errstate(invalid="ignore"):
        rises = np.diff(grid.log_snr)
    columns = grid.t[:-1], grid.alpha[:-1], grid.sigma[:-1], grid.alpha[1:], grid.sigma[1:], rises
    return [Step(*map(float, each)) for each in zip(*columns, strict=True)]


def table(rows: list[Row], start: float) -> Table:
    """Rows as arrays. start: the deviation of the first x."""

    def vector(entries: Mapping[int, float]) -> np.ndarray:
        found = np.zeros(BASIS)
        found[list(entries)] = list(entries.values())
        return found

    return Table(
        np.array([row.time for row in rows]),
        np.array([row.look for row in rows]),
        np.stack([vector(row.other) for row in rows]),
        np.stack([vector(row.state) for row in rows]),
        np.array([row.noise for row in rows]),
        np.float64(start),
        len(rows),
    )


def named(name: Name, process: Process, grid: Grid, large: bool, eta: float, churn: float) -> Table:
    """The table of a sampler. large: variance, of ancestral. eta: of ddim. churn: S_churn, of heun."""
    start = process.prior if grid.t[0] == process.last else grid.sigma[0]
    if name == "heun":
        rows, noisier = heun(process, grid, Churn(churn))
        return table(rows, start * noisier / grid.sigma[0])
    if name == "ancestral":
        rows = ancestral(grid, large)
    elif name in ("ddim", "euler"):
        rows = ddim(grid, eta if name == "ddim" else 0.0)
    elif name == "adams":
        rows = adams(grid)
    elif name == "unipc":
        rows = unipc(grid)
    else:
        rows = dpmpp(grid, 3 if name == "dpmpp_3m" else 2, name == "dpmpp_2m_sde")
    return table(rows, start)


def _beta(step: Step) -> tuple[float, float]:
    """α and σ² of x_t given the x_s that the step ends at."""
    kept = step.alpha / step.alpha_next
    return kept, step.sigma**2 - kept**2 * step.sigma_next**2


def ancestral(grid: Grid, large: bool) -> list[Row]:
    """Ho et al. 2020 (arXiv:2006.11239), algorithm 2, between any two times.

    large: whether the variance is that of x_t given x_s, and not the posterior's; they are the best for normal data and
    for data at a point (section 3.2). The last step adds no noise.
    """
    rows = []
    for step in steps_of(grid):
        kept, beta = _beta(step)
        shrunk = step.sigma_next**2 / step.sigma**2
        variance = (beta if large else shrunk * beta) if step.sigma_next else 0.0
        state = {X: kept * shrunk, E: step.alpha_next * beta / step.sigma**2}
        rows.append(Row(step.t, state, noise=float(np.sqrt(variance))))
    return rows


def ddim(grid: Grid, eta: float) -> list[Row]:
    """Song, Meng & Ermon 2021 (arXiv:2010.02502), eq. 12 with σ of eq. 16.

    eta: 0 is deterministic given the first x, 1 is `ancestral` with the small variance. With 0 it is Euler's method for
    the probability flow in σ / α, and in t where α = 1 - σ. ε is the one that takes D to x, also where D was clipped.
    """
    rows = []
    for step in steps_of(grid):
        noise = eta * np.sqrt(_beta(step)[1]) * step.sigma_next / step.sigma
        direction = np.sqrt(step.sigma_next**2 - noise**2) / step.sigma
        state = {X: direction, E: step.alpha_next - direction * step.alpha}
        rows.append(Row(step.t, state, noise=float(noise)))
    return rows


def _line(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """(c, v) at each place: y = x / c is a straight line y = D + v ε' for constant D, and dy/dv = (y - D) / v.

    v = σ / α with c = α, as in Karras et al. 2022; where the first x is nearly noise alone, v = σ / (α + σ).
    """
    scale = grid.alpha if grid.alpha[0] > FAINT * grid.sigma[0] else grid.alpha + grid.sigma
    return scale, grid.sigma / scale


class Churn(NamedTuple):
    """Noise that is added before a look (Karras et al. 2022, arXiv:2206.00364, algorithm 2)."""

    amount: float = 0.0  # S_churn
    least: float = 0.0  # S_tmin, of σ / α
    most: float = np.inf  # S_tmax
    noise: float = 1.0  # S_noise


def heun(process: Process, grid: Grid, churn: Churn) -> tuple[list[Row], float]:
    """Karras et al. 2022, algorithm 2: two looks a step but the last. -> (rows, the deviation of the first x)."""
    scale, v = _line(grid)
    limit = min(churn.amount / grid.steps, np.sqrt(2) - 1)
    raised = np.where((v[:-1] >= churn.least) & (v[:-1] <= churn.most), v[:-1] * (1 + limit), v[:-1])
    times, alphas = grid.t[:-1].copy(), scale[:-1].copy()
    moved = raised > v[:-1]
    times[moved] = process.time(raised[moved])
    alphas[moved] = process.on_host(times[moved])[0]
    added = churn.noise * np.sqrt(raised**2 - v[:-1] ** 2)  # to y, before look i
    rows: list[Row] = []
    for i in range(grid.steps):
        r, after = v[i + 1] / raised[i], scale[i + 1]
        into = after * added[i + 1] if i + 1 < grid.steps else 0.0
        rescaled = alphas[i + 1] / after if i + 1 < grid.steps else 1.0
        euler = {X: after * r / alphas[i], E: after * (1 - r)}
        if not v[i + 1]:
            rows.append(Row(times[i], euler))
            continue
        rows.append(Row(times[i], euler))
        corrected = {Y: after * r / alphas[i], E + 1: after * (1 - r) * (2 - 1 / r) / 2, E: after * (1 / r - 1) / 2}
        corrected = {place: rescaled * each for place, each in corrected.items()}
        rows.append(Row(grid.t[i + 1], corrected, noise=float(rescaled * into)))
    start = alphas[0] * np.sqrt((grid.sigma[0] / scale[0]) ** 2 + added[0] ** 2)
    return rows, float(start)


def adams(grid: Grid, order: int = 4) -> list[Row]:
    """Linear multistep of Adams & Bashforth in σ / α: polynomials through the last slopes, integrated exactly."""
    scale, v = _line(grid)
    rows = []
    for i in range(grid.steps):
        nodes = v[i - min(order, i + 1) + 1 : i + 1][::-1] - v[i]  # about v_i: far from 0, powers of v lose digits
        state = {X: scale[i + 1] / scale[i]}
        for k, node in enumerate(nodes):
            others = np.delete(nodes, k)
            integral = np.polyint(np.atleast_1d(np.poly(others)) / np.prod(node - others))
            state[E + k] = scale[i + 1] * np.polyval(integral, v[i + 1] - v[i])
        rows.append(Row(grid.t[i], state, look=(1 / grid.sigma[i], -1 / v[i])))
    return rows


def dpmpp(grid: Grid, order: int, noisy: bool) -> list[Row]:
    """DPM-Solver++ (Lu et al. 2022, arXiv:2211.01095), multistep, of order 2 or 3; noisy: its SDE, of order 2.

    As the authors have it, the first steps have lower orders, as has the last, which ends at the data; with fewer than
    15 steps the one before it has order 2.
    """
    steps, rows = steps_of(grid), []
    for i, step in enumerate(steps):
        last = len(steps) - 1 - i
        now = min(order, i + 1, 1 if not step.sigma_next else 2 if last == 1 and len(steps) < 15 else 3)
        h = step.h
        passed = -np.expm1(-h * (2 if noisy else 1))  # 1 - e^-h
        ratios = [steps[i - k].h / h for k in range(1, now)]
        e = np.zeros(3)  # of D and those before it
        e[0] = passed
        if now >= 2 and np.isfinite(ratios[0]):
            first = np.array([1.0, -1.0, 0.0]) / ratios[0]  # D' h, by one difference
            if now == 2 or not np.isfinite(ratios[1]):
                e += 0.5 * passed * first
            else:
                second = np.array([0.0, 1.0, -1.0]) / ratios[1]
                bend = (first - second) / (ratios[0] + ratios[1])
                e += (1 - passed / h) * (first + ratios[0] * bend) + (0.5 - (h - passed) / h**2) * bend
        kept = step.sigma_next / step.sigma * (np.exp(-h) if noisy else 1)
        state = {X: kept} | {E + k: step.alpha_next * each for k, each in enumerate(e[:now])}
        noise = step.sigma_next * np.sqrt(-np.expm1(-2 * h)) if noisy else 0.0
        rows.append(Row(step.t, state, noise=float(noise)))
    return rows


def unipc(grid: Grid, order: int = 2) -> list[Row]:
    """UniPC (Zhao et al. 2023, arXiv:2302.04867) with B(h) = e^h - 1: every look corrects the step that led to it."""
    steps, rows = steps_of(grid), []
    before = 0  # the order of the step that led here
    for i, step in enumerate(steps):
        x: dict[int, float] = {X: 1.0}
        if before:
            x = _uni(steps, i - 1, before, True)
        known = next((k for k in range(i) if not np.isfinite(steps[i - 1 - k].h)), i)  # looks before, at an α above 0
        now = min(order, known + 1, len(steps) - i)
        forward = _uni(steps, i, now, False)
        state = {place: forward.get(place, 0.0) for place in range(E, BASIS)}
        for place, each in x.items():  # the step begins at the corrected x
            state[place] = state.get(place, 0.0) + forward[X] * each
        rows.append(Row(step.t, state, other=x))
        before = now
    return rows


def _uni(steps: list[Step], i: int, order: int, correct: bool) -> dict[int, float]:
    """The coefficients of step i: of its x under X, or Y where it corrects; of looks, the newest first, under E …

    Where it corrects, the newest look is at the end of the step, else at its beginning.
    """
    step = steps[i]
    h = step.h
    passed = np.expm1(-h)  # e^-h - 1
    places = np.array([-sum(steps[i - j].h for j in range(1, k + 1)) / h for k in range(1, order)] + [1.0])
    powers, moments, moment, factorial = [], [], -passed / h - 1 if np.isfinite(h) else -1.0, 1.0
    for k in range(1, order + 1):
        powers.append(places ** (k - 1))
        moments.append(moment * factorial / passed)
        factorial *= k + 1
        moment = moment / -h - 1 / factorial if np.isfinite(h) else -1 / factorial
    base = int(correct)  # looks before the step's beginning come after one that is newer
    found = {Y if correct else X: step.sigma_next / step.sigma, E + base: -step.alpha_next * passed}
    if correct:
        weights = [0.5] if order == 1 else np.linalg.solve(np.stack(powers), moments)
    elif order == 1:
        weights = []
    elif order == 2:
        weights = [0.5]
    else:
        weights = np.linalg.solve(np.stack(powers)[:-1, :-1], moments[:-1])
    for k, weight in enumerate(weights):
        newest = correct and k == order - 1
        place = E if newest else E + base + k + 1
        gain = -step.alpha_next * passed * weight / (1.0 if newest else places[k])
        found[place] = found.get(place, 0.0) + gain
        found[E + base] -= gain
    return found


def run(denoise: Denoise, table: Table, keys: jax.Array, x: jax.Array) -> jax.Array:
    """x_0 from a draw x of N(0, I) [n, ...]. An example's noise of row i depends on (its key, i) only. keys: [n]."""
    columns = [jnp.asarray(column, jnp.float32) for column in table[:5]]

    def row(i: jax.Array, carried: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        time, look, other, state, noise = (column[i] for column in columns)
        x, y, *kept = carried
        e = look[1] * denoise(x, time) + look[0] * x
        basis = x, y, e, *kept

        def sum_of(coefficients: jax.Array) -> jax.Array:
            total = coefficients[E] * e + coefficients[X] * x
            for place in (Y, *range(E + 1, BASIS)):
                total = total + coefficients[place] * basis[place]
            return total

        def noised(x: jax.Array) -> jax.Array:
            return x + noise * batch.normals(batch.fold_in(keys, i), x.shape[1:])

        moved = jax.lax.cond(noise > 0, noised, lambda x: x, sum_of(state))
        return moved, sum_of(other), e, *kept[:-1]

    x = jnp.float32(table.start) * x
    return jax.lax.fori_loop(0, table.count, row, (x, *[jnp.zeros_like(x)] * (1 + KEPT)))[0]
