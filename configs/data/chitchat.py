"""English conversations of volunteers: replies to the three turns before; 200 samples judged.

    pip download --no-deps chitchat-dataset==0.9.0 && unzip chitchat_dataset-0.9.0-*.whl -d data/chitchat

Table: English conversations | `pip download --no-deps chitchat-dataset==0.9.0`, unpacked as the head of
[configs/data/chitchat.py](configs/data/chitchat.py) says
表: 英语对话 | `pip download --no-deps chitchat-dataset==0.9.0`，按
[configs/data/chitchat.py](configs/data/chitchat.py) 开头的说明解包
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="chitchat",
            path="data/chitchat",
            turns=3,
            length=32,
            source_length=64,
            tokenizer="bpe",
            vocabulary_size=6000,
            extra_tokens=0,
        ),
        evaluate=dict(batch_size=100),
        evals=dict(
            quality=dict(samples=0, extractor="", measures=()),
            pairs=dict(samples=200, measures=("bleu", "distinct_words_1", "distinct_words_2"), given="split:test"),
        ),
    ),
    tiny={
        "data.length": 12,
        "data.source_length": 12,
        "data.vocabulary_size": 300,
        "evals.quality.samples": 0,
        "evals.pairs.samples": 4,
        "evals.pairs.measures": ("bleu",),
    },
)
