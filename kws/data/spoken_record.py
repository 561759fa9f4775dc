"""What was ordered of a synthesizer, kept beside what it said: a call cut short can be finished."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kws.errors import DataError

Done = TypeVar("Done")


def earlier(
    record: Path, facts: dict[str, Any], done: str, parse: Callable[[Any], Done]
) -> Done | None:
    """Read what an earlier call with the same order has come to; None where there was none.

    Parameters
    ----------
    record : JSON file in the folder that the order is for: ``facts``, and what is done.
    facts : the order, as a call with it writes it.
    done : key of what is done, and ``parse`` makes of its value what is given back.

    Raises
    ------
    DataError
        When the folder is a file or holds something else, or what another order made, or when the
        record is broken.
    """
    folder = record.parent
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: a file, expected a folder for the speech; choose another --out")
    found = [path.name for path in sorted(folder.glob("*"))]
    if not found:
        return None
    if record.name not in found:
        raise DataError(
            f"{folder}: holds {len(found)} things that were not spoken here (such as {found[0]}); "
            "choose an empty or new folder with --out"
        )
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
        value = parse(before.pop(done))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{record}: does not tell what was spoken ({error!r}); choose another --out"
        ) from error
    _compare(folder, before, json.loads(json.dumps(facts)))
    return value


def _compare(folder: Path, before: dict[str, Any], facts: dict[str, Any]) -> None:
    for key in sorted(facts.keys() | before.keys()):
        if before.get(key) != facts.get(key):
            was, now = (_short(which.get(key)) for which in (before, facts))
            raise DataError(
                f"{folder}: holds speech with other {key.replace('_', ' ')} ({was}, now {now}); "
                "choose another --out, or give the same options to finish it"
            )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
