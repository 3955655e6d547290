"""Convolution by im2col, stride 2, padding 1, as a layer."""

import numpy as np
from sympy import Sum

from derive import Network, padded, total


def network():
    net = Network("conv_im2col")
    N, C, H, W, F = net.sizes("N C H W F")
    A, B = net.size("A", (H - 1) // 2 + 1), net.size("B", (W - 1) // 2 + 1)
    x, w, b = net.parameter("x", N, C, H, W), net.parameter("w", F, C, 3, 3), net.parameter("b", F)
    dout = net.input("dout", N, F, A, B)
    n, f, c, i, j, p, q = net.indices(n=N, f=F, c=C, i=A, j=B, p=3, q=3)
    tap = padded(x)[n, c, 2 * i + p - 1, 2 * j + q - 1]
    Y = net.define("Y", Sum(w[f, c, p, q] * tap, c, p, q) + b[f], over=(n, f, i, j))
    net.loss = total(dout * Y)
    return net


STRIDE, PAD = 2, 1


def im2col(x, fh, fw):
    N, C, H, W = x.shape
    oh = (H + 2 * PAD - fh) // STRIDE + 1
    ow = (W + 2 * PAD - fw) // STRIDE + 1
    img = np.pad(x, [(0, 0), (0, 0), (PAD, PAD), (PAD, PAD)])
    col = np.zeros((N, C, fh, fw, oh, ow))
    for r in range(fh):
        r_max = r + STRIDE * oh
        for s in range(fw):
            s_max = s + STRIDE * ow
            col[:, :, r, s] = img[:, :, r:r_max:STRIDE, s:s_max:STRIDE]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(N * oh * ow, -1)


def col2im(col, shape, fh, fw):
    N, C, H, W = shape
    oh = (H + 2 * PAD - fh) // STRIDE + 1
    ow = (W + 2 * PAD - fw) // STRIDE + 1
    col = col.reshape(N, oh, ow, C, fh, fw).transpose(0, 3, 4, 5, 1, 2)
    img = np.zeros((N, C, H + 2 * PAD + STRIDE - 1, W + 2 * PAD + STRIDE - 1))
    for r in range(fh):
        r_max = r + STRIDE * oh
        for s in range(fw):
            s_max = s + STRIDE * ow
            img[:, :, r:r_max:STRIDE, s:s_max:STRIDE] += col[:, :, r, s]
    return img[:, :, PAD:H + PAD, PAD:W + PAD]


def forward(x, w, b):
    N, C, H, W = x.shape
    FN, _, fh, fw = w.shape
    oh = (H + 2 * PAD - fh) // STRIDE + 1
    ow = (W + 2 * PAD - fw) // STRIDE + 1
    col = im2col(x, fh, fw)
    col_w = w.reshape(FN, -1).T
    out = col @ col_w + b
    out = out.reshape(N, oh, ow, FN).transpose(0, 3, 1, 2)
    return out, (x.shape, w, col, col_w)


def backward(dout, cache):
    shape, w, col, col_w = cache
    FN, C, fh, fw = w.shape
    dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)
    db = np.sum(dout, axis=0)
    dw = (col.T @ dout).transpose(1, 0).reshape(FN, C, fh, fw)
    dcol = dout @ col_w.T
    dx = col2im(dcol, shape, fh, fw)
    return dx, dw, db


HANDED = (forward, backward)

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "col2im_overwrites": (
        "col2im overwrites where windows overlap (= for +=): dx lacks contributions",
        [("s:s_max:STRIDE] += col[:, :, r, s]",
          "s:s_max:STRIDE] = col[:, :, r, s]")]),
    "reshape_without_transpose": (
        "dout reshaped to (-1, FN) without moving the channels last: dw, db, dx scrambled",
        [("dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)",
          "dout = dout.reshape(-1, FN)")]),
    "dw_reshape_order": (
        "dw reshaped without the transposition: entries scrambled",
        [("dw = (col.T @ dout).transpose(1, 0).reshape(FN, C, fh, fw)",
          "dw = (col.T @ dout).reshape(FN, C, fh, fw)")]),
    "crop_from_corner": (
        "the padding is cropped from the wrong corner: dx shifted by the padding",
        [("return img[:, :, PAD:H + PAD, PAD:W + PAD]",
          "return img[:, :, :H, :W]")]),
    "col2im_axes_and_bias_mean": (
        "col2im swaps the kernel's two axes when transposing; db averaged in place of summed",
        [("C, fh, fw).transpose(0, 3, 4, 5, 1, 2)",
          "C, fh, fw).transpose(0, 3, 5, 4, 1, 2)"),
         ("db = np.sum(dout, axis=0)",
          "db = np.mean(dout, axis=0)")]),
}
