"""The programs that are compared, and how each kind of number is taken from them."""
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import environment
from environment import HERE, Unavailable, run

# Base libraries that every C++ program has: they count for nobody.
RUNTIME = ("linux-vdso", "ld-linux", "libc.", "libm.", "libstdc++", "libgcc_s", "libpthread",
           "libdl", "librt")


TIMED = ("record/", "backward/", "step/", "memory/")  # what a benchmark's own list may tell


@dataclass
class Program:
    """One column of the table. A command that is empty has nothing to measure."""
    key: str
    title: str
    bench: list = field(default_factory=list)  # prints the timings
    memory: list = field(default_factory=list)  # five steps at batch 8192
    first_gradient: list = field(default_factory=list)
    compile: list = field(default_factory=list)  # of the ten-line program; output to be added
    libraries: list = field(default_factory=list)
    loads: list = field(default_factory=list)  # a program whose shared libraries count


def child_environment(threads, store):
    """The environment of every measured program: `threads` threads, and no detuned OpenBLAS."""
    env = {k: v for k, v in os.environ.items()
           if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
        env[name] = str(threads)
    eigen = "true" if threads > 1 else "false"
    env.update(
        JAX_PLATFORMS="cpu",
        XLA_FLAGS=f"--xla_cpu_multi_thread_eigen={eigen}",  # NPROC sizes XLA's own pool
        TORCHINDUCTOR_CACHE_DIR=str(store / "inductor"),
        TORCHINDUCTOR_COMPILE_THREADS="1",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONWARNINGS="ignore")
    return env


def wengert(root, arguments, notes):
    """Wengert as built in build/release; every missing piece is one note."""
    release = root / "build/release"
    program = Program("wengert", "Wengert")
    pieces = {"bench": release / "wengert", "first-gradient": release / "readme_program",
              "compile": root / "examples/readme.cc"}
    for piece, path in pieces.items():
        if not path.exists():
            notes.append(f"Wengert: no {path.relative_to(root)}, so no {piece} numbers")
            pieces[piece] = None
    if pieces["bench"]:
        program.bench = [pieces["bench"], "bench", "--json", *arguments]
        program.loads = [pieces["bench"]]
    if pieces["first-gradient"]:
        program.first_gradient = [pieces["first-gradient"]]
        program.loads = [pieces["first-gradient"]]
    if pieces["compile"]:
        program.compile = [*environment.CXX, "-c", pieces["compile"], "-I", release / "include"]
    program.libraries = sorted({path.resolve() for path in release.glob("libwengert.so*")})
    if not program.libraries:
        notes.append("Wengert: no build/release/libwengert.so, so no library size")
    return program


def libtorch(store, arguments):
    """PyTorch's C++ library, as its wheel brings it."""
    torch = environment.package_folder(torch_python(store), "torch")
    flags = environment.torch_flags(torch)
    bench = environment.compiled(HERE / "torch_bench.cc", store, flags)
    source = HERE / "torch_first_gradient.cc"
    first = environment.compiled(source, store, flags)
    return [Program("libtorch", "libtorch C++", [bench, *arguments],
                    [bench, "--memory", *arguments], [first],
                    [*environment.CXX, "-c", source, *environment.torch_includes(torch)],
                    libraries_of(first, within=torch), [first])]


def pytorch(store, arguments):
    """PyTorch from Python: eager, and with torch.compile."""
    python = torch_python(store)
    torch = environment.package_folder(python, "torch")
    script = [python, HERE / "torch_bench.py", *arguments]
    binding = torch / "lib/libtorch_python.so"
    return [Program("torch", "PyTorch", script, [*script, "--memory"],
                    [python, HERE / "torch_first_gradient.py"],
                    libraries=[binding, *libraries_of(binding, within=torch)]),
            Program("torch-compile", "torch.compile", [*script, "--compile"],
                    [*script, "--compile", "--memory"])]


def torch_python(store):
    return environment.ensure_environment(store / "torch", environment.TORCH)


def jax(store, arguments):
    """JAX from Python, its step under jit."""
    python = environment.ensure_environment(store / "jax", environment.JAX)
    script = [python, HERE / "jax_bench.py", *arguments]
    libraries = sorted(environment.package_folder(python, "jaxlib").rglob("*.so"))
    return [Program("jax", "JAX jit", script, [*script, "--memory"],
                    [python, HERE / "jax_first_gradient.py"], libraries=libraries)]


def libraries_of(program, within=None):
    """The shared libraries that a program or library loads, the C and C++ runtime left out."""
    found = set()
    for line in run(["ldd", program])[1].splitlines():
        path = next((word for word in line.split() if word.startswith("/")), None)
        if path is None or Path(path).name.startswith(RUNTIME):
            continue
        if within is None or within.resolve() in Path(path).resolve().parents:
            found.add(Path(path).resolve())
    return sorted(found)


class Bench:
    """Takes each kind of number once; every method gives a list of {name, unit, median, …}."""

    def __init__(self, env, run_once, log):
        self.env, self.run_once, self.log = env, run_once, log

    def timings(self, program):
        status, output = run(program.bench, self.env, timeout=900, log=self.log)
        if status != 0:
            raise Unavailable(f"its benchmark ended with status {status} (see {self.log})")
        return [e for e in parse(output) if e.get("name", "").startswith(TIMED)]

    def first_gradient(self, program):
        cost, _ = self.cost_of(program.first_gradient)
        if cost["first_output_ms"] < 0:
            raise Unavailable("its first-gradient program prints nothing")
        return [entry("startup/first-gradient", "ms", cost["first_output_ms"]),
                entry("resident/first-gradient", "MB", cost["peak_mb"])]

    def memory(self, program):
        cost, output = self.cost_of(program.memory)
        return [entry("memory/mlp-8192", "MB", cost["peak_mb"]), *parse(output)]

    def compile(self, program):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            status, _ = run([*program.compile, "-o", f"{folder}/out.o"], log=self.log)
            seconds = time.perf_counter() - start
        if status != 0:
            raise Unavailable(f"its ten-line program does not compile (see {self.log})")
        return [entry("compile/readme", "s", seconds)]

    def library_size(self, program):
        return [entry("size/library", "MB", stripped_mb(program.libraries))]

    def loaded_size(self, program):
        return [entry("size/loaded", "MB", stripped_mb(libraries_of(program.loads[0])))]

    def cost_of(self, command):
        """What run_once says about a command, and what that command printed."""
        _, output = run([self.run_once, *command], self.env, timeout=900, log=self.log)
        first, _, rest = output.partition("\n")
        cost = json.loads(first)
        if cost["status"] != 0:
            raise Unavailable(f"{Path(command[-1]).name} ended with status {cost['status']} "
                              f"(see {self.log})")
        return cost, rest


def entry(name, unit, value):
    return {"name": name, "unit": unit, "median": value}


def parse(output):
    try:
        listed = json.loads(output)
    except ValueError:
        raise Unavailable("its output is not JSON")
    if not isinstance(listed, list):
        raise Unavailable("its output is not a JSON list")
    return listed


def stripped_mb(libraries):
    """Size of the libraries, in MB of 10^6 bytes, as they are without symbols."""
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for library in libraries:
            copy = Path(folder) / "library"
            status, _ = run(["strip", "-o", copy, library])
            total += (copy if status == 0 else library).stat().st_size
    return total / 1e6
