"""What the sides in PyTorch share: device, precision, and a training step with all that ours has."""

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.work import Work

torch.set_float32_matmul_precision("high")  # TF32 on GPUs, as JAX's default is
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def arithmetic(precision: str) -> Any:
    """A context for the networks' arithmetic: "float32" or "bfloat16"."""
    return torch.autocast(DEVICE, torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()


def finish() -> None:
    """Waits for the device."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def counted(run: Callable[[], Any]) -> float:
    """The FLOPs of matrix products and convolutions in a run: two for each multiplication, forwards and backwards."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def parameters(*networks: torch.nn.Module) -> int:
    """That are trained."""
    return sum(p.numel() for network in networks for p in network.parameters())


def memory() -> Any:
    """A function that says how many bytes the device held at most; None on a CPU, where the process's peak counts."""
    return torch.cuda.max_memory_allocated if DEVICE == "cuda" else None


class Average:
    """An exponential average of weights."""

    def __init__(self, network: torch.nn.Module, decay: float):
        self._weights = list(network.parameters())
        self._kept, self._rest = [p.detach().clone() for p in self._weights], 1 - decay

    @torch.no_grad()
    def update(self) -> None:
        torch._foreach_lerp_(self._kept, self._weights, self._rest)


def update(
    optimizer: torch.optim.Optimizer,
    loss: Callable[[], torch.Tensor],
    precision: str,
    clip: Callable[[], Any] = lambda: None,
) -> None:
    """Loss, gradient and optimizer. clip: is called between the last two."""
    optimizer.zero_grad(set_to_none=True)
    with arithmetic(precision):
        value = loss()
    value.backward()
    clip()
    optimizer.step()


def training(
    network: torch.nn.Module,
    loss: Callable[[], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    items: float,
    precision: str,
    clip_norm: float = 0.0,
    ema_decay: float = 0.0,
) -> Work:
    """A training step: loss, gradient, clipping, optimizer, average. loss: of a fresh draw; the network's forward."""
    average = Average(network, ema_decay) if ema_decay else None

    def clip() -> None:
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip_norm)

    def run() -> None:
        update(optimizer, loss, precision, clip)
        if average:
            average.update()
        finish()

    return Work(run, items, parameters(network), memory=memory())
