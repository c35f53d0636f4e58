"""DCGAN on Fashion-MNIST (Radford et al. 2016, arXiv:1511.06434).

    python main.py --config=configs/dcgan_fashion_mnist.py --workdir=runs/dcgan

The paper's layers, initial weights, optimizer and batch size, with two doublings from 7x7 to
28x28 in place of four from 4x4 to 64x64, and widths from 64 on where its own go from 128 on.
On a GPU: train.steps_per_call=10, for one step does not fill it: with 8 an H200 trained on 133,000 images/s in place of
69,000.
Hardware: 2 CPU cores. Time: about 13 minutes. Expected: crisp garments, some of them ill-formed.
Measured once, seed 0, with jax 0.10.2 on one CPU core in 13 min: FD-fashion_mnist 1.49 [1.26, 1.71], precision 0.67,
recall 0.85; shirts, trousers, dresses, shoes and boots with sharp outlines; about one in four is ill-formed or
speckled, and bags are rare. The discriminator is right about 62 %.

Table: GAN | DCGAN | Fashion-MNIST | sharp garments, one in four ill-formed, FD 1.49; 13 min on one core
表: GAN | DCGAN | Fashion-MNIST | 轮廓清晰的服装，约四分之一变形，FD 1.49；单核 13 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gan_fashion_mnist",
    without=("optimizers.generator.ema_decay", "optimizers.generator.ema_warmup", "checkpoint"),
    full={
        "networks.generator": dict(name="dcgan.Generator", widths=(128, 64), label_classes=0),
        "networks.discriminator": dict(name="dcgan.Discriminator", widths=(64, 128), label_classes=0),
        "train.steps": 4690,  # 10 epochs
        "sample.every": 469,
    },
    tiny={
        "networks.generator.widths": (8, 4),
        "networks.discriminator.widths": (4, 8),
    },
)
