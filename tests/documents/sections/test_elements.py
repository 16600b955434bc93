import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.sections.elements import MAX_DEPTH, named_elements
from choirbook.documents.sections.outline import MAX_SECTIONS

TEMPLATE = b"""<?xml version="1.0"?>
<template name="prd">
  <variables><variable name="goal">A goal.</variable></variables>
  <document>
    <section name="goal" title="The goal"><body>{{goal}} &lt; <b>x</b></body></section>
    <section id="end" data=">"/>
    <section>unnamed</section>
  </document>
</template>
"""


def spans(data: bytes) -> list[tuple[str, str, int, bytes]]:
    return [(mark.name, mark.title, mark.level, data[mark.start : mark.end]) for mark in named_elements(data)]


def test_named_elements_are_found_with_their_tags() -> None:
    assert spans(TEMPLATE) == [
        ("prd", "prd", 1, TEMPLATE[TEMPLATE.index(b"<template") : -1]),
        ("goal", "goal", 3, b'<variable name="goal">A goal.</variable>'),
        (
            "goal",
            "The goal",
            3,
            b'<section name="goal" title="The goal"><body>{{goal}} &lt; <b>x</b></body></section>',
        ),
        ("end", "end", 3, b'<section id="end" data=">"/>'),
    ]
    assert [mark.is_leaf for mark in named_elements(TEMPLATE)] == [False, True, False, True]


BOMB = b"""<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa">%s]><t name="x">&z;</t>""" % b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(25)
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b'<a name="x">',
        b'<a name="x"></b>',
        b'<a name="x"/><b/>',
        b'<a name="x">&unknown;</a>',
        b'<a name="\xff"/>',
        BOMB,
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a name="x">&e;</a>',
        b'<!DOCTYPE a [<!ENTITY %% p "<!ENTITY e \'x\'>"> %%p;]><a name="x"/>',
        b'<!DOCTYPE a [<!ATTLIST a name CDATA "x">]><a/>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a name="x"/>',
        b'<!DOCTYPE a><a name="x"/>',
    ],
)
def test_what_is_not_well_formed_or_has_a_doctype_has_none(data: bytes) -> None:
    assert named_elements(data) == []


def test_only_what_is_near_the_top_is_found() -> None:
    deep = b"".join(b'<e id="d%d">' % depth for depth in range(100_000)) + b"</e>" * 100_000
    assert [mark.name for mark in named_elements(deep)] == [f"d{depth}" for depth in range(MAX_DEPTH)]


def test_their_number_is_bounded() -> None:
    wide = b"<r>" + b'<e id="x"/>' * (MAX_SECTIONS + 1) + b"</r>"
    assert len(named_elements(wide)) == MAX_SECTIONS


def test_offsets_are_bytes_in_a_document_of_several_pieces() -> None:
    data = "<r>{}<e name='é'>見</e></r>".format("é" * 200_000).encode()
    assert spans(data) == [("é", "é", 2, "<e name='é'>見</e>".encode())]


@given(
    st.lists(st.sampled_from(['<a id="x">', "</a>", "<b/>", "<!--", "-->", "t", "<![CDATA[", "]]>", "&lt;"]))
)
def test_any_markup_gives_marks_within_it(pieces: list[str]) -> None:
    data = f"<r>{''.join(pieces)}</r>".encode()
    for mark in named_elements(data):
        assert data[mark.start : mark.start + 7] == b'<a id="'
        assert data[mark.end - 4 : mark.end] == b"</a>"


@given(st.binary(max_size=200))
def test_any_bytes_are_borne(data: bytes) -> None:
    named_elements(data)
