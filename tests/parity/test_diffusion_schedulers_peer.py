"""Samplers against the schedulers of Hugging Face's diffusers: the same denoiser, the same places, every x on the way.

The denoiser is E[x_0 | x_t] of a mixture, in torch for theirs and in JAX for ours. Their t = 0 .. 999 are our t = 1 ..
1000. Settings of theirs that are not their defaults, or matter, stand in the tests.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import batch
from aigc_jax.ops.diffusion import parameterisation, samplers
from aigc_jax.ops.diffusion.process import process as named
from aigc_jax.ops.diffusion.samplers import Grid
from aigc_jax.ops.diffusion.spacing import spaced
from aigc_jax.weights import schedulers

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

SHARES, MEANS, STDS = np.array([0.3, 0.7]), np.array([-0.6, 0.4]), np.array([0.1, 0.3])
ROWS, SHAPE = 3, (4, 2)
STEPS = 12
DATA = (1.0, 0.0)  # α and σ of the data themselves


def of_ours(process):
    def denoise(x, t):
        alpha, sigma = process.at(t, t)
        apart, variance = x[..., None] - alpha * MEANS, (alpha * STDS) ** 2 + sigma**2
        share = jax.nn.softmax(jnp.log(SHARES) - 0.5 * jnp.log(variance) - 0.5 * apart**2 / variance)
        return jnp.sum(share * (MEANS + alpha * STDS**2 / variance * apart), -1)

    return denoise


def of_theirs(x, alpha, sigma):
    """The same in torch, float64."""
    means, stds = torch.tensor(MEANS), torch.tensor(STDS)
    apart, variance = x.double()[..., None] - alpha * means, (alpha * stds) ** 2 + sigma**2
    share = torch.softmax(torch.tensor(SHARES).log() - 0.5 * variance.log() - 0.5 * apart**2 / variance, -1)
    return (share * (means + alpha * stds**2 / variance * apart)).sum(-1)


def says(prediction, x, alpha, sigma):
    """What a network of theirs says of x = x_t."""
    x, x0 = x.double(), of_theirs(x, alpha, sigma)
    noise = (x - alpha * x0) / sigma
    said = {"epsilon": noise, "sample": x0, "v_prediction": alpha * noise - sigma * x0, "flow": noise - x0}
    return said[prediction].float()


@pytest.fixture(scope="module")
def start():
    return np.random.default_rng(0).normal(size=(ROWS, *SHAPE)).astype(np.float32)


KEYS = jax.random.split(jax.random.key(7), ROWS)


def ours(process, rows, start, most=9.0):
    """Every x that rows lead to, from the start as it is, with D clipped to `most`. -> [rows, ROWS, ...]."""
    denoise = lambda x, t: jnp.clip(of_ours(process)(x, t), -most, most)  # noqa: E731
    run = jax.jit(lambda table, x: samplers.run(denoise, table, KEYS, x))
    full = samplers.table(rows, 1.0).padded(len(rows))
    return np.stack([run(full._replace(count=np.int32(n + 1)), start) for n in range(len(rows))])


def noises(n):
    """What `samplers.run` draws at row n, for theirs."""
    return torch.tensor(np.asarray(batch.normals(batch.fold_in(KEYS, n), SHAPE)))


def places(process, scheduler, end=DATA):
    """Our grid of their times."""
    t = np.append(scheduler.timesteps.double().numpy() + 1, 0)
    alpha, sigma = process.on_host(t[:-1])
    return Grid(t, np.append(alpha, end[0]), np.append(sigma, end[1]))


def steps_of_theirs(scheduler, grid, start, prediction="epsilon", **options):
    """Every x of theirs, of schedulers whose x is x_t."""
    x, found = torch.tensor(start), []
    for i, t in enumerate(scheduler.timesteps):
        said = says(prediction, x, grid.alpha[i], grid.sigma[i])
        more = {"variance_noise": noises(i)} if "noisy" in options else {}
        x = scheduler.step(said, t, x, **more).prev_sample
        found.append(x.numpy())
    return np.stack(found)


def close(found, expected, most=1e-4):
    """Within a share of the largest value at each place."""
    size = np.abs(expected).reshape(len(expected), -1).max(1)
    apart = np.abs(found - expected).reshape(len(expected), -1).max(1) / size
    print(f"{apart.max():.1e} of {size.min():.2f} … {size.max():.2f}")
    assert found.shape == expected.shape and len(found) >= 5
    assert size.min() > 0.1
    assert apart.max() <= most, apart


SCHEDULES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("variance", ["small", "large"])
def test_ancestral_steps_are_ddpm_s(monkeypatch, start, variance, schedule, spacing):
    """With `clip_sample` off. The last step adds no noise here, and there none by the small variance or at their t = 0.

    That of the large one ends beside the data with "trailing": by σ of the last time, where algorithm 2 has z = 0. They
    read x_0 of the cosine, whose last α is 5e-5: of ε it is what float32 leaves.
    """
    prediction = "epsilon" if schedule == "linear" else "sample"
    process = named(schedule, 1000)
    scheduler = diffusers.DDPMScheduler(
        beta_schedule=SCHEDULES[schedule], variance_type=f"fixed_{variance}", clip_sample=False,
        timestep_spacing=spacing, prediction_type=prediction,
    )  # fmt: skip
    scheduler.set_timesteps(STEPS)
    grid = places(process, scheduler)
    drawn = iter(range(STEPS))
    module = diffusers.schedulers.scheduling_ddpm
    monkeypatch.setattr(module, "randn_tensor", lambda *shape, **options: noises(next(drawn)))
    expected = steps_of_theirs(scheduler, grid, start, prediction)
    if variance == "large" and spacing == "trailing":
        expected[-1] -= grid.sigma[-2] * noises(STEPS - 1).numpy()
    close(ours(process, samplers.ancestral(grid, variance == "large"), start), expected)
    assert next(drawn, STEPS) >= STEPS - 1


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("offset", [0, 1])
def test_euler_s_steps_are_ddim_s(start, prediction, offset):
    """With `clip_sample` off. Without `set_alpha_to_one` their last step ends at our t = 1, and not at the data."""
    process = named("linear", 1000)
    end = DATA if offset == 0 else tuple(process.on_host(1))
    scheduler = diffusers.DDIMScheduler(
        clip_sample=False, prediction_type=prediction, steps_offset=offset, set_alpha_to_one=offset == 0
    )
    scheduler.set_timesteps(20)
    grid = places(process, scheduler, end)
    close(ours(process, samplers.ddim(grid, 0.0), start), steps_of_theirs(scheduler, grid, start, prediction))


def test_ddim_s_noise_is_theirs(start):
    process, scheduler = named("linear", 1000), diffusers.DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(20)
    grid, x, expected = places(process, scheduler), torch.tensor(start), []
    for i, t in enumerate(scheduler.timesteps):
        said = says("epsilon", x, grid.alpha[i], grid.sigma[i])
        x = scheduler.step(said, t, x, eta=0.7, variance_noise=noises(i)).prev_sample
        expected.append(x.numpy())
    close(ours(process, samplers.ddim(grid, 0.7), start), np.stack(expected))


def by_ratio(name, process, start, looks=1, **settings):
    """(our grid, every x of theirs as ours) of schedulers whose x is x_t / α, that end at the data."""
    scheduler = getattr(diffusers, name)(**settings)
    scheduler.set_timesteps(STEPS)
    times = scheduler.timesteps.double().numpy()
    t = np.concatenate([times[:1], times[1::looks]]) + 1
    alpha, sigma = process.on_host(t)
    ratio = scheduler.sigmas.double().numpy()
    ratio = np.concatenate([ratio[:1], ratio[1::looks]])
    # Where they interpolate σ / α in t and we λ, the places are theirs: σ / α decides, and t is ours for it.
    if not np.allclose(sigma / alpha, ratio[:-1], rtol=1e-4):
        t = process.time(ratio[:-1])
        alpha, sigma = process.on_host(t)
    grid = Grid(np.append(t, 0), np.append(alpha, 1.0), np.append(sigma, 0.0))
    y, found = torch.tensor(start / np.float32(alpha[0])), []
    for i, time in enumerate(scheduler.timesteps):
        place = (i + 1) // 2 if looks == 2 else i  # their second look is at the end of the step
        x = scheduler.scale_model_input(y, time)
        assert np.allclose(x, y * alpha[place], rtol=1e-4)
        y = scheduler.step(says("epsilon", x, alpha[place], sigma[place]), time, y).prev_sample
        found.append((y * grid.alpha[(i // 2 if looks == 2 else i) + 1]).numpy())
    return grid, np.stack(found)


LINEAR = dict(beta_schedule="linear", beta_start=1e-4, beta_end=0.02)
SPACINGS = [dict(timestep_spacing="trailing"), dict(timestep_spacing="linspace"), dict(use_karras_sigmas=True)]


@pytest.mark.parametrize("settings", SPACINGS, ids=str)
def test_euler_s_steps_are_euler_discrete_s(start, settings):
    process = named("linear", 1000)
    grid, expected = by_ratio("EulerDiscreteScheduler", process, start, **LINEAR, **settings)
    close(ours(process, samplers.ddim(grid, 0.0), start), expected)


@pytest.mark.parametrize("settings", SPACINGS, ids=str)
def test_heun_s_steps_are_heun_discrete_s(start, settings):
    """At the ends of steps: between their looks x is ours but for its scale, which is the earlier time's there."""
    process = named("linear", 1000)
    grid, expected = by_ratio("HeunDiscreteScheduler", process, start, 2, **LINEAR, **settings)
    rows, deviation = samplers.heun(process, grid, samplers.Churn())
    assert len(rows) == 2 * STEPS - 1 == len(expected)
    assert deviation == pytest.approx(grid.sigma[0])
    close(ours(process, rows, start)[[*range(1, 2 * STEPS - 2, 2), -1]], expected[[*range(1, 2 * STEPS - 2, 2), -1]])


@pytest.mark.parametrize("settings", SPACINGS, ids=str)
def test_adams_s_steps_are_lms_discrete_s(start, settings):
    """Of order 4 both. They integrate by quadrature."""
    process = named("linear", 1000)
    grid, expected = by_ratio("LMSDiscreteScheduler", process, start, **LINEAR, **settings)
    close(ours(process, samplers.adams(grid), start), expected)


@pytest.mark.parametrize("steps", [8, 20])
@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("order", [2, 3])
def test_dpmpp_is_their_multistep_s(start, order, spacing, steps):
    """Of `solver_type` midpoint, to the data (`final_sigmas_type` zero), with `lower_order_final`."""
    process = named("linear", 1000)
    scheduler = diffusers.DPMSolverMultistepScheduler(**LINEAR, solver_order=order, timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    grid = places(process, scheduler)
    expected = steps_of_theirs(scheduler, grid, start)
    close(ours(process, samplers.dpmpp(grid, order, False), start), expected)


def test_their_other_solver_type_is_another_solver(start):
    process = named("linear", 1000)
    scheduler = diffusers.DPMSolverMultistepScheduler(**LINEAR, solver_type="heun")
    scheduler.set_timesteps(8)
    grid = places(process, scheduler)
    found, expected = ours(process, samplers.dpmpp(grid, 2, False), start), steps_of_theirs(scheduler, grid, start)
    close(found, expected, 0.2)
    assert np.abs(found - expected).max() > 1e-3


@pytest.mark.parametrize("steps", [8, 20])
def test_dpmpp_sde_is_their_multistep_s(start, steps):
    process = named("linear", 1000)
    scheduler = diffusers.DPMSolverMultistepScheduler(**LINEAR, algorithm_type="sde-dpmsolver++")
    scheduler.set_timesteps(steps)
    grid = places(process, scheduler)
    expected = steps_of_theirs(scheduler, grid, start, noisy=True)
    close(ours(process, samplers.dpmpp(grid, 2, True), start), expected)


@pytest.mark.parametrize("steps", [8, 20])
@pytest.mark.parametrize("order", [2, 3])
def test_unipc_is_theirs(start, order, steps):
    """Of `solver_type` bh2 with `lower_order_final`. Theirs corrects x as a look begins, and ours before the next."""
    process = named("linear", 1000)
    scheduler = diffusers.UniPCMultistepScheduler(**LINEAR, solver_order=order)
    scheduler.set_timesteps(steps)
    grid = places(process, scheduler)
    expected = steps_of_theirs(scheduler, grid, start)
    close(ours(process, samplers.unipc(grid, order), start), expected)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_euler_s_steps_are_flow_match_euler_s(start, shift):
    process = named("flow")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(STEPS)
    t = scheduler.sigmas.double().numpy()
    grid = Grid(t, 1 - t, t)
    expected = steps_of_theirs(scheduler, grid, start, "flow")
    close(ours(process, samplers.ddim(grid, 0.0), start), expected)


EDM = {"EDMEulerScheduler": lambda grid: samplers.ddim(grid, 0.0)}
EDM["EDMDPMSolverMultistepScheduler"] = lambda grid: samplers.dpmpp(grid, 2, False)


@pytest.mark.parametrize("name", EDM)
def test_edm_s_spacing_scales_and_steps_are_theirs(start, name):
    """By `spaced`, as a user asks for it, and the scales of `parameterisation`, with their σ_data = 0.5."""
    process, scheduler = named("edm"), getattr(diffusers, name)(sigma_data=parameterisation.DATA)
    scheduler.set_timesteps(STEPS)
    grid = spaced(process, "karras", STEPS)
    np.testing.assert_allclose(scheduler.sigmas, grid.sigma, rtol=1e-5)
    first = np.float32(grid.sigma[0]) * start
    x, expected = torch.tensor(first), []
    for i, time in enumerate(scheduler.timesteps):
        sigma = grid.sigma[i]
        scales = parameterisation.scales("edm", process, jnp.float32(sigma), jnp.float32(0))
        read = scheduler.scale_model_input(x, time)
        assert np.allclose(read, x * float(scales.into), rtol=1e-4)
        assert float(time) == pytest.approx(np.log(sigma) / 4, abs=1e-4)
        said = ((of_theirs(x, 1.0, sigma) - float(scales.skip) * x) / float(scales.out)).float()
        x = scheduler.step(said, time, x).prev_sample
        expected.append(x.numpy())
    close(ours(process, EDM[name](grid), first), np.stack(expected))


@pytest.mark.parametrize("name", ["DDPMScheduler", "DDIMScheduler"])
def test_clipped_steps_are_theirs(monkeypatch, start, name):
    """DDIM's with `use_clipped_model_output`: the noise is then the one that takes the clipped x_0 to x, as here."""
    process, most = named("linear", 1000), 0.4
    scheduler = getattr(diffusers, name)(clip_sample_range=most)
    scheduler.set_timesteps(20)
    grid, x, expected = places(process, scheduler), torch.tensor(start), []
    drawn = iter(range(20))
    monkeypatch.setattr(
        diffusers.schedulers.scheduling_ddpm, "randn_tensor", lambda *shape, **options: noises(next(drawn))
    )
    for i, t in enumerate(scheduler.timesteps):
        more = {"use_clipped_model_output": True} if name == "DDIMScheduler" else {}
        x = scheduler.step(says("epsilon", x, grid.alpha[i], grid.sigma[i]), t, x, **more).prev_sample
        expected.append(x.numpy())
    rows = samplers.ddim(grid, 0.0) if name == "DDIMScheduler" else samplers.ancestral(grid, False)
    close(ours(process, rows, start, most), np.stack(expected))
    assert np.abs(ours(process, rows, start)[-1]).max() > most == pytest.approx(np.abs(expected[-1]).max())


READ = [  # class, settings, steps, our sampler and spacing; "" = a file
    ("DDPMScheduler", {}, 1000, "ancestral", "uniform"),
    ("DDPMScheduler", dict(timestep_spacing="linspace"), 12, "ancestral", "uniform"),
    ("DDPMScheduler", {}, 12, "ancestral", ""),
    (
        "DDPMScheduler",
        dict(timestep_spacing="trailing", beta_schedule="squaredcos_cap_v2"),
        12,
        "ancestral",
        "trailing",
    ),
    ("DDIMScheduler", dict(steps_offset=1), 20, "ddim", ""),
    ("DDIMScheduler", dict(timestep_spacing="trailing"), 20, "ddim", "trailing"),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing"), 30, "euler", "trailing"),
    ("EulerDiscreteScheduler", dict(timestep_spacing="linspace"), 28, "euler", "uniform"),
    ("HeunDiscreteScheduler", dict(timestep_spacing="leading", beta_start=1e-4, beta_end=0.02), 12, "heun", ""),
    ("LMSDiscreteScheduler", dict(timestep_spacing="trailing"), 12, "adams", "trailing"),
    ("DPMSolverMultistepScheduler", {}, 12, "dpmpp_2m", ""),
    ("DPMSolverMultistepScheduler", dict(timestep_spacing="leading", solver_order=3), 20, "dpmpp_3m", ""),
    ("UniPCMultistepScheduler", dict(timestep_spacing="trailing"), 12, "unipc", "trailing"),
    ("UniPCMultistepScheduler", {}, 9, "unipc", ""),
    ("FlowMatchEulerDiscreteScheduler", {}, 28, "euler", "uniform"),
    ("FlowMatchEulerDiscreteScheduler", dict(shift=3.0), 28, "euler", ""),
    ("EDMEulerScheduler", {}, 18, "euler", "karras"),
    ("EDMDPMSolverMultistepScheduler", dict(sigma_schedule="exponential"), 18, "dpmpp_2m", "log_snr"),
]


@pytest.mark.parametrize(("name", "settings", "steps", "sampler", "spacing"), READ)
def test_their_files_are_read(tmp_path, name, settings, steps, sampler, spacing):
    """Every key that they write is known, and the places that our keys lead to are theirs."""
    scheduler = getattr(diffusers, name)(**settings)
    scheduler.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "scheduler_config.json").read_text())
    scheduler.set_timesteps(steps)
    path = tmp_path / "times.txt"
    path.write_text("\n".join(map(str, schedulers.times(config, steps))))
    found = schedulers.keys(config, steps, str(path))
    assert (found["sample.sampler"], found["sample.spacing"]) == (sampler, spacing or str(path))
    process = named(found["method.schedule"], found["method.timesteps"])
    grid = spaced(process, found["sample.spacing"], steps)
    if process.steps:
        theirs = scheduler.timesteps.numpy() + 1
        np.testing.assert_array_equal(grid.t[:-1], theirs if sampler != "heun" else [theirs[0], *theirs[1::2]])
    else:
        np.testing.assert_allclose(grid.sigma, scheduler.sigmas, rtol=1e-5)
