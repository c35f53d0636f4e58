"""A character-level LSTM on Tang poems (Hochreiter & Schmidhuber 1997, Long short-term memory), beside gpt_tang.

    python main.py --config=configs/lstm_tang.py --workdir=runs/lstm_tang

The data come as configs/gpt_tang.py says. Dropout, for data that are read many times, is that of Zaremba et al. 2014,
arXiv:1409.2329. Two layers of 384 have 4.67 million weights, gpt_tang 4.70 million, and 680 steps
took 1.2 times as long, 38 min beside 31 min on one core.
Hardware: 2 CPU cores. Time: about 45 minutes.
Expected: fewer bits a character than the 5-gram of gpt_tang, and more than the transformer.
Measured once, seed 0, with train.steps=680, on one shared CPU core with jax 0.10.2 in 38 min: 8.036 bits/char [8.016,
8.056] on the test poems. A transformer of as many weights has 7.068 [7.045, 7.094] after as many steps, in 31 min: that
of gpt_tang. The 1-gram with Kneser-Ney smoothing has 9.396, the 2-gram 7.595, the 5-gram 6.969: after so few steps it
is above what is expected (python benchmarks/text_table.py RUN RUN).

Table: Autoregressive | LSTM | Tang poems |
8.036 bits/char on the test poems after 680 steps (a transformer of as many weights: 7.068); 38 min
表: 自回归模型 | LSTM | 唐诗 | 680 步后测试集 8.036 bits/字（参数量相同的 Transformer：7.068）；38 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gpt_tang",
    full={"networks.net": dict(name="lstm.LSTM", layers=2, width=384, dropout=0.0, tied=True)},
    tiny={"networks.net.layers": 2, "networks.net.width": 16},
)
