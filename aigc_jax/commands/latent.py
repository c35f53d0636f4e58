"""Work in the latent space of a trained generator: walks, mixed styles, given images, directions.

    aigc_jax latent walk RUN
    aigc_jax latent mix RUN
    aigc_jax latent project RUN IMAGE [IMAGE ...]
    aigc_jax latent directions RUN

Writes pictures into the folder latent/ of the run; nothing there is overwritten. `project` also writes the styles that
it found, and `walk` and `directions` go on from those with --of.
"""

import argparse
import io
import sys
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_args

import jax.numpy as jnp
import numpy as np
from PIL import Image
from tqdm import tqdm

from aigc_jax import library, places
from aigc_jax.build import planned
from aigc_jax.data import pictures
from aigc_jax.data.dataset import Field
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.grid import PAPER, grid, write_grid
from aigc_jax.errors import UserError
from aigc_jax.latent_space import Distance, LatentSpace, has_styles, walks
from aigc_jax.method import State
from aigc_jax.metrics.features import lpips
from aigc_jax.ops import latent
from aigc_jax.ops.projection import pyramid
from aigc_jax.ranges import Seed, Size, above, at_least
from aigc_jax.train import trained
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import Workdir

PAGE = 10  # images of a way on the page of a walk
PAUSE = 50  # milliseconds between the images of an animation
USUAL = 5  # directions
POSITIONS = 7  # along a direction: the middle one is the image itself


def _lpips(kind: lpips.Kind, side: int) -> Distance:
    """For images of any number of channels. side: the shorter one, in pixels."""
    if side < lpips.SMALLEST[kind]:
        least = lpips.SMALLEST[kind]
        raise UserError(f"--distance=lpips_{kind} needs images of {least} × {least} or more: take pyramid.", code=2)

    def measure(weights: Any, *pair: Any) -> Any:
        return lpips.Lpips(kind).apply(weights, *(jnp.broadcast_to(x, (*x.shape[:-1], 3)) for x in pair))

    return Distance(f"LPIPS-{kind}", measure, lpips.load(kind, places.weights())[0])


DISTANCES: dict[str, Callable[[int], Distance]] = {
    "pyramid": lambda side: Distance("pyramid", lambda weights, *pair: pyramid(*pair), {}),
    **{f"lpips_{kind}": partial(_lpips, kind) for kind in get_args(lpips.Kind)},
}


def arguments(parser: argparse.ArgumentParser) -> None:
    each = parser.add_subparsers(metavar="walk|mix|project|directions", required=True)
    walk = each.add_parser("walk", help="what lies between random images")
    _common(walk, _walk)
    walk.add_argument("--ways", type=_number(Size), default=4, help="between pairs of random images (%(default)s)")
    walk.add_argument("--frames", type=_number(Annotated[int, at_least(2)]), default=60, help="a way (%(default)s)")
    _of(walk, "two or more")

    mix = each.add_parser("mix", help="the coarse styles of some images with the fine styles of others")
    _common(mix, _mix)
    mix.add_argument("--rows", type=_number(Size), default=4, help="images that give coarse styles (%(default)s)")
    mix.add_argument("--columns", type=_number(Size), default=6, help="images that give fine styles (%(default)s)")
    mix.add_argument("--coarse", type=_number(Size), help="layers that count as coarse (half of them)")

    project = each.add_parser("project", help="find the styles of given images")
    _common(project, _project)
    project.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="a file")
    project.add_argument("--steps", type=_number(Size), default=1000, help="of the search (%(default)s)")
    said = f"that the search makes small: {', '.join(DISTANCES)} (%(default)s)"
    project.add_argument("--distance", choices=DISTANCES, default="pyramid", metavar="NAME", help=said)
    project.add_argument("--each-layer", action="store_true", help="find a style for each layer, not one for all")

    directions = each.add_parser("directions", help="what changes most, by the generator's first weights (SeFa)")
    _common(directions, _directions)
    directions.add_argument("--directions", type=_number(Size), help=f"the strongest ones ({USUAL})")
    reach = "to either side, in standard deviations of a style's coordinates (%(default)s)"
    directions.add_argument("--range", type=_number(Annotated[float, above(0)]), default=3.0, help=reach)
    directions.add_argument("--layers", type=_layers, metavar="FIRST-LAST", help="that change, from 0 on (all)")
    _of(directions, "of which the first is taken")


def _common(parser: argparse.ArgumentParser, act: Callable) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of the run")
    parser.add_argument("--given", default="", help="what images are generated from, as sample.given")
    parser.add_argument("--psi", type=_number(Annotated[float, at_least(0)]), help="of styles, as sample.psi")
    parser.add_argument("--seed", type=_number(Seed), default=0, help="another one draws other images (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for what is written (RUN/latent)")
    parser.set_defaults(act=act)


def _of(parser: argparse.ArgumentParser, which: str) -> None:
    parser.add_argument("--of", type=Path, metavar="FILE", help=f"the styles that project wrote, {which}")


def _number(kind: Any) -> Callable[[str], Any]:
    """Reads a number of an annotated range."""
    basis, allowed = get_args(kind)

    def read(text: str) -> Any:
        try:
            value = basis(text)
        except ValueError:
            value = None
        if value not in allowed:
            named = "a whole number" if basis is int else "a number"
            raise argparse.ArgumentTypeError(f'has to be {named}, {allowed}, and is "{text}"')
        return value

    return read


def _layers(text: str) -> range:
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)):
        raise argparse.ArgumentTypeError(f'has to be numbers of layers, such as 0-3, and is "{text}"')
    return range(int(first), int(last or first) + 1)


def run(options: argparse.Namespace) -> None:
    """Writes the pictures, and says where. Raises UserError."""
    run, state = library.opened(options.run, {"sample.given": options.given} if options.given else {})
    if options.psi is not None:
        run = run._replace(plan=planned(run.programs.method, {**run.config["sample"], "psi": options.psi}))
    options.act(options, run, state)


def _walk(options: argparse.Namespace, run: Run, state: State) -> None:
    n = options.frames
    if options.of or has_styles(run):
        space = LatentSpace(run, state)
        if options.of:
            ends = _styles(space, options.of, at_least=2)
            w = np.stack([latent.line(*pair, n) for pair in pairwise(ends)])
            rows = run.asked(len(w), options.seed).rows
        else:
            rows = run.asked(options.ways, options.seed).rows
            w = space.walks(options.ways, n, options.seed, rows)
        flat = space.render(w.reshape(-1, *w.shape[2:]), {name: x.repeat(n, axis=0) for name, x in rows.items()})
        images = flat.reshape(*w.shape[:2], *flat.shape[1:])
    else:
        images = walks(run, state, options.ways, n, options.seed)
    shown = np.unique(np.linspace(0, n - 1, PAGE).round().astype(int))
    there_and_back = [*range(n), *range(n - 2, 0, -1)]
    with _writing(options, state, "walk") as stem:
        write_grid(_flat(images[:, shown]), stem, len(shown))
        _animation([grid(images[:, frame]) for frame in there_and_back]).write(stem)


def _mix(options: argparse.Namespace, run: Run, state: State) -> None:
    space = LatentSpace(run, state)
    if space.layers < 2:
        raise UserError(f"The generator of {options.run} has no layers of styles to mix, as a StyleGAN2 has.")
    coarse = options.coarse or space.layers // 2
    if coarse >= space.layers:
        raise UserError(f"--coarse is {coarse}, and has to leave some of the {space.layers} layers fine.", code=2)
    count, columns = options.rows + options.columns, options.columns
    rows = run.asked(count, options.seed).rows
    w = space.style(space.draw(count, options.seed), rows)
    mixed = [np.concatenate([each[:coarse], fine[coarse:]]) for each in w[:-columns] for fine in w[-columns:]]
    of_rows = {name: x[: options.rows].repeat(columns, axis=0) for name, x in rows.items()}
    images, made = space.render(w, rows), space.render(np.stack(mixed), of_rows)
    page = np.full((options.rows + 1, columns + 1, *images.shape[1:]), PAPER, np.uint8)
    page[0, 1:], page[1:, 0] = images[-columns:], images[:-columns]
    page[1:, 1:] = made.reshape(options.rows, columns, *images.shape[1:])
    with _writing(options, state, "mix") as stem:
        write_grid(_flat(page), stem, columns + 1)
    print(f"Layers 0 to {coarse - 1} are of the images on the left, {coarse} to {space.layers - 1} of those on top.")


def _project(options: argparse.Namespace, run: Run, state: State) -> None:
    space, count = LatentSpace(run, state), len(options.images)
    if run.reads and not options.given:
        raise UserError(f"Images are generated from their {', '.join(run.reads)}: say it with --given=….", code=2)
    given = np.concatenate([_read(path, run.data.made) for path in options.images])
    rows, distance = run.asked(count, options.seed).rows, DISTANCES[options.distance](min(given.shape[1:3]))
    with tqdm(total=options.steps, unit="step", disable=not sys.stderr.isatty()) as bar:
        found = space.project(given, rows, distance, options.steps, options.each_layer, options.seed, bar.update)
    looks = np.stack([space.render(w, rows) for w in found.w], axis=1)
    page = np.concatenate([given[:, None], looks[:, -1:], looks], axis=1)
    with _writing(options, state, "project") as stem:
        write_grid(_flat(page), stem, page.shape[1])
        path = stem.with_name(f"{stem.name}.npz")
        np.savez_compressed(path, w=found.w[-1], distance=found.distances[-1])
    print(f"Columns: given, found, and the search after {', '.join(f'{step:,}' for step in found.steps)} steps.")
    for i, path in enumerate(options.images):
        first, last = found.distances[[0, -1], i]
        error = np.mean((looks[i, -1].astype(float) - given[i]) ** 2)
        psnr = 10 * np.log10(255**2 / error) if error else np.inf
        print(f"{path}: {distance.name} {last:.4g} (at the mean of styles {first:.4g}), PSNR {psnr:.1f} dB")


def _directions(options: argparse.Namespace, run: Run, state: State) -> None:
    space = LatentSpace(run, state)
    count = options.directions or min(USUAL, space.width)
    if count > space.width:
        raise UserError(f"--directions is {count}, and a style has {space.width} of them.", code=2)
    layers = list(range(space.layers) if options.layers is None else options.layers)
    if not layers or layers[-1] >= space.layers:
        raise UserError(f"--layers has to be within 0-{space.layers - 1}, which is what there is.", code=2)
    rows = run.asked(1, options.seed).rows
    w = _styles(space, options.of)[:1] if options.of else space.style(space.draw(1, options.seed), rows)
    values, directions = space.directions()
    offsets = np.linspace(-options.range, options.range, POSITIONS, dtype=np.float32) * space.centre(rows).unit
    moved = np.tile(w, (count, POSITIONS, 1, 1))
    moved[:, :, layers] += (offsets[:, None] * directions[:count, None])[:, :, None]
    many = {name: x.repeat(count * POSITIONS, axis=0) for name, x in rows.items()}
    with _writing(options, state, "directions") as stem:
        write_grid(space.render(_flat(moved), many), stem, POSITIONS)
    for number, share in enumerate(values[:count] / values.sum(), 1):
        print(f"row {number}: {share:.1%} of what all {space.width} directions change in the first layers")


def _flat(table: np.ndarray) -> np.ndarray:
    """[rows, columns, ...] -> [rows * columns, ...]."""
    return table.reshape(-1, *table.shape[2:])


def _read(path: Path, made: Field) -> np.ndarray:
    """An image as the run's are, [1, H, W, C]: one of their size as it is, another one cropped and resized."""
    assert isinstance(made, Pixels)  # `LatentSpace` has seen to it
    if not path.is_file():
        raise UserError(f"There is no image {path}: give the path of a file.", code=2)
    pixels = pictures.read(path, 0, made.size[2]).pixels
    if pixels.shape == made.size:
        return pixels[None]
    height, width = made.size[:2]
    print(f"{path} is {pixels.shape[0]} × {pixels.shape[1]}: cropped and resized to {height} × {width}")
    return made.parse(str(path), 1)


def _styles(space: LatentSpace, path: Path, at_least: int = 1) -> np.ndarray:
    """The styles of a file, [n, layers, width]."""
    try:
        with np.load(path) as found:
            w = found["w"].astype(np.float32)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"--of: {path} cannot be read as the styles that project writes ({error}).", code=2) from error
    if w.ndim != 3 or w.shape[1:] != (space.layers, space.width) or len(w) < at_least or not np.isfinite(w).all():
        raise UserError(
            f"--of: {path} holds {list(w.shape)}, and this run's styles are "
            f"[{at_least} or more, {space.layers}, {space.width}], all finite: project images with this run.",
            code=2,
        )
    return w


def _animation(frames: list[Image.Image]) -> Exhibit:
    file = io.BytesIO()
    frames[0].save(file, "gif", save_all=True, append_images=frames[1:], duration=PAUSE, loop=0)
    return Exhibit(".gif", "image/gif", file.getvalue())


def _writing(options: argparse.Namespace, state: State, name: str) -> AbstractContextManager[Path]:
    folder = options.out or Workdir(options.run).folder / "latent"
    return trained.writing(folder, f"{name}_{int(state.step):08d}")
