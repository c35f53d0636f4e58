"""Variational autoencoders of texts (Bowman et al. 2016, arXiv:1511.06349).

    log p(x) >= E_q[log p(x | z)] - KL(q(z | x) || N(0, I)) = -distortion - rate
    log p(x | z) = sum_t log p(x_t | x_<t, z)

A decoder that reads the tokens before may learn to do without z, and then KL = 0. Three means are against it:

    annealing       the loss is distortion + w rate, with a weight w of step s that grows to 1 in S steps (section 3.1):
                    s / S, or a sigmoid, 1 / (1 + exp(10 (1/2 - s / S)))
    word dropout    a share of the tokens that the decoder reads in training is hidden (section 3.2)
    free bits       dimension j of z costs max(λ, mean over the batch of KL_j), and not KL_j (Kingma et al. 2016,
                    arXiv:1606.04934, eq. 15)

The measures are without any of them. `bits_per_<unit>` is of the bound with one z a text; `bits_per_<unit>_<k>` is of
the importance-weighted bound (Burda et al. 2016, arXiv:1509.00519, eq. 8), which tends to -log2 p(x) with k. rate and
distortion are nats a text. active_units are the dimensions of z whose posterior mean has a variance above 0.01 over
texts (Burda et al., section 5.2); here over those of one batch of `evaluate.batch_size`, so that few texts count more.

The network has a field `latent` and the methods of `nn.text_vae.TextVAE`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import batch as whole
from aigc_jax.ops import latent as latents
from aigc_jax.ops import likelihood as likelihoods
from aigc_jax.ops.bits import Unit, amount, per_unit
from aigc_jax.ops.cross_entropy import cross_entropy
from aigc_jax.ops.generation import Reader, drawn
from aigc_jax.ranges import Amount, Count, Part, Range, Size, Sizes, at_least

Token = Annotated[int, at_least(0, besides=-1)]  # -1 = none

NETWORKS = ("net",)
STEEPNESS = 10  # of the sigmoid: the weight begins at 0.007
ACTIVE = 0.01  # the least variance of the mean of a dimension that counts
UNUSED = (
    "The decoder does without z: no dimension of it tells texts apart. Try a larger method.word_dropout, "
    "method.free_bits, or method.annealing_steps."
)


class Plan(NamedTuple):
    """How texts are drawn."""

    temperature: Any  # float32
    top_k: Any  # int32
    top_p: Any  # float32
    repetition: Any  # float32
    spread: Any  # float32


def plan(
    *,
    temperature: Amount = 1.0,
    top_k: Count = 0,
    top_p: Annotated[float, Range(0, 1, without_low=True)] = 1.0,
    repetition: Annotated[float, at_least(1)] = 1.0,
    spread: Amount = 1.0,
) -> Plan:
    """Settings of sampling as arrays.

    temperature: divides the logits before a token is drawn; 1 = the model itself, 0 = the most probable token.
    top_k: a token is drawn from so many of the most probable ones; 0 = from all.
    top_p: a token is drawn from the fewest that together have this probability; 1 = from all.
    repetition: above 1, tokens that were there are less probable; 1 = the model itself.
    spread: times the standard deviation of the prior of z; 1 = the prior.
    """
    drawing = np.float32(temperature), np.int32(top_k), np.float32(top_p)
    return Plan(*drawing, np.float32(repetition), np.float32(spread))


Annealing = Literal["none", "linear", "sigmoid"]


def weight_at(annealing: Annealing, steps: int, step: Array) -> Array:
    """The weight of the rate after so many steps, float32: 1 from `steps` on."""
    if annealing == "none" or steps == 0:
        return jnp.float32(1)
    share = step / steps
    weight = share if annealing == "linear" else jax.nn.sigmoid(STEEPNESS * (share - 0.5))
    return jnp.where(step < steps, weight, 1).astype(jnp.float32)


def at_no_cost(rates: Array, free: float) -> Array:
    """Values [B] whose mean over the batch is sum_j max(free, mean KL_j), from KL_j of each text [B, D], in nats.

    A dimension below `free` has no gradient. The mean is over all devices; with accumulation, over one part.
    """
    means = whole.mean(jnp.mean(jax.lax.stop_gradient(rates), axis=0))
    return jnp.sum(jnp.where(means > free, rates, free), axis=1)


def diagnose(measures: Mapping[str, float]) -> Sequence[str]:
    """Whether z is of use."""
    return [UNUSED] if measures.get("active_units", 1) == 0 else []


def text_vae(
    learners: Mapping[str, Learner],
    /,
    *,
    length: Size,
    pad: Token,
    bos: Count,
    eos: Token,
    packed: bool,
    units: Sequence[Unit],
    annealing: Annealing,
    annealing_steps: Count,
    word_dropout: Part,
    free_bits: Amount,
    importance_samples: Sizes,
) -> Method:
    """A VAE of texts.

    length: tokens that are read and predicted: a target has one more. pad, bos, eos: token ids; -1 =
    there is none. packed: whether rows hold several texts, which it refuses. units: of what is written; the measures
    are bits_per_<unit>.
    annealing: how the weight of the rate grows; annealing_steps: until it is 1. word_dropout: share of the tokens that
    are hidden from the decoder in training. free_bits: that each dimension of z may carry at no cost.
    importance_samples: the numbers k of samples whose bounds are measured.
    """
    if packed:
        raise ConfigError('"method.name" is text_vae, and a z is of one text: set data.pack=False.')
    never = np.zeros(learners["net"].module.vocabulary, np.float32)
    never[[*{pad, bos} - {eos, -1}]] = -np.inf  # a sampler does not choose these
    net, free, latent = learners["net"], free_bits * float(np.log(2)), learners["net"].module.latent

    def next_tokens(target: Array) -> tuple[Array, Array, Array]:
        """(inputs, targets, mask), each [B, length]; mask: float32, 0 where a target only pads."""
        return target[:, :-1], target[:, 1:], (target[:, 1:] != pad).astype(jnp.float32)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        return initial_state({"net": (net, net.init(key, jnp.zeros((1, length), jnp.int32)))}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        noise_key, word_key, update_key = jax.random.split(key, 3)
        inputs, targets, mask = next_tokens(batch.target)
        # Counted over the whole batch, not within `losses`, which may see a part of it.
        tokens_per_text = whole.mean(jnp.mean(jnp.sum(mask, axis=1)))
        units_per_text = whole.mean(jnp.mean(amount(targets, mask, units[0])))
        noise = whole.draw(jax.random.normal, noise_key, (len(inputs), latent))
        kept = whole.draw(jax.random.uniform, word_key, inputs.shape) >= word_dropout
        kept = kept.at[:, 0].set(True)  # BOS says nothing
        weight = weight_at(annealing, annealing_steps, state.step)

        def losses(params: PyTree, extra: PyTree, key: Key, part: tuple[Array, Array, Array]) -> tuple:
            target, noise, kept = part
            inputs, targets, mask = next_tokens(target)
            encode_key, decode_key = jax.random.split(key)
            (mean, log_variance), extra = net.apply(
                params, extra, targets, mask, train=True, key=encode_key, method="encode"
            )
            z = mean + jnp.exp(log_variance / 2) * noise
            logits, extra = net.apply(params, extra, z, inputs, kept, train=True, key=decode_key, method="decode")
            distortion = jnp.sum(mask * cross_entropy(logits, targets), axis=1)
            rates = likelihoods.gaussian_kls(mean, log_variance)
            rate = jnp.sum(rates, axis=1)
            loss = (distortion + weight * at_no_cost(rates, free)) / tokens_per_text
            terms = {"loss": loss, "distortion": distortion, "rate": rate, "rate_weight": weight}
            terms[f"bits_per_{units[0].name}"] = (distortion + rate) / np.log(2) / units_per_text
            return loss, (extra, jax.tree.map(jnp.mean, terms))

        return net.update(update_key, state, losses, (batch.target, noise, kept))

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        noise_key, bound_key = jax.random.split(key)
        inputs, targets, mask = next_tokens(batch.target)
        mean, log_variance = net.predict(state, targets, mask, method="encode")

        def explained(noise: Array) -> tuple[Array, Array]:
            """(z, log p(text | z))."""
            z = mean + jnp.exp(log_variance / 2) * noise
            logits = net.predict(state, z, inputs, method="decode")
            return z, -jnp.sum(mask * cross_entropy(logits, targets), axis=1)

        def log_weight(key: Key) -> Array:
            noise = whole.draw(jax.random.normal, key, mean.shape)
            z, log_likelihood = explained(noise)
            log_posterior = likelihoods.standard_normal_log_prob(noise) - 0.5 * jnp.sum(log_variance, -1)
            return log_likelihood + likelihoods.standard_normal_log_prob(z) - log_posterior

        distortion = -explained(whole.draw(jax.random.normal, noise_key, mean.shape))[1]
        rate = likelihoods.gaussian_kl(mean, log_variance)
        bounds = likelihoods.importance_bounds(log_weight, bound_key, importance_samples)
        center = whole.mean(jnp.mean(mean, axis=0))
        active = jnp.sum(whole.mean(jnp.mean((mean - center) ** 2, axis=0)) > ACTIVE)
        nats = {"": distortion + rate}
        nats |= {f"_{k}": -bound for k, bound in zip(importance_samples, bounds, strict=True)}
        bits = {end: per_unit(each / np.log(2), targets, mask, units) for end, each in nats.items()}
        return {
            **{f"{name}{end}": PerExample(*each) for end, found in bits.items() for name, each in found.items()},
            "rate": PerExample.of(rate),
            "distortion": PerExample.of(distortion),
            "active_units": PerExample.of(jnp.full(rate.shape, active)),
        }

    def write(keys: Array, state: State, z: Array, plan: Plan) -> Array:
        """Texts given z, as targets are: int32 [n, length + 1]."""
        state, rows = net.settled(state), len(z)

        def read(tokens: Array, states: PyTree, index: Array) -> tuple[Array, PyTree]:
            return net.predict(state, z, tokens[:, 0], states, method="extend")

        reader = Reader(read, lambda states, room: states, never, pad, eos)
        texts = jnp.full((rows, length + 1), pad, jnp.int32).at[:, 0].set(bos)
        states, nobody = net.predict(state, z, method="begin"), jnp.zeros(rows, bool)
        return drawn(reader, keys, texts, jnp.int32(1), nobody, states, [length], plan[:3], plan.repetition)

    def sample(keys: Array, state: State, given: Given, plan: Plan) -> Array:
        return write(keys, state, plan.spread * whole.normals(whole.fold_in(keys, 0), (latent,)), plan)

    def walk(key: Key, state: State, n: int, given: Given) -> Array:
        """The most probable tokens along the way."""
        return write(jax.random.split(key, n), state, latents.walk(key, n, (latent,)), plan(temperature=0.0))

    def posterior(state: State, target: Array) -> tuple[Array, Array]:
        """Mean and log-variance of q(z | text), float32 [n, latent] each."""
        _, targets, mask = next_tokens(target)
        return net.predict(state, targets, mask, method="encode")

    parts: dict[str, Callable] = {"walk": walk, "write": write, "posterior": posterior}
    return Method(init, step, evaluate, sample, plan, parts=parts, diagnose=diagnose)
