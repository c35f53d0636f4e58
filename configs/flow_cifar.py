"""Flow matching on CIFAR-10 (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2022, arXiv:2209.03003, appendix).

    python main.py --config=configs/flow_cifar.py --workdir=runs/flow_cifar

Rectified flow's setting: the network and optimizer of DDPM, uniform times, a dropout of 0.15, an average with a decay
of 0.999999, and flips. Both papers sample with an adaptive Runge-Kutta method of about 130 evaluations; here Heun's
takes 65 steps.
Hardware: 8 GPUs or a TPU host. Not yet measured; published: FID 2.58 with 127 evaluations (Liu et al., table 1a).

Table: Diffusion | U-Net, flow matching, Heun | CIFAR-10 | not yet measured
表: 扩散模型 | U-Net、流匹配、Heun | CIFAR-10 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("ddpm_cifar", "diffusion/flow"),
    without=("sample.eta",),
    full={
        "networks.net.dropout": 0.15,
        "optimizers.net.ema_decay": 0.999999,
        "optimizers.net.ema_warmup": True,
        "method.times": "uniform",
        "method.spaced": False,
        "method.bound_terms": 100,
        "sample.steps": 65,
    },
)
