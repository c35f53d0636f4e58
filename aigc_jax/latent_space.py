"""The latent space of a trained generator: what images are made of, and the way from an image back to it.

A generator with styles takes noise z to w, a style for each of its layers, and renders an image of w. For one without
styles, w is z itself: one layer.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.method import Array, PyTree, Rows, State
from aigc_jax.ops import latent, projection
from aigc_jax.ops.platform import program
from aigc_jax.train.run import SAMPLING, WALKING, Run

STYLED = ("draw", "style", "render")  # the parts of a method whose latent space can be worked in
CENTRING, SEARCHING = 2**31 + 16, 2**31 + 17  # streams of random keys, beside those of `train.run`
CENTRE = 10_000  # draws that the mean of w is taken over
SHOWN = (0, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # shares of a search's steps after which it is looked at

Stored = Mapping[str, np.ndarray]  # rows of what images are generated from, [n, ...] each: `Run.asked`


class Distance(NamedTuple):
    """Of images, float32 [n, H, W, C] in [-1, 1]."""

    name: str
    measure: Callable[[PyTree, Array, Array], Array]  # (weights, one, other) -> [n]
    weights: PyTree


class Centre(NamedTuple):
    """Where the styles lie."""

    w: np.ndarray  # their mean, float32 [1, layers, width]
    spread: float  # the root mean square distance of a layer's style from it
    unit: float  # that of one of its coordinates


class Projection(NamedTuple):
    """A search for styles of given images."""

    steps: Sequence[int]  # after which it was looked at: of `SHOWN`
    w: np.ndarray  # float32 [looks, n, layers, width]
    distances: np.ndarray  # float32 [looks, n]


def check_images(run: Run) -> None:
    """Raises UserError where a run makes no images."""
    if run.data.made.kind != "images":
        raise UserError(f"These are tools for images, and the run is of {run.data.made.kind}: see aigc_jax sample.")


def has_styles(run: Run) -> bool:
    """Whether a run has a generator that `LatentSpace` is of."""
    return set(STYLED) <= set(run.programs.method.parts)


def walks(run: Run, state: State, ways: int, n: int, seed: int) -> np.ndarray:
    """What lies between random latents: n images on each of so many ways, uint8 [ways, n, H, W, C].

    Raises UserError where the family has no walks.
    """
    check_images(run)
    rows = run.asked(ways, seed).rows
    given = [{name: values[[way] * n] for name, values in rows.items()} for way in range(ways)]
    key = jax.random.fold_in(jax.random.fold_in(run.programs.root, WALKING), seed)
    found = run.programs.walks(key, state, n, given)
    if found is None:
        raise UserError(f"{run.config['method']['name']} has no walks: gan, vae and diffusion have them.")
    made = run.data.made
    images = made.values(made.stored(found))
    return images.reshape(ways, n, *images.shape[1:])


class LatentSpace:
    """The latent space of a run's generator.

    layers: that read a style; width: of a style. Styles w are float32 [n, layers, width], images uint8 [n, H, W, C].
    """

    def __init__(self, run: Run, state: State):
        """Raises UserError where the family has no such generator, or makes no images."""
        check_images(run)
        programs, parts = run.programs, run.programs.method.parts
        if not has_styles(run):
            kind = run.config["method"]["name"]
            raise UserError(f"{kind} has no generator of styles or noise, as gan has: take aigc_jax latent walk.")
        self.run, self._state = run, state.replace(frozen=programs.frozen)

        def style(state: State, z: Array, rows: Rows, psi: Array) -> Array:
            return parts["style"](state, z, run.data.conditions(programs.root, rows), psi)

        def render(state: State, w: Array, rows: Rows) -> Array:
            images = parts["render"](state, w, run.data.conditions(programs.root, rows))
            return programs.codec.decode(state.frozen, images)

        def centre(state: State, keys: Array, rows: Rows) -> tuple[Array, Array]:
            w = style(state, parts["draw"](keys), rows, jnp.float32(1))
            mean = jnp.mean(w, axis=0, keepdims=True)
            return mean, jnp.sqrt(jnp.mean(jnp.sum((w - mean) ** 2, axis=2)))

        self._render_rows = render
        self._draw, self._style, self._render = program(parts["draw"]), program(style), program(render)
        self._centre = program(centre)
        with jax.set_mesh(programs.layout.mesh):
            z = parts["draw"](programs.keys(SAMPLING, 0, np.arange(1)))
            _, self.layers, self.width = jax.eval_shape(style, self._state, z, run.asked(1).rows, np.float32(1)).shape

    def draw(self, n: int, seed: int) -> np.ndarray:
        """The noise of the first n samples of `aigc_jax sample`, float32 [n, latent]."""
        programs = self.run.programs
        with jax.set_mesh(programs.layout.mesh):
            keys = programs.keys(SAMPLING, seed, np.arange(n))
            return jax.device_get(self._draw(keys, self.run.plan["truncation"]))

    def style(self, z: np.ndarray, rows: Stored) -> np.ndarray:
        """The styles of noise [n, latent], drawn towards their mean as `sample.psi` says: w."""
        psi = self.run.plan["psi"]
        return self._in_batches(lambda z, rows: self._style(self._state, z, rows, psi), z, rows)

    def render(self, w: np.ndarray, rows: Stored) -> np.ndarray:
        """The images of styles w."""
        made = self.run.data.made
        images = self._in_batches(lambda w, rows: self._render(self._state, w, rows), w, rows)
        return made.values(made.stored(images))

    def walks(self, ways: int, n: int, seed: int, rows: Stored) -> np.ndarray:
        """n styles on each of so many ways between random noises, float32 [ways, n, layers, width].

        Way i goes from the noise of image 2 i to that of image 2 i + 1. rows: one a way.
        """
        ends = self.draw(2 * ways, seed)
        points = np.concatenate([latent.arc(ends[2 * way], ends[2 * way + 1], n) for way in range(ways)])
        w = self.style(points, {name: values.repeat(n, axis=0) for name, values in rows.items()})
        return w.reshape(ways, n, *w.shape[1:])

    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """(eigenvalues [width], unit vectors [width, width], one a row): see `ops.directions`.

        Raises UserError where it is not known which weights read the latent.
        """
        found = self.run.programs.method.parts.get("directions")
        if found is None:
            raise UserError("The generator does not say which of its weights read the latent: give it latent_kernels.")
        with jax.set_mesh(self.run.programs.layout.mesh):
            return jax.device_get(program(found)(self._state))

    def centre(self, rows: Stored) -> Centre:
        """The mean of the styles of random noise. rows: of one image."""
        programs = self.run.programs
        with jax.set_mesh(programs.layout.mesh):
            keys = programs.keys(CENTRING, 0, np.arange(CENTRE))
            w, spread = self._centre(self._state, keys, {name: x.repeat(CENTRE, axis=0) for name, x in rows.items()})
            return Centre(jax.device_get(w), float(spread), float(spread) / self.width**0.5)

    def project(
        self,
        images: np.ndarray,
        rows: Stored,
        distance: Distance,
        steps: int,
        each_layer: bool,
        seed: int,
        between: Callable[[int], None] = lambda steps: None,
    ) -> Projection:
        """Searches for the styles of images [n, H, W, C], each by itself.

        each_layer: with a style for each layer; else all layers have the same one. between: is called with the steps
        taken since the last call.
        """
        run, centre = self.run, [self.centre({name: x[[i]] for name, x in rows.items()}) for i in range(len(images))]
        spread = np.array([each.spread for each in centre], np.float32)[:, None, None]

        def full(w: Array) -> Array:
            return jnp.broadcast_to(w, (w.shape[0], self.layers, self.width))

        def losses(weights: PyTree, state: State, w: Array, images: Array, rows: Rows) -> Array:
            target = run.data.made.prepare(run.programs.root, images, False)
            return distance.measure(weights, self._render_rows(state, full(w), rows), target)

        def part(weights: PyTree, state: State, so_far: Any, search: tuple, images: Array, rows: Rows) -> Any:
            return projection.search(lambda w: losses(weights, state, w, images, rows), so_far, *search)

        measured, searched, found = program(losses), program(part), []
        stops = sorted({round(share * steps) for share in SHOWN})
        with jax.set_mesh(run.programs.layout.mesh):
            keys = run.programs.keys(SEARCHING, seed, np.arange(len(images)))
            start = np.concatenate([each.w for each in centre])
            so_far = projection.begin(jnp.asarray(start if each_layer else start.mean(1, keepdims=True)))
            for first, last in pairwise((0, *stops)):
                bounds = (np.int32(number) for number in (first, last, steps))
                so_far = searched(distance.weights, self._state, so_far, (keys, *bounds, spread), images, rows)
                losses_now = measured(distance.weights, self._state, so_far.w, images, rows)
                found.append(jax.device_get((full(so_far.w), losses_now)))
                between(last - first)
        w, distances = zip(*found, strict=True)
        return Projection(stops, np.stack(w), np.stack(distances))

    def _in_batches(self, function: Callable[[Any, Any], Array], x: np.ndarray, rows: Stored) -> np.ndarray:
        """Of each row of x what the function gives, with one program for batches of one size."""
        size, parts = min(self.run.evaluation.batch_size, len(x)), []
        with jax.set_mesh(self.run.programs.layout.mesh):
            for start in range(0, len(x), size):
                numbers = np.arange(start, start + size)
                given = {name: np.take(values, numbers, axis=0, mode="wrap") for name, values in rows.items()}
                parts.append(jax.device_get(function(np.take(x, numbers, axis=0, mode="wrap"), given)))
        return np.concatenate(parts)[: len(x)]
