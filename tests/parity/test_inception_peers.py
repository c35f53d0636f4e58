"""Inception's features against torch-fidelity and pytorch-fid with the same weights and pixels."""

import numpy as np
import pytest
from state_dictionaries import state_dictionary

from aigc_jax.metrics.features import state
from aigc_jax.metrics.features.extractor import Extractor
from aigc_jax.metrics.features.inception import FEATURES, SIDE, answers, resized, variables
from aigc_jax.metrics.frechet import frechet, moments

torch = pytest.importorskip("torch")
fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
tensorflow_1 = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
pytorch_fid = pytest.importorskip("pytorch_fid.inception")


RANDOM = np.random.RandomState(1)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file as PyTorch's users have it."""
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save({name: torch.from_numpy(array) for name, array in state_dictionary("inception").items()}, path)
    return path


@pytest.fixture(scope="module")
def ours(file):
    return Extractor("inception", "", None, "", answers, variables(state.load(file)))


@pytest.fixture(scope="module")
def theirs(file):
    network = fidelity.FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(file)
    )
    return lambda images: [found.numpy() for found in network(torch.from_numpy(images.transpose(0, 3, 1, 2)))]


@pytest.fixture(scope="module")
def others(file):
    """pytorch-fid's graph, given pixels that are resized and scaled already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytorch_fid, "load_state_dict_from_url", lambda *_, **__: torch.load(file, weights_only=True))
        network = pytorch_fid.InceptionV3(resize_input=False, normalize_input=False).eval()
    return lambda x: network(x)[0][:, :, 0, 0].numpy()


def smooth(count, height, width, channels):
    """Images uint8 in which neighbours resemble each other, as in photographs, and one of nothing but 0 and 255."""
    waves = RANDOM.rand(count, 2, 1, 1, channels) * 12 / np.array([height, width])[:, None, None, None]
    rows, columns = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    phases = 6 * RANDOM.rand(count, 1, 1, channels)
    pictures = 127.5 + 127.5 * np.sin(waves[:, 0] * rows + waves[:, 1] * columns + phases)
    pictures[0] = 255 * (RANDOM.rand(height, width, channels) > 0.5)
    return pictures.astype(np.uint8)


def apart(found, expected):
    """The largest difference over the largest value."""
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (29, 45, 3), (SIDE, SIDE, 3), (350, 301, 3)])
def test_features_and_logits_are_those_of_torch_fidelity(ours, theirs, shape):
    images = smooth(4, *shape)
    found, expected = ours(images), theirs(np.repeat(images, 3 // shape[-1], -1))
    print(shape, *(apart(*pair) for pair in zip(found, expected, strict=True)))
    for pair in zip(found, expected, strict=True):
        assert apart(*pair) <= 1e-4
    as_floats = ours(images.astype(np.float32))
    assert apart(as_floats.features, found.features) <= 1e-6


@torch.inference_mode()
def test_features_of_pixels_between_whole_numbers(ours, others):
    """pytorch-fid's graph, after torch-fidelity's resizing, which takes whole numbers alone by itself."""
    images = (RANDOM.rand(3, 40, 33, 3) * 255).astype(np.float32)
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2))
    large = tensorflow_1.interpolate_bilinear_2d_like_tensorflow1x(pixels, (SIDE, SIDE), align_corners=False)
    expected = others((large - 128) / 128)
    assert expected.shape == (3, FEATURES)
    print(apart(ours(images).features, expected))
    assert apart(ours(images).features, expected) <= 1e-4


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (28, 28), (32, 32), (65, 31), (299, 299), (300, 640), (1024, 97)])
def test_resizing_is_that_of_tensorflow_1(shape):
    images = RANDOM.randint(0, 256, (2, *shape, 3)).astype(np.float32)
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2))
    expected = tensorflow_1.interpolate_bilinear_2d_like_tensorflow1x(pixels, (SIDE, SIDE), align_corners=False)
    found = resized(images, half_pixels=False)
    difference = np.abs(np.asarray(found) - expected.numpy().transpose(0, 2, 3, 1)).max()
    print(shape, difference)
    assert difference <= 1e-3


def test_fid_over_features_of_both(ours, theirs):
    """Over the first of the features, so that there are more images than features."""
    count, width = 56, 48
    one, other = smooth(count, 24, 24, 3), RANDOM.randint(0, 256, (count, 24, 24, 3), np.uint8)
    found = frechet(moments(ours(one).features[:, :width]), ours(other).features[:, :width]).value
    expected = metric_fid.fid_statistics_to_metric(
        *(
            metric_fid.fid_features_to_statistics(torch.from_numpy(theirs(images)[0][:, :width]))
            for images in (one, other)
        ),
        verbose=False,
    )["frechet_inception_distance"]
    print(found, expected, found / expected - 1)
    assert found == pytest.approx(expected, rel=1e-3)
