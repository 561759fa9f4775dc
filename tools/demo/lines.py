"""One line a detection, for logs and for other programs."""

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kws.spotting.live import Moment


class Lines:
    """Prints detections; notes go to standard error."""

    def __init__(self, as_json: bool):
        self._json = as_json

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def push(self, moment: "Moment") -> None:
        """Print what a moment detected, at once."""
        for found in moment.detections:
            if self._json:
                values = {"time_s": round(found.time_s, 3), "keyword": found.keyword}
                print(json.dumps(values | {"score": round(found.score, 4)}), flush=True)
            else:
                line = f"{found.time_s:9.2f} s  {found.keyword:<12} {found.score:.2f}"
                print(line, flush=True)

    def note(self, text: str) -> None:
        """Say something beside the detections."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
