"""The smallest JAX program with a gradient: dy/dx of tanh(x x + 3 x) at x = 0.1."""
import jax
import jax.numpy as jnp

gradient = jax.grad(lambda x: jnp.tanh(x * x + 3 * x))
print(f"{float(gradient(0.1)):.6f}", flush=True)
