"""Words never heard: kept out of every split, and what models do with them."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from conftest import run_tool
from tiny_models import LABELS, metadata, model_bytes, untrained

from kws.audio import io
from kws.data.cache import load_examples
from kws.data.examples import list_sources, list_unseen, load_split, load_unseen
from kws.errors import RecipeError
from kws.recipe import DecoderConfig, FeatureConfig
from kws.recipe_data import UNSEEN
from kws.recipe_io import parse_recipe, read_recipe, recipe_text
from kws.report.open_set_table import open_set_table
from kws.spotting.open_set import answers, choose_threshold, is_keyword, measure_open_set
from kws.tflite.interpreter import Runner
from kws.tflite.metadata import NAME, metadata_json
from kws.tflite.verify import classify_all, verify

RATE = 16000
TRAINING, VALIDATION, TESTING = "0132a06d", "026290a7", "105a0eea"


def recipe(keywords=("yes", "no"), **data):
    values = {"keywords": list(keywords), "silence_share": 0.2, **data}
    sections = {"data": values, "augment": {"copies": 1}, "model": {"units": [4]}}
    return parse_recipe({"name": "x", **sections}, "test")


@pytest.fixture
def root(tmp_path):
    """Of each of four words, and of "on" and "dog", two training clips and one of each other."""
    rng, folder = np.random.default_rng(0), tmp_path / "data"
    for word in ("yes", "no", "tree", "on", "dog"):
        for speaker, clips in ((TRAINING, 2), (VALIDATION, 1), (TESTING, 1)):
            for i in range(clips):
                noise = rng.normal(0, 0.1, RATE)
                io.write(folder / word / f"{speaker}_nohash_{i}.wav", noise, RATE)
    return folder


def test_default_words_are_those_that_are_no_keywords():
    assert recipe().data.unseen == UNSEEN == ("on", "off", "bird", "dog", "nine", "wow")
    assert recipe(["on", "wow"]).data.unseen == ("off", "bird", "dog", "nine")
    assert recipe(list(UNSEEN)).data.unseen == ()
    assert recipe(unseen_words=["tree"]).data.unseen == ("tree",)
    assert recipe(unseen_words=[]).data.unseen == ()
    assert recipe(unseen_words=None).data.unseen == UNSEEN


def test_the_resolved_recipe_names_them(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(recipe(["on"])))
    assert "- 'off'\n  - bird" in path.read_text()
    assert read_recipe(path) == recipe(["on"])
    assert read_recipe(path, ("data.unseen_words=[tree]",)).data.unseen == ("tree",)
    assert read_recipe(path, ("data.unseen_words=[]",)).data.unseen == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tree", "no"], r"data: unseen_words: 'no' is a keyword, which training must hear"),
        (["unknown"], r"unseen_words: 'unknown' is a class"),
        (["tree", "tree"], r"a word stands twice"),
        (["_x"], r"data.unseen_words.0: found '_x'"),
        ("tree", r"data.unseen_words: found 'tree'"),
    ],
)
def test_lists_that_cannot_be(words, message):
    with pytest.raises(RecipeError, match=message):
        recipe(unseen_words=words)


def words_of(sources):
    return [source.word for source in sources if source.path]


def test_their_clips_are_in_no_split(root):
    unseen = recipe().data.unseen
    for split, each in (("training", 2), ("validation", 1), ("testing", 1), ("all", 4)):
        heard = words_of(list_sources(root, LABELS, split, 0.2, unseen))
        assert heard == ["no"] * each + ["tree"] * each + ["yes"] * each
    assert words_of(list_sources(root, LABELS, "training", 0.2)).count("dog") == 2
    assert words_of(list_sources(root, LABELS, "training", 0.2, ("gone",))).count("dog") == 2


def test_numbers_do_not_tell_what_is_kept_out(root):
    """A corpus without these words gives the same examples as one that has them."""
    kept = list_sources(root, LABELS, "training", 0.2, ("on", "dog"))
    (root / "on").rename(root / "_on")
    (root / "dog").rename(root / "_dog")
    assert list_sources(root, LABELS, "training", 0.2, ("on", "dog")) == kept


@pytest.mark.parametrize(
    ("split", "each"), [("training", 3), ("validation", 3), ("testing", 1), ("all", 4)]
)
def test_they_are_a_set_of_their_own(root, split, each):
    sources = list_unseen(root, LABELS, split, ("on", "off", "dog"))
    assert words_of(sources) == ["dog"] * each + ["on"] * each
    assert [source.label for source in sources] == [2] * each + [0] * each


def test_manifests_have_them_too(root):
    lines = ["path,label,speaker,split,start,duration"]
    for word in ("yes", "no", "tree", "on"):
        lines += [f"{word}/{TRAINING}_nohash_{i}.wav,{word},a,training,," for i in range(2)]
        lines.append(f"{word}/{VALIDATION}_nohash_0.wav,{word},b,validation,,")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    assert "on" not in words_of(list_sources(root, LABELS, "training", 0.2, ("on",)))
    assert words_of(list_unseen(root, LABELS, "validation", ("on",))) == ["on"] * 3


def test_without_an_unknown_class_they_are_there_all_the_same(root):
    assert len(list_unseen(root, ("yes", "no"), "validation", ("on", "dog"))) == 6


def test_training_and_validation_do_not_hear_them(root, tmp_path):
    for split, counts in (("training", [2, 2, 2]), ("validation", [1, 1, 1])):
        examples = load_examples(recipe(), root, split, tmp_path / "cache")
        assert np.bincount(examples.labels)[:3].tolist() == counts
        every = load_examples(recipe(unseen_words=[]), root, split, tmp_path / "cache")
        assert np.bincount(every.labels)[2] == 3 * counts[2]
        assert every.key != examples.key


def test_a_keyword_is_heard_where_the_default_names_it(root, tmp_path):
    on = recipe(["on", "no"])
    examples = load_examples(on, root, "validation", tmp_path)
    assert np.bincount(examples.labels).tolist() == [1, 1, 2, 1]


def test_their_features(root):
    config = FeatureConfig()
    (root / "on" / f"{TRAINING}_nohash_9.wav").write_text("x")
    found = load_unseen(root, LABELS, config, RATE, "validation", ("off", "on"))
    assert found.features.shape == (3, 49, 40)
    assert found.labels.tolist() == [1, 1, 1]
    assert len(found.bad) == 1
    heard = load_split(root, ("on", "unknown"), config, RATE, "validation", 0.0)
    mine = heard.features[heard.labels.tolist().index(0)]
    assert any(np.array_equal(one, mine) for one in found.features)
    none = load_unseen(root, LABELS, config, RATE, "validation", ("gone",))
    assert (none.features.shape, none.labels.shape, none.bad) == ((0, 49, 40), (0,), ())


POSTERIORS = np.array(
    [
        [0.90, 0.05, 0.05, 0.00],  # yes, surely
        [0.60, 0.10, 0.20, 0.10],  # yes, below 0.7
        [0.10, 0.20, 0.65, 0.05],  # unknown
        [0.40, 0.10, 0.05, 0.45],  # silence, but 0.4 of yes
        [0.15, 0.75, 0.05, 0.05],  # no
    ],
    np.float32,
)


def test_answers_at_thresholds():
    assert answers(POSTERIORS, LABELS, None).tolist() == [0, 0, 2, 3, 1]
    assert answers(POSTERIORS, LABELS, 0.7).tolist() == [0, 2, 2, 3, 1]
    assert answers(POSTERIORS, LABELS, 0.75).tolist() == [0, 2, 2, 3, 1]  # reached is enough
    assert answers(POSTERIORS, LABELS, 0.95).tolist() == [2, 2, 2, 3, 2]
    assert answers(POSTERIORS, LABELS, 0.3).tolist() == [0, 0, 2, 0, 1]  # as the decoder decides
    assert answers(POSTERIORS[:, :2], LABELS[:2], 0.7).tolist() == [0, -1, -1, -1, 1]
    given = np.array([0, 1, 2, 3, -1])
    assert is_keyword(given, LABELS).tolist() == [True, True, False, False, False]


def test_keywords_may_have_thresholds_of_their_own():
    """As the decoder decides: of those that reach theirs the best, though another is larger."""
    both = np.float32([[0.5, 0.4, 0.1, 0.0], [0.5, 0.2, 0.3, 0.0]])
    own = np.array([0.6, 0.4, 0.6, 0.6])
    assert answers(both, LABELS, own).tolist() == [1, 2]
    decoder = DecoderConfig(threshold=0.6, keyword_thresholds={LABELS[1]: 0.4})
    truth, none = np.array([1, 2]), np.zeros(0, int)
    found = measure_open_set(both, truth, both[:0], none, LABELS, (), decoder)
    assert (found.maximum.accuracy.count, found.decoder.accuracy.count) == (0, 2)


def test_figures_worked_by_hand():
    truth = np.array([0, 0, 2, 3, 1])
    unseen = POSTERIORS[[0, 1, 2, 4]]
    words = np.array([0, 0, 2, 2])
    found = measure_open_set(
        POSTERIORS, truth, unseen, words, LABELS, ("on", "off", "dog"), DecoderConfig()
    )
    maximum, decoder, chosen = found.points
    assert (maximum.threshold, decoder.threshold) == (None, 0.7)
    assert (maximum.accuracy.count, decoder.accuracy.count) == (5, 4)
    assert (maximum.taken.count, maximum.taken.total) == (3, 4)
    assert (decoder.taken.count, decoder.taken.total) == (2, 4)
    assert [(one.word, one.taken.count, one.taken.total) for one in maximum.words] == [
        ("on", 2, 2),
        ("dog", 1, 2),
    ]
    assert [one.taken.count for one in decoder.words] == [1, 1]
    # Wilson's interval of 2 in 4, by hand: centre 0.5, half width 1.96 / (2 sqrt(4 + 1.96^2))
    half = 1.959964 / (2 * np.sqrt(4 + 1.959964**2))
    assert (decoder.taken.low, decoder.taken.high) == pytest.approx((0.5 - half, 0.5 + half))
    assert chosen.accuracy.count == 5
    json.dumps(asdict(found))


def test_figures_without_words_never_heard():
    found = measure_open_set(
        POSTERIORS,
        np.array([0, 0, 2, 3, 1]),
        POSTERIORS[:0],
        np.zeros(0, int),
        LABELS,
        (),
        DecoderConfig(threshold=0.5),
    )
    assert [point.taken.value for point in found.points] == [None] * 3
    assert [point.words for point in found.points] == [()] * 3
    assert found.decoder.accuracy.count == 5
    table = open_set_table(found)
    assert table.row_count == 1
    assert str(table.title).endswith("no clips of words never heard")


def test_the_chosen_threshold_is_the_highest_that_costs_little():
    rng = np.random.default_rng(0)
    yes = rng.uniform(0.5, 1.0, 1000)
    posteriors = np.stack([yes, 0 * yes, 1 - yes, 0 * yes], axis=1)
    truth = np.zeros(1000, int)
    for cost in (0.0, 0.005, 0.1):
        chosen = choose_threshold(posteriors, truth, LABELS, cost)
        assert 1 - (yes >= chosen).mean() <= cost
        assert 1 - (yes >= chosen + 1 / 256).mean() > cost
    # Clips of unknown words that stand below it are gained: the higher, the better.
    mixed = np.concatenate([posteriors, posteriors * [0.79, 1, 1, 1]])
    truth = np.concatenate([truth, np.full(1000, 2)])
    assert choose_threshold(mixed, truth, LABELS) > 0.7
    # Where each costs more than is allowed, the one that costs least.
    weak = np.full((10, 4), 0.25)
    weak[:, 0] = 0.28
    assert choose_threshold(weak, np.zeros(10, int), LABELS) == 71 / 256


@pytest.fixture(scope="module")
def judged():
    """An untrained stream, its float twin, and clips of noise."""
    weights = untrained((8,))
    rng = np.random.default_rng(0)
    clips = rng.uniform(-60, 20, (6, 49, 40)).astype(np.float32)
    return model_bytes(weights, "stream", int8=False), model_bytes(weights, "stream"), clips


def test_verification_judges_the_deployed_file_in_tflm(judged, monkeypatch):
    monkeypatch.setattr("kws.tflite.verify.DRIFT_MINUTES", 1)
    monkeypatch.setattr("kws.tflite.verify.measure_drift", lambda *_: None)
    float_data, data, clips = judged
    facts = metadata("stream", "explicit").model_copy(update={"unseen_words": ("on", "off")})
    labels, unseen = np.array([0, 1, 2, 3]), (clips[4:], np.array([1, 1]))
    reference = classify_all(Runner(float_data, "litert", "float"), clips[:4])
    found = verify(float_data, data, facts, reference, clips[:4], labels, unseen)
    in_tflm = classify_all(Runner(data, "tflm", "int8"), clips)
    assert found.open_set == measure_open_set(
        in_tflm[:4], labels, in_tflm[4:], unseen[1], LABELS, ("on", "off"), facts.decoder
    )
    figures = found.figures()
    assert figures["unseen_clips"] == 2
    assert figures["unseen_taken"] == found.open_set.maximum.taken.count / 2
    assert figures["unseen_taken_at_threshold"] == found.open_set.decoder.taken.count / 2
    assert figures["threshold_validation_accuracy"] == found.open_set.decoder.accuracy.value
    alone = verify(float_data, data, facts, reference, clips[:4], labels)
    assert alone.open_set.maximum.taken.total == 0
    assert "unseen_clips" not in alone.figures()


def test_evaluate_tells_of_them(root, tmp_path):
    facts = metadata("stream", "explicit").model_copy(update={"unseen_words": ("on", "off", "dog")})
    from kws.tflite.emit_stream import build_stream

    builder = build_stream(untrained((8,)), "explicit", True, "tiny")
    builder.add_metadata(NAME, metadata_json(facts))
    path, report = tmp_path / "model.tflite", tmp_path / "report.json"
    path.write_bytes(builder.finish())
    printed = run_tool("evaluate.py", path, "--data", root, "--json", report).stdout
    values = json.loads(report.read_text())
    assert values["clips"] == 4  # yes, no, tree and silence
    found = values["open_set"]
    assert [word["word"] for word in found["maximum"]["words"]] == ["on", "dog"]
    assert [word["taken"]["total"] for word in found["decoder"]["words"]] == [3, 3]
    assert found["maximum"]["taken"]["total"] == 6
    assert found["decoder"]["threshold"] == 0.7
    runner = Runner(path.read_bytes(), "litert", "model")
    unseen = load_unseen(root, LABELS, facts.features, RATE, "validation", facts.unseen_words)
    taken = is_keyword(classify_all(runner, unseen.features).argmax(axis=1), LABELS)
    assert found["maximum"]["taken"]["count"] == taken.sum()
    assert "all 6 clips" in printed
    assert "on, 3" in printed
    assert "off" not in printed


def test_a_run_has_the_figures_everywhere(tone_run, tone_data, tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(tone_data, data)
    shutil.copytree(tone_run, run)
    for i, path in enumerate(sorted((data / "middle").iterdir())[:9]):
        (data / "on").mkdir(exist_ok=True)
        shutil.copy(path, data / "on" / f"{TRAINING}_nohash_{i}.wav")
    printed = run_tool("convert.py", run, "--data", data).stdout
    assert "all 9 clips" in printed
    entry = json.loads((run / "metrics.json").read_text())["verification"]["model.tflite"]
    found = entry["open_set"]["maximum"]
    assert [word["word"] for word in found["words"]] == ["on"]
    runner = Runner((run / "model.tflite").read_bytes(), "tflm", "model")
    facts = runner.metadata
    assert facts.unseen_words == UNSEEN
    unseen = load_unseen(data, facts.labels, facts.features, RATE, "validation", UNSEEN)
    taken = is_keyword(classify_all(runner, unseen.features).argmax(axis=1), facts.labels)
    assert (found["taken"]["count"], found["taken"]["total"]) == (taken.sum(), 9)
    assert facts.figures["unseen_taken"] == round(float(taken.mean()), 5)


def test_real_words_that_are_kept_out(speech_data):
    data = speech_data / "speech_commands"
    wanted = recipe(["yes", "no", "up", "down", "left", "right", "stop", "go"])
    found = list_unseen(data, wanted.data.labels, "validation", wanted.data.unseen)
    assert {word: words_of(found).count(word) for word in wanted.data.unseen} == {
        "on": 17, "off": 17, "bird": 19, "dog": 19, "nine": 19, "wow": 17,
    }  # fmt: skip
    heard = list_sources(data, wanted.data.labels, "training", 0.1, wanted.data.unseen)
    assert not set(words_of(heard)) & set(UNSEEN)
