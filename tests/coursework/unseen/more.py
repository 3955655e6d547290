"""More mistakes in the same submissions: two at once, and forward passes that are not the network's."""

from .attention import HEADS, SELF_ATTENTION, SEQ_ATTENTION
from .blocks import ACTIVATIONS, ERRORS_BACK, FASTAI, HIGHWAY, SCALAR_ENGINE
from .convolutions import DEPTHWISE, IM2COL, STRIDED, UPSAMPLING
from .courses import COLUMNS, MSE_ONE_HOT, SPARSE, UNROLLED
from .losses import CLIP, COSINE, FOCAL, ROBUST, TRIPLET
from .normalisation import BATCHNORM, LAYERNORM, WEIGHT_NORM
from .probabilistic import FACTORS, GAUSSIAN_FIT, POISSON, REINFORCE, VAE
from .recurrent import CAPTION_RNN, CHAR_RNN, D2L_GRU, LSTM_GIST
from .vision import TWO_LAYER
from .words import DISTILLATION, MAKEMORE, NAIVE_SOFTMAX, TIED

LAYERNORM.wrong(
    "two: gamma averaged over the batch; x lacks the path through the mean",
    ("(dout * xhat).sum(axis=0)", "(dout * xhat).mean(axis=0)"),
    ("(D * g - g.sum(axis=0) - h", "(D * g - h"),
    named=r"dgamma.*the sum over n is a mean.*dx.*the term \-1/D sum_d dR\[n, d\] is missing")
SEQ_ATTENTION.wrong("two: Wa without tanh's slope; v takes the states S, not tanh's output U",
                    ("S, dU * (1 - U ** 2))", "S, dU)"), ("'nt,ntk->k', de, U)", "'nt,ntk->k', de, S)"),
                    named=r"dpre_U.*the factor 1 - U\[n, t, h\]\^2 is missing.*dv.*is read where U should be")
NAIVE_SOFTMAX.wrong("two: centerVecs: the true word is not subtracted; outsideVecs: only the last word (assigned)",
                    ("gradCenterVec = outsideVectors.T @ delta", "gradCenterVec = outsideVectors.T @ y_hat"),
                    ("gradOutside += go", "gradOutside = go"),
                    named="the term -sum_m.*is missing.*dcenterVecs.*`gradOutside = go` should be `gradOutside [+]=")
DISTILLATION.wrong("two: the soft part is not divided by n; b is averaged",
                   ("- target) / n * T\n", "- target) * T\n"), ("d.sum(axis=0))", "d.mean(axis=0))"),
                   named="dZ.*(stands where|times what|divided by).*db.*the sum over n is a mean")
TRIPLET.wrong("two: the positive's sign; the batch's mean is missing (a sum)",
              ("dfp = 2 * (fp - fa)", "dfp = 2 * (fa - fp)"), ("[:, None] / len(anchor)", "[:, None]"),
              named="a mean's 1/N is missing.*dfp: the sign is wrong")
FOCAL.wrong("two: the negatives' modulating part has the wrong sign; b is averaged over the batch once more",
            ("dneg = -gamma", "dneg = gamma"), ("'b': dz.sum()", "'b': dz.mean()"),
            named="dp.*wrong sign.*db.*the sum over n is a mean")
COSINE.wrong("two: the sign of everything; not divided by the number of examples",
             ("dp = -(y", "dp = (y"), ("np.outer(x, dp) / len(X)", "np.outer(x, dp)"),
             named=r"dP.*a factor \(\-N\) too many")
GAUSSIAN_FIT.wrong("two: W lacks a factor 2; t lacks exp(t)",
                   ("'W': 2 * G @ W", "'W': G @ W"), ("np.exp(t) * np.trace(G)", "np.trace(G)"),
                   named="dt.*the factor exp_t is missing.*dW.*a factor 1/2 too many")
REINFORCE.wrong(
    "two: W1 without relu's mask; W2 averaged over the episode",
    ("    dh[eph <= 0] = 0\n", ""),
    ("np.dot(eph.T, epdlogp).ravel()", "np.dot(eph.T, epdlogp).ravel() / len(epx)"),
    named=r"dW2.*the sum over n is a mean.*dpre_logit.*mask \[pre_logit\[n, h\] > 0\] is missing")
FACTORS.wrong("two: P without its regulariser; bu's sign",
              ("dP, dQ, dbu = lam * P,", "dP, dQ, dbu = 0 * P,"), ("dbu[u] -= e", "dbu[u] += e"),
              named=r"dbu.*sign is wrong.*dP.*the term lam \* P\[u, k\] is missing")
POISSON.wrong("two: the regulariser is doubled in w; b is averaged once more",
              ("+ np.float32(lam) * w32", "+ 2 * np.float32(lam) * w32"), ("resid.sum())", "resid.mean())"),
              named="db.*the sum over n is a mean.*dw.*is doubled")
STRIDED.wrong(
    "two: A0: the kernel is not flipped; b: averaged over the positions",
    ("flipped = self.W[:, :, ::-1]", "flipped = self.W"),
    ("dLdZ.sum(axis=(0, 2))", "dLdZ.sum(axis=0).mean(axis=1)"))
IM2COL.wrong("two: relu's mask is missing (w, b); w is not divided by the batch, b is: w N times too large",
             ("dz = (z > 0) *", "dz = np.ones_like(z) *"), ("dw = np.tensordot(dz, cols, axes=([0, 1], [0, 1]))",
              "dw = N * np.tensordot(dz, cols, axes=([0, 1], [0, 1]))"),
             named=r"dz.*mask \[z\[n, f, i, k\] > 0\] is missing.*dw.*mean's 1/N is missing")
WEIGHT_NORM.wrong(
    "two: V's path through the norm is missing; b is averaged over the batch",
    (" - (self.g * dg / self.norm ** 2)[:, None] * self.V", ""),
    ("dout.sum(axis=0)", "dout.mean(axis=0)"),
    named=r"db.*the sum over n is a mean.*dV.*the term 2 dsum_r\[k\] \* V\[k, d\] is missing")
ERRORS_BACK.wrong(
    "two: who's sign is turned; wih lacks the hidden units' slope",
    ("dwho = -np", "dwho = np"),
    ("hidden_errors * hidden_outputs * (1.0 - hidden_outputs)", "hidden_errors"))
LSTM_GIST.wrong(
    "two: input and forget gates' gradients get each other's factor; the output gate gets the memory, not its tanh",
    ("dIFOGf[t, :, :d] = IFOGf[t, :, 3*d:] * dC[t]", "dIFOGf[t, :, :d] = prevc * dC[t]"),
    ("dIFOGf[t, :, 2*d:3*d] = tanhCt * dHout[t]", "dIFOGf[t, :, 2*d:3*d] = C[t] * dHout[t]"))
CLIP.wrong("two: t is averaged over the pairs; W_t's normalisation is left out",
           ("dt = np.sum(dlogits * logits)", "dt = np.mean(dlogits * logits)"),
           ("dT = l2_normalize_backward(dcos.T @ I_e, T_e, T_n)", "dT = dcos.T @ I_e"),
           named=r"dt.*division by \(N\^2\) too many.*dW_t.*is read where dQ should be")
ROBUST.wrong("two: the linear part lacks kappa; the sign of everything",
             ("kappa * np.sign(err)) / len(y)", "np.sign(err)) / -len(y)"))
MSE_ONE_HOT.wrong("two: hidden errors without the output's slope; bh averaged",
                  ("d_loss__a_h = np.dot(delta_out, self", "d_loss__a_h = np.dot(d_loss__d_a_out, self"),
                  ("np.sum(d_loss__a_h * d_a_h__d_z_h, axis=0)", "np.mean(d_loss__a_h * d_a_h__d_z_h, axis=0)"),
                  named="dA.*(stands where|times what|divided by).*dwh.*mean's 1/N is missing")

VAE.wrong("loss: the forward pass takes exp(logvar) for the standard deviation (its gradient agrees with that)",
          ("std = np.exp(0.5 * logvar)", "std = np.exp(logvar)"), ("eps * std * 0.5", "eps * std"),
          named="the loss is that of another network, in which")
LAYERNORM.wrong("loss: epsilon is added to the deviation, not to the variance, forward",
                ("std = np.sqrt(xt.var(axis=0) + 1e-5)", "std = xt.std(axis=0) + 1e-5"))
BATCHNORM.wrong("loss: the variance is divided by N - 1 forward (unbiased), by N backward",
                ("var = 1. / N * np.sum(sq, axis=0)", "var = 1. / (N - 1) * np.sum(sq, axis=0)"),
                named="the loss is that of another network, in which")
COLUMNS.wrong("loss: an epsilon inside the logarithm", ("np.log(A3) + (1 - Y)", "np.log(A3 + 1e-4) + (1 - Y)"))
CAPTION_RNN.wrong("loss and all: divided by the number of words (the mask's sum), not by the batch",
                  ("np.log(probs[np.arange(N * T), y])) / N", "np.log(probs[np.arange(N * T), y])) / m.sum()"),
                  ("dscores /= N\n", "dscores /= m.sum()\n"))
HEADS.wrong("dout is modified in place (an argument), so that the loss is another",
            ("    dx = dout + dqkv @ flat.T\n", "    dout += dqkv @ flat.T\n    dx = dout\n"),
            named="writes into its arguments.*the loss is not the network's")
TWO_LAYER.wrong("X is modified in place (centred), so that the loss is another",
                ("    N = X.shape[0]\n", "    N = X.shape[0]\n    X -= X.mean(axis=0)\n"),
                named="writes into its arguments.*the loss is not the network's")
D2L_GRU.wrong(
    "loss: the reset gate is applied after the product with W_hh, another GRU, gradient too",
    ("(R * H) @ W_hh + b_h)", "R * (H @ W_hh) + b_h)"),
    ("dRH = dC @ W_hh.T\n        dR = dRH * H * R * (1 - R)",
     "dRH = (dC * R) @ W_hh.T\n        dR = dC * (H @ W_hh) * R * (1 - R)"),
    ("(R * H).T @ dC", "H.T @ (dC * R)"),
    ("dRH * R + dZ @", "dRH + dZ @"))
SELF_ATTENTION.wrong(
    "loss: scores are divided by D, not by its root, forward and backward",
    ("s = q @ k.T / np.sqrt(x.shape[1])", "s = q @ k.T / x.shape[1]"),
    ("ds = ds / np.sqrt(x.shape[1])", "ds = ds / x.shape[1]"), named="the loss is that of another network, in which")
UNROLLED.wrong(
    "loss: the softmax's cross-entropy in place of the sum of logistic ones (forward); gradient the logistic one",
    ("J = np.sum(-Y * np.log(h) - (1 - Y) * np.log(1 - h)) / m", "J = np.sum(-Y * np.log(h)) / m"))
CHAR_RNN.wrong(
    "everything: averaged over the steps where the loss is a sum",
    ("dy[targets[t]] -= 1\n", "dy[targets[t]] -= 1\n        dy /= len(inputs)\n"), named="dy.*division by T too many")
CHAR_RNN.wrong("everything: the target is shifted, the input's own character is taken for it",
               ("dy[targets[t]] -= 1\n", "dy[inputs[t]] -= 1\n"), named="dy.*(stands where|times what|divided by)")
SPARSE.wrong("W1, b1: the average activation is taken over the units, not over the examples (wrong axis), backward",
             ("sparsity = beta * (-rho / rho_hat + (1 - rho) / (1 - rho_hat))\n",
              "rho_hat = a2.mean(axis=1) * 0 + a2.mean()\n"
              "    sparsity = beta * (-rho / rho_hat + (1 - rho) / (1 - rho_hat))\n"))
TIED.wrong("E: the output layer's part takes the embedded words, not the hidden units (wrong array)",
           ("dE = dlogits.T @ h", "dE = dlogits.T @ wte"), named="dE.*is read where H should be")
MAKEMORE.wrong("W2: takes the pre-activation, not tanh of it", ("dW2 = h.T @ dlogits", "dW2 = hpreact.T @ dlogits"),
               named="dW2.*is read where A should be")
HIGHWAY.wrong("x: WH is not transposed on the way back",
              ("da_h @ WH.T", "da_h @ WH"), named="dx.*is transposed")
DEPTHWISE.wrong(
    "x: only the last tap's slice is kept, the windows are overwritten",
    ("+= wd[:, di, dj].reshape(-1, 1, 1) * dh", "= wd[:, di, dj].reshape(-1, 1, 1) * dh"))
UPSAMPLING.wrong(
    "x, w: divided by the size before upsampling, four times too large",
    ("2 * (out - Y) / Y.size", "2 * (out - Y) / x.size"), named="dh: a factor 4 too many")
FASTAI.wrong("b1: summed over the units too, every unit gets the sum over everything",
             ("self.b.g = out.g.sum(0)", "self.b.g = out.g.sum() * np.ones(self.b.shape)"))
SCALAR_ENGINE.wrong("loss: the regulariser is N times too large, in the loss and in the gradients",
                    ("L = data_loss + reg * float(alpha)", "L = data_loss + reg * float(alpha) * len(X)"),
                    named="the loss is that of another network, in which")
ACTIVATIONS.wrong(
    "W4 and all: swish's input is used for its output: R * (z + s (1 - z))",
    ("(swish + s * (1 - swish))", "(z4 + s * (1 - z4))"), named=r"dZ4.*the factor sigmoid\(Z4\[n, d\]\) is missing")
