"""Optimisers: steps for the parameters and gradients of any generated module.

    sgd       g = dW + weight_decay * W
              b = g + momentum * b
              W = W - learning_rate * b
    rmsprop   g = dW + weight_decay * W
              v = alpha * v + g**2 * (1 - alpha)
              W = W - learning_rate * g / (eps + sqrt(v))
    adam      g = dW + weight_decay * W
              m = g * (1 - beta1) + beta1 * m
              v = beta2 * v + g**2 * (1 - beta2)
              W = W - learning_rate * m / ((1 - beta1**t) * (eps + sqrt(v / (1 - beta2**t))))
    adamw     W = W - learning_rate * weight_decay * W
              m = dW * (1 - beta1) + beta1 * m
              v = beta2 * v + dW**2 * (1 - beta2)
              W = W - learning_rate * m / ((1 - beta1**t) * (eps + sqrt(v / (1 - beta2**t))))

A step takes the parameters, the gradients (NamedTuples of arrays, `Params`) and what the step before returned beside
the parameters (None at the first); it returns the new parameters and what to pass to the next. Arguments are never
modified, and float32 stays float32. t counts the steps from 1; b, m and v are 0 before the first.

Generated from derive/optimisers.py by `derive build`; do not edit.
"""

import numpy as np


def sgd(params, grads, state=None, *, learning_rate=0.01, momentum=0.9, weight_decay=0.0):
    """Return the parameters after a step of gradient descent with momentum, and the state for the next.

    Source: Sutskever et al., 2013, in the form without dampening.
    """
    if state is None:
        zeros = [np.zeros_like(dW) for dW in grads]
        state = (zeros,)
    (bs,) = state
    new_Ws, new_bs = [], []
    for W, dW, b in zip(params, grads, bs, strict=True):
        g = dW + weight_decay * W
        b = g + momentum * b
        W = W - learning_rate * b
        new_Ws.append(W)
        new_bs.append(b)
    return type(params)(*new_Ws), (new_bs,)


def rmsprop(params, grads, state=None, *, learning_rate=0.01, alpha=0.99, eps=1e-08, weight_decay=0.0):
    """Return the parameters after a step of RMSProp, and the state for the next.

    Source: Tieleman and Hinton, 2012, lecture 6.5.
    """
    if state is None:
        zeros = [np.zeros_like(dW) for dW in grads]
        state = (zeros,)
    (vs,) = state
    new_Ws, new_vs = [], []
    for W, dW, v in zip(params, grads, vs, strict=True):
        g = dW + weight_decay * W
        v = alpha * v + g**2 * (1 - alpha)
        W = W - learning_rate * g / (eps + np.sqrt(v))
        new_Ws.append(W)
        new_vs.append(v)
    return type(params)(*new_Ws), (new_vs,)


def adam(params, grads, state=None, *, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0):
    """Return the parameters after a step of Adam, and the state for the next.

    Source: Kingma and Ba, 2015, algorithm 1.
    """
    if state is None:
        zeros = [np.zeros_like(dW) for dW in grads]
        state = (0, zeros, zeros)
    t, ms, vs = state
    t = t + 1
    new_Ws, new_ms, new_vs = [], [], []
    for W, dW, m, v in zip(params, grads, ms, vs, strict=True):
        g = dW + weight_decay * W
        m = g * (1 - beta1) + beta1 * m
        v = beta2 * v + g**2 * (1 - beta2)
        W = W - learning_rate * m / ((1 - beta1**t) * (eps + np.sqrt(v / (1 - beta2**t))))
        new_Ws.append(W)
        new_ms.append(m)
        new_vs.append(v)
    return type(params)(*new_Ws), (t, new_ms, new_vs)


def adamw(params, grads, state=None, *, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01):
    """Return the parameters after a step of Adam with decoupled weight decay, and the state for the next.

    Source: Loshchilov and Hutter, 2019, algorithm 2.
    """
    if state is None:
        zeros = [np.zeros_like(dW) for dW in grads]
        state = (0, zeros, zeros)
    t, ms, vs = state
    t = t + 1
    new_Ws, new_ms, new_vs = [], [], []
    for W, dW, m, v in zip(params, grads, ms, vs, strict=True):
        W = W - learning_rate * weight_decay * W
        m = dW * (1 - beta1) + beta1 * m
        v = beta2 * v + dW**2 * (1 - beta2)
        W = W - learning_rate * m / ((1 - beta1**t) * (eps + np.sqrt(v / (1 - beta2**t))))
        new_Ws.append(W)
        new_ms.append(m)
        new_vs.append(v)
    return type(params)(*new_Ws), (t, new_ms, new_vs)
