#!/usr/bin/env python3
"""Writes python_written.safetensors: needs the packages numpy and safetensors (0.8.0 was used)."""
import pathlib

import numpy
from safetensors.numpy import save_file

save_file(
    {
        "f32": numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 2,
        "f64": numpy.array(0.1),
        "i32": numpy.array([-1, 2**31 - 1], dtype=numpy.int32),
        "i64": numpy.array([-(2**63)], dtype=numpy.int64),
        "u8": numpy.array([0, 128, 255], dtype=numpy.uint8),
        "bool": numpy.array([True, False, True]),
        "empty": numpy.zeros((2, 0), dtype=numpy.float32),
    },
    pathlib.Path(__file__).with_name("python_written.safetensors"),
    metadata={"format": "np", "ü": "β"},
)
