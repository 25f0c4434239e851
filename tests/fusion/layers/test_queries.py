"""The query decoder by hand, and blind to padding and to the other queries."""

from __future__ import annotations

import pytest
import torch

from fusion.layers.queries import QueryDecoder
from kg.errors import InputError

MASK = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def decoder() -> QueryDecoder:
    torch.manual_seed(0)
    return QueryDecoder(8, layers=2, heads=2).eval()


def test_a_query_takes_the_mean_of_equal_keys_by_hand() -> None:
    """With keys of zero all tokens weigh the same; identity values and no feed-forward add it."""
    decoder = QueryDecoder(2, layers=1, heads=1, dropout=0.0)
    layer = decoder.layers[0]
    with torch.no_grad():
        layer.attend.in_proj_weight.zero_()
        layer.attend.in_proj_weight[4:] = torch.eye(2)  # values
        layer.attend.in_proj_bias.zero_()
        layer.attend.out_proj.weight.copy_(torch.eye(2))
        layer.attend.out_proj.bias.zero_()
        for step in (layer.feed[1], layer.feed[4]):
            step.weight.zero_()
            step.bias.zero_()
    decoder.norm = torch.nn.Identity()
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [50.0, 50.0]]])
    found = decoder(torch.tensor([[10.0, 20.0]]), tokens, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(found, torch.tensor([[[12.0, 24.0]]]))
    shares = decoder.attention(torch.zeros(1, 2), tokens, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(shares, torch.tensor([[[0.5, 0.5, 0.0]]]))


def test_a_query_is_decoded_as_if_it_were_alone(decoder: QueryDecoder) -> None:
    queries, tokens = drawn(70, 8), drawn(3, 4, 8, seed=1)
    whole = decoder(queries, tokens, MASK)
    assert whole.shape == (3, 70, 8)
    for place in (0, 63, 64, 69):
        alone = decoder(queries[place : place + 1], tokens, MASK)
        torch.testing.assert_close(alone[:, 0], whole[:, place], atol=1e-5, rtol=1e-5)
    own = queries.expand(3, -1, -1)
    torch.testing.assert_close(decoder(own, tokens, MASK), whole)


def test_padding_changes_nothing(decoder: QueryDecoder) -> None:
    queries, tokens = drawn(5, 8), drawn(3, 4, 8, seed=1)
    other = torch.where(MASK[..., None], tokens, 99.0)
    here, there = (decoder(queries, one, MASK)[:2] for one in (tokens, other))
    torch.testing.assert_close(here, there)
    longer = decoder(
        queries,
        torch.nn.functional.pad(tokens, (0, 0, 0, 3)),
        torch.nn.functional.pad(MASK, (0, 3)),
    )
    torch.testing.assert_close(longer[:2], here)
    assert decoder(queries, tokens, MASK).isfinite().all()


def test_shares_sum_to_one_where_there_is_a_token(decoder: QueryDecoder) -> None:
    shares = decoder.attention(drawn(5, 8), drawn(3, 4, 8, seed=1), MASK)
    torch.testing.assert_close(shares[:2].sum(-1), torch.ones(2, 5))
    assert not shares[2].any()
    assert not shares.masked_select(~MASK[:, None].expand_as(shares)).any()


def test_heads_must_share_the_width() -> None:
    with pytest.raises(InputError, match="queries.heads: 3 heads"):
        QueryDecoder(8, heads=3)
