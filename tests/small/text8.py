"""A file of few words."""

import numpy as np


def section(data, folder):
    folder.mkdir(parents=True, exist_ok=True)
    words = np.random.RandomState(0).choice(["the", "cat", "sat", "on", "a", "mat"], 1500)
    (folder / "text8").write_text(" ".join(["abcdefghijklmnopqrstuvwxyz", *words]))
    return {**data, "path": str(folder / "text8")}
