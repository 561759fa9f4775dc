"""Models in the box: each answers its golden clips, and its card speaks of it; how one is made."""

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, refused, run_tool

from kws.errors import ModelError, RunError
from kws.files import write_json
from kws.recipe import DecoderConfig
from kws.recipe_io import parse_recipe, read_recipe
from kws.report.card_check import check_card
from kws.report.card_data import heard_text, licence_of, running_text, source_text, taught_text
from kws.report.model_card import model_card
from kws.report.publish import Published, check_published, publish
from kws.run import read_json
from kws.seeds import Seeds
from kws.spotting.metrics import share
from kws.tflite.golden import check_golden, make_golden, read_golden
from kws.tflite.interpreter import open_model
from kws.tflite.metadata import ThresholdChoice, metadata_of, parse
from kws.tflite.pack import with_metadata

BOX = ROOT / "recipes"
IN_THE_BOX = (
    "speech_commands_12/gru_small_12", "speech_commands_35/gru_small_35",
    "speech_commands_8/bigru_window", "speech_commands_8/dscnn_reference",
    "speech_commands_8/gru_medium", "speech_commands_8/gru_running", "speech_commands_8/gru_small",
    "speech_commands_8/gru_stream", "speech_commands_8/gru_tiny", "speech_commands_8/lstm_small",
    "speech_commands_8/mingru_small", "speech_commands_8/rnn_small", "wake_word/alexa",
)  # fmt: skip
GRU_SMALL = BOX / "speech_commands_8" / "gru_small"
ALEXA = "Recordings of 'alexa' (Picovoice, wake-word benchmark)"
DATA_NAME = "Google Speech Commands (Pete Warden, 2018, arXiv:1804.03209)"
LICENCE = "Creative Commons Attribution 4.0 International"


def test_the_box_holds_these_models():
    found = (ROOT / "recipes").rglob("model.tflite")
    assert sorted(path.parent for path in found) == [BOX / name for name in IN_THE_BOX]


@pytest.mark.parametrize("name", IN_THE_BOX)
def test_each_model_in_the_box_answers_as_published(name):
    check_published(BOX / name)
    assert open_model(BOX / name / "model.tflite").metadata.recipe == (BOX / name).name


@pytest.mark.parametrize("name", IN_THE_BOX)
def test_cards_in_the_box_say_of_their_data_and_limits_what_a_new_one_would(name):
    """Their run folders are gone: what they told of clips and seeds is not made again here."""
    out = Published(BOX / name)
    metadata, data = metadata_of(out.model), out.model.read_bytes()
    open_set = None
    if unseen := int(metadata.figures.get("unseen_clips", 0)):
        taken = share(round(metadata.figures["unseen_taken"] * unseen), unseen)
        open_set = SimpleNamespace(maximum=SimpleNamespace(taken=taken), points=[])
    facts = SimpleNamespace(
        weights=0, clips=1, rows=[], form=metadata.form, state=metadata.state,
        confusion=np.eye(len(metadata.labels), dtype=int), open_set=open_set, accuracy_before=None,
    )  # fmt: skip
    folder, recipe = f"recipes/{name}", read_recipe(out.recipe)
    source, licence = DATA_NAME, LICENCE
    if name == "wake_word/alexa":
        source, licence = f"{ALEXA}; {source}", f"Apache License; {licence}"
    heard = metadata.threshold_choice is not None  # those for running sound are of one seed
    seeds, rows = (None, ["..."]) if heard else (Seeds(recipe.name, (1, 2, 3), (), {}), [])
    made = model_card(
        recipe, facts, metadata, data, folder, f"{folder}.yaml", source, licence, seeds, rows
    )
    assert out.card.read_text().partition("## Data")[2] == made.partition("## Data")[2]


@pytest.fixture
def check_changed(tmp_path):
    """A check of gru_small's card and recipe with a text in one of them replaced."""

    def check(old: str, new: str, file: str = "README.md") -> None:
        out, recipe = Published(GRU_SMALL), tmp_path / "gru_small.yaml"
        texts = {"README.md": out.card.read_text(), recipe.name: out.recipe.read_text()}
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new)
        recipe.write_text(texts[recipe.name])
        data, card = out.model.read_bytes(), texts["README.md"]
        check_card(card, "README.md", data, "model.tflite", read_recipe(recipe), recipe.name)

    return check


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| float Keras | 96.60%", "| float Keras | 96.70%"),
        ("12,064 bytes of TFLM arena", "11,064 bytes of TFLM arena"),
        ("12,288 to start", "12,064 to start"),
        ("| 1.00 million multiply-acc", "| 0.90 million multiply-acc"),
        ("| plain maximum | 50.00%", "| plain maximum | 5.00%"),
        ("(0.70) | 37.96%", "(0.70) | 3.96%"),
        ("47.4% | 95.77% |", "47.4% | 96.77% |"),
        ("nine, wow; 108 clips", "nine; 108 clips"),
        ("17,626 weights", "17,627 weights"),
        ("GRU of 36 units", "GRU of 35 units"),
        ("yes, no, up,", "yes, no,"),
        ("(speed, shift, noise, level)", "(noise, rooms, speed, level)"),
        ("speech_commands_8/teacher.yaml", "speech_commands_8/teacher_words.yaml"),
        ("mean over 200 ms", "mean over 100 ms"),
    ],
)  # fmt: skip
def test_a_card_that_says_otherwise_than_its_file_is_found(check_changed, old, new):
    with pytest.raises(ModelError, match=r"README.md: does not say .*publish the run again"):
        check_changed(old, new)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("units: [36]", "units: [40]", r"its macs_per_second is 1000600, of the recipe 10\d+"),
        ("stride: [2, 2]", "stride: [1, 2]", "its frames_per_step is 2, of the recipe 1"),
        ("stop, go]", "stop]", r"its labels is \('yes'.*"),
        ("seed: 1", "features: {low_hz: 20}", "its features.low_hz is 60.0, of the recipe 20.0"),
        ("seed: 1", "decoder: {threshold: 0.5}", "its decoder.threshold is 0.7, of the recipe 0.5"),
    ],
)
def test_a_recipe_that_is_not_the_files_is_found(check_changed, old, new, told):
    told = rf"model.tflite: is not of the recipe gru_small.yaml \({told}"
    with pytest.raises(ModelError, match=told):
        check_changed(old, new, "gru_small.yaml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("noise_probability: 0.7", "noise_probability: 0"),
        ("epochs: 100", "epochs: 90"),
        ("convolutional GRU, 27 KB", "GRU, 27 KB"),
        ("copies: 10", "copies: 9"),
        ("time_masks: 0", "time_masks: 1"),
    ],
)
def test_a_recipe_of_which_the_card_does_not_speak_is_found(check_changed, old, new):
    with pytest.raises(ModelError, match=r"README.md: does not say .* gru_small.yaml do: it is"):
        check_changed(old, new, "gru_small.yaml")


def test_the_seed_of_a_published_run_may_be_another(check_changed):
    check_changed("seed: 1", "seed: 3", "gru_small.yaml")


@pytest.fixture(scope="module")
def box(tone_recipe, tone_run, tone_data, tmp_path_factory):
    """A box with one published model, by the program that people run."""
    root = tmp_path_factory.mktemp("box")
    shutil.copy(tone_recipe, root / "tones.yaml")
    words = ["--data", tone_data, "--data-name", "Chirps (nobody, 2026)"]
    run_tool("publish.py", tone_run, "tones", *words, cwd=root)
    return root


@pytest.fixture
def folder(box, tmp_path):
    """A copy of the published model, to be spoilt."""
    shutil.copytree(box, tmp_path / "box")
    return tmp_path / "box" / "tones"


def test_what_is_published(box, tone_run):
    folder = box / "tones"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "golden.npz",
        "model.tflite",
    ]
    check_published(folder)
    data = (folder / "model.tflite").read_bytes()
    assert data == (tone_run / "model.tflite").read_bytes()
    assert (folder / "golden.npz").stat().st_size < 40_000
    golden = read_golden(folder / "golden.npz")
    assert golden.features.shape[1:] == (49, 40)
    assert len(set(golden.labels)) == len(golden.labels) > 1
    np.testing.assert_array_equal(golden.posteriors.argmax(axis=1), golden.labels)


def test_the_card_says_what_the_run_measured(box, tone_run):
    card = (box / "tones" / "README.md").read_text()
    entry = read_json(tone_run / "metrics.json")["verification"]["model.tflite"]
    assert hashlib.sha256((tone_run / "model.tflite").read_bytes()).hexdigest() in card
    assert f"| int8 TFLM | {entry['rows'][-1]['accuracy']:.2%} |" in card
    assert f"| float, before int8 | {entry['accuracy_before']:.2%} |" in card
    assert f"| file | {entry['file_bytes']:,} bytes, {entry['weights']:,} weights" in card
    assert f"| memory | {entry['arena_bytes']:,} bytes" in card
    assert "| hears | low, high, and tells them from unknown and silence |" in card
    assert "40 log-mel energies in dB, 60 to 7600 Hz, windows of 32 ms every 20 ms" in card
    data = "Recordings of single words: Chirps (nobody, 2026). Their folder names no licence.\n"
    assert f"{data}Trained on 2 varied copies (speed, shift, noise, level) of each clip.\n" in card
    assert "Distilled" not in card
    assert "tools/evaluate.py tones/model.tflite --stream DIR --negatives DIR` tells" in card
    assert "python tools/train.py tones.yaml --data DIR --set seed=1 --out runs/tones\n" in card
    assert "python tools/convert.py runs/tones --form stream\n" in card
    assert "python tools/publish.py runs/tones tones --data-name 'Chirps (nobody, 2026)'\n" in card
    assert "python tools/mic_demo.py tones/model.tflite" in card
    assert "/tmp" not in card
    assert "{" not in card


def test_published_again_it_is_the_same(box, tone_run, tone_data, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    publish(tone_run, Path("tones"), tone_data, "Chirps (nobody, 2026)")
    for path in folder.iterdir():
        assert path.read_bytes() == (box / "tones" / path.name).read_bytes(), path.name


def test_another_seed_of_the_recipe_is_published(tone_run, tone_data, folder, monkeypatch):
    recipe = folder.parent / "tones.yaml"
    recipe.write_text(recipe.read_text() + "seed: 5\n")
    monkeypatch.chdir(folder.parent)
    out = publish(tone_run, Path("tones"), tone_data)
    assert read_recipe(out.recipe).seed == 5
    assert "--set seed=1" in out.card.read_text()
    assert "single words; of which data set was not said." in out.card.read_text()


def test_the_card_has_the_figures_of_all_seeds(tone_run, tone_data, folder, tmp_path, monkeypatch):
    run = tmp_path / "tones_seed1"
    shutil.copytree(tone_run, run)
    figures = {
        "validation_accuracy": {"values": [0.9, 0.96], "mean": 0.93, "standard_deviation": 0.0424},
        "accuracy_before": {"values": [0.95, 0.97], "mean": 0.96, "standard_deviation": 0.0141},
        "training_minutes": {"values": [4.0, 6.0], "mean": 5.0, "standard_deviation": 1.4142},
        "macs_per_second": {"values": [1.0, 1.0], "mean": 1.0, "standard_deviation": 0.0},
    }
    file = tmp_path / "tones_seeds.json"
    write_json(file, {"recipe": "tones", "seeds": [1, 2], "runs": ["a", "b"], "figures": figures})
    monkeypatch.chdir(folder.parent)
    card = publish(run, Path("tones"), tone_data).card.read_text()
    assert "from 2 seeds, of which this file is seed 1" in card
    assert "| | seed 1 | seed 2 | mean ± deviation |\n| --- | --- | --- | --- |\n" in card
    assert "| accuracy in TFLM | 90.00% | 96.00% | 93.00 ± 4.24 % |\n" in card
    assert "| float accuracy before int8 | 95.00% | 97.00% | 96.00 ± 1.41 % |\n" in card
    assert "| minutes of training | 4.0 | 6.0 | 5.0 ± 1.4 |\n" in card
    assert "macs" not in card
    assert "python tools/train.py tones.yaml --data DIR --seeds 2\n" in card
    assert "python tools/publish.py runs/tones_seed1 tones\n" in card
    file.write_text('{"seeds": [1]}')
    with pytest.raises(RunError, match=r"tones_seeds.json: not what --seeds wrote"):
        publish(run, Path("tones"), tone_data)


CHOICE = ThresholdChoice(
    wanted_per_hour=1.0, hours=4.0, false_accepts=2, false_accepts_per_hour=(0.06, 1.8),
    said=50, missed=5, missed_share=(0.04, 0.21),
)  # fmt: skip


def test_thresholds_may_have_been_chosen_since_it_was_verified(
    tone_run, tone_data, folder, tmp_path
):
    """As evaluate.py --write does; but nothing else of the file may have changed."""
    run = tmp_path / "run"
    shutil.copytree(tone_run, run)
    path = run / "model.tflite"
    verified = path.read_bytes()
    decoder = DecoderConfig(keyword_thresholds={"low": 0.4, "high": 0.85})
    facts = metadata_of(path).with_thresholds(decoder, CHOICE)
    path.write_bytes(with_metadata(verified, facts, "the model"))
    card = publish(run, folder, tone_data).card.read_text()
    assert "(threshold 0.7, high 0.85, low 0.40, mean over 200 ms)" in card
    assert (
        "Its thresholds were chosen for at most 1 false accepts an hour, and gave 2 in 4.0" in card
    )
    assert (
        "python tools/evaluate.py runs/tones/model.tflite --stream DEVELOPMENT --negatives "
        "DEVELOPMENT_TALK --false-accepts-per-hour 1 --write\npython tools/publish.py runs/tones "
    ) in card
    path.write_bytes(with_metadata(of_other_weights(verified), facts, "the model"))
    with pytest.raises(RunError, match="is not the file that was verified"):
        publish(run, folder, tone_data)


def test_refuses_runs_that_prove_nothing(tone_run, tone_data, folder, tmp_path):
    run, recipe = tmp_path / "run", folder.parent / "tones.yaml"
    shutil.copytree(tone_run, run)
    data = run / "model.tflite"
    data.write_bytes(data.read_bytes() + b"\0")
    with pytest.raises(RunError, match=r"not the file that was verified"):
        publish(run, folder, tone_data)
    data.write_bytes(of_other_weights(data.read_bytes()[:-1]))
    told = r"model.tflite: is not the file that was verified \(another SHA-256.*--form stream$"
    with pytest.raises(RunError, match=told):
        publish(run, folder, tone_data)
    shutil.copy(tone_run / "model.tflite", data)
    metrics = read_json(run / "metrics.json")
    del metrics["verification"]["model.tflite"]["sha256"]
    write_json(run / "metrics.json", metrics)
    with pytest.raises(
        RunError, match=r"verified by an older toolkit, .*: python tools/convert.py"
    ):
        publish(run, folder, tone_data)
    (run / "metrics.json").unlink()
    assert "no verified model file yet" in refused("publish.py", run, folder)
    data.unlink()
    assert "no such model file; tools/convert.py" in refused("publish.py", run, folder)
    with pytest.raises(RunError, match=r"no recipe nowhere.yaml in it or beside it"):
        publish(tone_run, tmp_path / "nowhere", tone_data)
    text = recipe.read_text()
    recipe.write_text(text.replace("epochs: 16", "epochs: 17"))
    with pytest.raises(RunError, match=r"another recipe.*train.epochs was 17, is 16"):
        publish(tone_run, folder, tone_data)
    recipe.write_text(text)
    check_published(folder)  # what was there is untouched


def of_other_weights(data: bytes) -> bytes:
    """The same file, of the same length and figures, with one weight changed."""
    buffers = (buffer.data for buffer in parse(data, "the model").buffers)
    largest = max((bytes(bytearray(one)) for one in buffers if one is not None), key=len)
    changed = bytes([largest[0] ^ 1]) + largest[1:]
    assert data.count(largest) == 1
    return data.replace(largest, changed)


def test_finds_what_does_not_belong_together(folder, tiny_model):
    model, card, golden = (folder / name for name in ("model.tflite", "README.md", "golden.npz"))
    text = card.read_text()
    card.write_text(text.replace("| int8 TFLM | ", "| int8 TFLM | 1"))
    with pytest.raises(ModelError, match=r"does not say '\| int8 TFLM"):
        check_published(folder)
    card.unlink()
    with pytest.raises(ModelError, match=r"README.md: cannot be read"):
        check_published(folder)
    card.write_text(text)
    kept = golden.read_bytes()
    golden.write_bytes(kept[:100])
    with pytest.raises(ModelError, match=r"golden.npz: missing or damaged"):
        check_published(folder)
    golden.write_bytes(kept)
    model.write_bytes(tiny_model.read_bytes())  # of other weights
    with pytest.raises(ModelError, match=r"TFLM answers .* to the golden clip of 'yes', expected"):
        check_published(folder)


def test_golden_clips_are_the_first_that_are_right(tiny_model):
    runner = open_model(tiny_model, "tflm")
    rng = np.random.default_rng(0)
    clips = rng.uniform(-70, 25, (40, 49, 40)).astype(np.float16).astype(np.float32)
    answers = np.array([runner.classify(clip).argmax() for clip in clips])
    common = np.bincount(answers).argmax()
    labels = np.where(np.arange(40) < 3, (answers + 1) % 4, answers)  # the first three are wrong
    golden = make_golden(tiny_model.read_bytes(), clips, labels)
    first = 3 + int(np.argmax(answers[3:] == common))
    np.testing.assert_array_equal(golden.features[golden.labels == common][0], clips[first])
    check_golden(tiny_model.read_bytes(), golden, "tiny")
    with pytest.raises(ModelError, match=r"knows none of the clips"):
        make_golden(tiny_model.read_bytes(), clips, (answers + 1) % 4)


def test_licences_are_read_from_the_data_folder(tmp_path):
    assert licence_of(tmp_path) == ""
    (tmp_path / "LICENSE").write_text("\n# MIT License\n\n====\n")
    assert licence_of(tmp_path) == "MIT License"
    commons = (
        "Attribution 4.0 International\n\n===\n\nCreative Commons Corporation is not a law firm"
    )
    (tmp_path / "LICENSE").write_text(commons)
    assert licence_of(tmp_path) == LICENCE
    header = "path,label,speaker,split,start,duration"
    (tmp_path / "manifest.csv").write_text(f"{header}\n{tmp_path}/a.wav,yes,,training,0,1\n")
    assert licence_of(tmp_path / "manifest.csv") == LICENCE
    (tmp_path / "LICENSE").unlink()
    for folder, text in (("mine/takes", "MIT License"), ("theirs", commons), ("bare", "")):
        (tmp_path / folder).mkdir(parents=True)
        if text:
            (tmp_path / folder.split("/")[0] / "LICENSE").write_text(text)
    paths = ("mine/takes/a.wav", "theirs/b.wav", "mine/takes/c.wav", "bare/d.wav")
    rows = "".join(f"{tmp_path / path},yes,,training,0,1\n" for path in paths)
    (tmp_path / "manifest.csv").write_text(f"\ufeff{header}\n{rows}")
    assert licence_of(tmp_path / "manifest.csv") == f"MIT License; {LICENCE}"
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "LICENSE").write_text("Another License")
    (tmp_path / "manifest.csv").rename(tmp_path / "program" / "wake.csv")
    assert licence_of(tmp_path / "program" / "wake.csv") == f"MIT License; {LICENCE}"


def with_sections(**sections):
    values = {"name": "a", "data": {"keywords": ["yes"]}, "model": {"units": [8]}}
    for name, section in sections.items():
        values[name] = values.get(name, {}) | section
    return parse_recipe(values, "test")


BARE = dict.fromkeys(
    ("shift_probability", "speed_probability", "gain_probability", "noise_probability"), 0.0
) | {"time_masks": 0, "band_masks": 0}
"""Augmentation that changes nothing."""


def always(*kinds: str) -> dict:
    return BARE | {f"{kind}_probability": 1.0 for kind in kinds}


DEFAULT = "4 varied copies (speed, shift, noise, level) of each clip"


@pytest.mark.parametrize(
    ("augment", "told"),
    [
        ({}, f"{DEFAULT}, with masks over time and bands."),
        ({"time_masks": 0, "band_mask_bands": 0}, f"{DEFAULT}."),
        (BARE, "4 copies of each clip."),
        (BARE | {"keyword_takes": 3}, "4 copies of each clip, 12 of each of a keyword."),
        (BARE | {"copies": 1, "mixup_alpha": 0.2}, "1 copy of each clip, mixed with each other."),
        (
            BARE | {"speed": (1.0, 1.0), "speed_probability": 1.0, "room_rt60_s": (0.1, 0.2)},
            "4 copies of each clip.",
        ),
        (
            always("shift", "gain", "noise") | {"shift_ms": 0.0, "gain_db": (0.0, 0.0)},
            "4 varied copies (noise) of each clip.",
        ),
        (
            always("room", "babble", "codec"),
            "4 varied copies (room, babble, codec) of each clip.",
        ),
        (always("context"), "4 varied copies (other words beside) of each clip."),
        (
            always("pitch", "band", "clipping", "equalizer"),
            "4 varied copies (pitch, equalizer, band, clipping) of each clip.",
        ),
        (
            always("equalizer", "clipping")
            | {"tilt_db_per_octave": (0.0, 0.0), "equalizer_db": (0.0, 0.0)},
            "4 varied copies (clipping) of each clip.",
        ),
    ],
)
def test_a_card_says_what_the_recipe_varies_and_nothing_else(augment, told):
    assert heard_text(with_sections(augment=augment)) == f"Trained on {told}"


def test_a_card_says_what_else_was_heard():
    data = {
        "spoken": {"sentences": 5},
        "extra": ["a"],
        "negatives": ["b"],
        "made_unknown_share": 0.1,
    }
    recipe = with_sections(data=data, augment=BARE)
    assert heard_text(recipe) == (
        "Trained on 4 copies of each clip; and on words made of parts of others; and on words "
        "spoken by espeak-ng; and on the recordings of `data.extra` in the recipe; and on the "
        "recordings of `data.negatives` in the recipe."
    )
    assert running_text(recipe).startswith("How often it answers to running sound")
    assert running_text(with_sections()).startswith("It was trained on single clips; such models")


def test_a_card_names_data_licence_and_teachers():
    recipe = with_sections(train={"distill": {"teachers": ["a.yaml", "b.yaml"]}})
    assert source_text(recipe, "Words (I, 2020)", "CC0") == (
        "Recordings of single words: Words (I, 2020). Their licence: CC0."
    )
    assert "the models of `a.yaml` and `b.yaml` gave" in taught_text(recipe)
    assert taught_text(with_sections()) == ""
