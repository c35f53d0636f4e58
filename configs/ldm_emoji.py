"""Latent diffusion on emoji of four drawn styles at 64 x 64 (Rombach et al. 2022, arXiv:2112.10752).

    python main.py --config=configs/vae_emoji.py --workdir=runs/vae_emoji
    python main.py --config=configs/ldm_emoji.py --workdir=runs/ldm_emoji \\
        --config.frozen.codec.weights=run:runs/vae_emoji#net --config.codec.shift='(…)' --config.codec.scale=…

Flow matching (Lipman et al. 2023, arXiv:2210.02747) by a DiT (Peebles & Xie 2023, arXiv:2212.09748) on the 16 x 16 x 4
latents of the autoencoder that configs/vae_emoji.py trains: 64 tokens of 2 x 2 latents. The means and variances of all
training drawings are computed once; each step draws from these. codec.shift is that run's last latent_mean_0 … 3, and
codec.scale one over the root of its latent_square less the mean of their squares, so that latents have a mean of about
0 and a variance of about 1 (appendix G has the scale; the means of a short training are far from 0).
Samples are decoded, and KID is of images.
On a GPU: networks.net.width=384, layers=12, heads=6, data.batch_size=256, train.steps_per_call=10.
Hardware: 2 CPU cores. Time: 0.51 s a step on one core, 35 minutes in all.
Not yet measured.

Table: Diffusion | latent diffusion: DiT, flow matching on an autoencoder's latents | emoji, 64 × 64 | not yet measured
表: 扩散模型 | 潜空间扩散：自编码器潜变量上的 DiT 与流匹配 | 表情符号，64 × 64 | 尚未测量
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("dit_fashion_mnist", "data/emoji"),
    full={
        "data.batch_size": 64,
        "codec": dict(name="latents", likelihood="laplace", shift=(), scale=1.0),
        "frozen.codec": dict(weights=REQUIRED),  # the command line says where the autoencoder is
        "networks.net.patch": 2,
        "train.steps": 4000,
        "checkpoint.best": "",  # there is no bound on the likelihood of images
    },
    tiny={
        "frozen.codec": dict(
            weights="fresh:0",
            name="autoencoder_kl.AutoencoderKL",
            channels=4,
            multipliers=(1, 2, 2),
            blocks=1,
            latent_channels=2,
            groups=2,
            parameters=1,
            middle_attention=False,
        ),
    },
)
