"""``demo``: a simulated county from registers to an explained list, on the real components."""

from __future__ import annotations

import shutil
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from risk_model.command.steps import call, exists, said
from risk_model.command.surface import Office, Result, command
from risk_model.errors import UsageError

MARKER = "demo-registers"


@command("demo")
@click.option("--students", default=20_000, show_default=True, help="Pupils of the simulated county.")
@click.option("--years", default=3, show_default=True, help="School years of registers.")
@click.option("--seed", default=1, show_default=True, help="Seed of the county.")
@click.option("--no-serve", is_flag=True, help="End after the list; never wait.")
def demo(office: Office, students: int, years: int, seed: int, no_serve: bool) -> Result:
    """A simulated county end to end: simulate, import, train, score, list, explain, monitor."""
    started = perf_counter()
    registers = _fresh_home(office)
    size = ["--students", str(students), "--years", str(years), "--seed", str(seed)]
    document: dict[str, Any] = {}

    def step(name: str, *arguments: str, key: str = "", allowed: tuple[int, ...] = (0,)) -> Any:
        began = perf_counter()
        document[key or name] = call(office, name, *arguments, allowed=allowed).document
        office.say(f"  {name:<10} {perf_counter() - began:6.1f} s")
        return document[key or name]

    office.say(f"A county of {students:,} pupils, {years} school years, in {office.home.folder}")
    step("simulate", str(registers), *size)
    step("import", str(registers))
    step("train")
    step("score", allowed=(0, 6))
    rows = step("lists", "--top", "20")
    first = next(row for row in rows if row["risk"] is not None)
    step("explain", first["student_id"])
    if exists("monitor"):
        step("monitor", allowed=(0, 6))
    if exists("users"):
        step("users", "sample")
    document["seconds"] = perf_counter() - started
    text = _text(office, first, document)
    if exists("serve") and not no_serve:
        print(text)
        call(office, "serve")
    return Result(document, text)


def _fresh_home(office: Office) -> Path:
    """An empty home for the county: the demo clears what an earlier demo left, and nothing else."""
    home = office.home
    registers = home.folder / MARKER
    models = home.mlruns / "registry.db"
    if (home.data.exists() or models.exists()) and not registers.exists():
        raise UsageError(
            f"{home.folder} holds registers or models that are not the demo's. Choose another --home."
        )
    made_by_demo = [
        registers,
        home.data,
        *(path for path in home.mlruns.glob("*") if path.name != "README.md"),
    ]
    for leftover in made_by_demo:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)
    registers.mkdir(parents=True)
    return registers


def _text(office: Office, first: dict[str, Any], document: dict[str, Any]) -> str:
    score, train = document["score"], document["train"]
    home, school = office.home.folder, first["school_id"]
    looked = document.get("monitor")
    monitored = [f"  {looked['report']} (monitoring says: {looked['decision']})"] if looked else []
    return "\n".join(
        [
            f"{score['students']:,} pupils scored as of {score['as_of']} with model {train['version']}, "
            f"{score['listed']:,} listed, in {document['seconds']:.0f} s.",
            "",
            said(office, "lists", "--unit", f"school:{school}", "--top", "8"),
            "Look further:",
            f"  .venv/bin/dropout-risk --home {home} lists --unit school:{school}",
            f"  .venv/bin/dropout-risk --home {home} explain {first['student_id']}",
            *monitored,
            f"  .venv/bin/mlflow ui --backend-store-uri sqlite:///{home}/mlruns/mlflow.db",
            *_sign_in(document.get("users", [])),
        ]
    )


def _sign_in(users: list[dict[str, str]]) -> list[str]:
    """Who may sign in to this county; their passwords are new with every demo."""
    if not users:
        return []
    told = [f"  {user['login']:<10} {user['password']}   {user['role']} of {user['unit']}" for user in users]
    return ["", "Sign in as:", *told]
