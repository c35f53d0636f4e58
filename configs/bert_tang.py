"""BERT on Tang poems by characters (Devlin et al. 2019, arXiv:1810.04805): 15 % of them hidden, told from the others.

The size is that of BERT-Tiny (Turc et al. 2019, arXiv:1908.08962), two blocks of width 128.

    python main.py --config=configs/bert_tang.py --workdir=runs/bert_tang

The data are those of configs/gpt_tang.py. It generates nothing: `fill` of the method's parts says what stands behind
masks. configs/bert_classify.py goes on from it.
Hardware: 1 CPU core. Time: about 15 minutes.
Measured once, seed 0, on a part of a CPU core with jax 0.10.2 in 26 min: 8.92 [8.87, 8.97] bits a hidden character of
the test poems, of which 15.0 % [14.6, 15.4] are told rightly. After half of the steps it was 9.32 bits.

Table: Masked language model | BERT | Tang poems |
8.92 [8.87, 8.97] bits a hidden character of the test poems; 26 min
表: 掩码语言模型 | BERT | 唐诗 | 测试集每个被掩码字 8.92 [8.87, 8.97] 比特；26 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gpt_tang",
    without=("sample", "evals", "networks"),
    full={
        "data.length": 64,  # longer poems are cut into windows
        "data.extra_tokens": 1,  # the mask
        "networks.net": dict(
            name="bert.Bert",
            layers=2,
            width=128,
            heads=2,
            dropout=0.0,  # no poem is seen more than twice
            types=0,  # a text is one, not two
        ),
        "method": dict(name="masked", density=0.15),
        "train.steps": 1200,
        "evaluate.every": 600,
        "checkpoint.every": 600,
        "checkpoint.best": "bits_per_masked",
    },
    tiny={"networks.net.layers": 2, "networks.net.width": 16, "networks.net.heads": 2},
)
