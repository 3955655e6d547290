"""Policy gradient with a relu hidden layer, advantages given, entropy bonus."""

import numpy as np

from derive import Network, cross_entropy, log_softmax, mean, relu, softmax, total


def network():
    net = Network("policy_entropy")
    N, D, H, A = net.sizes("N D H A")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, A), net.parameter("b2", A)
    S, adv = net.input("S", N, D), net.input("adv", N)
    act, beta = net.labels("act", N, classes=A), net.input("beta")
    h = net.define("h", relu(S @ W1 + b1))
    z = net.define("z", h @ W2 + b2)
    entropy = net.define("entropy", -total(softmax(z) * log_softmax(z), axis=1))
    net.loss = mean(adv * cross_entropy(z, act)) - beta * mean(entropy)
    return net


def policy_gradient(W1, b1, W2, b2, S, adv, act, beta):
    n = len(S)
    h = S @ W1 + b1
    h[h < 0] = 0
    logits = h @ W2 + b2
    logits -= logits.max(axis=1, keepdims=True)
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    p = np.exp(logp)
    entropy = -(p * logp).sum(axis=1)
    loss = -(adv * logp[np.arange(n), act]).mean() - beta * entropy.mean()

    onehot = np.zeros_like(p)
    onehot[np.arange(n), act] = 1
    dlogits = (p - onehot) * adv[:, None]
    dlogits += beta * p * (logp + entropy[:, None])
    dlogits /= n
    dh = dlogits @ W2.T
    dh[h <= 0] = 0
    return loss, dict(W1=S.T @ dh, b1=dh.sum(0), W2=h.T @ dlogits, b2=dlogits.sum(0))


HANDED = policy_gradient

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "gradient_ascent": (
        "the policy term has the wrong sign (onehot - p)",
        [("dlogits = (p - onehot) * adv[:, None]",
          "dlogits = (onehot - p) * adv[:, None]")]),
    "entropy_plain": (
        "the entropy's gradient lacks the +entropy (softmax's normalisation): p*(logp)",
        [("beta * p * (logp + entropy[:, None])",
          "beta * p * logp")]),
    "advantage_forgotten": (
        "the advantage is not multiplied in",
        [("dlogits = (p - onehot) * adv[:, None]",
          "dlogits = p - onehot")]),
    "entropy_one_plus": (
        "the entropy's derivative by p (logp + 1) used as if by the logits",
        [("beta * p * (logp + entropy[:, None])",
          "beta * (logp + 1)")]),
    "entropy_sign_and_mask": (
        "entropy bonus with the wrong sign; relu's mask forgotten",
        [("dlogits += beta * p",
          "dlogits -= beta * p"),
         ("    dh[h <= 0] = 0\n",
          "")]),
    "softmax_overwritten": (
        "dlogits is p itself: p is overwritten before the entropy's gradient uses it",
        [("    dlogits = (p - onehot) * adv[:, None]\n",
          "    dlogits = p\n    dlogits -= onehot\n    dlogits *= adv[:, None]\n")]),
}
