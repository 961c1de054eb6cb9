"""``models``: the registry from the command line – look, compare, promote, roll back, verify, carry over.

Imports nothing heavy: the work is imported when a command is called.
"""

from __future__ import annotations

from pathlib import Path

import click

from risk_model.command.surface import Office, Result, command, group

WHY = click.option("--why", required=True, help="The reason; it is kept for good beside your name.")


@group("models")
def models() -> None:
    """The registry of models: who is champion, since when, and why."""


@command("list")
def list_models(office: Office) -> Result:
    """All registered versions, newest last."""
    from training.registered import listed, listing

    versions = listed(office.home, office.settings)
    return Result(versions, listing(versions))


@command("show")
@click.argument("version")
def show_model(office: Office, version: str) -> Result:
    """One version: what it was made from, how it was judged, when it was promoted and why."""
    from training.registered import described, description

    document = described(office.home, office.settings, version)
    return Result(document, description(document))


@command("card")
@click.argument("version")
@click.option("--format", "shape", type=click.Choice(["md", "html"]), default="md", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
def model_card(office: Office, version: str, shape: str, out: Path | None) -> Result:
    """The model card: what VERSION is for, how often it is right, for whom it is not, how to object."""
    from training.card.making import card_of

    text = card_of(office.home, office.settings, version, shape)
    document = {"version": version, "format": shape, "card": text, "path": str(out) if out else None}
    if out is None:
        return Result(document, text)
    out.write_text(text, encoding="utf-8")
    return Result(document, f"The card of version {version} is in {out}.")


@command("compare")
@click.argument("version")
@click.argument("other")
def compare_models(office: Office, version: str, other: str) -> Result:
    """Two versions side by side: figures, gate, features, and what they were made from."""
    from training.comparing import compared, comparison

    document = compared(office.home, office.settings, version, other)
    return Result(document, comparison(document))


@command("promote")
@click.argument("version")
@WHY
def promote_model(office: Office, version: str, why: str) -> Result:
    """Make VERSION the champion. Of two who do so at once the second is told."""
    from training.promoting import promote, promoted_text

    document = promote(office.home, office.settings, version, why)
    return Result(document, promoted_text(document))


@command("challenge")
@click.argument("version", metavar="VERSION|none")
@WHY
def challenge_model(office: Office, version: str, why: str) -> Result:
    """Let VERSION score every night beside the champion, unseen; none withdraws the challenger."""
    from training.promoting import challenge, challenged_text

    document = challenge(office.home, office.settings, version, why)
    return Result(document, challenged_text(document))


@command("rollback")
@WHY
def rollback_models(office: Office, why: str) -> Result:
    """Make the champion before this one champion again. Needs no network and less than a second."""
    from training.promoting import promoted_text, rollback

    document = rollback(office.home, office.settings, why)
    return Result(document, promoted_text(document))


@command("verify")
def verify_models(office: Office) -> Result:
    """Check every bundle's hashes and golden rows, and mend MLflow's aliases by our own table."""
    from training.verifying import verification, verified

    document = verified(office.home, office.settings)
    return Result(document, verification(document), exit_code=0 if document["sound"] else 1)


@command("export")
@click.argument("version")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A new folder, or a file ending in .zip. [default: model-VERSION.zip]",
)
def export_model(office: Office, version: str, out: Path | None) -> Result:
    """Write the bundle of VERSION for another office. It holds no pupil."""
    from training.carrying import export

    document = export(office.home, office.settings, version, out or Path(f"model-{version}.zip"))
    return Result(document, f"Version {version} is in {document['bundle']}.")


@command("import")
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
def import_model(office: Office, bundle: Path) -> Result:
    """Register another county's BUNDLE, a folder or a .zip. It serves once you promote it."""
    from training.carrying import import_bundle

    document = import_bundle(office.home, office.settings, bundle)
    return Result(
        document,
        f"Registered as version {document['version']}. It has seen none of your leavers; lists made with "
        f"it say so. To use it: models promote {document['version']} --why …",
    )


for _command in (
    list_models, show_model, model_card, compare_models, promote_model, challenge_model, rollback_models,
    verify_models, export_model, import_model,
):  # fmt: skip
    models.add_command(_command)
