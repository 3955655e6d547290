"""The words of a language: sentences by key, translations of titles and notes. A language is a file words_CODE.py."""

from collections.abc import Mapping
from importlib import import_module

from .document import Formula, Reference, Span, Text, joined, phrase, sentence
from .document import Words as Plain


class Language:
    """The words of one language; `phrases` are translations of one's own."""

    def __init__(self, code: str, phrases: Mapping[str, str]):
        self.code, self.words = code, import_module(f".words_{code}", __package__)
        self.phrases = {**self.words.PHRASES, **phrases}

    def say(self, key: str, **parts: Text | Span | str) -> Text:
        """Return a sentence by its key."""
        return phrase(self.words.WORDS[key], **parts)

    def heading(self, key: str, **parts: Text | Span | str) -> Text:
        """Return a heading by its key."""
        return phrase(self.words.HEADINGS[key], **parts)

    def listed(self, texts: list[Text]) -> Text:
        """Return texts as prose lists them: a, b and c."""
        return joined(texts, self.words.COMMA, self.words.AND)

    def formulas(self, formulas: list[str]) -> Text:
        """Return formulas as prose lists them."""
        return self.listed([(Formula(f),) for f in formulas])

    def references(self, labels: list[str]) -> Text:
        """Return references to lines as prose lists them."""
        return self.listed([(Reference(label),) for label in labels])

    def facts(self, texts: list[Text]) -> Text:
        """Return statements as one sentence."""
        if not texts:
            return ()
        told = joined(texts, self.words.COMMA, self.words.WORDS["last of list"])
        if "are" in self.words.WORDS:
            return self.say("are", meanings=told)
        return (*sentence(told), Plain(self.words.FULL_STOP))

    def translated(self, text: str) -> str:
        """Return what a title, a note or a fact is called, the text itself where there is no translation.

        A phrase with {name} in it stands for all that have a variable's name in its place.
        """
        if text in self.phrases:
            return self.phrases[text]
        for phrase_of_any, translation in self.phrases.items():
            before, any_name, after = phrase_of_any.partition("{name}")
            name = text.removeprefix(before).removesuffix(after)
            if any_name and name.isidentifier() and text == f"{before}{name}{after}":
                return translation.replace("{name}", name)
        return text
