#!/usr/bin/env python3
"""Writes derivatives.txt: values and derivatives of elementwise ops at hard points.

Needs sympy and mpmath. Each derivative is taken symbolically and evaluated with 400 digits, so that
what cancels in double is right here. Points are float32 numbers: one file serves both precisions.
"""

import pathlib
import struct

import mpmath
import sympy

x = sympy.symbols("x", real=True)
TINY, SMALL = [1e-30, 1e-8, 1e-4], [0.03, 0.25, 0.5, 0.75]
TAILS = [1.0, 2.0, 5.0, 9.0, 15.0, 17.0, 20.0, 40.0, 80.0]
BEYOND = [90.0, 300.0, 700.0]
SIGNED = lambda points: [s * p for p in points for s in (1, -1)]
LINE = SIGNED(TINY + SMALL + TAILS)
UNIT = SIGNED(TINY + SMALL + [0.999, 1 - 2.0**-20])
POSITIVE = TINY + SMALL + TAILS + [1e8, 1e30]
BELL = [p for p in SIGNED(TINY + SMALL + [1.0, 2.5, 3.0, 5.0, 9.0]) if p != -0.75]
CUBIC = sympy.Rational(44715, 10**6)
SCALE = sympy.Rational("1.0507009873554804934193349852946")
ALPHA = sympy.Rational("1.6732632423543772848170429916717")
NEAR_ONE = [1 - 2.0**-20, 1 + 2.0**-20]

OPS = {
    "square": (x**2, LINE),
    "reciprocal": (1 / x, SIGNED([1e-4, 0.5, 1.0, 3.0, 1e8])),
    "sqrt": (sympy.sqrt(x), [1e-8] + SMALL + TAILS + [1e8]),
    "rsqrt": (1 / sympy.sqrt(x), [1e-8] + SMALL + TAILS + [1e8]),
    "cbrt": (x ** sympy.Rational(1, 3), [1e-8] + SMALL + TAILS + [1e8]),
    "exp": (sympy.exp(x), LINE),
    "exp2": (2**x, LINE),
    "expm1": (sympy.exp(x) - 1, LINE),
    "log": (sympy.log(x), NEAR_ONE + POSITIVE[1:]),
    "log2": (sympy.log(x) / sympy.log(2), NEAR_ONE + POSITIVE[1:]),
    "log10": (sympy.log(x) / sympy.log(10), NEAR_ONE + POSITIVE[1:]),
    "log1p": (sympy.log(1 + x), POSITIVE[:-1] + [-1e-8, -0.5, -0.999, -1 + 2.0**-20]),
    "sin": (sympy.sin(x), LINE + [1.5707964, 3.1415927, 1000.0]),
    "cos": (sympy.cos(x), LINE + [1.5707964, 3.1415927, 1000.0]),
    "tan": (sympy.tan(x), SIGNED(TINY + SMALL + [1.0, 1.5, 1.5707]) + [3.1415927, 20.0]),
    "asin": (sympy.asin(x), UNIT),
    "acos": (sympy.acos(x), UNIT),
    "atan": (sympy.atan(x), LINE + [1e8]),
    "sinh": (sympy.sinh(x), LINE),
    "cosh": (sympy.cosh(x), LINE),
    "tanh": (sympy.tanh(x), LINE),
    "asinh": (sympy.asinh(x), LINE + [1e8]),
    "acosh": (sympy.acosh(x), [1 + 2.0**-20, 1.001, 1.5, 2.0, 20.0, 1e8]),
    "atanh": (sympy.atanh(x), UNIT),
    "erf": (sympy.erf(x), SIGNED(TINY + SMALL + [1.0, 2.0, 3.0, 5.0, 9.0])),
    "erfc": (sympy.erfc(x), SIGNED(TINY + SMALL + [1.0, 2.0, 3.0, 5.0, 9.0])),
    "sigmoid": (1 / (1 + sympy.exp(-x)), LINE + SIGNED(BEYOND)),
    "log_sigmoid": (-sympy.log(1 + sympy.exp(-x)), LINE + SIGNED(BEYOND)),
    "softplus": (sympy.log(1 + sympy.exp(x)), LINE + SIGNED(BEYOND)),
    "silu": (x / (1 + sympy.exp(-x)), LINE + SIGNED(BEYOND)),
    "mish": (x * ((1 + sympy.exp(x)) ** 2 - 1) / ((1 + sympy.exp(x)) ** 2 + 1), LINE + SIGNED(BEYOND)),
    # Without −0.75 and 2, near which the first and the third derivative have zeros.
    "gelu": (x * sympy.erfc(-x / sympy.sqrt(2)) / 2, BELL),
    "gelu_tanh": (x / (1 + sympy.exp(-2 * sympy.sqrt(2 / sympy.pi) * (x + CUBIC * x**3))), BELL),
    "logit": (sympy.log(x) - sympy.log(1 - x), TINY[1:] + SMALL + [0.999, 1 - 2.0**-20]),
    # Of two operands, of which one is held.
    "div(1,x)": (1 / x, SIGNED([1e-4, 0.5, 1.0, 3.0, 1e8])),
    "pow(x,2.5)": (x ** sympy.Rational(5, 2), POSITIVE[1:-1]),
    "pow(x,-1.5)": (x ** sympy.Rational(-3, 2), [1e-4] + SMALL + TAILS + [1e8]),
    "pow(x,3)": (x**3, LINE),
    "pow(2,x)": (2**x, LINE),
    "pow(0.5,x)": (sympy.Rational(1, 2) ** x, LINE),
    "hypot(x,3)": (sympy.sqrt(x**2 + 9), LINE + SIGNED([1e4])),
    "hypot(3,x)": (sympy.sqrt(x**2 + 9), LINE + SIGNED([1e4])),
    "hypot(x,0.0001220703125)": (sympy.sqrt(x**2 + sympy.Rational(1, 2**26)), SIGNED([1e-8, 0.03, 1.0, 20.0])),
    "atan2(x,2)": (sympy.atan(x / 2), LINE + SIGNED([1e4])),
    "atan2(2,x)": (sympy.pi / 2 - sympy.atan(x / 2), LINE + SIGNED([1e4])),
    "bce_with_logits(x,0)": (sympy.log(1 + sympy.exp(x)), LINE + SIGNED(BEYOND)),
    "bce_with_logits(x,1)": (sympy.log(1 + sympy.exp(-x)), LINE + SIGNED(BEYOND)),
    "bce_with_logits(x,0.25)": (sympy.log(1 + sympy.exp(x)) - x / 4, LINE),
}
# Of two pieces that meet at 0: below and above.
PIECES = {
    "elu": (sympy.exp(x) - 1, x),
    "selu": (SCALE * ALPHA * (sympy.exp(x) - 1), SCALE * x),
    "celu": (sympy.exp(x) - 1, x),
    "softsign": (x / (1 - x), x / (1 + x)),
}


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def main():
    mpmath.mp.dps = 400
    lines = ["# op, x, f(x), f'(x), f''(x), f'''(x); written by derivatives.py"]
    rows = [(op, formula, points) for op, (formula, points) in OPS.items()]
    for op, (below, above) in PIECES.items():
        points = LINE + SIGNED(BEYOND)
        rows.append((op, below, [p for p in points if p < 0]))
        rows.append((op, above, [p for p in points if p > 0]))
    for op, formula, points in rows:
        orders = [sympy.lambdify(x, sympy.diff(formula, x, k), "mpmath") for k in range(4)]
        for point in map(float32, points):
            at = [mpmath.nstr(f(mpmath.mpf(point)).real, 20) for f in orders]
            lines.append(" ".join([op, repr(point), *at]))
    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
