"""Replies in English conversation, by an encoder-decoder of T5's form.

    python main.py --config=configs/t5_replies.py --workdir=runs/t5_replies

The network is that of `t5_help_en_zh`; it reads the three turns before, the latest first.
A turn to answer: --config.sample.given="source=Hi!".
What the true reply is worth among 19 others: python benchmarks/replies.py runs/t5_replies.
Hardware: 2 CPU cores. Time: about 30 minutes.
Not yet measured.

Table: Encoder-decoder | T5, 3 + 3 blocks | English conversation, replies | not yet measured
表: 编码器-解码器 | T5，3 + 3 层 | 英语对话，回复 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("t5_help_en_zh", "data/chitchat"),
    full={"data.batch_size": 32, "train.steps": 3000, "sample.temperature": 0.8, "sample.top_p": 0.95},
    tiny={"sample.temperature": 1.0},
)
