"""Published weights of GPT-2, or those of a run, fine-tuned on four Chinese sentences (Radford et al. 2019).

    python main.py --config=configs/gpt_finetune.py --workdir=runs/gpt_finetune --config.networks.net.start=file:FOLDER

FOLDER is one as Hugging Face has it: config.json, model.safetensors, and the tokenizer's files, tokenizer.json or
vocab.json with merges.txt. Of a run of ours it is run:FOLDER#net. This flag is enough: the network has the sizes of the
weights, and texts are read with the tokenizer beside them. The samples are three continuations of
我喜欢的颜色是.
Other sentences: --config.data.texts="('…', '…')"; other texts: docs/weights.md.
Hardware: 2 CPU cores. Expected: fewer bits a character than from random numbers after as many steps.
Measured once, seed 0, on 2 crowded CPU cores with jax 0.10.2 in 4 min, not with GPT-2's own weights but with a small
stand-in in their form: a run of configs/gpt_manuals.py on Chinese pages of help, with GPT-2's tokenizer, of 2 layers
and width 64, stopped after 260 steps and exported with --format=gpt2: 4.183 bits/char after 60 steps. From random
numbers, as many steps of the same network and tokenizer end at 18.96. Of so small a network the samples hold pieces
of characters, and are no sentences yet.

Table: Autoregressive | transformer, from published weights | four sentences |
4.183 bits/char from the weights of a small run in GPT-2's form (from random numbers: 18.96); 4 min
表: 自回归模型 | Transformer，从已发布的权重开始 | 四个例句 |
从 GPT-2 格式的小模型权重开始：4.183 bits/字（从随机数开始：18.96）；4 分钟
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gpt_sentences",
    full={
        "data.texts": ("我喜欢的颜色是蓝色。", "蓝色是一种美丽的颜色。", "我喜欢吃苹果。", "苹果是一种美味的水果。"),
        "data.tokenizer": "networks.net.start",  # the one beside the weights
        "data.length": 48,  # GPT-2 has two or three tokens for a Chinese character
        "networks.net": dict(
            name="",  # that of the weights
            start=REQUIRED,  # the command line says where they are
            dropout=0.0,
        ),
        "optimizers.net.learning_rate": 1e-3,
        "optimizers.net.warmup_steps": 10,
        "train.steps": 60,
        "train.steps_per_call": 5,
        "train.log_every": 20,
        "checkpoint.every": 60,
        "sample.n": 3,
        "sample.given": "我喜欢的颜色是",
    },
    tiny={
        "data.tokenizer": "characters",
        "networks.net": dict(
            name="transformer.Transformer", start="fresh:0", layers=1, width=16, heads=2, dropout=0.0, tied=True
        ),
    },
)
