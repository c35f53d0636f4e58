"""Replies in English conversation, by an encoder-decoder of T5's form.

    python main.py --config=configs/t5_replies.py --workdir=runs/t5_replies

The network is that of `t5_help_en_zh`; it reads the three turns before, the latest first.
A turn to answer: --config.sample.given="source=Hi!".
What the true reply is worth among 19 others: python benchmarks/replies.py runs/t5_replies.
Hardware: 2 CPU cores. Time: about an hour.
Measured once, seed 0, on one shared CPU core with jax 0.10.2 in 92 min, less than one pass over the replies: 1.807
[1.799, 1.814] bits/char of 12,873 test replies (perplexity of a character 3.50). The true reply among 20: hits@1 0.052
[0.034, 0.072], hits@5 0.268 [0.230, 0.306] of 500, as by chance (0.05, 0.25). 200 drawn: BLEU 0.3, 18.4 % of the words
and 63.9 % of the pairs of words are distinct. Read: sentences of a chat, such as "Oh you know what your day are you
from?", and no answers.

Table: Encoder-decoder | T5, 3 + 3 blocks | English conversation, replies |
1.807 [1.799, 1.814] bits/char, hits@1 of 20 0.052, as by chance; 92 min on a shared core
表: 编码器-解码器 | T5，3 + 3 层 | 英语对话，回复 |
1.807 [1.799, 1.814] bits/字符，20 选 1 命中率 0.052，与随机无异；与其他任务共用单核 92 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("t5_help_en_zh", "data/chitchat"),
    full={"data.batch_size": 32, "train.steps": 2000, "sample.temperature": 0.8, "sample.top_p": 0.95},
    tiny={"sample.temperature": 1.0},
)
