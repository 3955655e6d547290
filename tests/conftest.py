"""Which tests of files that are quick take seconds each: they wait for `pytest -m slow`, where others show the same."""

import pytest

from codegen.doctor import examination

examination.STRICT = True       # an error of the doctor's own is a bug


def _of(test, *rows):
    return [f"{test}[{row}]" for row in rows]


LONG = {
    "test_adbench.py": _of("test_value_gradient_and_hessian_product", "complicated-<lambda>-hand_in_torch",
                           "adjustment-adjustment-adjustment_in_torch"),
    "test_argmin.py": ["test_sabotage_of_a_program_is_caught[equilibrium]"],
    "test_coursework.py": _of(
        "test_names_the_mistake", "21-two_layers", "24-sigmoids", "25-sigmoids", "30-least_squares", "34-convolution",
        "35-convolution", "41-lstm_step", "42-lstm_step"),
    "test_derivation.py": ["test_every_step_is_true[attention]"],
    "test_doctor.py": [
        "test_data_of_a_narrower_kind_is_no_mistake", "test_a_recurrence_that_carries_nothing_back_is_named",
        "test_handwritten_backprop_is_right[kalman_filter]",
        "test_programs_evaluate_as_their_modules_do[kalman_filter]",
        "test_a_gradient_that_cancels_is_compared_with_what_cancels"],
    "test_doctor_data.py": ["test_wrong_code_that_is_right_for_one_hot_features_is_wrong"],
    "test_doctor_sizes.py": ["test_an_order_of_axes_shows_where_halves_of_sizes_are_more_than_one"],
    "test_edited_loops.py": [
        "test_one_line_that_was_edited_is_told[in_other_axes-turned--]",
        "test_a_line_beside_a_gradient_that_is_told_by_itself", "test_a_sum_that_is_not_begun_anew_at_each_turn",
        "test_a_mistake_is_told_in_the_words_of_who_made_it[by_rows-normalised--]",
        "test_a_mistake_is_told_in_the_words_of_who_made_it[of_scaled_rows-scaled--]"],
    "test_explicit.py": _of(
        "test_agrees_on_every_network_and_every_variable_between", "gpt", "convolution_2d", "multi_head_attention",
        "lstm", "bidirectional", "transformer_block", "gru", "lenet", "convolution_1d"),
    "test_guards.py": ["test_a_larger_number_is_another_loss"],
    "test_implicit_kinds.py": ["test_a_hessian_is_the_products_with_it"],
    "test_layouts.py": ["test_what_fails_in_every_layout_is_told_of_the_networks_own"],
    "test_linear.py": ["test_the_same_program_comes_out_under_every_hash_seed_and_in_any_order"],
    "test_lines.py": _of(
        "test_what_should_stand_there_is_told", "dE[w.ravel()] = dx", "dxt = np.ones((T, 1, 1)) * dm",
        "np.outer(g, v)"),
    "test_mistakes.py": ["test_an_edit_is_caught_and_named[114-kept]"],
    "test_notebooks.py": ["test_committed_outputs_are_what_the_code_prints[backpropagation.ko]"],
    "test_notes.py": ["test_korean_notes_compile[every-step]", "test_compile_together[matrix]",
                      "test_notations_compile_together[{'level': 'every-step'}]"],
    "test_places.py": [
        r"test_what_stands_in_a_place_is_named[row0-dz3: .*z3\\[n, d\\] \\* \\(1 - z3\\[n, d\\]\\).* stands where]"],
    "test_random_networks.py": ["test_adjoints_agree_with_the_referee[19]"],
    "test_random_programs.py": ["test_a_wrong_rule_is_noticed_and_cut_down"],
    "test_repairs.py": [
        "test_a_list_that_nothing_is_in_yet_is_no_value_to_be_traced", "test_two_lines_are_told_one_by_one",
        "test_the_lines_at_fault_are_told_where_no_edit_helps", "test_methods_are_edited_too[dh @ self.U.T]",
        *_of("test_the_line_that_was_edited_is_told", "d[n % len(d)] -= 1", "back[back <= 0] = 0", "p = p / p.max()",
              "d * hidden[0][h]", "X[n] * back[-1]")],
    "test_scalar.py": _of("test_scalars_agree_with_the_numpy_module", "lstm", "elman_rnn", "attention"),
    "test_second_derivatives.py": [
        "test_hessian_product_and_trace_agree_with_pytorch_and_are_symmetric[elman_rnn]",
        "test_products_with_the_hessian_agree_with_pytorch[kalman_filter]"],
    "test_sequences_and_images.py": [
        "test_agrees_with_differences[gpt]",
        *_of("test_agrees_with_the_referee", "gpt", "convolution_2d", "multi_head_attention")],
    "test_slips_everywhere.py": [
        *_of("test_slips_of_a_recurrence", "slip1-the derivative of each activation is taken at its argument",
             "slip2-what begins at D + 1 is read one place early",
             "slip3-nothing is carried from one step to the step before"),
        "test_slips_that_are_told_as_they_were_made[slip0-dgamma: s[n, d] stands where (x[n, d] - mu[d]) / "
        "sqrt_var[d] should]",
        "test_columns_beside_a_bias_in_the_wrong_place"],
    "test_two_mistakes.py": [
        "test_two_are_told_one_by_one[terms]",
        "test_a_wrong_loss_and_the_line_that_makes_it_so_are_one_mistake"],
    "test_unseen.py": _of("test_a_mistake_is_caught_and_named", "161-smoothing", "162-smoothing"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session, items):
    """Mark the long tests slow; a whole run tells of names that no test has any more."""
    named = {(file, name) for file, names in LONG.items() for name in names}
    found = {(item.path.name, item.name): item for item in items}
    for key in named & found.keys():
        found[key].add_marker(pytest.mark.slow)
    files = {file for file, _ in found}
    stale = [f"{file}::{name}" for file, name in sorted(named - found.keys()) if file in files]
    if stale and not any("::" in argument for argument in session.config.args):
        raise pytest.UsageError(f"tests/conftest.py calls tests long that there are not: {', '.join(stale)}")
