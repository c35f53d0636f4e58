"""DDPM on points of a known density (Ho, Jain & Abbeel 2020, arXiv:2006.11239): how far its bound is from the truth.

    python main.py --config=configs/ddpm_points.py --workdir=runs/ddpm_points

Other densities: --config.data.density=grid, moons, spiral, checkerboard.
Hardware: 2 CPU cores. Time: about a minute.
Expected: eight Gaussians, and thin bridges between them.
Measured once, seed 0, on 2 busy CPU cores with jax 0.10.2 in 1 min 07 s: 6.451 bits/dim, 0.45 bits a point above the
entropy of the ring, of which the bound of the best denoiser with 200 steps has 0.43; JS 0.016 bits (draws of the ring:
0.005), and 3.9 % of the samples off the data. All densities: docs/ground-truth.md.

Table: Diffusion | fully connected, cosine schedule | a known density in the plane |
0.45 bits a point above the entropy, of which the bound has 0.43; 1 min 07 s
表: 扩散模型 | 全连接、余弦噪声调度 | 平面上的已知分布 | 每点比熵多 0.45 bits，其中 0.43 来自下界本身；1 分 07 秒
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/points",
    full=dict(
        networks=dict(net=dict(name="mlp.Denoiser", width=96, blocks=2, octaves=3)),
        optimizers=dict(
            net=dict(learning_rate=1e-3, schedule="cosine", warmup_steps=200, ema_decay=0.999, ema_warmup=True),
        ),
        method=dict(
            name="diffusion",
            timesteps=200,
            schedule="cosine",
            prediction="noise",
            variance="large",  # "small" narrows every mode, even with the best denoiser that there is
            clip=True,
            bound_terms=0,
            drop=0.0,  # of what is given: for guidance
        ),
        train=dict(steps=8000),
        sample=dict(sampler="ancestral", steps=200, eta=0.0),
        checkpoint=dict(every=4000),
    ),
    tiny={
        "networks.net.width": 8,
        "networks.net.blocks": 1,
        "optimizers.net.warmup_steps": 2,
        "method.timesteps": 5,
        "sample.steps": 3,
    },
)
