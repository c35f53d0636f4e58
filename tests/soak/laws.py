"""Laws that are held in one process: over meshes, seeds, updates that are not finite, networks of another shape."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from support import finite, load_config, same

from aigc_jax.build import build, catalogue
from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.stream import order
from aigc_jax.errors import UserError
from aigc_jax.learner import Learner
from aigc_jax.method import Method
from aigc_jax.train import guard, loop
from aigc_jax.train.feed import Feed
from aigc_jax.train.programs import Programs
from aigc_jax.train.run import EVALUATION, Run
from aigc_jax.train.sharding import place
from aigc_jax.train.workdir import Workdir
from tests.soak.drills import Drill, Field, Result, Tally
from tests.soak.runs import FAMILIES, contents, difference, whole, whole_pair

SEED = 0  # of the configurations
EPOCH = 40  # batches, at least, in which an injected fault comes once
MESHES = ((1, 1), (2, 1), (1, 2), (2, 2), (8, 1), (1, 8))  # data x fsdp
NEAR = 1e-6  # of weights, between numbers of devices or processes
AT_100 = {"train.steps": 100, "checkpoint.every": 50, "evaluate.every": 0, "sample.every": 0, "sample.n": 1}


def tiny(field: Field, name: str, **changes: dict[str, Any]) -> dict[str, Any]:
    """A family's tiny twin on the field's data; changes: by section."""
    config = load_config(name, "tiny")
    changes = {"tracking": {"tensorboard": False}, **changes}
    if "fashion" in name:
        changes["data"] = {"path": str(field.data), **changes.get("data", {})}
    return {**config, **{section: {**config[section], **values} for section, values in changes.items()}}


def plain(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its optimizers as gradient descent with momentum: Adam divides by the gradient, so rounding of zeros is seen."""
    return {name: {**section, "name": "sgd"} for name, section in config["optimizers"].items()}


def trained(run: Run, steps: int, left_out: list[tuple[int, int]] | None = None) -> tuple[Any, Any, list[Any]]:
    """(state, sums, state after each step) of so many steps of the compiled program."""
    programs, feed = run.programs, run.feeds["train"]
    state, sums = programs.init(), programs.start_sums()
    found = [jax.device_get(state)]
    for items in feed.training(run.batch_size, run.seed, 0, steps, 1, left_out or []):
        state, sums = programs.train(state, sums, feed.resident, items)
        found.append(jax.device_get(state))
    return state, sums, found


def furthest(one: Any, other: Any) -> float:
    """The largest difference between two trees' numbers."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(np.max(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)))) for a, b in pairs)


def numbers_of_devices(field: Field, count: int, random: np.random.RandomState) -> Result:
    """100 steps on 2, 4 and 8 devices, and in 2 processes, against 1 device: weights within 1e-6, the same examples."""
    tally, far, alone = Tally(), dict[str, float](), dict[str, Any]()
    for number in range(count):
        name, other = FAMILIES[number % len(FAMILIES)], (2, 4, 8, "2 processes")[number // len(FAMILIES) % 4]
        config = tiny(field, name, train={"steps": 100})  # where a schedule of the learning rate ends
        config = {**config, "optimizers": plain(config)}
        if name not in alone:
            alone[name] = trained(build(config, devices=jax.devices()[:1]), 100)[0].params
        if other == "2 processes":
            folder, settings = field.folder / f"two_{name}", AT_100 | {
                f"optimizers.{network}.name": "sgd" for network in config["optimizers"]
            }  # fmt: skip
            fault = whole_pair(name, folder, field.data, **settings)
            fault = fault or whole(name, field.folder / f"one_{name}", field.data, **settings)
            both = [contents(field.folder / f"{which}_{name}") for which in ("one", "two")]
            found = both[1][0][0]
            fault = fault or ("" if both[0][3] == both[1][3] else f"{name}: other examples in two processes")
        else:
            fault, found = "", trained(build(config, devices=jax.devices()[:other]), 100)[0]
        distance = furthest(alone[name], found.params)
        far[str(other)] = max(far.get(str(other), 0.0), distance)
        fault = fault or (f"{name}, {other}: weights differ by {distance:.1e}" if distance > NEAR else "")
        tally.add(fault)
    return tally.result("furthest: " + ", ".join(f"{d:.1e} ({n})" for n, d in far.items()))


def meshes(field: Field, count: int, random: np.random.RandomState) -> Result:
    """Saved on one mesh and restored on another, all pairs of 1, 2, 4 and 8 devices, copied and split: equal bits."""
    tally = Tally()

    def filled(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        """Any numbers: what is saved need not be trained."""
        return jax.device_put(random.randint(0, 1 << 20, leaf.shape).astype(leaf.dtype), leaf.sharding)

    for name in FAMILIES:
        if tally.count == count:
            break
        runs, folders, states = {}, {}, {}
        for mesh in MESHES:
            data, fsdp = mesh
            config = tiny(field, name, parallel={"data": data, "fsdp": fsdp})
            runs[mesh] = run = build(config, devices=jax.devices()[: data * fsdp])
            folders[mesh] = field.folder / f"mesh_{name}_{data}_{fsdp}"
            keeper = run.checkpoints(folders[mesh])
            states[mesh] = jax.tree.map(filled, run.programs.described)
            keeper.save(states[mesh], run.programs.start_sums(), {})
            keeper.close()
        for one in MESHES:
            for other in MESHES:
                if tally.count == count:
                    break
                keeper = runs[other].checkpoints(folders[one])
                wanted, sums = runs[other].programs.described, runs[other].programs.described_sums
                state, _, _ = keeper.restore(wanted, sums, keeper.steps()[-1])
                keeper.close()
                placed = jax.tree.map(lambda x, described: x.sharding == described.sharding, state, wanted)
                fault = "" if same(states[one], state) else f"{name}: {one} to {other} differs"
                fault = fault or ("" if all(jax.tree.leaves(placed)) else f"{name}: {one} to {other} lies elsewhere")
                tally.add(fault)
    return tally.result(f"{len(MESHES)} meshes, {len(FAMILIES)} families")


def seeds(field: Field, count: int, random: np.random.RandomState) -> Result:
    """The same seed twice, in processes of their own: equal bytes. Another seed: other weights and samples."""
    tally = Tally()
    for number in range(count):
        name, other = FAMILIES[number // 2 % len(FAMILIES)], number % 2
        folder = field.folder / f"seed_{name}_{other}"
        fault = whole(name, folder, field.data, **({"seed": 1} if other else {}))
        if not fault and not other:
            fault = field.fault(name, folder)
        elif not fault:
            one, two = field.expected(name), contents(folder)
            alike = [kind for kind, i in (("metrics", 1), ("samples", 2), ("examples", 3)) if one[i] == two[i]]
            fault = f"{name}: another seed has the same {alike}" if alike or not difference(one, two) else ""
        tally.add(fault)
    return tally.result()


@contextmanager
def injected(value: float, batches: list[int], size: int) -> Iterator[None]:
    """While it lasts, runs that are built have all gradients equal to `value` in these batches of the first epoch.

    size: of a batch.
    """
    load, gradient, built = catalogue.load, Learner.gradient, Programs.__init__
    traced = threading.local()  # spoilt: whether the batch is; programs are traced in two threads at once

    def without(batch: Any) -> Any:
        return {name: x for name, x in batch.items() if name != "spoilt"}

    def marking(prepare: Callable) -> Callable:
        """A data set's `prepare` that hands the marks on to the method's step."""

        def marked(self: Any, key: Any, rows: Any, train: bool) -> Any:
            batch = prepare(self, key, without(rows), train)
            return batch.replace(given={**batch.given, "spoilt": rows["spoilt"]}) if train else batch

        return marked

    def noting(self: Programs, method: Method, *arguments: Any, **options: Any) -> None:
        """The programs of a method whose step notes the mark before it begins, within one trace."""

        def step(key: Any, state: Any, batch: Any) -> Any:
            traced.spoilt = jnp.any(batch.given["spoilt"] > 0)
            return method.step(key, state, batch.replace(given=without(batch.given)))

        built(self, method._replace(step=step), *arguments, **options)

    def loaded(*arguments: Any) -> Any:
        data = load(*arguments)
        times = -(-EPOCH * size // len(data.splits["train"]))
        train = {name: np.concatenate([x] * times) for name, x in data.splits["train"].arrays.items()}
        marks = np.zeros(len(next(iter(train.values()))), np.float32)
        for batch in batches:
            marks[order(SEED, len(marks), batch * size, size)[size // 2]] = 1
        splits = {**data.splits, "train": ArraySource({**train, "spoilt": marks})}
        return replace(data, splits=splits)

    def spoiling(self: Learner, *arguments: Any) -> Any:
        found = gradient(self, *arguments)
        return found._replace(grads=jax.tree.map(lambda g: jnp.where(traced.spoilt, value, g), found.grads))

    changes = [(catalogue, "load", loaded), (Learner, "gradient", spoiling), (Programs, "__init__", noting)]
    changes += [(DataSet, "prepare", marking(DataSet.prepare))]
    with ExitStack() as patched:
        for change in changes:
            patched.enter_context(mock.patch.object(*change))
        yield


def injections(field: Field, count: int, random: np.random.RandomState) -> Result:
    """A gradient of NaN, infinity or 1e20 at a random step: that update alone is not taken, and it is counted.

    Neither weights nor optimizer, averages, statistics move by it; all stay finite.
    """
    tally = Tally()
    for number in range(count):
        name, value = FAMILIES[number % len(FAMILIES)], (np.nan, np.inf, 1e20)[number % 3]
        config = tiny(field, name)
        batch = int(random.randint(1, 5))
        with injected(value, [batch], config["data"]["batch_size"]):
            _, sums, states = trained(build(config, devices=jax.devices()[:1]), 6)
        kept = [state.replace(step=0) for state in states]
        still = [i for i in range(6) if same(kept[i], kept[i + 1])]
        watch = jax.device_get(sums)["watch"]
        sound = finite(states[-1])
        right = still == [batch] and sound and (watch.taken, watch.skipped) == (5, 1)
        tally.add("" if right else f"{name}, {value} in batch {batch}: nothing moved in {still}, finite: {sound}")
    return tally.result("3 kinds")


def rollbacks(field: Field, count: int, random: np.random.RandomState) -> Result:
    """Three updates in a row that are not finite: training goes back, leaves their batches out, and comes to the end.

    What it comes to is what the other batches alone lead to. Every second time all batches are spoilt: training ends
    with code 1 and with finite weights.
    """
    tally = Tally()
    for number in range(count):
        name, hopeless = FAMILIES[number // 2 % len(FAMILIES)], number % 2
        first = int(random.randint(2, 5))
        beyond = 10**3 if hopeless else first + 3
        settings = {"steps": 10, "max_skipped": 3, "log_every": 1, "steps_per_call": 1}
        config = tiny(field, name, train=settings, checkpoint={"every": 1, "best": ""}, evaluate={"every": 0})
        workdir = Workdir(field.folder / f"rollback_{number}")
        with injected(np.nan, list(range(first, min(beyond, EPOCH))), config["data"]["batch_size"]):
            run = build(config, devices=jax.devices()[:1])
            said = ""
            try:
                with redirect_stdout(io.StringIO()):
                    loop.train(run, workdir, time.time())
            except UserError as error:
                said = str(error)
            keeper = run.checkpoints(workdir.checkpoints)
            last = keeper.steps()[-1]
            state, _, _ = keeper.restore(run.programs.described, run.programs.described_sums, last)
            keeper.close()
            sound = finite(jax.device_get(state))
            if hopeless:
                right = "again after it went back" in said and sound
            else:
                expected = trained(run, 10, [(first, beyond)])[0]
                left_out = [entry["batches"] for entry in json.loads(workdir.left_out.read_text("utf-8"))]
                right = not said and sound and last == 10 and same(state, expected) and left_out == [[first, beyond]]
        tally.add("" if right else f"{name}, from batch {first}: step {last}, finite: {sound}, {said!r}")
    return tally.result()


def spikes(field: Field, count: int, random: np.random.RandomState) -> Result:
    """A gradient of 1e6 with train.spike=100: not taken. Without: taken, scaled down where clip_norm is set."""
    tally = Tally()
    for number in range(count):
        name, wary = FAMILIES[number // 2 % len(FAMILIES)], number % 2
        config = tiny(field, name, train={"spike": 100.0 if wary else 0.0})
        sgd = {key: {**section, "clip_norm": 1.0} for key, section in plain(config).items()}
        with mock.patch.object(guard, "SETTLED", 3), injected(1e6, [5], config["data"]["batch_size"]):
            _, sums, states = trained(build({**config, "optimizers": sgd}, devices=jax.devices()[:1]), 7)
        moved = furthest(states[5].params, states[6].params)
        rates = max(section["learning_rate"] for section in sgd.values())
        right = (moved == 0) if wary else (0 < moved <= 10 * rates)  # with momentum, ten clipped steps add up
        right = right and float(jax.device_get(sums)["watch"].skipped) == wary
        tally.add("" if right else f"{name}, spike {'refused' if wary else 'clipped'}: weights moved by {moved:.1e}")
    return tally.result()


def refusals(field: Field, count: int, random: np.random.RandomState) -> Result:
    """A checkpoint whose tree differs in one random leaf (shape, dtype, missing, added): refused, naming the leaf."""
    tally = Tally()
    for number in range(count):
        name, kind = FAMILIES[number % len(FAMILIES)], ("shape", "dtype", "missing", "added")[number // 4 % 4]
        config = tiny(field, name)
        run = build(config, devices=jax.devices()[:1])
        folder = field.folder / f"refusal_{name}"
        keeper = run.checkpoints(folder)
        if not keeper.steps():
            keeper.save(trained(run, 1)[0], run.programs.start_sums(), {})
            keeper.wait()
        described = run.programs.described
        network = sorted(described.params)[random.randint(len(described.params))]
        leaves = jax.tree.leaves_with_path(described.params[network])
        path = tuple(key.key for key in leaves[random.randint(len(leaves))][0])
        changed = _changed(described.params[network], path, kind)
        wanted = described.replace(params={**described.params, network: changed})
        leaf = "/".join([f"params.{network}", *path])
        try:
            keeper.restore(wanted, run.programs.described_sums, 1)
            fault = f"{name}: {kind} of {leaf} was accepted"
        except UserError as error:
            named = leaf + ("_too" if kind == "added" else "")
            fault = "" if named in str(error) and "\n" not in str(error) else f"{name}: {kind} of {leaf}: {error}"
        keeper.close()
        tally.add(fault)
    return tally.result()


def _changed(tree: Any, path: tuple[str, ...], kind: str) -> Any:
    """A tree of shapes that differs at one leaf."""
    head, rest = path[0], path[1:]
    if rest:
        return {**tree, head: _changed(tree[head], rest, kind)}
    leaf = tree[head]
    if kind == "missing":
        return {key: value for key, value in tree.items() if key != head}
    if kind == "added":
        return {**tree, f"{head}_too": leaf}
    shape, dtype = (*leaf.shape, 2) if kind == "shape" else leaf.shape, jnp.bfloat16 if kind == "dtype" else leaf.dtype
    return {**tree, head: jax.ShapeDtypeStruct(shape, dtype, sharding=leaf.sharding)}


def remainders(field: Field, count: int, random: np.random.RandomState) -> Result:
    """Evaluation over a split that no batch divides: the mean over examples in NumPy, in float64, within 1e-6."""
    tally, far = Tally(), 0.0
    for number in range(count):
        name, size = FAMILIES[number % len(FAMILIES)], int(random.randint(1, 30))
        config = tiny(field, name, evaluate={"batch_size": 8, "batches": 0})
        run = build(config, devices=jax.devices()[:1])
        source = run.data.splits[run.evaluation.split]
        arrays = {key: np.resize(x, (size, *x.shape[1:])) for key, x in source.arrays.items()}
        feed = Feed(ArraySource(arrays), run.programs)
        run = run._replace(feeds={**run.feeds, run.evaluation.split: feed})
        state = run.programs.init()
        found, expected = run.measure(state), _per_example(run, state, feed, size)
        distance = max(abs(found[key] - expected[key]) / max(abs(expected[key]), 1) for key in expected)
        far = max(far, distance)
        right = found.keys() == expected.keys() and distance <= 1e-6
        tally.add("" if right else f"{name}, {size} examples: {found} for {expected}")
    return tally.result(f"furthest {far:.1e}")


def _per_example(run: Run, state: Any, feed: Feed, size: int) -> dict[str, float]:
    """What `Run.measure` is to come to: every example's own value, by a mask of it alone, added up in NumPy."""
    key, batch = jax.random.fold_in(run.programs.root, EVALUATION), run.evaluation.batch_size
    values: dict[str, list[tuple[float, float]]] = {}
    for number, (rows, _) in enumerate(feed.evaluating(batch, 0)):
        for row in range(min(batch, size - number * batch)):
            mask = place({"mask": np.eye(batch, dtype=np.float32)[row]}, run.programs.layout.batch())["mask"]
            found = run.programs.evaluate(jax.random.fold_in(key, number), state, feed.resident, rows, mask)
            for name, sums in found.items():
                values.setdefault(name, []).append((float(np.sum(sums.total)), float(np.sum(sums.weight))))
    totals = {name: np.sum(np.array(pairs, np.float64), 0) for name, pairs in values.items()}
    return {name: float(total / weight) for name, (total, weight) in totals.items()}


LAWS: dict[str, tuple[Drill, int]] = {
    "numbers_of_devices": (numbers_of_devices, 16),
    "meshes": (meshes, 144),
    "seeds": (seeds, 8),
    "injections": (injections, 30),
    "rollbacks": (rollbacks, 8),
    "spikes": (spikes, 8),
    "refusals": (refusals, 20),
    "remainders": (remainders, 12),
}
