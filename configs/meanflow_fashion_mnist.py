"""MeanFlow on Fashion-MNIST (Geng et al. 2025, arXiv:2505.13447): samples in one evaluation of the network.

    python main.py --config=configs/meanflow_fashion_mnist.py --workdir=runs/meanflow_fashion_mnist

The transformer of `configs/dit_fashion_mnist.py` learns mean velocities. A quarter of the training examples have two
times, as in the paper.
More steps: --config.sample.steps=4.
Hardware: 2 CPU cores. Time: about 30 minutes.
Measured once, seed 0, with jax 0.10.2 after 1,500 of 3,000 steps on one CPU core, shared with other work, in 34 min:
FD-fashion_mnist 4.17 [3.89, 4.46] of samples in one evaluation, 5.17 after 1,000 steps; precision 0.60, recall 0.59:
blurred silhouettes of all kinds, with the patches' edges. `dit_fashion_mnist` has 1.69 with 49 evaluations and twice
the steps.

Table: Diffusion | DiT, MeanFlow, one step | Fashion-MNIST |
blurred silhouettes, FD 4.17 after half of the steps; 34 min on a shared core
表: 扩散模型 | DiT、MeanFlow、单步 | Fashion-MNIST | 模糊轮廓，完成一半步数时 FD 4.17；与其他任务共用单核 34 分钟
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
