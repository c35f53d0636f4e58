"""The poems of Lu You of the Song; another poet: --config.data.poet=… and --config.data.dynasty=….

Table: poems of a poet | as the Tang poems
表: 一位诗人的诗 | 同唐诗
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="poet",
            path="data/chinese-poetry",
            poet="陸游",
            dynasty="song",
            length=64,
            vocabulary_size=4000,
        ),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),
    ),
    tiny={"evals.quality.samples": 0, "data.length": 12, "data.vocabulary_size": 40},
)
