"""A GAN of fully connected networks on Fashion-MNIST (Goodfellow et al. 2014, arXiv:1406.2661).

    python main.py --config=configs/gan_fashion_mnist.py --workdir=runs/gan

Networks and optimizer are those of the well-known introductions (784-512-256-1 against
100-256-512-784, Adam at 2e-4); the paper's own maxout networks on MNIST are larger.
Hardware: 2 CPU cores. Time: about 5 minutes. Expected: garments that are told apart at sight,
noisy at their edges; the discriminator's accuracy stays between 0.5 and 0.95.
Measured once, seed 0, on 2 shared CPU cores with jax 0.10.2 in 7 min: shirts, trousers, dresses, bags, shoes and
boots, speckled, about one in eight a smear; the discriminator is right about 69 % of test images and fakes;
FD-fashion_mnist 2.27 (docs/board.md).

Table: GAN | fully connected | Fashion-MNIST | garments, speckled, FD 2.27; 7 min
表: GAN | 全连接 | Fashion-MNIST | 可辨认的服装，有噪点，FD 2.27；7 分钟
"""

from aigc_jax.experiments import Experiment

adversary = dict(learning_rate=2e-4, b1=0.5)  # b1: DCGAN's, section 4; 0.9 oscillates

get_config = Experiment(
    start="data/fashion_mnist",
    full=dict(
        data=dict(batch_size=128),
        networks=dict(
            generator=dict(name="mlp.Generator", widths=(256, 512), label_classes=0),
            discriminator=dict(name="mlp.Discriminator", widths=(512, 256), label_classes=0),
        ),
        optimizers=dict(
            generator=dict(adversary, ema_decay=0.999, ema_warmup=True),
            discriminator=adversary,
        ),
        method=dict(
            name="gan",
            loss="non_saturating",
            latent=100,
            discriminator_steps=1,
        ),
        train=dict(steps=23450),  # 50 epochs
        sample=dict(every=2345),
        checkpoint=dict(every=5000),
    ),
    tiny={
        "networks.generator.widths": (4, 4),
        "networks.discriminator.widths": (4, 4),
        "method.latent": 4,
    },
)
