"""DDPM on a folder of your own images (Ho, Jain & Abbeel 2020, arXiv:2006.11239).

    python main.py --config=configs/ddpm_images.py --workdir=runs/mine --config.data.path=FOLDER

A U-Net of three levels with the cosine schedule (Nichol & Dhariwal 2021, arXiv:2102.09672) and DDIM (Song et al. 2021,
arXiv:2010.02502). It fits 32, 48, 64 and every other multiple of 4: change data.image_size alone.
docs/your-own-images.md says how the folder looks, and how to see whether the model works.
A few hundred images: it will repeat them before long; keep augment=("flip",) unless left and right mean something, stop
after about 3,000 steps, and look at --mode=audit. Twenty thousand: train.steps=30000 or more, dropout=0.0.
On a GPU: networks.net.channels=128, networks.net.blocks=2, data.batch_size=128, precision="bfloat16".
By class: networks.net.label_classes, the number of classes.
Hardware: 2 CPU cores, or any GPU.
Measured once, seed 0, on 1,420 emoji of 32 pixels (Noto, white ground; 1,278 to train on) on 2 shared CPU cores, jax
0.10.2, stopped after 3,475 of 5,000 steps: 3.341 bits/dim on the 71 test images after 3,000, still falling (3.822 after
1,000, 3.479 after 2,000). Samples are clean shapes in flat colours on white, few of them an object at sight yet.
Its whole time is not yet measured: 1.3 steps/s there, beside other work.

Table: Diffusion | U-Net, cosine schedule, DDIM | your own images |
3.341 bits/dim on the 71 test images of 1,420 emoji after 3,000 of 5,000 steps, still falling
表: 扩散模型 | U-Net、余弦噪声调度、DDIM | 自己的图片 |
1,420 个表情符号中 71 张测试图 3.341 bits/dim（5,000 步中的前 3,000 步，仍在下降）
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("ddpm_digits", "data/image_folder"),
    full={
        "data.batch_size": 32,
        "networks.net.multipliers": (1, 2, 3),  # the middle is at a quarter of the sides
        "networks.net.dropout": 0.1,
        "optimizers.net.learning_rate": 5e-4,
        "optimizers.net.ema_decay": 0.999,
        "method.bound_terms": 10,
        "train.steps": 5000,
        "evaluate": dict(every=500, batch_size=64, batches=4),
        "checkpoint.best": "bits_per_dim",
    },
)
