"""Recipes: read, refused, overridden, written back."""

from pathlib import Path

import pytest
import yaml

from kws.errors import RecipeError
from kws.recipe import FeatureConfig
from kws.recipe_io import parse_recipe, read_recipe, recipe_schema, recipe_text

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
SMALL = "name: small\ndata:\n  keywords: [yes, no]\nmodel:\n  units: [16]\n"


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_in_the_box_is_read(path):
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.clip_frames == {1000: 49, 1500: 74}[recipe.data.clip_ms]


def test_yes_and_no_are_words(small):
    assert read_recipe(small).data.labels == ("yes", "no", "unknown", "silence")


def test_numbers_may_be_written_as_people_write_them(small):
    small.write_text(SMALL + "features: {log_floor: 1e-6}\ntrain: {learning_rate: .01}\n")
    recipe = read_recipe(small)
    assert recipe.features.log_floor == 1e-6
    assert recipe.train.learning_rate == 0.01


def test_resolved_recipe_reads_back_equal(small, tmp_path):
    recipe = read_recipe(small)
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(recipe_text(recipe))
    assert read_recipe(resolved) == recipe
    assert yaml.safe_load(resolved.read_text())["train"]["epochs"] == recipe.train.epochs


def test_recipes_are_frozen(small):
    with pytest.raises(ValueError, match="frozen"):
        read_recipe(small).seed = 3


def test_set_overrides_nested_keys(small):
    recipe = read_recipe(small, ("train.epochs=2", "model.units=[8, 8]", "seed=7"))
    assert (recipe.train.epochs, recipe.model.units, recipe.seed) == (2, [8, 8], 7)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=2", r"no key 'epoch', did you mean 'epochs'\?"),
        ("trian.epochs=2", r"no key 'trian', did you mean 'train'\?"),
        ("train.epochs=many", r"train.epochs: found 'many', input should be a valid integer"),
        ("train.epochs=2.5", r"train.epochs: found 2.5, input should be a valid integer"),
        ("train.epochs", r"expected KEY=VALUE"),
        ("=3", r"expected KEY=VALUE"),
        ("seed.more=3", r"'seed' is a value, it has no keys below it"),
        ("train.epochs=[", r"not YAML"),
        ("train=3", r"train: found 3"),
    ],
)
def test_set_refuses(small, override, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe(small, (override,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("features: {window_s: 0.03}", r"no key 'features.window_s', did you mean 'window_ms'\?"),
        (
            "features: {hop_ms: '20 ms'}",
            r"features.hop_ms: found '20 ms', input should be a valid num",
        ),
        ("features: {window_ms: 64}", r"1024 samples, more than fft_size 512"),
        ("features: {high_hz: 9000}", r"half of sample_rate_hz 16000 does not hold"),
        ("features: {coefficients: 13}", r"coefficients is for kind: mfcc"),
        ("features: {kind: mfcc, coefficients: 41}", r"coefficients 41 is more than mel_bands 40"),
        ("features: {kind: lpc}", r"features.kind: found 'lpc'"),
        ("features: {log_floor: .inf}", r"features.log_floor: found"),
        ("augment: {snr_db: [20, 0]}", r"snr_db: 20.0 to 0.0 is not a range"),
        (
            "augment: {speed: [0.1, 1]}",
            r"speed: found \(0.1, 1.0\), expected a range within 0.5 to 2",
        ),
        ("augment: {noise_probability: 80}", r"noise_probability: found 80"),
        (
            "train: {epochs: 0}",
            r"train.epochs: found 0, input should be greater than or equal to 1",
        ),
        ("train: {epochs: true}", r"train.epochs: found True"),
        ("train: []", r"train: found a list"),
        ("nmae: x", r"no key 'nmae', did you mean 'name'\?"),
    ],
)
def test_refuses_sections(small, text, message):
    small.write_text(SMALL + text + "\n")
    with pytest.raises(RecipeError, match=message):
        read_recipe(small)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"found nothing"),
        ("- a\n- b\n", r"found a list"),
        ("name: [", r"not YAML in line"),
        ("name: small\nmodel: {units: [8]}\n", r"'data' is missing"),
        (SMALL.replace("[yes, no]", "[yes, yes]"), r"a keyword stands twice"),
        (SMALL.replace("[yes, no]", "[yes, silence]"), r"'silence' is a class of its own"),
        (SMALL.replace("[yes, no]", "[_noise]"), r"data.keywords.0"),
        (SMALL.replace("[yes, no]", "[]"), r"data.keywords"),
        (SMALL.replace("[16]", "[16, 16, 16, 16]"), r"model.units"),
        (SMALL.replace("name: small", "name: ../small"), r"name: found '../small'"),
        (SMALL.replace("  units", "\tunits"), r"not YAML in line"),
        (
            SMALL + "decoder: {keyword_thresholds: {yse: 0.5}}\n",
            r"keyword_thresholds: 'yse' is no keyword, did you mean 'yes'\?",
        ),
    ],
)
def test_refuses_whole_recipes(small, text, message):
    small.write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_recipe(small)


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(RecipeError, match=r"nowhere.yaml: no such recipe"):
        read_recipe(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(RecipeError, match=r"binary.yaml: cannot be read as a recipe"):
        read_recipe(tmp_path / "binary.yaml")


def test_several_mistakes_are_counted(small):
    small.write_text(SMALL + "train: {epochs: 0, batch_size: 0}\n")
    with pytest.raises(RecipeError, match=r"and 1 more such mistakes"):
        read_recipe(small)


def test_json_schema_in_the_box_is_current():
    path = ROOT / "recipes" / "recipe.schema.json"
    assert path.read_text() == recipe_schema(), "run `make schema`"


def test_clip_too_short_for_frames(small):
    with pytest.raises(RecipeError, match=r"data.clip_ms 100.0 holds .* at least two are needed"):
        read_recipe(small, ("data.clip_ms=100", "features.fft_size=2048", "features.hop_ms=100"))


@pytest.mark.parametrize("change", ["bidirectional=true", "pooling=mean", "pooling=attention"])
def test_a_window_has_no_state_to_carry(small, change):
    change = f"model.{change}"
    assert read_recipe(small, (change, "train.carried_state_share=0")).model.window_only
    message = r"train.carried_state_share 0.1 is for streams.* every window afresh: set it to 0"
    with pytest.raises(RecipeError, match=message):
        read_recipe(small, (change,))
    assert not read_recipe(small).model.window_only


def test_states_that_no_product_sees_cannot_be_dropped(small):
    read_recipe(small, ("model.cell=mingru", "train.dropout=0.1"))
    with pytest.raises(RecipeError, match=r"recurrent_dropout 0.2 hides .* of a mingru see none"):
        read_recipe(small, ("model.cell=mingru", "train.recurrent_dropout=0.2"))


def test_counts_of_frames_and_values():
    config = FeatureConfig()
    assert (config.window_samples, config.hop_samples, config.size) == (512, 320, 40)
    assert [config.frames(n) for n in (0, 511, 512, 831, 832, 16000)] == [0, 0, 1, 1, 2, 49]
    assert config.frames_per_second == 50.0
    assert FeatureConfig(kind="mfcc").size == 13


def test_plain_values_are_parsed_without_a_file():
    with pytest.raises(RecipeError, match=r"here: 'data' is missing"):
        parse_recipe({"name": "x", "model": {"units": [4]}}, "here")
