#!/usr/bin/env python3
"""NumPy's side of tests/io/numpy_test.cc.

  numpy_files.py write         writes the files of the folder numpy/ as NumPy does
  numpy_files.py read FOLDER   reads files that the test left in FOLDER (it leaves them there where
                               WENGERT_NUMPY_FOLDER is set) and writes numpy/read.txt: each array's
                               file, name, dtype, shape and elements, and the file's CRC-32

Needs NumPy (recorded with 2.4.6).
"""

import pathlib
import sys
import zlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent / "numpy"


def arrays():
    count = np.arange(6).reshape(2, 3)
    yield "bool", np.array([[True, False], [False, True]])
    yield "uint8", np.array([0, 1, 255], np.uint8)
    yield "int32", (count - 3).astype(np.int32)
    yield "int64", np.array([-(2**63), 2**63 - 1, 0], np.int64)
    yield "float32", np.array([1.5, -0.0, np.inf, np.nan], np.float32)
    yield "float64", np.array([[0.1], [1e-300]])
    yield "scalar", np.array(2.5)
    yield "empty", np.zeros((2, 0, 3), np.float32)
    yield "fortran", np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype(np.int32))
    yield "big_int32", count.astype(">i4")
    yield "big_int64", count.astype(">i8")
    yield "big_float32", (count / 4).astype(">f4")
    yield "big_float64", np.asfortranarray((count / 8).astype(">f8"))


def write():
    HERE.mkdir(exist_ok=True)
    for name, array in arrays():
        np.save(HERE / f"{name}.npy", array)
    for version in (2, 3):
        with open(HERE / f"version{version}.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(3), version=(version, 0))
    np.save(HERE / "int16.npy", np.arange(3, dtype=np.int16))
    np.save(HERE / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(HERE / "records.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    some = dict(weight=np.arange(6, dtype=np.float32).reshape(2, 3), count=np.array(7))
    np.savez(HERE / "stored.npz", **some)
    np.savez_compressed(HERE / "deflated.npz", **some, zeros=np.zeros(5000, np.float32))
    np.savez(HERE / "unnamed.npz", np.arange(2), np.arange(3))
    np.savez(HERE / "none.npz")


def read(folder):
    lines = []
    for path in sorted(pathlib.Path(folder).iterdir()):
        loaded = np.load(path, allow_pickle=False)
        members = {"-": loaded} if path.suffix == ".npy" else {n: loaded[n] for n in loaded.files}
        for name, array in members.items():
            # What zlib packs differs by its version.
            crc = "-" if "deflated" in path.name else f"{zlib.crc32(path.read_bytes()):08x}"
            shape = ",".join(map(str, array.shape)) or "-"
            elements = " ".join(repr(float(x)) for x in array.reshape(-1)) or "-"
            lines.append("\t".join([path.name, name, array.dtype.str, shape, crc, elements]))
    (HERE / "read.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        write()
    elif len(sys.argv) == 3 and sys.argv[1] == "read":
        read(sys.argv[2])
    else:
        sys.exit(__doc__)
