import shutil
import tomllib
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from choirbook_perf.cold import Cold, FirstRead, Start, judge
from choirbook_perf.commands import runbook as command
from choirbook_perf.errors import BadInput, GateFailed
from choirbook_perf.figures import MISSING
from choirbook_perf.peers import Comparison, Missing, PeerSeries, Sample
from choirbook_perf.results import save
from choirbook_perf.runbook import measured, render
from choirbook_perf.runbook.directives import DIRECTIVES
from choirbook_perf.runbook.lists import change
from choirbook_perf.runbook.markdown import table
from tests.perf.sample_results import sample_environment, sample_result

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs" / "performance"
PAGE = ROOT / "docs" / "performance-runbook.md"


PEERS = Comparison(
    started="2026-03-01T12:00:00Z",
    environment={"cpu": "An example CPU", "cores": 2, "kernel": "6.1", "python": "3.11", "commit": "0123"},
    document_bytes=20_000,
    rounds=3,
    seconds=2,
    connections=100,
    is_partial=True,
    series=[
        PeerSeries("sdk", "GET raw", [Sample(500.0, 1_900.0, 45.0, 90.0, 300.0, 3_800)] * 3),
        PeerSeries(
            "choirbook",
            "GET raw",
            [Sample(us, 40_000.0, 1.8, 2.5, 3.0, 80_000, 20.0, 64.0) for us in (24.0, 25.0, 30.0)],
        ),
        PeerSeries(
            "floor", "GET raw", [Sample(us, 49_000.0, 1.7, 2.2, 2.9, 98_000) for us in (20.0, 25.0, 20.0)]
        ),
        PeerSeries("nginx", "GET raw", [Sample(12.0, 40_000.0, 2.4, 2.7, 3.1, 80_000)] * 3),
        PeerSeries("absent", "GET raw", []),
    ],
    missing=[Missing("absent", "", "it is not installed")],
    versions={"choirbook": "1.2"},
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Make a directory with one result of each kind."""
    save(sample_result("baseline"), tmp_path / "baseline.json")
    save(sample_result("final", factor=0.5), tmp_path / "final.json")
    write(
        tmp_path / "profile.json",
        {
            "kind": "profile",
            "environment": msgspec.to_builtins(sample_environment()),
            "sampling": {
                "slowest": [{"function": f"a.py:f{n}", "own": n / 100, "cumulative": 0.5} for n in range(20)]
            },
            "stages": [
                {
                    "stage": "splice",
                    "path": "hit",
                    "us": 1.25,
                    "low_us": 1.0,
                    "high_us": 1.5,
                    "measures": "reply",
                }
            ],
        },
    )
    write(tmp_path / "peers.json", PEERS)
    write(tmp_path / "cold.json", cold_result())
    return tmp_path


def cold_result() -> Cold:
    reads = [FirstRead("mcp://resources/sdlc/core", "raw", 4.0, "miss", was_in_page_cache=False)]
    return Cold(
        started="2026-03-01T12:00:00Z",
        environment=sample_environment(),
        resources=1,
        resources_bytes=20_000,
        page_cache_method="fadvise",
        limit_ms=100.0,
        starts=[Start(transport="http", preload=False, samples_ms=[400.0, 410.0])],
        first_reads=reads,
        steady=[],
        preloading=None,
        preloaded_reads=[],
        verdict=judge(reads, 100.0, "fadvise"),
    )


def write(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.encode(value))


def rendered(directory: Path, template: str) -> str:
    (directory / "runbook.template.md").write_text(template)
    return render(directory).partition("-->\n\n")[2]


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if "|" in line
    ]


def test_page_is_what_its_results_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(KEPT)


def test_page_depends_on_nothing_but_the_files_beside_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(KEPT, tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    assert render(tmp_path / "elsewhere") == PAGE.read_text(encoding="utf-8")


def test_prose_stays_and_directives_become_tables(results: Path) -> None:
    page = rendered(results, "# Title\n\nA {brace}.\n\n{{ summary baseline.json }}\n\nEnd\n")
    assert page.startswith(
        "# Title\n\nA {brace}.\n\n**baseline:** closed model, 30 users for 60.0 s over http, "
        "2026-03-01T12:00:00Z; "
        "load generator locust, not checked."
    )
    assert "An example CPU at 3 GHz, 2 cores, 8.00 GiB" in page
    assert page.endswith("\n\nEnd\n")


@pytest.mark.parametrize("what", [name for name, (files, _) in DIRECTIVES.items() if files == 1])
def test_missing_result_is_marked(results: Path, what: str) -> None:
    page = rendered(results, f"{{{{ {what} none.json }}}}\n")
    assert page.startswith("> **Not measured yet:** `none.json` is not there.") or (what, page) == (
        "machine",
        "\n",
    )


def test_missing_half_of_a_comparison_is_marked(results: Path) -> None:
    page = rendered(results, "{{ compare baseline.json none.json }}\n")
    assert "`none.json` is not there. `choirbook perf test --label none --out DIR` makes it." in page


def test_percentiles_are_those_of_the_result(results: Path) -> None:
    result = measured.run(results, "baseline.json")
    found = rows(rendered(results, "{{ percentiles baseline.json }}\n"))
    assert found[0][:4] == ["ms", "Requests", "Failed", "p50"]
    assert found[2][:4] == ["All requests", "7,380", "0", f"{result.histogram().percentile_ms(50):.2f}"]


def test_locust_table_has_a_row_for_each_resource_and_all(results: Path) -> None:
    found = rows(rendered(results, "{{ locust final.json }}\n"))
    assert [row[0] for row in found[2:]] == [
        "patterns/core",
        "sdlc/core",
        "templates/prd-template",
        "**Aggregated**",
    ]
    assert found[-1][1] == "7,380"
    assert found[-1][7] == "123"


def test_comparison_shows_ratios(results: Path) -> None:
    found = rows(rendered(results, "{{ compare baseline.json final.json }}\n"))
    assert [row[0] for row in found[2:]] == ["before", "after", "after / before"]
    assert float(found[-1][5]) == pytest.approx(0.5, rel=0.01)


def test_verdict_has_outcome_and_reason(results: Path) -> None:
    found = rows(rendered(results, "{{ verdict baseline.json }}\n"))
    assert found[2][:2] == ["`p95`", "pass"]
    assert found[4][1:4] == ["**inconclusive**", "3 requests are too few for a p99.", "< 200 ms"]


def test_ten_slowest_functions_come_first(results: Path) -> None:
    found = rows(rendered(results, "{{ functions profile.json }}\n"))
    assert len(found) == 2 + 10
    assert found[2] == ["`a.py:f19`", "19%", "50%"]


def test_stages_peers_and_cold_have_their_figures(results: Path) -> None:
    assert rows(rendered(results, "{{ stages profile.json }}\n"))[2] == [
        "splice",
        "hit",
        "1.25",
        "1.00",
        "1.50",
    ]
    peers = rendered(results, "{{ peers peers.json }}\n")
    assert peers.startswith("20,000 bytes, 100 connections")
    assert "**The run was interrupted.**" in peers
    assert [row[1] for row in rows(peers)[2:]] == ["nginx", "floor", "choirbook 1.2", "sdk"]
    assert "| GET raw | choirbook 1.2 | 25.0 | 24.0 | 30.0 | 1.00 | 1.20 | 64.0 | 100% | 40,000 |" in peers
    # The load generator did not saturate this one.
    assert f"| GET raw | nginx | 12.0 | 12.0 | 12.0 | 0.480 | 0.600 | {MISSING} | 48% | {MISSING} |" in peers
    assert "less than 95% of its core has no throughput here" in peers
    assert peers.endswith("> **Not measured:** absent: it is not installed\n")
    assert rendered(results, "{{ machine peers.json }}\n").startswith("An example CPU, 2 cores; Linux 6.1")
    cold = rendered(results, "{{ cold cold.json }}\n")
    assert cold.startswith("Preloading is not needed: all 1 cold reads took at most 100 ms.")
    assert "| start to first answer, http |  | 2 | 400 | 410 | 410 |" in cold


def test_figures_of_peers_are_found_by_name(results: Path) -> None:
    assert measured.figure(results, "peers.json", "choirbook/GET raw") == ("choirbook/GET raw, CPU µs", 25.0)
    assert measured.figure(results, "peers.json", "choirbook/GET raw/floor") == (
        "choirbook/GET raw/floor, CPU",
        1.2,
    )
    with pytest.raises(BadInput, match="absent"):
        measured.figure(results, "peers.json", "absent/GET raw")


def test_optimisations_show_before_after_and_change(results: Path) -> None:
    (results / "optimisations.toml").write_text(
        '[[optimisation]]\ntitle = "One"\nreason = "Slow"\ncommit = "Make it fast"\nkept = true\n'
        'before = "baseline.json"\nafter = "final.json"\nfigure = "hit_p95_ms"\n'
        '[[optimisation]]\ntitle = "Two"\nreason = "?"\ncommit = ""\nkept = false\n'
        'before = "profile.json"\nafter = "profile.json"\nfigure = "splice/hit"\n'
        '[[optimisation]]\ntitle = "Three"\nreason = "?"\ncommit = ""\nkept = false\n'
        'before = "peers.json"\nafter = "none.json"\n'
    )
    found = rows(rendered(results, "{{ optimisations }}\n"))[2:]
    assert found[0][:5] == ["One", "Slow", "Make it fast", "kept", "hit p95, ms"]
    assert float(found[0][7].rstrip("%")) == pytest.approx(-50, abs=1)
    assert found[1][3:] == ["**dropped**", "splice/hit, µs", "1.25", "1.25", "+0.0%"]
    assert found[2][4] == "not measured yet"


def test_no_optimisations_yet_is_marked(results: Path) -> None:
    assert "has no entries" in rendered(results, "{{ optimisations }}\n")


@pytest.mark.parametrize(
    ("figure", "title", "value"),
    [
        ("", "all p95, ms", None),
        ("requests_per_s", "req/s", 123.0),
        ("miss_p99.9_ms", "miss p99.9, ms", None),
    ],
)
def test_figures_of_a_run_are_found_by_name(
    results: Path, figure: str, title: str, value: float | None
) -> None:
    found, figure_value = measured.figure(results, "baseline.json", figure)
    assert found == title
    assert figure_value is not None
    assert value is None or figure_value == value


@pytest.mark.parametrize("name", ["baseline.json", "profile.json", "peers.json"])
def test_unknown_figure_is_refused(results: Path, name: str) -> None:
    with pytest.raises(BadInput, match="nonsense"):
        measured.figure(results, name, "nonsense")


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ nonsense }}\n", "unknown directive"),
        ("{{ percentiles }}\n", "takes 1 files, not 0"),
        ("text {{ percentiles baseline.json }}\n", "near line 1"),
        ("{{ percentiles cold.json }}\n", "of kind 'cold'"),
        ("{{ stages baseline.json }}\n", "lacks figures that its table shows"),
        ("{{ cold peers.json }}\n", "not a result of choirbook perf cold"),
        ("{{ machine broken-peers.json }}\n", "the machine it was measured on"),
        ("{{ peers cold.json }}\n", "lacks figures that its table shows"),
        ("{{ functions broken.json }}\n", "not a result file"),
    ],
)
def test_what_cannot_be_used_is_named(results: Path, template: str, says: str) -> None:
    (results / "broken.json").write_text("{")
    write(results / "broken-peers.json", {"kind": "peers"})
    with pytest.raises(BadInput, match=says):
        rendered(results, template)


def test_counted_profile_has_no_shares(results: Path) -> None:
    write(results / "counted.json", {"kind": "profile", "sampling": None})
    with pytest.raises(BadInput, match="cprofile"):
        rendered(results, "{{ functions counted.json }}\n")


def test_broken_list_is_named(results: Path) -> None:
    (results / "optimisations.toml").write_text("[[optimisation]]\ntitle = 1\n")
    with pytest.raises(BadInput, match=r"optimisations\.toml is not a list"):
        rendered(results, "{{ optimisations }}\n")


def test_directory_without_a_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="template"):
        render(tmp_path)


def test_cells_cannot_break_a_table() -> None:
    assert table(("a", "b"), [("x|y", "1\n2")]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 2 |"


def test_change_is_relative() -> None:
    assert change(10, 8) == "-20.0%"
    assert change(0, 8) == change(None, 8) == "\N{EN DASH}"


def test_lists_of_the_project_can_be_read() -> None:
    listed = tomllib.loads((KEPT / "optimisations.toml").read_text()).get("optimisation", [])
    for one in listed:
        assert (KEPT / one["before"]).is_file(), one["title"]
        assert (KEPT / one["after"]).is_file(), one["title"]


def test_command_writes_and_checks(results: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    (results / "runbook.template.md").write_text("{{ summary final.json }}\n")
    out = results / "page.md"
    arguments = ["runbook", "--results", str(results), "--out", str(out)]
    assert isinstance(CliRunner().invoke(app, [*arguments, "--check"]).exception, GateFailed)
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert CliRunner().invoke(app, [*arguments, "--check"]).exit_code == 0
    out.write_text(out.read_text() + "typed\n")
    assert isinstance(CliRunner().invoke(app, [*arguments, "--check"]).exception, GateFailed)


def test_no_result_of_an_invalid_generator_is_published() -> None:
    heads = {path.name: measured.head(path) for path in KEPT.glob("*.json")}
    tests = {
        name: head for name, head in heads.items() if head.get("kind", "test") == "test" and "series" in head
    }
    assert tests
    assert [name for name, head in tests.items() if not head["generator"].get("is_valid", True)] == []
    assert [
        name for name, head in heads.items() if head.get("kind") == "capacity" and head["rate"] is None
    ] == []
