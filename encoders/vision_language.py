"""Vision-language models of transformers: opened from a local folder, or small with random weights.

Nothing is downloaded and no code of a folder runs; weights must be safetensors and keep their own
licence. The small one is a Mllama, the architecture of Llama 3.2 Vision (Grattafiori 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from encoders.model_folder import check_model_folder, snapshot
from encoders.weights import seeded
from kg.errors import InputError

__all__ = ["open_vision_language", "small_vision_language"]

IMAGE = "<|image|>"
MARKS = ("<padding>", "<unknown>", "<start>", "<end>", IMAGE)
PATCH, WIDTH, HEADS, LAYERS, LONGEST = 16, 96, 4, 4, 512


def open_vision_language(folder: str) -> tuple[Any, Any]:
    """Model and processor of a local folder, the model in the precision it is stored in.

    Args:
        folder: Folder that `save_pretrained` wrote, with model and processor, or the model's place
            in the cache of Hugging Face.

    Raises:
        InputError: If the folder is none, or holds more than data.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    path = snapshot(Path(folder))
    check_model_folder(path)
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = AutoProcessor.from_pretrained(path, **local)
        model, about = AutoModelForImageTextToText.from_pretrained(
            path, use_safetensors=True, output_loading_info=True, **local
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: cannot be opened as a vision-language model ({reason})",
            "name the folder of a model such as Llama 3.2 Vision, with its processor",
        ) from None
    if missing := about["missing_keys"]:
        raise InputError(f"{path}: {len(missing)} weights are missing", "save the model again")
    return model, processor


def small_vision_language(words: Sequence[str], size: int, seed: int) -> tuple[Any, Any]:
    """A small model with random weights, and its processor.

    Args:
        words: Words that it reads and writes.
        size: Side of its images in pixels.
        seed: Seed of its weights.
    """
    from transformers import (
        MllamaConfig,
        MllamaForConditionalGeneration,
        MllamaImageProcessor,
        MllamaProcessor,
    )

    tokenizer = _word_tokenizer(words)
    side = max(size // PATCH, 1) * PATCH
    sizes = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH}
    vision = {
        **sizes,
        "num_hidden_layers": 2,
        "num_global_layers": 1,
        "attention_heads": HEADS,
        "intermediate_layers_indices": [0],
        "vision_output_dim": 2 * WIDTH,
        "image_size": side,
        "patch_size": PATCH,
        "max_num_tiles": 1,
        "supported_aspect_ratios": [[1, 1]],
    }
    text = {
        **sizes,
        "vocab_size": len(tokenizer),
        "num_hidden_layers": LAYERS,
        "cross_attention_layers": list(range(1, LAYERS, 2)),
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": LONGEST,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    image = int(tokenizer.convert_tokens_to_ids(IMAGE))
    with seeded(seed):
        model = MllamaForConditionalGeneration(
            MllamaConfig(vision_config=vision, text_config=text, image_token_index=image)
        )
    for name, parameter in model.named_parameters():
        if "gate" in name.rpartition(".")[2]:  # at zero, words would not see the image
            torch.nn.init.ones_(parameter)
    images = MllamaImageProcessor(size={"height": side, "width": side}, max_image_tiles=1)
    return model, MllamaProcessor(images, tokenizer)


def _word_tokenizer(words: Sequence[str]) -> Any:
    """A tokenizer of whole words, and of the marks of clauses."""
    from transformers import PreTrainedTokenizerFast

    places = {word: place for place, word in enumerate(dict.fromkeys([*MARKS, *words]))}
    inner = Tokenizer(models.WordLevel(places, unk_token=MARKS[1]))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("[.,;:?!]"), "isolated")]
    )
    names = ("pad_token", "unk_token", "bos_token", "eos_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        additional_special_tokens=[IMAGE],
        **dict(zip(names, MARKS, strict=False)),
    )
