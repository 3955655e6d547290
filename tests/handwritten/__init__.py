"""Backprop as a person writes it, one network a file, importing NumPy alone.

Each file has `loss_and_grads(parameters..., inputs...)`, which returns the loss and the gradients by parameter name.
"""
