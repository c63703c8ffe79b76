import pytest

from livereduce.mantid.ads import mtd
from livereduce.mantid.api import AlgorithmManager
from livereduce.workspaces import HistogramWorkspace


@pytest.fixture
def ws() -> HistogramWorkspace:
    workspace = HistogramWorkspace([0, 1, 2], [[1, 2]])
    mtd["ws"] = workspace
    return workspace


def test_a_child_keeps_its_result_to_itself(ws: HistogramWorkspace) -> None:
    algorithm = AlgorithmManager.createUnmanaged("Rebin")
    algorithm.initialize()
    algorithm.setProperty("InputWorkspace", ws)
    algorithm.setProperty("params", "0,2,2")
    assert not algorithm.isExecuted()
    assert algorithm.execute()
    assert algorithm.isExecuted()
    assert algorithm.getProperty("OutputWorkspace").value.readY(0).tolist() == [3]
    assert mtd.getObjectNames() == ["ws"]


@pytest.mark.usefixtures("ws")
def test_an_algorithm_that_is_no_child_stores_its_result() -> None:
    algorithm = AlgorithmManager.create("Rebin")
    algorithm.setProperties({"InputWorkspace": "ws", "Params": [0, 2, 2], "OutputWorkspace": "out"})
    algorithm.execute()
    assert algorithm.getPropertyValue("OutputWorkspace") == "out"
    assert algorithm.getProperty("OutputWorkspace").value is mtd["out"]
    assert algorithm.getPropertyValue("InputWorkspace") == "ws"


def test_properties_are_checked_when_they_are_set() -> None:
    algorithm = AlgorithmManager.create("Rebin")
    with pytest.raises(ValueError, match="Rebin: PreserveEvents: expected True or False"):
        algorithm.setProperty("PreserveEvents", "maybe")
    with pytest.raises(RuntimeError, match="there is no property 'Parms'; did you mean Params"):
        algorithm.setProperty("Parms", 1)
    with pytest.raises(ValueError, match="Rebin: InputWorkspace: must be given"):
        algorithm.execute()


def test_an_algorithm_describes_itself() -> None:
    algorithm = AlgorithmManager.create("SaveNexusProcessed")
    assert (algorithm.name(), algorithm.version(), algorithm.isChild()) == ("SaveNexus", 1, False)
    rebin = AlgorithmManager.create("Rebin")
    assert rebin.inputProperties()[:2] == ["InputWorkspace", "Params"]
    assert rebin.outputProperties() == ["OutputWorkspace"]
    assert rebin.mandatoryProperties() == ["InputWorkspace", "OutputWorkspace", "Params"]
    assert rebin.existsProperty("preserveevents")
    assert rebin.getProperty("PreserveEvents").value is True
    assert rebin.summary() == "Count in other bins."


def test_unknown_algorithms_and_versions_are_named() -> None:
    with pytest.raises(RuntimeError, match=r"Rebinn is not available in livereduce. Nearest: Rebin"):
        AlgorithmManager.create("Rebinn")
    with pytest.raises(RuntimeError, match="has version 1, not 3"):
        AlgorithmManager.create("Rebin", 3)
