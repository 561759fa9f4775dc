"""Recipes as files: read from YAML, changed from the command line, written back resolved."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from kws.errors import RecipeError
from kws.files import write_text
from kws.recipe import Recipe, nearest


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain values: `yes`, `no`, `on`, `off` are words, and `1e-7` is a number."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith((":bool", ":float"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?$"),
    list("-+.0123456789"),
)


def read_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe and apply ``section.key=value`` overrides.

    Raises
    ------
    RecipeError
        When the file is missing, is not YAML, has unknown keys, or values of the wrong type or
        out of range; the message names the key and what would be right.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such recipe; recipes lie in recipes/") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as a recipe ({error})") from error
    values = _parse_yaml(text, str(path))
    if not isinstance(values, dict):
        raise RecipeError(
            f"{path}: a recipe is a list of `key: value` lines, found {kind_of(values)}"
        )
    for override in overrides:
        _apply(values, override)
    return parse_recipe(values, str(path))


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Check plain values and give the recipe; ``where`` begins the error message."""
    try:
        return Recipe.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error)}") from error
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{where}: {error}") from error


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe, every value spelled out, as YAML."""
    write_text(path, recipe_text(recipe))


def with_negatives(recipe: Recipe, folders: Sequence[Path]) -> Recipe:
    """The recipe with more folders in ``data.negatives``; a RecipeError where it can have none."""
    values = json.loads(recipe.model_dump_json())
    values["data"]["negatives"] += [str(folder) for folder in folders]
    return parse_recipe(values, recipe.name)


def recipe_text(recipe: Recipe) -> str:
    """The resolved recipe as YAML; reading it gives an equal recipe."""
    values = json.loads(recipe.model_dump_json())
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def recipe_schema() -> str:
    """JSON Schema of recipes, by which editors complete and check them."""
    return json.dumps(Recipe.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _parse_yaml(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: builds no objects
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise RecipeError(f"{where}: not YAML{place}: {problem}") from error


def _apply(values: dict[str, Any], override: str) -> None:
    """Set one dotted key, as ``train.epochs=2``; the key must be a known one."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override}: expected KEY=VALUE, such as train.epochs=2")
    *sections, last = key.split(".")
    model: type[BaseModel] = Recipe
    for name in sections:
        _require_known(name, model, override)
        inner = _section_of(model, name)
        if inner is None:
            raise RecipeError(f"--set {override}: {name!r} is a value, it has no keys below it")
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {override}: the recipe's {name!r} is {kind_of(values)}")
        model = inner
    _require_known(last, model, override)
    values[last] = _parse_yaml(text, f"--set {override}")


def _require_known(name: str, model: type[BaseModel], override: str) -> None:
    if name not in model.model_fields:
        raise RecipeError(
            f"--set {override}: no key {name!r}{nearest(name, list(model.model_fields))}"
        )


def _section_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    annotation = model.model_fields[name].annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _explain(error: ValidationError) -> str:
    """The first complaint of pydantic as one sentence with the dotted key."""
    first, more = error.errors()[0], error.error_count() - 1
    path = first["loc"]
    key = ".".join(str(part) for part in path) or "the recipe"
    if first["type"] == "extra_forbidden":
        model: type[BaseModel] = Recipe
        for part in path[:-1]:
            model = _section_of(model, str(part)) or model
        message = f"no key {key!r}{nearest(str(path[-1]), list(model.model_fields))}"
    elif first["type"] == "missing":
        message = f"{key!r} is missing"
    elif first["type"] == "value_error":
        message = f"{key}: {first['msg'].removeprefix('Value error, ')}"
    else:
        found = first["input"]
        shown = kind_of(found) if isinstance(found, (dict, list)) else repr(found)
        message = f"{key}: found {shown}, {first['msg'][0].lower()}{first['msg'][1:]}"
    return message + (f"; and {more} more such mistakes" if more else "")


def kind_of(value: Any) -> str:
    """A value's kind in a user's words."""
    names = {dict: "a section", list: "a list", str: "a text", type(None): "nothing"}
    return names.get(type(value), f"the value {value!r}")
