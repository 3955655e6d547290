"""Derived modules, one network each; every one needs NumPy alone. Written by `derive build`; do not edit."""
