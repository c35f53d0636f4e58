"""Flow matching on Fashion-MNIST (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2022, arXiv:2209.03003).

    python main.py --config=configs/flow_fashion_mnist.py --workdir=runs/flow_fashion_mnist

A U-Net of 1.46 million parameters on 2 x 2 pixels a position learns the velocity from noise to data along straight
lines. Times in training are logit-normal (Esser et al. 2024, arXiv:2403.03206, section 3.1); samples take 25 steps of
Heun's method, 49 evaluations of the network.
On a GPU: networks.net.patch=1, channels=64, multipliers=(1,2,3), attention=(14,), data.batch_size=128 and
train.steps=50000.
Hardware: 2 CPU cores. Time: about 20 minutes.
Not yet measured.

Table: Diffusion | U-Net, flow matching, Heun | Fashion-MNIST | not yet measured
表: 扩散模型 | U-Net、流匹配、Heun | Fashion-MNIST | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("ddpm_fashion_mnist", "diffusion/flow"),
    without=("sample.eta",),
    full={
        "data.batch_size": 64,
        "networks.net.patch": 2,
        "networks.net.channels": 48,
        "networks.net.multipliers": (1, 2),  # the middle is at 7 x 7
        "method.bound_terms": 10,
        "train.steps": 4000,
    },
)
