import subprocess
import sys

import pytest

import choirbook


@pytest.mark.parametrize("name", choirbook.__all__)
def test_a_public_name_is_what_its_module_has(name: str) -> None:
    found = getattr(choirbook, name)
    assert getattr(sys.modules[found.__module__], name) is found


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'choirbook' has no attribute 'nothing'"):
        choirbook.nothing  # noqa: B018 - looking it up is what is tested


def test_importing_choirbook_imports_none_of_its_modules() -> None:
    probe = "import sys, choirbook; sys.exit(any(name.startswith('choirbook.') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=60)
