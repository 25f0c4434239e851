"""Clips: frames by place in every container, and damage of every kind."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate

from encoders.reading.picture import look, read_parts, read_picture
from encoders.reading.rejected import RejectedImage

FRAMES = 12
CONTAINERS = {
    "mp4": ("mp4", "mpeg4", "yuv420p"),
    "h264.mp4": ("mp4", "libx264", "yuv420p"),
    "mov": ("mov", "libx264", "yuv420p"),
    "avi": ("avi", "mjpeg", "yuvj420p"),
    "divx.avi": ("avi", "mpeg4", "yuv420p"),
    "webm": ("webm", "libvpx", "yuv420p"),
    "mpg": ("mpeg", "mpeg2video", "yuv420p"),
}


def film(container: str, codec: str, pixels: str, *, frames: int = FRAMES) -> bytes:
    """A film whose frame `i` has brightness `20 i`, a bright mark, and a canary as its title."""
    made = io.BytesIO()
    with av.open(made, "w", format=container) as output:
        output.metadata["title"] = "CANARY^PATIENT"
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for number in range(frames):
            grey = np.full((48, 64, 3), 20 * (number % 12), np.uint8)
            grey[4:12, 4:12] = 255
            output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        output.mux(stream.encode())
    return made.getvalue()


def levels(path: Path, parts: list[int]) -> list[int]:
    """Number of each frame, read off its brightness."""
    return [round(float(grey[30, 40]) * 255 / 20) for grey in read_parts(path, parts)]


def reason(path: Path) -> str:
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    assert "CANARY" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("name", list(CONTAINERS))
def test_frames_by_place(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"clip.{name}.png"  # told by content
    path.write_bytes(film(*CONTAINERS[name]))
    about = look(path)
    assert (about.parts, about.modality) == (FRAMES, "ultrasound")
    assert levels(path, [0, 1, 5, 11]) == [0, 1, 5, 11]
    middle = read_picture(path)
    assert middle.shape == (48, 64)
    assert middle.dtype == np.float32
    assert middle.max() > 0.9
    np.testing.assert_array_equal(middle, read_picture(path, part=6))


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_animations(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (64, 48), (20 * number,) * 3) for number in range(FRAMES)]
    for frame in frames:
        frame.paste((255, 255, 255), (4, 4, 12, 12))
    path = tmp_path / f"a.{ending}"
    lossless = {"lossless": True} if ending == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **lossless)
    assert look(path).parts == FRAMES
    assert levels(path, [1, 5, 11]) == [1, 5, 11]
    frames[5].save(tmp_path / f"still.{ending}", **lossless)
    assert look(tmp_path / f"still.{ending}").parts == 1
    assert look(tmp_path / f"still.{ending}").modality is None
    assert levels(tmp_path / f"still.{ending}", [0]) == [5]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert reason(path) in ("truncated", "damaged")


@pytest.mark.parametrize(("syntax", "codec"), [("100", "mpeg2video"), ("102", "libx264")])
def test_films_inside_dicom(
    written: Callable[..., Path], tmp_path: Path, syntax: str, codec: str
) -> None:
    container = {"mpeg2video": "mpeg2video", "libx264": "h264"}[codec]
    path = written(tmp_path / "a.dcm", np.zeros((48, 64, 3), np.uint8), Modality="US")
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{syntax}"
    ds.NumberOfFrames = FRAMES
    ds["PixelData"].is_undefined_length = True
    ds.PixelData = encapsulate([film(container, codec, "yuv420p")])
    ds.save_as(path)
    assert look(path).parts == FRAMES
    assert levels(path, [2, 9]) == [2, 9]


def test_upright(tmp_path: Path) -> None:
    turned = bytearray(film("mp4", "mpeg4", "yuv420p"))
    quarter = np.array([0, 1, 0, -1, 0, 0, 0, 0, 1 << 14], ">i4") << 16  # clockwise
    at = turned.index(b"tkhd") + 4 + 40
    turned[at : at + 36] = quarter.tobytes()
    (tmp_path / "a.mp4").write_bytes(turned)
    grey = read_picture(tmp_path / "a.mp4", part=3)
    assert grey.shape == (64, 48)
    assert grey[4:12, 36:44].min() > 0.8  # the mark, now at the top right


@pytest.mark.parametrize("name", ["mp4", "avi", "divx.avi"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_cut_off(tmp_path: Path, name: str, share: float) -> None:
    whole = film(*CONTAINERS[name])
    path = tmp_path / "cut"
    path.write_bytes(whole[: max(int(len(whole) * share), 16)])
    assert reason(path) == "truncated"


def test_a_clip_of_sound_alone(tmp_path: Path) -> None:
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    (tmp_path / "a.mp4").write_bytes(made.getvalue())
    assert reason(tmp_path / "a.mp4") in ("truncated", "not_an_image")


def test_too_many_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoders.reading.limits.MAX_PARTS", 8)
    (tmp_path / "a.avi").write_bytes(film(*CONTAINERS["avi"]))
    assert reason(tmp_path / "a.avi") == "too_many_parts"


def test_nothing_but_black(tmp_path: Path) -> None:
    frames = [Image.new("L", (64, 48), 0) for _ in range(4)]
    frames[0].putpixel((3, 3), 255)
    path = tmp_path / "a.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert reason(path) == "degenerate"
    shown = list(read_parts(path, [0, 1]))
    assert shown[0].any()
    assert not shown[1].any()


@pytest.mark.parametrize("container", ["webm", "matroska"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
def test_cut_off_where_the_frames_are_not_counted(
    tmp_path: Path, container: str, share: float
) -> None:
    """The container says how long it is."""
    codec = "libvpx" if container == "webm" else "libx264"
    whole = film(container, codec, "yuv420p", frames=60)
    (tmp_path / "whole").write_bytes(whole)
    assert look(tmp_path / "whole").parts == 60
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
    assert reason(tmp_path / "cut") in ("truncated", "not_an_image")


@pytest.mark.parametrize("name", ["mp4", "avi", "divx.avi"])
@pytest.mark.parametrize("hole", ["cut", "zeros", "noise"])
def test_a_hole_in_the_middle(tmp_path: Path, name: str, hole: str) -> None:
    """Frames before it may be read; none is read as something else."""
    rng = np.random.default_rng(0)
    made = io.BytesIO()
    container, codec, pixels = CONTAINERS[name]
    grain = np.cumsum(rng.integers(-9, 10, (120, 160)), axis=1) % 256
    with av.open(made, "w", format=container) as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, pixels
        for number in range(40):
            grey = np.roll(grain, 3 * number, axis=1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format=pixels)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    whole, path = made.getvalue(), tmp_path / "clip"
    path.write_bytes(whole)
    sound = list(read_parts(path, range(40)))
    at, size = len(whole) // 2, len(whole) // 6
    middle = {"cut": b"", "zeros": bytes(size), "noise": rng.bytes(size)}[hole]
    path.write_bytes(whole[:at] + middle + whole[at + size :])
    try:
        found = list(read_parts(path, range(40)))
    except RejectedImage as error:
        assert error.reason in ("truncated", "damaged")  # noqa: PT017 - either is right
        return
    worst = max(float(np.abs(a - b).mean()) for a, b in zip(sound, found, strict=True))
    assert worst < 0.02


@pytest.mark.parametrize("name", list(CONTAINERS))
@pytest.mark.parametrize("frames", [3, 4, FRAMES])
def test_no_part_of_a_film_shows_another_frame(tmp_path: Path, name: str, frames: int) -> None:
    """Wherever it is cut, it is refused or said to be cut, or shows the frame of the whole."""
    path = tmp_path / "a"
    coded = film(*CONTAINERS[name], frames=frames)
    path.write_bytes(coded)
    whole = read_picture(path)
    for end in range(len(coded) // 2, len(coded), max(len(coded) // 40, 1)):
        path.write_bytes(coded[:end])
        try:
            cut = read_picture(path)
        except RejectedImage:
            continue
        if name == "mpg":
            assert "does not say where it ends" in look(path).notes[0]
            continue
        np.testing.assert_array_equal(cut, whole, f"cut at {end} of {len(coded)}")


def test_a_segment_of_unknown_length_is_read(tmp_path: Path) -> None:
    """Cameras that do not know the end before they reach it write ones."""
    coded = film(*CONTAINERS["webm"])
    at = coded.index(b"\x18\x53\x80\x67") + 4
    assert coded[at] == 1
    path = tmp_path / "a.webm"
    path.write_bytes(coded[:at] + b"\x01" + b"\xff" * 7 + coded[at + 8 :])
    assert look(path).parts == FRAMES


def test_a_film_of_an_unknown_coding_says_that_a_decoder_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    coded = film(*CONTAINERS["mp4"])
    for known in (b"mp4v", b"esds"):
        assert coded.count(known) == 1
        coded = coded.replace(known, b"zzzz")
    path.write_bytes(coded)
    assert reason(path) == "needs_decoder"
