"""Beam search of T5 with a cache of keys and values: transformers' generate.

From sources of one length to texts of one length, that none of the hypotheses ends before.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.pieces import t5_step
from benchmarks.work import Side, Work

CEILING = "matmul"
UNIT = "tokens"
SIZES = {
    "8m-beams4": dict(**t5_step.SMALL, batch=8, beams=4, precision="float32"),
    "60m-beams4": dict(**t5_step.T5_SMALL, batch=8, beams=4, precision="bfloat16"),
    "tiny": {**t5_step.SIZES["tiny"], "beams": 2},
}


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's program that samples."""
    from benchmarks import ours

    config = t5_step.config(settings)
    config["sample"].update(beams=settings["beams"], length_penalty=1.0)
    source, target = t5_step.texts(settings)
    batch = {"target": target, "source": source}
    return ours.drawing(config, t5_step.facts(settings), batch, settings["batch"] * settings["length"])


def transformers(settings: Mapping[str, Any]) -> Work:
    """generate(), with the cache that it has by default."""
    import torch

    from benchmarks import peers

    network = t5_step.t5(settings).eval()
    if settings["precision"] == "bfloat16":
        network = network.bfloat16()
    source = torch.from_numpy(t5_step.texts(settings)[0]).long().to(peers.DEVICE)
    rows, new = settings["batch"], settings["length"]

    @torch.inference_mode()
    def run() -> None:
        found = network.generate(
            source, attention_mask=torch.ones_like(source), do_sample=False, num_beams=settings["beams"],
            early_stopping="never", min_new_tokens=new, max_new_tokens=new,
        )  # fmt: skip
        assert found.shape == (rows, new + 1)
        peers.finish()

    return Work(run, rows * new, peers.parameters(network), memory=peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "default": Side("torch", transformers, "transformers, generate"),
}
