"""Titles for pages of software help, from their text: summarisation by an encoder-decoder of T5's form.

    python main.py --config=configs/t5_titles.py --workdir=runs/t5_titles

Data and network are those of `t5_help_en_zh`, English alone: 192 tokens of a page are read. A title is a few words, so
BLEU of four words in a row is low even where most are right; chrF counts characters.
Hardware: 2 CPU cores. Time: about 20 minutes.
Not yet measured.

Table: Encoder-decoder | T5, 3 + 3 blocks | help of LibreOffice, titles of pages | not yet measured
表: 编码器-解码器 | T5，3 + 3 层 | LibreOffice 帮助，页面标题 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="t5_help_en_zh",
    full={
        "data.what": "titles",
        "data.source_length": 192,
        "data.length": 16,
        "data.vocabulary_size": 4000,
        "data.batch_size": 16,
        "networks.net.dropout": 0.2,  # few pages, read many times
        "optimizers.net.learning_rate": 1e-3,
        "train.steps": 1200,
        "evaluate.every": 300,
        "checkpoint.every": 300,
        "sample.every": 300,
        "evals.pairs.samples": 200,
        "evals.pairs.measures": ("bleu", "chrf", "exact_match"),
    },
)
