"""SN-GAN on Fashion-MNIST (Miyato et al. 2018, arXiv:1802.05957).

    python main.py --config=configs/sngan_fashion_mnist.py --workdir=runs/sngan

The networks of `wgan_gp_fashion_mnist`, with every kernel of the discriminator divided by its largest singular value;
the paper's hinge loss and Adam without momentum. One update of the discriminator a step in place of five: more steps of
the generator in the same time.
With classes (Miyato & Koyama 2018, arXiv:1802.05637): --config.networks.generator.label_classes=10
--config.networks.discriminator.label_classes=10 --config.sample.given=each.
Size: networks.generator.channels and networks.discriminator.channels.
Hardware: 2 CPU cores. Time: about 25 minutes. Expected: garments whose outlines are clear.
Measured twice with jax 0.10.2 on one CPU core and on two, shared with other work, in 50 and 55 min (5 steps/s on one
core alone): shirts, trousers, dresses, bags, shoes and boots with clear outlines and some detail, one in ten a
fragment. Seed 0: FD-fashion_mnist 0.45 [0.30, 0.61], recall 0.84; after 3,200 steps 0.85 [0.72, 0.96], after 6,000 0.51
[0.38, 0.62]; the discriminator is right about 67 % of test images and fakes. Seed 1: 0.29 [0.18, 0.40], recall 0.84.

Table: GAN | SN-ResNet, hinge loss | Fashion-MNIST |
clear outlines, one in ten a fragment, FD 0.45 and 0.29; 55 min on shared cores
表: GAN | SN-ResNet、合页损失 | Fashion-MNIST |
轮廓清晰，约十分之一是残片，FD 0.45 与 0.29；55 分钟（与其他任务共用 CPU 核）
"""

from aigc_jax.experiments import Experiment

adversary = dict(learning_rate=2e-4, b1=0.0, b2=0.9)

get_config = Experiment(
    start="wgan_gp_fashion_mnist",
    without=("method.gradient_penalty",),
    full={
        "networks.discriminator.spectral": True,
        "optimizers.generator": adversary,
        "optimizers.discriminator": adversary,
        "method.loss": "hinge",
        "train.steps": 12_000,
    },
)
