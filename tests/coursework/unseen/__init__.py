"""Hand-written backprop by somebody who had not seen the doctor: right pieces, and edits that make them wrong."""

from . import (
    attention,
    blocks,
    convolutions,
    courses,
    further,
    losses,
    more,
    normalisation,
    probabilistic,
    recurrent,
    vision,
    words,
)

__all__ = ["PARTS", "SUBMISSIONS", "more"]          # more mistakes in the pieces of the other parts

PARTS = (vision, normalisation, attention, recurrent, courses, words, losses, probabilistic, convolutions, blocks,
         further)
SUBMISSIONS = [submission for part in PARTS for submission in part.SUBMISSIONS]
