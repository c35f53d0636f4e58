"""How far a network of ours may be from its peer."""

import numpy as np


def close(what, found, expected, where=None):
    """Within 1e-4 of the largest. where: bool, what counts."""
    found, expected = np.asarray(found), expected.numpy()
    apart = np.abs(found - expected)
    apart = (apart if where is None else apart[where]).max() / np.abs(expected).max()
    print(f"{what}: {apart:.2e}")
    assert apart <= 1e-4
