"""Points of a known density in the plane, against which 10,000 samples are measured: docs/ground-truth.md.

Table: points of known densities | nothing to do
表: 已知分布的点 | 无需准备
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="points", density="ring", examples=100_000, batch_size=256),
        train=dict(steps_per_call=100, log_every=1000),
        evaluate=dict(batch_size=2000),
        evals=dict(
            quality=dict(samples=10_000, extractor="", measures=("jensen_shannon", "surprise", "off_data", "modes")),
        ),
        sample=dict(every=0, n=4000),
    ),
    tiny={"data.examples": 64, "evals.quality.samples": 16},
)
