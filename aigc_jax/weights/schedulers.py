"""Schedulers of Hugging Face's diffusers: scheduler_config.json as keys of the family `diffusion` and of its sampling.

| `_class_name` | `sample.sampler` |
|---|---|
| DDPMScheduler | ancestral |
| DDIMScheduler | ddim, with `eta` 0; clipped, it is theirs with `use_clipped_model_output` |
| EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, EDMEulerScheduler | euler |
| HeunDiscreteScheduler | heun |
| LMSDiscreteScheduler | adams |
| DPMSolverMultistepScheduler, EDMDPMSolverMultistepScheduler | euler, dpmpp_2m, dpmpp_3m, dpmpp_2m_sde |
| UniPCMultistepScheduler | unipc |

`tests/parity/test_diffusion_schedulers_peer.py` holds each against theirs. A value that asks for something else than a
sampler here does is refused, and so is a key that is not known, since it might. Their t = 0 … T - 1 is our 1 … T.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.ops.diffusion.process import BETA_FIRST, BETA_LAST, EDM_LEAST, EDM_MOST, Process, process
from aigc_jax.ops.diffusion.spacing import NAMES, spaced

Config = Mapping[str, Any]
Values = Mapping[str, tuple[Any, ...]]  # key -> the values that are computed here, their default first

SCHEDULES = {"linear": "linear", "squaredcos_cap_v2": "cosine"}
PREDICTIONS = {"epsilon": "noise", "sample": "data", "v_prediction": "velocity"}
VARIANCES = {"fixed_small": "small", "fixed_small_log": "small", "fixed_large": "large"}
ENDS = {"beta_start": BETA_FIRST, "beta_end": BETA_LAST}  # of "linear"
ANY: tuple[Any, ...] = ()  # of a key whose value is read as it is, or moves nothing

_OFF: Values = {
    "trained_betas": (None,),
    "rescale_betas_zero_snr": (False,),
    "thresholding": (False,),
    "dynamic_thresholding_ratio": ANY,
    "sample_max_value": ANY,
    "use_karras_sigmas": (False, None),  # whose places lie between whole steps
    "use_exponential_sigmas": (False, None),
    "use_beta_sigmas": (False, None),
    "final_sigmas_type": ("zero",),
}
_GRID: Values = {
    **_OFF,
    "num_train_timesteps": ANY,
    "beta_schedule": tuple(SCHEDULES),
    "beta_start": (BETA_FIRST,),
    "beta_end": (BETA_LAST,),
    "prediction_type": tuple(PREDICTIONS),
    "steps_offset": ANY,
}
_CLIPPED: Values = {"clip_sample": (True, False), "clip_sample_range": (1.0,)}
_FAST: Values = {"timestep_spacing": ("linspace", "leading", "trailing")}
_SLOW: Values = {"timestep_spacing": ("leading", "linspace", "trailing")}
_SHIFTS: Values = {"use_dynamic_shifting": (False,), "time_shift_type": ANY}
_FLOWS: Values = {**_SHIFTS, "use_flow_sigmas": (False,), "flow_shift": ANY}
_EDM: Values = {
    **_OFF,
    "sigma_min": (EDM_LEAST,),
    "sigma_max": (EDM_MOST,),
    "sigma_data": (0.5,),
    "sigma_schedule": ("karras", "exponential"),
    "num_train_timesteps": ANY,
    "prediction_type": ("epsilon",),
    "rho": (7.0,),
}
_MULTISTEP: Values = {"solver_type": ("midpoint",), "lower_order_final": (True,), "euler_at_final": (False,)}

KNOWN: Mapping[str, Values] = {
    "DDPMScheduler": {**_GRID, **_CLIPPED, **_SLOW, "variance_type": tuple(VARIANCES)},
    "DDIMScheduler": {
        **_GRID,
        **_CLIPPED,
        "timestep_spacing": ("leading", "trailing"),  # by the other its steps end elsewhere than the next begin
        "set_alpha_to_one": (True,),
    },
    "EulerDiscreteScheduler": {
        **_GRID,
        **_FAST,
        "interpolation_type": ("linear",),
        "sigma_min": (None,),
        "sigma_max": (None,),
        "timestep_type": ("discrete",),
    },
    "HeunDiscreteScheduler": {
        **_GRID,
        **_CLIPPED,
        **_FAST,
        "clip_sample": (False, True),
        "beta_start": (0.00085,),
        "beta_end": (0.012,),
    },
    "LMSDiscreteScheduler": {**_GRID, **_FAST},
    "DPMSolverMultistepScheduler": {
        **_GRID,
        **_FAST,
        **_FLOWS,
        **_MULTISTEP,
        "solver_order": (2, 1, 3),
        "algorithm_type": ("dpmsolver++", "sde-dpmsolver++"),
        "use_lu_lambdas": (False, None),
        "lambda_min_clipped": (-np.inf,),
        "variance_type": (None,),
    },
    "UniPCMultistepScheduler": {
        **_GRID,
        **_FAST,
        **_FLOWS,
        "solver_order": (2,),
        "solver_type": ("bh2",),
        "predict_x0": (True,),
        "lower_order_final": (True,),
        "disable_corrector": ([],),
        "solver_p": (None,),
        "sigma_min": (None,),
        "sigma_max": (None,),
        "shift_terminal": (None,),
    },
    "FlowMatchEulerDiscreteScheduler": {
        **_OFF,
        **_SHIFTS,
        "num_train_timesteps": ANY,
        "shift": ANY,
        **dict.fromkeys(("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len"), ANY),
        "invert_sigmas": (False,),
        "shift_terminal": (None,),
        "stochastic_sampling": (False,),
    },
    "EDMEulerScheduler": _EDM,
    "EDMDPMSolverMultistepScheduler": {
        **_EDM,
        **_MULTISTEP,
        "solver_order": (2, 1, 3),
        "algorithm_type": ("dpmsolver++", "sde-dpmsolver++"),
    },
}
_SAMPLERS = {
    "DDPMScheduler": "ancestral",
    "DDIMScheduler": "ddim",
    "HeunDiscreteScheduler": "heun",
    "LMSDiscreteScheduler": "adams",
    "UniPCMultistepScheduler": "unipc",
}
_SOLVERS = {1: "euler", 2: "dpmpp_2m", 3: "dpmpp_3m"}


def keys(config: Config, steps: int, file: str = "") -> dict[str, Any]:
    """The keys that sample as this scheduler does in so many steps: {"method.schedule": "linear", …}.

    config: scheduler_config.json. file: of `times`, one in each line, as `sample.spacing` reads it, where no name of
    ours has the same. Raises ConfigError for what no sampler here does.
    """
    said = _said(config)
    chosen, t = _process(said), times(config, steps)
    found: dict[str, Any] = {
        "method.schedule": _schedule(said),
        "method.timesteps": chosen.steps,
        "method.prediction": _prediction(said),
        "method.clip": bool(said.get("clip_sample", False)),
        "sample.sampler": _sampler(said),
        "sample.steps": steps,
        "sample.spacing": _spacing(chosen, t) or file,
    }
    if not found["sample.spacing"]:
        raise ConfigError(
            f"no name of sample.spacing has the times of {said['_class_name']} in {steps} steps: write `times` of it "
            "into a file, one in each line, and give its path"
        )
    if "variance_type" in said and said["_class_name"] == "DDPMScheduler":
        found["method.variance"] = VARIANCES[said["variance_type"]]
    if found["sample.sampler"] == "ddim":
        found["sample.eta"] = 0.0
    return found


def times(config: Config, steps: int) -> np.ndarray:
    """Our t of the scheduler's looks in so many steps, falling, float64 [steps]. Raises ConfigError as `keys` does."""
    said = _said(config)
    name, last = said["_class_name"], said["num_train_timesteps"]
    if name == "FlowMatchEulerDiscreteScheduler":
        shift = lambda t: said["shift"] * t / (1 + (said["shift"] - 1) * t)  # noqa: E731
        return shift(np.linspace(1.0, shift(1 / last), steps))
    if name.startswith("EDM"):
        return spaced(process("edm"), {"karras": "karras", "exponential": "log_snr"}[said["sigma_schedule"]], steps).t[
            :-1
        ]
    if steps > last:
        raise ConfigError(f'{steps} steps, and "num_train_timesteps" is {last}')
    spacing, one_more = said["timestep_spacing"], name in ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
    if spacing == "trailing":
        if name == "DDIMScheduler" and last % steps:
            raise ConfigError(f"DDIMScheduler takes equal steps: {steps} do not divide {last}")
        return np.round(np.arange(last, 0, -last / steps))
    if spacing == "linspace":
        t = np.linspace(0, last - 1, steps + one_more)[::-1][:steps] + 1
        if name in ("DDPMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"):
            return np.round(t - 1) + 1
        if (np.abs(t - np.rint(t)) > 1e-9).any():
            raise ConfigError(f"{name} looks between whole steps in {steps} steps, and a sampler here at whole ones")
        return np.rint(t)
    t = (np.arange(steps + one_more) * (last // (steps + one_more)))[::-1][:steps] + 1.0 + said["steps_offset"]
    if t[0] > last:
        raise ConfigError(f'"steps_offset" is {said["steps_offset"]}, which leads beyond {last} in {steps} steps')
    return t


def _said(config: Config) -> dict[str, Any]:
    """The settings with their defaults."""
    name = str(config.get("_class_name"))
    if name not in KNOWN:
        raise ConfigError(f'"_class_name" is {name!r}, and what is read is {", ".join(KNOWN)}')
    known = KNOWN[name]
    said = {key: values[0] for key, values in known.items() if values}
    defaults = {"num_train_timesteps": 1000, "steps_offset": 0, "shift": 1.0}
    said |= {key: value for key, value in defaults.items() if key in known}
    for key, value in config.items():
        if key.startswith("_"):
            continue
        if key not in known:
            raise ConfigError(f'"{key}" of {name} is not known here, and may ask for another sampler')
        said[key] = value
    for key, values in known.items():
        if key in ENDS:  # whose default may be another than what is computed, and which the cosine has not
            values = () if said["beta_schedule"] == "squaredcos_cap_v2" else (ENDS[key],)
        if values and said[key] not in values:
            there = " or ".join(map(repr, values))
            raise ConfigError(f'"{key}" of {name} is {said[key]!r}, and what is computed here is {there}')
    return {**said, "_class_name": name}


def _schedule(said: Config) -> Any:
    if said["_class_name"].startswith("Flow"):
        return "flow"
    return "edm" if said["_class_name"].startswith("EDM") else SCHEDULES[said["beta_schedule"]]


def _process(said: Config) -> Process:
    name = _schedule(said)
    return process(name, 0 if name in ("flow", "edm") else said["num_train_timesteps"])


def _prediction(said: Config) -> str:
    name = _schedule(said)
    return str(name) if name in ("flow", "edm") else PREDICTIONS[said["prediction_type"]]


def _sampler(said: Config) -> str:
    if "algorithm_type" not in said:
        return _SAMPLERS.get(said["_class_name"], "euler")
    if said["algorithm_type"] == "dpmsolver++":
        return _SOLVERS[said["solver_order"]]
    if said["solver_order"] != 2:
        raise ConfigError(f'"solver_order" is {said["solver_order"]}, and of sde-dpmsolver++ it is 2 here')
    return "dpmpp_2m_sde"


def _spacing(chosen: Process, t: np.ndarray) -> str:
    """The name of ours with these times; "" where none has."""
    same = (name for name in NAMES if np.allclose(spaced(chosen, name, len(t)).t[:-1], t, rtol=1e-6, atol=0))
    return next(same, "")
