"""What the Python peers share: options, the timing loop, and the JSON list they print."""
import argparse
import json
import resource
import statistics
import time

SIZES = (784, 300, 100, 10)  # the MLP's layers, tanh between them
BATCH = 64
BATCHES = 16  # batches that a training run cycles through
RATE = 0.05  # of SGD
ADAM_RATE = 1e-3
DROPPED = 0.2  # by dropout
BIG_BATCH = 8192  # of the memory run
BIG_STEPS = 5


def options(description):
    """Reads the command line that every Python peer has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--memory", action="store_true",
                        help="five steps at batch 8192; the caller reads the peak size")
    parser.add_argument("--compile", action="store_true",
                        help="PyTorch only: torch.compile the step")
    return parser.parse_args()


def resident_mb():
    """This process's resident size now, in MB of 10^6 bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6


def result(name, unit, samples):
    """One entry of the printed list, from samples in `unit`."""
    p25, median, p75 = statistics.quantiles(samples, n=4, method="inclusive")
    return {"name": name, "unit": unit, "median": median, "p25": p25, "p75": p75}


def one_value(name, unit, value):
    return {"name": name, "unit": unit, "median": value, "p25": value, "p75": value}


def time_steps(step, quick, warm_up=30, name="step/mlp"):
    """Times step(i), which must wait until its work is done. Gives a row in microseconds."""
    samples = []
    steps = 100 if quick else 400
    for i in range(warm_up):
        step(i)
    for i in range(steps):
        start = time.perf_counter_ns()
        step(i)
        samples.append((time.perf_counter_ns() - start) / 1e3)
    return result(name, "us", samples)


def show(results):
    print(json.dumps(results), flush=True)
