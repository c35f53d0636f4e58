"""Whole jobs, from the start of a process to its first training step or its first picture: diffusers, in a script.

With the U-Net of configs/ddpm_cifar.py and a folder of pictures. "step": until the first training step is taken.
"picture": a trained network is read from disk, draws a picture with DDIM, and that is written. Ours is main.py, with
the programs that the job before has compiled ("ours"), or with none ("cold"); PyTorch keeps what it has compiled.
Memory is the largest job's.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import ddpm, standin
from benchmarks.pieces import ddpm_step
from benchmarks.work import Side, Work

CEILING = ""
UNIT = "jobs"
JOB = dict(**ddpm.CIFAR, batch=8, steps=50, precision="float32")
TINY = dict(**ddpm.TINY, steps=3)
SIZES = {
    "step": dict(**JOB, until="step"),
    "picture": dict(**JOB, until="picture"),
    "tiny": dict(**TINY, until="step"),
    "tiny-picture": dict(**TINY, until="picture"),
}
ROOT = Path(__file__).parent.parent.parent
FIRST_STEP = "First step after"  # what our trainer says then; the script in PyTorch says the same


def config(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The configuration that these settings ask for, on a folder of pictures."""
    found = ddpm.config(settings)
    side, _, colours = settings["image"]
    found["data"]["batch_size"] = settings["batch"]
    found["data"] = standin.of_pictures(found["data"], folder / "pictures", side, colours == 3)
    found["sample"].update(sampler="ddim", steps=settings["steps"], eta=0.0)
    found["sample"].update(n=1)
    return found


def until(line: str, command: list[str], checkout: Path, environment: Mapping[str, str]) -> float:
    """Seconds from the start of a process until it says a line that begins so, or ends well where that is ""."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=checkout, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        for said in process.stdout:
            if line and said.startswith(line):
                spent = time.perf_counter() - began
                process.kill()  # what comes after the first step is of no interest here
                return spent
        if process.wait() or line:
            raise RuntimeError(f"{command[:3]} ended with code {process.returncode}")
        return time.perf_counter() - began


def largest() -> int:
    """Bytes, of all jobs so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def aigc_jax(settings: Mapping[str, Any], warm: bool = True) -> Work:
    """main.py of the checkout that is measured. warm: with the compiled programs of the job before."""
    import jax

    from aigc_jax.build import build
    from aigc_jax.train.workdir import Workdir
    from benchmarks import in_jax, ours

    folder = standin.scratch()
    wanted = config(settings, folder)
    (folder / "config.py").write_text(
        "from ml_collections import ConfigDict\n\n\n"
        f"def get_config(size='full'):\n    return ConfigDict({wanted!r}, convert_dict=True).lock()\n"
    )
    run = build(wanted, folder / "data", jax.devices()[:1])
    state = run.programs.init()
    if settings["until"] == "picture":
        workdir = Workdir(folder / "run")
        with workdir.held():
            workdir.record(run.config, run.networks)
            checkpoints = run.checkpoints(workdir.checkpoints)
            checkpoints.save(state, run.programs.start_sums(), {})
            checkpoints.close()
    command = [sys.executable, "main.py", f"--config={folder / 'config.py'}", f"--data_dir={folder / 'data'}"]

    def once() -> float:
        with tempfile.TemporaryDirectory() as fresh:
            cache = {"AIGC_JAX_CACHE": str(folder / "cache") if warm else fresh}
            if settings["until"] == "picture":
                return until("", [*command, f"--workdir={folder / 'run'}", "--mode=sample"], ours.CHECKOUT, cache)
            return until(FIRST_STEP, [*command, f"--workdir={fresh}/run"], ours.CHECKOUT, cache)

    return Work(once, 1, in_jax.count(state.params), memory=largest)


def diffusers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """This module as a script: imports, network and optimizer, pictures from PNG files, and the loop of `ddpm_step`."""
    from diffusers import DDIMPipeline, DDIMScheduler

    from benchmarks import peers

    folder = standin.scratch()
    side, _, colours = settings["image"]
    standin.pictures(folder / "pictures", side, colours == 3)
    network = ddpm.unet(settings)
    if settings["until"] == "picture":
        DDIMPipeline(network, DDIMScheduler(ddpm.TIMESTEPS)).save_pretrained(folder / "pipeline")
    command = [sys.executable, "-m", __spec__.name, json.dumps(dict(settings)), str(folder), "compiled" * compiled]
    line = FIRST_STEP if settings["until"] == "step" else ""
    return Work(lambda: until(line, command, ROOT, {}), 1, peers.parameters(network), memory=largest)


def job(settings: Mapping[str, Any], folder: Path, compiled: bool) -> None:
    """What the script does."""
    if settings["until"] == "picture":
        from diffusers import DDIMPipeline

        from benchmarks import peers

        pipeline = DDIMPipeline.from_pretrained(folder / "pipeline").to(peers.DEVICE)
        if compiled:
            pipeline.unet.compile()
        pipeline.set_progress_bar_config(disable=True)
        pipeline(1, num_inference_steps=settings["steps"], eta=0.0).images[0].save(folder / "picture.png")
        return
    import numpy as np
    import torch
    from PIL import Image

    class Pictures(torch.utils.data.Dataset):
        def __init__(self) -> None:
            self.files = sorted((folder / "pictures/train").rglob("*.png"))

        def __len__(self) -> int:
            return len(self.files)

        def __getitem__(self, index: int) -> torch.Tensor:
            pixels = np.atleast_3d(np.array(Image.open(self.files[index])))
            return torch.from_numpy(pixels).permute(2, 0, 1).float().div(127.5).sub(1)

    pictures = Pictures()
    sampler = torch.utils.data.RandomSampler(pictures, replacement=True, num_samples=settings["batch"])
    x0 = next(iter(torch.utils.data.DataLoader(pictures, settings["batch"], sampler=sampler)))
    ddpm_step.trained_on(x0, settings, compiled).run()
    print(FIRST_STEP, flush=True)


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "cold": Side("aigc_jax", lambda settings: aigc_jax(settings, warm=False), "aigc_jax, nothing compiled before"),
    "eager": Side("torch", diffusers, "diffusers, eager"),
    "compiled": Side("torch", lambda settings: diffusers(settings, compiled=True), "diffusers, torch.compile"),
}

if __name__ == "__main__":
    job(json.loads(sys.argv[1]), Path(sys.argv[2]), bool(sys.argv[3]))
