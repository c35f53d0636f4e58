"""Which examples make up batch i: a function of (seed, i), so that a run resumes by its step alone."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from aigc_jax.data.dataset import Source

Result = TypeVar("Result")


@lru_cache(maxsize=4)  # a batch straddles two epochs; prefetching threads may be in either
def _permutation(seed: int, epoch: int, size: int) -> np.ndarray:
    # RandomState's stream is frozen by NumPy's policy; Generator's is not.
    generator = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, epoch])))
    permutation = generator.permutation(size)
    permutation.flags.writeable = False
    return permutation


def order(seed: int, size: int, start: int, count: int) -> np.ndarray:
    """The examples shown as numbers start, ..., start + count - 1 of a whole training run: int64 [count].

    Epoch e shows every example once, in an order of its own; number s is in epoch s // size.
    seed: >= 0; size: examples of the split, >= 1.
    """
    parts, position, end = [np.empty(0, np.int64)], start, start + count
    while position < end:
        epoch, offset = divmod(position, size)
        part = _permutation(seed, epoch, size)[offset : offset + end - position]
        parts.append(part)
        position += len(part)
    return np.concatenate(parts).astype(np.int64)


@dataclass(frozen=True)
class Stream:
    """Training batches by number, without end. batch_size: rows over all processes."""

    source: Source
    batch_size: int
    seed: int

    def indices(self, i: int) -> np.ndarray:
        """The examples of batch i: int64 [batch_size]."""
        return order(self.seed, len(self.source), i * self.batch_size, self.batch_size)

    def __getitem__(self, i: int) -> dict[str, np.ndarray]:
        return self.source[self.indices(i)]

    def rows(self, i: int, rows: slice) -> dict[str, np.ndarray]:
        """Only these rows of batch i: what the devices of one process need."""
        return self.source[self.indices(i)[rows]]


def batch_number(step: int, left_out: Sequence[tuple[int, int]]) -> int:
    """The batch of a step, 0 for the first: the step-th of those that are in none of the ranges [first, beyond)."""
    number = step
    for first, beyond in sorted(left_out):
        if number >= first:
            number += beyond - first
    return number


def evaluation(size: int, batch_size: int, limit: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every example once, in order: (indices int64 [batch_size], mask float32 [batch_size]).

    The last batch is filled up with example 0, whose mask is 0. limit: batches at most; 0 = all.
    """
    batches = -(-size // batch_size)
    for i in range(min(batches, limit) if limit else batches):
        numbers = np.arange(i * batch_size, (i + 1) * batch_size, dtype=np.int64)
        inside = numbers < size
        yield np.where(inside, numbers, 0), inside.astype(np.float32)


def prefetch(
    fn: Callable[[int], Result], start: int, stop: int, depth: int, workers: int
) -> Generator[Result, None, None]:
    """fn(start), ..., fn(stop - 1) in order, up to `depth` of them computed ahead by `workers` threads.

    What fn raises is raised here, in its turn. Closing the iterator cancels what has not begun.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
    ahead: deque[Future[Any]] = deque()
    try:
        upcoming = iter(range(start, stop))
        for i in upcoming:
            ahead.append(pool.submit(fn, i))
            if len(ahead) >= depth:
                break
        while ahead:
            result = ahead.popleft().result()
            for i in upcoming:
                ahead.append(pool.submit(fn, i))
                break
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
