"""DiT-XL/2 on ImageNet's pixels at 32 x 32, by class (Peebles & Xie 2023, arXiv:2212.09748).

    python main.py --config=configs/dit_imagenet.py --workdir=runs/dit --config.data.path=FOLDER

The paper's network, optimizer and average: DiT-XL with patches of 2, AdamW without decay at 1e-4, batches of 256, an
average with a decay of 0.9999, flips, the label left out of one example in ten, guidance of 1.5. The paper works on
latents of 32 x 32 x 4 of images of 256 x 256: codec.name="latents" with a trained autoencoder gives those, and data of
256 x 256. FOLDER has a folder of images for each class.
Size: networks.net.width, layers and heads, as the table of `nn/dit.py` has them.
Hardware: a TPU pod slice. Not yet measured; published on latents: FID 2.27 with guidance 1.5 (table 2).

Table: Diffusion | DiT-XL/2 by class | a folder of images, such as ImageNet's | not yet measured
表: 扩散模型 | 类别条件 DiT-XL/2 | 图像目录，例如 ImageNet | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("ddpm_cifar", "data/image_folder"),
    full={},
)
