"""How pages speak of a comparison: verdicts in plain words, differences and p-values."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compare.records import Comparison, Difference, Seeds
from experiments.records.record import Measured
from experiments.reports.drawings import ForestRow

__all__ = [
    "asked_of",
    "forest_rows",
    "macro_name",
    "judged",
    "p_value",
    "seeds_words",
    "signed",
    "verdict_sentence",
    "verdict_word",
]

_NAMES = {"auroc_macro": "macro AUROC", "auprc_macro": "macro AUPRC"}
_VERDICTS = {
    "higher": "higher",
    "lower": "lower",
    "not shown": "no difference shown",
    "too few": "too few positives",
}


def macro_name(metric: str, *, start: bool = False) -> str:
    """`auroc_macro` as `macro AUROC`, at the start of a head `Macro AUROC`; `auroc` as `AUROC`."""
    name = _NAMES.get(metric, metric.upper())
    return name[0].upper() + name[1:] if start else name


def asked_of(comparison: Comparison) -> str:
    """Which answers were compared, before what is said of them; empty for the usual test part."""
    return "" if comparison.on == "test" else f"On {comparison.told}: "


def verdict_word(difference: Difference) -> str:
    """What is said of the first entry."""
    return _VERDICTS[difference.verdict]


def verdict_sentence(difference: Difference, comparison: Comparison) -> str:
    """A difference in a sentence, with why nothing is called where nothing is."""
    first, second = difference.first, difference.second
    value, level = difference.value, comparison.level
    if difference.verdict == "too few" or value.value is None:
        return f"{first} against {second}: too few positives to compare them."
    measured = f"{signed(value)} in {macro_name(difference.metric)}"
    corrected = (
        f"p {p_value(difference.p_holm)} after Holm" if difference.p_holm is not None else ""
    )
    numbers = ", ".join(part for part in (measured, corrected) if part)
    if difference.verdict in ("higher", "lower"):
        word = "better" if difference.verdict == "higher" else "worse"
        return f"{first} is {word} than {second}: {numbers}."
    said = f"No difference between {first} and {second} is shown: {numbers}"
    if value.low is not None and value.high is not None and not value.low <= 0 <= value.high:
        return (
            f"{said}; the interval leaves out zero, but p after Holm is not below {1 - level:.2g}."
        )
    return f"{said}; the interval holds zero."


def judged(difference: Difference) -> tuple[str, str, str]:
    """Its value, p and p after Holm; of one with too few positives only that."""
    if difference.verdict == "too few":
        return "too few", "", ""
    return signed(difference.value), p_value(difference.p), p_value(difference.p_holm)


def signed(value: Measured) -> str:
    """`+0.021 (+0.004 to +0.038)`."""
    if value.value is None:
        return "not defined"
    if value.low is None or value.high is None:
        return f"{value.value:+.3f}"
    return f"{value.value:+.3f} ({value.low:+.3f} to {value.high:+.3f})"


def p_value(p: float | None) -> str:
    """A p-value with three decimals; empty where there is none."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def seeds_words(found: Seeds, *, sign: bool = False) -> str:
    """`0.771 ± 0.004 (5 seeds)`; empty with one seed, whose value stands elsewhere."""
    if found.mean is None or found.sd is None:
        return ""
    mean = f"{found.mean:+.3f}" if sign else f"{found.mean:.3f}"
    return f"{mean} ± {found.sd:.3f} ({len(found.values)} seeds)"


def forest_rows(differences: Sequence[Difference], labels: Sequence[str]) -> list[ForestRow]:
    """The differences that are judged and have an interval, as rows of a forest plot."""
    return [
        ForestRow(
            label,
            value,
            low,
            high,
            strong=one.family == "primary",
            called=one.verdict in ("higher", "lower"),
        )
        for one, label in zip(differences, labels, strict=True)
        if one.verdict != "too few"
        and (value := one.value.value) is not None
        and (low := one.value.low) is not None
        and (high := one.value.high) is not None
    ]
