from importlib.metadata import version
from pathlib import Path
from platform import node

from choirbook_perf import identity
from choirbook_perf.environment import environment


def test_versions_are_those_of_the_packages_that_are_installed() -> None:
    assert environment(["msgspec", "no-such-package"]).versions == {"msgspec": version("msgspec")}


def test_two_runs_on_one_machine_can_be_compared() -> None:
    assert environment().machine == environment([]).machine


def test_machines_of_one_model_are_told_apart() -> None:
    here = identity.parts()
    assert {"machine id", "CPU", "cores", "memory", "caches", "CPU quota"} <= set(here)
    for name in here:
        other = {**here, name: "other"}
        assert identity.digest(other) != identity.digest(here), name


def test_no_part_names_the_machine() -> None:

    told = " ".join(identity.parts().values())
    assert node() not in told.split()
    machine_id = Path("/etc/machine-id")
    assert not machine_id.exists() or machine_id.read_text().strip() not in told
