"""BERTHop: PixelHop++ features and the report in one transformer (Monajatipoor 2022).

Reference: Monajatipoor, Rouhsedaghat, Li, Kuo, Chien, Chang: BERTHop: An Effective
Vision-and-Language Model for Chest X-Ray Disease Diagnosis, MICCAI 2022. Fidelity: reconstruction;
the authors' repository (masoud-monajati/BERTHop) holds neither PixelHop++ nor its sizes, nor the
evaluation of the printed AUROC.

Image tokens of PixelHop++ (`image.encoder: pixelhop`), which is fitted without labels, and the
words of the report go through VisualBERT (Li 2019); findings are read from its first mark. The
report is read at test too, and where labels are read from it, a score measures reading.

What differs, and why:
- The authors' visual tokens are principal components of each hop's maps; here a token is a place,
  with the features of all hops reduced by principal components, as for every image encoder.
- VisualBERT begins as BlueBERT there; here as the text encoder, where that is a BERT.
- The head has a hidden layer, as with every single stream here.
"""

from __future__ import annotations

from fusion.layers.stream_classifier import StreamClassifier

__all__ = ["BERTHop"]


class BERTHop(StreamClassifier):
    """VisualBERT on image tokens and the text allowed, with cross-entropy of stated findings."""
