"""Benchmarks: our generated modules beside hand-written NumPy, PyTorch, JAX and HIPS autograd, in one run."""
