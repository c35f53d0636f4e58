"""Measure a folder of generated images against real ones.

    aigc_jax folders REAL MADE --extractor=inception --measures frechet kid

REAL and MADE are folders of images, or .npy or .npz files of uint8 [N, H, W, C]. With --heldout, as many of its
images as there are in MADE give the floor: what real images reach against REAL.
"""

import argparse
from pathlib import Path

from aigc_jax import places
from aigc_jax.data.dataset import ArraySource, DataSet, Source
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.errors import ConfigError
from aigc_jax.evaluate import files
from aigc_jax.evaluate.images import MEASURES
from aigc_jax.evaluate.judge import build_judge
from aigc_jax.evaluate.measure import finish, listed
from aigc_jax.metrics.features.catalogue import fitting, names
from aigc_jax.metrics.features.extractor import Extractor
from aigc_jax.metrics.record import Origin

USUAL = ("frechet", "kid")  # measures


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("real", metavar="REAL", type=Path)
    parser.add_argument("made", metavar="MADE", type=Path)
    parser.add_argument("--heldout", type=Path, help="more real images, for the floor")
    parser.add_argument("--extractor", metavar="NAME", required=True, help=f"required: {', '.join(names())}")
    parser.add_argument("--measures", metavar="NAME", nargs="+", default=USUAL, help=listed(MEASURES, USUAL))
    parser.add_argument("--size", type=int, default=0, help="side that images are cut and resized to")
    parser.add_argument("--grey", action="store_true", help="read the images as grey ones")
    parser.add_argument("--seed", type=int, default=0, help="of the intervals")
    parser.add_argument("--out", type=Path, help="file that the records are added to")


def run(options: argparse.Namespace) -> None:
    """Prints the figures, and adds their records to --out. Raises UserError, also for measures that are left out."""
    given = {"real": options.real, "heldout": options.heldout, "made": options.made}
    found = {name: files.load_images(path, options.size, options.grey) for name, path in given.items() if path}
    made = found.pop("made")
    splits: dict[str, Source] = {name: ArraySource({"image": images}) for name, images in found.items()}
    data = DataSet(options.real.name, splits, {"image": Pixels(made.shape[1:])}, "image")
    folders = places.weights(), places.cache("features")
    judging = build_judge(data, "real", "heldout", len(made), options.measures, options.extractor, *folders)
    for images in (*found.values(), made):
        _check(judging.using, images.shape[1:], options.extractor)
    figures = judging.figures([judging.look({"image": made})], options.seed)
    finish(figures, judging.left_out, Origin(options.made.name, options.seed), options.out)


def _check(using: Extractor | None, shape: tuple[int, ...], name: str) -> None:
    """Raises ConfigError where an extractor does not take images of this shape [H, W, C]."""
    if using is None or not using.shape or shape == using.shape:
        return
    height, _, channels = using.shape
    flags = ["--grey"] if channels == 1 else []
    flags += [f"--size={height}"] if shape[:2] != using.shape[:2] else []
    others = ", ".join(fitting(shape))
    raise ConfigError(
        f'The extractor "{name}" takes {list(using.shape)}, and these images are {list(shape)}: give '
        f"{' '.join(flags) or 'colour images without --grey'}, or an extractor that takes them as they are ({others})."
    )
