"""Masked diffusion on Tang poems by characters (Sahoo et al. 2024, arXiv:2406.07524): the transformer of `gpt_tang`,
not causal.

    python main.py --config=configs/mdlm_tang.py --workdir=runs/mdlm_tang

The data are those of configs/gpt_tang.py. A prompt, that a poem goes on from: --config.sample.given=春江花月夜
(traditional characters).
Hardware: 2 CPU cores. Time: about as long as `gpt_tang`, 40 minutes.
Expected: a bound on the bits a character of the test poems above those of `gpt_tang`, which has the same network, data
and updates: each update of masked diffusion learns from half of the tokens.
Measured once, seed 0, with train.steps=680 and method.bound_terms=4, on one CPU core with jax 0.10.2 in 28 min: at most
8.301 bits/char [8.267, 8.337] and 2.928 bits/byte [2.916, 2.940], where the same network as `gpt_tang` has 7.068 after
as many updates, and the 1-gram 9.396. Both had an MLP 683 wide.

Table: Masked diffusion | MDLM, transformer | Tang poems |
at most 8.301 bits/char on the test poems after 680 steps (gpt_tang: 7.068); 28 min of one core
表: 掩码扩散 | MDLM，Transformer | 唐诗 | 680 步后测试集至多 8.301 bits/字（gpt_tang：7.068）；单核 28 分钟
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
