"""Emoji in four drawn styles, 64 x 64: 1,586 of each, in 94 subgroups. 600 samples judged.

    npm install @iconify-json/noto@1.2.9 @iconify-json/twemoji@1.2.5 @iconify-json/openmoji@1.2.29 \\
        @iconify-json/fluent-emoji-flat@1.2.6 emojibase-data@17.0.0
    pip install 'aigc_jax[emoji]'

With --config.data.caption=en or zh each has its name as a caption, "waving hand" or 挥手.

Table: emoji in four styles | `npm install` of five packages, which the head of
[configs/data/emoji.py](configs/data/emoji.py) names; 100 MB on disk
表: 四种画风的表情符号 | `npm install` 五个包，见 [configs/data/emoji.py](configs/data/emoji.py) 的开头；占 100 MB
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="emoji",
            path="node_modules",
            styles=("noto", "twemoji", "openmoji", "fluent"),
            image_size=64,
            augment=(),  # mirrored letters and arrows would be learnt
        ),
        evals=dict(
            quality=dict(
                samples=600, extractor="efficientnet_lite0", measures=("kid", "precision_recall", "density_coverage")
            ),
        ),
    ),
    tiny={
        "data.image_size": 16,
        "evals.quality.samples": 0,
        "evals.quality.extractor": "",
        "evals.quality.measures": (),
    },
)
