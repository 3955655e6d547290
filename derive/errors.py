"""What the toolkit raises when a definition or a derivation cannot be right."""


class DefinitionError(ValueError):
    """A network was written that has no single meaning: the message names the thing, what it has and the remedy."""


class DerivationError(ValueError):
    """An expression cannot be differentiated or printed: the message names the expression."""


class MissingMethod(DefinitionError, AttributeError):
    """A method of NumPy's or PyTorch's arrays that is written in another way here."""
