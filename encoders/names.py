"""Concept vectors from names, computed once and kept.

A concept's names are its label, its synonyms and, where a sourced one exists, its definition.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import normalize

from encoders.weights import MINILM
from kg.errors import InputError, did_you_mean
from kg.model.graph import KnowledgeGraph

__all__ = ["name_vectors"]

NameEncoder = Literal["tfidf", "minilm"]
VERSION = "1"
SEED = 0

Array = np.ndarray[Any, np.dtype[np.float64]]


def name_vectors(
    graph: KnowledgeGraph,
    encoder: NameEncoder = "tfidf",
    width: int = 128,
    *,
    texts: Sequence[str] = (),
    folder: Path | None = None,
    seed: int = SEED,
) -> Tensor:
    """A fixed vector of length 1 for each concept.

    `tfidf` weighs words and pieces of words of the names, fitted on names and `texts`, reduced by
    a truncated SVD; `minilm` averages the sentence vectors of the names, reduced by PCA where
    `width` is smaller. A width that the names cannot fill ends in zeros.

    Args:
        graph: The graph.
        encoder: Encoder of the names.
        width: Width of a vector.
        texts: Reports of training studies that `tfidf` may learn words from.
        folder: Folder of kept vectors, by the graph's fingerprint; None keeps nothing.
        seed: Seed of the SVD.

    Returns:
        Vectors `[N, width]` in the graph's order; zeros for a concept without a readable name.

    Raises:
        InputError: On an unknown encoder, a width below 1, or missing weights.
    """
    if encoder not in get_args(NameEncoder) or width < 1:
        raise InputError(
            f"there is no name encoder {encoder!r} of width {width}",
            did_you_mean(encoder, get_args(NameEncoder)),
        )
    path = None
    if folder is not None:
        path = folder / f"{_key(graph, encoder, width, texts, seed)}.safetensors"
        if path.is_file():
            return load_file(path)["vectors"]
    names = [list(names_of(graph, place)) for place in range(len(graph.concepts))]
    vectors = _tfidf(names, texts, width, seed) if encoder == "tfidf" else _minilm(names, width)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # written beside and moved, so that another process never reads half a file
        beside = path.with_suffix(f".{os.getpid()}.new")
        save_file({"vectors": vectors}, beside)
        beside.replace(path)
    return vectors


def names_of(graph: KnowledgeGraph, place: int) -> tuple[str, ...]:
    """Label, synonyms and definition of a concept, each once."""
    concept = graph.concepts[place]
    found = (concept.label, *concept.synonyms, concept.definition)
    return tuple(dict.fromkeys(name.strip() for name in found if name.strip()))


def _key(graph: KnowledgeGraph, encoder: str, width: int, texts: Sequence[str], seed: int) -> str:
    digest = hashlib.sha256()
    read = MINILM.sha256 if encoder == "minilm" else f"{seed} {len(texts)}"
    for value in (VERSION, graph.fingerprint, encoder, str(width), read):
        digest.update(value.encode() + b"\0")
    for text in texts if encoder == "tfidf" else ():
        digest.update(text.encode() + b"\0")
    return f"names-{digest.hexdigest()[:32]}"


def _tfidf(names: list[list[str]], texts: Sequence[str], width: int, seed: int) -> Tensor:
    """Words and pieces of words, weighed, averaged over a concept's names, and reduced."""
    from scipy.sparse import csr_matrix, hstack, vstack
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize as unit

    every = [name for of_one in names for name in of_one]
    if not every:
        return torch.zeros(len(names), width)
    readers = (
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"),
        TfidfVectorizer(
            ngram_range=(3, 5), sublinear_tf=True, analyzer="char_wb", max_features=50_000
        ),
    )
    for reader in readers:
        reader.fit([*every, *texts])
    read = hstack([reader.transform(every) for reader in readers], format="csr")
    owner = np.repeat(np.arange(len(names)), [len(of_one) for of_one in names])
    share = csr_matrix(
        (np.ones(len(every)), (owner, np.arange(len(every)))), shape=(len(names), len(every))
    )
    concepts = unit(share @ read)
    whole = concepts
    if texts:
        learnt = hstack([reader.transform(texts) for reader in readers], format="csr")
        whole = vstack([concepts, unit(learnt)])
    possible = min(width, min(whole.shape) - 1)
    if possible < 1:
        return _padded(concepts.toarray(), width)
    svd = TruncatedSVD(possible, random_state=seed).fit(whole)
    return _padded(svd.transform(concepts), width)


def _minilm(names: list[list[str]], width: int) -> Tensor:
    """Sentence vectors, averaged over a concept's names, turned to their main directions."""
    from encoders.text.minilm import MiniLM

    every = list(dict.fromkeys(name for of_one in names for name in of_one))
    model = MiniLM(MiniLM.Options(max_length=64))
    vectors = model.sentences(every).double().numpy()
    place = {name: number for number, name in enumerate(every)}
    concepts = np.zeros((len(names), model.width))
    for row, of_one in enumerate(names):
        if of_one:
            concepts[row] = vectors[[place[name] for name in of_one]].mean(axis=0)
    if width >= model.width:
        return _padded(concepts, width)
    centred = concepts - concepts.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    largest = directions[:, ::-1][:, :width]
    largest = largest * np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(width)])
    return _padded(centred @ largest, width)


def _padded(vectors: Array, width: int) -> Tensor:
    """Vectors of length 1, followed by zeros up to the width."""
    out = torch.zeros(len(vectors), width)
    out[:, : vectors.shape[1]] = torch.from_numpy(vectors[:, :width].copy()).float()
    return normalize(out, dim=1)
