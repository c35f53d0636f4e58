"""Settings of diffusers' schedulers as keys: what published ones say, and what is refused."""

import json

import numpy as np
import pytest

from aigc_jax import published
from aigc_jax.errors import ConfigError
from aigc_jax.ops.diffusion.process import process
from aigc_jax.ops.diffusion.spacing import spaced
from aigc_jax.weights import schedulers

DDPM = """{"_class_name": "DDPMScheduler", "_diffusers_version": "0.1.1", "beta_end": 0.02, "beta_schedule": "linear",
"beta_start": 0.0001, "clip_sample": true, "num_train_timesteps": 1000, "trained_betas": null,
"variance_type": "fixed_large"}"""


def test_a_published_file_is_the_sampler_of_ho_et_al():
    assert schedulers.keys(json.loads(DDPM), 1000) == {
        "method.schedule": "linear",
        "method.timesteps": 1000,
        "method.prediction": "noise",
        "method.clip": True,
        "method.variance": "large",
        "sample.sampler": "ancestral",
        "sample.steps": 1000,
        "sample.spacing": "uniform",
    }


SAMPLERS = {
    "ancestral": dict(_class_name="DDPMScheduler", timestep_spacing="linspace"),
    "ddim": dict(_class_name="DDIMScheduler", timestep_spacing="trailing", prediction_type="v_prediction"),
    "euler": dict(_class_name="EulerDiscreteScheduler", timestep_spacing="trailing"),
    "heun": dict(_class_name="HeunDiscreteScheduler", timestep_spacing="trailing", beta_start=1e-4, beta_end=0.02),
    "adams": dict(_class_name="LMSDiscreteScheduler", timestep_spacing="trailing", prediction_type="sample"),
    "dpmpp_2m": dict(_class_name="DPMSolverMultistepScheduler", timestep_spacing="trailing"),
    "dpmpp_3m": dict(_class_name="DPMSolverMultistepScheduler", timestep_spacing="trailing", solver_order=3),
    "dpmpp_2m_sde": dict(
        _class_name="DPMSolverMultistepScheduler", timestep_spacing="trailing", algorithm_type="sde-dpmsolver++"
    ),
    "unipc": dict(_class_name="UniPCMultistepScheduler", timestep_spacing="trailing"),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_has_a_scheduler(sampler):
    config = {**SAMPLERS[sampler], "beta_schedule": "squaredcos_cap_v2"}
    found = schedulers.keys(config, 10)
    assert found["sample.sampler"] == sampler
    assert found["sample.spacing"] == ("uniform" if sampler == "ancestral" else "trailing")
    assert (found["method.schedule"], found["method.timesteps"]) == ("cosine", 1000)
    expected = {"v_prediction": "velocity", "sample": "data"}.get(config.get("prediction_type"), "noise")
    assert found["method.prediction"] == expected
    assert found["method.clip"] is (sampler in ("ancestral", "ddim"))
    assert ("sample.eta" in found) is (sampler == "ddim")


def test_flows_and_edm_have_processes_of_their_own():
    flow = schedulers.keys({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 1.0}, 20)
    edm = schedulers.keys({"_class_name": "EDMEulerScheduler"}, 18)
    solver = schedulers.keys({"_class_name": "EDMDPMSolverMultistepScheduler", "sigma_schedule": "exponential"}, 18)
    for found, schedule, sampler, spacing in (
        (flow, "flow", "euler", "uniform"),
        (edm, "edm", "euler", "karras"),
        (solver, "edm", "dpmpp_2m", "log_snr"),
    ):
        assert found["method.schedule"] == found["method.prediction"] == schedule
        assert (found["method.timesteps"], found["sample.sampler"], found["sample.spacing"]) == (0, sampler, spacing)


def test_times_without_a_name_go_by_a_file(tmp_path):
    config = {"_class_name": "DDIMScheduler", "steps_offset": 1}
    with pytest.raises(ConfigError, match="no name of sample.spacing"):
        schedulers.keys(config, 50)
    times, path = schedulers.times(config, 50), tmp_path / "times.txt"
    np.testing.assert_array_equal(times, np.arange(982, 1, -20))
    path.write_text("\n".join(map(str, times)), "utf-8")
    found = schedulers.keys(config, 50, str(path))
    np.testing.assert_array_equal(spaced(process("linear", 1000), found["sample.spacing"], 50).t[:-1], times)


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (dict(_class_name="PNDMScheduler"), "PNDMScheduler.*DDPMScheduler"),
        ({}, "_class_name"),
        (dict(_class_name="DDPMScheduler", beta_schedule="scaled_linear"), "beta_schedule.*'scaled_linear'.*'linear'"),
        (dict(_class_name="DDPMScheduler", beta_start=0.00085), r"beta_start.*0\.00085.*0\.0001"),
        (dict(_class_name="HeunDiscreteScheduler"), r"beta_start.*0\.00085"),
        (dict(_class_name="DDPMScheduler", variance_type="learned_range"), "variance_type"),
        (dict(_class_name="DDPMScheduler", rescale_betas_zero_snr=True), "rescale_betas_zero_snr"),
        (dict(_class_name="DDIMScheduler", set_alpha_to_one=False), "set_alpha_to_one"),
        (dict(_class_name="DDIMScheduler", timestep_spacing="trailing"), "divide"),
        (dict(_class_name="EulerDiscreteScheduler", use_karras_sigmas=True), "use_karras_sigmas"),
        (dict(_class_name="EulerDiscreteScheduler"), "between whole steps"),
        (dict(_class_name="DPMSolverMultistepScheduler", solver_type="heun"), "solver_type.*'midpoint'"),
        (dict(_class_name="DPMSolverMultistepScheduler", algorithm_type="dpmsolver"), "algorithm_type"),
        (
            dict(
                _class_name="DPMSolverMultistepScheduler",
                solver_order=3,
                algorithm_type="sde-dpmsolver++",
                timestep_spacing="trailing",
            ),
            "solver_order",
        ),
        (dict(_class_name="UniPCMultistepScheduler", use_flow_sigmas=True), "use_flow_sigmas"),
        (dict(_class_name="FlowMatchEulerDiscreteScheduler", use_dynamic_shifting=True), "use_dynamic_shifting"),
        (dict(_class_name="EDMEulerScheduler", sigma_max=10.0), "sigma_max"),
        (dict(_class_name="DDPMScheduler", novelty=3), "novelty.*not known"),
        (dict(_class_name="DDPMScheduler", num_train_timesteps=5), "num_train_timesteps"),
        (dict(_class_name="DDPMScheduler", steps_offset=200), "steps_offset"),
    ],
    ids=str,
)
def test_what_no_sampler_here_does_is_refused(config, match):
    with pytest.raises(ConfigError, match=match):
        schedulers.keys(config, 7)


def test_it_is_no_format_of_weights():
    assert "schedulers" not in published.kinds() and "gpt2" in published.kinds()
