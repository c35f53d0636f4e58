"""MeanFlow on Fashion-MNIST (Geng et al. 2025, arXiv:2505.13447): samples in one evaluation of the network.

    python main.py --config=configs/meanflow_fashion_mnist.py --workdir=runs/meanflow_fashion_mnist

The transformer of `configs/dit_fashion_mnist.py` learns mean velocities. A quarter of the training examples have two
times, as in the paper.
More steps: --config.sample.steps=4.
Hardware: 2 CPU cores. Time: about 20 minutes.
Not yet measured.

Table: Diffusion | DiT, MeanFlow, one step | Fashion-MNIST | not yet measured
表: 扩散模型 | DiT、MeanFlow、单步 | Fashion-MNIST | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="dit_fashion_mnist",
    without=("sample.sampler", "sample.spacing"),
    full={
        "method": dict(name="meanflow", apart=0.25),
        "sample.steps": 1,
        "checkpoint.best": "",
    },
)
