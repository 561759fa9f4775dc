"""The whole path with no data given: python tools/quickstart.py (or: make quickstart)"""

import argparse
from pathlib import Path

from cli import run

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "quickstart.yaml"


def main() -> None:
    """Speak a corpus, train, convert, verify, report, and spot the words in a spoken passage."""
    parser = argparse.ArgumentParser(
        description="Speak a small corpus, train a streaming GRU on it, convert it to int8, prove "
        "it in LiteRT and in TFLM, and spot its keywords in a passage it has never heard."
    )
    parser.add_argument(
        "--recipe", type=Path, default=RECIPE, help="default: recipes/quickstart.yaml"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where to write (default: runs)"
    )
    arguments = parser.parse_args()

    from rich.console import Console

    from kws.recipe_io import read_recipe

    console = Console()
    recipe = read_recipe(arguments.recipe)
    corpus, out = arguments.runs / f"{recipe.name}_corpus", arguments.runs / recipe.name

    console.rule("1/5 a corpus, spoken by espeak-ng")
    from kws.data.synthetic import make_corpus

    spoken = make_corpus(recipe.data, recipe.features.sample_rate_hz, corpus, recipe.seed)
    print(f"{corpus}: {'spoken now' if spoken else 'kept from before'}")

    console.rule("2/5 training")
    from kws.nn.train_recipe import train_recipe

    resume = (out / "recipe.yaml").is_file()
    _, history, bad = train_recipe(recipe, corpus, out, resume)
    for message in bad:
        print(f"left out: {message}")
    print(f"validation accuracy {history[-1].validation_accuracy:.2%} after {len(history)} epochs")

    console.rule("3/5 int8 conversion, proven in LiteRT and in TFLM")
    from kws.report.html import report_run
    from kws.report.tables import print_verification
    from kws.run import RunFolder
    from kws.tflite.convert_run import convert_run

    folder = RunFolder(out)
    metadata, verification, _ = convert_run(
        folder, recipe, corpus, "stream", "explicit", folder.tflite
    )
    print_verification(metadata, verification)
    report_run(folder, folder.tflite, corpus)

    console.rule("4/5 a spoken passage, never heard before")
    passage = arguments.runs / f"{recipe.name}_passage.wav"
    spot_passage(recipe, passage, folder.tflite)

    console.rule("5/5 what lies where")
    print(
        f"corpus   {corpus}\nrun      {out}\nmodel    {folder.tflite} (self-describing int8)\n"
        f"report   {folder.report}\npassage  {passage} (with its labels beside it)\n\n"
        "Next (after `. .venv/bin/activate`):\n"
        f"  python tools/mic_demo.py {folder.tflite}              say a word to it\n"
        f"  python tools/mic_demo.py {folder.tflite} --wav {passage}\n"
        f"  python tools/export_firmware.py {folder.tflite} --out firmware\n"
        "  python tools/train.py recipes/speech_commands_8/gru_stream.yaml --data DIR   real speech"
    )


def spot_passage(recipe, path: Path, model: Path) -> None:
    """Speak the passage to ``path``, spot it from the file, print the timeline."""
    from kws.audio.annotation import write_words
    from kws.audio.io import write
    from kws.data.passage import make_passage
    from kws.report.timeline import print_timeline
    from kws.spotting.spotter import spot_file
    from kws.tflite.interpreter import open_model

    audio, words = make_passage(recipe.data, recipe.features.sample_rate_hz, recipe.seed)
    write(path, audio, recipe.features.sample_rate_hz)
    write_words(path.with_suffix(".txt"), words)
    seconds = len(audio) / recipe.features.sample_rate_hz
    print_timeline(spot_file(path, open_model(model)), words, recipe.data.keywords, seconds)


if __name__ == "__main__":
    run(main)
