"""`python -m tests.soak.noting FILE [flags of main.py]`: main.py, noting the number of every example trained on.

Each line of FILE is [step, row of the batch, numbers of the examples], of the rows that this process's devices hold.
"""

import json
import sys
from typing import Any

import jax
import numpy as np

import main
from aigc_jax import command
from aigc_jax.train.programs import Programs

train = Programs.train


def note(self: Programs, state: Any, sums: Any, resident: Any, items: Any) -> Any:
    with open(sys.argv[1], "a", encoding="utf-8") as file:
        step = int(jax.device_get(state.step)) + 1
        for shard in items["index"].addressable_shards:
            first = shard.index[1].start or 0
            file.write(json.dumps([step, first, np.asarray(shard.data)[0].tolist()]) + "\n")
    return train(self, state, sums, resident, items)


if __name__ == "__main__":
    Programs.train = note
    command.leave(command.guarded(main.main, ["main.py", *sys.argv[2:]]))
