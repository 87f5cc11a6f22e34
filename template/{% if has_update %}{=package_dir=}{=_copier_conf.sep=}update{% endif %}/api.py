"""The updates over HTTP: the routes below /system/update, and who may use them.

Everybody who reaches the app may read. What changes something must come from the app's own page: another page in the same browser
could send requests too, and with a host name of its own that leads to this computer it could even read the answers.
"""

import asyncio
import ipaddress
from collections.abc import Collection, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any, NoReturn
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Response, WebSocketException, status
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from .service import RefusedError, UpdateService
from .status import Change, Status
from .store import StoredSettings, StoreError

PREFIX = "/system/update"
CHANGING = {"POST", "PUT"}


class Nothing(BaseModel):
    """An empty object: changing requests are JSON."""


class VersionChoice(BaseModel):
    """A version that is on offer."""

    version: str = Field(max_length=100)


class CheckSettings(BaseModel):
    """Whether the app looks for releases by itself, how often, and for which."""

    enabled: bool
    check_interval_hours: int = Field(ge=1, le=720)
    include_prerelease: bool


class Refusal(BaseModel):
    """Why not."""

    detail: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    status.HTTP_403_FORBIDDEN: {"model": Refusal, "description": "Another page, or a host name that is not known"},
    status.HTTP_500_INTERNAL_SERVER_ERROR: {"model": Refusal, "description": "The data folder cannot be used"},
}
CHANGES: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    status.HTTP_415_UNSUPPORTED_MEDIA_TYPE: {"model": Refusal, "description": "Not application/json"},
}
CONFLICTS: dict[int | str, dict[str, Any]] = {
    **CHANGES,
    status.HTTP_409_CONFLICT: {"model": Refusal, "description": "Not possible now"},
}


def make_router(service: UpdateService, hosts: Collection[str] = ()) -> APIRouter:  # noqa: C901  (a list)
    """The routes to these updates; `hosts` are the names, besides the computer's own, under which people reach the app."""

    def guard(connection: HTTPConnection) -> None:
        check_host(connection, hosts)
        if connection.scope["type"] == "websocket":
            check_origin(connection)
        elif connection.scope["method"] in CHANGING:
            check_origin(connection)
            check_json(connection)

    router = APIRouter(prefix=PREFIX, tags=["update"], dependencies=[Depends(guard)])

    @router.get("/status", responses=REFUSALS)
    async def get_status() -> Status:
        """How things are: the state, the release on offer, and what can be done about it."""
        return service.status()

    @router.post("/check", status_code=status.HTTP_202_ACCEPTED, responses={**CHANGES, 200: {"model": Status}})
    async def check(_body: Nothing, response: Response) -> Status:
        """Look for releases: 202 when it has begun, 200 when one was begun within the last minute."""
        if not service.check():
            response.status_code = status.HTTP_200_OK
        return service.status()

    @router.post("/dismiss", responses=CONFLICTS)
    async def dismiss(body: VersionChoice) -> Status:
        """Tell no more of this version, nor after a restart."""
        with refusing():
            await service.dismiss(body.version)
        return service.status()

    @router.get("/settings", responses=REFUSALS)
    async def get_settings() -> CheckSettings:
        """What people have set."""
        with refusing():
            return CheckSettings.model_validate(await service.settings(), from_attributes=True)

    @router.put("/settings", responses=CHANGES)
    async def put_settings(body: CheckSettings) -> CheckSettings:
        """Set something else."""
        with refusing():
            await service.save_settings(StoredSettings(**body.model_dump()))
        return body

    @router.get("/history", responses=REFUSALS)
    async def get_history() -> list[Change]:
        """The changes of version, the last one first."""
        with refusing():
            return await service.history()

    @router.websocket("/events")
    async def events(socket: WebSocket) -> None:
        await socket.accept()
        sender = asyncio.create_task(send_events(socket, service))
        try:
            # Nobody has anything to say here but that it is over.
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass
        finally:
            sender.cancel()

    return router


@contextmanager
def refusing() -> Iterator[None]:
    """What cannot be done becomes an answer that says why."""
    try:
        yield
    except RefusedError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
    except StoreError as error:
        raise HTTPException(status.HTTP_500_INTERNAL_SERVER_ERROR, str(error)) from error


async def send_events(socket: WebSocket, service: UpdateService) -> None:
    with suppress(WebSocketDisconnect):
        async with aclosing(service.subscribe()) as events:
            async for event in events:
                await socket.send_text(event.model_dump_json())


def check_host(connection: HTTPConnection, hosts: Collection[str]) -> None:
    """Refuse a host name that is not known: it may be another page's, made to lead to this computer (DNS rebinding)."""
    host = connection.headers.get("host", "")
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        name = ""
    if name != "localhost" and name not in hosts and not is_address(name):
        reason = f"The host name {name[:100]!r} is not in the setting update_hosts."
        refuse(connection, status.HTTP_403_FORBIDDEN, reason)


def check_origin(connection: HTTPConnection) -> None:
    """Refuse what another page sends. Browsers say whose it is; what is no browser says nothing, and may."""
    origin = connection.headers.get("origin")
    site = connection.headers.get("sec-fetch-site", "none")
    foreign = origin is not None and host_and_port(origin) != host_and_port(f"//{connection.headers.get('host', '')}")
    if foreign or site not in {"same-origin", "none"}:
        reason = "Only the app's own page may do that. A proxy must hand on the header Host, with the port."
        refuse(connection, status.HTTP_403_FORBIDDEN, reason)


def check_json(connection: HTTPConnection) -> None:
    """Refuse what a form could send."""
    kind = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        refuse(connection, status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "Send application/json.")


def refuse(connection: HTTPConnection, code: int, reason: str) -> NoReturn:
    if connection.scope["type"] == "websocket":
        raise WebSocketException(status.WS_1008_POLICY_VIOLATION, reason)
    raise HTTPException(code, reason)


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_and_port(url: str) -> tuple[str, int | None] | None:
    """Where a URL leads; a port that goes without saying is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.hostname, None if port == {"http": 80, "https": 443}.get(parts.scheme) else port
