"""Flow matching on Fashion-MNIST by class, with classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598).

    python main.py --config=configs/cfg_fashion_mnist.py --workdir=runs/cfg_fashion_mnist

`configs/flow_fashion_mnist.py` with the classes of the data, which one training example in ten does not see. Samples
are of the classes in turn, and --config.sample.guidance=2 moves them further to theirs.
Hardware: 2 CPU cores. Time: about 20 minutes.
Not yet measured.

Table: Diffusion | U-Net by class, flow matching, Heun | Fashion-MNIST | not yet measured
表: 扩散模型 | 类别条件 U-Net、流匹配、Heun | Fashion-MNIST | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="flow_fashion_mnist",
    without=("networks.net.label_classes",),  # those of the data
    full={"method.drop": 0.1, "sample.given": "each", "sample.guidance": 1.5},
)
