"""Time of an epoch beside PyKEEN: the same triples, decoder, width, batch, loss and optimiser.

    python tests/benchmarks/link_speed.py             (needs: pip install 'kgdx[benchmark]')

Both train 1-vs-all with cross-entropy over all concepts, from both ends of every edge (PyKEEN: LCWA
with inverse triples), without a penalty, on one thread, ten epochs of one and of the other in turn
in one process, median of three turns. PyKEEN asks once for all answers of a pair of subject and
relation, so its epoch has fewer rows; the time of a row is given too.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from experiments.link_prediction import study
from experiments.link_prediction.fit import Steps, build
from experiments.link_prediction.triples import Triples

RESULT = Path(__file__).parent / "results" / "link_speed.md"
EPOCHS, TURNS, WIDTH, BATCH, RATE = 10, 3, 200, 256, 0.1
SETS = ("nations", "umls", "kinships")
DECODERS = {"complex": "ComplEx", "distmult": "DistMult"}


def ours(triples: Triples, decoder: str) -> tuple[Callable[[], object], int]:
    """`EPOCHS` epochs of ours, and the rows of one."""
    values = [f"width={WIDTH}", f"batch={BATCH}", f"rate={RATE}", "penalty=0", "relations=0"]
    options = study.settings(study.PLAIN, decoder, [*values, "optimiser=adagrad", "candidates=0"])
    steps = Steps(triples, options, build(triples, options), torch.Generator().manual_seed(0))
    return lambda: [steps.epoch() for _ in range(EPOCHS)], 2 * len(triples.train)


def theirs(triples: Triples, decoder: str) -> tuple[Callable[[], object], int]:
    """`EPOCHS` epochs of PyKEEN, and the rows of one."""
    from pykeen.losses import CrossEntropyLoss
    from pykeen.models import ComplEx, DistMult
    from pykeen.training import LCWATrainingLoop
    from pykeen.triples import CoreTriplesFactory

    factory = CoreTriplesFactory(
        torch.from_numpy(triples.train),
        num_entities=len(triples.concepts),
        num_relations=len(triples.relations),
        create_inverse_triples=True,
    )
    # a complex number is two real ones
    made = {"complex": (ComplEx, WIDTH // 2), "distmult": (DistMult, WIDTH)}[decoder]
    kind, width = made
    model = kind(
        triples_factory=factory,
        embedding_dim=width,
        loss=CrossEntropyLoss(),
        regularizer=None,
        random_seed=0,
    )
    optimiser = torch.optim.Adagrad(model.get_grad_params(), lr=RATE)
    loop = LCWATrainingLoop(model=model, triples_factory=factory, optimizer=optimiser)
    done = 0

    def epochs() -> None:
        nonlocal done
        done += EPOCHS
        loop.train(
            factory,
            num_epochs=done,
            batch_size=BATCH,
            use_tqdm=False,
            use_tqdm_batch=False,
            continue_training=True,
            num_workers=0,
        )

    mapped = factory.mapped_triples
    both = torch.cat([mapped[:, :2], torch.stack([mapped[:, 2], mapped[:, 1] + 10_000], 1)])
    return epochs, len(torch.unique(both, dim=0))


def main() -> None:
    """Time both in turn and write the table."""
    torch.set_num_threads(1)
    lines = [
        "| triples | decoder | seconds an epoch: kgdx | PyKEEN | PyKEEN / kgdx "
        "| microseconds a row: kgdx | PyKEEN | PyKEEN / kgdx |",
        "|---" * 8 + "|",
    ]
    for name in SETS:
        triples = study.opened(None, name, bookkeeping=False).triples(0)
        for decoder, said in DECODERS.items():
            pair = [ours(triples, decoder), theirs(triples, decoder)]
            times: list[list[float]] = [[], []]
            for _ in range(TURNS + 1):
                for (epochs, _), kept in zip(pair, times, strict=True):
                    began = time.perf_counter()
                    epochs()
                    kept.append((time.perf_counter() - began) / EPOCHS)
            # the first turn of each warms up
            mine, other = (statistics.median(kept[1:]) for kept in times)
            row = (mine / pair[0][1] * 1e6, other / pair[1][1] * 1e6)
            lines.append(
                f"| {name} | {said} | {mine:.3f} | {other:.3f} | {other / mine:.1f} "
                f"| {row[0]:.0f} | {row[1]:.0f} | {row[1] / row[0]:.1f} |"
            )
            sys.stdout.write(lines[-1] + "\n")
            sys.stdout.flush()
    about = (__doc__ or "").split("\n\n")[2].strip()
    RESULT.write_text(f"# Time of an epoch beside PyKEEN\n\n{about}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
