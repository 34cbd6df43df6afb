"""A Docker engine: found as the docker command finds it, asked in threads, every call bounded.

The SDK blocks, so its calls run in threads of their own: two dozen containers that start would take all of the loop's
default threads, which the run's files need.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import docker
import docker.errors
import requests.exceptions

from harness.base import wait
from harness.base.errors import ClusterError

CALL_TIMEOUT_S = 60.0
PATIENT_TIMEOUT_S = 900.0  # a large image on a slow disk
FIRST_ANSWER_TIMEOUT_S = 5.0
PARALLEL_CALLS = 12
KEPT_CONNECTIONS = 64
SETTLE_TIMEOUT_S = CALL_TIMEOUT_S + 5
HOW_TO_GET_ONE = (
    "start one (`apt-get install docker.io`, then `dockerd`; or Docker Desktop), or name one that runs (DOCKER_HOST, "
    "or `docker context use`)"
)
_NOT_FOUND, _CONFLICT = 404, 409


class Refused(ClusterError):
    """The engine answered with an error. `status` is HTTP's."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status

    @property
    def gone(self) -> bool:
        """What was asked for is not there."""
        return self.status == _NOT_FOUND

    @property
    def unfitting(self) -> bool:
        """It is there, and not in a state for this: not running, on its way out, its name taken."""
        return self.status == _CONFLICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an engine says of itself."""

    version: str
    memory_bytes: int
    now_s: float  # its own wall clock
    here: bool  # it shares this machine's kernel


class Engine:
    """One pool of connections and threads. `api` is the SDK's APIClient, `patient` another one for what takes minutes;
    `where` the engine's address."""

    def __init__(self, api: Any, *, where: str = "", patient: Any = None) -> None:
        self.api = api
        self.patient = patient or api
        self.where = where
        self._threads = ThreadPoolExecutor(PARALLEL_CALLS, thread_name_prefix="docker")
        self._under_way: set[asyncio.Future[Any]] = set()

    @property
    def local(self) -> bool:
        """Reached through a socket of this machine (which may lead into a virtual one, as Docker Desktop's does)."""
        return self.where.startswith(("unix:", "npipe:"))

    async def call(self, what: str, function: Callable[..., Any], *words: Any, **more: Any) -> Any:
        """`function` of the SDK in a thread; `what` completes the sentence "the Docker engine cannot …".

        A call that nobody waits for any more goes on: see `settled`. Raises Refused, ClusterError.
        """

        def work() -> Any:
            with errors_told(what, self.where):
                return function(*words, **more)

        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._under_way.add(future)
        future.add_done_callback(self._ended)
        return await asyncio.shield(future)

    async def settled(self) -> None:
        """Until no call is under way, not even one whose caller was cancelled: what it makes is there then."""
        while self._under_way:
            ends = asyncio.wait(set(self._under_way))
            await wait.finish("the calls to the Docker engine end", ends, timeout_s=SETTLE_TIMEOUT_S)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.api.close()
        self.patient.close()

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._under_way.discard(future)
        if not future.cancelled():
            future.exception()  # looked at, also when its caller was cancelled

    # ------------------------------------------------------------ what several parts need

    async def facts(self) -> Facts:
        said = await self.call("describe itself", self.api.info)
        return Facts(
            version=str(said.get("ServerVersion", "")),
            memory_bytes=int(said.get("MemTotal", 0)),
            now_s=_seconds(str(said.get("SystemTime", ""))),
            here=self.local and said.get("KernelVersion") == os.uname().release,
        )

    async def exec(
        self, container: str, argv: Sequence[str], *, user: str, env: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """What a program printed that ran beside a container's own. Raises ClusterError, also when it failed."""
        status, output = await self.status_of(container, argv, user=user, env=env)
        if status != 0:
            raise ClusterError(f"{argv[0]} in a container ended with exit status {status}: {output.strip()}")
        return output

    async def status_of(
        self, container: str, argv: Sequence[str], *, user: str, env: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[int, str]:
        """As `exec`, and failing is an answer like another. What it complained of is told where it failed only: a
        warning may come in the middle of what it printed (nft's of tables that iptables manages)."""

        def work() -> tuple[int, str]:
            made = self.api.exec_create(container, list(argv), user=user, environment=dict(env))
            printed, complained = (text or b"" for text in self.api.exec_start(made["Id"], demux=True))
            status = int(self.api.exec_inspect(made["Id"])["ExitCode"])
            return status, (printed + complained if status else printed).decode(errors="replace")

        status, output = await self.call(f"run {argv[0]} in a container", work)
        return status, output

    async def remove_container(self, container: str) -> bool:
        """Kill and remove it. False: it was gone, or is being removed by somebody else."""
        try:
            await self.call("remove a container", self.api.remove_container, container, force=True)
        except Refused as refused:
            if refused.gone or refused.unfitting:
                return False
            raise
        return True


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[Engine]:
    """The engine of DOCKER_HOST or of the current context. Raises ClusterError with what to type."""
    where = await asyncio.to_thread(address)
    api, patient = await asyncio.to_thread(_connect, where)
    engine = Engine(api, where=where, patient=patient)
    try:
        yield engine
    finally:
        engine.close()


async def refusal() -> str:
    """Why no engine can be used; "" when one answers."""
    try:
        async with connected():
            return ""
    except ClusterError as error:
        return str(error)


def address() -> str:
    """Where the docker command would look: DOCKER_HOST, else the current context's. Raises ClusterError."""
    named = os.environ.get("DOCKER_HOST", "")
    if named:
        return named
    name = os.environ.get("DOCKER_CONTEXT")
    try:
        context = docker.ContextAPI.get_context(name)
    except (docker.errors.DockerException, OSError, ValueError) as error:
        raise ClusterError(f"the configuration of the docker command cannot be read: {error}") from None
    if context is None:
        raise ClusterError(
            f"there is no docker context {name or 'of the current name'}; `docker context ls` lists them"
        )
    return str(context.Host)


def _connect(where: str) -> tuple[Any, Any]:
    try:
        _knock(where)
        api = docker.from_env(timeout=FIRST_ANSWER_TIMEOUT_S, max_pool_size=KEPT_CONNECTIONS).api
        patient = docker.from_env(timeout=PATIENT_TIMEOUT_S, version=api.api_version).api
        api.ping()
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError) as error:
        raise ClusterError(f"no Docker engine answers at {where} ({_why(error)}): {HOW_TO_GET_ONE}") from None
    api.timeout = CALL_TIMEOUT_S
    return api, patient


def _knock(where: str) -> None:
    """Raises OSError for a socket that nobody listens at: the SDK would leave its own half of it open."""
    scheme, _, path = where.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(FIRST_ANSWER_TIMEOUT_S)
            knocking.connect(path)


def tell(loop: asyncio.AbstractEventLoop, what: Callable[..., object], *words: object) -> None:
    """From a thread: call something in the loop."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
        loop.call_soon_threadsafe(what, *words)


@contextlib.contextmanager
def errors_told(what: str, where: str) -> Iterator[None]:
    """The SDK's errors as ours."""
    try:
        yield
    except docker.errors.APIError as error:
        said = str(error.explanation or error)
        raise Refused(f"the Docker engine cannot {what}: {said}", error.status_code or 0) from None
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise ClusterError(f"the Docker engine at {where} does not answer ({what}): {_why(error)}") from None


def _why(error: BaseException) -> str:
    """The innermost reason of the errors that the SDK wraps in each other."""
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such socket"
    if isinstance(error, PermissionError):
        return "this user may not open its socket"
    return "nobody listens there" if "Connection refused" in text else text


def _seconds(text: str) -> float:
    """Of an engine's time stamp, e.g. 2026-11-21T08:26:57.529476741Z."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
