"""EDM on Fashion-MNIST (Karras et al. 2022, arXiv:2206.00364).

    python main.py --config=configs/edm_fashion_mnist.py --workdir=runs/edm_fashion_mnist

The network and the settings of `configs/flow_fashion_mnist.py`, with EDM's process, preconditioning, law of times and
sampler: 18 steps of Heun's method, 35 evaluations of the network.
Hardware: 2 CPU cores. Time: about 20 minutes.
Not yet measured.

Table: Diffusion | U-Net, EDM, Heun | Fashion-MNIST | not yet measured
表: 扩散模型 | U-Net、EDM、Heun | Fashion-MNIST | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(start=("flow_fashion_mnist", "diffusion/edm"), full={"method.bound_terms": 10})
