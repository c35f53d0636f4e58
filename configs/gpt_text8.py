"""A GPT of 12 layers on text8, character by character, of the size of T12 in Al-Rfou et al. 2018 (arXiv:1808.04444).

    python main.py --config=configs/gpt_text8.py --workdir=runs/gpt_text8

T12 has 12 layers, 512 values wide, and reads 512 characters. It is trained with auxiliary losses of its inner layers
and of further targets, which are not here; normalisation comes before each branch, and the optimizer is AdamW.
Evaluated in windows that follow each other, so that a character is read with 256 before it on average; the paper's
figures are of all 512 before each.
Hardware: a GPU. Not yet measured; published: 1.18 bits a character of T12, 1.13 of 64 layers.

Table: Autoregressive | transformer, 12 layers | text8 | not yet measured (Al-Rfou et al.: 1.18 bits/char)
表: 自回归模型 | Transformer，12 层 | text8 | 尚未测量（Al-Rfou 等：1.18 bits/字）
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("gpt_tang", "data/text8"),
    full={
        "data.length": 512,
        "data.batch_size": 64,
        "networks.net": dict(
            name="transformer.Transformer",
            layers=12,
            width=512,
            heads=8,
            dropout=0.3,  # 90 million characters are read many times
            tied=True,
            remat=False,
        ),
        "optimizers.net.learning_rate": 6e-4,
        "optimizers.net.warmup_steps": 2000,
        "optimizers.net.b2": 0.98,
        "precision": "bfloat16",
        "train.steps": 200_000,
        "evaluate.every": 5000,
        "checkpoint.every": 5000,
        "sample.every": 5000,
    },
    tiny={"precision": "float32"},
)
