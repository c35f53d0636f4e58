"""CIFAR-10 (Krizhevsky 2009): 32 x 32 images in colour, in ten classes.

Table: CIFAR-10, and other sets of TFDS | by name: `--config.data.dataset=cifar10`; downloaded and prepared at the
first start
表: CIFAR-10 等 TFDS 数据集 | 写出名称即可：`--config.data.dataset=cifar10`；第一次启动时下载并预处理
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="tfds", dataset="cifar10", image="image", label="label", image_size=0, pad=0, augment=("flip",)),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # judged by the method's own measures alone
    ),
    tiny={"evals.quality.samples": 0},
)
