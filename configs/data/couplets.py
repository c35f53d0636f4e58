"""Couplets of Tang poems, a second line for a first one, by characters: 190,966 to learn from.

    npm pack chinese-poetry@2.0.1 && tar xzf chinese-poetry-2.0.1.tgz package/dist/quantangshi
    mkdir -p data && mv package/dist/quantangshi data/chinese-poetry

Table: couplets of Tang and Song poems | `npm pack chinese-poetry@2.0.1`, unpacked as the head of
[configs/gpt_tang.py](configs/gpt_tang.py) says
表: 唐宋诗的对句 | `npm pack chinese-poetry@2.0.1`，按 [configs/gpt_tang.py](configs/gpt_tang.py) 开头的说明解包
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="couplets",
            path="data/chinese-poetry",
            what="next",  # "couplet": both lines as one text
            dynasty="tang",
            length=8,  # seven characters and the end
            vocabulary_size=6000,
        ),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # judged by the method's own measures alone
    ),
    tiny={"data.vocabulary_size": 40},
)
