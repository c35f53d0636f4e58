"""A character-level LSTM of the couplets of Tang poems (Hochreiter & Schmidhuber 1997), beside text_vae_couplets.

    python main.py --config=configs/lstm_couplets.py --workdir=runs/lstm_couplets

The data come as configs/gpt_tang.py says. Its layer and embedding are those of that decoder, which reads z besides.
Hardware: 2 CPU cores. Time: about half an hour.
Not yet measured.

Table: Autoregressive | LSTM | couplets of Tang poems | not yet measured
表: 自回归模型 | LSTM | 唐诗对句 | 尚未测量
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
