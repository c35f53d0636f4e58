"""Flow matching on 8 x 8 digits (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2022, arXiv:2209.03003).

    python main.py --config=configs/flow_digits.py --workdir=runs/flow_digits

The network of `configs/ddpm_digits.py` learns the velocity from noise to data along straight lines. Times in training
are logit-normal (Esser et al. 2024, arXiv:2403.03206, section 3.1); samples take 25 steps of Heun's method.
Hardware: 2 CPU cores. Time: 2 minutes.
Not yet measured.

Table: Diffusion | U-Net, flow matching, Heun | digits, 8 × 8 | not yet measured
表: 扩散模型 | U-Net、流匹配、Heun | 8 × 8 手写数字 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(start=("ddpm_digits", "diffusion/flow"), without=("sample.eta",), full={"train.steps": 2000})
