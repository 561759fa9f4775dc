"""What all pages share: their templates, and how numbers and sound stand in them."""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_environment(autoescape: bool = True) -> Environment:
    """Jinja's, with the templates of this package; a name that is missing is an error."""
    environment = Environment(
        loader=PackageLoader("kws.report"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = lambda value: f"{value:,}"
    return environment


def data_uri(data: bytes, kind: str) -> str:
    """A file inside a page; ``kind`` is its MIME type, such as ``audio/wav``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
