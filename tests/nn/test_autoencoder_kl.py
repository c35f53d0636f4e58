"""The autoencoder of latent diffusion: its size, its maps, gradients, and that a VAE trains with it as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

from aigc_jax.codecs.latents import latents
from aigc_jax.errors import Unfit
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.vae import vae
from aigc_jax.nn.autoencoder_kl import LOG_VARIANCES, AutoencoderKL

SHAPE, KEY = (4, 8, 2), jax.random.key(0)
IMAGES = jax.random.uniform(KEY, (3, *SHAPE), minval=-1)


def small(**changes):
    settings = dict(shape=SHAPE, channels=4, multipliers=(1, 2), blocks=1, latent_channels=3, groups=2, parameters=1)
    return AutoencoderKL(**{**settings, **changes})


def shapes(net):
    inputs, options = net.example()
    return jax.eval_shape(lambda key: net.init(key, *inputs, **options), KEY)["params"]


def filled(net):
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: np.float32(0.3 * rng.normal(size=leaf.shape)), shapes(net))


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_stable_diffusion_s_autoencoder_has_its_parameters():
    net = AutoencoderKL((512, 512, 3), 128, (1, 2, 4, 4), 2, 4, 32, 1)
    params = shapes(net)
    assert count(params) == 83_653_863
    assert (count(params["encoder"]), count(params["decoder"])) == (34_163_592, 49_490_179)
    assert net.latent_shape == (64, 64, 4) and net.latent == 64 * 64 * 4


def test_z_is_the_values_of_a_map_whose_places_are_those_of_the_image():
    """A pixel near the lower left corner moves that corner of the map most."""
    net = small(shape=(32, 32, 1), multipliers=(1, 1), middle_attention=False)
    assert net.latent_shape == (16, 16, 3)
    params = filled(net)
    x = jnp.zeros((1, 32, 32, 1))
    encode = jax.jit(lambda x: net.apply({"params": params}, x, method="encode")[0].reshape(16, 16, 3))
    moved = np.abs(encode(x.at[0, 30, 2].add(1.0)) - encode(x)).max(-1)
    assert np.unravel_index(moved.argmax(), moved.shape)[0] >= 13
    assert np.unravel_index(moved.argmax(), moved.shape)[1] <= 3


def test_every_weight_gets_a_gradient():
    net = small(parameters=2)
    weights = jax.random.normal(jax.random.key(1), (3, *SHAPE, 2))

    def loss(params):
        mean, log_variance = net.apply({"params": params}, IMAGES, method="encode")
        decoded = net.apply({"params": params}, mean + jnp.exp(log_variance / 2), method="decode")
        assert mean.shape == log_variance.shape == (3, net.latent)
        assert decoded.shape == (3, *SHAPE, 2) and decoded.dtype == jnp.float32
        return jnp.sum(weights * decoded)

    grads = flatten_dict(jax.jit(jax.grad(loss))(filled(net)), sep="/")
    still = {path for path, leaf in grads.items() if not np.abs(leaf).max() > 1e-4}
    # What is added to all keys of a head changes no weight of the attention.
    assert still == {path for path in grads if path.endswith("key/bias")}


def test_logarithms_of_variances_stay_where_they_have_exponentials():
    net = small(multipliers=(1,))
    params = filled(net)
    params["posterior"]["bias"] = np.float32([0, 0, 0, 99, -99, 0])
    _, found = jax.jit(lambda p: net.apply({"params": p}, IMAGES, method="encode"))(params)
    found = found.reshape(-1, 3)
    np.testing.assert_array_equal(found[:, 0], LOG_VARIANCES[1])
    np.testing.assert_array_equal(found[:, 1], LOG_VARIANCES[0])
    assert np.ptp(found[:, 2]) > 0.01


def test_a_vae_trains_with_it_and_its_latents_are_a_codec_s():
    net = small()
    learner = Learner("net", net, optax.adam(3e-3), {}, 1)
    method = vae({"net": learner}, likelihood="gaussian", scale=0.3, beta=1.0, importance_samples=(1,))
    batch = Batch(IMAGES, {})
    state = jax.jit(lambda key: method.init(key, batch, {}))(KEY)

    @jax.jit
    def steps(state):
        return jax.lax.scan(lambda state, key: method.step(key, state, batch), state, jax.random.split(KEY, 60))

    state, metrics = steps(state)
    bound = np.asarray(metrics["reconstruction"] + metrics["kl"])
    assert np.isfinite(bound).all()
    assert bound[-5:].mean() < 0.5 * bound[:5].mean()

    codec = latents({"shape": SHAPE}, frozen={"codec": net}, likelihood="gaussian", scale=2.0)
    assert codec.facts["shape"] == (2, 4, 3) == net.latent_shape
    variables = {"codec": {"params": state.params["net"]}}
    encoded = jax.jit(lambda x: codec.encode(KEY, variables, x))(IMAGES)
    decoded = jax.jit(lambda z: codec.decode(variables, z))(encoded)
    assert encoded.shape == (3, 2, 4, 3) and decoded.shape == IMAGES.shape
    # Better than the images' mean, which an untrained one does not reach.
    assert np.mean((decoded - IMAGES) ** 2) < 0.7 * np.var(IMAGES)


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (dict(multipliers=(1, 1, 1, 1)), "multipliers", "those of 4 × 8 can be halved 2 times"),
        (dict(groups=3), "groups", "has to divide the channels of the finest level, 4: one of 1, 2, 4"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(changes, field, said):
    with pytest.raises(Unfit, match=said) as raised:
        shapes(small(**changes))
    assert raised.value.field == field


def test_images_of_another_size_are_refused():
    net = small()
    with pytest.raises(Unfit, match=r"shape is \(4, 8, 2\), and the inputs are of the shape \(8, 8, 2\)"):
        jax.eval_shape(lambda p: net.apply({"params": p}, jnp.zeros((1, 8, 8, 2)), method="encode"), shapes(net))
