"""The search's memory: a folder with Optuna's journal, gone on with after a kill or a Ctrl-C."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from kws.errors import RunError
from kws.files import write_json
from kws.nn.epochs import phases
from kws.run import read_json, start_run
from kws.search.plan import Plan

EXCESS = "excess"
"""Of a trial: by which share it exceeds a limit; 0 where it fits."""
RANDOM_TRIALS = 10
"""Trainings of candidates drawn at random, before the sampler learns from them."""
UNPRUNED_TRIALS = 4
"""Trainings that are not stopped early, so that there is a median to compare with."""
_KNOWN = (TrialState.COMPLETE, TrialState.PRUNED)
_JOURNAL, _FACTS, _LOCK = "journal.jsonl", "search.json", ".lock"


@contextmanager
def open_study(plan: Plan, resume: bool) -> Iterator[optuna.Study]:
    """Begin a search in a new folder, or go on with the one that is there.

    Raises
    ------
    RunError
        When the folder holds something else: no search, or one of another recipe, budget or data;
        when another process searches in it; or when its journal is damaged.
    """
    folder, recipe = plan.folder, plan.recipe
    start_run(folder, recipe, resume)
    facts = {"data": str(plan.data.resolve()), **asdict(plan.budget)}
    if resume:
        _check(folder, facts)
    else:
        write_json(folder / _FACTS, facts)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    epochs = sum(phase.epochs for phase in phases(recipe))
    with _alone(folder):
        yield optuna.create_study(
            storage=_journal(folder / _JOURNAL),
            study_name=recipe.name,
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, n_warmup_steps=epochs // 4),
        )


def ask(study: optuna.Study, seed: int) -> optuna.Trial:
    """The trial that was being made when the search was stopped; else a new one.

    Each has a sampler of its own, seeded by its number: a search that was stopped goes on with the
    candidates that it would have had.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    before = study.get_trials(deepcopy=False)[: running[0].number if running else None]
    study.sampler = _sampler(seed, before)
    if running:
        return optuna.Trial(study, running[0]._trial_id)
    return study.ask()


def _sampler(seed: int, before: list[FrozenTrial]) -> optuna.samplers.BaseSampler:
    """Chance for the first candidates, and after one that was tried before; else Optuna's TPE.

    What was rejected is told to TPE as a broken constraint: it draws where candidates are good, and
    where they fit.
    """
    number = int(np.random.SeedSequence((seed, len(before))).generate_state(1)[0])
    trained = sum(not any(_excess(trial)) for trial in before if trial.state in _KNOWN)
    chance = trained < RANDOM_TRIALS or before[-1].state == TrialState.FAIL
    with warnings.catch_warnings():  # these are experimental in Optuna
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            n_startup_trials=len(before) + 1 if chance else 0,
            multivariate=True,  # units and stem together decide what fits
            group=True,
            seed=number,
            constraints_func=_excess,
        )


def _excess(trial: FrozenTrial) -> Sequence[float]:
    return (trial.user_attrs[EXCESS],)


def _journal(path: Path) -> JournalStorage:
    """Open the journal without what a killed search was just writing, and without its lock."""
    lock = JournalFileOpenLock(str(path))
    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.is_file():
        written = path.read_bytes()
        if not written.endswith(b"\n"):
            with open(path, "r+b") as file:
                file.truncate(written.rfind(b"\n") + 1)
    try:
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: a damaged journal ({error}); give --out another folder, or remove this one"
        ) from error


def _check(folder: Path, facts: dict) -> None:
    """Compare a folder's search with the one that is asked for."""
    path = folder / _FACTS
    if not path.is_file():
        raise RunError(f"{folder}: holds no search (no {_FACTS}); give --out another folder")
    before = read_json(path, "give --out another folder")
    for key, now in facts.items():
        if before.get(key) != now:
            raise RunError(
                f"{folder}: was searched with {key} {before.get(key)}, not {now}; "
                "resume with that, or give --out another folder"
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time search in a folder; another is refused."""
    with open(folder / _LOCK, "w") as lock:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(
                    f"{folder}: another search is at work in it; wait, or give --out another folder"
                ) from error
        yield
