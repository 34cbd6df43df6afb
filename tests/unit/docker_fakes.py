"""A Docker engine in memory: the calls of the SDK's APIClient that the backend makes, and nothing behind them."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import docker.errors
import docker.types

API_VERSION = "1.41"
_END = object()


class Stream:
    """What the SDK's CancellableStream does: an iterator that another thread can end."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()

    def put(self, item: Any) -> None:
        self._queue.put(item)

    def close(self) -> None:
        self._queue.put(_END)

    def __iter__(self) -> Iterator[Any]:
        while (item := self._queue.get(timeout=30)) is not _END:
            if isinstance(item, Exception):
                raise item
            yield item


@dataclass
class Container:
    """`state`: created, running or exited."""

    id: str
    asked: dict[str, Any]
    state: str = "created"
    status: int = 0
    output: list[bytes] = field(default_factory=list)
    readers: list[Stream] = field(default_factory=list)
    frozen: bool = False
    out_of_memory: bool = False
    stamped: list[bytes] = field(default_factory=list)  # what the engine has of it, with stamps of a test's own

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.asked.get("labels") or {})


@dataclass
class Program:
    """One that was started beside a container's own."""

    container: str
    argv: list[str]
    env: dict[str, str]
    workdir: str
    runs: bool = False


def refused(status: int, text: str) -> docker.errors.APIError:
    return docker.errors.APIError(text, response=Mock(status_code=status), explanation=text)


class FakeApi:
    """One engine. `calls` are the names of what was asked, in order."""

    def __init__(self) -> None:
        self.containers_by_id: dict[str, Container] = {}
        self.networks_by_id: dict[str, dict[str, Any]] = {}
        self.volumes_by_name: dict[str, dict[str, Any]] = {}
        self.images: set[str] = set()
        self.execs: list[tuple[str, list[str], str]] = []
        self.programs: dict[str, Program] = {}
        self.exec_answer: tuple[int, bytes] = (0, b"")
        self.exec_complaint = b""  # on its standard error
        self.signals: list[tuple[str, int]] = []
        self.users: list[str] = []  # names of others' containers that use all networks and volumes
        self.listeners: list[Stream] = []
        self.asked_since: list[str] = []  # by those who listen
        self.calls: list[str] = []
        self.fails: dict[str, list[Exception]] = {}  # method → what its next calls raise
        self.held: dict[str, threading.Event] = {}  # method → what its calls wait for
        self._ids = itertools.count(1)
        self._exec_ids: dict[str, int] = {}
        self._lock = threading.RLock()

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name.startswith("_") or not callable(value) or name in _OF_THE_TEST:
            return value

        def counted(*words: Any, **more: Any) -> Any:
            self.calls.append(name)
            if name in self.held:
                self.held[name].wait(timeout=30)
            if self.fails.get(name):
                raise self.fails[name].pop(0)
            return value(*words, **more)

        return counted

    # ------------------------------------------------------------ for the tests

    def node(self, name: str, label: str = "vtchaos.node") -> Container:
        return next(each for each in self.containers_by_id.values() if each.labels.get(label) == name)

    def say(self, container: Container, text: bytes) -> None:
        with self._lock:
            for reader in container.readers:
                reader.put(_stamped(len(container.output), text))
            container.output.append(text)

    def end(self, container: Container, status: int) -> None:
        with self._lock:
            container.state, container.status = "exited", status
            for reader in container.readers:
                reader.close()
        self.event(container, "die", exitCode=str(status))

    def program_ends(self, key: str, status: int) -> None:
        program = self.programs[key]
        program.runs = False
        self.event(self.containers_by_id[program.container], "exec_die", execID=key, exitCode=str(status))

    def event(self, container: Container, action: str, **attributes: str) -> None:
        for listener in self.listeners:
            listener.put({"Action": action, "Actor": {"ID": container.id, "Attributes": attributes}})

    # ------------------------------------------------------------ the engine

    def info(self) -> dict[str, Any]:
        now = "2026-11-21T08:26:57.529476741Z"
        return {"ServerVersion": "20.10", "MemTotal": 16 << 30, "SystemTime": now, "KernelVersion": "none"}

    def create_network(self, name: str, **asked: Any) -> dict[str, str]:
        subnet = asked["ipam"]["Config"][0]["Subnet"]
        if any(subnet == row["asked"]["ipam"]["Config"][0]["Subnet"] for row in self.networks_by_id.values()):
            raise refused(403, "Pool overlaps with other one on this address space")
        key = f"net{next(self._ids)}"
        self.networks_by_id[key] = {"Id": key, "Name": name, "Labels": asked["labels"], "asked": asked}
        return {"Id": key}

    def networks(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        return [row for row in self.networks_by_id.values() if _has(row["Labels"], filters["label"])]

    def remove_network(self, key: str) -> None:
        if key not in self.networks_by_id:
            raise refused(404, "network not found")
        del self.networks_by_id[key]

    def create_host_config(self, **more: Any) -> Any:
        return docker.types.HostConfig(version=API_VERSION, **more)

    def create_endpoint_config(self, **more: Any) -> Any:
        return docker.types.EndpointConfig(API_VERSION, **more)

    def create_networking_config(self, of: Any) -> Any:
        return docker.types.NetworkingConfig(of)

    def create_container(self, **asked: Any) -> dict[str, str]:
        with self._lock:
            if any(each.asked["name"] == asked.get("name") for each in self.containers_by_id.values()):
                raise refused(409, f"Conflict. The container name {asked['name']} is already in use")
            container = Container(id=f"c{next(self._ids)}", asked={"name": "", **asked})
            self.containers_by_id[container.id] = container
            for mount in asked["host_config"].get("Mounts") or ():
                labels = mount["VolumeOptions"]["Labels"]
                self.volumes_by_name.setdefault(mount["Source"], {"Name": mount["Source"], "Labels": labels})
        return {"Id": container.id}

    def start(self, container: str) -> None:
        found = self._of(container)
        found.state = "running" if found.state == "created" else found.state

    def kill(self, container: str, signal: int) -> None:
        found = self._of(container)
        if found.state != "running":
            raise refused(409, f"Container {container} is not running")
        self.signals.append((container, int(signal)))
        self.event(found, "kill", signal=str(int(signal)))
        if signal == 9:
            self.end(found, 137)

    def pause(self, container: str) -> None:
        self._of(container).frozen = True
        self.event(self._of(container), "pause")

    def unpause(self, container: str) -> None:
        found = self._of(container)
        if not found.frozen:
            raise refused(500, f"Container {container} is not paused")
        found.frozen = False

    def remove_container(self, container: str, force: bool = False) -> None:
        with self._lock:
            found = self._of(container)
            if found.state == "running":
                assert force
                self.event(found, "kill", signal="9")
                self.end(found, 137)
            del self.containers_by_id[container]

    def containers(self, all: bool, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        assert all
        if "label" not in filters:  # who uses a network or a volume
            return [{"Id": name, "Names": [f"/{name}"]} for name in self.users]
        return [
            {"Id": each.id, "Names": [f"/{each.asked['name']}"], "Labels": each.labels, "State": each.state}
            for each in self.containers_by_id.values()
            if _has(each.labels, filters["label"])
        ]

    def inspect_container(self, container: str) -> dict[str, Any]:
        ports = self._of(container).asked.get("ports") or ()
        rows = {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port + 10000)}] for port in ports}
        execs = [key for key, each in self.programs.items() if each.container == container]
        found = self._of(container)
        state = {"OOMKilled": found.out_of_memory, "Status": found.state, "Running": found.state == "running"}
        state["ExitCode"] = found.status
        return {"NetworkSettings": {"Ports": rows}, "ExecIDs": execs or None, "State": state}

    def volumes(self, filters: Mapping[str, str]) -> dict[str, Any]:
        return {
            "Volumes": [row for row in self.volumes_by_name.values() if _has(row["Labels"], filters["label"])] or None
        }

    def remove_volume(self, name: str) -> None:
        del self.volumes_by_name[name]

    def exec_create(
        self, container: str, argv: list[str], user: str, environment: Mapping[str, str], workdir: str = ""
    ) -> dict[str, str]:
        self._of(container)
        key = f"exec{next(self._ids)}"
        self.execs.append((container, argv, user))
        self.programs[key] = Program(container=container, argv=argv, env=dict(environment), workdir=workdir)
        return {"Id": key}

    def exec_start(
        self, key: str, detach: bool = False, demux: bool = False
    ) -> bytes | tuple[bytes | None, bytes | None]:
        program = self.programs[key]
        program.runs = detach
        if program.argv[-2:-1] and program.argv[-1].startswith("\036"):  # it speaks on the container's output
            self.say(self.containers_by_id[program.container], program.argv[-1].encode() + b"\n")
        printed = self.exec_answer[1]
        return (printed or None, self.exec_complaint or None) if demux else printed

    def exec_inspect(self, key: str) -> dict[str, Any]:
        program = self.programs[key]
        return {
            "ExitCode": self.exec_answer[0],
            "Running": program.runs,
            "ProcessConfig": {"entrypoint": program.argv[0], "arguments": program.argv[1:]},
        }

    def logs(
        self,
        container: str,
        stream: bool = False,
        follow: bool = False,
        timestamps: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        since: float = 0,
    ) -> Any:
        """`since` is for `stamped` only: for the rest the reader must not rely on it."""
        found = self._of(container)
        if not stream:
            return b"".join(found.output)
        assert timestamps
        reader = Stream()
        with self._lock:
            for entry in found.stamped:
                if float(entry[17:29]) >= round(since % 60, 3):  # the second of the minute
                    reader.put(entry)
            for index, piece in enumerate(found.output):
                reader.put(_stamped(index, piece))
            if follow and found.state == "running":
                found.readers.append(reader)
            else:
                reader.close()
        return reader

    def events(self, since: str, filters: Mapping[str, Any], decode: bool) -> Stream:
        listener = Stream()
        self.asked_since.append(since)
        self.listeners.append(listener)
        return listener

    def wait(self, container: str, timeout: float) -> dict[str, int]:
        self._of(container).state = "exited"
        return {"StatusCode": self.exec_answer[0]}

    def inspect_image(self, reference: str) -> dict[str, str]:
        if reference not in self.images:
            raise refused(404, f"No such image: {reference}")
        return {"Id": reference}

    def pull(self, reference: str, stream: bool, decode: bool) -> Iterator[Mapping[str, Any]]:
        self.images.add(reference)
        yield {"status": "Downloading", "id": "a", "progressDetail": {"current": 2_000_000, "total": 5_000_000}}
        yield {"status": "Pull complete", "id": "a"}

    def load_image(self, data: Any) -> Iterator[Mapping[str, Any]]:
        read = b"".join(data)
        yield {"error": "no such thing"} if read == b"broken" else {"stream": f"Loaded {len(read)}"}

    def close(self) -> None:
        return

    def _of(self, container: str) -> Container:
        try:
            return self.containers_by_id[container]
        except KeyError:
            raise refused(404, f"No such container: {container}") from None


_OF_THE_TEST = ("node", "say", "end", "event", "program_ends")


def _stamped(index: int, piece: bytes) -> bytes:
    return b"2026-11-21T08:26:57.%09dZ %s" % (index + 1, piece)


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equal, value = wanted.partition("=")
    return key in labels and (not equal or labels[key] == value)
