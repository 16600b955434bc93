import os
import subprocess
import sys
import time
from pathlib import Path

from choirbook.dashboard.board import STALE_AFTER_S, Board, Held, Report
from choirbook.dashboard.slowest import SlowRead, Stage

REPORT = Report(
    (SlowRead(1.0, 2.0, "mcp://resources/a", "miss", 200, (Stage("render", 0.5, 1.0),)),),
    {"mcp://resources/a": 3},
    (Held("mcp://resources/a", 2, 100),),
)

OTHER = """
import sys
from pathlib import Path
from choirbook.dashboard.board import Board, Report
Board(Path(sys.argv[1])).publish(Report(watched={"mcp://resources/b": 1}))
"""


def publish_as_another(directory: Path) -> None:
    subprocess.run([sys.executable, "-c", OTHER, str(directory)], check=True, timeout=60)


def test_workers_see_each_others_reports_and_not_their_own(tmp_path: Path) -> None:
    publish_as_another(tmp_path)
    board = Board(tmp_path)
    board.publish(REPORT)
    assert board.others() == [Report(watched={"mcp://resources/b": 1})]


def test_a_report_arrives_as_it_was(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.publish(REPORT)
    (file,) = tmp_path.glob("dashboard-report-*")
    file.rename(tmp_path / "dashboard-report-1")
    assert board.others() == [REPORT]


def test_the_report_of_a_worker_that_is_gone_does_not_count(tmp_path: Path) -> None:
    publish_as_another(tmp_path)
    (file,) = tmp_path.glob("dashboard-report-*")
    then_s = time.time() - STALE_AFTER_S - 1
    os.utime(file, (then_s, then_s))
    assert Board(tmp_path).others() == []


def test_a_report_that_is_none_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "dashboard-report-1").write_bytes(b"\xff nonsense")
    assert Board(tmp_path).others() == []


def test_all_workers_hear_that_somebody_looks(tmp_path: Path) -> None:
    board = Board(tmp_path)
    assert board.looked_s_ago() is None
    Board(tmp_path).note_look()
    ago_s = board.looked_s_ago()
    assert ago_s is not None
    assert ago_s < 60


def test_one_worker_alone_has_nobody_to_tell() -> None:
    board = Board(None)
    board.note_look()
    board.publish(REPORT)
    assert (board.is_shared, board.others(), board.looked_s_ago()) == (False, [], None)


def test_a_directory_that_is_gone_is_borne(tmp_path: Path) -> None:
    board = Board(tmp_path / "gone")
    board.note_look()
    board.publish(REPORT)
    assert board.others() == []
