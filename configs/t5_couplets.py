"""The second line of a couplet from its first: classical Chinese verse by an encoder-decoder of T5's form.

    python main.py --config=configs/t5_couplets.py --workdir=runs/t5_couplets

A first line: --config.sample.given=source=白日依山盡 (traditional characters). The network is that of `t5_help_en_zh`.
There are many right second lines, so chrF against the poet's own says little; a drawn line has to have as many
characters, which its bits a character and the samples show.
Hardware: 2 CPU cores. Time: about 20 minutes.
Not yet measured.

Table: Encoder-decoder | T5, 3 + 3 blocks | couplets of Tang poems | not yet measured
表: 编码器-解码器 | T5，3 + 3 层 | 唐诗对句 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("t5_help_en_zh", "data/couplets"),
    full={
        "data.what": "next",
        "data.length": 9,  # seven characters, a beginning and an end
        "data.batch_size": 128,
        "evaluate.batch_size": 200,
        "evals.quality.measures": (),
        "evals.quality.samples": 0,
        "evals.pairs": dict(
            samples=1000, measures=("chrf", "exact_match", "distinct_1", "distinct_2"), given="split:test"
        ),
        "train.steps": 3000,
        "evaluate.every": 1000,
        "sample.temperature": 0.7,
    },
    tiny={"data.length": 9, "evals.pairs.samples": 4, "evals.pairs.measures": ("chrf",), "sample.temperature": 1.0},
)
