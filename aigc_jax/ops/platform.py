"""Where a program is being traced for: the one place that decides between plain operations and those for a CPU."""

import jax

from aigc_jax.ops import batch


def single_cpu() -> bool:
    """True where this program is traced for one CPU device.

    Over a mesh of several devices the compiler splits plain operations well, and hand-arranged ones badly; so it
    does on GPUs and TPUs, whose libraries choose the arrangement themselves.
    """
    return jax.default_backend() == "cpu" and jax.sharding.get_abstract_mesh().size <= 1 and batch.axis() is None
