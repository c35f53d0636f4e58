"""A small GPT on points of a known density, x and then y given x (Radford et al. 2019): its likelihood is exact.

    python main.py --config=configs/gpt_points.py --workdir=runs/gpt_points

Other densities: --config.data.density=grid, moons, spiral, checkerboard.
Hardware: 2 CPU cores. Time: about a minute.
Expected: samples that are hard to tell from draws of the ring.
Measured once, seed 0, on 2 busy CPU cores with jax 0.10.2 in 1 min 12 s: 6.231 bits a coordinate, 0.011 bits a point
above the entropy of the ring; JS 0.007 bits (draws of the ring: 0.005), and 1.3 % of the samples off the data (draws:
1.1 %). All densities: docs/ground-truth.md.

Table: Autoregressive | transformer, a token for each coordinate | a known density in the plane |
0.011 bits a point above the entropy; 1 min 12 s
表: 自回归模型 | Transformer，每个坐标一个词元 | 平面上的已知分布 | 每点比熵多 0.011 bits；1 分 12 秒
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("gpt_fashion_mnist", "data/points"),
    full={
        "evaluate.budget": 60.0,
        "networks.net.layers": 2,  # untied: what a level means as x is not what it means as y
        "optimizers.net.ema_decay": 0.999,
        "checkpoint.every": 1000,
    },
    tiny={"data": dict(name="points", density="ring", examples=64, batch_size=8)},
)
