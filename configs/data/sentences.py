"""Four Chinese sentences, to see that a text model runs.

Table: four sentences | nothing to do
表: 四个例句 | 无需准备
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="sentences",
            length=24,  # the longest sentence has 20 characters
        ),
        evaluate=dict(batch_size=8),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),
    ),
    tiny={"evals.quality.samples": 0},
)
