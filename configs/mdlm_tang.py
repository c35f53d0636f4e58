"""Masked diffusion on Tang poems by characters (Sahoo et al. 2024, arXiv:2406.07524): the transformer of `gpt_tang`,
not causal.

    python main.py --config=configs/mdlm_tang.py --workdir=runs/mdlm_tang

The data are those of configs/gpt_tang.py. A prompt, that a poem goes on from: --config.sample.given=春江花月夜
(traditional characters).
Hardware: 2 CPU cores. Time: about as long as `gpt_tang`, 70 minutes.
Expected: a bound on the bits a character of the test poems above the 6.601 of `gpt_tang`, which has the same network,
data and updates: each update of masked diffusion learns from half of the tokens.
Not yet measured.

Table: Masked diffusion | MDLM, transformer | Tang poems | not yet measured (gpt_tang: 6.601 bits/char)
表: 掩码扩散 | MDLM，Transformer | 唐诗 | 尚未测量（gpt_tang：6.601 bits/字）
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gpt_tang",
    without=("sample",),  # top_k is not of this family
    full={
        "data.extra_tokens": 1,  # the mask
        "method": dict(name="masked_diffusion", bound_terms=16),
        "sample": dict(n=16, every=480, steps=96, temperature=0.9, top_p=0.95, order="random"),
    },
    tiny={"sample.steps": 4, "method.bound_terms": 4},
)
