"""Loss against the steps of training."""

from collections.abc import Mapping, Sequence

from .drawing import LINES, axes


def loss_curves(losses: Mapping[str, Sequence[float]] | Sequence[float], logarithmic: bool = True,
                steps: str = "step", loss: str = "loss") -> str:
    """Return a figure of one or several training runs as SVG, each run by its name; `steps`, `loss` name the axes.

    Raises
    ------
    ValueError
        There is no loss to draw, or one that is not finite; the message names the run.
    MissingExtra
        matplotlib is not installed.
    """
    runs = dict(losses) if isinstance(losses, Mapping) else {"": losses}
    for name, values in runs.items():
        if len(values) == 0 or not all(abs(v) < float("inf") for v in values):
            raise ValueError(f"the run {name!r} has {len(values)} losses; expected at least one, all of them finite")
    with axes() as (ax, picture):
        for k, (name, values) in enumerate(runs.items()):
            ax.plot(range(len(values)), [float(v) for v in values], color=LINES[k % len(LINES)], label=name)
        if logarithmic and all(v > 0 for values in runs.values() for v in values):
            ax.set_yscale("log")
        ax.locator_params(axis="x", integer=True)
        ax.set_xlabel(steps)
        ax.set_ylabel(loss)
        if any(runs):
            ax.legend()
    return picture[0]
