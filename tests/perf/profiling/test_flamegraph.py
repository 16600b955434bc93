import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.plots import flame
from choirbook_perf.profiling.flamegraph import MIN_SHARE, boxes_of, svg_of
from choirbook_perf.profiling.stacks import shares_of

names = st.sampled_from(["a.py:f", "a.py:g", "b.py:<listcomp>", 'c & "d" [kernel]', "process 7"])
stacks = st.dictionaries(st.lists(names, min_size=1, max_size=5).map(tuple), st.integers(1, 50), min_size=1)


@given(stacks)
def test_graph_has_the_shares_of_the_table(counted: dict[tuple[str, ...], int]) -> None:
    drawn = {one.name: one for one in flame.functions(flame.parse(svg_of(counted, "title", "note")))}
    for share in shares_of(counted):
        assert drawn[share.function].own == pytest.approx(share.own, abs=1e-4)
        assert drawn[share.function].cumulative == pytest.approx(share.cumulative, abs=1e-4)


@given(stacks)
def test_boxes_lie_within_the_box_above_and_do_not_overlap(counted: dict[tuple[str, ...], int]) -> None:
    boxes = boxes_of(counted)
    assert (boxes[0].function, boxes[0].samples) == ("all", sum(counted.values()))
    for box in boxes[1:]:
        assert any(
            above.depth == box.depth - 1
            and above.start <= box.start
            and box.start + box.samples <= above.start + above.samples
            for above in boxes
        )
    for one in boxes:
        beside = [other for other in boxes if other.depth == one.depth and other.start > one.start]
        assert all(one.start + one.samples <= other.start for other in beside)


def test_file_is_svg_with_title_note_and_escaped_names() -> None:
    root = ET.fromstring(svg_of({("a.py:<lambda>", "b & c"): 3}, "A title", "A note"))  # noqa: S314 - our own
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A title", "A note", "a.py:<lambda>", "b & c", "all"} <= set(texts)
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "b & c (3 samples, 100.00%)" in titles


def test_components_have_colours_of_their_own() -> None:
    drawn = svg_of({("tcp_sendmsg [kernel]",): 1, ("(no symbol) [Granian]",): 1, ("x [uvloop]",): 1}, "", "")
    assert [kind in drawn for kind in ('class="kernel"', 'class="granian"', 'class="other"')] == [True] * 3


def test_a_box_too_narrow_to_see_is_left_out() -> None:
    many = round(2 / MIN_SHARE)
    found = {box.function: box for box in flame.parse(svg_of({("wide",): many, ("narrow",): 1}, "", ""))}
    assert found.keys() == {"all", "wide"}
    assert found["all"].samples == many + 1


def test_a_recording_without_samples_is_an_empty_graph() -> None:
    assert flame.parse(svg_of({}, "title", "note")) == []
