"""Finished runs in Python: `aigc_jax.load` gives a `Model`, and that gives `Samples`."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from operator import index
from typing import Any

import jax
import numpy as np
from PIL import Image

from aigc_jax import experiments
from aigc_jax.build import build, drawing
from aigc_jax.data.dataset import Field
from aigc_jax.data.exhibit import Exhibit
from aigc_jax.editing import Editor, Options
from aigc_jax.errors import NotAtHand, UserError
from aigc_jax.method import State
from aigc_jax.train import trained
from aigc_jax.train.run import SAMPLING, Run, Sampling
from aigc_jax.train.streaming import streamed
from aigc_jax.train.workdir import ANY_TARGET, Workdir

ALONE = {"parallel.data": 1, "parallel.fsdp": 1, "parallel.tensor": 1, "parallel.compile": "jit"}  # on one device
SEEDS = 2**32


def opened(workdir: str | os.PathLike[str], settings: Mapping[str, Any]) -> tuple[Run, State]:
    """A finished run, and the weights to sample with. settings: see `aigc_jax.load`.

    The data are read only where `sample.given` asks for rows of them. Raises UserError.
    """
    folder = Workdir(os.fspath(workdir))
    folder.recorded()  # says what is missing
    spread = any(key.startswith("parallel.") for key in settings)
    recorded = experiments.recorded(folder.config)
    config = experiments.updated(recorded, {**({} if spread else ALONE), **settings}).to_dict()
    devices = None if spread else jax.local_devices()[:1]
    folder.check(config, ANY_TARGET)
    try:
        run = build(config, devices=devices, kept=folder.kept(), recall=True)
    except NotAtHand:
        run = build(config, devices=devices, kept=folder.kept())
    return run, trained.restore(run, folder)


class Model:
    """A trained model: the weights of a run's best checkpoint where one was measured, else of its newest.

    config: the run's configuration; networks: what each network was built from; step: the checkpoint's.
    """

    def __init__(self, workdir: str | os.PathLike[str], settings: Mapping[str, Any]):
        """See `aigc_jax.load`."""
        self._run, self._state = opened(workdir, settings)
        self.config: Mapping[str, Any] = self._run.config
        self.networks: Mapping[str, Mapping[str, Any]] = self._run.networks
        self.step = int(self._state.step)

    def sample(self, n: int, given: str | int = "", seed: int = 0, stop: str = "", **settings: Any) -> "Samples":
        """n samples: the first ones the same for any n, and the same for the same given, seed and settings.

        given: as `sample.given`: a class by name or number, or "each" for the classes in turn, where the model knows
            classes; the beginning of a text, where it writes texts; "" = anything.
        stop: a text ends with it, where it comes to it.
        settings: the method's keys of the section `sample`, such as temperature or steps, in place of the run's.
        Raises UserError for a class or a character that the model does not know, for a setting that it does not have,
        and for a model that draws nothing, TypeError where n or seed is no whole number.
        """
        n, seed = index(n), index(seed)
        if n < 1 or not 0 <= seed < SEEDS:
            raise UserError(f"n has to be at least 1, and seed from 0 to {SEEDS - 1:,}; they are {n} and {seed}.")
        run = self._drawing(given, stop, settings)
        field, target = run.data.made, run.data.target
        parts = list(run.samples(self._state, n, SAMPLING, seed))
        rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Samples(field.among(rows, target, run.data.fields), field)

    def stream(self, given: str = "", seed: int = 0, stop: str | Sequence[str] = (), **settings: Any) -> Iterator[str]:
        """One text as it is written, a few characters at a time, without what was given.

        The pieces are those of `sample(1, …)`, without beams: a text is drawn. stop: the text ends before the first of
        these strings. Raises UserError as `sample`, and for a model that does not write token by token.
        """
        run = self._drawing(given, "", settings)
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        yield from streamed(run, self._state, index(seed), [each for each in stops if each])

    def _drawing(self, given: str | int, stop: str, settings: Mapping[str, Any]) -> Run:
        run = self._run._replace(sampling=self._run.sampling._replace(given=str(given), stop=stop))
        if settings:
            if common := sorted(set(settings) & set(Sampling._fields)):
                raise UserError(f'"{common[0]}" is no setting of sampling: give n, given and seed by themselves.')
            return drawing(run, {**self.config["sample"], **settings})
        return run

    def edit(self, images: Any, task: str, given: str | int = "", seed: int = 0, **options: Any) -> "Samples":
        """What a diffusion model makes of images uint8 [n, H, W, C], without training: a result for each.

        task: inpaint, superres, deblur, colourise, sdedit, invert, or interpolate, which gives frames for each pair of
            neighbours. given: as in `sample`.
        options: what the task reads, mask (bool [H, W], true where an image is to be filled), factor, blur, strength,
            frames, damaged: see `editing.Options`; and the method's keys of the section `sample`, such as steps and
            guidance, in place of the run's.
        Raises UserError for a model, an image or an option that does not fit.
        """
        run = self._run._replace(sampling=self._run.sampling._replace(given=str(given)))
        own = {name: value for name, value in options.items() if name in Options._fields}
        settings = {name: value for name, value in options.items() if name not in own}
        found = Editor(run, self._state).edit(images, task, own, index(seed), settings)
        return Samples(found.after.reshape(-1, *found.after.shape[-3:]), run.data.made)

    def __repr__(self) -> str:
        return f"Model({self.config['method']['name']} on {self._run.data.name}, step {self.step:,})"


class Samples(np.ndarray):
    """Samples as a person works with them: an array whose first axis counts them.

    Images are uint8 [n, H, W, C], points uint8 [n, 2], texts strings [n]. A notebook shows images by themselves.
    """

    _field: Field | None
    _one: tuple[int, ...]  # shape of one sample

    def __new__(cls, values: np.ndarray, field: Field) -> "Samples":
        made = np.asarray(values).view(cls)
        made._field, made._one = field, made.shape[1:]
        return made

    def __array_finalize__(self, source: Any) -> None:
        self._field, self._one = getattr(source, "_field", None), getattr(source, "_one", ())

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """What is computed from samples is no samples."""
        return getattr(ufunc, method)(*(np.asarray(x) if isinstance(x, Samples) else x for x in inputs), **options)

    def show(self) -> "Image.Image | Text":
        """What there is to look at: a picture, which has `save`, or text."""
        found = self._exhibit()
        if found is None:
            raise UserError(f"An array of shape {list(self.shape)} holds no whole samples: show those that were drawn.")
        if found.mime.startswith("text/"):
            return Text(found.content.decode("utf-8"))
        return Image.open(io.BytesIO(found.content))

    def _exhibit(self) -> Exhibit | None:
        values = np.asarray(self)[None] if self.shape == self._one else np.asarray(self)
        if self._field is None or not values.size or values.shape[1:] != self._one:
            return None
        return self._field.show(values)

    def _repr_png_(self) -> bytes | None:
        found = self._exhibit()
        return found.content if found is not None and found.mime == "image/png" else None


class Text(str):
    """A string that a prompt and a notebook show as it is."""

    def __repr__(self) -> str:
        return str(self)
