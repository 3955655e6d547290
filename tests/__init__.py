"""The tests. A package, so that `tests.handwritten` is found here and never in someone else's `tests`."""
