"""Wording of comparisons in tables and on pages: verdicts, differences, p-values."""

from __future__ import annotations

from experiments.compare.records import Difference, RareFindings, Seeds
from experiments.metrics.bootstrap import ALL
from experiments.records.record import Measured

__all__ = [
    "NOTHING",
    "macro_name",
    "p_value",
    "rare_findings_sentence",
    "seeds_words",
    "signed",
    "verdict_sentence",
    "verdict_word",
]

NOTHING = "-"
"""Cell without a number."""

_NAMES = {
    "auroc_macro": "macro AUROC",
    "auprc_macro": "macro AUPRC",
    f"auroc_macro{ALL}": "macro AUROC over all findings",
    f"auprc_macro{ALL}": "macro AUPRC over all findings",
    "brier_macro": "Brier",
    "auroc": "AUROC",
    "auprc": "AUPRC",
}
_VERDICTS = {
    "higher": "higher",
    "lower": "lower",
    "not shown": "no difference shown",
    "too few": "too few positives",
}


def macro_name(metric: str, *, start: bool = False) -> str:
    """`auroc_macro` as `macro AUROC`, at the start of a head `Macro AUROC`; `auroc` as `AUROC`."""
    name = _NAMES.get(metric, metric.replace("_", " "))
    return name[0].upper() + name[1:] if start else name


def verdict_word(difference: Difference) -> str:
    """Verdict on the first entry, marked where findings have few positives."""
    few = ", with few positives" if difference.metric.endswith(ALL) else ""
    return _VERDICTS[difference.verdict] + few


def verdict_sentence(difference: Difference, level: float) -> str:
    """Difference in a sentence, with the reason where no difference is shown.

    Args:
        difference: The difference.
        level: Coverage of its interval.
    """
    first, second, value = difference.first, difference.second, difference.value
    if value.value is None and difference.metric not in _NAMES:
        return f"{first} against {second}: {macro_name(difference.metric)} is not defined."
    if difference.verdict == "too few" or value.value is None:
        return f"{first} against {second}: too few positives to compare them."
    measured = f"{signed(value)} in {macro_name(difference.metric)}"
    corrected = (
        f"p {p_value(difference.p_holm)} after Holm" if difference.p_holm is not None else ""
    )
    numbers = ", ".join(filter(None, (measured, corrected)))
    if difference.verdict in ("higher", "lower"):
        # of a rank or an error less is better: which it is, is said of AUROC and its like alone
        known = {"higher": "better", "lower": "worse"} if difference.metric in _NAMES else {}
        word = known.get(difference.verdict, difference.verdict)
        return f"{first} is {word} than {second}: {numbers}."
    result = f"No difference between {first} and {second} is shown: {numbers}"
    if value.low is not None and value.high is not None and not value.low <= 0 <= value.high:
        return (
            f"{result}; the interval excludes zero, but p after Holm is not below {1 - level:.2g}."
        )
    return f"{result}; the interval includes zero."


def rare_findings_sentence(rare_findings: RareFindings, first: str, second: str) -> str:
    """Differences of a pair over rare and over common findings, and their comparison."""
    rare, common, between = (
        one for one in rare_findings.differences if (one.first, one.second) == (first, second)
    )

    groups = "; ".join(
        f"{one.over} findings {signed(one.value)}, {verdict_word(one)}" for one in (rare, common)
    )
    called = {
        "higher": f"{first} gains more over rare findings",
        "lower": f"{first} gains more over common findings",
        "not shown": "no difference between the two is shown",
        "too few": "too few positives to compare the two",
    }
    return (
        f"{first} against {second}: {groups}; {called[between.verdict]} ({signed(between.value)})."
    )


def signed(value: Measured) -> str:
    """`+0.021 (+0.004 to +0.038)`."""
    if value.value is None:
        return "not defined"
    if value.low is None or value.high is None:
        return f"{value.value:+.3f}"
    return f"{value.value:+.3f} ({value.low:+.3f} to {value.high:+.3f})"


def p_value(p: float | None) -> str:
    """A p-value with three decimals."""
    if p is None:
        return NOTHING
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def seeds_words(by_seed: Seeds, *, sign: bool = False) -> str:
    """`0.771 ± 0.004 (5 seeds)`; empty for one seed."""
    if by_seed.mean is None or by_seed.sd is None:
        return NOTHING
    mean = Measured(by_seed.mean).words(sign=sign)
    test = f", p {p_value(by_seed.p)}" if by_seed.p is not None else ""
    return f"{mean} ± {by_seed.sd:.3f} ({len(by_seed.values)} seeds{test})"
