"""Consistency distillation on Fashion-MNIST (Song et al. 2023, arXiv:2303.01469): a finished run's samples in one step.

    python main.py --config=configs/flow_fashion_mnist.py --workdir=runs/flow_fashion_mnist
    python main.py --config=configs/consistency_fashion_mnist.py --workdir=runs/consistency_fashion_mnist
    --config.networks.net.start=run:runs/flow_fashion_mnist#net
    --config.frozen.teacher.weights=run:runs/flow_fashion_mnist#net

The student begins as its teacher, a flow. A teacher of another kind needs its method.schedule, timesteps and
prediction, and its networks.net; where the first three differ from its run's, one line says so.
More steps: --config.sample.steps=3.
Hardware: 2 CPU cores. Time: about 5 minutes.
Measured once, seed 0, with jax 0.10.2 on one CPU core, shared with other work, in 9 min 18 s: FD-fashion_mnist 1.59
[1.36, 1.81] of samples in one evaluation, precision 0.72, recall 0.78; its teacher has 0.58 with 49. Most are
garments at sight, a little noisy, and the thin ones fade. The places decide: what a student knows has to come from
the data's end, place by place. 8 places by Karras, a rate of 5e-4 and 700 steps give 4.58; 40 by Karras, 2e-4 and 800
steps leave noise everywhere, 19.1.

Table: Diffusion | U-Net, consistency distillation, one step | Fashion-MNIST |
one evaluation: FD 1.59; 9 min 18 s on a shared core
表: 扩散模型 | U-Net、一致性蒸馏、单步 | Fashion-MNIST | 单次求值：FD 1.59；与其他任务共用单核 9 分 18 秒
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
        "train.steps": 400,
        "sample.steps": 1,
        "checkpoint.best": "",
    },
    tiny={
        "networks.net.start": "",
        # Not a U-Net: before training that says nothing, and every student is consistent with it.
        "frozen.teacher": dict(weights="fresh:0", name="mlp.Denoiser", width=8, blocks=1, octaves=1),
    },
)
