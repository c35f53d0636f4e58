"""Drawing texts from GPT, token by token with a cache of keys and values: transformers' generate.

From a prompt of one token to the full length, at temperature 1.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.pieces import gpt_step
from benchmarks.work import Side, Work

CEILING = "matmul"
UNIT = "tokens"
SIZES = {
    "12m-batch1": dict(**gpt_step.SMALL, batch=1, precision="float32"),
    "12m-batch64": dict(**gpt_step.SMALL, batch=64, precision="float32"),
    "124m-batch1": dict(**gpt_step.GPT2, batch=1, precision="bfloat16"),
    "124m-batch64": dict(**gpt_step.GPT2, batch=64, precision="bfloat16"),
    "tiny": {**gpt_step.SIZES["tiny"]},
}


def cost(settings: Mapping[str, Any]) -> float:
    """FLOPs of a text's products with weights and, at half the length on average, with keys and values."""
    attention = 2 * settings["layers"] * settings["width"] * settings["length"]
    return settings["batch"] * settings["length"] * (2.0 * gpt_step.products(settings) + attention)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's program that samples."""
    import numpy as np

    from benchmarks import ours

    config = gpt_step.config(settings)
    config["sample"].update(temperature=1.0, top_k=0, top_p=1.0)
    batch = {"target": np.zeros((settings["batch"], settings["length"] + 1), np.int32)}
    items = settings["batch"] * settings["length"]
    return ours.drawing(config, gpt_step.facts(settings), batch, items, cost(settings))


def transformers(settings: Mapping[str, Any], static: bool = False) -> Work:
    """generate(), with the cache that it has by default or with the static one."""
    import torch

    from benchmarks import peers

    network = gpt_step.gpt2(settings).eval()
    if settings["precision"] == "bfloat16":
        network = network.bfloat16()
    prompt = torch.zeros((settings["batch"], 1), dtype=torch.long, device=peers.DEVICE)
    # A text of the full length: as many tokens as the network has positions for, the prompt among them.
    new = settings["length"] - 1
    options: dict[str, Any] = {"cache_implementation": "static"} if static else {}

    @torch.inference_mode()
    def run() -> None:
        found = network.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=True, top_k=0, temperature=1.0,
            min_new_tokens=new, max_new_tokens=new, **options,
        )  # fmt: skip
        assert found.shape == (settings["batch"], settings["length"])
        peers.finish()

    return Work(run, settings["batch"] * new, peers.parameters(network), memory=peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "default": Side("torch", transformers, "transformers, generate"),
    "static": Side("torch", lambda settings: transformers(settings, static=True), "transformers, static cache"),
}
