"""A character-level GPT on the pages of LibreOffice's help, which reads 128 characters: beside perceiver_manuals.

    python main.py --config=configs/gpt_manuals.py --workdir=runs/gpt_manuals

The data come as configs/perceiver_manuals.py says. It has as many blocks as that network with its reading of the
context, and a step predicts as many characters, from the 128 before at most.
Hardware: 2 CPU cores. Time: about an hour, by the 1.1 s of a step on shared cores.
Expected: more bits a character than perceiver_manuals.
Not yet measured.

Table: Autoregressive | transformer, 128 characters | LibreOffice's help | not yet measured
表: 自回归模型 | Transformer，128 字符 | LibreOffice 帮助 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="perceiver_manuals",
    full={
        "data.length": 128,
        "networks.net": dict(name="transformer.Transformer", layers=7, width=256, heads=4, dropout=0.1, tied=True),
    },
)
