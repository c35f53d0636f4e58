"""A sentence VAE of the couplets of Tang poems (Bowman et al. 2016, arXiv:1511.06349).

    python main.py --config=configs/text_vae_couplets.py --workdir=runs/text_vae_couplets

The data come as configs/gpt_tang.py says; a text is two lines of five or seven characters each. Word dropout, free bits
and a weight of the rate that grows keep the decoder from doing without z. Beside it, configs/lstm_couplets.py is a
language model of the same layer without z.
Hardware: 2 CPU cores. Time: about half an hour, by the 0.2 to 0.4 s of a step on shared cores.
Expected: a bound that is somewhat worse than the language model's bits, as in the paper's table 2, a rate of at least
the 5.5 nats that are free, and active units; texts on a walk that change line by line.
Measured once, seed 0, with train.steps=2400 and method.annealing_steps=800, on one shared CPU core with jax 0.10.2 in
52 min: 7.774 bits/char as a bound on the test couplets, 7.553 as that of 16 samples; a rate of 4.9 nats, below what
is expected; 32 of 32 units active. The texts have two lines of equal length as a rule, and little sense; a walk changes
them line by line. lstm_couplets has 7.187 bits/char after as many updates: the bound is worse, as is expected.

Table: VAE | LSTM, sentence VAE | couplets of Tang poems |
bound 7.774 bits/char, of 16 samples 7.553, rate 4.9 nats, 32 of 32 units active after 2400 steps; 52 min
表: VAE | LSTM，句子变分自编码器 | 唐诗对句 |
上界 7.774 bits/字，16 个样本的上界 7.553，码率 4.9 nats，32 个单元中 32 个活跃，2400 步后；52 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full={
        "data": dict(
            name="couplets",
            path="data/chinese-poetry",
            what="couplet",
            length=17,  # two lines of seven, their punctuation and the end
            vocabulary_size=6000,
            batch_size=64,
        ),
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
        "evals": dict(quality=dict(samples=64, extractor="", measures=("distinct_1", "distinct_2", "copied_5"))),
        "sample": dict(n=16, every=1500, temperature=0.9, top_k=0, top_p=0.95, spread=1.0),
    },
    tiny={
        "data.length": 14,
        "data.vocabulary_size": 40,
        "evals.quality.samples": 0,
        "networks.net.width": 16,
        "networks.net.latent": 4,
        "optimizers.net.warmup_steps": 2,
        "method.annealing_steps": 2,
        "method.free_bits": 0.0,  # few steps carry no bits, and what is free has no gradient
        "method.importance_samples": (1, 3),
    },
)
