from . import vtrpc_pb2 as _vtrpc_pb2
from . import query_pb2 as _query_pb2
from . import topodata_pb2 as _topodata_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OnDDLAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IGNORE: _ClassVar[OnDDLAction]
    STOP: _ClassVar[OnDDLAction]
    EXEC: _ClassVar[OnDDLAction]
    EXEC_IGNORE: _ClassVar[OnDDLAction]

class VReplicationWorkflowType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    Materialize: _ClassVar[VReplicationWorkflowType]
    MoveTables: _ClassVar[VReplicationWorkflowType]
    CreateLookupIndex: _ClassVar[VReplicationWorkflowType]
    Migrate: _ClassVar[VReplicationWorkflowType]
    Reshard: _ClassVar[VReplicationWorkflowType]
    OnlineDDL: _ClassVar[VReplicationWorkflowType]

class VReplicationWorkflowSubType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    None: _ClassVar[VReplicationWorkflowSubType]
    Partial: _ClassVar[VReplicationWorkflowSubType]
    AtomicCopy: _ClassVar[VReplicationWorkflowSubType]

class VReplicationWorkflowState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    Unknown: _ClassVar[VReplicationWorkflowState]
    Init: _ClassVar[VReplicationWorkflowState]
    Stopped: _ClassVar[VReplicationWorkflowState]
    Copying: _ClassVar[VReplicationWorkflowState]
    Running: _ClassVar[VReplicationWorkflowState]
    Error: _ClassVar[VReplicationWorkflowState]
    Lagging: _ClassVar[VReplicationWorkflowState]

class VEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN: _ClassVar[VEventType]
    GTID: _ClassVar[VEventType]
    BEGIN: _ClassVar[VEventType]
    COMMIT: _ClassVar[VEventType]
    ROLLBACK: _ClassVar[VEventType]
    DDL: _ClassVar[VEventType]
    INSERT: _ClassVar[VEventType]
    REPLACE: _ClassVar[VEventType]
    UPDATE: _ClassVar[VEventType]
    DELETE: _ClassVar[VEventType]
    SET: _ClassVar[VEventType]
    OTHER: _ClassVar[VEventType]
    ROW: _ClassVar[VEventType]
    FIELD: _ClassVar[VEventType]
    HEARTBEAT: _ClassVar[VEventType]
    VGTID: _ClassVar[VEventType]
    JOURNAL: _ClassVar[VEventType]
    VERSION: _ClassVar[VEventType]
    LASTPK: _ClassVar[VEventType]
    SAVEPOINT: _ClassVar[VEventType]
    COPY_COMPLETED: _ClassVar[VEventType]
    PREVIOUS_GTIDS: _ClassVar[VEventType]
    ROWS_QUERY: _ClassVar[VEventType]

class MigrationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TABLES: _ClassVar[MigrationType]
    SHARDS: _ClassVar[MigrationType]
IGNORE: OnDDLAction
STOP: OnDDLAction
EXEC: OnDDLAction
EXEC_IGNORE: OnDDLAction
Materialize: VReplicationWorkflowType
MoveTables: VReplicationWorkflowType
CreateLookupIndex: VReplicationWorkflowType
Migrate: VReplicationWorkflowType
Reshard: VReplicationWorkflowType
OnlineDDL: VReplicationWorkflowType
None: VReplicationWorkflowSubType
Partial: VReplicationWorkflowSubType
AtomicCopy: VReplicationWorkflowSubType
Unknown: VReplicationWorkflowState
Init: VReplicationWorkflowState
Stopped: VReplicationWorkflowState
Copying: VReplicationWorkflowState
Running: VReplicationWorkflowState
Error: VReplicationWorkflowState
Lagging: VReplicationWorkflowState
UNKNOWN: VEventType
GTID: VEventType
BEGIN: VEventType
COMMIT: VEventType
ROLLBACK: VEventType
DDL: VEventType
INSERT: VEventType
REPLACE: VEventType
UPDATE: VEventType
DELETE: VEventType
SET: VEventType
OTHER: VEventType
ROW: VEventType
FIELD: VEventType
HEARTBEAT: VEventType
VGTID: VEventType
JOURNAL: VEventType
VERSION: VEventType
LASTPK: VEventType
SAVEPOINT: VEventType
COPY_COMPLETED: VEventType
PREVIOUS_GTIDS: VEventType
ROWS_QUERY: VEventType
TABLES: MigrationType
SHARDS: MigrationType

class Charset(_message.Message):
    __slots__ = ("client", "conn", "server")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    CONN_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    client: int
    conn: int
    server: int
    def __init__(self, client: _Optional[int] = ..., conn: _Optional[int] = ..., server: _Optional[int] = ...) -> None: ...

class BinlogTransaction(_message.Message):
    __slots__ = ("statements", "event_token")
    class Statement(_message.Message):
        __slots__ = ("category", "charset", "sql")
        class Category(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            BL_UNRECOGNIZED: _ClassVar[BinlogTransaction.Statement.Category]
            BL_BEGIN: _ClassVar[BinlogTransaction.Statement.Category]
            BL_COMMIT: _ClassVar[BinlogTransaction.Statement.Category]
            BL_ROLLBACK: _ClassVar[BinlogTransaction.Statement.Category]
            BL_DML_DEPRECATED: _ClassVar[BinlogTransaction.Statement.Category]
            BL_DDL: _ClassVar[BinlogTransaction.Statement.Category]
            BL_SET: _ClassVar[BinlogTransaction.Statement.Category]
            BL_INSERT: _ClassVar[BinlogTransaction.Statement.Category]
            BL_UPDATE: _ClassVar[BinlogTransaction.Statement.Category]
            BL_DELETE: _ClassVar[BinlogTransaction.Statement.Category]
        BL_UNRECOGNIZED: BinlogTransaction.Statement.Category
        BL_BEGIN: BinlogTransaction.Statement.Category
        BL_COMMIT: BinlogTransaction.Statement.Category
        BL_ROLLBACK: BinlogTransaction.Statement.Category
        BL_DML_DEPRECATED: BinlogTransaction.Statement.Category
        BL_DDL: BinlogTransaction.Statement.Category
        BL_SET: BinlogTransaction.Statement.Category
        BL_INSERT: BinlogTransaction.Statement.Category
        BL_UPDATE: BinlogTransaction.Statement.Category
        BL_DELETE: BinlogTransaction.Statement.Category
        CATEGORY_FIELD_NUMBER: _ClassVar[int]
        CHARSET_FIELD_NUMBER: _ClassVar[int]
        SQL_FIELD_NUMBER: _ClassVar[int]
        category: BinlogTransaction.Statement.Category
        charset: Charset
        sql: bytes
        def __init__(self, category: _Optional[_Union[BinlogTransaction.Statement.Category, str]] = ..., charset: _Optional[_Union[Charset, _Mapping]] = ..., sql: _Optional[bytes] = ...) -> None: ...
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    statements: _containers.RepeatedCompositeFieldContainer[BinlogTransaction.Statement]
    event_token: _query_pb2.EventToken
    def __init__(self, statements: _Optional[_Iterable[_Union[BinlogTransaction.Statement, _Mapping]]] = ..., event_token: _Optional[_Union[_query_pb2.EventToken, _Mapping]] = ...) -> None: ...

class StreamKeyRangeRequest(_message.Message):
    __slots__ = ("position", "key_range", "charset")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    KEY_RANGE_FIELD_NUMBER: _ClassVar[int]
    CHARSET_FIELD_NUMBER: _ClassVar[int]
    position: str
    key_range: _topodata_pb2.KeyRange
    charset: Charset
    def __init__(self, position: _Optional[str] = ..., key_range: _Optional[_Union[_topodata_pb2.KeyRange, _Mapping]] = ..., charset: _Optional[_Union[Charset, _Mapping]] = ...) -> None: ...

class StreamKeyRangeResponse(_message.Message):
    __slots__ = ("binlog_transaction",)
    BINLOG_TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    binlog_transaction: BinlogTransaction
    def __init__(self, binlog_transaction: _Optional[_Union[BinlogTransaction, _Mapping]] = ...) -> None: ...

class StreamTablesRequest(_message.Message):
    __slots__ = ("position", "tables", "charset")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    CHARSET_FIELD_NUMBER: _ClassVar[int]
    position: str
    tables: _containers.RepeatedScalarFieldContainer[str]
    charset: Charset
    def __init__(self, position: _Optional[str] = ..., tables: _Optional[_Iterable[str]] = ..., charset: _Optional[_Union[Charset, _Mapping]] = ...) -> None: ...

class StreamTablesResponse(_message.Message):
    __slots__ = ("binlog_transaction",)
    BINLOG_TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    binlog_transaction: BinlogTransaction
    def __init__(self, binlog_transaction: _Optional[_Union[BinlogTransaction, _Mapping]] = ...) -> None: ...

class CharsetConversion(_message.Message):
    __slots__ = ("from_charset", "to_charset")
    FROM_CHARSET_FIELD_NUMBER: _ClassVar[int]
    TO_CHARSET_FIELD_NUMBER: _ClassVar[int]
    from_charset: str
    to_charset: str
    def __init__(self, from_charset: _Optional[str] = ..., to_charset: _Optional[str] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("match", "filter", "convert_enum_to_text", "convert_charset", "source_unique_key_columns", "target_unique_key_columns", "source_unique_key_target_columns", "convert_int_to_enum", "force_unique_key")
    class ConvertEnumToTextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ConvertCharsetEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: CharsetConversion
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[CharsetConversion, _Mapping]] = ...) -> None: ...
    class ConvertIntToEnumEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bool
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bool] = ...) -> None: ...
    MATCH_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CONVERT_ENUM_TO_TEXT_FIELD_NUMBER: _ClassVar[int]
    CONVERT_CHARSET_FIELD_NUMBER: _ClassVar[int]
    SOURCE_UNIQUE_KEY_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TARGET_UNIQUE_KEY_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_UNIQUE_KEY_TARGET_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CONVERT_INT_TO_ENUM_FIELD_NUMBER: _ClassVar[int]
    FORCE_UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    match: str
    filter: str
    convert_enum_to_text: _containers.ScalarMap[str, str]
    convert_charset: _containers.MessageMap[str, CharsetConversion]
    source_unique_key_columns: str
    target_unique_key_columns: str
    source_unique_key_target_columns: str
    convert_int_to_enum: _containers.ScalarMap[str, bool]
    force_unique_key: str
    def __init__(self, match: _Optional[str] = ..., filter: _Optional[str] = ..., convert_enum_to_text: _Optional[_Mapping[str, str]] = ..., convert_charset: _Optional[_Mapping[str, CharsetConversion]] = ..., source_unique_key_columns: _Optional[str] = ..., target_unique_key_columns: _Optional[str] = ..., source_unique_key_target_columns: _Optional[str] = ..., convert_int_to_enum: _Optional[_Mapping[str, bool]] = ..., force_unique_key: _Optional[str] = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("rules", "field_event_mode", "workflow_type", "workflow_name")
    class FieldEventMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ERR_ON_MISMATCH: _ClassVar[Filter.FieldEventMode]
        BEST_EFFORT: _ClassVar[Filter.FieldEventMode]
    ERR_ON_MISMATCH: Filter.FieldEventMode
    BEST_EFFORT: Filter.FieldEventMode
    RULES_FIELD_NUMBER: _ClassVar[int]
    FIELD_EVENT_MODE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_NAME_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    field_event_mode: Filter.FieldEventMode
    workflow_type: int
    workflow_name: str
    def __init__(self, rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., field_event_mode: _Optional[_Union[Filter.FieldEventMode, str]] = ..., workflow_type: _Optional[int] = ..., workflow_name: _Optional[str] = ...) -> None: ...

class BinlogSource(_message.Message):
    __slots__ = ("keyspace", "shard", "tablet_type", "key_range", "tables", "filter", "on_ddl", "external_mysql", "stop_after_copy", "external_cluster", "source_time_zone", "target_time_zone")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_RANGE_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ON_DDL_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_MYSQL_FIELD_NUMBER: _ClassVar[int]
    STOP_AFTER_COPY_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CLUSTER_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    TARGET_TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    tablet_type: _topodata_pb2.TabletType
    key_range: _topodata_pb2.KeyRange
    tables: _containers.RepeatedScalarFieldContainer[str]
    filter: Filter
    on_ddl: OnDDLAction
    external_mysql: str
    stop_after_copy: bool
    external_cluster: str
    source_time_zone: str
    target_time_zone: str
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., tablet_type: _Optional[_Union[_topodata_pb2.TabletType, str]] = ..., key_range: _Optional[_Union[_topodata_pb2.KeyRange, _Mapping]] = ..., tables: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., on_ddl: _Optional[_Union[OnDDLAction, str]] = ..., external_mysql: _Optional[str] = ..., stop_after_copy: _Optional[bool] = ..., external_cluster: _Optional[str] = ..., source_time_zone: _Optional[str] = ..., target_time_zone: _Optional[str] = ...) -> None: ...

class RowChange(_message.Message):
    __slots__ = ("before", "after", "data_columns", "json_partial_values")
    class Bitmap(_message.Message):
        __slots__ = ("count", "cols")
        COUNT_FIELD_NUMBER: _ClassVar[int]
        COLS_FIELD_NUMBER: _ClassVar[int]
        count: int
        cols: bytes
        def __init__(self, count: _Optional[int] = ..., cols: _Optional[bytes] = ...) -> None: ...
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    DATA_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    JSON_PARTIAL_VALUES_FIELD_NUMBER: _ClassVar[int]
    before: _query_pb2.Row
    after: _query_pb2.Row
    data_columns: RowChange.Bitmap
    json_partial_values: RowChange.Bitmap
    def __init__(self, before: _Optional[_Union[_query_pb2.Row, _Mapping]] = ..., after: _Optional[_Union[_query_pb2.Row, _Mapping]] = ..., data_columns: _Optional[_Union[RowChange.Bitmap, _Mapping]] = ..., json_partial_values: _Optional[_Union[RowChange.Bitmap, _Mapping]] = ...) -> None: ...

class RowEvent(_message.Message):
    __slots__ = ("table_name", "row_changes", "keyspace", "shard", "flags", "is_internal_table")
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    ROW_CHANGES_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    IS_INTERNAL_TABLE_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    row_changes: _containers.RepeatedCompositeFieldContainer[RowChange]
    keyspace: str
    shard: str
    flags: int
    is_internal_table: bool
    def __init__(self, table_name: _Optional[str] = ..., row_changes: _Optional[_Iterable[_Union[RowChange, _Mapping]]] = ..., keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., flags: _Optional[int] = ..., is_internal_table: _Optional[bool] = ...) -> None: ...

class FieldEvent(_message.Message):
    __slots__ = ("table_name", "fields", "keyspace", "shard", "enum_set_string_values", "is_internal_table")
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ENUM_SET_STRING_VALUES_FIELD_NUMBER: _ClassVar[int]
    IS_INTERNAL_TABLE_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    fields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    keyspace: str
    shard: str
    enum_set_string_values: bool
    is_internal_table: bool
    def __init__(self, table_name: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ..., keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., enum_set_string_values: _Optional[bool] = ..., is_internal_table: _Optional[bool] = ...) -> None: ...

class ShardGtid(_message.Message):
    __slots__ = ("keyspace", "shard", "gtid", "table_p_ks")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    GTID_FIELD_NUMBER: _ClassVar[int]
    TABLE_P_KS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    gtid: str
    table_p_ks: _containers.RepeatedCompositeFieldContainer[TableLastPK]
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., gtid: _Optional[str] = ..., table_p_ks: _Optional[_Iterable[_Union[TableLastPK, _Mapping]]] = ...) -> None: ...

class VGtid(_message.Message):
    __slots__ = ("shard_gtids",)
    SHARD_GTIDS_FIELD_NUMBER: _ClassVar[int]
    shard_gtids: _containers.RepeatedCompositeFieldContainer[ShardGtid]
    def __init__(self, shard_gtids: _Optional[_Iterable[_Union[ShardGtid, _Mapping]]] = ...) -> None: ...

class KeyspaceShard(_message.Message):
    __slots__ = ("keyspace", "shard")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ...) -> None: ...

class Journal(_message.Message):
    __slots__ = ("id", "migration_type", "tables", "local_position", "shard_gtids", "participants", "source_workflows")
    ID_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    LOCAL_POSITION_FIELD_NUMBER: _ClassVar[int]
    SHARD_GTIDS_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    id: int
    migration_type: MigrationType
    tables: _containers.RepeatedScalarFieldContainer[str]
    local_position: str
    shard_gtids: _containers.RepeatedCompositeFieldContainer[ShardGtid]
    participants: _containers.RepeatedCompositeFieldContainer[KeyspaceShard]
    source_workflows: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[int] = ..., migration_type: _Optional[_Union[MigrationType, str]] = ..., tables: _Optional[_Iterable[str]] = ..., local_position: _Optional[str] = ..., shard_gtids: _Optional[_Iterable[_Union[ShardGtid, _Mapping]]] = ..., participants: _Optional[_Iterable[_Union[KeyspaceShard, _Mapping]]] = ..., source_workflows: _Optional[_Iterable[str]] = ...) -> None: ...

class VEvent(_message.Message):
    __slots__ = ("type", "timestamp", "gtid", "statement", "row_event", "field_event", "vgtid", "journal", "dml", "current_time", "last_p_k_event", "keyspace", "shard", "throttled", "throttled_reason", "commit_parent", "sequence_number", "event_gtid")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    GTID_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    ROW_EVENT_FIELD_NUMBER: _ClassVar[int]
    FIELD_EVENT_FIELD_NUMBER: _ClassVar[int]
    VGTID_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    DML_FIELD_NUMBER: _ClassVar[int]
    CURRENT_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_P_K_EVENT_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_REASON_FIELD_NUMBER: _ClassVar[int]
    COMMIT_PARENT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENT_GTID_FIELD_NUMBER: _ClassVar[int]
    type: VEventType
    timestamp: int
    gtid: str
    statement: str
    row_event: RowEvent
    field_event: FieldEvent
    vgtid: VGtid
    journal: Journal
    dml: str
    current_time: int
    last_p_k_event: LastPKEvent
    keyspace: str
    shard: str
    throttled: bool
    throttled_reason: str
    commit_parent: int
    sequence_number: int
    event_gtid: str
    def __init__(self, type: _Optional[_Union[VEventType, str]] = ..., timestamp: _Optional[int] = ..., gtid: _Optional[str] = ..., statement: _Optional[str] = ..., row_event: _Optional[_Union[RowEvent, _Mapping]] = ..., field_event: _Optional[_Union[FieldEvent, _Mapping]] = ..., vgtid: _Optional[_Union[VGtid, _Mapping]] = ..., journal: _Optional[_Union[Journal, _Mapping]] = ..., dml: _Optional[str] = ..., current_time: _Optional[int] = ..., last_p_k_event: _Optional[_Union[LastPKEvent, _Mapping]] = ..., keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., throttled: _Optional[bool] = ..., throttled_reason: _Optional[str] = ..., commit_parent: _Optional[int] = ..., sequence_number: _Optional[int] = ..., event_gtid: _Optional[str] = ...) -> None: ...

class MinimalTable(_message.Message):
    __slots__ = ("name", "fields", "p_k_columns", "p_k_index_name")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    P_K_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    P_K_INDEX_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    fields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    p_k_columns: _containers.RepeatedScalarFieldContainer[int]
    p_k_index_name: str
    def __init__(self, name: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ..., p_k_columns: _Optional[_Iterable[int]] = ..., p_k_index_name: _Optional[str] = ...) -> None: ...

class MinimalSchema(_message.Message):
    __slots__ = ("tables",)
    TABLES_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedCompositeFieldContainer[MinimalTable]
    def __init__(self, tables: _Optional[_Iterable[_Union[MinimalTable, _Mapping]]] = ...) -> None: ...

class VStreamOptions(_message.Message):
    __slots__ = ("internal_tables", "config_overrides", "tables_to_copy", "no_timeouts", "event_types")
    class ConfigOverridesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INTERNAL_TABLES_FIELD_NUMBER: _ClassVar[int]
    CONFIG_OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    TABLES_TO_COPY_FIELD_NUMBER: _ClassVar[int]
    NO_TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    internal_tables: _containers.RepeatedScalarFieldContainer[str]
    config_overrides: _containers.ScalarMap[str, str]
    tables_to_copy: _containers.RepeatedScalarFieldContainer[str]
    no_timeouts: bool
    event_types: _containers.RepeatedScalarFieldContainer[VEventType]
    def __init__(self, internal_tables: _Optional[_Iterable[str]] = ..., config_overrides: _Optional[_Mapping[str, str]] = ..., tables_to_copy: _Optional[_Iterable[str]] = ..., no_timeouts: _Optional[bool] = ..., event_types: _Optional[_Iterable[_Union[VEventType, str]]] = ...) -> None: ...

class VStreamRequest(_message.Message):
    __slots__ = ("effective_caller_id", "immediate_caller_id", "target", "position", "filter", "table_last_p_ks", "options")
    EFFECTIVE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    IMMEDIATE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    TABLE_LAST_P_KS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    effective_caller_id: _vtrpc_pb2.CallerID
    immediate_caller_id: _query_pb2.VTGateCallerID
    target: _query_pb2.Target
    position: str
    filter: Filter
    table_last_p_ks: _containers.RepeatedCompositeFieldContainer[TableLastPK]
    options: VStreamOptions
    def __init__(self, effective_caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ..., immediate_caller_id: _Optional[_Union[_query_pb2.VTGateCallerID, _Mapping]] = ..., target: _Optional[_Union[_query_pb2.Target, _Mapping]] = ..., position: _Optional[str] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., table_last_p_ks: _Optional[_Iterable[_Union[TableLastPK, _Mapping]]] = ..., options: _Optional[_Union[VStreamOptions, _Mapping]] = ...) -> None: ...

class VStreamResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[VEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[VEvent, _Mapping]]] = ...) -> None: ...

class VStreamRowsRequest(_message.Message):
    __slots__ = ("effective_caller_id", "immediate_caller_id", "target", "query", "lastpk", "options")
    EFFECTIVE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    IMMEDIATE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    LASTPK_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    effective_caller_id: _vtrpc_pb2.CallerID
    immediate_caller_id: _query_pb2.VTGateCallerID
    target: _query_pb2.Target
    query: str
    lastpk: _query_pb2.QueryResult
    options: VStreamOptions
    def __init__(self, effective_caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ..., immediate_caller_id: _Optional[_Union[_query_pb2.VTGateCallerID, _Mapping]] = ..., target: _Optional[_Union[_query_pb2.Target, _Mapping]] = ..., query: _Optional[str] = ..., lastpk: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ..., options: _Optional[_Union[VStreamOptions, _Mapping]] = ...) -> None: ...

class VStreamRowsResponse(_message.Message):
    __slots__ = ("fields", "pkfields", "gtid", "rows", "lastpk", "throttled", "heartbeat", "throttled_reason")
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    PKFIELDS_FIELD_NUMBER: _ClassVar[int]
    GTID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    LASTPK_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_REASON_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    pkfields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    gtid: str
    rows: _containers.RepeatedCompositeFieldContainer[_query_pb2.Row]
    lastpk: _query_pb2.Row
    throttled: bool
    heartbeat: bool
    throttled_reason: str
    def __init__(self, fields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ..., pkfields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ..., gtid: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[_query_pb2.Row, _Mapping]]] = ..., lastpk: _Optional[_Union[_query_pb2.Row, _Mapping]] = ..., throttled: _Optional[bool] = ..., heartbeat: _Optional[bool] = ..., throttled_reason: _Optional[str] = ...) -> None: ...

class VStreamTablesRequest(_message.Message):
    __slots__ = ("effective_caller_id", "immediate_caller_id", "target", "options")
    EFFECTIVE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    IMMEDIATE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    effective_caller_id: _vtrpc_pb2.CallerID
    immediate_caller_id: _query_pb2.VTGateCallerID
    target: _query_pb2.Target
    options: VStreamOptions
    def __init__(self, effective_caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ..., immediate_caller_id: _Optional[_Union[_query_pb2.VTGateCallerID, _Mapping]] = ..., target: _Optional[_Union[_query_pb2.Target, _Mapping]] = ..., options: _Optional[_Union[VStreamOptions, _Mapping]] = ...) -> None: ...

class VStreamTablesResponse(_message.Message):
    __slots__ = ("table_name", "fields", "pkfields", "gtid", "rows", "lastpk")
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    PKFIELDS_FIELD_NUMBER: _ClassVar[int]
    GTID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    LASTPK_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    fields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    pkfields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    gtid: str
    rows: _containers.RepeatedCompositeFieldContainer[_query_pb2.Row]
    lastpk: _query_pb2.Row
    def __init__(self, table_name: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ..., pkfields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ..., gtid: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[_query_pb2.Row, _Mapping]]] = ..., lastpk: _Optional[_Union[_query_pb2.Row, _Mapping]] = ...) -> None: ...

class LastPKEvent(_message.Message):
    __slots__ = ("table_last_p_k", "completed")
    TABLE_LAST_P_K_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    table_last_p_k: TableLastPK
    completed: bool
    def __init__(self, table_last_p_k: _Optional[_Union[TableLastPK, _Mapping]] = ..., completed: _Optional[bool] = ...) -> None: ...

class TableLastPK(_message.Message):
    __slots__ = ("table_name", "lastpk")
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    LASTPK_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    lastpk: _query_pb2.QueryResult
    def __init__(self, table_name: _Optional[str] = ..., lastpk: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class VStreamResultsRequest(_message.Message):
    __slots__ = ("effective_caller_id", "immediate_caller_id", "target", "query")
    EFFECTIVE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    IMMEDIATE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    effective_caller_id: _vtrpc_pb2.CallerID
    immediate_caller_id: _query_pb2.VTGateCallerID
    target: _query_pb2.Target
    query: str
    def __init__(self, effective_caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ..., immediate_caller_id: _Optional[_Union[_query_pb2.VTGateCallerID, _Mapping]] = ..., target: _Optional[_Union[_query_pb2.Target, _Mapping]] = ..., query: _Optional[str] = ...) -> None: ...

class VStreamResultsResponse(_message.Message):
    __slots__ = ("fields", "gtid", "rows")
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    GTID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    gtid: str
    rows: _containers.RepeatedCompositeFieldContainer[_query_pb2.Row]
    def __init__(self, fields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ..., gtid: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[_query_pb2.Row, _Mapping]]] = ...) -> None: ...

class BinlogDumpGTIDRequest(_message.Message):
    __slots__ = ("effective_caller_id", "immediate_caller_id", "target", "binlog_filename", "binlog_position", "gtid_set", "flags")
    EFFECTIVE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    IMMEDIATE_CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BINLOG_FILENAME_FIELD_NUMBER: _ClassVar[int]
    BINLOG_POSITION_FIELD_NUMBER: _ClassVar[int]
    GTID_SET_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    effective_caller_id: _vtrpc_pb2.CallerID
    immediate_caller_id: _query_pb2.VTGateCallerID
    target: _query_pb2.Target
    binlog_filename: str
    binlog_position: int
    gtid_set: str
    flags: int
    def __init__(self, effective_caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ..., immediate_caller_id: _Optional[_Union[_query_pb2.VTGateCallerID, _Mapping]] = ..., target: _Optional[_Union[_query_pb2.Target, _Mapping]] = ..., binlog_filename: _Optional[str] = ..., binlog_position: _Optional[int] = ..., gtid_set: _Optional[str] = ..., flags: _Optional[int] = ...) -> None: ...

class BinlogDumpResponse(_message.Message):
    __slots__ = ("raw",)
    RAW_FIELD_NUMBER: _ClassVar[int]
    raw: bytes
    def __init__(self, raw: _Optional[bytes] = ...) -> None: ...
