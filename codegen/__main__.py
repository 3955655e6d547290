"""`python -m codegen` is the command `derive`."""

from .cli import main

main()
