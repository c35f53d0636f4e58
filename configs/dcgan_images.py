"""DCGAN on a folder of your own images (Radford et al. 2016, arXiv:1511.06434).

    python main.py --config=configs/dcgan_images.py --workdir=runs/mine --config.data.path=FOLDER

The paper's layers, initial weights and optimizer, with three doublings. It fits 32, 48, 64 and other multiples of 8:
change data.image_size alone; at 64 the paper has four: widths (512, 256, 128, 64) and (64, 128, 256, 512).
docs/your-own-images.md says how the folder looks, and how to see whether the model works.
It needs a few thousand images: with a few hundred the discriminator learns them by heart, and samples become few
pictures in many copies. ddpm_images is the better choice there. Twenty thousand: train.steps=30000.
On a GPU: train.steps_per_call=10, and the widths twice as large.
Hardware: 2 CPU cores, or any GPU.
Measured once, seed 0, on 1,420 emoji of 32 pixels (Noto, white ground; 1,278 to train on) on 2 shared CPU cores, jax
0.10.2, in 27 min: sharp outlines and flat colours, yellow faces and signs that one can name; about half of 36 are
fragments of several emoji. The audit of 256 samples found no copies (p = 1).
KID-efficientnet_lite0 of 500 samples 0.092.

Table: GAN | DCGAN | your own images |
of 1,420 emoji: sharp forms, half of them fragments, no copies among 256; 27 min on shared cores
表: GAN | DCGAN | 自己的图片 |
1,420 个表情符号：轮廓清晰，约一半是残片，256 个样本中没有复制；27 分钟（与其他任务共用 CPU 核）
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("dcgan_fashion_mnist", "data/image_folder"),
    full={
        "data.batch_size": 64,
        "networks.generator.widths": (256, 128, 64),
        "networks.discriminator.widths": (64, 128, 256),
        "optimizers.generator.ema_decay": 0.999,  # averaged: Yazıcı et al. 2019
        "optimizers.generator.ema_warmup": True,
        "train.steps": 6000,
    },
)
