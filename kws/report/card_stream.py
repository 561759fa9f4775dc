"""What a model does in running sound, for its card: from what tools/evaluate.py --json wrote."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kws.errors import RunError
from kws.report.card_lines import row
from kws.report.stream_tables import rate_text, share_text, spoken_length
from kws.run import read_json
from kws.spotting.metrics import Share
from kws.spotting.stream_score import Rate
from kws.tflite.metadata import Metadata

WRITTEN_BY = "tools/evaluate.py MODEL.tflite --stream DIR --json FILE"


def running_rows(file: Path, sha256: str, metadata: Metadata) -> list[str]:
    """Heading and rows of a Markdown table: all recordings, then those of each condition.

    Parameters
    ----------
    file : by ``tools/evaluate.py MODEL.tflite --stream DIR --json FILE``.
    sha256 : of the model file that the card is of. metadata : its own.

    Raises
    ------
    RunError
        When the file cannot be read, is something else, or is of another model or other thresholds.
    """
    found = read_json(file, f"write it by {WRITTEN_BY}")
    try:
        if found["sha256"] != sha256:
            raise RunError(
                f"{file}: is of another file than the run's model.tflite ({found['model']}); "
                "evaluate that one"
            )
        if found["decoder"] != metadata.decoder.model_dump():
            raise RunError(
                f"{file}: was measured at other thresholds than those in the run's model.tflite; "
                "evaluate it without --false-accepts-per-hour"
            )
        return list(_rows(found))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{file}: no figures on long recordings in it ({error!r}); expected what {WRITTEN_BY} "
            "writes"
        ) from error


def _rows(found: dict[str, Any]) -> Iterator[str]:
    yield row("recordings", "missed", "false accepts an hour")
    yield row("---", "---", "---")
    yield _row("all", found)
    for name, values in found["by_condition"].items():
        for value, scores in values.items():
            yield _row(f"{name} {value}" if value else f"no {name} told", scores)


def _row(name: str, scores: dict[str, Any]) -> str:
    missed, false = Share(**scores["missed"]), Rate(**scores["false_accepts"])
    said = f"{share_text(missed)} of {missed.total:,}" if missed.total else share_text(missed)
    return row(f"{name}, {spoken_length(false.hours)}", said, rate_text(false))
