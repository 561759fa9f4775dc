"""Made unknown words: their sound, what they are made of, and that they are no keywords."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kws.audio import io
from kws.audio.noise import loud_power
from kws.audio.splice import (
    FADE_MS,
    MOST_ENERGY,
    PART,
    cut_word,
    join_words,
    reverse_word,
    word_span,
)
from kws.data.blends import find_blends
from kws.data.cache import load_examples
from kws.data.examples import list_sources, more_sources
from kws.data.made_words import leaves_keyword, made_sources, spells_keyword
from kws.data.variants import training_making, variants
from kws.errors import DataError, RecipeError
from kws.recipe_io import parse_recipe

RATE = 16000
TRAINING, VALIDATION = "0132a06d", "026290a7"


def clip(hz, start=5000, length=6400, level=0.3, noise=1e-3, seed=0):
    """A second of faint noise with a tone of 0.4 s in it; ``hz`` may change half way."""
    audio = np.random.default_rng(seed).normal(0, noise, RATE)
    for part, one in enumerate(np.atleast_1d(hz)):
        size = length // np.size(hz)
        place = start + part * size
        audio[place : place + size] += level * np.sin(2 * np.pi * one * np.arange(size) / RATE)
    return audio.astype(np.float32)


def level(audio, hz, start=0, end=None):
    """Amplitude of a tone in a stretch of sound."""
    part = audio[start:end]
    wave = np.exp(-2j * np.pi * hz * np.arange(len(part)) / RATE)
    return 2 * abs(np.mean(part * wave))


def loud_frames(audio):
    """Which frames of 10 ms stand far out of the noise."""
    return np.sqrt(np.mean(audio.reshape(-1, 160) ** 2, axis=1)) > 0.02


@pytest.mark.parametrize("start", [1600, 5000, 8800])
def test_span_is_where_the_word_is(start):
    found = word_span(clip(500, start), RATE)
    assert found == pytest.approx((start, start + 6400), abs=320)


def test_span_of_what_has_no_word():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    start, end = word_span(noise, RATE)
    assert (start, end) == pytest.approx((800, 15200), abs=400)  # nine tenths of the energy
    assert word_span(np.zeros(RATE, np.float32), RATE) == (4000, 12000)
    click = np.zeros(RATE, np.float32)
    click[700] = 1.0
    assert word_span(click, RATE) == (700, 701)


def test_joined_word_begins_as_one_and_ends_as_the_other():
    first, second = clip([400, 600], level=0.3), clip([1500, 2500], level=0.05, seed=1)
    made = join_words(first, second, np.random.default_rng(3), RATE)
    assert (made.shape, made.dtype) == ((RATE,), np.float32)
    loud = np.flatnonzero(loud_frames(made)) * 160
    assert loud[0] == pytest.approx(5000, abs=320)
    assert np.diff(loud).max() == 160  # no gap between the two
    length = loud[-1] + 160 - loud[0]
    assert 0.65 * 6400 < length < 1.35 * 6400
    begin = loud[0], loud[0] + 1600
    end = loud[-1] - 1600, loud[-1]
    assert level(made, 400, *begin) == pytest.approx(0.3, rel=0.2)
    assert level(made, 2500, *end) == pytest.approx(0.3, rel=0.2)  # brought to the first's level
    assert level(made, 1500, *begin) < 0.01
    assert level(made, 400, *end) < 0.01


def test_joint_is_at_the_quietest_place_near():
    first, second = clip(400), clip(2500, start=9000, seed=1)  # late: nothing is cut off before
    closures = range(5000, 11400, 960)
    for place in closures:
        first[place : place + 320] = 0.0  # 20 ms in every 60 ms
    joints = set()
    for seed in range(6):
        made = join_words(first, second, np.random.default_rng(seed), RATE)
        joint = int(np.flatnonzero(made != first)[0]) + round(FADE_MS * 16)
        assert (joint - 5000) % 960 <= 320
        joints.add(joint)
    assert len(joints) > 1


def test_join_is_smooth_and_fades_at_equal_power():
    rng = np.random.default_rng(0)
    first, second = (rng.normal(0, 0.1, RATE).astype(np.float32) for _ in range(2))
    made = join_words(first, second, rng, RATE)
    frames = np.sqrt(np.mean(made[: RATE // 80 * 80].reshape(-1, 80) ** 2, axis=1))
    assert frames.min() > 0.07
    assert frames.max() < 0.14


@pytest.mark.parametrize("starts", [(0, 9600), (9600, 0), (9600, 9600), (0, 0)])
def test_joined_word_is_whole_wherever_the_two_stood(starts):
    first, second = clip(400, starts[0]), clip(2500, starts[1], seed=1)
    made = join_words(first, second, np.random.default_rng(1), RATE)
    assert len(made) == RATE
    assert level(made, 400) * RATE > 0.3 * 0.25 * 6400
    assert level(made, 2500) * RATE > 0.3 * 0.25 * 6400


def test_too_different_levels_are_not_forced():
    made = join_words(
        clip(400), clip(2500, level=0.003, noise=1e-5), np.random.default_rng(0), RATE
    )
    assert level(made, 2500, 9000, 10000) < 0.003 * 10 ** (15 / 20) * 1.1
    silent = join_words(clip(400), np.zeros(RATE, np.float32), np.random.default_rng(0), RATE)
    assert np.isfinite(silent).all()


@pytest.mark.parametrize("keep", ["first", "last"])
def test_cut_word_keeps_a_part_where_it_was(keep):
    audio = clip(500)
    for seed in range(5):
        made = cut_word(audio, keep, np.random.default_rng(seed), RATE)
        assert len(made) == RATE
        loud = np.flatnonzero(loud_frames(made)) * 160
        length = loud[-1] + 160 - loud[0]
        assert PART[0] * 6400 - 320 <= length <= PART[1] * 6400 + 480
        edge, expected = (loud[0], 5000) if keep == "first" else (loud[-1] + 160, 11400)
        assert edge == pytest.approx(expected, abs=320)
        quiet = np.sqrt(np.mean(made[-1600:] ** 2)), np.sqrt(np.mean(made[:1600] ** 2))
        assert quiet == pytest.approx((1e-3, 1e-3), rel=0.3)  # background, and no digital silence


def test_cut_word_keeps_no_more_than_its_share_of_energy():
    audio = clip([500, 500, 500, 500])
    audio[5000 + 1000 : 11400] *= 0.05  # nearly all of it is in the first sixth
    made = cut_word(audio, "first", np.random.default_rng(0), RATE)
    kept = float(np.sum(made.astype(np.float64) ** 2) / np.sum(audio.astype(np.float64) ** 2))
    assert kept < MOST_ENERGY + 0.1


def test_reversed():
    audio = clip(500)
    assert np.array_equal(reverse_word(audio)[::-1], audio)
    assert loud_power(reverse_word(audio), RATE) == pytest.approx(loud_power(audio, RATE), rel=0.05)


@pytest.mark.parametrize(
    ("first", "second", "keywords", "expected"),
    [
        ("go", "no", ["go"], True),  # g + o
        ("stop", "up", ["stop"], True),  # sto + p
        ("nine", "no", ["no"], True),  # n + o
        ("Go", "ZERO", ["go"], True),
        ("upset", "cat", ["up"], True),  # its first half may be the keyword
        ("cat", "setup", ["up"], True),
        ("up", "cat", ["up"], False),  # half of the keyword is not
        ("cat", "up", ["up"], False),
        ("right", "stop", ["right", "stop"], False),
        ("house", "down", ["yes", "no"], False),
        ("ab", "cd", ["ad"], True),
        ("ab", "cd", ["da"], False),
    ],
)
def test_two_halves_may_spell_a_keyword(first, second, keywords, expected):
    assert spells_keyword(first, second, keywords) is expected


@pytest.mark.parametrize(
    ("how", "word", "keywords", "expected"),
    [
        ("reversed", "wow", ["wow"], True),
        ("reversed", "on", ["on", "No"], True),
        ("reversed", "stop", ["stop", "go"], False),
        ("first", "turn_left", ["turn_left", "turn"], True),
        ("first", "turn_left", ["turn_left", "left"], False),
        ("last", "turn_left", ["turn_left", "left"], True),
        ("last", "up", ["up"], False),
    ],
)
def test_a_part_may_be_a_keyword(how, word, keywords, expected):
    assert leaves_keyword(how, word, keywords) is expected


def recipe(share=0.5, copies=2, **data):
    keywords = data.pop("keywords", ["yes", "no"])
    values = {
        "name": "made",
        "data": {"keywords": keywords, "silence_share": 0.2, "made_unknown_share": share, **data},
        "augment": {"copies": copies, "babble_probability": 0.5},
        "model": {"units": [4]},
    }
    return parse_recipe(values, "test")


@pytest.fixture
def root(tmp_path):
    """Eight training clips of each of two keywords and two other words; one for validation."""
    folder = tmp_path / "data"
    for hz, word in ((300, "yes"), (600, "no"), (1200, "tree"), (2400, "cat")):
        for i in range(8):
            io.write(folder / word / f"{TRAINING}_nohash_{i}.wav", clip(hz, seed=i), RATE)
        io.write(folder / word / f"{VALIDATION}_nohash_0.wav", clip(hz), RATE)
    return folder


def sources_of(wanted, root):
    sources = list_sources(root, wanted.data.labels, "training", 0.2, wanted.data.unseen)
    return sources, more_sources(wanted, sources)


def test_made_words_are_of_training_clips_and_no_keyword_by_their_letters(root):
    wanted = recipe(share=1.0, copies=20)
    sources, more = sources_of(wanted, root)
    assert len(more) == 64  # as many as there are clips, silence is none; and as many keywords
    more = more[:32]
    assert {source.label for source in more} == {wanted.data.labels.index("unknown")}
    made = [one for source in more for one in source.made]
    assert len(made) == 32 * 20
    listed = {source.piece for source in sources if source.path}
    assert {piece for one in made for piece in one.pieces} <= listed
    shares = Counter(one.how for one in made)
    assert (shares["blended"] + shares["turned"]) / len(made) == pytest.approx(0.7, abs=0.07)
    assert shares["joined"] / len(made) == pytest.approx(0.12, abs=0.05)
    assert all(shares[how] / len(made) > 0.03 for how in ("first", "last", "reversed"))
    words = [(one.how, tuple(piece[0].parent.name for piece in one.pieces)) for one in made]
    # tree + yes would not be heard as yes, but may be spelled so: nothing of "e" and "es"
    assert {pair for how, pair in words if how == "joined"} == {
        (a, b)
        for a in ("yes", "no", "tree", "cat")
        for b in ("yes", "no", "tree", "cat")
        if a != b and not spells_keyword(a, b, ["yes", "no"])
    }
    blends = find_blends(["yes", "no", "tree", "cat"], ["yes", "no"], "en-us")
    possible = {
        ("turned" if blend.turned else "blended", (onset, blend.vowels, coda))
        for blend in blends
        for onset in blend.onsets or (blend.vowels,)
        for coda in blend.codas or (blend.vowels,)
    }
    drawn = {(how, pair) for how, pair in words if how in ("blended", "turned")}
    assert drawn <= possible
    assert len(drawn) > 0.8 * len(possible)
    words = {pair for _, pair in words}
    alone = {pair[0] for pair in words if len(pair) == 1}
    assert alone == {"yes", "no"}


def test_as_many_keywords_are_joined_of_two_takes(root):
    """So that a joint does not tell that a word is unknown."""
    more = sources_of(recipe(share=0.5, copies=6), root)[1][16:]
    assert [source.label for source in more] == [0, 1] * 8
    for source in more:
        word = ("yes", "no")[source.label]
        assert {one.how for one in source.made} == {"blended", "rejoined"}
        pieces = [piece for one in source.made for piece in one.pieces]
        assert {piece[0].parent.name for piece in pieces} == {word}
        assert len(set(pieces)) > 2  # other takes for other copies
    numbers = [source.number for source in sources_of(recipe(share=0.5), root)[1]]
    assert numbers == list(range(32))


def test_two_takes_of_a_word_are_joined_at_one_place():
    """Each changes from low to high half way, and so do they joined; drawn apart they do not."""
    takes = [clip((400, 1600), seed=seed) for seed in range(2)]

    def low(**how):
        """Samples of the low tone, of 3200, counted in stretches of 400 that are full of it."""
        for seed in range(20):
            joined = join_words(*takes, np.random.default_rng(seed), RATE, **how)
            full = [level(joined, 400, at, at + 400) > 0.2 for at in range(0, RATE, 400)]
            yield 400 * sum(full)

    assert all(2400 <= found <= 3200 for found in low(same=True))
    assert max(low()) >= 3600


def test_keywords_that_allow_nothing_leave_other_words_backwards(root):
    one = recipe(keywords=["no"], share=1.0)
    found = made_sources([s for s in sources_of(one, root)[0] if s.path], one, 30)
    assert {made.how for s in found for made in s.made} >= {
        "blended",
        "first",
        "joined",
        "last",
        "reversed",
    }
    # "oo" backwards is itself, and any word that ends in o may end it
    (root / "no").rename(root / "oo")
    stuck = recipe(keywords=["oo"], share=1.0)
    made = [m for s in sources_of(stuck, root)[1] for m in s.made if m.how == "reversed"]
    assert made
    assert {m.pieces[0][0].parent.name for m in made} <= {"yes", "tree", "cat"}


def test_switching_it_on_leaves_the_rest_as_it_was(root, tmp_path):
    off, on = recipe(share=0.0), recipe(share=0.5)
    plain = load_examples(off, root, "training", tmp_path / "cache")
    more = load_examples(on, root, "training", tmp_path / "cache")
    assert plain.key != more.key
    clips = 32 + 8  # of words, and of silence
    assert plain.features.shape[0] == 2 * clips
    assert more.features.shape[0] == 2 * (clips + 32)
    for copy in range(2):
        before = plain.features[copy * clips : (copy + 1) * clips]
        start = copy * (clips + 32)
        assert np.array_equal(more.features[start : start + clips], before)
    expected = [on.data.labels.index("unknown")] * 16 + [0, 1] * 8
    assert (more.labels.reshape(2, -1)[:, clips:] == expected).all()
    validation = [
        load_examples(one, root, "validation", tmp_path / "cache").key for one in (off, on)
    ]
    assert validation[0] == validation[1]


def test_copies_differ_and_depend_on_the_seed_alone(root):
    wanted = recipe()
    sources, more = sources_of(wanted, root)
    making = training_making(wanted, root, sources)
    logs = []
    first = variants(more[3], making, logs)
    assert not np.array_equal(first[0], first[1])
    assert all(np.array_equal(a, b) for a, b in zip(first, variants(more[3], making), strict=True))
    for made, log in zip(more[3].made, logs, strict=True):
        assert log[0][0] == made.how
        assert all(piece[0].name in log[0][1] for piece in made.pieces)
    assert sources_of(wanted, root)[1] == more
    other = recipe()
    reseeded = other.model_copy(update={"seed": 2})
    assert sources_of(reseeded, root)[1] != more


def test_an_unreadable_clip_is_told_once_though_words_are_made_of_it(root, tmp_path):
    (root / "cat" / f"{TRAINING}_nohash_0.wav").write_bytes(b"RIFF")
    wanted = recipe(share=1.0, copies=2, max_bad_fraction=0.05)
    examples = load_examples(wanted, root, "training", tmp_path / "cache")
    assert len(examples.bad) == 1
    made = examples.labels.reshape(2, -1)[0].tolist().count(2) - 15
    assert 0 < made < 32  # those with the bad clip in them are left out


def extra_recipe(folder, **data):
    return recipe(share=0.0, extra=[str(folder)], **data)


def test_another_folder_adds_to_training_alone(root, tmp_path):
    extra = tmp_path / "extra"
    for word in ("yes", "yep", "YEAH", "unknown", "off", "silence"):
        io.write(extra / word / f"{VALIDATION}_nohash_0.wav", clip(900), RATE)
    wanted = extra_recipe(extra)
    _, more = sources_of(wanted, root)
    assert [source.path.parent.name for source in more] == ["YEAH", "unknown", "yep", "yes"]
    assert [source.label for source in more] == [2, 2, 2, 0]  # and no off
    assert [source.number for source in more] == [32, 33, 34, 35]
    plain = load_examples(recipe(share=0.0), root, "training", tmp_path / "cache")
    found = load_examples(wanted, root, "training", tmp_path / "cache")
    assert np.array_equal(found.features[:40], plain.features[:40])
    assert len(found.labels) == len(plain.labels) + 2 * 4
    both = recipe(share=0.5, extra=[str(extra)])
    assert sources_of(both, root)[1][4:] == sources_of(recipe(share=0.5), root)[1]
    known = extra_recipe(extra, unknown=False)
    assert [source.label for source in sources_of(known, root)[1]] == [0]


def test_several_folders_add_up(root, tmp_path):
    for name, word in (("a", "yep"), ("b", "No")):
        io.write(tmp_path / name / word / "0.wav", clip(900), RATE)
    two = recipe(share=0.0, extra=[str(tmp_path / "a"), str(tmp_path / "b")])
    more = sources_of(two, root)[1]
    assert [(source.label, source.number) for source in more] == [(2, 32), (1, 33)]


def test_another_folder_may_have_a_manifest(root, tmp_path):
    extra = tmp_path / "extra"
    io.write(extra / "a.wav", clip(900), RATE)
    (extra / "manifest.csv").write_text(
        "path,label,speaker,split,start,duration\na.wav,unknown,,testing,,\n"
        "a.wav,no,,testing,0.1,0.5\n"
    )
    _, more = sources_of(extra_recipe(extra), root)
    assert [(source.label, source.start_s) for source in more] == [(2, 0.0), (1, 0.1)]
    assert {source.path for source in more} == {extra / "a.wav"}
    _, more = sources_of(extra_recipe(extra / "manifest.csv"), root)
    assert len(more) == 2


def test_a_folder_that_adds_nothing_is_refused(root, tmp_path):
    io.write(tmp_path / "only" / "off" / "a.wav", clip(900), RATE)
    with pytest.raises(DataError, match=r"data.extra: .*only: holds off alone"):
        sources_of(extra_recipe(tmp_path / "only"), root)
    io.write(tmp_path / "other" / "yep" / "a.wav", clip(900), RATE)
    with pytest.raises(DataError, match=r"data.extra: .*other: holds yep alone, of which"):
        sources_of(extra_recipe(tmp_path / "other", unknown=False), root)
    with pytest.raises(DataError, match=r"data.extra: .*gone: cannot be listed"):
        sources_of(extra_recipe(tmp_path / "gone"), root)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"share": 0.2, "unknown": False}, r"made_unknown_share is for the class unknown"),
        ({"share": 1.5}, r"made_unknown_share: found 1.5"),
        ({"share": 0.0, "extra": [""]}, r"data.extra"),
        ({"share": 0.0, "extra": "folder"}, r"data.extra"),
    ],
)
def test_recipes_that_cannot_be(data, message):
    with pytest.raises(RecipeError, match=message):
        recipe(**data)


def test_real_words(speech_data):
    """Spans of recorded words are as long as words are, and parts of them are shorter."""
    rng = np.random.default_rng(0)
    folder: Path = speech_data / "speech_commands"
    lengths, parts = [], []
    for word in ("stop", "right", "down", "yes"):
        for path in sorted((folder / word).iterdir())[:15]:
            audio = io.fit(io.read(path, RATE), RATE)
            spans = [word_span(one, RATE) for one in (audio, cut_word(audio, "first", rng, RATE))]
            lengths.append(spans[0][1] - spans[0][0])
            parts.append(spans[1][1] - spans[1][0])
    assert 0.25 < np.median(lengths) / RATE < 0.6
    assert 0.2 < np.median(np.divide(parts, lengths)) < 0.7
