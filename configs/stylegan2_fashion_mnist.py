"""StyleGAN2 on Fashion-MNIST (Karras et al. 2020, arXiv:1912.04958), small enough for a CPU.

    python main.py --config=configs/stylegan2_fashion_mnist.py --workdir=runs/stylegan2_fashion_mnist

The paper's networks at 28 x 28: two doublings of a grid of 7 x 7, a mapping network of two layers as in ADA
(arXiv:2006.06676), style mixing, R1 in every 16th step and path length in every 8th, Adam with the correction for these
intervals. The dial of the size is networks.*.channels, with `most` four times as many. R1's weight is near ADA's rule,
0.0002 x pixels / batch.
On a GPU: networks.*.channels=64, most=256, width=256, data.batch_size=64, train.steps_per_call=16.
Hardware: 2 CPU cores. Time: about 20 minutes. Expected: garments that are told apart at sight; sample.psi=0.7 draws
fewer odd ones.
Measured once, seed 0, on 2 CPU cores with jax 0.10.2 in 22 min (13 steps/s on quiet cores): shirts, trousers, dresses,
bags, shoes and boots; many bear a pattern of dots, one in ten is a fragment; FD-fashion_mnist 1.18 [0.94, 1.40], recall
0.67; the discriminator is right about 83 % of test images and fakes.

Table: GAN | StyleGAN2 | Fashion-MNIST | garments, many dotted, FD 1.18; 22 min
表: GAN | StyleGAN2 | Fashion-MNIST | 可辨认的服装，多有斑点，FD 1.18；22 分钟
"""

from aigc_jax.experiments import Experiment

R1_EVERY, PATHS_EVERY = 16, 8  # steps
RATE, B2 = 0.0025, 0.99


def adam(every: int) -> dict[str, float]:
    """Adam's settings where a penalty adds a step's worth of gradient in every so many steps (appendix B)."""
    share = every / (every + 1)
    return dict(learning_rate=RATE * share, b1=0.0, b2=B2**share)


size = dict(channels=16, most=64, halvings=2, label_classes=0)

get_config = Experiment(
    start="data/fashion_mnist",
    full=dict(
        data=dict(batch_size=32),
        networks=dict(
            generator=dict(size, name="stylegan2.Generator", width=64, depth=2, mixing=0.9),
            discriminator=dict(size, name="stylegan2.Discriminator", residual=True, group=4, label_depth=0),
        ),
        optimizers=dict(
            generator=dict(adam(PATHS_EVERY), ema_decay=0.999, ema_warmup=True),
            discriminator=adam(R1_EVERY),
        ),
        method=dict(
            name="gan",
            loss="non_saturating",
            latent=64,
            discriminator_steps=1,
            r1=0.01,
            penalty_every=R1_EVERY,
            path_length=2.0,
            path_length_every=PATHS_EVERY,
        ),
        train=dict(steps=14_000),
        sample=dict(every=2000),
        checkpoint=dict(every=2000),
    ),
    tiny={
        "networks.generator.halvings": 1,
        "networks.generator.channels": 2,
        "networks.generator.most": 4,
        "networks.generator.width": 4,
        "networks.generator.depth": 1,
        "networks.discriminator.halvings": 1,
        "networks.discriminator.channels": 2,
        "networks.discriminator.most": 4,
        "method.latent": 4,
        "method.penalty_every": 2,
        "method.path_length_every": 2,
    },
)
