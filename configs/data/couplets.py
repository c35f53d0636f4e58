"""Couplets of Tang poems, in traditional characters: two lines of five or seven.

Table: couplets of Tang poems | as Tang poems
表: 唐诗对句 | 同唐诗
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="couplets",
            path="data/chinese-poetry",
            what="couplet",
            length=18,  # twice seven characters, two marks, a beginning and an end
            vocabulary_size=6000,
            tokenizer="characters",
        ),
        evaluate=dict(batch_size=64),
        evals=dict(
            quality=dict(samples=400, extractor="", measures=("distinct_1", "distinct_2", "verse_form")),
        ),
    ),
    tiny={"evals.quality.samples": 0, "data.vocabulary_size": 40},
)
