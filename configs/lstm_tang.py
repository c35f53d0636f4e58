"""A character-level LSTM on Tang poems (Hochreiter & Schmidhuber 1997, Long short-term memory), beside gpt_tang.

    python main.py --config=configs/lstm_tang.py --workdir=runs/lstm_tang

The data come as configs/gpt_tang.py says. Dropout, for data that are read many times, is that of Zaremba et al. 2014,
arXiv:1409.2329. Two layers of 384 have 4.67 million weights, gpt_tang 4.72 million, and a step takes 1.12
times as long: 0.75 s beside 0.67 s on 2 shared cores, jax 0.10.2.
Hardware: 2 CPU cores. Time: about 45 minutes.
Expected: fewer bits a character than the 5-gram of gpt_tang, and more than the transformer.
Not yet measured.

Table: Autoregressive | LSTM | Tang poems | not yet measured
表: 自回归模型 | LSTM | 唐诗 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gpt_tang",
    full={"networks.net": dict(name="lstm.LSTM", layers=2, width=384, dropout=0.0, tied=True)},
    tiny={"networks.net.layers": 2, "networks.net.width": 16},
)
