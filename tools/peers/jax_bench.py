"""Times JAX's jit at the MLP training step of `wengert bench`, under the same name."""
import math

from peer_common import (ADAM_RATE, BATCH, BATCHES, BIG_BATCH, BIG_STEPS, DROPPED, RATE, SIZES, one_value, options,
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


def adam(parameters, gradients, state):
    """A step of Adam; the state is the two averages and the number of steps."""
    first, second, steps = state
    steps = steps + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    rate, root = ADAM_RATE / (1 - 0.9**steps), jax.lax.rsqrt(1 - 0.999**steps)
    moved = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) * root + 1e-8), parameters,
                         first, second)
    return moved, (first, second, steps)


def fresh_adam(parameters):
    return (jax.tree.map(jnp.zeros_like, parameters), jax.tree.map(jnp.zeros_like, parameters),
            jnp.float32(0))


def adam_step(carried, images, labels):
    parameters, state = carried
    loss, gradients = jax.value_and_grad(loss_of)(parameters, images, labels)
    return adam(parameters, gradients, state), loss


def full_loss(parameters, running, key, images, labels):
    """Batch norm, ReLU and dropout after each hidden layer; gives the running averages too."""
    h, averages = images, []
    for i, ((w, gain, bias), (mean, variance)) in enumerate(zip(parameters[:-1], running)):
        x = h @ w
        center, spread = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        h = jax.nn.relu((x - center) * jax.lax.rsqrt(spread + 1e-5) * gain + bias)
        kept = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - DROPPED, h.shape)
        h = jnp.where(kept, h / (1 - DROPPED), 0)
        count = x.shape[0]
        averages.append((0.9 * mean + 0.1 * center,
                         0.9 * variance + 0.1 * spread * count / (count - 1)))
    w, b = parameters[-1]
    log_p = jax.nn.log_softmax(h @ w + b)
    return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1)), averages


def full_step(carried, images, labels):
    parameters, state, running, key = carried
    key, mask = jax.random.split(key)
    (loss, running), gradients = jax.value_and_grad(full_loss, has_aux=True)(
        parameters, running, mask, images, labels)
    parameters, state = adam(parameters, gradients, state)
    return (parameters, state, running, key), loss


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

    def use(self, step, carried):
        """Another training of the same data: `carried` goes from step to step."""
        self.parameters, self.jitted = carried, jax.jit(step, donate_argnums=0)
        return self

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
    results = [timed]
    key = jax.random.key(7)
    parameters = initial_parameters(key)
    full = [(w, jnp.ones(w.shape[1]), jnp.zeros(w.shape[1])) for w, _ in parameters[:-1]]
    full.append(parameters[-1])
    running = [(jnp.zeros(w.shape[1]), jnp.ones(w.shape[1])) for w, _ in parameters[:-1]]
    for name, step, carried in (
            ("step/mlp-adam", adam_step, (parameters, fresh_adam(parameters))),
            ("step/mlp-full", full_step,
             (jax.tree.map(jnp.array, full), fresh_adam(full), running, jax.random.key(8)))):
        mlp = Mlp(BATCH, BATCHES).use(step, jax.tree.map(jnp.copy, carried))
        results.append(time_steps(mlp.step, quick, name=name))
        mlp.require_finite()
    show(results)


def main():
    asked = options(__doc__)
    if asked.memory:
        run_memory()
    else:
        run_timings(asked.quick)


if __name__ == "__main__":
    main()
