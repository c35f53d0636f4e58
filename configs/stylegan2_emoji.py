"""StyleGAN2-ADA on emoji of four drawn styles at 64 x 64 (Karras et al. 2020, arXiv:1912.04958 and 2006.06676).

    python main.py --config=configs/stylegan2_emoji.py --workdir=runs/stylegan2_emoji

configs/stylegan2_fashion_mnist.py with four doublings of a grid of 4 x 4. The discriminator sees images that are
transformed, by the probability that keeps the mean sign of its logits on real ones at 0.6: it has few to learn from.
configs/data/emoji.py names the packages that the data are in.
On a GPU: networks.*.channels=64, most=512, width=512, data.batch_size=64, train.steps_per_call=16.
Hardware: 2 CPU cores. Time: chosen for 20 minutes: one core alone takes 6.9 steps/s. The first evaluation looks at all
training drawings through EfficientNet, which takes longer than 20 minutes on one shared core; later ones remember it.
Expected: silhouettes in flat colours with outlines; no drawing that can be named.
Measured once, seed 0, with jax 0.10.2, 15,000 steps on one CPU core in about 40 min: KID-efficientnet_lite0 0.212
[0.202, 0.221] of 1,000 samples (0.281 after 5,000 steps; real images 0.001), precision 0.05: blobs have become
silhouettes with an outline. 240,000 images seen are a hundredth of what the paper takes (25 million).

Table: GAN | StyleGAN2-ADA | emoji, 64 × 64 | silhouettes in flat colours, no emoji yet, KID 0.212; 40 min on one core
表: GAN | StyleGAN2-ADA | 表情符号，64 × 64 | 纯色带轮廓的剪影，尚不可辨认，KID 0.212；单核 40 分钟
"""

from aigc_jax.experiments import Experiment

size = dict(channels=8, most=128, halvings=4, label_classes=0)

get_config = Experiment(
    start=("stylegan2_fashion_mnist", "data/emoji"),
    full={
        "data.batch_size": 16,
        "networks.generator": dict(size, name="stylegan2.Generator", width=128, depth=2, mixing=0.9),
        "networks.discriminator": dict(size, name="stylegan2.Discriminator", residual=True, group=4, label_depth=0),
        "method.latent": 128,
        "method.r1": 0.05,
        "method.augmentation": ("ada_blit", "ada_geometry", "ada_color"),
        "method.augmentation_target": 0.6,
        "method.augmentation_images": 100_000,
        "train.steps": 15_000,
        "sample.every": 3000,
        "checkpoint.every": 3000,
    },
)
