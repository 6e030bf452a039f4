"""The built application: its files, and its first page for every address that is one of its own.

Without a build the API works all the same, and the page says how to make one.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

INDEX = "index.html"
_IMMUTABLE = "public, max-age=31536000, immutable"
"""For files with a hash of their content in their name."""
_ASK_EACH_TIME = "no-cache"
_MISSING = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Operator console: not built</title>
<h1>The console is not built</h1>
<p>The gateway runs and its API answers, but the pages are not there yet. From a checkout, build them once with:</p>
<pre>make web</pre>
<p>That needs Node 20.19 or newer, or installs one of its own into the virtual environment. An installed wheel has the
pages in it. Reload this page afterwards; the gateway need not be restarted.</p>
<p>What works without them: <a href="/api/daemons">/api/daemons</a>, <a href="/api/state">/api/state</a>,
<a href="/metrics">/metrics</a>, <a href="/api/openapi.json">/api/openapi.json</a>.</p>
</html>
"""


def add_pages(app: FastAPI, directory: Path) -> None:
    """Serve the application from ``directory``, below all other routes."""
    app.mount("/", GZipMiddleware(_Pages(directory), minimum_size=1_024))


class _Pages(StaticFiles):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._index = directory / INDEX

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file; else, for who wants a page, the first page, in which the application finds its own way."""
        if scope["method"] in ("GET", "HEAD") and _wants_page(path, scope):
            if not self._index.is_file():
                return HTMLResponse(_MISSING, 503)
            path = INDEX
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _IMMUTABLE if path.startswith("assets/") else _ASK_EACH_TIME
        return response

    async def check_config(self) -> None:
        """There may be no directory yet: then there are no files."""


def _wants_page(path: str, scope: Scope) -> bool:
    if path in (".", INDEX):
        return True
    if path.split("/", 1)[0] in ("api", "assets"):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")
