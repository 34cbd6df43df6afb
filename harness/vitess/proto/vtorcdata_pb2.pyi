from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Keyspace(_message.Message):
    __slots__ = ("disable_emergency_reparent",)
    DISABLE_EMERGENCY_REPARENT_FIELD_NUMBER: _ClassVar[int]
    disable_emergency_reparent: bool
    def __init__(self, disable_emergency_reparent: _Optional[bool] = ...) -> None: ...

class Shard(_message.Message):
    __slots__ = ("disable_emergency_reparent",)
    DISABLE_EMERGENCY_REPARENT_FIELD_NUMBER: _ClassVar[int]
    disable_emergency_reparent: bool
    def __init__(self, disable_emergency_reparent: _Optional[bool] = ...) -> None: ...

class PrimaryHealthEvent(_message.Message):
    __slots__ = ("at_unix_nanos", "success")
    AT_UNIX_NANOS_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    at_unix_nanos: int
    success: bool
    def __init__(self, at_unix_nanos: _Optional[int] = ..., success: _Optional[bool] = ...) -> None: ...

class PrimaryHealthState(_message.Message):
    __slots__ = ("events", "unhealthy")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    UNHEALTHY_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[PrimaryHealthEvent]
    unhealthy: bool
    def __init__(self, events: _Optional[_Iterable[_Union[PrimaryHealthEvent, _Mapping]]] = ..., unhealthy: _Optional[bool] = ...) -> None: ...
