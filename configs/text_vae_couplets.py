"""A sentence VAE on lines of Tang poems (Bowman et al. 2016, arXiv:1511.06349).

    python main.py --config=configs/text_vae_couplets.py --workdir=runs/text_vae_couplets

The data come as configs/gpt_tang.py says; a text is 24 characters of a poem. Word dropout, free bits and a weight of
the rate that grows keep the decoder from doing without z. Beside it, a language model of as many layers that has no z:

    python main.py --config=configs/lstm_tang.py --workdir=runs/lstm_couplets --config.data.length=24 \\
        --config.data.batch_size=64 --config.networks.net.layers=1 --config.networks.net.width=256

Hardware: 2 CPU cores. Time: about 36 minutes, by the 0.36 s of a step.
Expected: a bound that is somewhat worse than the language model's bits, as in the paper's table 2, a rate of at least
the 5.5 nats that are free, and active units; texts on a walk that change line by line.
Not yet measured.

Table: VAE | LSTM, sentence VAE | Tang poems, 24 characters at a time | not yet measured
表: VAE | LSTM，句子变分自编码器 | 唐诗，每次 24 字 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/tang_poems",
    full={
        "data.batch_size": 64,
        "data.length": 24,
        "networks.net": dict(name="text_vae.TextVAE", layers=1, width=256, latent=32, dropout=0.0, tied=True),
        "optimizers.net": dict(
            name="adamw",
            learning_rate=2e-3,
            schedule="cosine",
            warmup_steps=100,
            b2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
        ),
        "method": dict(
            name="text_vae",
            annealing="linear",  # "sigmoid" is the paper's
            annealing_steps=1500,
            word_dropout=0.25,
            free_bits=0.25,  # 8 bits of 32 dimensions
            importance_samples=(16,),
        ),
        "train": dict(steps=6000, steps_per_call=4),
        "evaluate": dict(every=1500, batch_size=256),
        "checkpoint": dict(every=1500, best="bits_per_char"),
        "sample": dict(n=16, every=1500, temperature=0.9, top_k=0, top_p=0.95, spread=1.0),
    },
    tiny={
        "networks.net.width": 16,
        "networks.net.latent": 4,
        "optimizers.net.warmup_steps": 2,
        "method.annealing_steps": 2,
        "method.free_bits": 0.0,  # few steps carry no bits, and what is free has no gradient
        "method.importance_samples": (1, 3),
    },
)
