"""What the programs share: errors as one line, exit status 2, and `kws` found beside `tools/`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter

from kws.errors import KwsError


def run(main: Callable[[], None]) -> None:
    """Run a program; a user's mistake is one line on standard error and status 2."""
    try:
        main()
    except KwsError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has gone
        sys.stderr.close()
        sys.exit(141)
