"""Teachers: trained by their own recipes, kept, asked once, and learnt from."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from conftest import TONE_RECIPE, refused, run_tool

from kws.data.cache import load_examples
from kws.data.corpus import read_clips
from kws.data.manifest_file import write_manifest
from kws.data.stats import feature_stats
from kws.errors import RecipeError, RunError
from kws.files import write_json
from kws.nn.answers import predictor
from kws.nn.models import build_model, load_model
from kws.nn.teachers import as_student, corrected, find_teachers, teachers_answers
from kws.nn.train_recipe import train_recipe
from kws.nn.training import Clips, fit
from kws.recipe_io import read_recipe
from kws.run import RunFolder, read_json


@pytest.fixture
def teacher(tmp_path):
    """A bidirectional teacher of chirps, with features of its own."""
    path = tmp_path / "teacher.yaml"
    text = TONE_RECIPE.replace("name: tones", "name: teacher")
    text = text.replace("{units: [12]}", "{units: [10], bidirectional: true}")
    text = text.replace("epochs: 16", "epochs: 6, carried_state_share: 0.0")
    text = text.replace("mode: qat, epochs: 2", "mode: none")
    path.write_text(text + "features: {mel_bands: 20}\n")
    return path


def student(path, teacher, *more):
    text = TONE_RECIPE.replace("epochs: 16", f"epochs: 3, distill: {{teachers: [{teacher}]}}")
    path.write_text(text)
    return read_recipe(path, more)


def test_a_teacher_is_trained_once_and_its_answers_are_kept(teacher, tone_data, tmp_path):
    recipe = student(tmp_path / "student.yaml", teacher)
    train_recipe(recipe, tone_data, tmp_path / "runs" / "student", resume=False)
    folder = RunFolder(tmp_path / "runs" / "teacher")
    (kept,) = (folder.path / "answers").iterdir()
    logits = np.load(kept)
    training = load_examples(recipe, tone_data, "training", folder.cache)
    assert logits.shape == (len(training.labels), 4)
    accuracy = (logits.argmax(axis=1) == training.labels).mean()
    assert accuracy > 0.6  # it heard the same clips, though in features of its own
    wide = load_examples(read_recipe(teacher), tone_data, "training", folder.cache)
    assert wide.features.shape[2] == 20
    model, changed = load_model(folder.keras_model), folder.keras_model.stat().st_mtime_ns
    exact = model(np.asarray(wide.features[:8], np.float32))[0][:, -1]
    np.testing.assert_allclose(logits[:8], exact, atol=0.02)
    again = student(tmp_path / "other.yaml", teacher, "model.units=[8]")
    train_recipe(again, tone_data, tmp_path / "runs" / "other", resume=False)
    assert folder.keras_model.stat().st_mtime_ns == changed
    assert list((folder.path / "answers").iterdir()) == [kept]


def answers_of(recipe, data, run, training, train=train_recipe):
    return teachers_answers(recipe, find_teachers(recipe, data, run.path), data, training, train)


def test_answers_are_the_mean_of_warm_posteriors(teacher, tone_data, tmp_path):
    """Of two teachers; the mean of their logits would be another."""
    brief = teacher.read_text().replace("name: teacher", "name: brief")
    (tmp_path / "brief.yaml").write_text(brief.replace("epochs: 6", "epochs: 1"))
    paths = [str(teacher), str(tmp_path / "brief.yaml")]
    recipe_file, run = tmp_path / "student.yaml", RunFolder(tmp_path / "runs" / "student")
    recipe = student(recipe_file, teacher)
    training = load_examples(recipe, tone_data, "training", run.cache)

    def answers(temperature):
        both = f"train.distill={{teachers: {paths}, temperature: {temperature}}}"
        return answers_of(student(recipe_file, teacher, both), tone_data, run, training)

    def softmax(logits):
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    cool, warm = answers(1.0), answers(3.0)
    files = [next((tmp_path / "runs" / n / "answers").iterdir()) for n in ("teacher", "brief")]
    one, two = (np.load(file).astype(np.float64) for file in files)
    expected = (softmax(one / 3) + softmax(two / 3)) / 2
    np.testing.assert_allclose(warm, expected, atol=2e-3)
    for other in (softmax(one / 3), softmax(two / 3), softmax((one + two) / 6)):
        assert np.abs(expected - other).max() > 0.02
    np.testing.assert_allclose(cool.sum(axis=1), 1.0, atol=5e-3)
    assert warm.max(axis=1).mean() < cool.max(axis=1).mean()


def test_words_that_the_student_does_not_tell_apart_are_unknown_to_it():
    """yes 0.5; bed 0.1, cat 0.2 and unknown 0.1 are 0.4 together; silence 0.1."""
    told = ("yes", "bed", "cat", "unknown", "silence")
    logits = np.log([[0.5, 0.1, 0.2, 0.1, 0.1]]) + 7.0
    found = np.exp(as_student(logits, told, ("yes", "unknown", "silence")) - 7.0)
    np.testing.assert_allclose(found, [[0.5, 0.4, 0.1]])
    same = ("silence", "cat", "yes", "bed", "unknown")
    np.testing.assert_allclose(
        np.exp(as_student(logits, told, same) - 7.0), [[0.1, 0.2, 0.5, 0.1, 0.1]]
    )


def test_a_teacher_that_errs_on_an_added_clip_is_corrected():
    """Two copies of three clips, the third of which was added."""
    answers = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4], [0.5, 0.5], [0.4, 0.6]])
    labels = np.array([0, 0, 1, 0, 0, 1])
    expected = answers.copy()
    expected[2] = [0, 1]  # the second is its folder's own, the sixth is right
    np.testing.assert_array_equal(corrected(answers, labels, own=2, copies=2), expected)
    np.testing.assert_array_equal(corrected(answers, labels, own=3, copies=2), answers)


def test_a_teacher_of_more_words_teaches_one_of_fewer(teacher, tone_data, tmp_path):
    """Chirps that fall are a word for the teacher, unknown for the student."""
    text = TONE_RECIPE.replace("[low, high]", "[low]")
    text = text.replace("epochs: 16", f"epochs: 3, distill: {{teachers: [{teacher}]}}")
    (tmp_path / "student.yaml").write_text(text)
    recipe = read_recipe(tmp_path / "student.yaml")
    run = RunFolder(tmp_path / "runs" / "student")
    training = load_examples(recipe, tone_data, "training", run.cache)
    taught = answers_of(recipe, tone_data, run, training)
    assert taught.shape == (len(training.labels), 3)
    np.testing.assert_allclose(taught.sum(axis=1), 1.0, atol=5e-3)
    assert (taught.argmax(axis=1) == training.labels).mean() > 0.6


def test_a_student_follows_its_teacher_where_labels_say_otherwise(teacher, tone_data, tmp_path):
    """Each label is another class than the teacher's: the loss's share decides who is followed."""
    changes = ("train.epochs=12", "quantize.mode=none")
    recipe = student(tmp_path / "student.yaml", teacher, *changes)
    run = RunFolder(tmp_path / "runs" / "student")
    training = load_examples(recipe, tone_data, "training", run.cache)
    taught = answers_of(recipe, tone_data, run, training)
    assert taught.dtype == np.float16
    assert np.abs(taught.sum(axis=1) - 1).max() < 0.01
    heard = taught.argmax(axis=1)
    labels = (heard + 1) % 4
    for share, followed in ((1.0, heard), (0.01, labels)):
        one = student(tmp_path / "one.yaml", teacher, *changes, f"train.distill.share={share}")
        model = build_model(one.model, 4, feature_stats(training.features), False, one.seed)
        clips, out = Clips(training.features, labels, taught), RunFolder(tmp_path / str(share))
        fit(model, one, clips, clips, out)
        said = predictor(model)(training.features).argmax(axis=1)
        assert (said == followed).mean() > 0.7


def test_a_teacher_that_heard_other_clips_is_refused(teacher, tone_data, tmp_path):
    """Trained on all, it may have heard the speakers that a manifest holds back."""
    teacher.write_text(teacher.read_text().replace("epochs: 6", "epochs: 1"))
    train_recipe(read_recipe(teacher), tone_data, tmp_path / "runs" / "teacher", resume=False)
    clips = read_clips(tone_data, ("low", "high", "unknown", "silence"))
    clips = [replace(clip, label=clip.word or clip.label) for clip in clips]
    write_manifest(tmp_path / "all.csv", clips)
    held = [clip for clip in clips if "007" not in clip.path.name]
    write_manifest(tmp_path / "held.csv", held)
    shutil.copytree(tone_data, tmp_path / "copy")

    def ask(data, *more):
        recipe = student(tmp_path / "student.yaml", teacher, *more)
        run = RunFolder(tmp_path / "runs" / "student")
        training = load_examples(recipe, data, "training", run.cache)
        answers_of(recipe, data, run, training, not_again)

    ask(tone_data)
    ask(tone_data, "features.mel_bands=30", "data.made_unknown_share=0.1")
    ask(tmp_path / "all.csv")
    ask(tmp_path / "copy")
    message = r"runs/teacher: was trained on other clips \(.*\) than those of .*held.csv, and may"
    with pytest.raises(RunError, match=message):
        ask(tmp_path / "held.csv")
    facts = RunFolder(tmp_path / "runs" / "teacher").facts
    noted = read_json(facts)
    del noted["clips_fingerprint"]  # as a run of an earlier version
    write_json(facts, noted)
    ask(tone_data)
    with pytest.raises(RunError, match=message):
        ask(tmp_path / "held.csv")


def not_again(*_: object) -> None:
    raise AssertionError("the teacher is trained already")


def test_teachers_that_cannot_teach_are_refused(teacher, tone_data, tmp_path):
    changes = {
        "data.keywords=[low]": r"cannot teach tones: its classes are low, unknown, silence",
        "data.clip_ms=800": r"its clips last 800.0 ms",
        "train.distill.teachers=[x.yaml]": r"it has teachers of its own",
    }
    for change, message in changes.items():
        key, _, value = change.partition("=")
        text = teacher.read_text()
        other = tmp_path / "bad.yaml"
        if key == "data.keywords":
            other.write_text(text.replace("[low, high]", value))
        elif key == "data.clip_ms":
            other.write_text(text.replace("silence_share", "clip_ms: 800, silence_share"))
        else:
            other.write_text(text.replace("epochs: 6", "epochs: 6, distill: {teachers: [x.yaml]}"))
        with pytest.raises(RecipeError, match=message):
            train_recipe(student(tmp_path / "s.yaml", other), tone_data, tmp_path / "r", False)
        assert not (tmp_path / "r").exists()
    text = student(tmp_path / "s.yaml", tmp_path / "nowhere.yaml")
    assert text.train.distill is not None
    message = refused("train.py", tmp_path / "s.yaml", "--data", tone_data, "--out", tmp_path / "r")
    assert "nowhere.yaml: no such recipe" in message
    assert not (tmp_path / "r").exists()


def test_a_teacher_s_folder_of_another_recipe_is_refused(teacher, tone_data, tmp_path):
    runs = tmp_path / "runs"
    run_tool("train.py", teacher, "--data", tone_data, "--out", runs / "teacher",
             "--set", "train.epochs=1")  # fmt: skip
    student(tmp_path / "student.yaml", teacher)
    message = refused(
        "train.py", tmp_path / "student.yaml", "--data", tone_data, "--out", runs / "student"
    )
    assert "was made by another recipe (train.epochs was 1, is 6)" in message
    assert not (runs / "student").exists()
