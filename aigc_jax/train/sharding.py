"""One named mesh, and a sharding for every leaf from its path and shape.

The mesh has three axes. A batch's rows are split over `data` and `fsdp`. A weight's largest
axis is split over `fsdp`, and the axes that its network names over `tensor`; the optimizer's
moments and the averages follow, because their paths end as the weight's does.
"""

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from aigc_jax.errors import ConfigError
from aigc_jax.ops.batch import ROWS
from aigc_jax.ranges import at_least

AXES = ("data", "fsdp", "tensor")
SPLIT_FROM = 1024  # elements: a smaller leaf is copied, since gathering it costs more than its memory

Devices = Annotated[int, at_least(1, besides=-1)]  # along an axis of the mesh; -1 = all that remain

Rules = Sequence[tuple[str, int]]
"""(pattern searched in a leaf's path, the axis of it to split over `tensor`)."""


class Layout(NamedTuple):
    """The mesh and the way programs are compiled for it."""

    mesh: Mesh
    compile: Literal["jit", "pmap"]

    @property
    def rows(self) -> int:
        """Devices that a batch is split over."""
        return self.mesh.shape["data"] * self.mesh.shape["fsdp"]

    def named(self, *spec: Any) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec(*spec))

    def batch(self, leading: int = 0) -> NamedSharding:
        """For arrays whose axis number `leading` counts a batch's rows."""
        return self.named(*[None] * leading, ROWS)


def layout(
    using: Sequence[jax.Device], /, *, data: Devices, fsdp: Devices, tensor: Devices, compile: Literal["jit", "pmap"]
) -> Layout:
    """The layout that the configuration's section `parallel` asks for, over the devices `using`."""
    sizes, devices = [data, fsdp, tensor], len(using)
    if sizes.count(-1) > 1:
        raise ConfigError(f"parallel: of the axes {dict(zip(AXES, sizes, strict=True))} only one may be -1.")
    if -1 in sizes:
        sizes[sizes.index(-1)] = max(devices // math.prod(size for size in sizes if size > 0), 1)
    if math.prod(sizes) != devices:
        raise ConfigError(
            f"parallel: a mesh of {' × '.join(map(str, sizes))} (data × fsdp × tensor) needs {math.prod(sizes)} "
            f"devices and there are {devices}: change --config.parallel.data, .fsdp or .tensor."
        )
    if compile == "pmap" and (sizes[1] * sizes[2] != 1 or jax.process_count() > 1):
        raise ConfigError(
            'parallel: compile="pmap" splits data only, in one process: set fsdp and tensor to 1, or compile to "jit".'
        )
    # Auto axes: the compiler chooses shardings in between; Linen's convolutions need that.
    mesh = jax.make_mesh(tuple(sizes), AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=using)
    return Layout(mesh, compile)


def shardings(layout: Layout, tree: Any, rules: Rules) -> Any:
    """A NamedSharding for every leaf of `tree`, arrays or their shapes."""

    def one(path: Any, leaf: Any) -> NamedSharding:
        return layout.named(*spec(jax.tree_util.keystr(path, simple=True, separator="/"), leaf.shape, layout, rules))

    return jax.tree_util.tree_map_with_path(one, tree)


def spec(path: str, shape: tuple[int, ...], layout: Layout, rules: Rules) -> list[str | None]:
    """The mesh axis for each axis of a leaf."""
    axes: list[str | None] = [None] * len(shape)
    if math.prod(shape) < SPLIT_FROM:
        return axes
    tensor, fsdp = layout.mesh.shape["tensor"], layout.mesh.shape["fsdp"]
    for pattern, axis in rules:
        if tensor > 1 and axis < len(shape) and re.search(pattern, path) and shape[axis] % tensor == 0:
            axes[axis] = "tensor"
            break
    free = [axis for axis, size in enumerate(shape) if axes[axis] is None and size % fsdp == 0]
    if fsdp > 1 and free:
        axes[max(free, key=lambda axis: shape[axis])] = "fsdp"
    return axes


def gathered(layout: Layout, tree: Any) -> Any:
    """The shardings of a tree's leaves when those over `fsdp` are gathered, and those over `tensor` are not."""

    def one(sharding: NamedSharding) -> NamedSharding:
        return layout.named(*(None if axis == "fsdp" else axis for axis in sharding.spec))

    return jax.tree.map(one, tree)


def place(tree: Any, sharding: NamedSharding) -> Any:
    """Host arrays, equal in every process, on the devices."""

    def put(x: np.ndarray) -> jax.Array:
        return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])

    return jax.tree.map(put, tree)
