"""Masked language modelling of Tang poems by characters (Devlin et al. 2019, arXiv:1810.04805): the transformer of
`gpt_tang`, not causal.

    python main.py --config=configs/masked_tang.py --workdir=runs/masked_tang

The data are those of configs/gpt_tang.py. It generates nothing: `fill` of the method's parts says what
stands behind masks.
Hardware: 2 CPU cores. Time: about as long as `gpt_tang`, 70 minutes.
Not yet measured.

Table: Masked language model | BERT's objective, transformer | Tang poems | not yet measured
表: 掩码语言模型 | BERT 的目标，Transformer | 唐诗 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gpt_tang",
    without=("sample", "evals"),
    full={
        "data.extra_tokens": 1,  # the mask
        "method": dict(name="masked", density=0.15),
        "checkpoint.best": "bits_per_masked",
    },
)
