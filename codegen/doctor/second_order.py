"""Products with a Hessian as gradients: H v is the gradient of the loss's derivative in the direction v."""

from dataclasses import replace

from derive.network import Network
from derive.pipeline import derived, finished
from derive.program import Program
from derive.tangents import tangent


class HessianProduct:
    """A network's product of its Hessian with a direction, for `diagnose`.

    The function that is compared takes the parameters, the inputs, and a direction for each parameter (called Wdot for
    W), and returns an array for each parameter. Its loss, if it returns one, is the derivative of the network's loss.
    """

    def __init__(self, net: Network):
        self.net, self.name = net, f"{net.name}, Hessian times direction"

    def program(self) -> Program:
        """Return the forward equations of the derivative in the direction."""
        moving = tangent(self.net.program())
        loss = next(v.name for v in moving.variables.values() if v.tangent_of == moving.loss)
        return replace(moving, loss=loss, outputs=())

    def backward(self) -> Program:
        """Return forward and adjoint equations, simplified."""
        return finished(derived(self.program()))


Judged = Network | HessianProduct       # what the doctor knows the gradient of
