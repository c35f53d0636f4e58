"""A convolutional VAE on Fashion-MNIST (Kingma & Welling 2014, arXiv:1312.6114).

    python main.py --config=configs/vae_fashion_mnist.py --workdir=runs/vae

The likelihood is of the 256 grey levels (Salimans et al. 2017, arXiv:1701.05517, eq. 2), so that bits/dim
compare with flows and autoregressive models. For images made binary at random, whose nats are
another thing: method.likelihood=bernoulli and networks.net.parameters=1.
On a GPU: train.steps_per_call=10, for one step does not fill it: with 8 an H200 trained on 247,000 images/s in place of
88,000.
Hardware: 2 CPU cores. Time: about 12 minutes. Expected: blurred garments of all classes, and
a bound that rises by some nats from 1 sample to 100.
Measured once, seed 0, on 2 shared CPU cores with jax 0.10.2 in 11 min: ELBO -1836.0 nats on the 10,000 test
images (reconstruction 1780.6, KL 55.4; 3.379 bits/dim), and bounds of -1836, -1824 and -1817 nats with 1, 10 and 100
samples; FD-fashion_mnist 3.31 (docs/board.md).

Table: VAE | convolutional | Fashion-MNIST |
bound with 100 samples -1817 nats, ELBO -1836.0 nats (3.379 bits/dim) on the test images, FD 3.31; 11 min
表: VAE | 卷积 | Fashion-MNIST |
测试集上 100 个样本的下界 -1817 nats，ELBO -1836.0 nats（3.379 bits/dim），FD 3.31；11 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/fashion_mnist",
    full=dict(
        data=dict(batch_size=128),
        networks=dict(
            net=dict(
                name="conv_vae.ConvVAE",
                widths=(32, 64),
                hidden=256,
                latent=32,
                parameters=2,  # location and scale of each value
            ),
        ),
        optimizers=dict(
            net=dict(learning_rate=1e-3, ema_decay=0.999, ema_warmup=True),
        ),
        method=dict(
            name="vae",
            likelihood="discretized_logistic",
            scale=0.0,  # the decoder gives it
            beta=1.0,
            importance_samples=(1, 10, 100),
        ),
        train=dict(steps=9380),  # 20 epochs
        sample=dict(every=2345),
    ),
    tiny={
        "networks.net.widths": (4, 4),
        "networks.net.hidden": 8,
        "networks.net.latent": 4,
        "method.importance_samples": (1, 2),
    },
)
