"""Training again on what the model at hand takes for keywords, until it is quiet enough.

Hard negative mining (Sung & Poggio 1998): in hours of talk without keywords it is the few moments
that a detector is wrong about that teach it something.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kws.audio.annotation import Recording
from kws.errors import RecipeError
from kws.files import write_json
from kws.recipe import Recipe
from kws.recipe_io import with_negatives
from kws.run import RunFolder, require_unused
from kws.seeds import Train, is_finished
from kws.spotting.hearing import calls_per_second, hear_all
from kws.spotting.metrics import Share
from kws.spotting.mining import TABLE, mine
from kws.spotting.stream_score import Rate, StreamJudge
from kws.tflite.interpreter import open_model

MINED = "false_accepts"
"""The folder within a round's run, of what the next round trains on besides"""


@dataclass(frozen=True)
class Listening:
    """What each round's model hears."""

    talk: Sequence[Recording]
    """Without any keyword; what it takes for keywords there goes into the next training"""
    held_out: Sequence[Recording] = ()
    """Without any keyword, and never trained on: what its quiet is worth elsewhere"""
    said: Sequence[Recording] = ()
    """With keywords, and when they are said"""


@dataclass(frozen=True)
class Round:
    """One training, and what its model does at the recipe's thresholds."""

    run: str
    taught: int
    """Sounds of earlier rounds that it was trained on"""
    talk: Rate
    held_out: Rate | None
    missed: Share | None
    """None where no recordings with keywords were given"""


def train_rounds(
    recipe: Recipe,
    data: Path,
    out: Path,
    listening: Listening,
    wanted_per_hour: float,
    most: int,
    resume: bool,
    train: Train,
    told: Callable[[Round], None],
) -> list[Round]:
    """Train, listen, and train anew on what was wrong, until the false accepts in the talk are few.

    Each round begins from the recipe, into ``<out>_round<N>``; what all gave is written to
    ``<out>_rounds.json``. With ``resume``, finished rounds stay as they are. It ends too where
    nothing is left to train on.

    Parameters
    ----------
    wanted_per_hour : false accepts in an hour of ``listening.talk``.
    most : rounds, one or more.
    train : leaves a run folder with a verified ``model.tflite``.
    told : gets each round when it is over.

    Raises
    ------
    RecipeError
        When the recipe has no class for what is no keyword, or there are to be no rounds.
    RunError
        When a folder holds a run already, and is not to be resumed.
    """
    if most < 1:
        raise RecipeError(f"--rounds {most}: expected at least 1")
    folders = [out.with_name(f"{out.name}_round{number}") for number in range(1, most + 1)]
    _check(recipe, folders, resume)
    rounds: list[Round] = []
    taught: list[Path] = []
    for folder in folders:
        run = RunFolder(folder)
        if not is_finished(run):
            begun = run.recipe.is_file()
            train(with_negatives(recipe, taught), data, folder, begun)
        judge = _judge(run, listening.talk)
        rounds.append(_round(run, taught, judge, listening))
        write_json(out.with_name(f"{out.name}_rounds.json"), [asdict(one) for one in rounds])
        told(rounds[-1])
        quiet = (rounds[-1].talk.per_hour or 0.0) <= wanted_per_hour
        if quiet or folder == folders[-1] or not _mined(run, judge):
            break
        taught.append(folder / MINED)
    return rounds


def _check(recipe: Recipe, folders: Sequence[Path], resume: bool) -> None:
    if not recipe.data.unknown:
        raise RecipeError(
            f"{recipe.name}: data.unknown is false, so that there is no class for what is no "
            "keyword; set it to true"
        )
    if not resume:
        require_unused(folders)


def _round(run: RunFolder, taught: list[Path], judge: StreamJudge, listening: Listening) -> Round:
    held_out = _judge(run, listening.held_out) if listening.held_out else None
    said = _judge(run, listening.said) if listening.said else None
    return Round(
        run=str(run.path),
        taught=sum(_sounds(folder) for folder in taught),
        talk=judge.score(judge.config).false_accepts,
        held_out=held_out.score(held_out.config).false_accepts if held_out else None,
        missed=said.score(said.config).missed if said else None,
    )


def _judge(run: RunFolder, recordings: Sequence[Recording]) -> StreamJudge:
    facts = open_model(run.tflite).metadata
    heard = hear_all(run.tflite, recordings, "litert")
    return StreamJudge(heard, facts.labels, facts.decoder, calls_per_second(facts))


def _mined(run: RunFolder, judge: StreamJudge) -> int:
    """How many sounds there are to train on; those of a round that was killed are kept anew."""
    folder = run.path / MINED
    if not (folder / TABLE).is_file():  # written last
        shutil.rmtree(folder, ignore_errors=True)
        facts = open_model(run.tflite).metadata
        mine(judge, facts.decoder, folder, facts.features.sample_rate_hz)
    return _sounds(folder)


def _sounds(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.wav"))
