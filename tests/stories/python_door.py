"""The Python interface from end to end, cell by cell, as a notebook would go through it."""

# ruff: noqa: I001
# %% Importing is light: torch and pandas come with the function that needs them.
import sys

import kgdx

assert not {"torch", "pandas", "numpy", "pydantic", "lightning", "rdflib"} & set(sys.modules)

# %% Run two configurations on forty synthetic studies, the second with other values.
SMALL = {
    "name": "small",
    "data": {
        "name": "synthetic",
        "labels": "nih14",
        "options": {"studies": 40, "cxr": 1.0, "ct": 0.0, "size": 64},
        "at_least": 4,
        "blank": "ignore",
    },
    "split": {"kind": "fixed"},
    "text": {"test": "none"},
    "image": {
        "encoder": {"name": "tiny_cnn", "options": {"size": 32, "weights": "random"}},
        "grid": 2,
        "reduce": 16,
    },
    "system": {"name": "logistic_image"},
    "stages": [],
}
run = kgdx.run(SMALL)
other = kgdx.run(SMALL, name="other", seed=1, image__reduce=8)
assert (run.record.status, run.record.seed, other.record.seed) == ("finished", 0, 1)
assert other.experiment.image.reduce == 8
assert other.experiment.data == run.experiment.data

# %% A run has its record, what was measured, every probability, and a page.
assert set(run.metrics.columns) == {"part", "metric", "value", "low", "high", "findings"}
assert set(run.findings["label"]) >= {"Atelectasis", "Cardiomegaly"}
assert run.findings["auroc"].between(0, 1).any()
scored = run.predictions
assert scored["probability"].between(0, 1).all()
assert len(run.studies) * scored["finding"].nunique() == len(scored)
assert run.history.empty  # a logistic regression has no steps
assert run.page.read_text(encoding="utf-8").startswith("<!doctype html>")

# %% It is loaded again by its name, the beginning of it, or its folder.
assert kgdx.load(run.name).path == kgdx.load(run.path).path == kgdx.load("small").path == run.path

# %% Predict a data set, and ask one image for findings the run was not trained on.
answers = kgdx.predict("synthetic", run)
again = answers.table.merge(scored[scored["part"] == "test"], on=["study", "finding"])
assert abs(again["probability_x"] - again["probability_y"]).max() < 1e-6
assert answers.probabilities.shape == (40, scored["finding"].nunique())
assert answers.rejected.empty
assert "seen in training" in answers.notes[0]
image = sorted(run.path.parent.glob("cache/datasets/synthetic/**/*.png"))[0]
asked = kgdx.predict(image, run, findings=["Cardiomegaly", "scoliosis"], taken=("cxr", "frontal"))
assert asked.table["basis"].tolist() == ["trained", "not_possible"]
assert asked.table["probability"].isna().tolist() == [False, True]

# %% Test it again: on its own data, and under a label set that has none of its findings.
tested = kgdx.evaluate(run, "synthetic")
assert tested.findings["auroc"].equals(run.findings["auroc"])
assert set(tested.metrics["basis"]) == {"trained"}
assert sum(tested.skipped.values()) == 40 - tested.record["studies"]
assert tested.warnings
covid = kgdx.evaluate(run, "synthetic", labels="covid")
assert covid.findings["basis"].tolist() == []
assert covid.record["not_possible"]
assert len(run.record.evaluations) == 2

# %% Compare runs, paired by patient, and write the page.
compared = kgdx.compare(run, other.name)
assert compared.entries["name"].tolist() == ["small", "other"]
assert set(compared.differences["second"]) == {"other"}
assert compared.findings["value"].between(0, 1).any()
assert compared.save("table.html").read_text(encoding="utf-8").startswith("<!doctype html>")

# %% Look into the graph.
graph = kgdx.graph()
assert len(graph.concepts) == len(graph.record.concepts)
assert graph.edges["evidence"].sum() == len(graph.evidence)
assert "nih14" in set(graph.label_sets["label_set"])
assert graph.concept("pleural effusion").id == "ckg:pleural_effusion"
path = graph.paths("covid_19", "atelectasis", limit=1)
assert {"ckg:covid_19", "ckg:atelectasis"} <= {*path["subject"], *path["object"]}
assert bool(graph.query("ASK { ?s rdfs:subClassOf ckg:pneumonia }").loc[0, "answer"])

# %% Label reports.
stated = kgdx.label("Small left pleural effusion. No pneumothorax.")
assert dict(zip(stated["label"], stated["assertion"], strict=True)) == {
    "Pleural Effusion": "present",
    "Pneumothorax": "absent",
}
table = kgdx.label({"a": "Cardiomegaly.", "b": ""}, "chexpert14").set_index("id")
assert table.loc["a", "Cardiomegaly"] == 1
assert table.loc["b"].isna().all()

# %% What can be mended says how.
try:
    kgdx.run(SMALL, image__grd=2)
    hint = "none was given"
except kgdx.InputError as error:
    hint = error.hint
assert "grid" in hint
