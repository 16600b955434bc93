import pytest
from hypothesis import given

from choirbook.catalog.rules import MAX_COLLECTIONS, Claim, Collection, default_rules, parse_rules
from choirbook.errors import InvalidLibrary, InvalidUri
from tests.support.strategies import paths, segments

ACME = """\
name = "acme-standards"

[[collection]]
type     = "pattern"
uri      = "mcp://resources/patterns/{language}/{name}"
files    = "patterns/{language}/patterns-{name}.md"
defaults = { language = "python" }

[[collection]]
type  = "template"
uri   = "mcp://resources/templates/{name}"
files = "templates/{name}.xml"
description = "A template."
"""


@pytest.mark.parametrize(
    ("path", "claim"),
    [
        ("sdlc-core.md", Claim("mcp://resources/sdlc/core", (), "sdlc")),
        ("docs/deep/sdlc-core.md", Claim("mcp://resources/sdlc/core", (), "sdlc")),
        ("go/patterns-core.md", Claim("mcp://resources/patterns/go/core", (), "pattern")),
        (
            "a/python/patterns-core.md",
            Claim("mcp://resources/patterns/python/core", ("mcp://resources/patterns/core",), "pattern"),
        ),
        (
            "templates/prd-template.xml",
            Claim("mcp://resources/templates/prd-template", (), "template"),
        ),
        ("templates/prd.xml", Claim("mcp://resources/files/templates/prd.xml", (), "file")),
        (
            "templates/a/prd-template.xml",
            Claim("mcp://resources/files/templates/a/prd-template.xml", (), "file"),
        ),
        ("patterns-core.md", Claim("mcp://resources/files/patterns-core.md", (), "file")),
        ("my sdlc-core.md", Claim("mcp://resources/files/my%20sdlc-core.md", (), "file")),
        ("a/b/ä.txt", Claim("mcp://resources/files/a/b/%C3%A4.txt", (), "file")),
        ("100%.txt", Claim("mcp://resources/files/100%25.txt", (), "file")),
    ],
)
def test_without_rules_the_sdlc_layout_is_recognised_and_all_else_is_a_file(path: str, claim: Claim) -> None:
    assert default_rules("library").claim(path) == claim


@pytest.mark.parametrize("path", ["a;b.txt", "a\\b.txt", "a\nb.txt", "a\u0308.txt", "\u202etxt.exe"])
def test_a_name_that_cannot_be_part_of_a_uri_is_refused(path: str) -> None:
    with pytest.raises(InvalidUri):
        default_rules("library").claim(path)


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InvalidUri):
        default_rules("library").claim("caf\udce9.txt")


@given(paths)
def test_every_path_of_proper_names_has_a_uri(path: str) -> None:
    claim = default_rules("library").claim(path)
    assert claim is not None
    assert claim.uri.startswith("mcp://resources/")


def test_the_rules_of_the_interface_are_read() -> None:
    rules = parse_rules(ACME, "fallback")
    assert rules.name == "acme-standards"
    assert rules.types == ("pattern", "template")
    assert not rules.follow_links
    assert [each.description for each in rules.collections] == ["", "A template."]
    claim = rules.claim("patterns/python/patterns-core.md")
    assert claim == Claim(
        "mcp://resources/patterns/python/core", ("mcp://resources/patterns/core",), "pattern"
    )
    assert rules.claim("patterns/deep/python/patterns-core.md") is None
    assert rules.claim("README.md") is None


def test_a_library_without_a_name_has_that_of_its_directory() -> None:
    rules = parse_rules(ACME.split("\n", 1)[1] + "\n", "fallback")
    assert rules.name == "fallback"


def test_links_are_followed_when_the_rules_say_so() -> None:
    assert parse_rules("follow_links = true\n" + ACME, "x").follow_links


@pytest.mark.parametrize(
    ("language", "uri"),
    [
        ("go", "mcp://resources/patterns/go/core"),
        ("python", "mcp://resources/patterns/python/core"),
        ("c++", "mcp://resources/patterns/c++/core"),
    ],
)
def test_an_alias_with_its_variable_given_stands_for_a_resource(language: str, uri: str) -> None:
    rules = parse_rules(ACME, "x")
    assert rules.resolve("mcp://resources/patterns/core", {"language": language, "other": "1"}) == uri


@pytest.mark.parametrize("uri", ["mcp://resources/patterns/go/core", "mcp://resources/templates/prd"])
def test_other_uris_stand_for_themselves(uri: str) -> None:
    assert parse_rules(ACME, "x").resolve(uri, {"language": "python"}) == uri
    assert parse_rules(ACME, "x").resolve(uri, {}) == uri


@pytest.mark.parametrize("language", ["", ".", "..", "a/b", "../x", "a;b", "\0"])
def test_a_value_of_a_client_that_cannot_be_a_segment_is_refused(language: str) -> None:
    with pytest.raises(InvalidUri):
        parse_rules(ACME, "x").resolve("mcp://resources/patterns/core", {"language": language})


@given(segments)
def test_a_collection_claims_what_its_pattern_names(name: str) -> None:
    claim = Collection("x", "mcp://resources/x/{name}", "x/{name}.md").claim(f"x/{name}.md")
    assert claim is not None
    assert claim.uri.startswith("mcp://resources/x/")


@pytest.mark.parametrize(
    ("files", "path", "is_claimed"),
    [
        ("*.md", "a.md", True),
        ("*.md", "a/b.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "a/b/c.md", True),
        ("a/**", "a/b/c", True),
        ("a/**", "b/c", False),
        ("a.md", "a-md", False),
        ("a+(b).md", "a+(b).md", True),
        ("{x}/b.md", "a/c/b.md", False),
        ("{+x}/b.md", "a/c/b.md", True),
    ],
)
def test_a_file_pattern_claims(files: str, path: str, is_claimed: bool) -> None:  # noqa: FBT001
    assert (Collection("x", "mcp://resources/x", files).claim(path) is not None) is is_claimed


def _collection(**changed: str) -> str:
    keys = {
        "type": '"x"',
        "uri": '"mcp://resources/x/{name}"',
        "files": '"x/{name}"',
    } | changed
    return "[[collection]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)


BROKEN = {
    "no TOML": ("name = 'x'\n= 3", "line 2"),
    "an unknown key": ("nmae = 'x'\n" + _collection(), "line 1: 'nmae' is not a key here"),
    "a name of the wrong type": ("name = 3\n" + _collection(), "line 1: 'name' must be a string"),
    "links of the wrong type": ("follow_links = 'yes'\n" + _collection(), "'follow_links' must be a boolean"),
    "no collection": ("name = 'x'", "no [[collection]]"),
    "an empty collection list": ("collection = []", "no [[collection]]"),
    "a collection that is a number": ("collection = 3", "[[collection]]"),
    "collections that are numbers": ("collection = [1, 2]", "[[collection]]"),
    "a table that is not a list": ("[collection]\ntype = 'x'", "[[collection]]"),
    "too many collections": (_collection() * (MAX_COLLECTIONS + 1), f"at most {MAX_COLLECTIONS}"),
    "no type": (_collection(type=""), "line 1: the collection has no 'type'"),
    "no uri": (_collection(uri=""), "line 1: the collection has no 'uri'"),
    "no files": (_collection() + _collection(files=""), "line 5: the collection has no 'files'"),
    "an unknown key of a collection": (_collection(kind="'x'"), "line 5: 'kind' is not a key here"),
    "a type that is no label": (_collection(type="'Big Type'"), "line 2: type 'Big Type'"),
    "a type of the wrong type": (_collection(type="3"), "line 2: 'type' must be a string"),
    "defaults that are a string": (_collection(defaults="'go'"), "line 5: 'defaults' must be a table"),
    "defaults that are numbers": (_collection(defaults="{ name = 1 }"), "line 5: the values of 'defaults'"),
    "defaults of another variable": (_collection(defaults="{ lang = 'go' }"), "line 5: defaults has 'lang'"),
    "a variable that files lack": (_collection(files="'x/*'"), "line 3: uri has {name}"),
    "a variable twice in files": (_collection(files="'{name}/{name}'"), "line 4: files"),
    "an expression of another kind in files": (_collection(files="'{name}/{a b}'"), "line 4: files"),
    "an expression of another kind in the uri": (_collection(uri="'mcp://resources/{?name}'"), "line 3"),
    "a variable twice in the uri": (_collection(uri="'mcp://resources/{name}/{name}'"), "line 3"),
    "files outside of the library": (_collection(files="'../{name}'"), "line 4: files"),
    "files at the root of the machine": (_collection(files="'/{name}'"), "line 4: files"),
    "a uri without a scheme": (_collection(uri="'resources/{name}'"), "line 3: uri"),
    "a uri with a query": (_collection(uri="'mcp://resources/{name}?x=1'"), "line 3: uri"),
    "a uri with a parent segment": (_collection(uri="'mcp://resources/../{name}'"), "line 3: uri"),
    "a key of too many parts": (
        "name = 'x'\n" + "a." * 5000 + "a = 1",
        "line 2: a key has more than 16",
    ),
    "a quoted key of too many parts": ("x = {" + '"\\"" . ' * 5000 + "a = 1}", "line 1: a key has more than"),
    "a number of thousands of digits": ("a = " + "1" * 5000, "not valid TOML"),
    "too many wildcards": (_collection(files="'{name}" + "*a" * 32 + "'"), "33 wildcards; at most 32"),
    "a nesting beyond all measure": ("a = " + "[" * 5000, "choirbook.toml"),
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_rules_are_told_with_their_line(text: str, reason: str) -> None:
    with pytest.raises(InvalidLibrary) as caught:
        parse_rules(text, "x")
    assert "choirbook.toml" in caught.value.message
    assert reason in caught.value.message


SECOND = {
    "an unknown key": (_collection(kind="'x'"), 9),
    "a type of the wrong type": (_collection(type="3"), 6),
    "a uri of the wrong kind": (_collection(uri="'resources/{name}'"), 7),
    "files that lack a variable": (_collection(files="'x/*'"), 7),
    "a missing key": (_collection(uri=""), 5),
    "defaults of another variable": (_collection(defaults="{ lang = 'go' }"), 9),
    "defaults that are a string": (_collection(defaults="'go'"), 9),
}


@pytest.mark.parametrize(("second", "line"), SECOND.values(), ids=SECOND.keys())
@pytest.mark.parametrize("between", ["", "# [[collection]]\n", "\n\n"])
def test_an_error_in_the_second_collection_is_told_with_its_line(
    second: str, line: int, between: str
) -> None:
    with pytest.raises(InvalidLibrary) as caught:
        parse_rules(_collection() + between + second, "x")
    assert f"choirbook.toml, line {line + between.count(chr(10))}: " in caught.value.message


@pytest.mark.parametrize(
    "uri", ["mcp://resources/x/{language}-{name}", "mcp://resources/x/a{language}/{name}"]
)
def test_a_default_for_a_part_of_a_segment_is_refused_or_makes_no_alias(uri: str) -> None:
    """An alias leaves a whole segment out; without one it would be the resource's own URI again."""
    text = _collection(uri=f"'{uri}'", files="'{language}/{name}'", defaults="{ language = 'go' }")
    try:
        claim = parse_rules(text, "x").claim("go/core")
    except InvalidLibrary:
        return
    assert claim is not None
    assert claim.uri not in claim.aliases
    assert len(set(claim.aliases)) == len(claim.aliases)
