"""Perceiver AR on the pages of LibreOffice's help, by characters (Hawthorne et al. 2022, arXiv:2202.07765).

    apt-get download libreoffice-help-en-us
    mkdir -p data/manuals && dpkg -x libreoffice-help-en-us_*.deb data/manuals
    python main.py --config=configs/perceiver_manuals.py --workdir=runs/perceiver_manuals

It reads 1024 characters and predicts a window of 128 of them a step, in about the memory of a decoder that reads 128,
configs/gpt_manuals.py: 546 MB of temporary arrays beside 494 MB (1.11 times), where a decoder of 1024 needs 10.8 GB
(compiled for a CPU by jax 0.10.2, with a vocabulary of 260).
Hardware: 2 CPU cores. Time: about an hour, by the 1.2 s of a step on shared cores; one of the decoder took 1.1 s.
Expected: fewer bits a character than the decoder of 128, for what a page says far above.
Measured once, seed 0, with train.steps=400, on one shared CPU core with jax 0.10.2 in 19 min: 3.565 bits/char [3.518,
3.616] on the test pages, more than the 3.210 of gpt_manuals after as many updates, and not what is expected. Both are
far from trained: the 5-gram has 1.742 (python benchmarks/text_table.py RUN RUN).

Table: Autoregressive | Perceiver AR, 1024 characters | LibreOffice's help |
3.565 bits/char on the test pages after 400 steps, far from trained (gpt_manuals: 3.210); 19 min
表: 自回归模型 | Perceiver AR，1024 字符 | LibreOffice 帮助 |
400 步后测试页面 3.565 bits/字，远未训练充分（gpt_manuals：3.210）；19 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full={
        "data": dict(
            name="manuals",
            path="data/manuals",
            what="english",
            length=1024,
            vocabulary_size=0,
            pack=True,  # a page follows another in a row, and does not read it
            batch_size=16,
        ),
        "networks.net": dict(
            name="perceiver_ar.PerceiverAR", latents=128, layers=6, width=256, heads=4, dropout=0.1, tied=True
        ),
        "optimizers.net": dict(
            name="adamw",
            learning_rate=1e-3,
            schedule="cosine",
            warmup_steps=200,
            b2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
        ),
        "method": dict(name="autoregressive"),
        "train": dict(steps=3000, steps_per_call=4),
        "evaluate": dict(every=1000, batch_size=16),
        "checkpoint": dict(every=1000, best=""),
        "evals": dict(quality=dict(samples=16, extractor="", measures=("distinct_2", "copied_10"))),
        "sample": dict(n=4, every=0, temperature=0.9, top_k=0, top_p=0.95),
    },
    tiny={
        "data.length": 16,
        "networks.net.latents": 4,
        "networks.net.layers": 1,
        "networks.net.width": 16,
        "networks.net.heads": 2,
        "optimizers.net.warmup_steps": 2,
        "evals.quality.samples": 0,
    },
)
