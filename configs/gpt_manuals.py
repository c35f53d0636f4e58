"""A character-level GPT on the pages of LibreOffice's help, which reads 128 characters: beside perceiver_manuals.

    python main.py --config=configs/gpt_manuals.py --workdir=runs/gpt_manuals

The data come as configs/perceiver_manuals.py says. It has as many blocks as that network with its reading of the
context, and a step predicts as many characters, from the 128 before at most.
Hardware: 2 CPU cores. Time: about an hour, by the 1.1 s of a step on shared cores.
Expected: more bits a character than perceiver_manuals.
Measured once, seed 0, with train.steps=400, on one shared CPU core with jax 0.10.2 in 15 min: 3.210 bits/char [3.185,
3.236] on the test pages, where perceiver_manuals has 3.565 after as many updates, the 2-gram 3.668 and the 5-gram
1.742: far from trained (python benchmarks/text_table.py RUN RUN).

Table: Autoregressive | transformer, 128 characters | LibreOffice's help |
3.210 bits/char on the test pages after 400 steps, far from trained (5-gram: 1.742); 15 min
表: 自回归模型 | Transformer，128 字符 | LibreOffice 帮助 |
400 步后测试页面 3.210 bits/字，远未训练充分（5-gram：1.742）；15 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="perceiver_manuals",
    full={
        "data.length": 128,
        "networks.net": dict(name="transformer.Transformer", layers=7, width=256, heads=4, dropout=0.1, tied=True),
    },
)
