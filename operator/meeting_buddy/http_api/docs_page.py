"""``GET /docs``: the OpenAPI document as a page to read. Made once, plain HTML: it loads nothing and runs nothing."""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI, Response

from meeting_buddy.http_api.problems import MEDIA_TYPE

PATH: Final = "/docs"
_Object = Mapping[str, Any]
_STYLE: Final = Path(__file__).with_name("docs_page.css").read_text()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_HOST: Final = "https://HOST"
_SHOWN_BODY: Final = "documented"
_FLAGS: Final = {"text/event-stream": "-N", "application/octet-stream": "-f -O"}
"""What curl needs to be told for an answer's media type; ``-f``: a problem is not saved as the file."""


def serve(app: FastAPI) -> None:
    """Add the page to an application whose document it shows; it needs no token."""
    page = cache(lambda: render(app.openapi()))

    @app.get(PATH, include_in_schema=False, operation_id="docs")
    async def docs() -> Response:
        return Response(page(), media_type="text/html", headers=_HEADERS)


def render(document: _Object) -> str:
    """The page."""
    info, found = document["info"], list(_operations(document))
    title = f"{escape(info['title'])} HTTP API"
    contents = [*((_anchor(each), each["summary"]) for _, _, each in found), *_LAST_SECTIONS]
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="color-scheme" content="light dark"><title>{title}</title><style>{_STYLE}</style></head>\n',
            f'<body><a class="skip" href="#main">Skip to the content</a>\n<header><h1>{title}</h1>',
            f"<p>{escape(info.get('summary', ''))}</p>",
            f'<p class="quiet">Version {escape(info["version"])} · <a href="openapi.json">openapi.json</a>, ',
            f"OpenAPI {escape(document['openapi'])}</p></header>\n",
            '<nav aria-label="Contents"><ul>',
            *(f'<li><a href="#{escape(anchor)}">{escape(text)}</a></li>' for anchor, text in contents),
            '</ul></nav>\n<main id="main">',
            f'<section aria-labelledby="token"><h2 id="token">Your token</h2>{_words(info.get("description", ""))}',
            "<p>Send it with each call: <code>Authorization: Bearer $ACCESS_TOKEN</code>. ",
            f"The commands below name this server <code>{_HOST}</code>.</p></section>\n",
            *(_operation(document, method, path, each) for method, path, each in found),
            _models(document),
            _problem_types(document),
            "</main></body></html>\n",
        )
    )


_LAST_SECTIONS: Final = (("objects", "Objects"), ("problems", "Problems"))


def _operations(document: _Object) -> Iterator[tuple[str, str, _Object]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _anchor(operation: _Object) -> str:
    return str(operation["operationId"])


def _operation(document: _Object, method: str, path: str, operation: _Object) -> str:
    anchor = escape(_anchor(operation))
    bodies = operation.get("requestBody", {}).get("content", {})
    parts = [
        f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{escape(operation["summary"])}</h2>',
        f'<p class="call"><strong>{method}</strong> <code>{_breakable(path)}</code></p>',
        _words(operation.get("description", "")),
        _code(curl(method, path, operation)),
    ]
    if operation.get("parameters"):
        rows = ((each["name"], _about_parameter(document, each)) for each in operation["parameters"])
        parts += ["<h3>Parameters</h3>", _list(rows)]
    for media in bodies.values():
        parts += ["<h3>Body</h3>", _list(_fields(document, media["schema"]))]
        for each in media.get("examples", {}).values():
            parts.append(_folded(each["summary"], _json(each["value"])))
    parts.append("<h3>Answers</h3>")
    parts.append(_list(_answers(document, operation)))
    parts += [
        _folded(f"Example of {code}", media["example"] if kind.startswith("text/") else _json(media["example"]))
        for code, answer in operation["responses"].items()
        for kind, media in answer.get("content", {}).items()
        if "example" in media
    ]
    return "".join((*parts, "</section>\n"))


def curl(method: str, path: str, operation: _Object) -> str:
    """The operation as a command line that works once host, token and id are yours."""
    parameters = operation.get("parameters", ())
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(each.get("example", each["name"].upper())))
    query = urlencode(
        {each["name"]: each.get("example", "") for each in parameters if each.get("required") and each["in"] == "query"}
    )
    kinds = {kind for each in operation["responses"].values() for kind in each.get("content", ())}
    flag = next((flag for kind, flag in _FLAGS.items() if kind in kinds), "")
    words = [each for each in ("curl", flag, "" if method == "GET" else f"-X {method}") if each]
    lines = [f"{' '.join(words)} {shlex.quote(_HOST + path + (f'?{query}' if query else ''))}"]
    lines.append('-H "Authorization: Bearer $ACCESS_TOKEN"')
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        example = media["examples"][_SHOWN_BODY]["value"]
        lines += [f'-H "Content-Type: {kind}"', f"-d {shlex.quote(json.dumps(example))}"]
    return " \\\n  ".join(lines)


def _answers(document: _Object, operation: _Object) -> Iterator[tuple[str, str]]:
    for code, answer in operation["responses"].items():
        text = [_inline(answer["description"])]
        for kind, media in answer.get("content", {}).items():
            if kind == MEDIA_TYPE:
                text.append(" ".join(_problem_link(each) for each in media.get("examples", ())))
            else:
                text.append(f"{_type(document, media.get('schema', {}))} as <code>{escape(kind)}</code>")
        if answer.get("headers"):
            text.append("Headers: " + ", ".join(f"<code>{escape(each)}</code>" for each in answer["headers"]))
        yield code, "<br>".join(text)


def _about_parameter(document: _Object, parameter: _Object) -> str:
    where = {"query": "in the query", "path": "in the path", "header": "header"}[parameter["in"]]
    return _about(
        document, parameter["schema"], parameter.get("description", ""), bool(parameter.get("required")), where
    )


def _fields(document: _Object, schema: _Object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each field of an object, those of objects inside it behind it."""
    model = _resolved(document, schema)
    for name, field in model.get("properties", {}).items():
        yield prefix + name, _about(document, field, field.get("description", ""), name in model.get("required", ()))
        for each in (field, *field.get("anyOf", ()), field.get("items", {})):
            inside = _resolved(document, each)
            if inside is not each or "properties" in inside:
                yield from _fields(document, inside, f"{prefix}{name}.")


def _about(document: _Object, schema: _Object, description: str, required: bool, where: str = "") -> str:
    facts = [where, _type(document, schema), "required" if required else "", *_rules(schema)]
    return f'{_inline(description)} <span class="quiet">{" · ".join(each for each in facts if each)}</span>'


def _rules(schema: _Object) -> Iterator[str]:
    for each in (schema, *schema.get("anyOf", ())):
        if "minimum" in each and "maximum" in each:
            yield f"{each['minimum']:g} to {each['maximum']:g}"
        if "maxLength" in each:
            yield f"at most {each['maxLength']} characters"
        if "maxItems" in each:
            yield f"at most {each['maxItems']}"
    if schema.get("default") is not None:
        yield f"default <code>{escape(json.dumps(schema['default'], ensure_ascii=False))}</code>"


def _type(document: _Object, schema: _Object) -> str:
    if "$ref" in schema:
        return f"<code>{escape(schema['$ref'].rpartition('/')[2])}</code>"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(document, each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(document, schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type", "")))


def _resolved(document: _Object, schema: _Object) -> _Object:
    if "$ref" not in schema:
        return schema
    found: _Object = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _models(document: _Object) -> str:
    """What answers consist of; requests stand with their operations."""
    parts = ['<section aria-labelledby="objects"><h2 id="objects">Objects</h2>']
    for name, model in document["components"]["schemas"].items():
        if not name.endswith("Request"):
            parts += [f"<h3>{escape(name)}</h3>", _words(model.get("description", "")), _list(_fields(document, model))]
    return "".join((*parts, "</section>\n"))


def _problem_types(document: _Object) -> str:
    found: dict[str, str] = {}
    for _, _, operation in _operations(document):
        for answer in operation["responses"].values():
            for kind, example in answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}).items():
                found[kind] = f"{example['value']['status']}. {escape(example['summary'])}."
    rows = "".join(
        f'<dt id="problem-{escape(kind)}"><code>{escape(kind)}</code></dt><dd>{text}</dd>'
        for kind, text in sorted(found.items(), key=lambda each: each[1])
    )
    return (
        '<section aria-labelledby="problems"><h2 id="problems">Problems</h2><p>Every answer that is no success is an '
        f"<code>{MEDIA_TYPE}</code>. Its <code>type</code> is <code>urn:meeting-buddy:problem:</code> and one of these "
        "words; more may come. Two are of connections, not of calls, and have the type <code>about:blank</code>: 431, "
        f"the head is too large, and 503, there are too many connections.</p><dl>{rows}</dl></section>\n"
    )


def _problem_link(kind: str) -> str:
    return f'<a href="#problem-{escape(kind)}"><code>{escape(kind)}</code></a>'


def _list(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt><code>{_breakable(name)}</code></dt><dd>{text}</dd>" for name, text in rows) + "</dl>"


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{_code(text)}</details>"


def _code(text: str) -> str:
    return f"<pre><code>{escape(text)}</code></pre>"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _words(text: str) -> str:
    return f"<p>{_inline(text.strip())}</p>" if text.strip() else ""


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _breakable(name: str) -> str:
    """A long name may go on in the next line at its joints."""
    return re.sub(r"([/_.])", r"\1<wbr>", escape(name))
