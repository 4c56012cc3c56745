# SPDX-License-Identifier: Apache-2.0
"""The one Jinja environment: a template sees the fields of one view, and nothing else."""

from dataclasses import fields
from functools import cache
from typing import Any

import jinja2

from flexcc.resources import TEMPLATES

__all__ = ["render"]


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, view: Any) -> str:
    """The file that `template`, a path within templates/, makes of the dataclass `view`."""
    context = {field.name: getattr(view, field.name) for field in fields(view)}
    return _environment().get_template(template).render(context)
