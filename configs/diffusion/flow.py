"""Flow matching: the velocity from noise to data along straight lines (Lipman et al. 2023, arXiv:2210.02747; Liu et al.
2022, arXiv:2209.03003), at logit-normal times (Esser et al. 2024, arXiv:2403.03206, section 3.1).
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        method=dict(
            name="diffusion",
            schedule="flow",
            prediction="flow",
            times="logit_normal",
            spaced=True,
            clip=False,
            bound_terms=20,
            drop=0.0,  # of what is given: for guidance
        ),
        sample=dict(sampler="heun", steps=25, spacing="trailing"),
    ),
    tiny={"method.bound_terms": 2, "sample.steps": 3},
)
