"""Search for the best model within a budget (Akiba et al. 2019: Optuna's sampler and pruner)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from kws.errors import RecipeError
from kws.nn.epochs import AfterEpoch, Epoch, all_over, best_of
from kws.recipe import Recipe
from kws.search.measure import measure
from kws.search.plan import Cost, Plan
from kws.search.results import REPEATED, STOPPED, TRAINED, UNBUILT, UNFIT, Tried, write_trials
from kws.search.space import Smallest, candidate, key, units_text
from kws.search.study import EXCESS, ask, open_study

MOST_UNFIT = 300
"""The search ends after so many candidates in a row that are too large, or not new."""
TRIALS = "trials.csv"
_FOUND = "found"

Trained = tuple[list[Epoch], tuple[str, ...], float | None]
Train = Callable[[Recipe, Path, Path, AfterEpoch], Trained]


@dataclass(frozen=True)
class Found:
    """What a search has come to."""

    tried: list[Tried]
    bad: tuple[str, ...]
    """A message for each clip that could not be read"""
    over: bool
    """Whether there is nothing left to do: all trials are trained, or nothing new fits"""


def search(
    plan: Plan, resume: bool, train: Train, tell: Callable[[Tried], None], most: int | None = None
) -> Found:
    """Draw candidates; reject those beyond the budget unseen, train the others, stop the poor ones.

    Stopped itself, by a kill or Ctrl-C, it goes on with ``resume`` in the epoch where it was.

    Parameters
    ----------
    train : :func:`kws.nn.candidate.train_candidate`.
    tell : called with each candidate that was trained, or stopped early.
    most : candidates to train in this call; all where not given.

    Raises
    ------
    RecipeError
        When nothing fits into the budget.
    RunError
        As :func:`kws.search.study.open_study` says.
    """
    _check_budget(plan)
    with open_study(plan, resume) as study:
        one = _Search(plan, study, train)
        left = plan.trials - one.trained if most is None else most
        while not one.over and left:
            tried = one.step()
            if tried.fits:
                left -= 1
                write_trials(one.tried, plan.folder / TRIALS)
                tell(tried)
        write_trials(one.tried, plan.folder / TRIALS)
        return Found(one.tried, tuple(dict.fromkeys(one.bad)), one.over)


def _check_budget(plan: Plan) -> None:
    """Refuse a budget that is too small for the smallest candidate of all."""
    smallest = candidate(plan.recipe, Smallest())
    cost = measure(smallest)
    if plan.budget.broken(cost):
        model = f"{smallest.model.cell} of {units_text(smallest)} units"
        raise RecipeError(
            f"nothing fits into {plan.budget.text()}: the smallest candidate ({model}, "
            f"{smallest.features.mel_bands} bands every {smallest.features.hop_ms:g} ms) takes "
            f"{cost.file_bytes:,} bytes, {cost.arena_bytes:,} bytes of arena and "
            f"{cost.macs_per_second:,} multiply-accumulates a second"
        )


class _Search:
    """A search under way: the study, and what has been tried in it."""

    def __init__(self, plan: Plan, study: optuna.Study, train: Train):
        self.plan, self.study, self.train = plan, study, train
        done = study.get_trials(deepcopy=False)
        self.tried = [self._read(trial) for trial in done if trial.state != TrialState.RUNNING]
        self.bad: list[str] = []

    @property
    def trained(self) -> int:
        return sum(one.fits for one in self.tried)

    @property
    def over(self) -> bool:
        """Whether all are trained, or nothing new that fits was found for long."""
        unfit = takewhile(lambda one: not one.fits, reversed(self.tried))
        return self.trained >= self.plan.trials or len(list(unfit)) >= MOST_UNFIT

    def step(self) -> Tried:
        """Try one candidate more, or the one that was left; gives what came of it."""
        trial = ask(self.study, self.plan.recipe.seed)
        try:
            recipe = candidate(self.plan.recipe, trial)
        except RecipeError as error:
            return self._end(trial, UNBUILT, reason=str(error), excess=1.0)
        for one in self.tried:
            if one.recipe and one.outcome != REPEATED and key(one.recipe) == key(recipe):
                return self._end(trial, REPEATED, reason=f"the same as trial {one.number}")
        cost = measure(recipe, self.plan.budget)
        if broken := self.plan.budget.broken(cost):
            name, found, limit = broken
            reason = f"{found:,.0f}, {limit:,.0f} allowed"
            return self._end(trial, UNFIT[name], cost, reason, excess=found / limit - 1)
        return self._train(trial, recipe, cost)

    def _train(self, trial: optuna.Trial, recipe: Recipe, cost: Cost) -> Tried:
        stopped = False

        def after_epoch(epoch: Epoch) -> bool:
            nonlocal stopped
            stopped = self._poor(trial, epoch)
            return stopped

        out = self.plan.folder / f"{trial.number:04d}"
        history, bad, unseen = self.train(recipe, self.plan.data, out, after_epoch)
        self.bad += bad
        accuracy, epochs = _accuracy(history, recipe), len(history)
        if not stopped or all_over(history, recipe):
            return self._end(trial, TRAINED, cost, "", accuracy, epochs, unseen_taken=unseen)
        reason = f"below the median after {epochs} epochs"
        return self._end(trial, STOPPED, cost, reason, accuracy, epochs)

    def _poor(self, trial: optuna.Trial, epoch: Epoch) -> bool:
        """Report an epoch, and say whether to stop; a resumed training tells old ones again."""
        reported = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        if epoch.epoch not in reported:
            trial.report(epoch.validation_accuracy, epoch.epoch)
        return epoch.epoch >= max(reported, default=0) and trial.should_prune()

    def _end(
        self,
        trial: optuna.Trial,
        outcome: str,
        cost: Cost | None = None,
        reason: str = "",
        accuracy: float | None = None,
        epochs: int = 0,
        excess: float = 0.0,
        unseen_taken: float | None = None,
    ) -> Tried:
        """Write down what came of a trial; from one tried before the sampler learns nothing."""
        trial.set_user_attr(EXCESS, excess)
        found = {"outcome": outcome, "reason": reason, "accuracy": accuracy, "epochs": epochs}
        more = {"cost": cost and asdict(cost), "unseen_taken": unseen_taken}
        trial.set_user_attr(_FOUND, found | more)
        if outcome == TRAINED:
            self.study.tell(trial, accuracy)
        else:
            state = TrialState.FAIL if outcome == REPEATED else TrialState.PRUNED
            self.study.tell(trial, state=state)
        self.tried.append(self._read(self.study.get_trials(deepcopy=False)[trial.number]))
        return self.tried[-1]

    def _read(self, trial: FrozenTrial) -> Tried:
        """A trial as it was written down."""
        found = trial.user_attrs[_FOUND]
        cost = Cost(**found["cost"]) if found["cost"] else None
        recipe = None if found["outcome"] == UNBUILT else candidate(self.plan.recipe, trial)
        return Tried(trial.number, **(found | {"recipe": recipe, "cost": cost}))


def _accuracy(history: list[Epoch], recipe: Recipe) -> float:
    """The accuracy of the weights that a training has ended with."""
    if recipe.train.keep == "last":
        return history[-1].validation_accuracy
    last = [epoch for epoch in history if epoch.phase == history[-1].phase]
    return best_of(last).validation_accuracy
