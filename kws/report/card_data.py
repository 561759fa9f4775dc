"""What a model card says of the clips that a model learned from, and of its teachers."""

from pathlib import Path

from kws.data.manifest_file import read_manifest
from kws.recipe import Recipe
from kws.recipe_augment import AugmentConfig
from kws.report.run_facts import of_clips

_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING")
_COMMONS = "Creative Commons"


def licence_of(data: Path) -> str:
    """The licence in a data folder, by its first line; empty without one.

    Of a manifest, those in or right above the folders of its recordings, or else the one beside it
    (which may be a program's).
    The licences of Creative Commons do not begin with whose they are: that is put before.
    """
    if data.is_dir():
        return _licence_in(data)
    folders = {clip.path.parent for clip in read_manifest(data)}
    found = (_licence_in(folder) or _licence_in(folder.parent) for folder in sorted(folders))
    return "; ".join(dict.fromkeys(one for one in found if one)) or _licence_in(data.parent)


def _licence_in(folder: Path) -> str:
    for name in _LICENCES:
        if (folder / name).is_file():
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
            first = next((line.strip(" #*") for line in text.splitlines() if line.strip()), "")
            named = _COMMONS in first or _COMMONS not in text
            return first if named else f"{_COMMONS} {first}"
    return ""


def source_text(recipe: Recipe, data_name: str, licence: str) -> str:
    """Whose recordings a model was trained on, and what may be done with them.

    Parameters
    ----------
    data_name, licence : of the data folder; empty where they are not known.
    """
    if recipe.data.synthetic:
        return (
            "Synthetic speech alone, made by the recipe itself: no recording of anybody is in it."
        )
    whose = f": {data_name}" if data_name else "; of which data set was not said"
    named = f"Their licence: {licence}." if licence else "Their folder names no licence."
    return f"Recordings of single words{whose}. {named}"


def heard_text(recipe: Recipe) -> str:
    """What was made of the clips for training, and what the recipe adds to them."""
    augment, data = recipe.augment, recipe.data
    kinds, several = ", ".join(varied(augment)), "copies" if augment.copies > 1 else "copy"
    how = f"varied {several} ({kinds})" if kinds else several
    text = f"Trained on {augment.copies} {how} {of_clips(augment)}"
    if augment.time_masks * augment.time_mask_frames + augment.band_masks * augment.band_mask_bands:
        text += ", with masks over time and bands"
    if augment.mixup_alpha:
        text += ", mixed with each other"
    more = {
        "words made of parts of others": data.made_unknown_share,
        "words spoken by espeak-ng": data.spoken,
        "the recordings of `data.extra` in the recipe": data.extra,
        "the recordings of `data.negatives` in the recipe": data.negatives,
    }
    return "; and on ".join([text, *(what for what, there in more.items() if there)]) + "."


def taught_text(recipe: Recipe) -> str:
    """Whose answers it learned from besides the labels; empty where from nobody's."""
    distill = recipe.train.distill
    if distill is None:
        return ""
    teachers = " and ".join(f"`{path}`" for path in distill.teachers)
    whose = "model" if len(distill.teachers) == 1 else "models"
    return (
        f"Distilled: besides the labels it learned from the answers that the {whose} of {teachers} "
        "gave to these clips."
    )


def varied(augment: AugmentConfig) -> list[str]:
    """In what the copies of a clip differ: the kinds with a probability and a range above zero."""
    tilted = any((*augment.tilt_db_per_octave, *augment.equalizer_db))
    kinds = {
        "pitch": augment.pitch_probability and any(augment.pitch_semitones),
        "other words beside": augment.context_probability,
        "speed": augment.speed_probability and augment.speed != (1.0, 1.0),
        "shift": augment.shift_probability and augment.shift_ms,
        "room": augment.room_probability,
        "babble": augment.babble_probability,
        "noise": augment.noise_probability,
        "equalizer": augment.equalizer_probability and tilted,
        "band": augment.band_probability,
        "clipping": augment.clipping_probability and augment.clipping_share[1],
        "level": augment.gain_probability and any(augment.gain_db),
        "codec": augment.codec_probability,
    }
    return [kind for kind, there in kinds.items() if there]


def running_text(recipe: Recipe) -> str:
    """What is to be expected of it in running sound, of which figures on clips tell nothing."""
    data = recipe.data
    if data.negatives or data.synthetic or (data.spoken and data.spoken.sentences):
        return "How often it answers to running sound without a keyword depends on that sound"
    return (
        "It was trained on single clips; such models answer to much of running sound that is no "
        "keyword"
    )
