from importlib.metadata import version

from choirbook_perf.environment import environment


def test_versions_are_those_of_the_packages_that_are_installed() -> None:
    assert environment(["msgspec", "no-such-package"]).versions == {"msgspec": version("msgspec")}


def test_two_runs_on_one_machine_can_be_compared() -> None:
    assert environment().machine == environment([]).machine
