"""PixelHop++: its Saab transform against scikit-learn, its energy tree, and its tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from encoders.image import IMAGE_ENCODERS, FittedEncoder, ImageEncoder
from encoders.image.pixelhop import saab, windows
from kg.errors import InputError
from kg.options import parse_options


def images(n=6, channels=1, side=32, seed=0):
    """Smooth made-up images: noise, blurred."""
    noise = torch.randn(n, channels, side + 4, side + 4, generator=torch.manual_seed(seed))
    return torch.nn.functional.avg_pool2d(noise, 5, stride=1) * 4


def build(**options):
    part = IMAGE_ENCODERS.load("pixelhop")
    return part(parse_options(part.Options, {"size": 32, **options}, where="pixelhop"))


def fitted(pixels=None, **options):
    encoder = build(**options)
    encoder.fit(images() if pixels is None else pixels)
    return encoder


def rows_of(maps, channel, window):
    """Windows of a channel as a table, one a row."""
    return windows(maps, window)[:, channel].transpose(1, 2).flatten(0, 1).double().numpy()


@pytest.mark.parametrize(("channels", "window"), [(1, 3), (1, 5), (3, 3)])
def test_saab_is_the_mean_and_the_principal_components_of_the_rest(channels, window):
    maps = images(channels=channels)
    kernels, variance, norm = saab(maps, window)
    for channel in range(channels):
        rows = rows_of(maps, channel, window)
        pca = PCA(window**2 - 1, svd_solver="full").fit(rows - rows.mean(1, keepdims=True))
        # scikit-learn divides by n - 1; a component is known up to its sign
        expected = pca.explained_variance_ * (len(rows) - 1) / len(rows)
        np.testing.assert_allclose(variance[channel, 1:], expected, rtol=1e-6, atol=1e-9)
        same = np.abs((kernels[channel, 1:].numpy() * pca.components_).sum(1))
        np.testing.assert_allclose(same, 1.0, atol=1e-5)
        np.testing.assert_allclose(kernels[channel, 0], 1 / window, rtol=1e-12)
        of_mean = (rows.mean(1) * window).var()
        np.testing.assert_allclose(variance[channel, 0], of_mean, rtol=1e-6)
        np.testing.assert_allclose(norm[channel], np.linalg.norm(rows, axis=1).max(), rtol=1e-6)


def test_energy_is_conserved():
    maps = images(channels=2)
    kernels, variance, _ = saab(maps, 3)
    for channel in range(2):
        rows = rows_of(maps, channel, 3)
        coefficients = rows @ kernels[channel].numpy().T
        np.testing.assert_allclose((coefficients**2).sum(1), (rows**2).sum(1), rtol=1e-9)
        np.testing.assert_allclose(variance[channel].sum(), rows.var(0).sum(), rtol=1e-9)


def test_the_energies_of_a_whole_tree_sum_to_one():
    encoder = fitted(keep=0.0, split=0.01)
    leaves = sum(float(hop.energy[hop.onward :].sum()) for hop in encoder.hops)
    assert leaves == pytest.approx(1.0, abs=1e-9)
    assert encoder.hops[-1].onward == 0


@pytest.mark.parametrize(("split", "keep"), [(0.05, 0.01), (0.2, 0.001), (1.0, 1.0)])
def test_the_energy_decides_what_is_split_kept_and_dropped(split, keep):
    encoder = fitted(split=split, keep=keep)
    all_of = fitted(split=split, keep=0.0)
    for place, (hop, whole) in enumerate(zip(encoder.hops, all_of.hops, strict=True)):
        last = place == len(encoder.hops) - 1
        strongest = whole.energy == whole.energy.max()
        split_again = (whole.energy >= split) | strongest
        assert hop.onward == (0 if last else int(split_again.sum()))
        assert len(hop.energy) == max(1, int((whole.energy >= min(split, keep)).sum()))


def test_no_response_to_a_training_image_is_negative():
    pixels = images() - 3
    encoder = fitted(pixels)
    for hop in encoder.hops:
        assert (hop.bias > 0).all()
        pixels = hop(pixels)
        assert pixels.min() >= -1e-3
        pixels = pixels[:, : hop.onward]


def test_tokens_lie_on_the_grid_of_the_last_hop():
    encoder = fitted()
    assert isinstance(encoder, ImageEncoder)
    assert isinstance(encoder, FittedEncoder)
    pixels = images(3, seed=1)
    tokens = encoder(pixels)
    assert tokens.shape == (3, 16, encoder.width)
    torch.testing.assert_close(encoder(pixels[:1]), tokens[:1])
    # a change in one corner reaches the tokens of that corner alone
    moved = pixels.clone()
    moved[:, :, :4, :4] += 1.0
    changed = (encoder(moved) - tokens).abs().amax((0, 2)).view(4, 4) > 1e-3
    assert changed[0, 0]
    assert not changed[-1].any()
    assert not changed[:, -1].any()


def test_a_fit_is_the_same_twice_and_comes_back_from_its_tensors():
    first, second = fitted(), fitted()
    assert first.weights_hash() == second.weights_hash()
    assert fitted(images(seed=5)).weights_hash() != first.weights_hash()
    restored = build()
    restored.restore(first.state_dict())
    assert restored.weights_hash() == first.weights_hash()
    assert restored.width == first.width
    pixels = images(2, seed=2)
    assert torch.equal(restored(pixels), first(pixels))


def test_images_without_contrast_have_one_feature():
    encoder = fitted(torch.ones(3, 1, 32, 32))
    tokens = encoder(torch.ones(2, 1, 32, 32))
    assert torch.isfinite(tokens).all()


def test_what_does_not_fit_is_refused():
    for options in ({"size": 36}, {"window": 4}, {"size": 16, "window": 5}):
        with pytest.raises(InputError, match="do not fit"):
            build(**options)
    with pytest.raises(InputError, match="no image"):
        build().fit(torch.zeros(0, 1, 32, 32))
    with pytest.raises(ValueError, match="neither fitted"):
        build()(images())
    with pytest.raises(InputError, match="no stages that train"):
        build().trainable(-1)
    assert build().trainable(0) == ()
    with pytest.raises(InputError, match="weights"):
        build(weights="random")
