"""Configurations: what is read, what is refused, and how the refusal reads."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from encoders.reading.augmentation import Augmentation
from experiments.config.hashing import config_hash
from experiments.config.load import dump, read_config, resolve, shipped_configs
from experiments.config.parts import check_parts, read_checked
from kg.errors import InputError

SMALL = """\
name: small
data:
  name: synthetic
  labels: nih14
system:
  name: graph_fusion
"""


@pytest.fixture
def write(tmp_path: Path):
    def to_file(text: str, name: str = "small.yaml") -> str:
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return str(path)

    return to_file


def refused(path: str, *overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        resolve(path, overrides)
    return caught.value


def test_defaults_and_overrides(write) -> None:
    experiment = resolve(
        write(SMALL), ["split.fold=3", "stages=[{epochs: 2}]", "stages.0.learning_rate=1e-4"]
    )
    assert experiment.split.fold == 3
    assert experiment.split.folds == 5
    assert (experiment.stages[0].epochs, experiment.stages[0].learning_rate) == (2, 1e-4)
    assert resolve(write(SMALL), ["image.encoder=null"]).image.encoder is None


def test_an_item_is_counted_from_the_end_of_its_list(write) -> None:
    stages = "stages=[{name: a}, {name: b}]"
    read = resolve(write(SMALL), [stages, "stages.-1.epochs=3", "stages.-2.batch_size=8"]).stages
    assert [(stage.name, stage.epochs, stage.batch_size) for stage in read] == [
        ("a", resolve(write(SMALL), [stages]).stages[0].epochs, 8),
        ("b", 3, resolve(write(SMALL), [stages]).stages[1].batch_size),
    ]
    with pytest.raises(InputError, match="stages is a list without '-3'"):
        resolve(write(SMALL), [stages, "stages.-3.epochs=3"])


@pytest.mark.parametrize(
    ("added", "line", "path", "hint"),
    [
        ("txet: {}", 7, "txet", "did you mean 'text'"),
        ("text:\n  tset: full", 8, "text.tset", "did you mean 'test'"),
        ("text:\n  test: ful", 8, "text.test", "did you mean 'full'"),
        ("text:\n  train: smae", 8, "text.train", "did you mean 'same'"),
        ("stages:\n- epohcs: 3", 8, "stages.0.epohcs", "did you mean 'epochs'"),
        ("image:\n  encoder:\n    nme: x", 9, "image.encoder.nme", "did you mean 'name'"),
        ("image: 3", 7, "image", "it is 3"),
        ("seed: many", 7, "seed", "it is 'many'"),
        ("seed: 1.5", 7, "seed", "it is 1.5"),
        ("split:\n  fold: null", 8, "split.fold", "it is None"),
        ("split:\n  fold: 5", 8, "split.fold: none of the 5 folds", "it is 5"),
        ("split:\n  fold: -1", 8, "split.fold", "it is -1"),
        ("split:\n  fold: 3\n  folds: 3", 8, "split.fold: none of the 3 folds", "it is 3"),
        ("split:\n  folds: 0", 8, "split.folds", "it is 0"),
        ("stages:\n- learning_rate: nan", 8, "stages.0.learning_rate", "number"),
        ("stages:\n- learning_rate: 1e999", 8, "stages.0.learning_rate", "number"),
        ("name: again", 7, "name", "line 1"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(write, added, line, path, hint) -> None:
    where = write(SMALL + added + "\n")
    error = refused(where)
    assert error.message.startswith(f"{where}:{line}: ")
    assert path in error.message
    assert hint in error.hint


def test_a_missing_key_points_at_its_section(write) -> None:
    path = write("name: small\ndata:\n  name: synthetic\nsystem: {name: graph_fusion}\n")
    error = refused(path)
    assert error.message == f"{path}:2: data.labels: this key is missing"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: !!python/object/apply:os.system [touch pwned]", "tag"),
        ("a: !!python/name:os.system", "tag"),
        ("a: !env HOME", "tag"),
        ("a: &x [1, 2]\nb: [*x, *x]", "alias"),
        ("a: &a [x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]", "alias"),
        ("a: {<<: {seed: 1}}", "a:"),
        ("a: " + "[" * 40, "nested"),
        ("a: [", "not readable"),
        ("- 1", "keys and values"),
        ("", "keys and values"),
        ("a: 1\n---\nb: 2", "second document"),
        ("? [a, b]\n: 1", "one word"),
        ("seed: " + "9" * 5000, "number"),
        ("a: \x00", "not readable"),
        ("a: " + "x" * 1_000_001, "long"),
    ],
)
def test_what_no_configuration_needs_is_refused(write, tmp_path, text, says) -> None:
    assert says in refused(write(text)).message
    assert not (Path.cwd() / "pwned").exists()


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Münster".encode("latin-1"))
    assert "UTF-8" in refused(str(path)).message


def test_environment_is_not_interpolated(write) -> None:
    assert resolve(write(SMALL), ["about=$HOME ${HOME}"]).about == "$HOME ${HOME}"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("split.fould=1", "split.fould"),
        ("split.fold=a", "whole number"),
        ("split", "key.path=value"),
        ("=1", "key.path=value"),
        ("base=other.yaml", "key.path=value"),
        ("name.first=a", "is a value"),
        ("stages.0.epochs=1", "a list belongs here"),
        ("about=a: b", "not readable"),
        ("seed=!!python/name:os.system", "tag"),
        ("seed=1\nname: other", "more than one value"),
    ],
)
def test_a_wrong_override_is_named(write, override, says) -> None:
    error = refused(write(SMALL), override)
    assert error.message.startswith("--set ")
    assert says in f"{error.message} {error.hint}"


def test_only_folds_are_counted_before_the_data_are_read(write) -> None:
    for kind in ("sources", "fixed", "locked", "official"):
        assert resolve(write(SMALL), [f"split.kind={kind}", "split.fold=7"]).split.fold == 7


def test_yaml_words_stay_words(write) -> None:
    path = write(SMALL.replace("name: small", "name: no") + "about: 2024-01-01\n")
    experiment = resolve(path)
    assert (experiment.name, experiment.about) == ("no", "2024-01-01")


def test_a_base_is_overridden_key_by_key(write) -> None:
    write(SMALL + "split: {fold: 2, seed: 5}\n", "below.yaml")
    path = write("base: below.yaml\nname: above\nsplit: {fold: 4}\n", "above.yaml")
    experiment = resolve(path)
    assert (experiment.name, experiment.split.fold, experiment.split.seed) == ("above", 4, 5)


def test_a_mistake_in_the_base_is_named_in_the_base(write) -> None:
    below = write(SMALL + "sed: 1\n", "below.yaml")
    assert refused(write("base: below.yaml\n", "above.yaml")).message.startswith(f"{below}:7: ")


def test_another_part_does_not_inherit_options(write) -> None:
    write(SMALL + "  options: {width: 3}\n", "below.yaml")
    path = write("base: below.yaml\nsystem: {name: other}\n", "above.yaml")
    assert dict(resolve(path).system.options) == {}
    kept = write("base: below.yaml\nsystem: {options: {depth: 1}}\n", "kept.yaml")
    assert dict(resolve(kept).system.options) == {"width": 3, "depth": 1}
    assert dict(resolve(kept, ["system.name=other"]).system.options) == {}


def test_a_base_may_have_a_base_and_must_be_there(write) -> None:
    write(SMALL + "split: {fold: 2, seed: 5}\n", "c.yaml")
    write("base: c.yaml\nname: b\nsplit: {fold: 4}\n", "b.yaml")
    experiment = resolve(write("base: b.yaml\nseed: 3\n", "a.yaml"))
    assert (experiment.name, experiment.split.fold, experiment.split.seed) == ("b", 4, 5)
    assert "no file" in refused(write("base: none.yaml\n", "d.yaml")).message


@pytest.mark.parametrize("last", ["a.yaml", "b.yaml", "./c.yaml"])
def test_a_base_of_itself_is_refused(write, last: str) -> None:
    write(f"base: {last}\n", "c.yaml")
    write("base: c.yaml\n", "b.yaml")
    assert "is based on this file itself" in refused(write("base: b.yaml\n", "a.yaml")).message


@pytest.mark.parametrize("name", ["graph_fusion_openi", "graph_fusion_openi_findings"])
def test_a_base_is_a_shipped_name_too(write, name: str) -> None:
    path = write(f"base: {name}\nname: own\nimage: {{limit: 2}}\n")
    shipped = resolve(name)
    image = shipped.image.model_copy(update={"limit": 2})
    assert resolve(path) == shipped.model_copy(update={"name": "own", "image": image})


def test_a_misspelt_base_is_refused_with_the_closest(write) -> None:
    error = refused(write("base: graph_fusion_opni\n"))
    assert "graph_fusion_openi" in error.hint
    assert ":1: base: there is no file" in error.message


def test_names_and_paths() -> None:
    assert "no configuration is called 'none_such'" in refused("none_such").message
    assert "no file" in refused("none/such.yaml").message
    assert "no file" in refused("such.yaml").message


def test_a_configuration_at_a_papers_scale_is_named_with_its_folder() -> None:
    assert resolve("paper/zhang2020_convirt").name == "zhang2020_convirt"
    error = refused("paper/zhang2020_convit")
    assert error.message == "no configuration is called 'paper/zhang2020_convit'"
    assert "paper/zhang2020_convirt" in error.hint
    names = list(shipped_configs())
    assert not any(name.startswith("bases") for name in names)
    first = next(place for place, name in enumerate(names) if "/" in name)
    assert all(name.startswith("paper/") for name in names[first:])


def test_what_is_written_out_reads_the_same(write, tmp_path: Path) -> None:
    overrides = ["about='1e-4'", "stages=[{name: 'null', objectives: {a: 0.5}}]", "seed=7"]
    experiment = resolve(write(SMALL), overrides)
    again = resolve(write(dump(experiment), "again.yaml"))
    assert again == experiment
    assert config_hash(again) == config_hash(experiment)
    assert config_hash(resolve(write(SMALL))) != config_hash(experiment)


def test_the_hash_sees_values_not_writing(write) -> None:
    other = "system: {name: graph_fusion}\ndata: {labels: nih14, name: synthetic}\nname: small\n"
    assert config_hash(resolve(write(other, "b.yaml"))) == config_hash(resolve(write(SMALL)))


@pytest.mark.parametrize(
    ("override", "says", "hint"),
    [
        ("data.name=opneni", "no data set called", "openi"),
        ("image.encoder.name=tiny_cnm", "no image encoder", "tiny_cnn"),
        ("image.encoder={name: tiny_cnn, options: {wdth: 3}}", "wdth", ""),
        ("system.name=graph_fision", "no system", "graph_fusion"),
    ],
)
def test_parts_are_checked_with_their_place(write, override, says, hint) -> None:
    path = write(SMALL.replace("synthetic", "openi"))
    config = read_config(path, [override])
    with pytest.raises(InputError) as caught:
        check_parts(config.experiment, config.places)
    assert caught.value.message.startswith(f"--set {override}")
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_a_label_set_the_data_do_not_have(write) -> None:
    path = write(SMALL.replace("synthetic", "openi").replace("nih14", "nih15"))
    config = read_config(path)
    with pytest.raises(InputError) as caught:
        check_parts(config.experiment, config.places)
    assert f"{path}:4: data.labels" in caught.value.message
    assert "nih14" in caught.value.hint


def test_augmentation_is_a_switch_or_options_and_survives_its_own_dump(tmp_path: Path) -> None:
    plain = resolve("demo")
    assert plain.image.augment is True
    assert config_hash(resolve("demo", ["image.augment=true"])) == config_hash(plain)
    chosen = resolve("demo", ["image.augment={crop: [0.6, 1.0], turn: 0}"])
    assert isinstance(chosen.image.augment, Augmentation)
    assert chosen.image.augment.crop == (0.6, 1.0)
    assert config_hash(chosen) != config_hash(plain)
    path = tmp_path / "chosen.yaml"
    path.write_text(dump(chosen))
    assert resolve(str(path)) == chosen


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{crp: [0.6, 1]}", "image.augment.crp: there is no such key"),
        ("{crop: [1.0, 0.6]}", "image.augment.crop: the smaller share stands first"),
        ("{crop: 0.6}", "image.augment.crop: a list belongs here"),
        ("{erase: 0.9}", "image.augment.erase: input should be less than or equal to 0.5"),
        ("often", "image.augment: true or false belongs here"),
    ],
)
def test_a_wrong_augmentation_is_told_by_its_key(written: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        resolve("demo", [f"image.augment={written}"])


NONSENSE = {
    "seed": "-1",
    "devices": "0",
    "split.folds": "1",
    "split.validation": "1",
    "split.fraction": "0",
    "image.limit": "0",
    "graph.seed": "1e20",
    "graph.width": "1e9",
    "stages.0.epochs": "-1",
    "stages.0.batch_size": "-4",
    "stages.0.learning_rate": "-1",
    "stages.0.objectives.contrast": "-0.5",
    "image.encoder.options.size": "0",
    "text.encoder.options.layers": "0",
    "data.options.studies": "0",
    "system.options.width": "1e9",
    "system.options.join.options.dropout": "1",
    "stages.0.optimiser.options.eps": "-1",
    "stages.0.schedule.options.every": "0",
}


def test_all_nonsense_numbers_are_told_at_once() -> None:
    base = (
        "stages=[{optimiser: {name: adam}, schedule: {name: step}}]",
        "text.test=full",
        "system.options.join={name: knowledge_attention}",
    )
    read_checked("demo", base)
    with pytest.raises(InputError) as caught:
        read_checked("demo", [*base, *(f"{key}={value}" for key, value in NONSENSE.items())])
    told = re.findall(r"--set (\S+)=\S+: (\S+): ", str(caught.value))
    assert sorted(told) == sorted((key, key) for key in NONSENSE)


def test_wrong_keys_values_and_parts_are_told_at_once(write) -> None:
    path = write(SMALL + "sed: 1\nseed: -1\nimage: {encoder: {name: tiny_cnm}}\ntasks: [zero]\n")
    with pytest.raises(InputError) as caught:
        read_checked(path)
    said = str(caught.value)
    lines = [int(line) for line in re.findall(rf"{re.escape(path)}:(\d+): ", said)]
    assert lines == [7, 8, 9, 10]
    assert "did you mean 'seed'" in said
    assert "did you mean 'tiny_cnn'" in said


def test_without_a_key_that_must_be_there_the_rest_is_told(write) -> None:
    path = write("name: small\nseed: -1\ndata: {name: synthetic}\nsystem: {name: none}\n")
    with pytest.raises(InputError) as caught:
        read_checked(path)
    said = str(caught.value)
    assert ":2: seed" in said
    assert ":3: data.labels: this key is missing" in said
