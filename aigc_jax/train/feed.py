"""Batches on the devices: looked up there when the split is small, else brought from the host."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property

import jax
import numpy as np

from aigc_jax.data.dataset import Source, content_sha256
from aigc_jax.data.stream import Stream, batch_number, evaluation, prefetch
from aigc_jax.errors import ConfigError
from aigc_jax.method import PyTree
from aigc_jax.train.programs import SEEN, Items, Programs
from aigc_jax.train.sharding import Layout, place

RESIDENT_BYTES = 1 << 30  # a split up to this size lies on every device
LOOKS = 64  # examples a device that the codec looks at together
AHEAD = 2  # calls whose batches are made while the device works


def example(source: Source, batch_size: int, layout: Layout) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes, dtypes and shardings of a batch of this source."""
    if batch_size % layout.rows:
        raise ConfigError(
            f"A batch of {batch_size} cannot be split evenly over {layout.rows} devices (data × fsdp): "
            f"set --config.data.batch_size to a multiple of {layout.rows}."
        )
    rows = source[np.zeros(1, np.int64)]
    return {
        name: jax.ShapeDtypeStruct((batch_size, *x.shape[1:]), x.dtype, sharding=layout.batch())
        for name, x in rows.items()
    }


class Feed:
    """One split's batches for the compiled programs.

    unchanged: whether its examples are the same in every step, so that a codec need look at each only once.
    """

    def __init__(self, source: Source, programs: Programs, unchanged: bool = False):
        self.source, self._programs, self._unchanged = source, programs, unchanged
        self._resident = source.arrays is not None and sum(x.nbytes for x in source.arrays.values()) <= RESIDENT_BYTES

    @cached_property
    def _seen_shapes(self) -> PyTree | None:
        """Of what the codec knows of each example, where that is kept."""
        if not (self._unchanged and self._resident and self._programs.codec.look):
            return None
        count, whole = len(self.source), self._programs.layout.named()
        shapes = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((count, *x.shape[1:]), x.dtype, sharding=whole),
            self._programs.described_look(),
        )
        size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(shapes))
        return shapes if size <= RESIDENT_BYTES else None

    @property
    def remark(self) -> str:
        """What there is to say of a codec that could look at each example once; "" = nothing."""
        if not self._programs.codec.look:
            return ""
        if self._seen_shapes is not None:
            return f"The codec looks at each of the {len(self.source):,} training examples once, before the first step."
        why = "they and what it knows of them are too large to lie on the device"
        why = why if self._unchanged else "data.augment changes them"
        return f"The codec encodes the training examples anew in every step: {why}."

    def _seen(self, resident: Items) -> Items:
        """{SEEN: what the codec knows of each example}; {} where that is not kept."""
        if self._seen_shapes is None:
            return {}
        layout, parts = self._programs.layout, []
        for indices, _ in evaluation(len(self.source), LOOKS * layout.rows, 0):
            item = place({"index": _index(indices)}, layout.batch())
            parts.append(jax.device_get(self._programs.look(resident, item)))
        whole = jax.tree.map(lambda *each: np.concatenate(each)[: len(self.source)], *parts)
        return {SEEN: place(whole, layout.named())}

    @cached_property
    def sha256(self) -> str:
        """Of the split: `data.dataset.content_sha256`."""
        return content_sha256(self.source)

    @cached_property
    def resident(self) -> Items:
        """The split on every device, from its first use on; {} where it is too large for that."""
        arrays = self.source.arrays
        if not self._resident or arrays is None:
            return {}
        rows = place(arrays, self._programs.layout.named())
        return {**rows, **self._seen(rows)}

    @property
    def described(self) -> Items:
        """The resident split as shapes, without placing it."""
        arrays = self.source.arrays if self._resident else None
        whole = self._programs.layout.named()
        rows = {
            name: jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype), sharding=whole)
            for name, x in (arrays or {}).items()
        }
        return rows if self._seen_shapes is None else {**rows, SEEN: self._seen_shapes}

    def training(
        self,
        batch_size: int,
        seed: int,
        start: int,
        stop: int,
        per_call: int,
        left_out: Sequence[tuple[int, int]] = (),
    ) -> Generator[Items, None, None]:
        """The batches of steps start … stop - 1, `per_call` at a time, made ahead in a thread.

        left_out: ranges of batches [first, beyond) that are passed over.
        """
        stream = Stream(self.source, batch_size, seed)
        own = self._programs.own_rows(batch_size)

        def items(call: int) -> Items:
            numbers = [batch_number(step, left_out) for step in range(call * per_call, (call + 1) * per_call)]
            if self._resident:
                return self._programs.place_items(
                    {"index": np.stack([_index(stream.indices(i)[own]) for i in numbers])}
                )
            rows = [stream.rows(i, own) for i in numbers]
            return self._programs.place_items({name: np.stack([row[name] for row in rows]) for name in rows[0]})

        return prefetch(items, start // per_call, stop // per_call, AHEAD, 1)

    def evaluating(self, batch_size: int, limit: int) -> Iterator[tuple[Items, jax.Array]]:
        """Every example once, in order, as (rows, mask); the last batch is padded and masked."""
        layout = self._programs.layout
        for indices, mask in evaluation(len(self.source), batch_size, limit):
            rows: Mapping[str, np.ndarray] = {"index": _index(indices)} if self._resident else self.source[indices]
            yield place(rows, layout.batch()), place({"mask": mask}, layout.batch())["mask"]


def _index(indices: np.ndarray) -> np.ndarray:
    return indices.astype(np.int32)
