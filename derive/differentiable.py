"""What can be derived of a network beyond its gradients, as methods: each gives a program."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sympy import Expr

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

    def hessian(self, *parameters: "str | Expr") -> "Program":
        """Return the loss's Hessian, a block for each pair of parameters (or of those named), as a program."""
        from .hessians import hessian

        return hessian(self.program(), _names(parameters))

    def hessian_trace(self) -> "Program":
        """Return the trace of the loss's Hessian as a program."""
        from .hessians import hessian_trace

        return hessian_trace(self.program())

    def tangent(self) -> "Program":
        """Return the loss and its derivative in a direction, those of the outputs too, as a program: forward mode."""
        from .hessians import tangent_of_loss

        return tangent_of_loss(self.program())

    def jacobian(self, variable: "str | Expr" = "", *parameters: "str | Expr") -> "Program":
        """Return the Jacobian of a variable, or of the first output, by each parameter (or by those named)."""
        from .hessians import jacobian

        return jacobian(self.program(), _names([variable])[0], _names(parameters))

    def gauss_newton(self, *outputs: "str | Expr") -> "Program":
        """Return the Gauss-Newton matrix J' H J, H the Hessian of the loss in the outputs, as a program."""
        from .curvature import gauss_newton

        return gauss_newton(self.program(), _names(outputs))

    def gauss_newton_vector_product(self, *outputs: "str | Expr") -> "Program":
        """Return the product of the Gauss-Newton matrix with a direction as a program."""
        from .curvature import gauss_newton_vector_product

        return gauss_newton_vector_product(self.program(), _names(outputs))

    def fisher(self, *outputs: "str | Expr") -> "Program":
        """Return the Fisher information, the loss being a negative log likelihood in natural parameters."""
        from .curvature import fisher

        return fisher(self.program(), _names(outputs))

    def empirical_fisher(self, over: "str | Expr | None" = None) -> "Program":
        """Return the mean outer product of per-example gradients; `over` is the size that counts examples."""
        from .curvature import empirical_fisher

        return empirical_fisher(self.program(), over=_names([over])[0])

    def per_example_gradients(self, over: "str | Expr | None" = None) -> "Program":
        """Return the gradients of each example, along a first axis; `over` is the size that counts examples."""
        from .per_example import per_example_gradients

        return per_example_gradients(self.program(), _names([over])[0])


def _names(given: Any) -> list:
    """Return the names of variables, or of a size, that are given by name or as what the network handed out."""
    return [getattr(v, "name", v) for v in given]
