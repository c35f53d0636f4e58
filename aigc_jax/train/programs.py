"""The compiled programs of a run: initialise, train, evaluate, sample.

`jit` compiles each for the global arrays of the mesh. `pmap`, kept for those who need it, maps
the training program over devices that each hold a copy of the state; the rest stays `jit`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.method import Batch, Key, Measure, Method, PyTree, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops.platform import program, run_once
from aigc_jax.train import guard
from aigc_jax.train.sharding import Layout, Rules, gathered, shardings


class Prepare(Protocol):
    """A data set's own: (key, stored batch, train) -> the batch as the method sees it."""

    def __call__(self, key: Key, batch: Batch, train: bool) -> Batch: ...


Items = Mapping[str, Any]  # rows, or {"index"} into the resident split; [K, B, ...]
Sums = Mapping[str, Any]  # metrics added up since the last log, and what `guard` remembers

DATA, MODEL = 0, 1  # streams of random keys within a step


class Programs:
    """What the trainer runs. Nothing is compiled before its first use.

    example: a batch's leaves as `jax.ShapeDtypeStruct`, before `prepare`.
    rules: what the networks split over the mesh's tensor axis.
    frozen: pretrained weights that the method reads; they are never saved.
    spike: a gradient this many times larger than usual is no update; 0 = however large it is.
    """

    def __init__(
        self,
        method: Method,
        prepare: Prepare,
        layout: Layout,
        example: Mapping[str, jax.ShapeDtypeStruct],
        rules: Rules,
        seed: int,
        frozen: Mapping[str, PyTree],
        spike: float,
    ):
        self.layout, self.method, self._prepare = layout, method, prepare
        self._example, self._spike = example, spike
        # Under jit of their own, so that what is traced for the shapes is not traced again for the programs.
        self._init, self._update = jax.jit(self._first_state), jax.jit(method.step)
        with jax.set_mesh(layout.mesh):
            # Compiled, not moved: each process makes its own copy of an array that all of them hold.
            self.root = jax.jit(jax.random.key, static_argnums=0, out_shardings=layout.named())(seed)
            self._frozen = jax.device_put(dict(frozen), shardings(layout, dict(frozen), rules))
            abstract = jax.eval_shape(self._init, self.root, self._frozen)
        self.shardings = shardings(layout, abstract, rules)
        self.described = jax.tree.map(_described, abstract, self.shardings)
        self._next_sums = jax.jit(
            lambda sums: {
                "metrics": jax.tree.map(jnp.zeros_like, sums["metrics"]),
                "watch": guard.logged(sums["watch"]),
            },
            out_shardings=layout.named(),
        )
        self._finite = program(_all_finite, out_shardings=layout.named())
        self._train, self._compiled = self._compile_train(), False
        self._evaluate = program(self._evaluate_batch, out_shardings=layout.named())
        self._sample = program(self._draw, static_argnums=2, out_shardings=layout.named())
        self._walk = program(method.walk, static_argnums=2, out_shardings=layout.named()) if method.walk else None

    def _first_state(self, root: Key, frozen: Mapping[str, PyTree]) -> State:
        shapes = jax.eval_shape(functools.partial(self._prepare, train=False), root, self._example)
        example = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return self.method.init(jax.random.fold_in(root, 0), example, frozen)

    def init(self) -> State:
        """The state before the first step, made in shards: no device holds it whole."""
        with jax.set_mesh(self.layout.mesh):
            return run_once(self._init, out_shardings=self.shardings)(self.root, self._frozen)

    def thawed(self, state: State) -> State:
        """A restored state with the frozen weights, which checkpoints leave out, put back."""
        return state.replace(frozen=self._frozen)

    # Training

    def _step(self, root: Key, state: State, resident: Batch, item: Batch) -> tuple[State, Mapping[str, jax.Array]]:
        """One optimizer step; its random numbers come from (seed, step) alone."""
        key = jax.random.fold_in(root, state.step + 1)  # 0 was the initialisation's
        batch = self._prepare(jax.random.fold_in(key, DATA), _rows(resident, item), True)
        after, metrics = self._update(jax.random.fold_in(key, MODEL), self._gathered(state), batch)
        return after.replace(step=state.step + 1), {k: v.astype(jnp.float32) for k, v in metrics.items()}

    def _gathered(self, state: State) -> State:
        """The state with its weights whole along `fsdp`, for a step: the shards of the new ones are kept.

        Batch and weights are split over the same devices. Left alone, the compiler may gather activations instead.
        """
        if self.layout.mesh.shape["fsdp"] == 1:
            return state
        kept = gathered(self.layout, self.shardings.params)
        return state.replace(params=jax.lax.with_sharding_constraint(state.params, kept))

    def _steps(self, root: Key, state: State, sums: Sums, resident: Batch, items: Items) -> tuple[State, Sums]:
        def one(carry: tuple[State, Sums], item: Batch) -> tuple[tuple[State, Sums], None]:
            state, sums = carry
            after, metrics = self._step(root, state, resident, item)
            good, watch = guard.judge(metrics, sums["watch"], after.step, self._spike)
            kept = jax.tree.map(lambda new, old: jnp.where(good, new, old), after, state).replace(step=after.step)
            added = {name: jnp.where(good, metrics[name], 0) for name in metrics}
            return (kept, {"metrics": jax.tree.map(jnp.add, sums["metrics"], added), "watch": watch}), None

        if len(jax.tree.leaves(items)[0]) == 1:  # a loop of one step would cost compile time for nothing
            return one((state, sums), jax.tree.map(lambda x: x[0], items))[0]
        return jax.lax.scan(one, (state, sums), items)[0]

    def _compile_train(self) -> Any:
        if self.layout.compile == "pmap":
            devices = list(self.layout.mesh.devices.flat)
            return jax.pmap(self._steps, axis_name=whole.AXIS, donate_argnums=(1, 2), devices=devices)
        return program(self._steps, donate_argnums=(1, 2), out_shardings=(self.shardings, self.layout.named()))

    def traced(self, resident: Batch, items: Items) -> jax.stages.Traced:
        """The training program for arrays or shapes like these, under jit, before `compile_ahead`."""
        with jax.set_mesh(self.layout.mesh):
            return self._train.trace(self.root, self.described, self.described_sums, resident, items)

    def compile_ahead(self, resident: Batch, items: Items) -> Callable[[], None]:
        """Traces the training program for these shapes. What it gives compiles it, and may do so in another thread."""
        if self.layout.compile == "pmap" or self._compiled:
            return lambda: None
        with jax.set_mesh(self.layout.mesh):
            lowered = self.traced(resident, items).lower()

        def compile() -> None:
            self._train, self._compiled = lowered.compile(), True

        return compile

    def memory(self) -> Any:
        """Of the training program on a device, as `jax.stages.Compiled.memory_analysis` has it; None = not known."""
        return self._train.memory_analysis() if self._compiled else None

    def train(self, state: State, sums: Sums, resident: Batch, items: Items) -> tuple[State, Sums]:
        """As many steps as `items` has batches. `state` and `sums` are given up to it."""
        if self.layout.compile == "pmap":
            return self._train(self._mapped_root, state, sums, resident, items)
        with jax.set_mesh(self.layout.mesh):
            return self._train(self.root, state, sums, resident, items)

    @functools.cached_property
    def described_sums(self) -> Sums:
        """The sums, as shapes. Only training needs them, and it takes seconds: the step is traced."""
        with jax.set_mesh(self.layout.mesh):
            metrics = dict(jax.eval_shape(self._step, self.root, self.described, {}, self._example)[1])
        sums = {"metrics": metrics, "watch": jax.eval_shape(guard.start, metrics)}
        return jax.tree.map(lambda x: _described(x, self.layout.named()), sums)

    def start_sums(self) -> Sums:
        """The sums before the first step: zeros."""
        zeros = functools.partial(jax.tree.map, lambda x: jnp.zeros(x.shape, x.dtype), self.described_sums)
        with jax.set_mesh(self.layout.mesh):
            return run_once(zeros, out_shardings=self.layout.named())()

    def next_sums(self, sums: Sums) -> Sums:
        """The sums after a log: metrics begin at zero, and what is remembered over logs stays."""
        with jax.set_mesh(self.layout.mesh):
            return self._next_sums(sums)

    def finite(self, state: State) -> bool:
        """Whether all is finite that a checkpoint would hold of this state."""
        with jax.set_mesh(self.layout.mesh):
            return bool(jax.device_get(self._finite((state.params, state.ema, state.extra, state.opt_state))))

    # Evaluation and sampling, with the state as the mesh holds it

    def _evaluate_batch(
        self, key: Key, state: State, resident: Batch, item: Batch, mask: jax.Array
    ) -> Mapping[str, Measure]:
        batch = self._prepare(jax.random.fold_in(key, DATA), _rows(resident, item), False)
        measures = self.method.evaluate(jax.random.fold_in(key, MODEL), state, batch)
        return jax.tree.map(lambda values: jnp.where(mask > 0, values, 0), dict(measures))

    def evaluate(self, key: Key, state: State, resident: Batch, item: Batch, mask: jax.Array) -> Mapping[str, Measure]:
        """Of each row of one batch; 0 where the mask is."""
        with jax.set_mesh(self.layout.mesh):
            return self._evaluate(key, state, resident, item, mask)

    def measures(self) -> list[str]:
        """The names of what `evaluate` measures."""
        rows = jax.tree.leaves(self._example)[0].shape[0]
        mask = jax.ShapeDtypeStruct((rows,), jnp.float32)
        return list(jax.eval_shape(self._evaluate_batch, self.root, self.described, {}, self._example, mask))

    def _draw(self, key: Key, state: State, n: int, condition: Any) -> PyTree:
        if self.method.sample is None:
            raise UserError("This model generates nothing to sample: --mode=evaluate measures it.", code=2)
        return self.method.sample(key, state, n, condition)

    def trace_sample(self, n: int, condition: Any) -> None:
        """Raises UserError where the model does not sample under such a condition."""
        with jax.set_mesh(self.layout.mesh):
            jax.eval_shape(lambda key, state: self._draw(key, state, n, condition), self.root, self.described)

    def sample(self, key: Key, state: State, n: int, condition: Any = None) -> PyTree:
        """n samples, as host arrays."""
        with jax.set_mesh(self.layout.mesh):
            return jax.device_get(self._sample(key, state, n, condition))

    def walks(self, key: Key, state: State, n: int, ways: int) -> PyTree | None:
        """`ways` of n samples each, one way after the other, as host arrays; None where there is nothing to walk."""
        if self._walk is None:
            return None
        with jax.set_mesh(self.layout.mesh):
            found = [self._walk(jax.random.fold_in(key, way), state, n) for way in range(ways)]
            return jax.tree.map(lambda *parts: np.concatenate(parts), *jax.device_get(found))

    # Between the mesh's arrays and pmap's copies

    @functools.cached_property
    def _mapped_root(self) -> Key:
        return self._copies(self.root)

    def _copies(self, tree: PyTree) -> PyTree:
        devices = list(self.layout.mesh.devices.flat)
        return jax.pmap(lambda _, x: x, in_axes=(0, None), devices=devices)(np.arange(len(devices)), tree)

    def mapped(self, tree: PyTree) -> PyTree:
        """The form that `train` takes: itself under jit, a copy for each device under pmap."""
        return self._copies(tree) if self.layout.compile == "pmap" else tree

    def canonical(self, tree: PyTree) -> PyTree:
        """The form that checkpoints, evaluation and sampling take: arrays of the mesh."""
        if self.layout.compile == "jit":
            return tree
        return jax.tree.map(lambda x: jax.device_put(x[0], self.layout.named()), tree)

    def own_rows(self, batch_size: int) -> slice:
        """The rows of a batch that this process's devices use."""
        indices = self.layout.batch().addressable_devices_indices_map((batch_size,)).values()
        bounds = [index[0].indices(batch_size)[:2] for index in indices if index is not None]
        return slice(min(start for start, _ in bounds), max(stop for _, stop in bounds))

    def place_items(self, items: Mapping[str, np.ndarray]) -> Items:
        """This process's rows of K batches, [K, rows, ...], on the devices that use them."""
        if self.layout.compile == "jit":
            sharding = self.layout.batch(leading=1)
            return {name: jax.make_array_from_process_local_data(sharding, x) for name, x in items.items()}
        count = self.layout.rows
        return {name: np.swapaxes(x.reshape(x.shape[0], count, -1, *x.shape[2:]), 0, 1) for name, x in items.items()}


def _all_finite(tree: PyTree) -> jax.Array:
    real = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in real])) if real else jnp.bool_(True)


def _rows(resident: Batch, item: Batch) -> Batch:
    """A batch's rows, looked up where the split lies on the device."""
    if not resident:
        return item
    return {name: jnp.take(values, item["index"], axis=0) for name, values in resident.items()}


def _described(x: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
