"""What can be derived of a network beyond its gradients, as methods: each gives a program."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import Program


class Differentiable:
    """A network as the derivations see it: something that hands over its forward program."""

    def program(self) -> "Program":
        """Return the forward equations as they were written."""
        raise NotImplementedError

    def hessian_vector_product(self) -> "Program":
        """Return the product of the loss's Hessian with a direction, one array for each parameter, as a program."""
        from .hessians import hessian_vector_product

        return hessian_vector_product(self.program())

    def hessian(self, *parameters: str) -> "Program":
        """Return the loss's Hessian, a block for each pair of parameters (or of those named), as a program."""
        from .hessians import hessian

        return hessian(self.program(), parameters)

    def hessian_trace(self) -> "Program":
        """Return the trace of the loss's Hessian as a program."""
        from .hessians import hessian_trace

        return hessian_trace(self.program())
