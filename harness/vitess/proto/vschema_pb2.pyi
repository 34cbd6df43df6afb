from . import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RoutingRules(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[RoutingRule]
    def __init__(self, rules: _Optional[_Iterable[_Union[RoutingRule, _Mapping]]] = ...) -> None: ...

class RoutingRule(_message.Message):
    __slots__ = ("from_table", "to_tables")
    FROM_TABLE_FIELD_NUMBER: _ClassVar[int]
    TO_TABLES_FIELD_NUMBER: _ClassVar[int]
    from_table: str
    to_tables: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, from_table: _Optional[str] = ..., to_tables: _Optional[_Iterable[str]] = ...) -> None: ...

class Keyspace(_message.Message):
    __slots__ = ("sharded", "vindexes", "tables", "require_explicit_routing", "foreign_key_mode", "multi_tenant_spec")
    class ForeignKeyMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Keyspace.ForeignKeyMode]
        disallow: _ClassVar[Keyspace.ForeignKeyMode]
        unmanaged: _ClassVar[Keyspace.ForeignKeyMode]
        managed: _ClassVar[Keyspace.ForeignKeyMode]
    unspecified: Keyspace.ForeignKeyMode
    disallow: Keyspace.ForeignKeyMode
    unmanaged: Keyspace.ForeignKeyMode
    managed: Keyspace.ForeignKeyMode
    class VindexesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Vindex
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Vindex, _Mapping]] = ...) -> None: ...
    class TablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Table
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Table, _Mapping]] = ...) -> None: ...
    SHARDED_FIELD_NUMBER: _ClassVar[int]
    VINDEXES_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_EXPLICIT_ROUTING_FIELD_NUMBER: _ClassVar[int]
    FOREIGN_KEY_MODE_FIELD_NUMBER: _ClassVar[int]
    MULTI_TENANT_SPEC_FIELD_NUMBER: _ClassVar[int]
    sharded: bool
    vindexes: _containers.MessageMap[str, Vindex]
    tables: _containers.MessageMap[str, Table]
    require_explicit_routing: bool
    foreign_key_mode: Keyspace.ForeignKeyMode
    multi_tenant_spec: MultiTenantSpec
    def __init__(self, sharded: _Optional[bool] = ..., vindexes: _Optional[_Mapping[str, Vindex]] = ..., tables: _Optional[_Mapping[str, Table]] = ..., require_explicit_routing: _Optional[bool] = ..., foreign_key_mode: _Optional[_Union[Keyspace.ForeignKeyMode, str]] = ..., multi_tenant_spec: _Optional[_Union[MultiTenantSpec, _Mapping]] = ...) -> None: ...

class MultiTenantSpec(_message.Message):
    __slots__ = ("tenant_id_column_name", "tenant_id_column_type")
    TENANT_ID_COLUMN_NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_COLUMN_TYPE_FIELD_NUMBER: _ClassVar[int]
    tenant_id_column_name: str
    tenant_id_column_type: _query_pb2.Type
    def __init__(self, tenant_id_column_name: _Optional[str] = ..., tenant_id_column_type: _Optional[_Union[_query_pb2.Type, str]] = ...) -> None: ...

class Vindex(_message.Message):
    __slots__ = ("type", "params", "owner")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    type: str
    params: _containers.ScalarMap[str, str]
    owner: str
    def __init__(self, type: _Optional[str] = ..., params: _Optional[_Mapping[str, str]] = ..., owner: _Optional[str] = ...) -> None: ...

class Table(_message.Message):
    __slots__ = ("type", "column_vindexes", "auto_increment", "columns", "pinned", "column_list_authoritative", "source")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_VINDEXES_FIELD_NUMBER: _ClassVar[int]
    AUTO_INCREMENT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    COLUMN_LIST_AUTHORITATIVE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    type: str
    column_vindexes: _containers.RepeatedCompositeFieldContainer[ColumnVindex]
    auto_increment: AutoIncrement
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    pinned: str
    column_list_authoritative: bool
    source: str
    def __init__(self, type: _Optional[str] = ..., column_vindexes: _Optional[_Iterable[_Union[ColumnVindex, _Mapping]]] = ..., auto_increment: _Optional[_Union[AutoIncrement, _Mapping]] = ..., columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., pinned: _Optional[str] = ..., column_list_authoritative: _Optional[bool] = ..., source: _Optional[str] = ...) -> None: ...

class ColumnVindex(_message.Message):
    __slots__ = ("column", "name", "columns")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    column: str
    name: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, column: _Optional[str] = ..., name: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ...) -> None: ...

class AutoIncrement(_message.Message):
    __slots__ = ("column", "sequence")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    column: str
    sequence: str
    def __init__(self, column: _Optional[str] = ..., sequence: _Optional[str] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("name", "type", "invisible", "default", "collation_name", "size", "scale", "nullable", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    INVISIBLE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    COLLATION_NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    NULLABLE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: _query_pb2.Type
    invisible: bool
    default: str
    collation_name: str
    size: int
    scale: int
    nullable: bool
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[_query_pb2.Type, str]] = ..., invisible: _Optional[bool] = ..., default: _Optional[str] = ..., collation_name: _Optional[str] = ..., size: _Optional[int] = ..., scale: _Optional[int] = ..., nullable: _Optional[bool] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class SrvVSchema(_message.Message):
    __slots__ = ("keyspaces", "routing_rules", "shard_routing_rules", "keyspace_routing_rules", "mirror_rules")
    class KeyspacesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Keyspace
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Keyspace, _Mapping]] = ...) -> None: ...
    KEYSPACES_FIELD_NUMBER: _ClassVar[int]
    ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    SHARD_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    MIRROR_RULES_FIELD_NUMBER: _ClassVar[int]
    keyspaces: _containers.MessageMap[str, Keyspace]
    routing_rules: RoutingRules
    shard_routing_rules: ShardRoutingRules
    keyspace_routing_rules: KeyspaceRoutingRules
    mirror_rules: MirrorRules
    def __init__(self, keyspaces: _Optional[_Mapping[str, Keyspace]] = ..., routing_rules: _Optional[_Union[RoutingRules, _Mapping]] = ..., shard_routing_rules: _Optional[_Union[ShardRoutingRules, _Mapping]] = ..., keyspace_routing_rules: _Optional[_Union[KeyspaceRoutingRules, _Mapping]] = ..., mirror_rules: _Optional[_Union[MirrorRules, _Mapping]] = ...) -> None: ...

class ShardRoutingRules(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[ShardRoutingRule]
    def __init__(self, rules: _Optional[_Iterable[_Union[ShardRoutingRule, _Mapping]]] = ...) -> None: ...

class ShardRoutingRule(_message.Message):
    __slots__ = ("from_keyspace", "to_keyspace", "shard")
    FROM_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    TO_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    from_keyspace: str
    to_keyspace: str
    shard: str
    def __init__(self, from_keyspace: _Optional[str] = ..., to_keyspace: _Optional[str] = ..., shard: _Optional[str] = ...) -> None: ...

class KeyspaceRoutingRules(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[KeyspaceRoutingRule]
    def __init__(self, rules: _Optional[_Iterable[_Union[KeyspaceRoutingRule, _Mapping]]] = ...) -> None: ...

class KeyspaceRoutingRule(_message.Message):
    __slots__ = ("from_keyspace", "to_keyspace")
    FROM_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    TO_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    from_keyspace: str
    to_keyspace: str
    def __init__(self, from_keyspace: _Optional[str] = ..., to_keyspace: _Optional[str] = ...) -> None: ...

class MirrorRules(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[MirrorRule]
    def __init__(self, rules: _Optional[_Iterable[_Union[MirrorRule, _Mapping]]] = ...) -> None: ...

class MirrorRule(_message.Message):
    __slots__ = ("from_table", "to_table", "percent")
    FROM_TABLE_FIELD_NUMBER: _ClassVar[int]
    TO_TABLE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    from_table: str
    to_table: str
    percent: float
    def __init__(self, from_table: _Optional[str] = ..., to_table: _Optional[str] = ..., percent: _Optional[float] = ...) -> None: ...
