"""Batches are a function of (seed, number); nothing is lost or repeated."""

import threading
import time

import numpy as np
import pytest

from aigc_jax.data.dataset import ArraySource
from aigc_jax.data.stream import Stream, evaluation, order, prefetch


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("seed", [0, 3])
def test_an_epoch_is_a_permutation(seed, size):
    for epoch in range(4):
        shown = order(seed, size, epoch * size, size)
        assert shown.dtype == np.int64
        assert sorted(shown) == list(range(size))


def test_epochs_and_seeds_differ():
    orders = {tuple(order(seed, 50, epoch * 50, 50)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


@pytest.mark.parametrize("chunks", [[30], [1] * 30, [7, 0, 16, 7], [29, 1]])
def test_chunks_do_not_matter(chunks):
    starts = np.cumsum([0, *chunks])
    parts = [order(5, 11, int(start), count) for start, count in zip(starts, chunks, strict=False)]
    np.testing.assert_array_equal(np.concatenate(parts), order(5, 11, 0, 30))


def test_order_is_frozen():
    # From the definition: np.random.RandomState(MT19937(SeedSequence([seed, epoch]))).permutation(10).
    assert order(42, 10, 0, 20).tolist() == [1, 8, 5, 3, 7, 9, 4, 0, 6, 2, 9, 5, 8, 7, 6, 4, 0, 3, 1, 2]  # fmt: skip


def test_batches_straddle_epochs_and_lose_nothing():
    source = ArraySource({"x": np.arange(10) * 2})
    stream = Stream(source, batch_size=4, seed=1)
    seen = np.concatenate([stream.indices(i) for i in range(5)])  # two epochs
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    np.testing.assert_array_equal(stream[3]["x"], stream.indices(3) * 2)


def test_rows_are_a_part_of_the_batch():
    stream = Stream(ArraySource({"x": np.arange(30)}), batch_size=8, seed=0)
    parts = [stream.rows(2, slice(start, start + 2))["x"] for start in range(0, 8, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), stream[2]["x"])


@pytest.mark.parametrize("size, batch", [(10, 4), (8, 4), (3, 8), (1, 1)])
def test_evaluation_counts_each_example_once(size, batch):
    counts = np.zeros(size)
    for indices, mask in evaluation(size, batch, 0):
        assert indices.shape == mask.shape == (batch,)
        assert mask.dtype == np.float32 and set(mask) <= {0.0, 1.0}
        assert not indices[mask == 0].any()
        np.add.at(counts, indices, mask)
    assert (counts == 1).all()


def test_evaluation_stops_at_its_limit():
    assert len(list(evaluation(100, 8, 3))) == 3
    assert len(list(evaluation(10, 8, 3))) == 2
    assert not list(evaluation(0, 8, 0))


@pytest.mark.parametrize("depth, workers", [(1, 1), (3, 2), (50, 4)])
def test_prefetch_keeps_order(depth, workers):
    def slow(i):
        time.sleep(0.002 * (i % 3))
        return i * i

    assert list(prefetch(slow, 2, 20, depth, workers)) == [i * i for i in range(2, 20)]
    assert not list(prefetch(slow, 5, 5, depth, workers))


def test_prefetch_runs_ahead_but_not_too_far():
    begun = []
    items = prefetch(lambda i: begun.append(i) or i, 0, 100, 4, 2)
    next(items)
    time.sleep(0.05)
    assert 2 <= len(begun) <= 5
    items.close()


def test_prefetch_raises_in_turn_and_leaves_no_threads():
    def fails(i):
        if i == 3:
            raise KeyError("three")
        return i

    seen = []
    with pytest.raises(KeyError, match="three"):
        for item in prefetch(fails, 0, 10, 4, 2):
            seen.append(item)
    assert seen == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_closing_prefetch_leaves_no_threads():
    items = prefetch(lambda i: i, 0, 1000, 4, 2)
    next(items)
    items.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]
