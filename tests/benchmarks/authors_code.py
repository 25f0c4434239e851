"""The published code of three systems at the sizes of its configuration, with random weights.

Expected in one folder, as a clone of each repository lies there, at these commits (the last ones
that changed the files named); none of it is part of this project:

- `MGCA/`: HKU-MedAI/MGCA, `mgca/models/mgca/mgca_module.py` (0fe1c3b3d0e2),
  `mgca/models/backbones/{encoder,med,vits,cnn_backbones}.py` and `mgca/configs/bert_config.json`
  (6445a902287a, 4075a695d6be).
- `gloria/`: marshuang80/gloria, `gloria/models/{gloria_model,text_model,vision_model,
  cnn_backbones}.py` and `gloria/loss/gloria_loss.py` (8ae01f8cd646, 1a89c1546c17, 86bc1d7eab95,
  9f0cfcf0a437); settings of `configs/pretrain/chexpert_gloria_pretrain_config.yaml`.
- `ConVIRT-pytorch/`: edreisMD/ConVIRT-pytorch, `models/model.py`, `loss/nt_xent.py` and
  `config.yaml` (972e2647b039). The authors of ConVIRT (yuhaozhang/convirt) published lists for
  retrieval and no model.
- `site/`: where it is not installed, the package einops, which MGCA imports
  (`pip install --target site einops`).

`PATCHES` says what is done to each so that it runs with today's packages, without downloads.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import torch
import transformers
from torch import Tensor, nn

VOCABULARY = 28_996
"""Words of the vocabulary of BERT, cased, which the three name."""

PATCHES: Mapping[str, tuple[str, ...]] = {
    "mgca": (
        "weights of DeiT and ClinicalBERT are not downloaded; the sizes are theirs",
        "stand-ins for packages and classes imported and not called in a step: fairscale, wandb, "
        "cosine_annealing_warmup (the rate is constant here), mgca.datasets, DDPPlugin, DDP2Plugin",
        "functions that transformers 5 has moved or dropped are put back where the code looks: "
        "apply_chunking_to_forward, prune_linear_layer, find_pruneable_heads_and_indices (not "
        "called), get_head_mask (no mask), all_tied_weights_keys (none)",
        "its accuracy of the best five, counted in each step, is of the best four studies",
        "no Lightning trainer: LightningModule.trainer is None and nothing is logged",
        "torch.autograd.set_detect_anomaly, which the module switches on, is off, but in the row "
        "that says so",
    ),
    "gloria": (
        "weights of ResNet and ClinicalBERT are not downloaded",
        "the vision model is the paper's resnet_50: the released configuration names densenet_121, "
        "for which the released forward has no branch",
        "stand-ins for what is imported and not called in a step: cv2, omegaconf, "
        "numpy.lib.function_base; the packages' __init__ and builder, which import all of the rest",
    ),
    "convirt": (
        "weights of ClinicalBERT are not downloaded",
        "the sentence vector stays in single precision: .half() needs apex",
        "the embeddings of BERT are frozen with its first six layers, as in the paper and here, "
        "but in the row that says so",
        "torch.no_grad around the text projection, by which the released text tower is never "
        "trained, is taken away, but in the row that says so",
    ),
}


@dataclass(frozen=True)
class Pairs:
    """Pictures and texts of a batch, for both sides.

    Args:
        pixels: Pictures, `[B, 3, H, W]`.
        words: Word ids, `[B, T]`.
        mask: True where there is a word, `[B, T]`.
    """

    pixels: Tensor
    words: Tensor
    mask: Tensor

    def padded(self, length: int) -> dict[str, Tensor]:
        """The inputs by the authors' names, with texts padded to a fixed length as they do."""
        more = length - self.words.shape[1]
        ids = nn.functional.pad(self.words, (0, more))
        mask = nn.functional.pad(self.mask.long(), (0, more))
        named = {
            "caption_ids": ids,
            "attention_mask": mask,
            "token_type_ids": torch.zeros_like(ids),
        }
        return {"imgs": self.pixels, **named}


@dataclass
class Side:
    """A system ready to be trained.

    Args:
        module: Its parameters.
        optimiser: Of the module.
        loss: Loss of a batch.
        ready: Called between backward and the optimiser's step: clipping and the like.
        after: Called after the step.
        within: Context of a step.
    """

    module: nn.Module
    optimiser: torch.optim.Optimizer
    loss: Callable[[], Tensor]
    ready: Callable[[], object] = field(default=lambda: None)
    after: Callable[[], object] = field(default=lambda: None)
    within: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext

    def step(self) -> float:
        """Forward, backward and optimiser step; the loss."""
        with self.within():
            loss = self.loss()
            self.optimiser.zero_grad()
            loss.backward()
            self.ready()
            self.optimiser.step()
        self.after()
        return float(loss)


@contextlib.contextmanager
def stand_ins(modules: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Empty modules with these members, for a while, where there are none of these names."""
    made = []
    for name, members in modules.items():
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__dict__.update(members, __path__=[])
            made.append(name)
    try:
        yield
    finally:
        # other packages ask which modules there are
        for name in made:
            del sys.modules[name]


@contextlib.contextmanager
def local(where: ModuleType, tokenizer: Any) -> Iterator[None]:
    """`AutoModel` and `AutoTokenizer` of a module make a BERT of bert-base sizes, no download."""

    def model(name: str, **options: Any) -> Any:
        shape = transformers.BertConfig(vocab_size=VOCABULARY, **options)
        return transformers.AutoModel.from_config(shape)

    with (
        mock.patch.object(where, "AutoModel", SimpleNamespace(from_pretrained=model), create=True),
        mock.patch.object(
            where,
            "AutoTokenizer",
            SimpleNamespace(from_pretrained=lambda _: tokenizer),
            create=True,
        ),
    ):
        yield


UNUSED_BY_MGCA: Mapping[str, Mapping[str, Any]] = {
    "fairscale": {},
    "fairscale.nn": {},
    "fairscale.nn.checkpoint": {},
    "fairscale.nn.checkpoint.checkpoint_activations": {"checkpoint_wrapper": None},
    "cosine_annealing_warmup": {"CosineAnnealingWarmupRestarts": mock.Mock()},
    "mgca.datasets": {},
    "mgca.datasets.data_module": {"DataModule": None},
    "mgca.datasets.pretrain_dataset": {
        "MultimodalPretrainingDataset": None,
        "multimodal_collate_fn": None,
    },
    "mgca.datasets.transforms": {"DataTransforms": None},
}

UNUSED_BY_GLORIA: Mapping[str, Mapping[str, Any]] = {
    "cv2": {},
    "omegaconf": {"OmegaConf": None},
    "numpy.lib.function_base": {"extract": None},
}


def _put_back() -> None:
    """What transformers and Lightning have moved or dropped, where the code of MGCA looks."""
    plugins: Any = importlib.import_module("pytorch_lightning.plugins")
    plugins.DDPPlugin = plugins.DDP2Plugin = None
    moved: Any = importlib.import_module("transformers.pytorch_utils")
    old: Any = importlib.import_module("transformers.modeling_utils")
    for name in ("apply_chunking_to_forward", "prune_linear_layer"):
        setattr(old, name, getattr(moved, name))
    old.find_pruneable_heads_and_indices = None
    old.PreTrainedModel.get_head_mask = lambda self, mask, layers: [None] * layers


def mgca(folder: Path, tokenizer: Any, pairs: Pairs, *, anomalies: bool = False) -> Side:
    """MGCA with ViT-B/16 and six layers of BERT; texts are padded to 112 tokens."""
    sys.path[:0] = [str(folder / "MGCA"), str(folder / "site")]
    _put_back()
    with stand_ins(UNUSED_BY_MGCA):
        module: Any = importlib.import_module("mgca.models.mgca.mgca_module")
    encoder: Any = importlib.import_module("mgca.models.backbones.encoder")
    med: Any = importlib.import_module("mgca.models.backbones.med")
    torch.autograd.set_detect_anomaly(False)
    module.MGCA.trainer, module.MGCA.log_dict = None, mock.Mock()
    med.BertModel.all_tied_weights_keys = {}
    precision = module.MGCA.precision_at_k

    def within_batch(output: Tensor, target: Tensor, top_k: tuple[int, ...]) -> Any:
        return precision(output, target, tuple(min(k, len(target)) for k in top_k))

    module.MGCA.precision_at_k = staticmethod(within_batch)

    def bert(_: str, config: Any, **options: Any) -> Any:
        return med.BertModel(config, **options)

    with (
        local(encoder, tokenizer),
        mock.patch.object(med.BertModel, "from_pretrained", bert),
        mock.patch.object(torch.hub, "load_state_dict_from_url", return_value={"model": {}}),
    ):
        # weights of losses as of its command line
        system = module.MGCA(lambda_1=1.0, lambda_2=1.0, lambda_3=1.0, batch_size=4, gpus=0)
    system.training_steps = 1
    return Side(
        system.train(),
        system.configure_optimizers()["optimizer"],
        partial(system.training_step, pairs.padded(112), 0),
        system.on_after_backward,
        within=partial(torch.autograd.set_detect_anomaly, anomalies),
    )


def gloria(folder: Path, tokenizer: Any, pairs: Pairs) -> Side:
    """GLoRIA with ResNet-50, which enlarges pictures to 299; texts are padded to 97 tokens."""
    # the packages' own __init__ import all of the repository
    for name in ("gloria", "gloria.models", "gloria.loss", "gloria.builder", "gloria.utils"):
        made = sys.modules[name] = ModuleType(name)
        made.__path__ = [str(folder / "gloria" / name.replace(".", "/"))]
    package: Any = sys.modules["gloria"]
    for name in ("loss", "builder", "utils"):
        setattr(package, name, sys.modules[f"gloria.{name}"])
    with stand_ins(UNUSED_BY_GLORIA):
        text: Any = importlib.import_module("gloria.models.text_model")
        vision: Any = importlib.import_module("gloria.models.vision_model")
        importlib.import_module("gloria.loss.gloria_loss")
        model: Any = importlib.import_module("gloria.models.gloria_model")
    package.builder.build_text_model = text.BertEncoder
    package.builder.build_img_model = vision.ImageEncoder
    with local(text, tokenizer), local(model, tokenizer):
        system = model.GLoRIA(_gloria_settings())
    batch = pairs.padded(97)
    optimiser = torch.optim.Adam(
        system.parameters(), lr=5e-5, weight_decay=1e-6, betas=(0.5, 0.999)
    )

    def clip() -> None:
        torch.nn.utils.clip_grad_norm_(system.parameters(), 0.25)

    return Side(system.train(), optimiser, lambda: system.calc_loss(*system(batch))[0], clip)


def _gloria_settings() -> SimpleNamespace:
    """The released settings that the model reads."""
    one = SimpleNamespace
    weights = one(local_loss_weight=1.0, global_loss_weight=1.0, temp1=4.0, temp2=5.0, temp3=10.0)
    vision = one(model_name="resnet_50", freeze_cnn=False, pretrained=False)
    text = one(
        bert_type="",
        last_n_layers=4,
        aggregate_method="sum",
        norm=False,
        embedding_dim=768,
        freeze_bert=False,
        agg_tokens=True,
    )
    return one(model=one(gloria=weights, vision=vision, text=text), train=one(batch_size=4))


def convirt(
    folder: Path,
    tokenizer: Any,
    pairs: Pairs,
    *,
    text_trained: bool = True,
    embeddings_trained: bool = False,
) -> Side:
    """ConVIRT re-implemented, ResNet-50 at 224 pixels, the first six layers of BERT frozen."""
    sys.path.insert(0, str(folder / "ConVIRT-pytorch"))
    model: Any = importlib.import_module("models.model")
    objective: Any = importlib.import_module("loss.nt_xent")
    with local(model, tokenizer), contextlib.redirect_stdout(None):
        system = model.ModelCLR("resnet50", "", 512, list(range(6)), False)
    system.bert_model.embeddings.requires_grad_(embeddings_trained)
    pool = system.mean_pooling

    def whole(*arguments: Any) -> Tensor:
        pooled: Any = pool(*arguments)
        pooled.half = lambda: pooled
        return pooled  # type: ignore[no-any-return]

    system.mean_pooling = whole
    with_gradients = SimpleNamespace(
        no_grad=contextlib.nullcontext, sum=torch.sum, clamp=torch.clamp
    )
    model.torch = with_gradients if text_trained else torch
    criterion = objective.NTXentLoss("cpu", len(pairs.words), 0.1, True, 0.75)
    ids = {"input_ids": pairs.words, "attention_mask": pairs.mask.long()}
    ids["token_type_ids"] = torch.zeros_like(pairs.words)
    optimiser = torch.optim.Adam(system.parameters(), 1e-4, weight_decay=1e-6)
    return Side(system.train(), optimiser, lambda: criterion(*system(pairs.pixels, ids)))
