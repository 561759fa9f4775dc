"""The preview page, from real and bad recipes, through the program that people run."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from conftest import refused, run_tool
from matplotlib.image import imread

from kws.audio.io import write
from kws.data.examples import list_sources, make_features
from kws.data.variants import training_making
from kws.errors import DataError
from kws.recipe_io import read_recipe
from kws.report.preview_page import make_preview, write_preview

ON = """
name: tones
data: {keywords: [low, high]}
augment:
  copies: 3
  equalizer_probability: 1
  codec_probability: 1
  codecs: [telephone]
  room_probability: 1
  babble_probability: 1
model: {units: [4]}
"""


class Page(HTMLParser):
    """Text, elements and data URIs; elements must be closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.data: dict[str, list[bytes]] = {"audio": [], "img": []}
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img"):
            self.open.append(tag)
        values = dict(attributes)
        if "src" in values:
            kind, data = values["src"].split(";base64,")
            assert kind == {"audio": "data:audio/wav", "img": "data:image/png"}[tag]
            self.data[tag].append(base64.b64decode(data))
        assert not {"href", "srcset", "xlink:href"} & values.keys()

    def handle_startendtag(self, tag, _):
        assert tag == "path"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "on.yaml"
    path.write_text(ON)
    return path


@pytest.fixture(scope="module")
def page(recipe_file, tone_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "new" / "p.html"
    said = run_tool(
        "prepare_data.py", "preview", recipe_file, "--data", tone_data, "--clips", "1", "--out", out
    ).stdout
    assert f"{out}: 4 clips of 4 labels in 12 augmented copies, " in said
    return Page(out.read_text(encoding="utf-8"))


def test_the_page_has_sound_and_picture_of_each_copy(page):
    sounds = [soundfile.read(io.BytesIO(data)) for data in page.data["audio"]]
    assert len(sounds) == 3 * 4 + 3  # made silence has no clean sound
    assert {(len(audio), rate) for audio, rate in sounds} == {(16000, 16000)}
    assert {soundfile.info(io.BytesIO(data)).subtype for data in page.data["audio"]} == {"PCM_16"}
    pictures = [imread(io.BytesIO(data)) for data in page.data["img"]]
    assert {picture.shape[:2] for picture in pictures} == {(40, 49)}
    assert len(pictures) == len(sounds)


def test_the_page_says_what_was_drawn(page):
    for label in ("low", "high", "unknown", "silence"):
        assert label in page.words
    assert page.text.count("codec telephone") == 12
    assert page.text.count("RT60") == 9
    assert len(re.findall(r"babble [3-8] voices, SNR \d+\.\d dB", page.text)) == 9
    assert page.text.count("silence made from noise") == 3
    assert "codecs telephone" in page.text
    assert "room_rt60_s 0.2 to 0.6" in page.text
    assert "40 mel bands from 60 Hz" in page.text


def test_what_is_shown_is_what_training_learns_from(recipe_file, tone_data):
    recipe = read_recipe(recipe_file, ("augment.time_masks=0", "augment.band_masks=0"))
    sources = list_sources(tone_data, recipe.data.labels, "training", recipe.data.silence_share)
    making = training_making(recipe, tone_data, sources)
    examples, bad = make_preview(recipe, tone_data, 1)
    assert bad == []
    for example in examples:
        names = [
            "made silence " + str(s.number)
            if s.path is None
            else str(s.path.relative_to(tone_data))
            for s in sources
        ]
        features, _, _ = make_features([sources[names.index(example.name)]], making)
        shown = np.stack([sound.features for sound in example.sounds if sound.log])
        assert shown == pytest.approx(features[:, 0], abs=1e-4)


def test_the_same_recipe_gives_the_same_page(recipe_file, tone_data, tmp_path):
    recipe = read_recipe(recipe_file)
    for name in ("a", "b"):
        examples, _ = make_preview(recipe, tone_data, 1)
        write_preview(tmp_path / name, recipe, examples)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_mfcc_and_names_that_look_like_html(tmp_path):
    for speaker in range(12):
        for word in ("<b>", "other"):
            clip = np.random.default_rng(speaker).normal(0, 0.1, 16000)
            write(tmp_path / word / f"{speaker:03d}_nohash_0.wav", clip, 16000)
    path = tmp_path / "r.yaml"
    path.write_text(
        "name: html\ndata: {keywords: ['<b>']}\nfeatures: {kind: mfcc}\nmodel: {units: [4]}\n"
        "augment: {mixup_alpha: 0.2, time_masks: 0, band_masks: 0}\n"
    )
    recipe = read_recipe(path)
    examples, _ = make_preview(recipe, tmp_path, 2)
    assert [example.label for example in examples] == ["<b>"] * 2 + ["unknown"] * 2 + [
        "silence"
    ] * 2
    write_preview(tmp_path / "p.html", recipe, examples)
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "<b>" in page.words
    assert "<b>" not in text
    assert "13 MFCC a frame" in page.text
    assert "Mixup, which lays clips of a batch over each other, is not shown." in page.text
    assert "SpecAugment" not in page.text


def test_clips_that_cannot_be_read_are_named(tmp_path, recipe_file):
    for word in ("low", "high", "other"):
        for speaker in range(12):
            write(tmp_path / word / f"{speaker:03d}_nohash_0.wav", np.full(16000, 0.1), 16000)
    for path in (tmp_path / "low").iterdir():
        path.write_bytes(b"")
    recipe = read_recipe(recipe_file, ("augment.copies=1", "augment.babble_probability=0"))
    examples, bad = make_preview(recipe, tmp_path, 1)
    assert "low" not in [example.label for example in examples]
    assert bad
    assert all("low" in message and "an empty file" in message for message in bad)


def test_mistakes_are_told_in_a_line(recipe_file, tone_data, tmp_path):
    preview = ("prepare_data.py", "preview", recipe_file)
    assert "names no data.folder" in refused(*preview)
    result = run_tool(*preview, "--clips", "0", status=2)
    assert "found '0', expected a number from 1 to 100" in result.stderr
    with pytest.raises(DataError, match="no such data folder"):
        make_preview(read_recipe(recipe_file), tmp_path / "gone", 1)
    gone = read_recipe(recipe_file, (f"augment.noise_folder={tmp_path / 'gone'}",))
    with pytest.raises(DataError, match=r"augment.noise_folder: .*gone: no such folder"):
        make_preview(gone, tone_data, 1)
