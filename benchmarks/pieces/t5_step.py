"""A training step of T5: transformers' encoder-decoder of version 1.0.

Cross-entropy of the next token of a text given its source, relative positions, tied embeddings, no dropout, gradients
clipped to norm 1, AdamW.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.work import Side, Work

CEILING = "matmul"
UNIT = "tokens"
SMALL = dict(layers=4, width=256, heads=4, vocabulary=4096, source=128, length=64)  # 8 million parameters
T5_SMALL = dict(layers=6, width=512, heads=8, vocabulary=32128, source=512, length=114)  # 60 million
SIZES = {
    "8m-cpu": dict(**SMALL, batch=16, precision="float32"),
    "60m-gpu": dict(**T5_SMALL, batch=64, precision="bfloat16"),
    "tiny": dict(layers=2, width=32, heads=2, vocabulary=64, source=20, length=16, batch=2, precision="float32"),
}
RATE, BETAS, DECAY, CLIP = 1e-3, (0.9, 0.98), 0.01, 1.0


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that these settings ask for."""
    from benchmarks import ours

    network = {key: settings[key] for key in ("layers", "width", "heads")}
    network |= dict(activation="relu", mlp_width=0, positions="relative", scaled_output=True, dropout=0.0)
    optimizer = {"schedule": "constant", "warmup_steps": 0, "learning_rate": RATE, "weight_decay": DECAY}
    changes = {f"networks.net.{key}": value for key, value in network.items()}
    changes |= {f"optimizers.net.{key}": value for key, value in optimizer.items()}
    return ours.settings("t5_help_en_zh", {**changes, "precision": settings["precision"]})


def facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a data set of such texts and sources knows. No source pads, and no text ends before its length."""
    from aigc_jax.ops.bits import Unit  # which an environment of rivals lacks

    vocabulary = settings["vocabulary"]
    text = dict(vocabulary=vocabulary, length=settings["length"], pad=0, bos=0, eos=-1, packed=False)
    source = dict(source_vocabulary=vocabulary, source_length=settings["source"] - 1, source_pad=-1)
    return {**text, **source, "units": (Unit("char", (1,) * vocabulary),)}


def cost(settings: Mapping[str, Any]) -> float:
    """FLOPs of a step's products with weights, and of queries, keys and values: each once forwards, twice backwards."""
    width, source, length = settings["width"], settings["source"], settings["length"]
    encoder = settings["layers"] * (12 * width**2 * source + 2 * width * source**2)
    itself = settings["layers"] * (14 * width**2 * length + width * length**2)  # half of the pairs
    memory = settings["layers"] * (2 * width**2 * source + 2 * width * source * length)
    return 6.0 * settings["batch"] * (encoder + itself + memory + settings["vocabulary"] * width * length)


def texts(settings: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Random sources, int32 [B, source], and texts without padding, int32 [B, length + 1]."""
    rng = np.random.RandomState(0)
    shapes = (settings["batch"], settings["source"]), (settings["batch"], settings["length"] + 1)
    source, target = (rng.randint(1, settings["vocabulary"], shape).astype(np.int32) for shape in shapes)
    return source, target


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    source, target = texts(settings)
    batch = {"target": target, "source": source}
    return ours.training(config(settings), facts(settings), batch, settings["batch"] * settings["length"])


def t5(settings: Mapping[str, Any]) -> Any:
    """transformers' network of the same size, with PyTorch's fused attention."""
    from transformers import T5Config, T5ForConditionalGeneration

    from benchmarks import peers

    shape = T5Config(
        vocab_size=settings["vocabulary"],
        d_model=settings["width"],
        d_kv=settings["width"] // settings["heads"],
        d_ff=4 * settings["width"],
        num_layers=settings["layers"],
        num_heads=settings["heads"],
        dropout_rate=0.0,
        decoder_start_token_id=0,
        eos_token_id=None,
        pad_token_id=0,
    )
    return T5ForConditionalGeneration(shape).to(peers.DEVICE)


def transformers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """A plain loop around the network's own loss."""
    import torch

    from benchmarks import peers

    network = t5(settings).train()
    call = torch.compile(network) if compiled else network
    source, target = (torch.from_numpy(x).long().to(peers.DEVICE) for x in texts(settings))
    inputs, targets = target[:, :-1].contiguous(), target[:, 1:].contiguous()

    def loss() -> torch.Tensor:
        logits = call(input_ids=source, decoder_input_ids=inputs, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    optimizer = torch.optim.AdamW(network.parameters(), RATE, BETAS, weight_decay=DECAY, fused=True)
    work = peers.training(network, loss, optimizer, inputs.numel(), settings["precision"], CLIP)
    return work._replace(cost=cost(settings))


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", transformers, "transformers, eager"),
    "compiled": Side("torch", lambda settings: transformers(settings, compiled=True), "transformers, torch.compile"),
}
