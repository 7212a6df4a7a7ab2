"""Serves the web console from static files in this package. Its pages have no inline scripts: the
Content-Security-Policy forbids them."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FILES = {
    entry.name: entry.read_bytes()
    for entry in files("operator_gateway").joinpath("console").iterdir()
    if entry.name.rpartition(".")[2] in TYPES
}


@router.get("/")
async def console() -> Response:
    return _file("index.html")


@router.get("/favicon.ico")
async def favicon() -> Response:
    return _file("mark.svg")


@router.get("/v1/docs")
async def docs() -> Response:
    return _file("docs.html")


@router.get("/console/{name}")
async def asset(name: str) -> Response:
    return _file(name)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404)
    return Response(_FILES[name], 200, media_type=TYPES[name.rpartition(".")[2]])
