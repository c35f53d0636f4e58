"""Masked diffusion on text8, character by character (Sahoo et al. 2024, arXiv:2406.07524).

    python main.py --config=configs/mdlm_text8.py --workdir=runs/mdlm_text8

The size that is usual for diffusion on text8 since Austin et al. 2021 (arXiv:2107.03006): 12 layers, 768 values wide,
windows of 256 characters, batches of 512, a million updates. The network is the transformer of `gpt_tang`, not causal,
with rotary positions, as the paper's has them.
Hardware: 8 GPUs. Not yet measured; published bounds: 1.40 bits a character of MDLM, 1.45 of the absorbing D3PM (Austin
et al. 2021), which has the same forward process.

Table: Masked diffusion | MDLM, transformer of 12 layers | text8 | not yet measured (published: ≤ 1.40 bits/char)
表: 掩码扩散 | MDLM，12 层 Transformer | text8 | 尚未测量（已发表：≤ 1.40 bits/字）
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("mdlm_tang", "data/text8"),
    full={
        "data.length": 256,
        "data.extra_tokens": 1,  # the mask
        "data.batch_size": 512,
        "networks.net.layers": 12,
        "networks.net.width": 768,
        "networks.net.heads": 12,
        "networks.net.mlp_width": 2048,
        "networks.net.dropout": 0.1,
        "optimizers.net.learning_rate": 3e-4,
        "optimizers.net.schedule": "constant",
        "optimizers.net.warmup_steps": 2500,
        "optimizers.net.b2": 0.999,
        "optimizers.net.weight_decay": 0.0,
        "optimizers.net.ema_decay": 0.9999,
        "precision": "bfloat16",
        "train.steps": 1_000_000,
        "evaluate.every": 10_000,
        "checkpoint.every": 10_000,
        "sample.every": 10_000,
        "sample.steps": 256,
        "sample.temperature": 1.0,
        "sample.top_p": 1.0,
    },
    tiny={"precision": "float32"},
)
