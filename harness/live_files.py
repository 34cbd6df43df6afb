"""What the load and the streams share while a run goes on, opened for the live view once it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.load.live import NAME as LIVE_NAME
from harness.load.live import LiveFile
from harness.load.stream_live import NAME as STREAMS_LIVE_NAME
from harness.load.stream_live import LiveFile as StreamsLiveFile
from harness.load.streams import StreamsHandle
from harness.reports.live_state import StreamStates
from harness.streams import StreamLane, StreamStatus


def lane_counters(folder: RunDir) -> Any:
    """Opens the load's live counters once they are there; mapped until the process ends."""
    opened: list[LiveFile] = []

    def read() -> Any:
        if not opened:
            if not (folder.path / LIVE_NAME).is_file() or (folder.path / LIVE_NAME).stat().st_size == 0:
                return None
            opened.append(LiveFile(folder.path / LIVE_NAME))
        return opened[0].lanes()

    return read


def stream_states(folder: RunDir) -> StreamStates:
    """Opens the streams' live states once they are there; mapped until the process ends."""
    opened: list[StreamsHandle] = []

    def read() -> Sequence[StreamStatus]:
        live = folder.path / STREAMS_LIVE_NAME
        if not opened:
            if not folder.streams.is_file() or not live.is_file() or live.stat().st_size == 0:
                return ()
            lanes = tuple(jsonio.structure(plain, StreamLane) for plain in jsonio.load(folder.streams, list[Any]))
            opened.append(StreamsHandle(folder, lanes, StreamsLiveFile(live)))
        return opened[0].status()

    return read
