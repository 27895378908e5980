"""Gets the peers ready: their virtual environments, and their C++ programs compiled."""
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TORCH = ["torch==2.13.0"]
JAX = ["jax==0.10.2", "jaxlib==0.10.2"]
CXX = ["g++", "-std=c++20", "-O2"]


class Unavailable(Exception):
    """Something is missing; the text is the one line that tells the user."""


def say(text):
    print(f"bench_peers: {text}", file=sys.stderr, flush=True)


def run(command, env=None, timeout=1800, log=None):
    """Runs a command to its end and gives (status, stdout).

    Whatever it started ends with it if we are interrupted or it takes longer than `timeout` s.
    Its messages go to the file `log`, or nowhere.
    """
    with open(log or os.devnull, "ab") as messages:
        try:
            process = subprocess.Popen([str(word) for word in command], env=env, text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=messages, start_new_session=True)
        except OSError as error:
            raise Unavailable(f"cannot run {Path(command[0]).name}: {error.strerror}")
        try:
            output, _ = process.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Unavailable(f"{Path(command[0]).name} took longer than {timeout} s")
            raise
    return process.returncode, output


def open_store(folder):
    """Makes the folder that keeps environments and programs; one bench_peers at a time uses it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    lock = open(folder / ".lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Unavailable(f"another bench_peers is using {folder}")
    return lock


def ensure_environment(folder, pins):
    """Gives the Python of a virtual environment that holds exactly `pins`, made if need be.

    A stamp, written last, marks it complete. Without the stamp it is made anew.
    """
    python = folder / "bin" / "python"
    stamp = folder / "complete"
    wanted = " ".join(pins) + "\n"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    discard(folder)
    say(f"installing {' '.join(pins)} into {folder} (once)")
    folder.mkdir(parents=True)
    (folder / "of-bench_peers").touch()
    log = folder / "install.log"
    check([sys.executable, "-m", "venv", folder], log, "cannot make a virtual environment")
    refuse_cuda(python, pins, log)
    check([python, "-m", "pip", "install", "--quiet", *pins], log, f"cannot install {pins[0]}")
    partial = folder / "complete.partial"
    partial.write_text(wanted)
    partial.replace(stamp)
    return python


def discard(folder):
    """Removes an environment left half-made or outdated, but never a folder of someone else's."""
    if not folder.exists():
        return
    if not (folder / "of-bench_peers").exists():
        raise Unavailable(f"{folder} is not bench_peers' own; name another folder with --venv")
    shutil.rmtree(folder)


def check(command, log, complaint):
    status, output = run(command, log=log)
    if status != 0:
        raise Unavailable(f"{complaint} (see {log})")
    return output


def refuse_cuda(python, pins, log):
    """Looks at what pip would bring: gigabytes of CUDA libraries are not what we compare with."""
    report = check([python, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-", *pins],
                   log, f"cannot find {pins[0]}")
    names = [item["metadata"]["name"] for item in json.loads(report)["install"]]
    if any(name.startswith("nvidia") for name in names):
        raise Unavailable(f"pip would install the CUDA build of {pins[0]}; let it find the CPU "
                          "build (PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL) and run again")


def package_folder(python, package):
    """Where an environment keeps a package, found without importing it."""
    found = sorted(python.parents[1].glob(f"lib/python*/site-packages/{package}"))
    if not found:
        raise Unavailable(f"{package} is not in {python.parents[1]}")
    return found[0]


def torch_includes(torch):
    return ["-isystem", torch / "include", "-isystem", torch / "include/torch/csrc/api/include"]


def torch_flags(torch):
    """Compiler flags for a program that uses libtorch as it comes in the wheel."""
    lib = torch / "lib"
    return [*torch_includes(torch), f"-L{lib}", "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu",
            "-lc10", f"-Wl,-rpath,{lib}"]


def compiled(source, store, flags=()):
    """Gives the program compiled from `source`, from the store if nothing about it changed."""
    key = hashlib.sha256(source.read_bytes())
    key.update(repr([CXX, TORCH, [str(flag) for flag in flags]]).encode())
    key.update(run(["g++", "--version"])[1].encode())
    program = store / "programs" / f"{source.stem}-{key.hexdigest()[:12]}"
    if program.exists():
        return program
    say(f"compiling {source.name}")
    program.parent.mkdir(exist_ok=True)
    partial = program.with_suffix(".partial")
    log = program.parent / f"{source.stem}.log"
    check([*CXX, source, "-o", partial, *flags], log, f"cannot compile {source.name}")
    partial.replace(program)
    return program
