"""Times PyTorch from Python at the work that `wengert bench` does, under the same names."""
import time

from peer_common import (ADAM_RATE, BATCH, BATCHES, BIG_BATCH, BIG_STEPS, DROPPED, RATE, SIZES, one_value, options,
                         resident_mb, result, show, time_steps)
import torch
from torch.nn.functional import cross_entropy, linear

CHAIN = 1000  # ops per chain


def require_finite(tensor, what):
    if not torch.isfinite(tensor).all():
        raise SystemExit(f"torch_bench.py: {what} is not finite")


def chains(size, shape, square):
    """Gives (name, x, op) for each chain: y starts as x, and op(y) is applied CHAIN times."""
    x = torch.randn(shape).requires_grad_()
    near_one = (1 + 1e-3 * torch.randn(shape)).requires_grad_()  # 1000 factors stay in range
    m = torch.randn(square).requires_grad_()
    w = torch.linalg.qr(torch.randn(square))[0]  # keeps lengths
    yield f"add/{size}", x, lambda y: y + x
    yield f"mul/{size}", near_one, lambda y: y * near_one
    yield f"tanh/{size}", x, torch.tanh
    yield f"matmul/{size}", m, lambda y: y @ w


def time_chain(name, x, op, quick):
    """Times recording and the gradient pass, apart. Freeing the graph counts for neither."""
    warm_up, repeats = 3, 9 if quick else 31
    seed = torch.ones_like(x)
    record, backward = [], []
    for _ in range(warm_up + repeats):
        start = time.perf_counter_ns()
        y = x
        for _ in range(CHAIN):
            y = op(y)
        recorded = time.perf_counter_ns()
        (gradient,) = torch.autograd.grad(y, x, seed)
        done = time.perf_counter_ns()
        require_finite(y, name)
        require_finite(gradient, f"the gradient of {name}")
        record.append((recorded - start) / CHAIN)
        backward.append((done - recorded) / CHAIN)
    return [result(f"record/{name}", "ns", record[warm_up:]),
            result(f"backward/{name}", "ns", backward[warm_up:])]


class Mlp:
    """The 784-300-100-10 tanh MLP with its preloaded data, trained the usual eager way."""

    def __init__(self, batch, batches):
        torch.manual_seed(7)
        layers = []
        for inputs, outputs in zip(SIZES, SIZES[1:]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.Tanh()]
        self.net = torch.nn.Sequential(*layers[:-1])
        self.sgd = torch.optim.SGD(self.net.parameters(), lr=RATE)
        self.images = [torch.rand(batch, SIZES[0]) for _ in range(batches)]
        self.labels = [torch.randint(SIZES[-1], (batch,)) for _ in range(batches)]

    def batch(self, i):
        return self.images[i % len(self.images)], self.labels[i % len(self.labels)]

    def step(self, i):
        images, labels = self.batch(i)
        self.sgd.zero_grad()
        self.loss = cross_entropy(self.net(images), labels)
        self.loss.backward()
        self.sgd.step()


class AdamMlp(Mlp):
    """The same net by Adam, whose fused form is PyTorch's fastest."""

    def __init__(self, batch, batches):
        super().__init__(batch, batches)
        self.sgd = torch.optim.Adam(self.net.parameters(), lr=ADAM_RATE, fused=True)


class FullMlp(AdamMlp):
    """Batch norm, ReLU and dropout after each hidden layer, by Adam."""

    def __init__(self, batch, batches):
        super().__init__(batch, batches)
        layers = []
        for inputs, outputs in zip(SIZES[:-1], SIZES[1:-1]):
            layers += [torch.nn.Linear(inputs, outputs, bias=False),
                       torch.nn.BatchNorm1d(outputs), torch.nn.ReLU(), torch.nn.Dropout(DROPPED)]
        self.net = torch.nn.Sequential(*layers, torch.nn.Linear(*SIZES[-2:]))
        self.sgd = torch.optim.Adam(self.net.parameters(), lr=ADAM_RATE, fused=True)


class CompiledMlp(Mlp):
    """The same, with gradients and update in one compiled function.

    Compiling only the forward pass and the loss gains nothing over eager; this form does.
    """

    def __init__(self, batch, batches):
        super().__init__(batch, batches)
        self.parameters = [p.detach() for p in self.net.parameters()]
        self.compiled = torch.compile(functional_step, dynamic=False)

    def step(self, i):
        self.loss = self.compiled(self.parameters, *self.batch(i))


def functional_loss(parameters, images, labels):
    h = images
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2]):
        h = torch.tanh(linear(h, w, b))
    return cross_entropy(linear(h, *parameters[-2:]), labels)


def functional_step(parameters, images, labels):
    gradients, loss = torch.func.grad_and_value(functional_loss)(parameters, images, labels)
    for p, g in zip(parameters, gradients):
        p.sub_(g, alpha=RATE)
    return loss


def time_mlp(quick, compiled):
    mlp = (CompiledMlp if compiled else Mlp)(BATCH, BATCHES)
    timed = time_steps(mlp.step, quick)
    require_finite(mlp.loss, "the loss")
    return timed


def run_memory(compiled):
    before = resident_mb()
    mlp = (CompiledMlp if compiled else Mlp)(BIG_BATCH, 1)
    for i in range(BIG_STEPS):
        mlp.step(i)
    require_finite(mlp.loss, "the loss")
    show([one_value("memory/baseline", "MB", before)])


def run_timings(quick, compiled):
    torch.manual_seed(1)
    results = []
    if not compiled:
        for size, shape, square in (("1", (), (1, 1)), ("16x16", (16, 16), (16, 16))):
            for name, x, op in chains(size, shape, square):
                results += time_chain(name, x, op, quick)
    results.append(time_mlp(quick, compiled))
    if not compiled:
        for name, kind in (("step/mlp-adam", AdamMlp), ("step/mlp-full", FullMlp)):
            mlp = kind(BATCH, BATCHES)
            results.append(time_steps(mlp.step, quick, name=name))
            require_finite(mlp.loss, "the loss")
    show(results)


def main():
    asked = options(__doc__)
    torch.set_num_threads(asked.threads)
    if asked.memory:
        run_memory(asked.compile)
    else:
        run_timings(asked.quick, asked.compile)


if __name__ == "__main__":
    main()
