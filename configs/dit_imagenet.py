"""DiT-XL/2 by class (Peebles & Xie 2023, arXiv:2212.09748), on a folder of ImageNet's images at 32 x 32.

    python main.py --config=configs/dit_imagenet.py --workdir=runs/dit --config.data.path=FOLDER

The paper's network, process, optimizer and average: DiT-XL with patches of 2, β from 1e-4 to 0.02 in 1,000 steps, Adam
at 1e-4, batches of 256, an average with a decay of 0.9999, flips, the label left out of one example in ten, 250 steps
of the ancestral sampler with guidance 1.5. The paper learns the variance too, where here it is β, and works on latents
of 32 x 32 x 4 of images of 256 x 256: docs/add-a-codec.md says how a trained autoencoder gives those. FOLDER has a
folder of images for each class.
Size: networks.net.width, layers and heads, as the table in `nn/dit.py` has them.
Hardware: a TPU pod slice. Not yet measured; published, on latents: FID 2.27 with guidance 1.5 (table 2).

Table: Diffusion | DiT-XL/2 by class, the paper's settings | a folder of images, such as ImageNet's | not yet measured
表: 扩散模型 | 类别条件 DiT-XL/2、论文原版设置 | 图像目录，例如 ImageNet | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("ddpm_cifar", "data/image_folder"),
    full={
        "data.batch_size": 256,
        "networks.net": dict(name="dit.DiT", patch=2, width=1152, layers=28, heads=16, positions="sines", remat=True),
        "optimizers.net": dict(learning_rate=1e-4, ema_decay=0.9999),
        "method.bound_terms": 100,
        "method.drop": 0.1,
        "train.steps": 7_000_000,
        "sample.given": "each",
        "sample.steps": 250,
        "sample.guidance": 1.5,
        "checkpoint.best": "",
    },
    tiny={"networks.net.width": 8, "networks.net.layers": 1, "networks.net.heads": 2},
)
