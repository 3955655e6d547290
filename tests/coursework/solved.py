"""Gradients through what is solved for: fixed points, linear systems, minima, determinants; right code edited."""

from derive.networks import loading
from tests.handwritten import (
    deep_equilibrium,
    gaussian_process,
    hyperparameters,
    kalman_filter,
    leave_one_out,
    probabilistic_pca,
)


def equilibrium():
    return loading.named("deep_equilibrium")


def process():
    return loading.named("gaussian_process")


def validation():
    return loading.named("hyperparameters")


def filtering():
    return loading.named("kalman_filter")


def components():
    return loading.named("probabilistic_pca")


def left_out():
    return loading.named("leave_one_out")


EQUILIBRIUM, PROCESS, VALIDATION = (m.loss_and_grads for m in (deep_equilibrium, gaussian_process, hyperparameters))
FILTER, COMPONENTS, LEFT_OUT = (m.loss_and_grads for m in (kalman_filter, probabilistic_pca, leave_one_out))
RIGHT = [
    (equilibrium, EQUILIBRIUM), (process, PROCESS), (validation, VALIDATION), (filtering, FILTER),
    (components, COMPONENTS), (left_out, LEFT_OUT),
]
WRONG = [
    (equilibrium, EQUILIBRIUM, [("np.eye(H) - W * s, d", "np.eye(H) - (W * s).T, d")], "not transposed"),
    (equilibrium, EQUILIBRIUM, [("np.eye(H) - W * s, d", "np.eye(H) - W.T * s, d")], "lam_Z: .*transposed"),
    (equilibrium, EQUILIBRIUM, [("np.linalg.solve(np.eye(H) - W * s, d)", "d")],
     "lam_Z: the (term .*missing|system is not solved)"),
    (equilibrium, EQUILIBRIUM, [("np.eye(H) - W * s, d", "np.eye(H) + W * s, d")], "lam_Z: .*sign"),
    (equilibrium, EQUILIBRIUM, [("dpre = slope * total", "dpre = total")], "dpre_Z: .*missing"),
    (equilibrium, EQUILIBRIUM, [("-A @ (dW + dW.T)", "-2 * A @ dW")], "dA: .*transposed|dA"),
    (process, PROCESS, [("(cho_solve(factor, np.eye(len(y))) - np.outer(alpha, alpha)) / 2",
                         "-np.outer(alpha, alpha) / 2")], "inverse_logdet_K.* missing"),
    (process, PROCESS, [("np.eye(len(y))) - np.outer", "np.eye(len(y))) + np.outer")], "sign"),
    (process, PROCESS, [('"signal": 2 * weighted.sum()', '"signal": weighted.sum()')], "factor 2|1/2"),
    (process, PROCESS, [("np.exp(2 * noise) * np.trace(dK)", "np.trace(dK)")], "exp_noise.* missing"),
    (process, PROCESS, [("weighted = dK * kernel", "weighted = dK")], "k.* missing"),
    (validation, VALIDATION, [("np.linalg.solve(hessian, dw)}", "dw}")], "lam_w: the system is not solved"),
    (validation, VALIDATION, [("-np.exp(rho) * w * np", "np.exp(rho) * w * np")], "sign"),
    (validation, VALIDATION, [("-np.exp(rho) * w * np", "-w * np")], "exp_rho.* missing"),
    (components, COMPONENTS, [("2 * dC @ W", "dC @ W")], "missing|factor|1/2"),
    (components, COMPONENTS, [("inverse @ S @ inverse) / 2", "inverse @ S) / 2")], "dC|lam_solve_C"),
    (left_out, LEFT_OUT, [(" - (by_fit * error) @ rows**2", "")], "missing"),
    (left_out, LEFT_OUT, [("lam * (w", "(w")], "exp_penalty.* missing"),
]
UNKNOWN = [                 # right verdicts, and where; a mutant of a filter takes too long to try all
    (filtering, FILTER, [("dm, dP = A.T @ dmu, A.T @ dQ @ A", "dm, dP = A.T @ dmu, 0 * dP")], "just these|dA"),
    (filtering, FILTER, [("dgain = np.outer(dm, v) - dP @ (C @ Q).T", "dgain = np.outer(dm, v)")], "just these|dA"),
]
