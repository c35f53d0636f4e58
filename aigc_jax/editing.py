"""Editing given images with a finished diffusion run, without training: see `ops.diffusion.editing`."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.build import IDENTITY, planned
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.errors import UserError
from aigc_jax.latent_space import check_images
from aigc_jax.method import Array, Rows, State
from aigc_jax.ops.augment import to_float, to_uint8
from aigc_jax.ops.diffusion import editing
from aigc_jax.ops.platform import program
from aigc_jax.ranges import at_least, between
from aigc_jax.train.run import SAMPLING, Run

TASKS: Mapping[str, tuple[str, ...]] = {  # and the options that they read
    "inpaint": ("mask",),
    "superres": ("factor", "damaged"),
    "deblur": ("blur", "damaged"),
    "colourise": (),
    "sdedit": ("strength",),
    "invert": (),
    "interpolate": ("frames",),
}
FLOWS = ("invert", "interpolate")  # that go from data to noise and back, and are not guided
PLACES = 50  # of the flow
RANGES = {"factor": at_least(1), "blur": at_least(0), "strength": between(0, 1), "frames": at_least(2)}
PARTS = ("edit", "follow", "ways", "plan")  # of a method that can


class Options(NamedTuple):
    """What tasks read besides images."""

    mask: np.ndarray | None = None  # bool [H, W]: true where an image is to be filled
    factor: int = 2  # of the sides of large and small images
    blur: float = 1.0  # the standard deviation of the Gaussian, in pixels
    strength: float = 0.5  # the share of the steps that are taken again
    frames: int = 8  # of each way between two images
    damaged: bool = False  # the images are as they come: blurred, small


class Edited(NamedTuple):
    """What came of n images. Images are uint8 [..., H, W, C]."""

    before: np.ndarray  # [n, ...]
    damaged: np.ndarray | None  # [n, ...]: what was seen; a noise as grey levels; None = `before` itself
    after: np.ndarray  # [n, ...], of ways [n - 1, frames, ...]
    noise: np.ndarray | None = None  # float32 [n, H, W, C]: where the flow from the images ends


class Editor:
    """A run of diffusion that edits images."""

    def __init__(self, run: Run, state: State):
        """Raises UserError where the family does not edit, or makes no images."""
        check_images(run)
        self._run, self._programs = run, run.programs
        self._method, made = run.programs.method, run.data.made
        if not set(PARTS) <= set(self._method.parts):
            name = run.config["method"]["name"]
            raise UserError(f"Only a run of diffusion edits images, and this one is of {name}: see aigc_jax latent.")
        if run.config.get("encoders"):
            raise UserError("A run that encodes what it is given (encoders.…) cannot edit yet.")
        assert isinstance(made, Pixels)  # as images are
        self._made, self._state = made, state.replace(frozen=run.programs.frozen)

    def edit(
        self, images: np.ndarray, task: str, options: Mapping[str, Any], seed: int, settings: Mapping[str, Any]
    ) -> Edited:
        """Edits images uint8 [n, H, W, C] of the run's size; of superres with `damaged`, small ones.

        task: of `TASKS`. options: of `Options`, those that the task reads. settings: of the section `sample`, in place
        of the run's: steps, guidance, sampler and so on; of the tasks that follow the flow, steps alone.
        Raises UserError for what the task does not read, and for sizes that do not fit.
        """
        chosen = understood(task, options)
        images = self._checked(images, task, chosen)
        if self._run.reads and not self._run.sampling.given:
            raise UserError(f"Images are generated from their {', '.join(self._run.reads)}: say it with given.", code=2)
        run = self._run._replace(negative=str(settings.get("negative", self._run.negative)))
        rows = dict(run.asked(len(images), seed).rows)
        if task in FLOWS:
            return self._by_flow(images, task, chosen, rows, settings)
        plan = self._plan(chosen.strength if task == "sdedit" else 1.0, settings)
        if task == "sdedit":
            return Edited(images, None, self._vary(images, plan, seed, rows))
        return self._restore(images, self._observation(task, chosen), chosen.damaged, plan, seed, rows)

    def size(self, task: str, options: Options) -> tuple[int, int, int]:
        """That images have to have: [H, W, C]."""
        height, width, channels = self._made.size
        if task == "superres" and options.damaged:
            return height // options.factor, width // options.factor, channels
        return height, width, channels

    def _plan(self, strength: float, settings: Mapping[str, Any]) -> Any:
        method = self._method._replace(plan=self._method.parts["plan"](strength))
        return planned(method, {**self._run.config["sample"], **settings})

    def _checked(self, images: np.ndarray, task: str, options: Options) -> np.ndarray:
        """Images [n, H, W, C] that fit. Raises UserError."""
        height, width, channels = self._made.size
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
            raise UserError(f"Images are uint8 [n, H, W, C], and these are {images.dtype} {list(images.shape)}.")
        if task == "superres" and (height % options.factor or width % options.factor):
            raise UserError(f"factor is {options.factor}, and has to divide the run's {height} × {width}.", code=2)
        if task == "colourise" and channels != 3:
            raise UserError("colourise needs a run of colour images, and this one's are grey.")
        size = self.size(task, options)
        if images.shape[1:] != size:
            raise UserError(f"Images have to be {named(size)}, and are {named(images.shape[1:])}.")
        if task == "interpolate" and len(images) < 2:
            raise UserError("interpolate needs two images or more.", code=2)
        if task == "inpaint":
            if options.mask is None:
                raise UserError("inpaint needs a mask: white, or true, where an image is to be filled.", code=2)
            if np.shape(options.mask) != (height, width):
                raise UserError(f"The mask has to be {named((height, width))}, and is {named(np.shape(options.mask))}.")
        elif task not in ("sdedit", *FLOWS) and self._run.config.get("codec", IDENTITY)["name"] != IDENTITY["name"]:
            raise UserError(f"{task} works on pixels, and the network of this run on a codec's: take sdedit.")
        return images

    def _observation(self, task: str, options: Options) -> editing.Observation:
        if task == "inpaint":
            return editing.masked(~np.asarray(options.mask, bool))
        if task == "superres":
            return editing.shrunk(options.factor)
        return editing.blurred(options.blur) if task == "deblur" else editing.grey()

    def _restore(
        self, images: np.ndarray, seen: editing.Observation, damaged: bool, plan: Any, seed: int, rows: dict
    ) -> Edited:
        edit, given, pad = self._method.parts["edit"], self._given, self._made.pad

        def restored(state: State, keys: Array, images: Array, rows: Rows, plan: Any) -> tuple[Array, Array]:
            y = to_float(images) if damaged else seen.measure(to_float(images))
            start = jnp.zeros((len(images), *self._made.facts["shape"]))  # of strength 1, which does not read it
            return seen.picture(y), edit(keys, state, given(rows), plan, start, editing.agreeing(seen, y, pad))

        picture, after = self._in_batches(program(restored), seed, images, rows, plan)
        looked, found = to_uint8(picture), self._values(after)
        return Edited(looked, None, found) if damaged else Edited(images, looked, found)

    def _vary(self, images: np.ndarray, plan: Any, seed: int, rows: dict) -> np.ndarray:
        edit, codec, given = self._method.parts["edit"], self._programs.codec, self._given

        def varied(state: State, keys: Array, images: Array, rows: Rows, plan: Any) -> Array:
            x = edit(keys, state, given(rows), plan, self._encoded(state, images), editing.free)
            return codec.decode(state.frozen, x)

        return self._values(self._in_batches(program(varied), seed, images, rows, plan))

    def _by_flow(
        self, images: np.ndarray, task: str, options: Options, rows: dict, settings: Mapping[str, Any]
    ) -> Edited:
        if others := [name for name in settings if name != "steps"]:
            raise UserError(
                f"{task} follows the probability flow, which has no {others[0]}: it has steps alone.", code=2
            )
        follow, codec, given = self._method.parts["follow"], self._programs.codec, self._given
        ways = self._method.parts["ways"](settings.get("steps", self._places()))

        def to_noise(state: State, keys: Array, images: Array, rows: Rows, table: Any) -> Array:
            return follow(state, given(rows), table, self._encoded(state, images))

        def to_data(state: State, keys: Array, noise: Array, rows: Rows, table: Any) -> Array:
            return codec.decode(state.frozen, follow(state, given(rows), table, noise))

        noise = self._in_batches(program(to_noise), 0, images, rows, ways.to_noise)
        back = program(to_data)
        if task == "invert":
            grey = to_uint8(noise / (3 * noise.std())) if noise.shape[1:] == images.shape[1:] else None
            return Edited(images, grey, self._values(self._in_batches(back, 0, noise, rows, ways.to_data)), noise)
        n = options.frames
        points = np.concatenate([editing.sphere(one, other, n) for one, other in pairwise(noise)])
        first = {name: values[:-1].repeat(n, axis=0) for name, values in rows.items()}
        after = self._values(self._in_batches(back, 0, points, first, ways.to_data))
        return Edited(images, None, after.reshape(-1, n, *after.shape[1:]), noise)

    def _places(self) -> int:
        return min(PLACES, self._run.config["method"].get("timesteps") or PLACES)

    def _given(self, rows: Rows) -> Mapping[str, Array]:
        return self._run.data.conditions(self._programs.root, rows)

    def _encoded(self, state: State, images: Array) -> Array:
        """Stored images as the method sees them."""
        root = self._programs.root
        return self._programs.codec.encode(root, state.frozen, self._made.prepare(root, images, False))

    def _values(self, x: np.ndarray) -> np.ndarray:
        return self._made.values(self._made.stored(x))

    def _in_batches(self, function: Callable, seed: int, x: np.ndarray, rows: dict, plan: Any) -> Any:
        """Of each row of x what the function gives, with one program for batches of one size."""
        size, parts = min(self._run.evaluation.batch_size, len(x)), []
        with jax.set_mesh(self._programs.layout.mesh):
            for start in range(0, len(x), size):
                numbers = np.arange(start, start + size)
                batch, given = jax.tree.map(lambda v, at=numbers: np.take(v, at, axis=0, mode="wrap"), (x, rows))
                keys = self._programs.keys(SAMPLING, seed, numbers)
                parts.append(jax.device_get(function(self._state, keys, batch, given, plan)))
        return jax.tree.map(lambda *each: np.concatenate(each)[: len(x)], *parts)


def named(size: tuple[int, ...]) -> str:
    """The size of an image [H, W, C] or of a mask [H, W] in words."""
    return " × ".join(map(str, size[:2])) + (f" in {'colour' if size[2] == 3 else 'grey'}" if len(size) == 3 else "")


def understood(task: str, given: Mapping[str, Any]) -> Options:
    """What a task reads. Raises UserError for a task that there is not, and for what it does not read or cannot be."""
    if task not in TASKS:
        raise UserError(f'There is no task "{task}": there are {", ".join(TASKS)}.', code=2)
    if others := [name for name in given if name not in TASKS[task]]:
        reads = f"reads {', '.join(TASKS[task])}" if TASKS[task] else "has no options of its own"
        raise UserError(f"{task} has no use for {others[0]}: it {reads}.", code=2)
    for name, value in given.items():
        allowed = RANGES.get(name)
        whole = name in ("factor", "frames") and not isinstance(value, int)
        if allowed is not None and (whole or value not in allowed):
            raise UserError(f"{name} is {value!r}, and has to be {allowed}.", code=2)
    return Options(**given)
