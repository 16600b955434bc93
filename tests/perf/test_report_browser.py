"""The report in a real browser: every plot with data, nothing fetched, nothing cut off."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from choirbook_perf.report import page
from tests.perf.chromium import Page, browser, is_installed
from tests.perf.sample_results import sample_result
from tests.perf.test_plots_drawing import FLAME

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs Chromium: scripts/install")

PLOTS_OF_ALL = {"distribution-all", "cdf", "tail"}
PLOTS_OF_ONE = {"percentiles", "throughput", "distribution-cache", "types"}
SECTIONS = {
    "Load generator",
    "Verdict",
    "Percentiles",
    "Latency",
    "Over time",
    "Hits against misses",
    "Measured by the server",
    "Flame graph",
    "Failures",
    "Environment",
}


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium") / "profile") as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    first = msgspec.structs.replace(sample_result("baseline"), flame_graph_svg=FLAME)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page([first, sample_result("slowed", factor=30, failures=7)]))
    return path


def test_every_plot_is_there_with_data(tab: Page, report: Path) -> None:
    tab.open(report.as_uri())
    plots = tab.value(
        "Object.fromEntries([...document.querySelectorAll('svg[data-plot]')].map(svg => [svg.dataset.plot, {"
        "points: Number(svg.dataset.points),"
        # What is drawn, as the browser sees it: how far marks and lines reach over the screen.
        "shapes: [...svg.querySelectorAll('path.stroke, circle, rect')].filter(shape => {"
        "  const box = shape.getBoundingClientRect(); return box.width > 0 || box.height > 0;}).length,"
        "named: svg.getAttribute('aria-labelledby').split(' ')"
        "  .every(id => document.getElementById(id).textContent.length > 5),"
        "figures: svg.closest('figure').querySelectorAll('tbody tr').length}]))"
    )
    expected = PLOTS_OF_ALL | {f"{name}-{index}" for name in PLOTS_OF_ONE for index in (0, 1)} | {"flame-0"}
    assert set(plots) == expected
    for name, plot in plots.items():
        assert plot["points"] >= 3, name
        assert plot["shapes"] >= 1, name
        assert plot["named"], name
        assert plot["figures"] >= 2, name


def test_all_sections_are_there_and_linked(tab: Page, report: Path) -> None:
    tab.open(report.as_uri())
    assert set(tab.value("[...document.querySelectorAll('h2')].map(h => h.textContent)")) == SECTIONS
    links = tab.value(
        "[...document.querySelectorAll('nav a')].map(a => [a.textContent, a.getAttribute('href')])"
    )
    assert {text for text, _ in links} == SECTIONS
    assert tab.value(
        "[...document.querySelectorAll('a')].every(a => document.querySelector(a.getAttribute('href')))"
    )


def test_nothing_is_fetched_and_the_policy_is_kept(tab: Page, report: Path) -> None:
    tab.open(report.as_uri())
    assert tab.requested() == [report.as_uri()]
    assert tab.complaints() == []
    policy = tab.value("document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    # The style sheet passed that policy.
    assert tab.value("getComputedStyle(document.querySelector('.stroke')).fill") == "none"
    assert tab.value("document.scripts.length") == 0
    assert not re.search(r"\s(src|srcset|data|action)=|@import|url\(", report.read_text())


@pytest.mark.parametrize("width_px", [320, 400, 800, 1600])
def test_page_does_not_scroll_sideways(tab: Page, report: Path, width_px: int) -> None:
    tab.open(report.as_uri(), width_px=width_px)
    tab.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("width_px", [400, 1200])
def test_labels_of_an_axis_stay_on_the_page_and_do_not_meet(tab: Page, report: Path, width_px: int) -> None:
    tab.open(report.as_uri(), width_px=width_px)
    problems = tab.value(
        "[...document.querySelectorAll('g.axis')].flatMap(axis => {"
        "const texts = [...axis.querySelectorAll('text:not(.unit)')];"
        "const boxes = texts.map(text => text.getBoundingClientRect());"
        "return texts.flatMap((text, i) => {"
        "  const a = boxes[i], b = boxes[i + 1];"
        "  const meets = b && a.left < b.right && b.left < a.right &&"
        "    a.top < b.bottom - 3 && b.top < a.bottom - 3;"
        "  return a.left < 0 || a.right > innerWidth || meets ?"
        "    [axis.closest('[data-plot]').dataset.plot + ': ' + text.textContent] : [];})})"
    )
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_paper(tab: Page, report: Path, scheme: str) -> None:
    tab.open(report.as_uri(), scheme=scheme)
    lowest = tab.value(
        "(() => {const lum = colour => {const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(part => {"
        "  const c = part / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;});"
        "  return 0.2126 * r + 0.7152 * g + 0.0722 * b;};"
        "const paper = lum(getComputedStyle(document.body).backgroundColor);"
        "const ratio = colour => {const ink = lum(colour);"
        "  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);};"
        "const styles = selector => "
        "  [...document.querySelectorAll(selector)].map(one => getComputedStyle(one));"
        "const texts = styles('p, td, th, a, summary, .badge, li').map(style => style.color);"
        "const labels = styles('.plot text, .ranges text').map(style => style.fill);"
        "return Math.min(...[...texts, ...labels].map(ratio));})()"
    )
    assert lowest >= 4.5  # WCAG 2.2, 1.4.3


def test_keyboard_reaches_the_figures_behind_a_plot(tab: Page, report: Path) -> None:
    tab.open(report.as_uri())
    assert tab.value("[...document.querySelectorAll('summary, .table')].every(one => one.tabIndex === 0)")
    tab.value("document.querySelector('summary').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            text="\r",
            windowsVirtualKeyCode=13,
        )
    assert tab.value("document.querySelector('details').open")
