#!/usr/bin/env python3
"""Writes optimizers.txt: trajectories of PyTorch's optimizers in float64.

Needs torch (2.13.0 made the file beside this one). θ has 5 elements that begin at 2 − 0.7i; its
gradient is 0.5(i + 1)θᵢ + 0.3cos(θᵢ + i). A line: name, how many options follow, these, and θ after
the steps 1, 2, 3, 10, 50 and 200, or the first of these.
"""

import pathlib

import torch

torch.set_default_dtype(torch.float64)  # of numbers that optimizers keep, as NAdam's product of μ
SHOWN = (1, 2, 3, 10, 50, 200)
INDEX = torch.arange(5, dtype=torch.float64)


def trajectory(make):
    w = torch.nn.Parameter(2 - 0.7 * INDEX)
    optimizer = make([w])
    shown = []

    def closure():
        with torch.no_grad():
            w.grad = 0.5 * (INDEX + 1) * w + 0.3 * torch.cos(w + INDEX)
        return torch.zeros(())  # only line searches would ask

    for step in range(1, SHOWN[-1] + 1):
        optimizer.step(closure)
        if step in SHOWN:
            shown += w.tolist()
    return shown


of = torch.optim
CASES = [
    ("sgd", "rate=0.05 weight_decay=0.1 decays=all", lambda p: of.SGD(p, 0.05, weight_decay=0.1)),
    (
        "momentum",
        "rate=0.05 momentum=0.8 dampening=0.2 rate_place=outside weight_decay=0.1 decays=all",
        None,
    ),
    (
        "nesterov",
        "rate=0.05 momentum=0.8 weight_decay=0.1 decays=all",
        lambda p: of.SGD(p, 0.05, 0.8, nesterov=True, weight_decay=0.1),
    ),
    ("adagrad", "rate=0.1", lambda p: of.Adagrad(p, 0.1)),
    (
        "adagrad",
        "rate=0.1 initial=0.1 weight_decay=0.1 decays=all",
        lambda p: of.Adagrad(p, 0.1, initial_accumulator_value=0.1, weight_decay=0.1),
    ),
    ("adadelta", "rate=1", lambda p: of.Adadelta(p)),
    (
        "adadelta",
        "rate=0.5 rho=0.8 epsilon=1e-4 weight_decay=0.1 decays=all",
        lambda p: of.Adadelta(p, 0.5, 0.8, 1e-4, 0.1),
    ),
    ("rmsprop", "rate=0.01", lambda p: of.RMSprop(p, 0.01)),
    (
        "rmsprop",
        "rate=0.01 alpha=0.9 epsilon=0.01 momentum=0.5 centered=true weight_decay=0.1 decays=all",
        # A small ε would show the rounding of a variance of nearly 0.
        lambda p: of.RMSprop(p, 0.01, 0.9, 0.01, 0.1, 0.5, True),
    ),
    ("adam", "rate=0.05", lambda p: of.Adam(p, 0.05)),
    (
        "adam",
        "rate=0.05 amsgrad=uncorrected weight_decay=0.1 decays=all",
        lambda p: of.Adam(p, 0.05, weight_decay=0.1, amsgrad=True),
    ),
    ("adamw", "rate=0.05 decays=all", lambda p: of.AdamW(p, 0.05)),
    (
        "adamw",
        "rate=0.05 weight_decay=0.1 decays=all amsgrad=uncorrected",
        lambda p: of.AdamW(p, 0.05, weight_decay=0.1, amsgrad=True),
    ),
    ("adamax", "rate=0.05", lambda p: of.Adamax(p, 0.05)),
    (
        "adamax",
        "rate=0.05 weight_decay=0.1 decays=all",
        lambda p: of.Adamax(p, 0.05, weight_decay=0.1),
    ),
    ("nadam", "rate=0.05", lambda p: of.NAdam(p, 0.05)),
    (
        "nadam",
        "rate=0.05 momentum_decay=0.1 weight_decay=0.1 decays=all",
        lambda p: of.NAdam(p, 0.05, weight_decay=0.1, momentum_decay=0.1),
    ),
    ("radam", "rate=0.05", lambda p: of.RAdam(p, 0.05)),
    (
        "radam",
        "rate=0.05 beta2=0.95 weight_decay=0.1 decays=all",
        lambda p: of.RAdam(p, 0.05, betas=(0.9, 0.95), weight_decay=0.1),
    ),
    ("lbfgs", "rate=0.3 history=4", lambda p: of.LBFGS(p, 0.3, max_iter=1, history_size=4,
                                                       tolerance_grad=0, tolerance_change=0)),
]


def damped_momentum(parameters):
    """PyTorch's SGD leaves its first step undamped; one that begins with m = 0 damps it."""
    optimizer = of.SGD(parameters, 0.05, 0.8, 0.2, weight_decay=0.1)
    for parameter in parameters:
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


if __name__ == "__main__":
    lines = ["# name options… θ after steps " + ", ".join(map(str, SHOWN)) + ", of PyTorch "
             + torch.__version__.split("+")[0]]
    for name, options, make in CASES:
        words = options.split()
        values = trajectory(make or damped_momentum)
        if name == "lbfgs":  # later PyTorch remembers no pair, as all their sᵀy are below 1e-10
            values = values[: 4 * 5]
        lines.append(" ".join([name, str(len(words)), *words, *map(repr, values)]))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(lines) + "\n")
