"""A diffusion transformer on Fashion-MNIST (Peebles & Xie 2023, arXiv:2212.09748), trained by flow matching.

    python main.py --config=configs/dit_fashion_mnist.py --workdir=runs/dit_fashion_mnist

DiT with 6 blocks of width 128 on patches of 4 x 4 pixels, 49 tokens an image, with rotary positions (Heo et al. 2024,
arXiv:2403.13298). The method is that of `configs/flow_fashion_mnist.py`.
Size: networks.net.width, layers, heads, and patch=2 for four times as many tokens.
Hardware: 2 CPU cores. Time: about 20 minutes.
Measured once, seed 0, with jax 0.10.2 after 3,000 steps on one CPU core, shared with other work, in 49 min: FD-
fashion_mnist 1.69 [1.47, 1.91], precision 0.66, recall 0.86, 4.41 bits/dim on 256 test images. The U-Net of
`flow_fashion_mnist` has 0.58 after as many steps, each of them shorter: a transformer has to learn from the data what
convolutions have from the start, and needs more of them.

Table: Diffusion | DiT, flow matching, Heun | Fashion-MNIST | FD 1.69; 49 min on a shared core
表: 扩散模型 | DiT、流匹配、Heun | Fashion-MNIST | FD 1.69；与其他任务共用单核 49 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="flow_fashion_mnist",
    full={
        "networks.net": dict(
            name="dit.DiT", patch=4, width=128, layers=6, heads=4, positions="rotary", label_classes=0, remat=False
        ),
    },
    tiny={
        "networks.net.width": 8,
        "networks.net.layers": 1,
        "networks.net.heads": 2,
    },
)
