"""text8, characters of English Wikipedia with the usual split; 64 samples judged.

Table: text8 | `data/text8`: unpack [text8.zip](http://mattmahoney.net/dc/text8.zip)
表: text8 | `data/text8`：解压 [text8.zip](http://mattmahoney.net/dc/text8.zip)
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="text8", path="data/text8", length=256),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=64, extractor="", measures=("distinct_2", "copied_10"))),
    ),
    tiny={"evals.quality.samples": 0, "data.length": 12},
)
