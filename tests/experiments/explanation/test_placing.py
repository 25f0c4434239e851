"""Maps put back: what lights up in the square view lies where it lay in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.reading.tiles import Tile
from encoders.reading.transforms import to_square
from experiments.explanation.placing import SIDE, on_picture, picture_grid


@pytest.mark.parametrize("shape", [(200, 100), (100, 200), (90, 90), (331, 517), (64, 640)])
@pytest.mark.parametrize("recipe", ["whole", "squash"])
@pytest.mark.parametrize("place", [(0.15, 0.2), (0.5, 0.5), (0.9, 0.7)])
def test_a_spot_goes_through_the_view_and_back(
    shape: tuple[int, int], recipe: str, place: tuple[float, float]
) -> None:
    picture = np.zeros(shape, np.float32)
    at = [int(share * side) for share, side in zip(place, shape, strict=True)]
    reach = max(shape) // 20
    picture[max(at[0] - reach, 0) : at[0] + reach, max(at[1] - reach, 0) : at[1] + reach] = 1
    view = to_square(picture, 128, recipe).astype(np.float64)
    back = on_picture(view, shape, size=128, recipe=recipe)
    assert back.shape == picture_grid(shape)
    assert max(back.shape) == SIDE
    assert not np.isnan(back).any()
    rows, columns = np.nonzero(back > 0.5)
    for found, side, share, pixels in (
        (rows, back.shape[0], place[0], shape[0]),
        (columns, back.shape[1], place[1], shape[1]),
    ):
        middle = (min(share * pixels + reach, pixels) + max(share * pixels - reach, 0)) / 2
        assert (found.mean() + 0.5) / side == pytest.approx(middle / pixels, abs=0.04)


def test_padding_is_cut_away() -> None:
    """A landscape picture lies between two black bands, whose values are not the picture's."""
    view = np.zeros((8, 8))
    view[:2], view[-2:] = 9.0, 9.0
    view[2:6] = np.arange(4)[:, None]
    back = on_picture(view, (100, 200), size=64, recipe="whole")
    assert back.max() == 3
    assert back[0].max() == 0
    assert back[-1].min() == 3


@pytest.mark.parametrize("place", range(4))
def test_a_tile_fills_its_quarter_alone(place: int) -> None:
    back = on_picture(np.ones((4, 4)), (120, 80), size=64, recipe="squash", tile=Tile(place, 2))
    high, wide = back.shape
    quarter = np.zeros(back.shape, bool)
    down, across = divmod(place, 2)
    quarter[
        down * high // 2 : (down + 1) * high // 2, across * wide // 2 : (across + 1) * wide // 2
    ] = True
    assert (np.isfinite(back) == quarter).mean() > 0.97
