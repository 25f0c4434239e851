"""The Python interface, function by function: what it takes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments import api
from experiments.config.load import resolve
from experiments.records.folder import RunFolder
from kg.errors import InputError
from kg.files.store import load_shipped, save


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every run was started with; nothing is trained."""
    calls: list[dict[str, Any]] = []

    def run_experiment(experiment: Any, **given: Any) -> str:
        calls.append({"experiment": experiment, **given})
        return "name-0"

    monkeypatch.setattr("experiments.runner.run.run_experiment", run_experiment)
    return calls


def test_a_run_takes_a_name_a_file_values_or_an_experiment(started, small, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("name: own\ndata: {name: openi, labels: nih14}\nsystem: {name: logistic_image}")
    for config in ("demo", resolve("demo"), small, path):
        made = api.run(config, root=tmp_path, runs=tmp_path / "runs")
        assert made.path == tmp_path / "runs" / "name-0"
    found = [call["experiment"] for call in started]
    assert found[0] == found[1] == resolve("demo")
    assert [each.name for each in found] == ["demo", "demo", "small", "own"]
    assert {call["root"] for call in started} == {tmp_path}


def test_overrides_are_checked_like_any_key(started, small) -> None:
    api.run(small, seed=3, split__kind="folds", data__options={"studies": 60}, image__encoder=None)
    made = started[0]["experiment"]
    assert (made.seed, made.split.kind, made.image.encoder) == (3, "folds", None)
    assert made.data.options == {**small["data"]["options"], "studies": 60}
    assert api.run("demo", **{"stages.0.learning_rate": 1e-5}).name == "name-0"
    assert started[1]["experiment"].stages[0].learning_rate == 1e-5
    assert small["data"]["options"]["studies"] == 40, "what was given is not changed"
    for wrong, said in (
        ({"sed": 1}, "seed"),
        ({"split__knd": "folds"}, "kind"),
        ({"system__name": "logistic_imag"}, "logistic_image"),
    ):
        with pytest.raises(InputError) as raised:
            api.run(small, **wrong)
        assert said in raised.value.hint
    assert len(started) == 2


def test_the_root_is_the_environments_where_none_is_given(started, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("KGDX_DATA", raising=False)
    with pytest.raises(InputError, match="no folder of data sets is named, and openi needs files"):
        api.run("image_only_openi")
    monkeypatch.setenv("KGDX_DATA", str(tmp_path))
    api.run("image_only_openi")
    assert started[0]["root"] == tmp_path


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    for ask in (
        lambda: api.load("nowhere", runs=tmp_path),
        lambda: api.predict("chest.png", tmp_path / "nowhere"),
        lambda: api.evaluate(tmp_path / "nowhere", "synthetic"),
        lambda: api.compare("nowhere", folder=tmp_path),
    ):
        with pytest.raises(InputError, match="there is no run"):
            ask()
    with pytest.raises(InputError, match="no finished run .* is of experiment 'demo'"):
        api.compare(experiments=["demo"], folder=tmp_path)


def test_a_loaded_run_stays_where_it_is(small, tmp_path: Path, monkeypatch) -> None:
    from experiments.config.schema import Experiment

    folder = RunFolder.create(tmp_path / "runs", Experiment.model_validate(small))
    monkeypatch.chdir(tmp_path)
    made = api.load("small")
    monkeypatch.chdir("/")
    assert made.path == folder.path
    assert made.experiment.name == "small"
    with pytest.raises(InputError, match="there is no record"):
        assert made.record


def test_texts_are_labelled_from_memory_and_from_files(tmp_path: Path) -> None:
    reports = ["Small left pleural effusion.", "No pneumothorax. Cardiomegaly."]
    rows = "".join(f"{place},{report}\n" for place, report in enumerate(reports))
    (tmp_path / "reports.csv").write_text(f"study,report\n{rows}")
    (tmp_path / "texts").mkdir()
    for place, report in enumerate(reports):
        (tmp_path / "texts" / f"{place}.txt").write_text(report)
    expected = api.label(reports)
    assert expected["id"].tolist() == ["0", "1", "1"]
    assert expected["assertion"].tolist() == ["present", "absent", "present"]
    for same in (
        dict(zip("01", reports, strict=True)),
        tmp_path / "reports.csv",
        tmp_path / "texts",
    ):
        assert api.label(same).equals(expected)
    assert api.label(reports[0])["label"].tolist() == ["Pleural Effusion"]
    table = api.label([*reports, ""], "nih14")
    assert table["Cardiomegaly"].fillna(-9).tolist() == [0, 1, -9]
    spoken = "Doctor: Do you have a cough?\nPatient: Yes, a dry cough."
    assert "ckg:cough" in set(api.label(spoken, dialogue=True)["concept"])
    assert api.label("").empty
    assert "assertion" in api.label("").columns
    with pytest.raises(InputError, match="no labeler for the label set 'nih15'"):
        api.label("Cardiomegaly.", "nih15")
    with pytest.raises(InputError, match="not found"):
        api.label(tmp_path / "none.csv")


def test_a_graph_is_opened_asked_and_tabled(tmp_path: Path) -> None:
    shipped = load_shipped()
    save(shipped, tmp_path / "own.ttl")
    for graph in (api.graph(), api.graph(tmp_path / "own.ttl")):
        assert graph.record.fingerprint == shipped.fingerprint
        assert graph.concepts["id"].tolist() == [concept.id for concept in shipped.concepts]
        assert len(graph.edges) == len(shipped.edges)
        told = graph.query("CONSTRUCT { ?s rdfs:label ?l } { ?s rdfs:label ?l } LIMIT 1")
        assert told.columns.tolist() == ["answer"]
        count = graph.query("SELECT (COUNT(?s) AS ?n) { ?s rdfs:subClassOf ckg:pneumonia }")
        assert int(count.loc[0, "n"]) > 1
    graph = api.graph()
    assert "is_a" in set(graph.paths("viral pneumonia", "pneumonia", longest=1)["relation"])
    assert graph.paths("pneumonia", "pneumonia").empty
    with pytest.raises(InputError, match="pnuemonia"):
        graph.concept("pnuemonia")
    with pytest.raises(InputError):
        graph.query("SELECT nothing")
    with pytest.raises(InputError, match=r"none\.ttl"):
        api.graph(tmp_path / "none.ttl")
