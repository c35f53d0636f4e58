"""How long Inception's features of many images take, and how much memory: ours beside torch-fidelity's.

    PYTHONPATH=. python benchmarks/features.py [--images=10000] [--side=32] [--chunk=256] [--rounds=10] [--cores=2]

Both networks have random weights. Each runs in a process of its own, on the same cores, and they take turns over
chunks of images, so that both meet what else the machine does; the one that waits is idle. What is printed is images a
second (the median over the chunks, of which the first is left out), the time that --images take at that rate, the
seconds of a core that an image takes (which others' work moves less), and the most memory that each process held.
Needs requirements/parity.txt.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from unittest import mock

import numpy as np
from tqdm import tqdm

Score = Callable[[np.ndarray], np.ndarray]
"""Images uint8 [N, H, W, 3] -> features [N, 2048]."""


def ours() -> Score:
    """aigc_jax."""
    import jax

    from aigc_jax.metrics.features.extractor import Extractor, for_large_images
    from aigc_jax.metrics.features.inception import SIDE, Inception, answers

    weights = jax.jit(Inception().init)(jax.random.key(0), np.zeros((1, SIDE, SIDE, 3), np.float32))
    using = Extractor("inception", "", None, "", answers, weights, for_large_images())
    return lambda images: using(images).features


def theirs() -> Score:
    """torch-fidelity, in batches of the size that it has by default."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:  # PyPI's beside a CPU build of torch: describes operators that it lacks and nothing here calls
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torch_fidelity import feature_extractor_inceptionv3 as peer
    from torch_fidelity.defaults import DEFAULTS

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = peer.FeatureExtractorInceptionV3
    with mock.patch.object(peer, "load_state_dict_from_url"), mock.patch.object(network, "load_state_dict"):
        extractor = network("inception", ["2048", "logits_unbiased"])

    def score(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batches = torch.from_numpy(images.transpose(0, 3, 1, 2)).split(DEFAULTS["batch_size"])
            return torch.cat([extractor(batch)[0] for batch in batches]).numpy()

    return score


SIDES = {"aigc_jax": ours, "torch-fidelity": theirs}


def work(name: str, chunk: int, side: int) -> None:
    """Scores a chunk for each line that comes in; prints seconds, those of cores, and the most MiB held so far."""
    score = SIDES[name]()
    images = np.random.RandomState(0).randint(0, 256, (chunk, side, side, 3), np.uint8)
    for _ in sys.stdin:
        began, began_cores = time.perf_counter(), time.process_time()
        assert score(images).shape == (chunk, 2048)
        spent, cores = time.perf_counter() - began, time.process_time() - began_cores
        print(spent, cores, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def main() -> None:
    """Reads the arguments and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="that the time is given for")
    parser.add_argument("--side", type=int, default=32, help="of the images, in pixels")
    parser.add_argument("--chunk", type=int, default=256, help="images between turns")
    parser.add_argument("--rounds", type=int, default=10, help="chunks that are measured, of each")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--work", choices=SIDES, help=argparse.SUPPRESS)  # this process is one of the two
    arguments = parser.parse_args()
    if arguments.work:
        return work(arguments.work, arguments.chunk, arguments.side)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    processes = {
        name: subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], f"--work={name}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in SIDES
    }  # fmt: skip
    answers: dict[str, list[list[float]]] = {name: [] for name in SIDES}
    for _ in tqdm(range(arguments.rounds + 1), unit="round"):
        for name, process in processes.items():
            print("go", file=process.stdin, flush=True)
            answers[name].append([float(number) for number in process.stdout.readline().split()])
    for process in processes.values():
        process.stdin.close()
        process.wait()
    print(
        f"{arguments.rounds} chunks of {arguments.chunk} images of {arguments.side} × {arguments.side}, "
        f"{arguments.cores} cores"
    )
    rates, memory = {}, {}
    for name, rows in answers.items():
        seconds, cores, held = np.array(rows).T
        rates[name], memory[name] = arguments.chunk / np.median(seconds[1:]), held[-1]
        print(
            f"{name:<15} {rates[name]:6.2f} images/s ({arguments.chunk / seconds[1:].max():.2f} … "
            f"{arguments.chunk / seconds[1:].min():.2f})   {arguments.images:,} images: "
            f"{arguments.images / rates[name]:,.0f} s   {np.median(cores[1:]) / arguments.chunk:.3f} s of a core each"
            f"   first chunk {seconds[0]:.1f} s   {memory[name]:,.0f} MiB"
        )
    first, second = SIDES
    rate, held = rates[first] / rates[second], memory[first] / memory[second]
    print(f"{first} against {second}: {rate:.2f} of the rate, {held:.2f} of the memory")


if __name__ == "__main__":
    main()
