"""What the words of LibreOffice's help stand for: BERT tags menus, keys, input (Devlin et al. 2019, arXiv:1810.04805).

    python main.py --config=configs/bert_help.py --workdir=runs/bert_help
    python main.py --config=configs/bert_entities.py --workdir=runs/bert_entities \\
        --config.networks.net.start=run:runs/bert_help#net --config.data.tokenizer=run:runs/bert_help

The data come as configs/data/entities.py says. The encoder begins as bert_help's, without its head, and reads that
run's word pieces; without the last line all of it begins with random numbers. Texts of one's own:
aigc_jax sample runs/bert_entities --config.sample.given=FILE.jsonl, of lines {"text": "…"}.
Hardware: 1 CPU core. Time: 7 minutes.
Measured once, seed 0, on one shared CPU core with jax 0.10.2, of the entities of 1,842 test paragraphs (python
benchmarks/pretraining.py):

    from bert_help         F1 31.4 [28.5, 34.1]; 7 min
    from random numbers    F1 25.2 [22.3, 27.9]; 6 min
    difference             6.2 [3.9, 8.4]

With a quarter of the steps, from a bert_help of 800 steps: 21.9 [19.2, 24.6] and 17.4 [14.9, 20.0]. Both had still to
learn.

Table: Tagger | BERT, fine-tuned | entities in LibreOffice's help |
F1 31.4 [28.5, 34.1] on the test paragraphs, from random numbers 25.2 [22.3, 27.9]; 7 min
表: 序列标注 | BERT，微调 | LibreOffice 帮助中的实体 |
测试段落 F1 31.4 [28.5, 34.1]，随机初始化 25.2 [22.3, 27.9]；7 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/entities",
    without=("evals",),
    full={
        "data.batch_size": 32,
        "data.length": 64,
        "data.extra_tokens": 1,
        "networks": dict(
            net=dict(
                name="bert.Bert",
                layers=2,
                width=128,
                heads=2,
                dropout=0.1,
                types=0,
                head="tokens",
                fresh="^(labels|transform|transform_norm|word_bias)",  # the heads of either task
            ),
        ),
        "optimizers": dict(
            net=dict(
                name="adamw", learning_rate=5e-4, schedule="linear", warmup_steps=60, weight_decay=0.01, clip_norm=1.0
            ),
        ),
        "method": dict(name="tagger"),
        "train": dict(steps=1600, steps_per_call=4),
        "evaluate": dict(every=800, split="validation"),
        "checkpoint": dict(every=800),
        "evals": dict(entities=dict(samples=1842, measures=("entities",), given="split:test")),
        "sample": dict(n=16, given="split:test"),
    },
    tiny={
        "networks.net.layers": 1,
        "networks.net.width": 16,
        "networks.net.heads": 2,
        "optimizers.net.warmup_steps": 2,
        "evals.entities.samples": 4,
    },
)
