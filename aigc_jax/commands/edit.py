"""Edit images with a finished run of diffusion, without training.

    aigc_jax edit RUN IMAGE [IMAGE ...] --task=inpaint --mask=FILE
    aigc_jax edit RUN IMAGE [IMAGE ...] --task=superres|deblur|colourise|sdedit|…

Writes each result, and a picture of before, seen and after, to the folder edits/ of RUN.
"""

import argparse
from pathlib import Path

import numpy as np

from aigc_jax import library
from aigc_jax.data import pictures
from aigc_jax.data.grid import png, write_grid
from aigc_jax.editing import TASKS, Edited, Editor, Options, named, understood
from aigc_jax.errors import UserError
from aigc_jax.train import trained
from aigc_jax.train.workdir import Workdir

WHITE = 128  # the grey level from which on a mask says that a pixel is to be filled
SETTINGS = ("steps", "guidance", "sampler")  # of the section `sample`
USUAL = Options()


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--task", choices=TASKS, required=True, metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--mask", type=Path, metavar="FILE", help="inpaint: white where images are to be filled")
    parser.add_argument("--factor", type=int, help=f"superres: of the sides of large and small ones ({USUAL.factor})")
    parser.add_argument("--blur", type=float, help=f"deblur: the Gaussian's deviation in pixels ({USUAL.blur})")
    parser.add_argument("--damaged", action="store_true", default=None, help="superres, deblur: images are so already")
    parser.add_argument("--strength", type=float, help=f"sdedit: 0 = the image, 1 = a sample ({USUAL.strength})")
    parser.add_argument("--frames", type=int, help=f"interpolate: of each way ({USUAL.frames})")
    parser.add_argument("--steps", type=int, help="from noise to data (sample.steps; of the flow 50)")
    parser.add_argument("--guidance", type=float, help="as sample.guidance")
    parser.add_argument("--sampler", metavar="NAME", help="as sample.sampler")
    parser.add_argument("--given", default="", help="what images are generated from, as sample.given")
    parser.add_argument("--seed", type=int, default=0, help="another one fills otherwise (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for what is written (RUN/edits)")


def run(options: argparse.Namespace) -> None:
    """Writes the pictures, and says where. Raises UserError."""
    if not 0 <= options.seed < library.SEEDS:
        raise UserError(f"--seed is {options.seed}, and has to be from 0 to {library.SEEDS - 1:,}.", code=2)
    chosen = {name: getattr(options, name) for name in Options._fields if getattr(options, name) is not None}
    understood(options.task, chosen)  # before the run is opened
    if options.task == "inpaint" and not options.mask:
        raise UserError("inpaint needs a mask: --mask=FILE, white where images are to be filled.", code=2)
    run, state = library.opened(options.run, {"sample.given": options.given})
    editor = Editor(run, state)
    if options.mask:
        chosen["mask"] = _read(options.mask, 1)[..., 0] >= WHITE
    size = editor.size(options.task, understood(options.task, chosen))
    images = [_read(path, size[2]) for path in options.images]
    for path, image in zip(options.images, images, strict=True):
        if image.shape != size:
            raise UserError(f"{path} is {named(image.shape)}, and has to be {named(size)}.")
    settings = {name: getattr(options, name) for name in SETTINGS if getattr(options, name) is not None}
    found = editor.edit(np.stack(images), options.task, chosen, options.seed, settings)
    folder = options.out or Workdir(options.run).folder / "edits"
    with trained.writing(folder, f"{options.task}_{int(state.step):08d}") as stem:
        _write(found, stem)
    if options.task == "invert":
        for path, before, after in zip(options.images, found.before, found.after, strict=True):
            error = np.mean((after.astype(float) - before) ** 2)
            print(f"{path}: there and back, PSNR {10 * np.log10(255**2 / error) if error else np.inf:.1f} dB")


def _read(path: Path, channels: int) -> np.ndarray:
    """A file's pixels, uint8 [H, W, C]."""
    if not path.is_file():
        raise UserError(f"There is no image {path}: give the path of a file.", code=2)
    return pictures.read(path, 0, channels).pixels


def _write(found: Edited, stem: Path) -> None:
    """The page, a picture for each result, and the noises."""
    after = found.after
    if after.ndim > found.before.ndim:  # ways, a row each
        write_grid(after.reshape(-1, *after.shape[2:]), stem, after.shape[1])
    else:
        page = [found.before, *([] if found.damaged is None else [found.damaged]), after]
        write_grid(np.stack(page, axis=1).reshape(-1, *after.shape[1:]), stem, len(page))
    for number, image in enumerate(after.reshape(-1, *after.shape[-3:])):
        stem.with_name(f"{stem.name}.{number:03d}.png").write_bytes(png(image).getvalue())
    if found.noise is not None:
        np.savez_compressed(stem.with_name(f"{stem.name}.npz"), noise=found.noise)
