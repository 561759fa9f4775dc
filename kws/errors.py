"""The errors a user can cause, each a sentence that says what to do."""


class KwsError(Exception):
    """A user's mistake or a broken input: what was found, where, what was expected, what to do.

    Tools print it as one line and end with status 2; see ``tools/cli.py``.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


class RecipeError(KwsError):
    """A recipe, or a ``--set`` on top of one, that cannot be followed."""


class AudioError(KwsError):
    """A sound file that cannot be used."""


class DataError(KwsError):
    """A data folder that cannot be trained on or scored."""


class ModelError(KwsError):
    """A ``.tflite`` file that is not one of ours, or one that cannot be run."""


class RunError(KwsError):
    """A run folder that is incomplete or belongs to something else."""


class StorageError(KwsError):
    """A file that could not be written: no space, no permission, no such folder."""
