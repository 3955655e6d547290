"""The doctor's verdict on coursework: right on all of it, and of the wrong ones the mistake is named."""

import re

import pytest

from codegen.doctor import diagnose, layered
from tests.coursework import images, layers, losses, more, networks, perceptrons, sequences


def layer(module, name, backward=None):
    return layered(getattr(module, f"{name}_forward"), getattr(module, backward or f"{name}_backward"))


RIGHT = [                               # network, function
    (networks.affine, layer(layers, "affine")),
    (networks.rectifier, layer(layers, "relu")),
    (networks.batch_norm, layer(layers, "batchnorm")),
    (networks.batch_norm, layer(layers, "batchnorm", "batchnorm_backward_alt")),
    (networks.layer_norm, layer(layers, "layernorm")),
    (networks.dropout, layer(layers, "dropout")),
    (networks.softmax_loss, losses.softmax_loss),
    (networks.svm_loss, losses.svm_loss),
    (networks.two_layers, perceptrons.two_layer_net),
    (networks.columns, perceptrons.columns),
    (networks.sigmoids, perceptrons.class_based(perceptrons.Network)),
    (networks.logistic, perceptrons.logistic),
    (networks.logistic, perceptrons.logistic_single),
    (networks.least_squares, perceptrons.ridge),
    (networks.convolution, layer(images, "conv")),
    (networks.pooling, layer(images, "pool")),
    (networks.recurrent, layer(sequences, "rnn")),
    (networks.character_model, sequences.character_model),
    (networks.lstm_step, sequences.lstm_step),
    (networks.attention, sequences.attention),
    (networks.embedding, layer(sequences, "embedding")),
    (more.correlation, more.correlate),
    (more.gru_step, more.gru),
    (more.tied, more.tied_weights),
    (more.temporal, more.temporal_softmax),
    (more.residual, more.residual_block),
    (more.spatial, more.spatial_norm),
    (more.probabilities, more.jacobians),
    (more.divergence, more.normal_divergence),
    (networks.rectifier, layer(layers, "relu", "relu_backward_at_least")),      # another convention at 0 is no mistake
]
WRONG = [                               # network, function, what the diagnosis says, the parameters that it explains
    (networks.affine, layer(layers, "affine", "affine_backward_mean"), "mean", {"b"}),
    (networks.affine, layer(layers, "affine", "affine_backward_untransposed"), "w is transposed", {"x"}),
    (networks.affine, layer(layers, "affine", "affine_backward_unsummed"), "not summed", {"b"}),
    (networks.affine, layer(layers, "affine", "affine_backward_swapped"), "another order", {"x", "w"}),
    (networks.affine, layer(layers, "affine", "affine_backward_in_place"), "its arguments: dout.*by N",
     {"x", "w", "b"}),
    (networks.rectifier, layer(layers, "relu", "relu_backward_in_place"), r"dout\[cache <= 0\] = 0", set()),
    (networks.rectifier, layer(layers, "relu", "relu_backward_rebound"), "zero everywhere.*bound anew", {"x"}),
    (networks.rectifier, layer(layers, "relu", "relu_backward_of_dout"), "dout is read where", {"x"}),
    (networks.batch_norm, layer(layers, "batchnorm", "batchnorm_backward_no_variance"), "missing", {"x"}),
    (networks.batch_norm, layer(layers, "batchnorm", "batchnorm_backward_no_mean"), "missing", {"x"}),
    (networks.batch_norm, layer(layers, "batchnorm", "batchnorm_backward_no_scale"), "gamma.* missing", {"x"}),
    (networks.batch_norm, layer(layers, "batchnorm", "batchnorm_backward_no_eps"), "eps is taken to be 0", {"x"}),
    (networks.layer_norm, layer(layers, "layernorm", "layernorm_backward_wrong_axis"), "axis", {"x"}),
    (networks.dropout, layer(layers, "dropout", "dropout_backward_unscaled"), "1 / p is missing", {"x"}),
    (networks.softmax_loss, losses.softmax_loss_not_divided, "1/N is missing", {"x"}),
    (networks.softmax_loss, losses.softmax_loss_true_class_only, "true class", {"x"}),
    (networks.softmax_loss, losses.softmax_loss_epsilon, "epsilon = 0.001", {"x"}),
    (networks.softmax_loss, losses.softmax_loss_summed, "the loss is N times.*those of the loss returned", set()),
    (networks.svm_loss, losses.svm_loss_true_class_once, "counted once", {"x"}),
    (networks.two_layers, perceptrons.two_layer_net_twice_reg, "reg W[12] is doubled|reg.*doubled", {"W1", "W2"}),
    (networks.two_layers, perceptrons.two_layer_net_no_mask, r"mask \[.*> 0\] is missing", {"W1", "b1"}),
    (networks.two_layers, perceptrons.two_layer_net_two_mistakes, "1/N is missing.*mean", {"W1", "b1", "W2", "b2"}),
    (networks.columns, perceptrons.columns_not_squared, "1 - A1|lost its power", {"W1", "b1"}),
    (networks.columns, perceptrons.columns_bias_not_divided, "M too many|1/M is missing", {"b1"}),
    (networks.sigmoids, perceptrons.class_based(perceptrons.DoubleSigmoid), "at its value, not at its argument",
     {"W1", "b1", "W2", "b2"}),
    (networks.sigmoids, perceptrons.class_based(perceptrons.LastExample), "only the last n", {"W1", "b1", "W2", "b2"}),
    (networks.sigmoids, perceptrons.class_based(perceptrons.NoOuterPrime), "it is missing", {"W1", "b1", "W2", "b2"}),
    (networks.logistic, perceptrons.logistic_squared, "squared error", {"w", "b"}),
    (networks.logistic, perceptrons.logistic_flipped, "sign is wrong", {"w", "b"}),
    (networks.least_squares, perceptrons.ridge_half_penalty, "factor 2 of 2 lam", {"w"}),
    (networks.least_squares, perceptrons.ridge_on_bias, "regulariser", {"b"}),
    (networks.least_squares, perceptrons.ridge_no_two, "loss is that of another network.*those of the loss", set()),
    (networks.leaky, perceptrons.leaky_as_relu, "", {"W"}),
    (networks.convolution, layer(images, "conv", "conv_backward_minus_p"), r"slice \[p:-p\]", {"x"}),
    (networks.convolution, layer(images, "conv", "conv_backward_no_stride"), "S is ignored", {"x"}),
    (networks.convolution, layer(images, "conv", "conv_backward_overwritten"), "overwritten", {"x"}),
    (networks.pooling, layer(images, "pool", "pool_backward_overwritten"), "overwritten", {"x"}),
    (networks.recurrent, layer(sequences, "rnn", "rnn_backward_no_future"), "another step.*missing", None),
    (networks.recurrent, layer(sequences, "rnn", "rnn_backward_state_now"), "next step", {"Wh"}),
    (networks.recurrent, layer(sequences, "rnn", "rnn_backward_untransposed"), "Wh is transposed", None),
    (networks.character_model, sequences.character_model_clipped, "clipped", None),
    (networks.lstm_step, sequences.lstm_step_wrong_memory, "c is read where c0", {"Wx", "Wh", "b", "x", "h0"}),
    (networks.lstm_step, sequences.lstm_step_no_squash, "missing", None),
    (networks.attention, sequences.attention_diagonal, "diagonal", {"Wq", "Wk"}),
    (networks.attention, sequences.attention_unscaled, "missing", {"Wq", "Wk"}),
    (networks.embedding, layer(sequences, "embedding", "embedding_backward_assigned"), "overwritten", {"W"}),
    (more.correlation, more.correlate_flipped, "w is read backwards along k", {"x"}),
    (more.gru_step, more.gru_no_reset, "h is read where h_r should be", {"Un"}),
    (more.gru_step, more.gru_not_through, r"r\[n, h\] is missing", {"h"}),
    (more.tied, more.tied_encoder_only, "the term .* is missing", {"W"}),
    (more.temporal, more.temporal_unmasked, "mask.* is missing", {"x"}),
    (more.temporal, more.temporal_over_steps, "division by T too many", {"x"}),
    (more.residual, more.residual_no_skip, "term dout.* is missing", {"x"}),
    (more.spatial, more.spatial_over_batch, "over n where they should be over n, h, w", {"x"}),
    (more.probabilities, more.jacobians_diagonal, "diagonal", {"z"}),
    (more.divergence, more.normal_divergence_no_one, "the term -1 is missing", {"s"}),
    (more.divergence, more.normal_divergence_twice, "dm is 2 times", {"m"}),
    (networks.softmax_loss, losses.softmax_loss_jacobian_twice, "softmax's Jacobian is applied once more", {"x"}),
]


def name_of(row):
    return f"{row[0].__name__}-{getattr(row[1], '__name__', '')}"


@pytest.mark.parametrize("row", RIGHT, ids=[f"{k}-{r[0].__name__}" for k, r in enumerate(RIGHT)])
def test_never_cries_wolf(row):
    network, function = row
    diagnosis = diagnose(network(), function)
    assert diagnosis.right, str(diagnosis)
    assert not diagnosis.findings


@pytest.mark.parametrize("row", WRONG, ids=[f"{k}-{r[0].__name__}" for k, r in enumerate(WRONG)])
def test_names_the_mistake(row):
    network, function, words, explained = row
    diagnosis = diagnose(network(), function)
    text = " ".join(map(str, diagnosis.findings))
    assert diagnosis.verdict == "wrong", str(diagnosis)
    assert re.search(words, text), str(diagnosis)
    if explained is not None:
        assert {n for f in diagnosis.findings for n in f.explains} == explained, str(diagnosis)
    assert "unknown" not in diagnosis.kinds, str(diagnosis)


def test_the_whole_gradient_to_each_of_several_largest_is_told_and_right_elsewhere():
    diagnosis = diagnose(networks.pooling(), layer(images, "pool", "pool_backward_all_ties"))
    assert diagnosis.right, str(diagnosis)
    assert "right but where a maximum is attained twice" in diagnosis.headline()
    assert "every entry that attains a maximum gets the whole gradient" in str(diagnosis)
