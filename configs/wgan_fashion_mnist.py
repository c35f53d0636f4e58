"""A Wasserstein GAN with clipped weights on Fashion-MNIST (Arjovsky et al. 2017, arXiv:1701.07875).

    python main.py --config=configs/wgan_fashion_mnist.py --workdir=runs/wgan

The networks of `gan_fashion_mnist` with the paper's algorithm 1 and its settings: RMSprop at 5e-5, five updates of the
critic a step on 64 images each, weights within 0.01. The critic's loss estimates a distance that falls as samples
become better, and its accuracy says nothing. `wgan_gp_fashion_mnist` has a penalty in place of clipping.
Hardware: 2 CPU cores. Time: about 5 minutes. Expected: garments that are told apart at sight, noisier than those of
`gan_fashion_mnist`: clipped weights are a weak critic.
Measured once, seed 0, on one CPU core with jax 0.10.2 in 7 min: outlines of shirts, trousers, dresses and shoes, with
grey speckle and too much contrast; FD-fashion_mnist 3.93 [3.62, 4.22], recall 0.51.

Table: GAN | fully connected, WGAN | Fashion-MNIST | outlines of garments, speckled, FD 3.93; 7 min on one core
表: GAN | 全连接、WGAN | Fashion-MNIST | 服装轮廓，噪点多，FD 3.93；单核 7 分钟
"""

from aigc_jax.experiments import Experiment

rmsprop = dict(name="rmsprop", learning_rate=5e-5, b2=0.99)

get_config = Experiment(
    start="gan_fashion_mnist",
    full={
        "data.batch_size": 320,  # 64 for each update of the critic
        "optimizers.generator": dict(rmsprop, ema_decay=0.999, ema_warmup=True),
        "optimizers.discriminator": rmsprop,
        "method.loss": "wasserstein",
        "method.discriminator_steps": 5,
        "method.clip": 0.01,
        "train.steps": 20_000,
        "sample.every": 2000,
    },
    tiny={"data.batch_size": 40},  # eight devices
)
