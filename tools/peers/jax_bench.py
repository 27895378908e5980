"""Times JAX's jit at the MLP training step of `wengert bench`, under the same name."""
import math

from peer_common import (BATCH, BATCHES, BIG_BATCH, BIG_STEPS, RATE, SIZES, one_value, options,
                         resident_mb, show, time_steps)
import jax
import jax.numpy as jnp


def initial_parameters(key):
    parameters = []
    for inputs, outputs in zip(SIZES, SIZES[1:]):
        key, of_w, of_b = jax.random.split(key, 3)
        bound = 1 / math.sqrt(inputs)
        parameters.append((jax.random.uniform(of_w, (inputs, outputs), minval=-bound, maxval=bound),
                           jax.random.uniform(of_b, (outputs,), minval=-bound, maxval=bound)))
    return parameters


def loss_of(parameters, images, labels):
    h = images
    for w, b in parameters[:-1]:
        h = jnp.tanh(h @ w + b)
    w, b = parameters[-1]
    log_p = jax.nn.log_softmax(h @ w + b)
    return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1))


def sgd_step(parameters, images, labels):
    loss, gradients = jax.value_and_grad(loss_of)(parameters, images, labels)
    updated = jax.tree.map(lambda p, g: p - RATE * g, parameters, gradients)
    return updated, loss


class Mlp:
    """The 784-300-100-10 tanh MLP with its preloaded data; old parameters' memory is reused."""

    def __init__(self, batch, batches):
        key = jax.random.key(7)
        self.parameters = initial_parameters(key)
        self.images = [jax.random.uniform(jax.random.fold_in(key, i), (batch, SIZES[0]))
                       for i in range(batches)]
        self.labels = [jax.random.randint(jax.random.fold_in(key, i), (batch,), 0, SIZES[-1])
                       for i in range(batches)]
        self.jitted = jax.jit(sgd_step, donate_argnums=0)

    def step(self, i):
        self.parameters, self.loss = self.jitted(self.parameters, self.images[i % len(self.images)],
                                                 self.labels[i % len(self.labels)])
        jax.block_until_ready(self.parameters)

    def require_finite(self):
        if not math.isfinite(float(self.loss)):
            raise SystemExit("jax_bench.py: the loss is not finite")


def run_memory():
    before = resident_mb()
    mlp = Mlp(BIG_BATCH, 1)
    for i in range(BIG_STEPS):
        mlp.step(i)
    mlp.require_finite()
    show([one_value("memory/baseline", "MB", before)])


def run_timings(quick):
    mlp = Mlp(BATCH, BATCHES)
    timed = time_steps(mlp.step, quick)
    mlp.require_finite()
    show([timed])


def main():
    asked = options(__doc__)
    if asked.memory:
        run_memory()
    else:
        run_timings(asked.quick)


if __name__ == "__main__":
    main()
