"""Swagger UI at /swagger-ui/, from the files that the package swagger-ui-bundle ships; nothing is loaded from afar.

A browser cannot show a token by itself, so the page asks for one and sends it along. Without the package the page
still lists the documents.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".png": "image/png"}
_FILES = frozenset(
    (
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "favicon-16x16.png",
        "favicon-32x32.png",
    )
)

_PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>k8sdiag lab: API</title>
<link rel="stylesheet" href="swagger-ui.css">
<link rel="icon" href="favicon-32x32.png">
</head>
<body>
<form id="who" style="padding: 1em; font-family: sans-serif">
<label>Token (<code>kubectl create token default</code>, or the one in the lab's kubeconfig):
<input id="token" type="password" size="40" autocomplete="off"></label>
<button>Load</button>
</form>
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="swagger-ui-standalone-preset.js"></script>
<script>
document.getElementById("who").addEventListener("submit", async event => {
  event.preventDefault();
  const token = document.getElementById("token").value.trim();
  const headers = token ? {Authorization: "Bearer " + token} : {};
  const index = await (await fetch("/openapi/v3", {headers})).json();
  const urls = Object.entries(index.paths || {}).map(([name, at]) => ({name, url: at.serverRelativeURL}));
  urls.push({name: "everything (OpenAPI v2)", url: "/openapi/v2"});
  SwaggerUIBundle({
    urls, "urls.primaryName": "api/v1", dom_id: "#swagger-ui", layout: "StandaloneLayout", validatorUrl: null,
    docExpansion: "none", presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    requestInterceptor: request => { Object.assign(request.headers, headers); return request; },
  });
});
</script>
</body>
</html>
"""

_PLAIN_PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>k8sdiag lab: API</title></head>
<body>
<p>Swagger UI is not installed here: <code>pip install swagger-ui-bundle</code> brings it. The documents are
<a href="/openapi/v2">/openapi/v2</a> and <a href="/openapi/v3">/openapi/v3</a>
(<code>kubectl get --raw /openapi/v2</code>).</p>
</body>
</html>
"""


@cache
def _folder() -> Path | None:
    """Where the package keeps Swagger UI's files; None where it is not installed. Nothing of it is imported."""
    spec = find_spec("swagger_ui_bundle")
    if spec is None or not spec.origin:
        return None
    found = sorted((Path(spec.origin).parent / "vendor").glob("swagger-ui-*/swagger-ui-bundle.js"))
    return found[-1].parent if found else None


def find(name: str) -> tuple[bytes, str] | None:
    """A file's content and type; None for a name that is none. '' is the page."""
    folder = _folder()
    if name in ("", "index.html"):
        return (_PAGE if folder is not None else _PLAIN_PAGE), "text/html; charset=utf-8"
    if folder is None or name not in _FILES:
        return None
    path = folder / name
    return (path.read_bytes(), _TYPES[path.suffix]) if path.exists() else None
