"""`kgdx experiment sign` and `verify`: signature and recorded hashes of a run."""

from __future__ import annotations

from pathlib import Path

import click

from experiments.cli import show
from experiments.cli.arguments import output_options, root_option, runs_option
from experiments.cli.completion import complete_runs

__all__ = ["sign", "verify"]

_run = click.argument("run_name", metavar="RUN", shell_complete=complete_runs)


@click.command()
@output_options
@_run
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="PUBLIC.pem",
    help="Public key; RUN must be as it was signed with its private key.",
)
@runs_option
@root_option
def verify(as_json: bool, run_name: str, key: Path | None, runs: Path, root: Path | None) -> None:
    """Verify the hashes recorded by RUN, and its signature.

    Those of the data are verified too where --root names its folder.
    """
    from dataclasses import asdict

    from experiments.records.folder import find_run
    from experiments.runs.verify import verify_run
    from kg.errors import CheckFailed

    folder = find_run(run_name, runs)
    rows = verify_run(folder, root, key)
    if as_json:
        show.json_result([asdict(row) for row in rows])
    else:
        states = {True: "unchanged", False: "changed", None: "unknown"}
        show.table(("item", "", "detail"), [(r.what, states[r.holds], r.detail) for r in rows])
    changed = [row.what for row in rows if row.holds is False]
    if changed:
        raise CheckFailed(
            f"{folder.run}: {', '.join(changed)} no longer as recorded", "run the experiment again"
        )


@click.command()
@output_options
@_run
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PRIVATE.pem",
    help="Private elliptic-curve key (PEM); it is not copied.",
)
@runs_option
def sign(as_json: bool, run_name: str, key: Path, runs: Path) -> None:
    r"""Sign every file of RUN, and print the file of the signature.

    \b
    A key:    openssl ecparam -name prime256v1 -genkey -noout -out private.pem
              openssl ec -in private.pem -pubout -out public.pem
    Check:    kgdx experiment verify RUN --key public.pem

    Nothing is sent anywhere. Whoever has the public key can tell which file was changed, added or
    removed since.
    """
    from experiments.records.folder import find_run
    from experiments.runs.signature import sign_run

    folder = find_run(run_name, runs)
    signature = sign_run(folder, key)
    if as_json:
        show.json_result({"run": folder.run, "signature": str(signature.absolute())})
    else:
        show.result(str(signature))
