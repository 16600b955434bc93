import re
from xml.etree import ElementTree as ET

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from choirbook_perf import figures
from choirbook_perf.plots import flame, ranges
from choirbook_perf.plots.chart import Axis, Chart, Limit, Line, draw
from choirbook_perf.plots.scales import linear, log
from choirbook_perf.report.parts import note
from choirbook_perf.templating import render

FLAME = (
    '<svg id="frames" x="10" width="1180" total_samples="1,000">'
    '<g><title>all (1,000 samples, 100%)</title><rect x="0.0000%" y="52" width="100.0000%" height="15"/></g>'
    '<g><title>run (a.py:1) (1,000 samples, 100.00%)</title><rect x="0.0000%" y="68" width="100.0000%"/></g>'
    "<g><title>&lt;module&gt; (b.py:2) (600 samples, 60.00%)</title>"
    '<rect x="0.0000%" y="84" width="60.0000%"/></g>'
    '<g><title>run (a.py:1) (100 samples, 10.00%)</title><rect x="0.0000%" y="100" width="10.0000%"/></g>'
    '<g><title>tiny (c.py:3) (1 samples, 0.10%)</title><rect x="60.0000%" y="84" width="0.1000%"/></g></svg>'
)


def chart(*lines: Line, limits: tuple[Limit, ...] = ()) -> Chart:
    return Chart(
        name="example",
        title="An <example>",
        summary="What it shows.",
        x=Axis(linear(10), "time, s"),
        y=Axis(log([1, 100], figures.latency), "latency, log axis"),
        lines=lines,
        limits=limits,
    )


def parsed(markup: Markup) -> ET.Element:
    return ET.fromstring(markup)  # noqa: S314 made here


def test_text_is_escaped_and_markup_is_not() -> None:
    assert note("a < b & c") == '<p class="note">a &lt; b &amp; c</p>\n'
    assert note(Markup("<b>bold</b>")) == '<p class="note"><b>bold</b></p>\n'
    made = draw(chart(Line('"><script>', [(0, 1.0)], '" onload="x')))
    assert "<script" not in made
    assert '" onload' not in made


def test_a_template_without_one_of_its_values_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="policy"):
        render("page.html", names=["one"], style="", sections=[])


def test_chart_is_named_for_those_who_do_not_see_it() -> None:
    svg = parsed(draw(chart()))
    assert svg.get("role") == "img"
    texts = {child.get("id"): child.text for child in svg if child.tag in {"title", "desc"}}
    assert [texts[id_] for id_ in str(svg.get("aria-labelledby")).split()] == [
        "An <example>",
        "What it shows.",
    ]


def test_axes_have_titles_with_units_and_labels() -> None:
    texts = [text.text for text in parsed(draw(chart())).iter("text")]
    assert texts == [
        *("0", "2", "4", "6", "8", "10", "time, s"),
        *("1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "100 ms"),
        "latency, log axis",
    ]


def test_points_lie_where_the_axes_say() -> None:
    made = draw(chart(Line("one", [(0, 1.0), (5, 10.0), (10, 100.0)], "c0")))
    assert 'd="M0 1000L500 500 1000 0"' in made
    assert 'data-points="3"' in made


def test_line_breaks_where_there_is_no_figure() -> None:
    made = draw(chart(Line("one", [(0, 1.0), (1, 1.0), (2, None), (3, 1.0), (4, None)], "c0")))
    assert 'd="M0 1000L100 1000M300 1000h0"' in made


def test_histogram_is_closed_down_to_the_axis() -> None:
    made = draw(chart(Line("one", [(0, 1.0), (5, 10.0)], "c0", is_stepped=True, is_filled=True)))
    assert 'd="M0 1000H500V500V1000H0Z"' in made


def test_limit_is_drawn_only_where_the_axis_has_it() -> None:
    assert "at most 50" in draw(chart(limits=(Limit(50, "at most 50"),)))
    assert "at most 500" not in draw(chart(limits=(Limit(500, "at most 500"),)))


def test_line_without_points_leaves_an_empty_plot() -> None:
    assert 'data-points="0"' in draw(chart(Line("none", [], "c0", is_filled=True)))


def test_ranges_have_a_row_each_with_all_marks() -> None:
    rows = [
        ranges.Range("hits", [("p50", 1.0), ("p99", 10.0)], "c0"),
        ranges.Range("misses", [("p50", 100.0)], "c1"),
    ]
    made = ranges.draw(ranges.RangeChart("r", "t", "s", Axis(log([1, 100], figures.latency), "ms"), rows))
    assert re.findall(r'cx="([^"]+)"', made) == ["0.00%", "50.00%", "100.00%"]
    assert 'data-points="3"' in made


def test_flame_graph_of_py_spy_is_read() -> None:
    frames = flame.parse(FLAME)
    assert [(frame.function, frame.depth, frame.samples) for frame in frames] == [
        ("all", 0, 1000),
        ("run (a.py:1)", 1, 1000),
        ("<module> (b.py:2)", 2, 600),
        ("run (a.py:1)", 3, 100),
        ("tiny (c.py:3)", 2, 1),
    ]


def test_own_and_cumulative_time_count_a_recursion_once() -> None:
    found = {function.name: function for function in flame.functions(flame.parse(FLAME))}
    assert round(found["run (a.py:1)"].cumulative, 6) == 1
    assert round(found["run (a.py:1)"].own, 6) == round(1 - 0.6 - 0.001 + 0.1, 6)
    assert round(found["<module> (b.py:2)"].own, 6) == 0.5
    assert "all" not in found


def test_flame_graph_is_drawn_without_what_is_too_narrow_to_see() -> None:
    made = flame.draw(flame.parse(FLAME), "flame")
    assert 'data-points="3"' in made
    assert "&lt;module&gt; (b.py:2): 60.0% of the samples (600)" in made
    assert "tiny" not in made


def test_frames_that_hold_one_other_only_are_left_out() -> None:
    found = [(frame.function, frame.depth) for frame in flame.condensed(flame.parse(FLAME))]
    assert found == [("run (a.py:1)", 0), ("<module> (b.py:2)", 1), ("run (a.py:1)", 2), ("tiny (c.py:3)", 1)]


def test_what_is_no_flame_graph_has_no_frames() -> None:
    assert flame.parse("<svg onload='alert(1)'></svg>") == []
