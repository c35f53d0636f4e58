"""Measures held against the PyTorch packages that others measure with: `make parity`.

Without those packages every test here is skipped. `requirements/parity.txt` names them.
"""

from contextlib import suppress

with suppress(ImportError):
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        # PyPI's torchvision beside a CPU build of torch lacks its compiled operators. It describes these two as it is
        # imported, and no peer calls them.
        torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
