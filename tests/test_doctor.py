"""The doctor: it evaluates programs as the modules do, takes code as it comes, and tells what it does."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sympy import tanh

from codegen import verify
from codegen.cli import main
from codegen.doctor import diagnose, examination, layered
from codegen.doctor.forward_mutants import mutants
from codegen.doctor.given_back import without
from codegen.doctor.returned import Taker
from codegen.doctor.trials import points
from codegen.memory import lambdify
from derive import Network, mean
from derive.networks import loading, named
from tests.coursework import networks
from tests.coursework.editing import edited
from tests.handwritten import lstm
from tests.handwritten import mlp as right

MLP = loading.named("mlp")


@pytest.mark.parametrize("name", loading.names())
def test_programs_evaluate_as_their_modules_do(name):
    program = loading.named(name).backward()
    function = lambdify(program)
    code = function.module.forward.__code__
    for point in points(program)[:2]:
        wanted = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
        sizes = {s.name: n for s, n in point.sizes.items() if s.name in wanted}
        loss, gradients = function(**point.arguments, **sizes)
        assert point.ours.values["loss"] == pytest.approx(float(loss), rel=1e-12)
        for p, ours in point.ours.gradients().items():
            assert verify.relative(getattr(gradients, p), ours) < 1e-10, p


@pytest.mark.parametrize("name", [n for n in loading.names() if n not in ("gpt", "alignment")])
def test_handwritten_backprop_is_right(name):
    function = verify.handwritten_function(name)
    if function is not None:
        diagnosis = diagnose(loading.named(name), function)
        assert diagnosis.right and not diagnosis.findings, str(diagnosis)


# ---- however it is written

W, B = np.ones((2, 3)), np.zeros(3)
SHAPES = {                              # what is returned; always the loss 1.5 or none, gradients W and B
    "loss and dictionary": (1.5, {"W": W, "b": B}),
    "dictionary and loss": ({"dW": W, "db": B}, 1.5),
    "dictionary with the loss": {"loss": 1.5, "grad_W": W, "grad_b": B, "grad_X": 0},
    "tuple": (1.5, (W, B)),
    "flat": (1.5, W, B),
    "flat, loss last": (W, B, 1.5),
    "without loss": [W, B],
    "inputs' too": (1.5, [W, B, np.ones(4)]),
    "an object": (np.float64(1.5), SimpleNamespace(W=W, b=B)),
    "array of one": (np.array([1.5]), {"W_grad": W, "b_grad": B}),
    "lists, biases first": (1.5, [B], [W]),
    "a dictionary in one": {"loss": 1.5, "grads": {"W": W, "b": B}},
    "a generator": (g for g in (W, B)),
    "pairs with names": (1.5, zip(("dJ_dW", "dJ_db"), (W, B), strict=True)),
    "pairs with names, flat": (1.5, ("dW", W), ("db", B)),
    "views": (1.5, {"W": W, "b": B}.items()),
    "values": {"W": W, "b": B}.values(),
    "the input's first": (np.ones((2, 2)), W, B),
    "none for the input": (None, W, B),
    "lists of numbers": (W.tolist(), B.tolist()),
}
OF_LAYERS = {                           # gradients of W1, b1, W2, b2
    "weights and biases": ([W, W.T], [B, B[:2]]),
    "biases and weights": ([B, B[:2]], [W, W.T]),
    "pairs": (1.5, [(W, B), (W.T, B[:2])]),
    "dictionaries": [{"dW": W, "db": B}, {"dW": W.T, "db": B[:2]}],
    "by layer": (1.5, {"layer2": {"W": W.T, "b": B[:2]}, "layer1": {"W": W, "b": B}}),
    "by number": {"b": {1: B, 2: B[:2]}, "W": {1: W, 2: W.T}},
    "lists by name": {"dW": [W, W.T], "db": [B, B[:2]]},
    "two keys": {("W", 1): W, ("b", 1): B, ("W", 2): W.T, ("b", 2): B[:2]},
    "one vector": (1.5, np.concatenate([W, B, W.T, B[:2]], axis=None)),
}


@pytest.mark.parametrize("given", SHAPES.values(), ids=SHAPES)
def test_what_is_returned_is_taken_apart(given):
    loss, gradients = Taker(["W", "b"], ["X"])(given, {"W": W.shape, "b": B.shape})
    assert loss is None or float(np.squeeze(loss)) == 1.5
    assert np.array_equal(gradients["W"], W) and np.array_equal(gradients["b"], B)


@pytest.mark.parametrize("given", [
    (1.5, [(W, W + 1), (B, B + 1)]), ([W, B], [W + 1, B + 1]), [("W", W, W + 1), ("b", B, B + 1)],
    {"params": {"W": W, "b": B}, "grads": {"W": W + 1, "b": B + 1}}, [SimpleNamespace(W=W, b=B, dW=W + 1, db=B + 1)]])
def test_parameters_may_be_given_back_beside_their_gradients(given):
    shapes = {"W": W.shape, "b": B.shape}
    gradients = Taker(["W", "b"], ["X"])(without([W.copy(), B.copy()], given), shapes)[1]
    assert np.array_equal(gradients["W"], W + 1) and np.array_equal(gradients["b"], B + 1)
    alone = Taker(["W", "b"], ["X"])(without([W, B], (1.5, W, B)), shapes)[1]
    assert alone["W"] is W and alone["b"] is B


def test_a_pair_in_the_order_of_the_arguments_beside_the_loss():
    order = Taker(["A", "V"], (), ["V", "A"])
    A, V = np.ones((3, 2)), np.zeros((4, 2, 3))
    for given in ((np.float64(1.5), (A, V)), (np.float64(1.5), (V, A))):
        gradients = order(given, {"A": A.shape, "V": V.shape})[1]
        assert gradients["A"] is A and gradients["V"] is V
        order.form = None


def test_a_list_may_have_itself_in_it():
    endless = [W]
    endless.append(endless)
    assert "W" in Taker(["W", "b"], ["X"])(endless)[1]
    with pytest.raises(ValueError, match="there is none for b"):
        Taker(["W", "b"], ["X"])({"W": W, "more": endless})


def test_a_number_may_be_a_gradient():
    loss, gradients = Taker(["w", "b"], ["X"])((B, 2.0), {"w": (3,), "b": ()})
    assert loss is None and gradients["w"] is B and gradients["b"] == 2.0
    assert Taker(["w", "b"], ["X"])(([1.0, 2.0, 3.0], 2.0), {"w": (3,), "b": ()})[1] == {"w": [1.0, 2.0, 3.0], "b": 2.0}


@pytest.mark.parametrize("given", OF_LAYERS.values(), ids=OF_LAYERS)
def test_what_is_returned_in_parts_is_taken_apart(given):
    shapes = {"W1": (2, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}
    loss, gradients = Taker([*shapes], ["X"])(given, shapes)
    assert loss in (None, 1.5)
    for name, wanted in zip(shapes, (W, B, W.T, B[:2]), strict=True):
        assert np.array_equal(gradients[name], wanted), name


def by_name(y, X, b2, b1, W2, W1):
    loss, g = right.loss_and_grads(W1, b1, W2, b2, X, y)
    return g, loss


def in_one(params, X, y):
    return right.loss_and_grads(params["W1"], params["b1"], params["W2"], params["b2"], X, y)


def in_list(weights, inputs, labels):
    loss, g = right.loss_and_grads(*weights, inputs, labels)
    return loss, [np.asfortranarray(v) for v in g.values()]


def in_single(*arguments):
    loss, g = right.loss_and_grads(*(np.float32(a) if np.asarray(a).dtype.kind == "f" else a for a in arguments))
    return loss, g


def half_correct_name(w1, B1, w2, B2, images, targets, verbose=False):
    return right.loss_and_grads(w1, B1, w2, B2, images, targets)[1]


def beside(X, y, params):
    return in_one(params, X, y)


def in_two(weights, data):
    return in_list(weights, *data)


def by_keywords(X, y, **params):
    loss, g = right.loss_and_grads(X=X, y=y, **params)
    return loss, [[g["b1"], g["b2"]], [g["W1"], g["W2"]]]


def in_lower_case(x, Y, w1, b1, w2, b2):
    return right.loss_and_grads(w1, b1, w2, b2, x, Y)


def in_dictionaries(params, batch):
    return right.loss_and_grads(**params, **batch)


def inputs_first(images, targets, w, bias, v, last):
    return right.loss_and_grads(w, bias, v, last, images, targets)


def in_half(*arguments):
    loss, g = right.loss_and_grads(*(np.float16(a) if np.asarray(a).dtype.kind == "f" else a for a in arguments))
    return loss, {n: np.asarray(v, np.float16) for n, v in g.items()}


STYLES = [by_name, in_one, in_list, in_single, half_correct_name, beside, in_two, by_keywords, in_lower_case,
          in_dictionaries, inputs_first, in_half]


@pytest.mark.parametrize("function", STYLES)
def test_other_styles_are_right(function):
    diagnosis = diagnose(MLP, function)
    assert diagnosis.right and not diagnosis.findings, str(diagnosis)


def test_a_recurrence_that_carries_nothing_back_is_named():
    carried = "dh_next, dc_next = np.tensordot(da, U, ((1, 2), (1, 2))), dc * f"
    found = diagnose(named("lstm"), edited(lstm.loss_and_grads, (carried, "pass")))
    assert len(found.findings) == 1
    assert "nothing is carried from one step to the step before, by dc or dh" in str(found)


# ---- what it does


class Counter:
    """Adds to what is there, and never sets it back."""

    def __init__(self):
        self.total = None

    def __call__(self, W1, b1, W2, b2, X, y):
        loss, g = right.loss_and_grads(W1, b1, W2, b2, X, y)
        same = self.total is not None and all(v.shape == self.total[n].shape for n, v in g.items())
        self.total = {n: v + self.total[n] for n, v in g.items()} if same else g
        return loss, self.total


def drawn_at_random(W1, b1, W2, b2, X, y):
    noise = np.random.default_rng().normal()
    return {n: v * noise for n, v in right.loss_and_grads(W1, b1, W2, b2, X, y)[1].items()}


def updates(W1, b1, W2, b2, X, y):
    loss, g = right.loss_and_grads(W1, b1, W2, b2, X, y)
    W1 -= 0.1 * g["W1"]
    return loss, g


def memory_order(W1, b1, W2, b2, X, y):
    X = np.ravel(X, order="K").reshape(X.shape)
    return right.loss_and_grads(W1, b1, W2, b2, X, y)


def cut(W1, b1, W2, b2, X, y):
    loss, g = right.loss_and_grads(W1, b1, W2, b2, X, y)
    result = {n: np.zeros_like(v) for n, v in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2))}
    for n in result:
        result[n] += g[n].astype(result[n].dtype)
    return loss, result


def updated_first(W1, b1, W2, b2, X, y):
    g = right.loss_and_grads(W1, b1, W2, b2, X, y)[1]
    other = right.loss_and_grads(W1, b1, W2, b2, X, y)[1]
    A = np.maximum(X @ W1 + b1, 0)
    Z = A @ W2 + b2
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(len(y)), y] -= 1
    dA = P / len(y) @ (W2 - 0.5 * other["W2"]).T * (A > 0)
    return {**g, "W1": X.T @ dA, "b1": dA.sum(axis=0)}


TOLD = {
    Counter(): r"twice the first: they are added to what is there",
    drawn_at_random: r"drawn at random",
    updates: r"writes into its arguments: W1 .*W1 -= 0.1",
    updated_first: r"dA1: W2 is read after its update, W2 - 0.5 dW2",
}


@pytest.mark.parametrize(("function", "told"), TOLD.items(), ids=[getattr(f, "__name__", "counter") for f in TOLD])
def test_what_it_does_is_told(function, told):
    diagnosis = diagnose(MLP, function)
    assert diagnosis.verdict == "wrong"
    assert re.search(told, str(diagnosis)), str(diagnosis)


def test_what_is_right_for_contiguous_arrays_only_is_told():
    diagnosis = diagnose(MLP, memory_order)
    assert diagnosis.verdict == "right" and "memory order for index order" in str(diagnosis)


def test_another_forward_pass_is_another_one_and_has_all_rows_of_its_states():
    net = networks.character_model()
    program = net.program()
    for mutant in mutants(program):
        assert {e.lhs for e in mutant.equations} == {e.lhs for e in program.defining(mutant.name)}, mutant.words
        assert not set(mutant.equations) <= set(program.equations), mutant.words


def test_an_error_of_its_own_is_told_beside_the_verdict(monkeypatch):
    net = Network("line")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    net.loss = mean((X @ w - y) ** 2)

    def broken(*_, **__):
        raise KeyError("of its own")

    monkeypatch.setattr(examination, "STRICT", False)
    for name in ("Search", "Repairs"):
        monkeypatch.setattr(examination, name, broken)
    found = diagnose(net, lambda w, X, y: X.T @ (X @ w - y) / len(y))
    assert found.verdict == "wrong" and found.kinds == ("unknown",) and "KeyError: 'of its own'" in str(found)
    assert diagnose(net, lambda w, X, y: 2 * X.T @ (X @ w - y) / len(y)).right


def test_integers_make_a_bad_check_not_a_bad_gradient():
    diagnosis = diagnose(MLP, cut)
    assert diagnosis.right
    assert "cut to integers" in str(diagnosis)


def test_arguments_of_ones_own_that_make_a_bad_check_are_told():
    at = {"W1": np.ones((4, 3), int), "b1": np.zeros(3), "W2": np.ones((3, 2), np.float32), "b2": np.zeros(2),
          "X": np.ones((5, 4)), "y": np.array([0, 1, 0, 1, 1])}
    diagnosis = diagnose(MLP, right.loss_and_grads, at=at)
    assert diagnosis.right
    assert "W1 in integers" in str(diagnosis) and "W2 in float32" in str(diagnosis)
    dead = {**at, "W1": np.ones((4, 3)), "W2": np.zeros((3, 2)), "X": np.zeros((5, 4)), "y": np.array([0, 1, 0, 1, 1])}
    assert "all derived gradients are 0" not in str(diagnose(MLP, right.loss_and_grads, at=dead))
    with pytest.raises(ValueError, match="at has no y"):
        diagnose(MLP, right.loss_and_grads, at={n: v for n, v in at.items() if n != "y"})


def test_code_that_fails_everywhere_is_no_verdict():
    diagnosis = diagnose(MLP, lambda *arguments: 1 / 0)
    assert diagnosis.verdict == "cannot tell" and "ZeroDivisionError" in str(diagnosis)


def test_an_unknown_mistake_is_honestly_unknown_and_placed():
    def odd(W1, b1, W2, b2, X, y):
        loss, g = right.loss_and_grads(W1, b1, W2, b2, X, y)
        eval("0")                       # so that it is not edited
        return loss, {**g, "W2": np.sin(3 * g["W2"]) + np.cumsum(g["W2"], axis=0) ** 2}

    diagnosis = diagnose(MLP, odd, seconds=5)
    assert diagnosis.kinds == ("unknown",)
    assert "no known mistake matches dW2; the first to differ on the way back is dW2 (equation 3" in str(diagnosis)


def test_data_of_a_narrower_kind_is_no_mistake():
    """P - Y is right where the rows of Y sum to one."""
    from derive import log_softmax, total

    net = Network("one_hot")
    N, D, C = net.sizes("N D C")
    W, X, Y = net.parameter("W", D, C), net.input("X", N, D), net.input("Y", N, C)
    net.loss = mean(total(-Y * log_softmax(net.define("Z", X @ W)), axis=1))

    def grads(W, X, Y, many=1):
        P = np.exp(X @ W)
        P /= P.sum(axis=1, keepdims=True)
        return -np.sum(Y * np.log(P)) / len(X), X.T @ (P - Y) / len(X) * many

    diagnosis = diagnose(net, grads)
    assert diagnosis.right and "Y is one-hot in each row" in str(diagnosis)
    diagnosis = diagnose(net, lambda W, X, Y: grads(W, X, Y, many=len(X)))
    assert diagnosis.kinds == ("mean",) and "W is N times" in str(diagnosis)


def test_a_cache_that_is_kept_by_shape_is_stale():
    kept = {}

    def grads(W1, b1, W2, b2, X, y):
        if X.shape not in kept:
            kept[X.shape] = np.maximum(X @ W1 + b1, 0)
        _, fresh = right.loss_and_grads(W1, b1, W2, b2, X, y)
        loss, P = cross(kept[X.shape] @ W2 + b2, y)
        return loss, {**fresh, "W2": kept[X.shape].T @ P}

    def cross(Z, y):
        P = np.exp(Z - Z.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        loss = -np.log(P[np.arange(len(y)), y]).mean()
        P[np.arange(len(y)), y] -= 1
        return loss, P / len(y)

    diagnosis = diagnose(MLP, grads)
    assert diagnosis.verdict == "wrong" and "a cache that is stale" in str(diagnosis)


def test_a_target_of_regression_is_any_number():
    """dr2 for dz2 happens to be right where y is 0 or 1, for then what a relu cuts off has no error; it is wrong."""
    net = loading.named("relu_network")

    def slipped(W1, b1, W2, b2, x, y):
        z1 = x @ W1 + b1
        r1 = np.maximum(z1, 0)
        z2 = r1 @ W2 + b2
        r2 = np.maximum(z2, 0)
        dr2 = r2 - y
        dz2 = dr2 * (z2 > 0)
        dz1 = W2 @ dz2 * (z1 > 0)
        return np.sum(dr2**2) / 2, np.outer(x, dz1), dz1, np.outer(r1, dr2), dz2

    diagnosis = diagnose(net, slipped)
    assert not diagnosis.right and "W2" in str(diagnosis)


# ---- on the command line


def checked(capsys, *line):
    with pytest.raises(SystemExit) as stop:
        main(["check", *line])
    return stop.value.code, capsys.readouterr().out


def test_the_command_line_names_the_mistake(tmp_path, capsys):
    text = Path(right.__file__).read_text(encoding="utf-8")
    path = tmp_path / "homework.py"
    path.write_text(text.replace("/ N", "") if "/ N" in text else text.replace("/= N", "/= 1").replace("/ len(X)", ""))
    status, out = checked(capsys, "mlp", "--against", f"{path}:loss_and_grads")
    assert status == 1
    assert "1/N" in out and "dW1, db1, dW2, db2" in out
    path.write_text(text)
    status, out = checked(capsys, "mlp", "--against", f"{path}:loss_and_grads")
    assert status == 0 and "mlp: right" in out


def test_a_layer_is_checked_by_its_two_functions():
    diagnosis = diagnose(networks.rectifier(), layered(lambda x: (np.maximum(x, 0), x), lambda dout, x: dout))
    assert diagnosis.kinds == ("mask",)
    assert diagnose(networks.rectifier(), layered(lambda x: np.maximum(x, 0), lambda dout, y: dout * (y > 0))).right


def test_what_a_layer_has_a_value_for_may_be_left_out():
    def forward(x, slope=0.0, more=0.0):
        return np.where(x > 0, x, slope * x) + more, x

    def backward(dout, x):
        return dout * (x > 0)

    function = layered(forward, backward)
    assert diagnose(networks.rectifier(), function).right
    x = np.array([1.0, -1.0])
    assert function(x, 2 * np.ones(2))[0] == function(dout=2 * np.ones(2), x=x)[0] == 2
    assert function(x, 1.0, 3.0, np.ones(2))[0] == 6
    with pytest.raises(TypeError, match="expected x, dout"):
        function(np.ones(2))


def test_what_is_no_number_is_told():
    net = named("neuron")
    found = diagnose(net, lambda W, X, y: {"W": X / 0}, seconds=1)
    assert found.verdict == "wrong" and re.search(r"dW is -?(nan|inf) everywhere: 0/0", str(found)), str(found)
    for wrong in (("neuron", len), (net, 3)):
        with pytest.raises(TypeError, match=r"is no (network|function); expected"):
            diagnose(*wrong)


def test_a_gradient_that_cancels_is_compared_with_what_cancels():
    """A bias before a normalisation has the gradient 0; code that leaves 1e-17 there is right."""
    net = Network("bias")
    N, D, H = net.sizes("N D H")
    X, G = net.input("X", N, D), net.input("G", N, H)
    W, b = net.parameter("W", D, H), net.parameter("b", H)
    Z = net.define("Z", X @ W + b)
    R = net.define("R", Z - mean(Z, axis=0))
    net.loss = mean(mean(G * R * R * R))

    def grads(W, b, X, G):
        Z = X @ W + b
        R = Z - Z.sum(0) / len(Z)
        dR = 3 * G * R * R / R.size
        dZ = dR - np.ones((len(Z), 1)) @ (dR.sum(0) / len(Z))[None]
        return np.mean(G * R**3), X.T @ dZ, np.ones(len(Z)) @ dZ

    assert diagnose(net, grads).right
    diagnosis = diagnose(net, lambda *arguments: (lambda loss, W, b: (loss, W, b + 1e-6))(*grads(*arguments)))
    assert diagnosis.verdict == "wrong"


@pytest.mark.parametrize(("lost", "equation"), [("dR", "equation 3, R"), ("dR * (1 - A * A)", "equation 2, A")])
def test_the_equation_told_is_the_one_that_sends_what_is_lost(lost, equation):
    net = Network("residual")
    N, D, H = net.sizes("N D H")
    W, X, T = net.parameter("W", D, H), net.input("X", N, D), net.input("T", N, H)
    Z = net.define("Z", X @ W)
    R = net.define("R", net.define("A", tanh(Z)) + Z)
    net.loss = mean((R - T) ** 2) * H

    def grads(W, X, T):
        A = np.tanh(X @ W)
        dR = 2 * (A + X @ W - T) / len(X)
        return X.T @ {"dR": dR * (1 - A * A), "dR * (1 - A * A)": dR}[lost]

    [found] = diagnose(net, grads).findings
    assert found.name == "dZ" and "missing" in str(found) and equation in str(found), str(found)
