"""The poems of the Tang dynasty by characters; 64 samples judged.

Table: Tang poems | `npm pack chinese-poetry@2.0.1`, unpacked as the head of [configs/gpt_tang.py](configs/gpt_tang.py)
says
表: 唐诗 | `npm pack chinese-poetry@2.0.1`，按 [configs/gpt_tang.py](configs/gpt_tang.py) 开头的说明解包
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="tang_poems",
            path="data/chinese-poetry",
            length=96,  # a poem of eight lines with its title
            vocabulary_size=6000,  # 99.8 % of the characters
        ),
        evaluate=dict(batch_size=64),
        evals=dict(
            quality=dict(
                samples=64,
                extractor="",
                measures=(
                    "distinct_1",
                    "distinct_2",
                    "copied_5",
                    "copied_10",
                    "verse_form",
                    "verse_rhyme",
                    "verse_tones",
                ),
            ),
        ),
    ),
    tiny={"evals.quality.samples": 0, "data.length": 12, "data.vocabulary_size": 40},
)
