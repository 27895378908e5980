#!/usr/bin/env python3
"""Writes schedules.txt: what PyTorch's schedules multiply the rate with at each step.

Needs torch (2.13.0 made the file beside this one). A line: name, steps of training, how many options
follow, these, and the factors from step 0 on.
"""

import pathlib
import warnings

import torch
from torch.optim import lr_scheduler as of

warnings.filterwarnings("ignore")  # steps without an optimizer's step are meant
STEPS = 40


def factors(make, rate=1.0):
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=rate)
    schedule = make(optimizer)
    result = []
    for step in range(STEPS):
        result.append(optimizer.param_groups[0]["lr"] / rate)
        if step + 1 < STEPS:
            schedule.step()
    return result


CASES = [
    ("exponential", "gamma=0.9", lambda o: of.ExponentialLR(o, 0.9)),
    ("step", "period=7 gamma=0.3", lambda o: of.StepLR(o, 7, 0.3)),
    ("multi_step", "milestones=3,11,30 gamma=0.5", lambda o: of.MultiStepLR(o, [3, 11, 30], 0.5)),
    ("cosine", "steps=39 final_share=0.1", lambda o: of.CosineAnnealingLR(o, 39, 0.1)),
    ("cosine", "final_share=0.1", lambda o: of.CosineAnnealingLR(o, 39, 0.1)),
    (
        "cosine_restarts",
        "period=6 final_share=0.05",
        lambda o: of.CosineAnnealingWarmRestarts(o, 6, 1, 0.05),
    ),
    ("cosine_restarts", "period=4 growth=2", lambda o: of.CosineAnnealingWarmRestarts(o, 4, 2)),
    (
        "linear_warm_up",
        "steps=9 first_share=0.25",
        lambda o: of.LinearLR(o, start_factor=0.25, total_iters=9),
    ),
    ("polynomial", "steps=25 power=2.5", lambda o: of.PolynomialLR(o, 25, 2.5)),
    (
        "one_cycle",
        "rise=0.3 first_share=0.04 final_share=0.000004",
        lambda o: of.OneCycleLR(o, max_lr=1.0, total_steps=STEPS, cycle_momentum=False),
    ),
    (
        "one_cycle",
        "rise=0.45 first_share=0.1 final_share=0.01 anneal=linear",
        lambda o: of.OneCycleLR(
            o,
            max_lr=1.0,
            total_steps=STEPS,
            pct_start=0.45,
            anneal_strategy="linear",
            cycle_momentum=False,
            div_factor=10,
            final_div_factor=10,
        ),
    ),
    ("linear_decay", "final_share=0.2", lambda o: of.LinearLR(o, 1.0, 0.2, 39)),
]

if __name__ == "__main__":
    lines = ["# name steps options… factors, of PyTorch " + torch.__version__.split("+")[0]]
    for name, options, make in CASES:
        words = options.split()
        lines.append(
            " ".join([name, str(STEPS), str(len(words)), *words, *map(repr, factors(make))])
        )
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(lines) + "\n")
