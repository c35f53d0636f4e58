"""Batches of images, delivered to the device as a network takes them: PyTorch's DataLoader, of the same files.

From Fashion-MNIST's IDX files, in an order of each epoch's own, as float32 in [-1, 1]. Ours looks rows up on the device
where the split lies there ("cpu", "gpu"), else brings each batch from the host ("rows").
"""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import standin
from benchmarks.work import Side, Work

CEILING = ""
UNIT = "images"
FASHION = "/usr/share/datasets/fashion-mnist"
SIZES = {
    "cpu": dict(path=FASHION, batch=128, batches=100, resident=True),
    "rows": dict(path=FASHION, batch=128, batches=100, resident=False),
    "gpu": dict(path=FASHION, batch=128, batches=400, resident=True),
    "tiny": dict(path="", batch=4, batches=2, resident=True),  # "": files of random pixels, made for the occasion
}
EPOCHS = 10_000  # more than are looked at
STAND_INS = 16  # images where there are no files


def run_on(config: dict[str, Any], path: str, batch: int, resident: bool) -> Any:
    """What `build` makes of a configuration on these files, on one device, fed from there or from the host."""
    import jax

    from aigc_jax.build import build
    from aigc_jax.train import feed

    folder = None if path else standin.scratch()
    config["data"] |= {"path": path or str(standin.idx(folder / "idx", STAND_INS)), "batch_size": batch}
    with mock.patch.object(feed, "RESIDENT_BYTES", feed.RESIDENT_BYTES if resident else 0):
        return build(config, folder, jax.devices()[:1])


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's feed, and what its step does before the network: rows looked up, and prepared."""
    import jax
    import jax.numpy as jnp

    from benchmarks import in_jax, ours

    config = ours.settings("vae_fashion_mnist", {"evals": {}})
    of_run = run_on(config, settings["path"], settings["batch"], settings["resident"])
    fed = of_run.feeds["train"]
    batches = fed.training(settings["batch"], 0, 0, EPOCHS * settings["batches"], 1)

    @jax.jit
    def delivered(key: jax.Array, resident: Any, items: Any) -> jax.Array:
        rows = {name: x[0] for name, x in items.items()}
        if resident:
            rows = {name: jnp.take(x, rows["index"], axis=0) for name, x in resident.items()}
        return of_run.data.prepare(key, rows, True).target

    def run() -> None:
        for _ in range(settings["batches"]):
            image = delivered(of_run.programs.root, fed.resident, next(batches))
        image.block_until_ready()

    return Work(run, settings["batches"] * settings["batch"], memory=in_jax.peak())


def read(path: Path) -> np.ndarray:
    """The images of an IDX file, plain or .gz: uint8 [N, H, W]."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return np.frombuffer(data, np.uint8, offset=16).reshape(np.frombuffer(data[4:16], ">u4"))


def data_loader(settings: Mapping[str, Any], workers: int) -> Work:
    """Image by image, with the arithmetic of torchvision's ToTensor and Normalize, as its examples have it."""
    import torch

    from benchmarks import peers

    folder = Path(settings["path"]) if settings["path"] else standin.idx(standin.scratch(), STAND_INS)
    pixels = read(next(folder.glob("train-images*")))

    class Images(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> torch.Tensor:
            image = torch.from_numpy(pixels[index][None].copy())
            return image.to(torch.float32).div(255).sub_(0.5).div_(0.5)

    loader = torch.utils.data.DataLoader(
        Images(), settings["batch"], shuffle=True, num_workers=workers, drop_last=True,
        persistent_workers=workers > 0, pin_memory=peers.DEVICE == "cuda",
    )  # fmt: skip

    def endless() -> Iterator[torch.Tensor]:
        while True:
            yield from loader

    batches = endless()

    def run() -> None:
        for _ in range(settings["batches"]):
            next(batches).to(peers.DEVICE, non_blocking=True)
        peers.finish()

    return Work(run, settings["batches"] * settings["batch"], memory=peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", lambda settings: data_loader(settings, 0), "DataLoader"),
    "workers": Side("torch", lambda settings: data_loader(settings, 2), "DataLoader, 2 workers"),
}
