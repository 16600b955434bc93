"""Checks of the script that refuses how docstrings may not begin."""

import pytest

from scripts.check_docstrings import main, problems

PLAIN = '''"""Sections of documents."""

LIMIT_S = 3
"""Maximum duration of one call, in seconds."""


class Outline:
    """Headings of one document."""

    size: int
    """Number of headings."""

    def find(self) -> int:
        """Find a heading. What is not there is 0."""
        return 0
'''


def test_docstrings_that_begin_with_a_verb_or_a_noun_are_accepted() -> None:
    assert list(problems("outline.py", PLAIN)) == []


@pytest.mark.parametrize("word", ["Have", "What", "Of"])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Sections of documents", 1),
        ("Maximum duration of one call", 4),
        ("Headings of one document", 8),
        ("Number of headings", 11),
        ("Find a heading", 14),
    ],
)
def test_refused_words_are_found_in_docstrings_of_every_kind(word: str, text: str, line: int) -> None:
    (problem,) = problems("outline.py", PLAIN.replace(f'"""{text}', f'"""{word} {text.lower()}'))
    assert problem.startswith(f'outline.py:{line}: docstring begins with "{word}"')


def test_a_word_on_the_line_after_the_quotes_is_refused_as_well() -> None:
    assert list(problems("late.py", '"""\n    What is late.\n"""\n'))


def test_a_longer_word_that_only_begins_alike_is_accepted() -> None:
    assert list(problems("often.py", '"""Often asked names."""\n')) == []


@pytest.mark.parametrize("word", ["How", "Where", "Who", "Whether"])
def test_clauses_are_refused_as_docstrings_of_modules_only(word: str) -> None:
    module = f'"""{word} sections are found."""\n'
    assert len(list(problems("module.py", module))) == 1
    assert list(problems("module.py", f'"""Sections."""\n\nFOUND = True\n{module}')) == []


def test_an_empty_module_has_nothing_to_refuse() -> None:
    assert list(problems("__init__.py", "")) == []


def test_all_files_of_the_project_are_accepted() -> None:
    assert main() == 0
