"""EDM on CIFAR-10 (Karras et al. 2022, arXiv:2206.00364).

    python main.py --config=configs/edm_cifar.py --workdir=runs/edm_cifar

The paper's training (its configuration F, appendix F.2): batches of 512, a learning rate of 1e-3 warmed up over
10 million images, a dropout of 0.13, an average with a half-life of half a million images, 200 million images in all.
Samples take 18 steps of Heun's method, 35 evaluations. The network is DDPM's where the paper's is DDPM++ with residual
blocks that resample, and its augmentation by 12 % of geometric changes is absent: here are flips alone.
Hardware: 8 GPUs or a TPU host. Not yet measured; published: FID 1.97 with 35 evaluations (table 2).

Table: Diffusion | U-Net, EDM, Heun | CIFAR-10 | not yet measured
表: 扩散模型 | U-Net、EDM、Heun | CIFAR-10 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("ddpm_cifar", "diffusion/edm"),
    without=("sample.eta",),
    full={
        "data.batch_size": 512,
        "networks.net.dropout": 0.13,
        "optimizers.net": dict(
            learning_rate=1e-3,
            warmup_steps=19_531,  # 10 million images
            ema_decay=0.99929,  # half in 500,000 images
        ),
        "method.bound_terms": 100,
        "train.steps": 390_625,  # 200 million images
    },
)
