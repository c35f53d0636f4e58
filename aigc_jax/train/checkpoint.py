"""Checkpoints: saved by orbax in the background, kept by rule, verified, restored onto any mesh.

Each network's params, ema, opt_state and extra are items of their own, so that a sampler reads
the averaged weights and nothing else. A step counts as saved when its manifest is on disk.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from aigc_jax.errors import UserError, free_bytes, room
from aigc_jax.method import PyTree, State
from aigc_jax.ranges import Count, at_least
from aigc_jax.train import manifest

GROUPS = ("params", "ema", "extra", "opt_state")
WHEN = ("every", "minutes")  # keys of section `checkpoint` that say when to save; the others say what is kept
PROGRESS = "progress"  # the step, and the metrics added up since the last log


class Checkpoints:
    """The checkpoints of one work directory.

    best: the evaluation measure by which `keep_best` checkpoints are kept; "" = none are.
    keep_every: steps between checkpoints that are kept for good; 0 = none are.
    """

    def __init__(
        self,
        folder: Path,
        /,
        *,
        keep_last: Annotated[int, at_least(2)],  # where the newest is damaged, training resumes from the one before
        keep_best: Count,
        best: str,
        best_is: Literal["lowest", "highest"],
        keep_every: Count,
    ):
        policies = ocp.training.preservation_policies
        kept: list[Any] = [policies.LatestN(keep_last)]
        if best:
            kept.append(
                policies.BestN(
                    get_metric_fn=lambda metrics: metrics[best],
                    reverse=best_is == "lowest",
                    n=keep_best,
                    keep_checkpoints_without_metrics=False,
                )
            )
        if keep_every:
            kept.append(policies.EveryNSteps(keep_every))
        self.folder, self._best, self._sign = folder.absolute(), best, 1 if best_is == "lowest" else -1
        self._orbax = ocp.training.Checkpointer(
            self.folder,
            save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
            preservation_policy=policies.AnyPreservationPolicy(kept),
            cleanup_tmp_directories=True,
        )
        self._place = _place(folder)
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._saving: Future[None] | None = None
        self._unfinished: int | None = None  # a step that was saved between its tasks

    def steps(self) -> list[int]:
        """The steps saved, in order."""
        return [checkpoint.step for checkpoint in self._finished()]

    def _finished(self) -> list[Any]:
        return [c for c in self._orbax.checkpoints if (self.folder / str(c.step) / manifest.NAME).is_file()]

    def best(self) -> int | None:
        """The step whose measure is best, if any was measured."""
        measured = [c for c in self._finished() if c.metrics and self._best in c.metrics]
        return min(measured, key=lambda c: self._sign * c.metrics[self._best]).step if measured else None

    def preferred(self) -> list[int]:
        """The steps to evaluate and sample at, best choice first: the best measured, then the newest."""
        best = self.best()
        return sorted(self.steps(), key=lambda step: (step != best, -step))

    def save(self, state: State, sums: Any, measures: Mapping[str, float], done: int = 0) -> None:
        """Begins to save; returns once the arrays are copied, while orbax writes on.

        done: how many of the step's tasks are done, where it was stopped between them; 0 = all.
        Waits for the save before it, and raises what went wrong there.
        """
        self.wait()
        step = int(state.step)
        if step in self.steps():
            if step != self._unfinished:
                return
            self._orbax.delete(step)  # it says that tasks are left, which are done now
        self._unfinished = step if done else None
        items = _items(state, GROUPS) | {PROGRESS: _progress(state.step, sums, done)}
        metrics = {self._best: float(measures[self._best])} if self._best in measures else None
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(items))
        leaves = {item: _described(tree) for item, tree in items.items()}
        try:
            if jax.process_index() == 0:
                self._refuse_other_place()
                manifest.begin(self.folder / str(step))
            written = self._orbax.save_checkpointables_async(step, items, metrics=metrics)
        except OSError as error:
            raise _unsaved(self.folder, step, size, error) from error
        self._saving = self._beside.submit(self._finish, written, step, size, leaves)

    def _finish(self, written: Any, step: int, size: int, leaves: Mapping[str, Mapping[str, str]]) -> None:
        try:
            written.result()
            self._orbax.wait()
            if jax.process_index() == 0:
                self._refuse_other_place()
                # A manifest is written only for what can be read back.
                for item, wanted in leaves.items():
                    if _described(self._saved(step, item)) != wanted:
                        raise OSError(f"{item} cannot be read back")
                manifest.write(self.folder / str(step))
        except Exception as error:  # orbax raises many kinds, of tensorstore's and its own
            raise _unsaved(self.folder, step, size, error) from error

    def _refuse_other_place(self) -> None:
        """Raises OSError where the folder is gone: orbax would make a new one, without the earlier checkpoints."""
        if _place(self.folder) != self._place:
            raise FileNotFoundError("the folder was moved or removed")

    def wait(self) -> None:
        """Waits until all saves are on disk. Raises UserError where one could not be written."""
        saving, self._saving = self._saving, None
        if saving is not None:
            saving.result()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self._beside.shutdown()
            with suppress(Exception):  # what went wrong with the last save, once more
                self._orbax.close()

    def restore(self, abstract: State, sums: Any, step: int) -> tuple[State, Any, int]:
        """The whole state at `step`, in the shardings of `abstract`, the sums, and `done` as `save` was given it.

        Raises UserError when it was saved by other networks, naming the first leaf that differs.
        """
        wanted = _items(abstract, GROUPS) | {PROGRESS: {"step": abstract.step, "sums": sums, "done": abstract.step}}
        found = self._load(step, wanted)
        progress = found.pop(PROGRESS)
        done = int(progress["done"])
        self._unfinished = step if done else None
        return _filled(abstract, found).replace(step=progress["step"]), progress["sums"], done

    def done(self, step: int, sharding: jax.sharding.Sharding) -> int:
        """`done` alone, as `save` was given it. sharding: of a scalar."""
        saved = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), self._saved(step, PROGRESS)
        )
        return int(self._load(step, {PROGRESS: saved})[PROGRESS]["done"])

    def restore_for_sampling(self, abstract: State, step: int) -> State:
        """The averaged weights, the weights that have no average, and the collections beside them.

        Of a network's averages the one to sample with.
        """
        params, ema = abstract.params, abstract.ema
        lean = abstract.replace(
            params={name: value for name, value in params.items() if name not in ema},
            ema={name: value for name, value in ema.items() if name in params},
            opt_state={},
        )
        found = self._load(step, _items(lean, GROUPS))
        return _filled(lean, found).replace(step=_scalar(step, abstract.step.sharding))

    def restore_network(self, network: str, step: int, place: Callable[[PyTree], PyTree]) -> dict[str, PyTree]:
        """One network's variables, as its module's `apply` takes them; the weights averaged where an average was kept.

        place: shapes -> shardings of the same tree. Raises UserError where no such network was saved.
        """
        folder = self.folder / str(step)
        weights = next((item for item in (f"ema.{network}", f"params.{network}") if (folder / item).is_dir()), None)
        if weights is None:
            known = sorted(path.name.split(".", 1)[1] for path in folder.glob("params.*"))
            raise UserError(f'The checkpoint {folder} has no network "{network}": {", ".join(known)}.')
        wanted = {
            item: jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), self._saved(step, item))
            for item in (weights, f"extra.{network}")
            if (folder / item).is_dir()
        }
        wanted = jax.tree.map(
            lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), wanted, place(wanted)
        )
        found = self._load(step, wanted)
        return {"params": found[weights], **found.get(f"extra.{network}", {})}

    def restore_average(self, key: str, step: int) -> PyTree:
        """One average of weights, numpy arrays. key: in `State.ema`. Raises UserError where none was saved."""
        item = f"ema.{key}"
        if not (self.folder / str(step) / item).is_dir():
            raise UserError(f"The checkpoint {self.folder / str(step)} has no {item}.")
        one = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        wanted = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=one), self._saved(step, item))
        return jax.device_get(self._load(step, {item: wanted})[item])

    def _load(self, step: int, wanted: Mapping[str, Any]) -> dict[str, Any]:
        self._refuse_other_networks(step, wanted)
        try:
            return self._orbax.load_checkpointables(step, dict(wanted))
        except Exception as error:  # a damaged file surfaces as any of orbax's or tensorstore's errors
            raise UserError(
                f"The checkpoint {self.folder / str(step)} cannot be read ({_first_line(error)}): "
                "move that folder elsewhere to go on from the checkpoint before it."
            ) from error

    def _refuse_other_networks(self, step: int, wanted: Mapping[str, Any]) -> None:
        for item, tree in wanted.items():
            there, here = _described(self._saved(step, item)), _described(tree)
            for leaf in sorted(here.keys() | there.keys()):
                if here.get(leaf) != there.get(leaf):
                    raise UserError(
                        f"The checkpoint {self.folder / str(step)} was saved by another network: {item}/{leaf} is "
                        f"{there.get(leaf, 'absent')} there and {here.get(leaf, 'absent')} in this configuration: "
                        "use the configuration it was trained with, or another --workdir."
                    )

    def _saved(self, step: int, item: str) -> PyTree:
        """Shapes and dtypes of one item; {} where there is none. orbax opens every array of what it describes."""
        folder = self.folder / str(step)
        return ocp.metadata(folder, item).metadata if (folder / item).is_dir() else {}


def size(state: State) -> int:
    """Bytes of a checkpoint of such a state, before they are compressed. state: arrays or their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(_items(state, GROUPS)))


def refuse_small_disk(folder: Path, state: State) -> None:
    """Raises UserError where not even half a checkpoint of such a state fits: it is compressed by less than that."""
    free, wanted = free_bytes(folder), size(state)
    if free is not None and free < wanted / 2:
        raise UserError(
            f"A checkpoint holds {wanted:,} bytes, and {free:,} are free under {folder}: make room or choose another "
            "--workdir."
        )


def _progress(step: jax.Array, sums: Any, done: int) -> dict[str, Any]:
    return {"step": step, "sums": sums, "done": _scalar(done, step.sharding)}


def _scalar(value: int, sharding: jax.sharding.Sharding) -> jax.Array:
    return jax.make_array_from_callback((), sharding, lambda _: np.int32(value))


def _items(state: State, groups: tuple[str, ...]) -> dict[str, Any]:
    """Every non-empty network of every group, as one item each."""
    return {
        f"{group}.{name}": tree
        for group in groups
        for name, tree in getattr(state, group).items()
        if jax.tree.leaves(tree)
    }


def _filled(abstract: State, items: Mapping[str, Any]) -> State:
    """`abstract` with the arrays of `items`; parts without arrays stay."""
    groups = {
        group: {name: items.get(f"{group}.{name}", tree) for name, tree in getattr(abstract, group).items()}
        for group in GROUPS
    }
    return abstract.replace(**groups)


def _described(tree: Any) -> dict[str, str]:
    """Leaf path -> 'float32[3, 4]'."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: hasattr(x, "shape"))
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{np.dtype(leaf.dtype)}{list(leaf.shape)}"
        for path, leaf in leaves
        if hasattr(leaf, "shape")
    }


def _place(folder: Path) -> tuple[int, int]:
    """Identifies a folder beyond its name: (device, inode); (0, 0) where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:200]


def _unsaved(folder: Path, step: int, size: int, error: BaseException) -> UserError:
    return UserError(
        f"The checkpoint of step {step} could not be written under {folder} ({_first_line(error)}; it holds {size:,} "
        f"bytes, {room(folder)}): make room or choose another --workdir; the checkpoints saved before are intact and "
        "the same command resumes from them."
    )
