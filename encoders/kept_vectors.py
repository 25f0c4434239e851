"""Embedded concepts in a file, with the fingerprint of their graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from encoders.graph import GraphEmbedding
from kg.errors import InputError
from kg.files.atomic import write_whole
from kg.files.json_text import json_of

__all__ = ["keep_vectors", "read_vectors"]


def keep_vectors(
    embedding: GraphEmbedding, path: Path, *, concepts: tuple[str, ...], made: Mapping[str, Any]
) -> None:
    """Write embedded concepts as safetensors; the file is written whole or not at all.

    Args:
        embedding: The vectors and the fingerprint of their graph.
        path: File to write.
        concepts: Ids of the concepts, in the order of the vectors.
        made: Settings of the embedding; kept beside the vectors.

    Raises:
        InputError: If the ending is not `.safetensors`, or the file cannot be written.
    """
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: vectors are kept as .safetensors", "give it that ending")
    metadata = {
        "fingerprint": embedding.fingerprint,
        "concepts": json.dumps(concepts),
        "made": json.dumps(dict(made)),
    }
    write_whole(path, save({"vectors": embedding.nodes.detach().cpu().contiguous()}, metadata))


def read_vectors(path: Path, fingerprint: str) -> tuple[GraphEmbedding, dict[str, Any]]:
    """Embedded concepts of this very graph, with the settings of the embedding.

    Args:
        path: File that `keep_vectors` wrote.
        fingerprint: Fingerprint of the graph.

    Raises:
        InputError: If the file is missing or something else, or the vectors are another graph's.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            vectors: Tensor = file.get_tensor("vectors")
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: holds no embedded concepts ({error})", "kgdx graph embed -o FILE writes it"
        ) from None
    if metadata.get("fingerprint") != fingerprint:
        raise InputError(
            f"{path}: vectors of the graph {metadata.get('fingerprint', 'unknown')[:12]}, "
            f"not of {fingerprint[:12]}",
            "embed this graph, or use the graph they were made from",
        )
    return GraphEmbedding(vectors, fingerprint), json_of(metadata.get("made", "{}"))
