"""A character-level GPT on your own texts (Radford et al. 2019, Language models are unsupervised multitask learners).

    python main.py --config=configs/gpt_text.py --workdir=runs/gpt_text --config.data.path=FOLDER

FOLDER holds plain text files, or is one: a long book, or many files, in any language: docs/your-own-texts.md.
A prompt: --config.sample.given="The beginning". Hardware: 2 CPU cores. Time: about 15 minutes, by the 0.32 s of
processor time that a step took. Expected: fewer bits a character on the test split than the 5-gram with Kneser-Ney
smoothing of `aigc_jax.metrics.ngram` (python benchmarks/ngram.py --config=configs/gpt_text.py --path=FOLDER).
Not yet measured in full. In part, once, seed 0, with jax 0.10.2 and the network in GPT-2's form: on the Jargon File
4.4.7 (Debian's jargon-text, one file of 1.6 million characters) 800 steps, of which 700 on the way to 1500 and 100 on
the way to 800, took 13 min on 2 crowded cores and gave 2.813 bits/char on the test split, where the 5-gram has 2.434:
too few steps. The samples have the file's marks, brackets and line lengths, and every second word is English.

Table: Autoregressive | transformer | your own texts |
not yet measured to its end: 2.813 bits/char on a book after 800 steps, too few (5-gram: 2.434)
表: 自回归模型 | Transformer | 自己的文本 |
尚未训练到底：在一本书上训练 800 步后为 2.813 bits/字，步数太少（5-gram：2.434）
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("gpt_tang", "data/text_folder"),
    full={
        "data.batch_size": 32,
        "networks.net.width": 128,
        "networks.net.mlp_width": 344,
        "networks.net.dropout": 0.1,  # a book of one's own is read many times
        "optimizers.net.learning_rate": 3e-3,
        "train.steps": 4000,
        "evaluate.every": 1000,
        "checkpoint.every": 1000,
        "sample.every": 1000,
    },
)
