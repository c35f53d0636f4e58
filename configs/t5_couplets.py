"""The second line of a couplet from its first: classical Chinese verse by an encoder-decoder of T5's form.

    python main.py --config=configs/t5_couplets.py --workdir=runs/t5_couplets

A first line: --config.sample.given=source=白日依山盡 (traditional characters). The network is that of `t5_help_en_zh`.
There are many right second lines, so chrF against the poet's own says little; a drawn line has to have as many
characters, which its bits a character and the samples show.
Hardware: 2 CPU cores. Time: about 40 minutes.
Measured once, seed 0, on one shared CPU core with jax 0.10.2 in 69 min: 7.551 [7.526, 7.575] bits/char and 2.803
bits/byte of the second lines of 9,969 test couplets. Of 200 drawn, all have as many characters as their first line; 22
repeat one of its characters, as 5 of the poets' do. 1,000: chrF 0.3, none is the poet's. Read: lines by themselves,
seldom an answer to the first; 登山麾武節 has 水色照青山 after it, the poet's is 背水縱神兵.

Table: Encoder-decoder | T5, 3 + 3 blocks | couplets of Tang poems |
7.551 [7.526, 7.575] bits/char of second lines, 200 of 200 as long as the first; 69 min on a shared core
表: 编码器-解码器 | T5，3 + 3 层 | 唐诗对句 |
下句 7.551 [7.526, 7.575] bits/字，200 句中 200 句与上句等长；与其他任务共用单核 69 分钟
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
        "train.steps": 2000,
        "evaluate.every": 1000,
        "sample.temperature": 0.7,
    },
    tiny={"data.length": 9, "evals.pairs.samples": 4, "evals.pairs.measures": ("chrf",), "sample.temperature": 1.0},
)
