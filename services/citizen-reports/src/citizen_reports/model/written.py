"""A check that a text from an operator to a reporter has some content."""

LETTERS_MIN = 8
WORDS_MIN = 2
DIFFERENT_LETTERS_MIN = 5


def says_something(text: str) -> bool:
    """Whether a text has at least LETTERS_MIN letters, WORDS_MIN different words and
    DIFFERENT_LETTERS_MIN different letters, so that it is neither punctuation alone nor one word
    repeated."""
    letters = [sign for sign in text.casefold() if sign.isalpha()]
    words = {"".join(filter(str.isalpha, word)) for word in text.casefold().split()} - {""}
    return (
        len(letters) >= LETTERS_MIN
        and len(words) >= WORDS_MIN
        and len(set(letters)) >= DIFFERENT_LETTERS_MIN
    )
