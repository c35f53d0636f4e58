"""R3GAN on CIFAR-10 with the settings of the paper (Huang et al. 2024, arXiv:2501.05441, appendix), by class.

    python main.py --config=configs/r3gan_cifar.py --workdir=runs/r3gan_cifar

Four stages of 768 channels from 4x4 to 32x32, two blocks each, and an average whose half-life is 5 million images. The
authors move some settings along a cosine over the first 20 million images: the rate from 2e-4 to 5e-5, the penalties'
weight from 0.05 to 0.005, b2 from 0.9 to 0.99, the average's half-life from 0, and the probability that an image is
augmented from 0 to 0.55. Here the rate falls along the whole run to a tenth, the average warms up, images are mirrored
alone, and the others have their last value from the start.
Hardware: several GPUs. Expected: FID 1.96 of 50,000 samples against the training split (the paper's table).
Measured: not yet measured.

Table: GAN | R3GAN, the paper's settings | CIFAR-10 | not yet measured
表: GAN | R3GAN、论文原版设置 | CIFAR-10 | 尚未测量
"""

from aigc_jax.experiments import Experiment

IMAGES, BATCH, HALF_LIFE = 200_000_000, 512, 5_000_000

sizes = dict(channels=768, multipliers=(1, 1, 1, 1), blocks=2, group=16)  # classes: those of the data
adversary = dict(learning_rate=2e-4, schedule="cosine", b1=0.0, b2=0.99)

get_config = Experiment(
    start=("r3gan_fashion_mnist", "data/cifar10"),
    full={
        "data.batch_size": BATCH,
        "networks.generator": dict(sizes, name="r3gan.Generator"),
        "networks.discriminator": dict(sizes, name="r3gan.Discriminator"),
        "optimizers.generator": dict(adversary, ema_decay=0.5 ** (BATCH / HALF_LIFE), ema_warmup=True),
        "optimizers.discriminator": adversary,
        "method.r1": 0.005,
        "method.r2": 0.005,
        "train.steps": IMAGES // BATCH,
        "sample.every": 5000,
        "sample.given": "each",
        "checkpoint.every": 5000,
    },
    tiny={
        "networks.generator.blocks": 1,
        "networks.discriminator.blocks": 1,
    },
)
