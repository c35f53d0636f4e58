"""A convolutional VAE on a folder of your own images (Kingma & Welling 2014, arXiv:1312.6114).

    python main.py --config=configs/vae_images.py --workdir=runs/mine --config.data.path=FOLDER

It fits 32, 48, 64 and every other multiple of 8: change data.image_size alone. The likelihood is of the 256 levels
(Salimans et al. 2017, arXiv:1701.05517, eq. 2). Samples are blurred, as a VAE's are; it is the fastest of the three
configurations of own images, its walks between samples are smooth, and its bound tells whether it overfits.
docs/your-own-images.md says how the folder looks, and how to see whether the model works.
A few hundred images: the best checkpoint by the bound on held-out images is what is kept and sampled. Twenty thousand:
train.steps=20000, networks.net.latent=256.
On a GPU: networks.net.widths=(64, 128, 256), networks.net.hidden=1024, data.batch_size=128, train.steps_per_call=10.
Hardware: 2 CPU cores, or any GPU.
Measured once, seed 0, on 1,420 emoji of 32 pixels (Noto, white ground; 1,278 to train on) on 2 shared CPU cores, jax
0.10.2, in 14 min: 4.137 bits/dim on the 71 test images after 3,000 steps, which is the checkpoint that is kept; 4.251
after 6,000, for it overfits. Samples are blurred discs and squares in the right colours; few are an object.
KID-efficientnet_lite0 of 500 samples 0.284.

Table: VAE | convolutional | your own images |
4.137 bits/dim on the 71 test images of 1,420 emoji; 14 min on shared cores
表: VAE | 卷积 | 自己的图片 | 1,420 个表情符号中 71 张测试图 4.137 bits/dim；14 分钟（与其他任务共用 CPU 核）
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("vae_fashion_mnist", "data/image_folder"),
    full={
        "data.batch_size": 64,
        "networks.net.widths": (32, 64, 128),
        "networks.net.latent": 64,
        "optimizers.net.schedule": "cosine",
        "method.importance_samples": (1, 10),
        "train.steps": 6000,
        "evaluate.every": 500,
        "checkpoint.best": "bits_per_dim",
    },
)
