"""A training step of GPT: transformers' GPT-2.

Cross-entropy of the next token, tied embeddings, no dropout, gradients clipped to norm 1, AdamW.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.work import Side, Work

CEILING = "matmul"
UNIT = "tokens"
SMALL = dict(layers=6, width=384, heads=6, vocabulary=4096, length=256)  # 12 million parameters
GPT2 = dict(layers=12, width=768, heads=12, vocabulary=50257, length=1024)  # 124 million
SIZES = {
    "12m-cpu": dict(**SMALL, batch=8, precision="float32"),
    "124m-cpu": dict(**GPT2, batch=1, precision="float32"),
    "12m-gpu": dict(**SMALL, batch=64, precision="bfloat16"),
    "124m-gpu": dict(**GPT2, batch=16, precision="bfloat16"),
    "tiny": dict(layers=2, width=32, heads=2, vocabulary=64, length=16, batch=2, precision="float32"),
}
RATE, BETAS, DECAY, CLIP = 2e-3, (0.9, 0.99), 0.1, 1.0


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that these settings ask for."""
    from benchmarks import ours

    changes = {f"networks.net.{key}": settings[key] for key in ("layers", "width", "heads")}
    optimizer = {"schedule": "constant", "warmup_steps": 0, "learning_rate": RATE, "weight_decay": DECAY}
    optimizer |= {"b2": BETAS[1], "accumulate": 1}
    changes |= {f"optimizers.net.{key}": value for key, value in optimizer.items()}
    return ours.settings("gpt2_openwebtext", {**changes, "precision": settings["precision"]})


def facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a data set of such tokens knows. Token 0 pads and begins, and none ends: drawn texts are full."""
    from aigc_jax.ops.bits import Unit  # which an environment of rivals lacks

    vocabulary = settings["vocabulary"]
    units = (Unit("char", (1,) * vocabulary),)
    return dict(vocabulary=vocabulary, length=settings["length"], pad=0, bos=0, eos=-1, packed=False, units=units)


def products(settings: Mapping[str, Any]) -> int:
    """Multiplications of a token with the weights."""
    return 12 * settings["layers"] * settings["width"] ** 2 + settings["vocabulary"] * settings["width"]


def cost(settings: Mapping[str, Any]) -> float:
    """FLOPs of a step's products with weights, and of queries, keys and values: each once forwards, twice backwards.

    Of the second, of T² / 2 pairs. PyTorch's counter counts its fused attention on GPUs whole, and on CPUs not at all.
    """
    pairs = settings["layers"] * settings["batch"] * settings["length"] ** 2 / 2
    return 6.0 * (settings["batch"] * settings["length"] * products(settings) + 2 * pairs * settings["width"])


def tokens(settings: Mapping[str, Any]) -> np.ndarray:
    """Random texts without padding, int32 [B, length + 1]."""
    shape = settings["batch"], settings["length"] + 1
    return np.random.RandomState(0).randint(1, settings["vocabulary"], shape).astype(np.int32)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    batch = {"target": tokens(settings)}
    return ours.training(config(settings), facts(settings), batch, settings["batch"] * settings["length"])


def gpt2(settings: Mapping[str, Any]) -> Any:
    """transformers' network of the same size, with PyTorch's fused attention."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from benchmarks import peers

    shape = GPT2Config(
        vocab_size=settings["vocabulary"],
        n_positions=settings["length"],
        n_embd=settings["width"],
        n_layer=settings["layers"],
        n_head=settings["heads"],
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=0,
        attn_implementation="sdpa",
    )
    return GPT2LMHeadModel(shape).to(peers.DEVICE)


def transformers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """A plain loop around the network's own loss."""
    import torch

    from benchmarks import peers

    network = gpt2(settings).train()
    call = torch.compile(network) if compiled else network
    texts = torch.from_numpy(tokens(settings)).long().to(peers.DEVICE)
    inputs, targets = texts[:, :-1].contiguous(), texts[:, 1:].contiguous()

    def loss() -> torch.Tensor:
        logits = call(inputs, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    optimizer = torch.optim.AdamW(network.parameters(), RATE, BETAS, weight_decay=DECAY, fused=True)
    work = peers.training(network, loss, optimizer, inputs.numel(), settings["precision"], CLIP)
    return work._replace(cost=cost(settings))


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", transformers, "transformers, eager"),
    "compiled": Side("torch", lambda settings: transformers(settings, compiled=True), "transformers, torch.compile"),
}
