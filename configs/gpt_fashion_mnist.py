"""A small GPT on the pixels of Fashion-MNIST, one after the other (Chen et al. 2020, Generative pretraining from
pixels; van den Oord et al. 2016, arXiv:1601.06759): its likelihood is exact.

    python main.py --config=configs/gpt_fashion_mnist.py --workdir=runs/gpt_fashion_mnist

784 tokens an image, each one of the 256 grey levels, so that bits/dim compare with those of diffusion and VAE.
Hardware: 2 CPU cores. Time: about 75 minutes, of which 15 for measuring. Expected: garments of all classes, grainy.
Measured once, seed 0, on 2 shared CPU cores with jax 0.10.2 in 81 min: 3.107 bits/dim on the 10,000 test images, after
half an epoch. Of 64 samples about 50 are garments at sight, some torn; FD-fashion_mnist 3.29 (docs/board.md).
That was with train.steps_per_call=1; not yet measured with 4, which is rounding and time alone.

Table: Autoregressive | transformer, a token for each pixel | Fashion-MNIST |
3.107 bits/dim on the test images, FD 3.29; 81 min
表: 自回归模型 | Transformer，每个像素一个词元 | Fashion-MNIST | 测试图像上 3.107 bits/dim，FD 3.29；81 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/fashion_mnist",
    full=dict(
        data=dict(batch_size=16),
        codec=dict(name="levels"),  # a token for each pixel
        networks=dict(
            net=dict(
                name="transformer.Transformer",
                layers=4,
                width=64,
                heads=4,
                dropout=0.0,
                tied=False,
                remat=False,
            ),
        ),
        optimizers=dict(
            net=dict(
                name="adamw",
                learning_rate=2e-3,
                schedule="cosine",
                warmup_steps=100,
                b2=0.99,
                clip_norm=1.0,
                ema_decay=0.99,
                ema_warmup=True,
            ),
        ),
        method=dict(name="autoregressive"),
        train=dict(steps=2000, steps_per_call=4),
        evaluate=dict(batch_size=50, budget=0.0),
        sample=dict(every=1000, temperature=1.0, top_k=0, top_p=1.0),
        checkpoint=dict(every=500),
    ),
    tiny={
        "data": dict(name="digits", batch_size=8),
        "networks.net.layers": 1,
        "networks.net.width": 8,
        "networks.net.heads": 2,
        "optimizers.net.warmup_steps": 2,
    },
)
