"""A character-level LSTM of the couplets of Tang poems (Hochreiter & Schmidhuber 1997), beside text_vae_couplets.

    python main.py --config=configs/lstm_couplets.py --workdir=runs/lstm_couplets

The data come as configs/gpt_tang.py says. Its layer and embedding are those of that decoder, which reads z besides.
Hardware: 2 CPU cores. Time: about half an hour.
Measured once, seed 0, with train.steps=2400, on one shared CPU core with jax 0.10.2 in 22 min: 7.187 bits/char [7.170,
7.205] on the test couplets, where text_vae_couplets has at most 7.774 after as many updates.

Table: Autoregressive | LSTM | couplets of Tang poems |
7.187 bits/char on the test couplets after 2400 steps; 22 min
表: 自回归模型 | LSTM | 唐诗对句 | 2400 步后测试对句 7.187 bits/字；22 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="text_vae_couplets",
    without=("sample.spread",),
    full={
        "networks.net": dict(name="lstm.LSTM", layers=1, width=256, dropout=0.0, tied=True),
        "method": dict(name="autoregressive"),
    },
)
