"""The compiled programs of a run: initialise, train, evaluate, sample.

`jit` compiles each for the global arrays of the mesh. `pmap`, kept for those who need it, maps
the training program over devices that each hold a copy of the state; the rest stays `jit`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.method import Batch, Codec, Frozen, Given, Key, Method, PerExample, PyTree, Rows, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops.platform import program, run_once
from aigc_jax.train import guard
from aigc_jax.train.sharding import Layout, Rules, gathered, shardings


class Data(Protocol):
    """What a data set knows of its rows."""

    def prepare(self, key: Key, rows: Rows, train: bool) -> Batch:
        """Stored rows -> a batch."""

    def conditions(self, key: Key, rows: Rows) -> Given:
        """Stored rows of what is given, not of the target -> as `prepare` has them."""


Stored = Mapping[str, Any]  # rows as a data set stores them, on the host or the device
Items = Mapping[str, Any]  # rows, or {"index"} into the resident split; [K, B, ...]
Sums = Mapping[str, Any]  # metrics added up since the last log, and what `guard` remembers

DATA, MODEL, CODE = range(3)  # streams of random keys within a step
SEEN = "seen by the codec"  # in resident rows, beside the data's own fields: what `Codec.look` gave of each


class Programs:
    """What the trainer runs. Nothing is compiled before its first use.

    A state has no frozen weights outside of these programs: they are an argument of their own, which no program gives
    up, and every function of the method finds them in its state.

    codec: writes targets for the method, and reads samples back. example: a batch's leaves as `jax.ShapeDtypeStruct`,
    as they are stored. rules: what the networks split over the mesh's tensor axis.
    frozen: pretrained weights that the method and the codec read; they are never saved.
    spike: a gradient this many times larger than usual is no update; 0 = however large it is.
    begin: loads what networks start from, as `initial_state` finds it among the frozen.
    """

    def __init__(
        self,
        method: Method,
        codec: Codec,
        data: Data,
        layout: Layout,
        example: Mapping[str, jax.ShapeDtypeStruct],
        rules: Rules,
        seed: int,
        frozen: Frozen,
        spike: float,
        begin: Callable[[], Frozen] = dict,
    ):
        self.layout, self.method, self.codec, self._data = layout, method, codec, data
        self._example, self._begin, self._spike = example, begin, spike
        # Under jit of their own, so that what is traced for the shapes is not traced again for the programs.
        self._init, self._update = jax.jit(self._first_state), jax.jit(self._moved)
        with jax.set_mesh(layout.mesh):
            # Compiled, not moved: each process makes its own copy of an array that all of them hold.
            self.root = jax.jit(jax.random.key, static_argnums=0, out_shardings=layout.named())(seed)
            self.frozen = jax.device_put(dict(frozen), shardings(layout, dict(frozen), rules))
            abstract = jax.eval_shape(self._init, self.root, self.frozen)
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
        self._sample = program(self._sampled, out_shardings=layout.named())
        self._look = program(self._looked, out_shardings=layout.named())
        self._keys = jax.jit(_keys, out_shardings=layout.named())
        self._walk = program(self._walked, static_argnums=3, out_shardings=layout.named())

    def _first_state(self, root: Key, frozen: Frozen) -> State:
        shapes = jax.eval_shape(functools.partial(self._batch, train=False), root, frozen, {}, self._example)
        example = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return self.method.init(jax.random.fold_in(root, 0), example, frozen).replace(frozen={})

    def _batch(self, key: Key, frozen: Frozen, resident: Rows, item: Rows, train: bool) -> Batch:
        """A batch as the method sees it."""
        rows = _rows(resident, item)
        batch, code_key = self._data.prepare(jax.random.fold_in(key, DATA), rows, train), jax.random.fold_in(key, CODE)
        if SEEN in rows and self.codec.draw:
            return batch.replace(target=self.codec.draw(code_key, rows[SEEN]))
        return batch.replace(target=self.codec.encode(code_key, frozen, batch.target))

    def _looked(self, key: Key, frozen: Frozen, resident: Rows, item: Rows) -> PyTree:
        assert self.codec.look is not None
        return self.codec.look(frozen, self._data.prepare(key, _rows(resident, item), False).target)

    def look(self, resident: Rows, item: Rows) -> PyTree:
        """What the codec computes of examples before it draws, whole on every device."""
        with jax.set_mesh(self.layout.mesh):
            return self._look(self.root, self.frozen, resident, item)

    def described_look(self) -> PyTree:
        """The same of as many examples as a batch has, as shapes."""
        with jax.set_mesh(self.layout.mesh):
            return jax.eval_shape(self._looked, self.root, self.frozen, {}, self._example)

    @functools.cached_property
    def described_batch(self) -> Batch:
        """A batch as the method sees it in training, as shapes."""
        make = functools.partial(self._batch, train=True)
        with jax.set_mesh(self.layout.mesh):
            return jax.eval_shape(make, self.root, self.frozen, {}, self._example)

    def init(self) -> State:
        """The state before the first step, made in shards: no device holds it whole."""
        with jax.set_mesh(self.layout.mesh):
            return run_once(self._init, out_shardings=self.shardings)(self.root, {**self.frozen, **self._begin()})

    # Training

    def _moved(self, key: Key, state: State, frozen: Frozen, batch: Batch) -> tuple[State, Mapping[str, jax.Array]]:
        after, metrics = self.method.step(key, state.replace(frozen=frozen), batch)
        return after.replace(frozen={}), metrics

    def _step(
        self, root: Key, state: State, frozen: Frozen, resident: Rows, item: Rows
    ) -> tuple[State, Mapping[str, jax.Array]]:
        """One optimizer step; its random numbers come from (seed, step) alone."""
        key = jax.random.fold_in(root, state.step + 1)  # 0 was the initialisation's
        batch = self._batch(key, frozen, resident, item, True)
        after, metrics = self._update(jax.random.fold_in(key, MODEL), self._gathered(state), frozen, batch)
        return after.replace(step=state.step + 1), {k: v.astype(jnp.float32) for k, v in metrics.items()}

    def _gathered(self, state: State) -> State:
        """The state with its weights whole along `fsdp`, for a step: the shards of the new ones are kept.

        Batch and weights are split over the same devices. Left alone, the compiler may gather activations instead.
        """
        if self.layout.mesh.shape["fsdp"] == 1:
            return state
        kept = gathered(self.layout, self.shardings.params)
        return state.replace(params=jax.lax.with_sharding_constraint(state.params, kept))

    def _steps(
        self, root: Key, state: State, sums: Sums, frozen: Frozen, resident: Rows, items: Items
    ) -> tuple[State, Sums]:
        def one(carry: tuple[State, Sums], item: Rows) -> tuple[tuple[State, Sums], None]:
            state, sums = carry
            after, metrics = self._step(root, state, frozen, resident, item)
            good, watch = guard.admit(metrics, sums["watch"], after.step, self._spike)
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

    def traced(self, resident: Rows, items: Items) -> jax.stages.Traced:
        """The training program for arrays or shapes like these, under jit, before `compile_ahead`."""
        with jax.set_mesh(self.layout.mesh):
            return self._train.trace(self.root, self.described, self.described_sums, self.frozen, resident, items)

    def compile_ahead(self, resident: Rows, items: Items) -> Callable[[], None]:
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

    def train(self, state: State, sums: Sums, resident: Rows, items: Items) -> tuple[State, Sums]:
        """As many steps as `items` has batches. `state` and `sums` are given up to it."""
        if self.layout.compile == "pmap":
            return self._train(self._mapped_root, state, sums, self._mapped_frozen, resident, items)
        with jax.set_mesh(self.layout.mesh):
            return self._train(self.root, state, sums, self.frozen, resident, items)

    @functools.cached_property
    def described_sums(self) -> Sums:
        """The sums, as shapes. Only training needs them, and it takes seconds: the step is traced."""
        with jax.set_mesh(self.layout.mesh):
            metrics = dict(jax.eval_shape(self._step, self.root, self.described, self.frozen, {}, self._example)[1])
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
        self, key: Key, state: State, frozen: Frozen, resident: Rows, item: Rows, mask: jax.Array
    ) -> Mapping[str, PerExample]:
        batch = self._batch(key, frozen, resident, item, False)
        measures = self.method.evaluate(jax.random.fold_in(key, MODEL), state.replace(frozen=frozen), batch)
        return jax.tree.map(lambda values: jnp.where(mask > 0, values, 0), dict(measures))

    def evaluate(self, key: Key, state: State, resident: Rows, item: Rows, mask: jax.Array) -> Mapping[str, PerExample]:
        """Of each row of one batch; 0 where the mask is."""
        with jax.set_mesh(self.layout.mesh):
            return self._evaluate(key, state, self.frozen, resident, item, mask)

    def measures(self) -> list[str]:
        """The names of what `evaluate` measures."""
        rows = jax.tree.leaves(self._example)[0].shape[0]
        mask = jax.ShapeDtypeStruct((rows,), jnp.float32)
        return list(
            jax.eval_shape(self._evaluate_batch, self.root, self.described, self.frozen, {}, self._example, mask)
        )

    def _sampled(self, keys: jax.Array, state: State, frozen: Frozen, given: Rows, plan: PyTree) -> PyTree:
        assert self.method.sample is not None
        seen = self._data.conditions(keys[0], given)
        samples = self.method.sample(keys, state.replace(frozen=frozen), seen, plan)
        return self.codec.decode(frozen, samples)

    def keys(self, stream: int, seed: int, numbers: np.ndarray) -> jax.Array:
        """The keys of examples [n], each a function of (the run's seed, stream, seed, its number)."""
        with jax.set_mesh(self.layout.mesh):
            return self._keys(self.root, np.uint32(stream), np.uint32(seed), np.asarray(numbers, np.uint32))

    def sample(self, keys: jax.Array, state: State, given: Stored, plan: PyTree) -> PyTree:
        """A sample for each key [n], as host arrays. given: stored rows; plan: `Method.plan`."""
        with jax.set_mesh(self.layout.mesh):
            return jax.device_get(self._sample(keys, state, self.frozen, given, plan))

    def _walked(self, key: Key, state: State, frozen: Frozen, n: int, given: Rows) -> PyTree:
        seen = self._data.conditions(key, given)
        samples = self.method.parts["walk"](key, state.replace(frozen=frozen), n, seen)
        return self.codec.decode(frozen, samples)

    def walks(self, key: Key, state: State, n: int, given: Sequence[Stored]) -> PyTree | None:
        """A way of n samples for each of `given`, one after the other, as host arrays; None where there is no way.

        given: of each way the same row n times.
        """
        if "walk" not in self.method.parts:
            return None
        with jax.set_mesh(self.layout.mesh):
            found = [
                self._walk(jax.random.fold_in(key, way), state, self.frozen, n, rows) for way, rows in enumerate(given)
            ]
            return jax.tree.map(lambda *parts: np.concatenate(parts), *jax.device_get(found))

    # Between the mesh's arrays and pmap's copies

    @functools.cached_property
    def _mapped_root(self) -> Key:
        return self._copies(self.root)

    @functools.cached_property
    def _mapped_frozen(self) -> PyTree:
        return self._copies(self.frozen)

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
        # Each slice is a program of all devices: beside steps that still run it may take the threads they wait for.
        tree = jax.block_until_ready(tree)
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


def _keys(root: Key, stream: jax.Array, seed: jax.Array, numbers: jax.Array) -> jax.Array:
    key = jax.random.fold_in(jax.random.fold_in(root, stream), seed)
    return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def _all_finite(tree: PyTree) -> jax.Array:
    real = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in real])) if real else jnp.bool_(True)


def _rows(resident: Rows, item: Rows) -> Rows:
    """A batch's rows, looked up where the split lies on the device."""
    if not resident:
        return item
    return jax.tree.map(lambda values: jnp.take(values, item["index"], axis=0), dict(resident))


def _described(x: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
