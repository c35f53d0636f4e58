"""Replies of people in chats, in English, to the turn before, by word pieces: 112,124 to learn from.

    pip download --no-deps chitchat-dataset==0.9.0
    unzip chitchat_dataset-0.9.0-py3-none-any.whl -d data/chitchat

Table: chat, in English | `pip download --no-deps chitchat-dataset==0.9.0`, unpacked as the head of
[configs/data/chitchat.py](configs/data/chitchat.py) says
表: 英文闲聊 | `pip download --no-deps chitchat-dataset==0.9.0`，按 [configs/data/chitchat.py](configs/data/chitchat.py)
开头的说明解包
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="chitchat",
            path="data/chitchat",
            turns=1,
            length=64,
            source_length=128,
            tokenizer="bpe",
            vocabulary_size=8000,
        ),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # judged by the method's own measures alone
    ),
    tiny={"data.length": 16, "data.source_length": 16, "data.tokenizer": "characters", "data.vocabulary_size": 60},
)
