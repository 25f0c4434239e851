"""The feature cache computes once, survives a killed writer, and is safe for two processes."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from encoders import cache as module
from encoders.cache import FeatureCache, encode_pixels, image_key
from encoders.image import IMAGE_ENCODERS
from kg.errors import InputError

KEY = {"weights": "w", "recipe": "whole"}


class Counting:
    """Encodes a picture as the number written in it, and counts."""

    def __init__(self):
        self.seen = 0

    def __call__(self, paths):
        self.seen += len(paths)
        return np.stack([np.full((2, 3), float(path.read_text())) for path in paths])


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{number}.txt" for number in range(7)]
    for number, path in enumerate(paths):
        path.write_text(str(number))
    return paths


def test_everything_is_computed_once(tmp_path, pictures):
    cache = FeatureCache(tmp_path / "cache", KEY, (2, 3))
    assert cache.array().shape == (0, 2, 3)
    encode, calls = Counting(), []
    rows = cache.fill(pictures, encode, 3, lambda done, total: calls.append((done, total)))
    assert calls == [(3, 7), (6, 7), (7, 7)]
    assert cache.array()[rows, 0, 0].tolist() == list(range(7))
    again = FeatureCache(tmp_path / "cache", KEY, (2, 3))
    assert again.fill(pictures[::-1], encode).tolist() == rows[::-1].tolist()
    assert encode.seen == 7
    assert again.rows(pictures[2:4]).tolist() == [2, 3]
    assert again.array().dtype == np.float16


def test_a_picture_is_known_by_its_bytes(tmp_path, pictures):
    cache = FeatureCache(tmp_path / "cache", KEY, (2, 3))
    twin = tmp_path / "twin.txt"
    twin.write_text("3")
    encode = Counting()
    rows = cache.fill([*pictures, twin], encode)
    assert rows[7] == rows[3]
    assert encode.seen == 7
    pictures[3].write_text("30")
    with pytest.raises(InputError, match=r"1 of 7 pictures are not in the feature cache.*3\.txt"):
        cache.rows(pictures)


def test_another_key_is_another_cache(tmp_path, pictures):
    FeatureCache(tmp_path / "cache", KEY, (2, 3)).fill(pictures, Counting())
    assert len(FeatureCache(tmp_path / "cache", {**KEY, "weights": "v"}, (2, 3))) == 0
    with pytest.raises(InputError, match="shape"):
        FeatureCache(tmp_path / "cache", KEY, (2, 4))


def test_hashes_stand_for_files(tmp_path):
    cache = FeatureCache[str](tmp_path, KEY, (1, 1))
    cache.fill(["aa", "bb"], lambda names: np.arange(len(names)).reshape(-1, 1, 1))
    assert cache.rows(["bb", "aa"]).tolist() == [1, 0]


def test_what_a_killed_writer_left_is_not_seen(tmp_path, pictures):
    cache = FeatureCache(tmp_path / "cache", KEY, (2, 3))
    cache.fill(pictures[:2], Counting())
    with (cache.folder / "rows.f16").open("ab") as stream:
        stream.write(b"half a row")
    with (cache.folder / "index.jsonl").open("ab") as stream:
        stream.write(b'{"row": 2, "cont')
    again = FeatureCache(tmp_path / "cache", KEY, (2, 3))
    assert len(again) == 2
    rows = again.fill(pictures, Counting())
    assert again.array()[rows, 1, 2].tolist() == list(range(7))
    assert (again.folder / "rows.f16").stat().st_size == 7 * 2 * 3 * 2


def test_a_full_disk_leaves_what_was_there(tmp_path, pictures, monkeypatch):
    cache = FeatureCache(tmp_path / "cache", KEY, (2, 3))
    cache.fill(pictures[:2], Counting())
    write = module._write

    def full(path: Path, content: bytes) -> None:
        write(path, content[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(InputError, match="No space left") as error:
        cache.fill(pictures, Counting())
    assert "intact" in error.value.hint
    monkeypatch.setattr(module, "_write", write)
    assert len(cache) == 2
    rows = cache.fill(pictures, Counting())
    assert cache.array()[rows, 0, 0].tolist() == list(range(7))


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        FeatureCache(tmp_path / "file", KEY, (2, 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_features_must_be_finite(tmp_path, pictures, bad):
    cache = FeatureCache(tmp_path / "cache", KEY, (2, 3))

    def encode(paths):
        features = Counting()(paths)
        features[1, 0, 0] = bad
        return features

    with pytest.raises(InputError, match=r"1\.txt: .*not finite"):
        cache.fill(pictures, encode)
    assert len(cache) == 0
    with pytest.raises(InputError, match="the cache holds"):
        cache.fill(pictures, lambda paths: np.zeros((len(paths), 1, 3)))


def write_forty(folder, killed_after):
    def encode(names):
        if int(names[0]) >= killed_after:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)  # so that another process has its turn
        return np.array([[[int(name)] * 64] for name in names])

    FeatureCache[str](folder, KEY, (1, 64)).fill([str(n) for n in range(40)], encode, 2)


def test_two_processes_and_a_kill(tmp_path, processes):
    killed = processes.fork(write_forty, tmp_path, 12)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert len(FeatureCache[str](tmp_path, KEY, (1, 64))) == 12
    both = [processes.fork(write_forty, tmp_path, 40) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    cache = FeatureCache[str](tmp_path, KEY, (1, 64))
    assert len(cache) == 40
    rows = cache.rows([str(number) for number in range(40)])
    assert sorted(rows.tolist()) == list(range(40))
    assert (cache.array()[rows] == np.arange(40).reshape(-1, 1, 1)).all()


def test_pictures_are_encoded_a_few_at_a_time():
    part = IMAGE_ENCODERS.load("tiny_cnn")
    encoder = part(part.Options(size=32)).eval()
    pixels = np.random.default_rng(0).normal(size=(6, 1, 32, 32)).astype(np.float32)
    tokens = encode_pixels(encoder, pixels)
    assert tokens.shape == (6, *encoder.grid())
    np.testing.assert_allclose(tokens, encode_pixels(encoder, pixels, together=6), atol=1e-5)


def test_the_key_names_all_that_decides_and_refuses_what_changes():
    part = IMAGE_ENCODERS.load("tiny_cnn")
    encoder, other = part(part.Options()), part(part.Options(size=32))
    key = image_key(encoder, "whole", "1")
    assert key["weights"] == encoder.weights_hash()
    assert key != image_key(other, "whole", "1")
    assert key != image_key(encoder, "borders", "1")
    with pytest.raises(InputError, match="trains"):
        image_key(encoder, "whole", "1", trains=True)
    with pytest.raises(InputError, match="random view recipe"):
        image_key(encoder, "jitter", "1", random=True)
