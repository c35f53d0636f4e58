"""Translation of software help from English to Chinese by an encoder-decoder of T5's form (Raffel et al. 2020,
arXiv:1910.10683, section 2.1; gated MLPs: Shazeer 2020, arXiv:2002.05202).

    python main.py --config=configs/t5_help_en_zh.py --workdir=runs/t5_help_en_zh

A file, {"source": "…"} a line, of N lines:

    aigc_jax sample runs/t5_help_en_zh --config.sample.given=FILE.jsonl --config.sample.n=N

Beams: --config.sample.beams=4.
With scaled_output=True, which T5 v1.0 has, nothing was learnt beyond the frequencies of tokens in 1,000 steps: an
embedding that begins small is made smaller still.
Hardware: 2 CPU cores. Time: about 40 minutes.
Measured once, seed 0, with jax 0.10.2 on one CPU core, shared with other work, in 67 min: BLEU 8.6 and chrF 11.2 of
400 test paragraphs, greedy; 3.229 bits/char, 1.242 bits/byte. Right words of the field, such as "Basic" and "Python",
in sentences that repeat themselves and seldom say what the English says: no translation yet.
Once more with train.steps=2000, in 72 min of a shared core: greedy BLEU 6.8 [5.8, 7.9] and chrF 9.1, with four beams
BLEU 6.7 [5.8, 7.8] and chrF 9.1. docs/language.md has ten of them.

Table: Encoder-decoder | T5, 3 + 3 blocks | help of LibreOffice, English to Chinese |
BLEU 8.6, chrF 11.2, no translation yet; 67 min on a shared core
表: 编码器-解码器 | T5，3 + 3 层 | LibreOffice 帮助，英译中 |
BLEU 8.6，chrF 11.2，尚不成译文；与其他任务共用单核 67 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/manuals",
    full=dict(
        data=dict(batch_size=32),
        networks=dict(
            net=dict(
                name="encoder_decoder.EncoderDecoder",
                layers=3,
                width=256,
                heads=4,
                dropout=0.1,
                tied=True,
                shared=True,
                activation="geglu",
                mlp_width=683,  # two thirds of 4 x 256: a gate is one more matrix
                positions="rotary",  # after 400 steps 4.38 bits/char, with "relative" 4.57
                remat=False,  # True: less memory, a third more time
            ),
        ),
        optimizers=dict(
            net=dict(
                name="adamw",
                learning_rate=1.5e-3,
                schedule="cosine",
                warmup_steps=200,
                b2=0.98,
                weight_decay=0.01,
                clip_norm=1.0,
            ),
        ),
        method=dict(name="autoregressive"),
        train=dict(steps=3000, steps_per_call=4),
        evaluate=dict(every=1000),
        checkpoint=dict(every=1000, best="bits_per_char"),
        sample=dict(n=16, every=1000, given="split:test", temperature=0.0),
    ),
    tiny={
        "sample.temperature": 1.0,
        "networks.net.layers": 1,
        "networks.net.width": 16,
        "networks.net.heads": 2,
        "networks.net.mlp_width": 16,
        "optimizers.net.warmup_steps": 2,
        "optimizers.net.clip_norm": 0.0,
    },
)
