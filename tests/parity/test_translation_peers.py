"""The networks of translation against the same in PyTorch, written from the papers, with the same weights.

Weights are ours, in PyTorch's order of axes.
"""

import jax
import numpy as np
import pytest

from aigc_jax.nn import cyclegan, pix2pix

torch = pytest.importorskip("torch")
F = torch.nn.functional

KEY = jax.random.key(0)
IMAGES = np.random.RandomState(0).randn(3, 32, 32, 3).astype(np.float32)


def weights_of(module, **options):
    """Random weights, scales and biases, as large as trained ones."""
    params = jax.device_get(module.init(KEY, IMAGES, **options))["params"]["y"]
    random = np.random.RandomState(1)
    return jax.tree.map(lambda x: (x + 0.1 * random.randn(*x.shape)).astype(np.float32), params)


def close(found, expected):
    apart = np.abs(np.asarray(found) - expected.numpy()).max()
    print(f"{apart:.2e} of {expected.abs().max():.2f}")
    assert apart <= 1e-4


def of(image):
    return torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))


def kernel(array):
    """[H, W, I, O] -> [O, I, H, W]; of a transposed convolution [H, W, O, I] -> [I, O, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(array.transpose(3, 2, 0, 1)))


def vector(array):
    return torch.from_numpy(np.asarray(array))


def bias(layer):
    return vector(layer["bias"]) if "bias" in layer else None


def normalised(x, layer):
    (inner,) = layer.values()
    return F.instance_norm(x, weight=vector(inner["scale"]), bias=vector(inner["bias"]), eps=1e-5)


def halved(x, layer):
    return F.conv2d(x, kernel(layer["kernel"]), bias(layer), stride=2, padding=1)


def doubled(x, layer):
    return F.conv_transpose2d(x, kernel(layer["kernel"]), bias(layer), stride=2, padding=1)


def unet(x, params, levels, skips):
    """pix2pix, section 3.2.1 and appendix 6.1.1: C64-C128-… down, CD512-… up, skips from layer i to layer n - i."""
    below = []
    for level in range(levels):
        x = halved(F.leaky_relu(x, 0.2) if level else x, params[f"Halve_{level}"])
        if 0 < level < levels - 1:
            x = normalised(x, params[f"InstanceNorm_{level - 1}"])
        below.append(x)
    for step in range(levels - 1):
        x = doubled(F.relu(x), params[f"Double_{step}"])
        x = normalised(x, params[f"InstanceNorm_{levels - 2 + step}"])
        if skips:
            x = torch.cat([x, below[levels - 2 - step]], 1)
    return torch.tanh(doubled(F.relu(x), params[f"Double_{levels - 1}"]))


def patchgan(x, params, layers):
    """Appendix 6.1.2: C64-C128-C256-C512 and a convolution to one channel, the last two of stride 1."""
    for layer in range(layers):
        x = halved(x, params[f"Halve_{layer}"])
        x = F.leaky_relu(normalised(x, params[f"InstanceNorm_{layer - 1}"]) if layer else x, 0.2)
    x = F.conv2d(x, kernel(params["Conv_0"]["kernel"]), padding=1)
    x = F.leaky_relu(normalised(x, params[f"InstanceNorm_{layers - 1}"]), 0.2)
    return F.conv2d(x, kernel(params["Conv_1"]["kernel"]), bias(params["Conv_1"]), padding=1)[:, 0]


def resnet(x, params, blocks):
    """CycleGAN, appendix 7.2: c7s1-64, d128, d256, R256 …, u128, u64, c7s1-3."""
    x = F.conv2d(F.pad(x, (3,) * 4, mode="reflect"), kernel(params["Conv_0"]["kernel"]))
    x = F.relu(normalised(x, params["InstanceNorm_0"]))
    for i in range(2):
        x = F.conv2d(x, kernel(params[f"Strided_{i}"]["kernel"]), stride=2, padding=1)
        x = F.relu(normalised(x, params[f"InstanceNorm_{i + 1}"]))
    for i in range(blocks):
        block, h = params[f"Block_{i}"], x
        h = F.conv2d(F.pad(h, (1,) * 4, mode="reflect"), kernel(block["first"]))
        h = F.relu(normalised(h, block["InstanceNorm_0"]))
        h = F.conv2d(F.pad(h, (1,) * 4, mode="reflect"), kernel(block["second"]))
        x = x + normalised(h, block["InstanceNorm_1"])
    for i in range(2, 4):
        weight = kernel(params[f"Strided_{i}"]["kernel"])
        x = F.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=1)
        x = F.relu(normalised(x, params[f"InstanceNorm_{i + 1}"]))
    x = F.conv2d(F.pad(x, (3,) * 4, mode="reflect"), kernel(params["Conv_1"]["kernel"]), bias(params["Conv_1"]))
    return torch.tanh(x)


@torch.inference_mode()
@pytest.mark.parametrize("skips", [True, False])
def test_the_u_net(skips):
    net = pix2pix.Generator(shape=(32, 32, 3), channels=8, levels=4, skips=skips, dropout=0.5)
    params = weights_of(net, to="y")
    expected = unet(of(IMAGES), params, 4, skips).permute(0, 2, 3, 1)
    close(net.apply({"params": {"y": params}}, IMAGES, to="y"), expected)


@torch.inference_mode()
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_patchgan(layers):
    net = pix2pix.Discriminator(channels=8, layers=layers)
    params = weights_of(net, of="y", beside=IMAGES)
    other = IMAGES[::-1].copy()
    expected = patchgan(torch.cat([of(other), of(IMAGES)], 1), params, layers)
    close(net.apply({"params": {"y": params}}, IMAGES, of="y", beside=other), expected)


@torch.inference_mode()
@pytest.mark.parametrize("channels, blocks", [(8, 2), (16, 1)])
def test_the_resnet(channels, blocks):
    """With 16 channels the blocks have 64, whose convolutions are computed by minimal filtering on a CPU."""
    net = cyclegan.Generator(shape=(32, 32, 3), channels=channels, blocks=blocks)
    params = weights_of(net, to="y")
    expected = resnet(of(IMAGES), params, blocks).permute(0, 2, 3, 1)
    close(net.apply({"params": {"y": params}}, IMAGES, to="y"), expected)
