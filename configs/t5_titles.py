"""Titles for pages of software help, from their text: summarisation by an encoder-decoder of T5's form.

    python main.py --config=configs/t5_titles.py --workdir=runs/t5_titles

Data and network are those of `t5_help_en_zh`, English alone: 192 tokens of a page are read. A title is a few words, so
BLEU of four words in a row is low even where most are right; chrF counts characters.
Hardware: 2 CPU cores. Time: 44 minutes of one shared core. Expected: titles that name what a page is about.
Measured once, seed 0, on one shared CPU core with jax 0.10.2 in 44 min: chrF 9.6 [7.9, 11.3] and BLEU 0.3 [0.2, 0.5] of
200 test pages, none of them right; 2.010 bits/char. It has learnt how titles look ("CDate Function", "Setter Wizard -
Page"), and not to look into the page: 2,102 pages may be too few to learn that from nothing.

Table: Encoder-decoder | T5, 3 + 3 blocks | help of LibreOffice, titles of pages |
chrF 9.6, BLEU 0.3: the form of titles, none right; 44 min on a shared core
表: 编码器-解码器 | T5，3 + 3 层 | LibreOffice 帮助，页面标题 |
chrF 9.6，BLEU 0.3：只学到标题的形式，无一正确；与其他任务共用单核 44 分钟
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
