"""VLM report: a vision-language model with adapters writes the report of an image (Tang 2025).

References: yuanditang/MIMIC-CXR, a repository with notebooks that tune Llama 3.2 Vision by LoRA;
Hu: LoRA: Low-Rank Adaptation of Large Language Models, 2022. Fidelity: reconstruction; sizes of
training are those of the notebook, those of the adapters the usual ones of its library. The weights
of Llama 3.2 Vision have a licence of their own, the Llama 3.2 Community License.

The model of a local folder reads an image and a prompt, and is taught the words of the report after
it. It is frozen but for adapters of low rank on its linear layers, and a run keeps the adapters
alone: to read it again, the same folder must be there.

What differs, and why:
- Any vision-language model of transformers will do. The authors load Llama 3.2 Vision with 11
  billion parameters in 4 bits; here it has the precision it is stored in.
- Without a folder, a small model of the same architecture with random weights takes its place, with
  the words of the run's text encoder; `whole` lets its embeddings train. It shows that everything
  works, not what such a model knows.
- One image of a study is read, the first.
- Reports are those that the run's text encoder has read: of its sections, and as its words go in
  lower case where it has no others. The authors prompt in words that are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from encoders.adapters import AdaptedModel
from encoders.batch import StudyBatch, Text
from encoders.image import Preprocessing
from encoders.text import Vocabulary
from encoders.vision_language import open_vision_language, small_vision_language
from fusion.losses.sequence_cross_entropy import sequence_cross_entropy
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting, System
from kg.bounds import Few, Positive, Seed, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part

__all__ = ["VlmReport"]

OF_EACH_WORD = (
    "input_ids", "attention_mask", "cross_attention_mask", "token_type_ids", "mm_token_type_ids"
)  # fmt: skip
"""Inputs of a model that have a place for each word."""


class VlmReport(System):
    """A vision-language model that is taught to write reports.

    Args:
        options: The model, its adapters, and the length of reports.
        setting: What the run is about; needs pixels and a vocabulary.
        stages: Stages of training.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            folder: Folder that `save_pretrained` wrote, with model and processor; empty = a small
                model with random weights.
            prompt: What the model is asked.
            rank: Rank of the adapters.
            alpha: Weight of the adapters, divided by their rank.
            dropout: Dropout before the adapters.
            whole: Modules that train as a whole, by the ends of their names in the model, in the
                precision it is stored in.
            limit: Largest number of the model's tokens that are learned and written of a report.
            beams: Number of beams in generation; 1 = greedy.
            seed: Seed of the weights of the small model.
        """

        folder: str = ""
        prompt: str = "Write the report of this chest X-ray."
        rank: Few = 16
        alpha: Positive = 16.0
        dropout: ShareBelow1 = 0.0
        whole: tuple[str, ...] = ()
        limit: Width = 128
        beams: Few = 1
        seed: Seed = 0

    MODULES: ClassVar[Mapping[str, Module]] = {"model": Module("model.", "text")}
    options: Options

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage, as long as in the notebook."""
        return (
            Stage(
                name="writing",
                objectives={"report": 1.0},
                steps=200,
                batch_size=8,
                accumulate=4,
                learning_rate=1e-4,
                weight_decay=0.01,
                schedule=Part(name="linear"),
                warmup=0.025,
                patience=0,
                monitor="loss",
                checkpoint="last",
            ),
        )

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Cross-entropy of the words of the report."""
        return ("report",)

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """Pixels, the report to learn to write, and its words."""
        return Needs(paired_report=True, vocabulary=True, pixels=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if setting.image_encoder is None or setting.vocabulary is None:
            raise InputError(
                "vlm_report reads pixels and writes words",
                "name an image.encoder with frozen: false, and a text.encoder with a vocabulary",
            )
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        self.vocabulary: Vocabulary = setting.vocabulary
        image: Any = setting.image_encoder
        self.pixels: Preprocessing = image.preprocessing
        if options.folder:
            model, self.processor = open_vision_language(options.folder)
        else:
            words = [self.vocabulary.decode([number]) for number in range(self.vocabulary.size)]
            words = [word for word in words if word]
            model, self.processor = small_vision_language(words, self.pixels.size, options.seed)
        self.model = AdaptedModel(
            model,
            rank=options.rank,
            alpha=options.alpha,
            dropout=options.dropout,
            whole=options.whole,
        )
        self.prompt = self._prompt()

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Cross-entropy of the words of reports; studies without an image do not count."""
        assert batch.paired_text is not None
        words, real = self._reports(batch.paired_text)
        output = self.model(**_followed(self._inputs(batch), words[:, :-1]))
        logits = output.logits[:, -words.shape[1] :].float()
        real = real & batch.image_mask.any(1, keepdim=True)
        return {"report": sequence_cross_entropy(logits, words, real)}

    @torch.no_grad()
    def generate(self, batch: StudyBatch) -> list[str]:
        """A report for each study from its first image; empty without one."""
        inputs = self._inputs(batch)
        written = self.model.generate(
            **inputs,
            max_new_tokens=self.options.limit,
            num_beams=self.options.beams,
            eos_token_id=self._end,
        )[:, inputs["input_ids"].shape[1] :]
        texts = self.processor.batch_decode(written, skip_special_tokens=True)
        there = batch.image_mask.any(1).tolist()
        return [text.strip() if here else "" for text, here in zip(texts, there, strict=True)]

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """NaN: findings are read from what it writes."""
        shape = (len(batch.ids), len(findings))
        return Output(batch.targets.new_full(shape, float("nan")))

    def basis(self, finding: str) -> Basis:
        """No finding is possible."""
        return "not_possible"

    @property
    def _end(self) -> int:
        """Number of the token after the last one of a report."""
        return int(self.processor.tokenizer.eos_token_id)

    def _prompt(self) -> str:
        """What the model is asked beside the image, in the form it was trained with."""
        if not self.processor.chat_template:
            return f"{self.processor.image_token} {self.options.prompt}"
        asked = [{"type": "image"}, {"type": "text", "text": self.options.prompt}]
        prompt: str = self.processor.apply_chat_template(
            [{"role": "user", "content": asked}], add_generation_prompt=True
        )
        return prompt

    def _inputs(self, batch: StudyBatch) -> dict[str, Tensor]:
        """Inputs of the model for the first image of each study and the prompt."""
        assert batch.pixels is not None
        first = batch.image_mask.long().argmax(1)
        pixels = batch.pixels[torch.arange(len(first), device=first.device), first].float()
        mean, std = (
            torch.tensor(one, device=pixels.device)[:, None, None]
            for one in (self.pixels.mean, self.pixels.std)
        )
        images = (pixels * std + mean).clamp(0, 1).expand(-1, 3, -1, -1)
        made = self.processor(
            images=[[image] for image in images],
            text=[self.prompt] * len(images),
            # a chat template has the special tokens in it
            add_special_tokens=not self.processor.chat_template,
            do_rescale=False,
            return_tensors="pt",
        )
        return {name: tensor.to(pixels.device) for name, tensor in made.items()}

    def _reports(self, text: Text) -> tuple[Tensor, Tensor]:
        """The model's tokens of reports with the end, `[B, T]`, and where there is one."""
        reports = [self.vocabulary.decode(row) for row in self.vocabulary.framed(text).tolist()]
        tokenizer, limit = self.processor.tokenizer, self.options.limit - 1
        rows = [tokenizer.encode(one, add_special_tokens=False)[:limit] for one in reports]
        words = pad_sequence(
            [torch.tensor([*row, self._end]) for row in rows],
            batch_first=True,
            padding_value=self._end,
        ).to(text.mask.device)
        lengths = torch.tensor([len(row) + bool(row) for row in rows], device=words.device)
        return words, torch.arange(words.shape[1], device=words.device) < lengths[:, None]


def _followed(inputs: Mapping[str, Tensor], words: Tensor) -> dict[str, Tensor]:
    """The inputs of a prompt with words `[B, T]` after it, which are otherwise as its last one."""
    longer = dict(inputs)
    for name in OF_EACH_WORD:
        if name in inputs:
            last = inputs[name][:, -1:]
            more = last.expand(-1, words.shape[1], *last.shape[2:])
            longer[name] = torch.cat([inputs[name], words if name == "input_ids" else more], 1)
    return longer
