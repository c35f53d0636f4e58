"""EDM (Karras et al. 2022, arXiv:2206.00364): inputs and targets of variance 1 at every noise, Heun's method with 18
steps.
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        method=dict(
            name="diffusion",
            schedule="edm",
            prediction="edm",
            times="log_normal",
            weight="edm",
            spaced=True,
            clip=False,
            bound_terms=20,
            drop=0.0,  # of what is given: for guidance
        ),
        sample=dict(sampler="heun", steps=18, spacing="karras"),
    ),
    tiny={"method.bound_terms": 2, "sample.steps": 3},
)
