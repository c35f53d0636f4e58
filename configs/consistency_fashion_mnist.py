"""Consistency distillation on Fashion-MNIST (Song et al. 2023, arXiv:2303.01469): a finished run's samples in one step.

    python main.py --config=configs/flow_fashion_mnist.py --workdir=runs/flow_fashion_mnist
    python main.py --config=configs/consistency_fashion_mnist.py --workdir=runs/consistency_fashion_mnist
    --config.networks.net.start=run:runs/flow_fashion_mnist#net
    --config.frozen.teacher.weights=run:runs/flow_fashion_mnist#net

The student begins as its teacher, a flow. A teacher of another kind needs its method.schedule, timesteps and
prediction, and its networks.net; where the first three differ from its run's, one line says so.
More steps: --config.sample.steps=3.
Places are even in t: of 40 by Karras's spacing half lie at t > 0.95, where all is noise. With these the student lost
what its teacher knew, and 800 steps at twice the rate gave speckled blots.
Hardware: 2 CPU cores. Time: about 20 minutes.
Not yet measured.

Table: Diffusion | U-Net, consistency distillation, one step | Fashion-MNIST | not yet measured
表: 扩散模型 | U-Net、一致性蒸馏、单步 | Fashion-MNIST | 尚未测量
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="flow_fashion_mnist",
    without=("sample.sampler", "sample.spacing"),
    full={
        "networks.net.start": REQUIRED,  # the command line says where the teacher is
        "frozen.teacher": dict(weights=REQUIRED),
        "optimizers.net.learning_rate": 1e-4,
        "optimizers.net.warmup_steps": 100,
        "method": dict(name="consistency", schedule="flow", prediction="flow", places=18, spacing="uniform"),
        "train.steps": 1500,
        "sample.steps": 1,
        "checkpoint.best": "",
    },
    tiny={
        "networks.net.start": "",
        # Not a U-Net: before training that says nothing, and every student is consistent with it.
        "frozen.teacher": dict(weights="fresh:0", name="mlp.Denoiser", width=8, blocks=1, octaves=1),
    },
)
