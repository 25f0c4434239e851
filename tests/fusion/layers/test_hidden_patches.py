"""Hidden patches: whole blocks, at the rate asked for, and means of blocks by hand."""

from __future__ import annotations

import pytest
import torch

from fusion.layers.hidden_patches import at_scale, hide_patches, side_of
from kg.errors import InputError


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@pytest.mark.parametrize("block", [1, 2, 4])
@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_blocks_are_hidden_as_a_whole_at_the_rate(block: int, rate: float) -> None:
    mask = torch.ones(64, 2 * 64).bool()
    hidden = hide_patches(mask, 8, block=block, rate=rate, generator=seeded())
    assert float(hidden.float().mean()) == pytest.approx(rate, abs=0.06)
    share = at_scale(hidden[..., None].float(), 8, block)
    assert set(share.unique().tolist()) == {0.0, 1.0}


def test_padding_is_never_hidden_and_a_block_at_the_edge_is_cut_off() -> None:
    mask = torch.zeros(2, 9).bool()
    mask[0] = True
    hidden = hide_patches(mask, 3, block=2, rate=1.0)
    assert torch.equal(hidden, mask)
    assert not hide_patches(mask, 3, block=2, rate=0.0).any()


def test_a_generator_decides() -> None:
    mask = torch.ones(4, 16).bool()
    one, other = (hide_patches(mask, 4, generator=seeded()) for _ in range(2))
    assert torch.equal(one, other)


def test_means_of_blocks_by_hand() -> None:
    grid = torch.arange(9.0).view(1, 9, 1)  # 0 1 2 / 3 4 5 / 6 7 8
    assert at_scale(grid, 3, 2)[0, :, 0].tolist() == [2.0, 3.5, 6.5, 8.0]
    assert at_scale(grid, 3, 3)[0, :, 0].tolist() == [4.0]
    assert at_scale(grid, 3, 1) is grid


def test_each_image_has_its_own_blocks() -> None:
    cells = torch.randn(2, 3 * 16, 5, generator=seeded())
    whole = at_scale(cells, 4, 2)
    assert whole.shape == (2, 3 * 4, 5)
    second = at_scale(cells[:, 16:32], 4, 2)
    torch.testing.assert_close(whole[:, 4:8], second)
    first_block = cells[0, [0, 1, 4, 5]].mean(0)
    torch.testing.assert_close(whole[0, 0], first_block)


@pytest.mark.parametrize(("cells", "side"), [(1, 1), (16, 4), (49, 7)])
def test_side_of_a_grid(cells: int, side: int) -> None:
    assert side_of(cells) == side


@pytest.mark.parametrize("cells", [2, 15, 50])
def test_what_is_no_square_is_refused(cells: int) -> None:
    with pytest.raises(InputError) as caught:
        side_of(cells)
    assert caught.value.hint
