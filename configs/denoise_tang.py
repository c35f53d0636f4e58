"""Denoising of Tang poems by characters with the spans of T5 (Raffel et al. 2020, arXiv:1910.10683, section 3.1.4).

    python main.py --config=configs/denoise_tang.py --workdir=runs/denoise_tang

The data are those of configs/gpt_tang.py. It pretrains an encoder and a decoder: another run begins with its weights by
--config.networks.net.start=run:runs/denoise_tang#net. BART's noise: --config.method.noise=infill
--config.method.density=0.3.
Hardware: 2 CPU cores. Time: about an hour.
Measured once, seed 0, on one shared CPU core with jax 0.10.2 and a quarter of the steps, train.steps=480, in 29 min:
9.442 [9.399, 9.485] bits a restored character of the test poems. That is how frequent characters are and no more: a
1-gram has 9.396. Samples restore line ends and single characters. Far from trained.

Table: Denoising | T5's spans, encoder and decoder | Tang poems |
9.442 [9.399, 9.485] bits a restored character after 480 steps, far from trained (1-gram: 9.396); 29 min
表: 去噪预训练 | T5 的片段遮盖，编码器-解码器 | 唐诗 |
480 步后每个复原字 9.442 [9.399, 9.485] 比特，远未训练充分（1-gram：9.396）；29 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="gpt_tang",
    without=("sample", "evals"),
    full={
        "data.extra_tokens": 10,  # the mask, and sentinels: of at most 5 spans, and of the end
        "networks": dict(
            net=dict(
                name="encoder_decoder.EncoderDecoder",
                layers=4,
                width=256,
                heads=4,
                dropout=0.0,
                tied=True,
                shared=True,
            ),
        ),
        "method": dict(name="denoising", noise="spans", density=0.15, mean_span=3.0),
        "checkpoint.best": "bits_per_restored_char",
        "sample": dict(n=16, every=480, temperature=0.9, top_p=0.95),
    },
    tiny={"networks.net.layers": 2, "networks.net.width": 16, "networks.net.heads": 2},
)
