"""Small sound image files of every kind, made with a fixed seed."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import av
import imagecodecs
import nibabel
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

HEIGHT, WIDTH = 24, 32


def drawn(steps: int = 255) -> np.ndarray:
    """A bright blob over a slope, with some noise: no two parts of it are alike."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    blob = np.exp(-((down - 8) ** 2 + (across - 20) ** 2) / 40)
    noise = np.random.default_rng(0).random((HEIGHT, WIDTH))
    return ((0.4 * across / WIDTH + 0.4 * blob + 0.2 * noise) * steps).astype(np.uint16)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """An image in a format of Pillow."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def stills() -> dict[str, list[bytes]]:
    """Still and animated images by ending."""
    grey = Image.fromarray(drawn().astype(np.uint8))
    colour = Image.merge("RGB", (grey, grey.rotate(180), grey))
    seen = grey.convert("RGBA")
    seen.putalpha(grey.rotate(180))
    several = {"save_all": True, "append_images": [grey.rotate(180)], "duration": 100}
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "jpg": [
            saved(grey, "JPEG", quality=90),
            saved(colour, "JPEG", progressive=True, exif=turned),
            saved(colour, "JPEG", restart_marker_rows=1, comment=b"made up"),
            saved(colour.convert("CMYK"), "JPEG"),
        ],
        "png": [
            saved(grey, "PNG"),
            saved(seen, "PNG", exif=turned),
            saved(grey.convert("P"), "PNG", transparency=3),
            saved(grey.point(lambda value: 255 * (value > 90), "1"), "PNG"),
            _with_text(saved(colour, "PNG")),
        ],
        "deep.png": [
            bytes(imagecodecs.png_encode(np.stack([drawn(65_535)] * 3, -1))),
            bytes(imagecodecs.png_encode(drawn(65_535))),
        ],
        "jp2": [
            bytes(imagecodecs.jpeg2k_encode(drawn().astype(np.uint8), codecformat="jp2")),
            bytes(imagecodecs.jpeg2k_encode(drawn(65_535), codecformat="jp2", reversible=True)),
        ],
        "bmp": [saved(grey, "BMP"), saved(colour, "BMP"), saved(grey.convert("1"), "BMP")],
        "gif": [saved(grey, "GIF"), saved(grey, "GIF", **several)],
        "webp": [
            saved(grey, "WEBP", quality=90),
            saved(seen, "WEBP", lossless=True, exif=turned),
            saved(grey, "WEBP", **several),
        ],
        "tif": [
            saved(grey, "TIFF"),
            saved(colour, "TIFF", compression="tiff_lzw"),
            saved(grey, "TIFF", compression="jpeg"),
            saved(grey, "TIFF", exif=turned),
            *map(_deep_tiff, ({}, {"compression": "lzw"}, {"tile": (16, 16)}, {"predictor": True})),
        ],
    }


def _with_text(png: bytes) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("note", "made up", zip=True)
    info.add_itxt("more", "made up", "en")
    return saved(Image.open(io.BytesIO(png)), "PNG", pnginfo=info, gamma=0.5)


def _deep_tiff(options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    values = drawn(65_535)
    if options.pop("predictor", False):
        values, options = values.astype(np.float32), {"compression": "deflate"}
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def volumes() -> dict[str, list[bytes]]:
    """NIfTI volumes, plain and packed."""
    values = np.stack([drawn(1000).astype(np.int16) + place for place in range(4)], -1)
    kinds = (values, values.astype(np.float32), values.astype(np.uint8), values.astype(">i2"))
    plain = [_nifti(kind) for kind in kinds]
    second = nibabel.Nifti2Image(values, np.diag((-0.8, 0.8, 2.0, 1.0))).to_bytes()
    return {"nii": [*plain, second], "nii.gz": [gzip.compress(one, mtime=0) for one in plain]}


def _nifti(values: np.ndarray) -> bytes:
    image = nibabel.Nifti1Image(values, np.diag((-0.8, 0.8, 2.0, 1.0)))
    image.header.set_slope_inter(1.0, -500.0)
    return bytes(image.to_bytes())


_SYNTAXES = pydicom.uid


def dicoms() -> list[bytes]:
    """DICOM files: plain, signed, frames, ultrasound, and four kinds of compression."""
    deep, grey = drawn(4095), drawn().astype(np.uint8)
    plain = _dicom(deep, WindowCenter=2000, WindowWidth=3000, BitsStored=12, HighBit=11)
    signed = _dicom(deep.astype(np.int16), RescaleSlope=1, RescaleIntercept=-1024, Modality="CT")
    signed.ImagePositionPatient, signed.ImageOrientationPatient = [0, 0, 5], [1, 0, 0, 0, 1, 0]
    frames = _dicom(np.stack([grey, grey[::-1], grey.T.reshape(grey.shape)]))
    colours = _dicom(np.stack([grey] * 3, -1), Modality="US")
    region = Dataset()
    for name, value in zip(("MinX0", "MinY0", "MaxX1", "MaxY1"), (2, 2, 29, 21), strict=True):
        setattr(region, f"RegionLocation{name}", value)
    colours.SequenceOfUltrasoundRegions = [region]
    coded = (
        (_SYNTAXES.JPEG2000Lossless, imagecodecs.jpeg2k_encode(deep, codecformat="j2k")),
        (_SYNTAXES.JPEGBaseline8Bit, imagecodecs.jpeg8_encode(grey)),
        (_SYNTAXES.JPEGLSLossless, imagecodecs.jpegls_encode(deep)),
    )
    made = [plain, signed, frames, colours, _dicom(grey, PhotometricInterpretation="MONOCHROME1")]
    files = [_written(each) for each in made]
    for syntax, frame in coded:
        dataset = _dicom(grey if syntax == _SYNTAXES.JPEGBaseline8Bit else deep)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([bytes(frame)])
        dataset["PixelData"].is_undefined_length = True
        files.append(_written(dataset))
    packed = _dicom(grey)
    packed.compress(_SYNTAXES.RLELossless)
    return [*files, _written(packed)]


def slices() -> list[bytes]:
    """Slices of one CT series."""
    made = []
    for place in range(4):
        each = _dicom(
            drawn(1000).astype(np.int16) + place,
            Modality="CT",
            SOPClassUID=_SYNTAXES.CTImageStorage,
            SeriesInstanceUID="1.2.4",
            InstanceNumber=place + 1,
            ImagePositionPatient=[0, 0, 5 * place],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[0.8, 0.8],
            RescaleIntercept=-500,
            RescaleSlope=1,
        )
        made.append(_written(each))
    return made


def _dicom(pixels: np.ndarray, **fields: object) -> Dataset:
    dataset, colour = Dataset(), pixels.ndim == 3 and pixels.shape[-1] == 3
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = _SYNTAXES.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.PatientName, dataset.PatientID = "MADE^UP", "0"
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in fields.items():
        setattr(dataset, name, value)
    return dataset


def _written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def clips(folder: Path) -> dict[str, list[bytes]]:
    """Clips of some frames in three containers."""
    made = {}
    for name, codec in (("mp4", "mpeg4"), ("avi", "mjpeg"), ("webm", "libvpx")):
        path = folder / f"sound.{name}"
        with av.open(path, "w") as output:
            stream = output.add_stream(codec, rate=5)
            stream.height, stream.width = HEIGHT, WIDTH
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for turn in range(4):
                grey = np.roll(drawn().astype(np.uint8), 3 * turn, axis=1)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray")))
            output.mux(stream.encode())
        made[name] = [path.read_bytes()]
    return made
