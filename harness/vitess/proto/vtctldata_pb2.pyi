from . import binlogdata_pb2 as _binlogdata_pb2
from . import logutil_pb2 as _logutil_pb2
from . import mysqlctl_pb2 as _mysqlctl_pb2
from . import query_pb2 as _query_pb2
from . import replicationdata_pb2 as _replicationdata_pb2
from . import tabletmanagerdata_pb2 as _tabletmanagerdata_pb2
from . import topodata_pb2 as _topodata_pb2
from . import vschema_pb2 as _vschema_pb2
from . import vtrpc_pb2 as _vtrpc_pb2
from . import vttime_pb2 as _vttime_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MaterializationIntent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CUSTOM: _ClassVar[MaterializationIntent]
    MOVETABLES: _ClassVar[MaterializationIntent]
    CREATELOOKUPINDEX: _ClassVar[MaterializationIntent]
    REFERENCE: _ClassVar[MaterializationIntent]

class QueryOrdering(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NONE: _ClassVar[QueryOrdering]
    ASCENDING: _ClassVar[QueryOrdering]
    DESCENDING: _ClassVar[QueryOrdering]

class ShardedAutoIncrementHandling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEAVE: _ClassVar[ShardedAutoIncrementHandling]
    REMOVE: _ClassVar[ShardedAutoIncrementHandling]
    REPLACE: _ClassVar[ShardedAutoIncrementHandling]

class TableCopyPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN: _ClassVar[TableCopyPhase]
    NOT_STARTED: _ClassVar[TableCopyPhase]
    IN_PROGRESS: _ClassVar[TableCopyPhase]
    COMPLETE: _ClassVar[TableCopyPhase]
CUSTOM: MaterializationIntent
MOVETABLES: MaterializationIntent
CREATELOOKUPINDEX: MaterializationIntent
REFERENCE: MaterializationIntent
NONE: QueryOrdering
ASCENDING: QueryOrdering
DESCENDING: QueryOrdering
LEAVE: ShardedAutoIncrementHandling
REMOVE: ShardedAutoIncrementHandling
REPLACE: ShardedAutoIncrementHandling
UNKNOWN: TableCopyPhase
NOT_STARTED: TableCopyPhase
IN_PROGRESS: TableCopyPhase
COMPLETE: TableCopyPhase

class ExecuteVtctlCommandRequest(_message.Message):
    __slots__ = ("args", "action_timeout")
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ACTION_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    args: _containers.RepeatedScalarFieldContainer[str]
    action_timeout: int
    def __init__(self, args: _Optional[_Iterable[str]] = ..., action_timeout: _Optional[int] = ...) -> None: ...

class ExecuteVtctlCommandResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _logutil_pb2.Event
    def __init__(self, event: _Optional[_Union[_logutil_pb2.Event, _Mapping]] = ...) -> None: ...

class TableMaterializeSettings(_message.Message):
    __slots__ = ("target_table", "source_expression", "create_ddl")
    TARGET_TABLE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_DDL_FIELD_NUMBER: _ClassVar[int]
    target_table: str
    source_expression: str
    create_ddl: str
    def __init__(self, target_table: _Optional[str] = ..., source_expression: _Optional[str] = ..., create_ddl: _Optional[str] = ...) -> None: ...

class MaterializeSettings(_message.Message):
    __slots__ = ("workflow", "source_keyspace", "target_keyspace", "stop_after_copy", "table_settings", "cell", "tablet_types", "external_cluster", "materialization_intent", "source_time_zone", "target_time_zone", "source_shards", "on_ddl", "defer_secondary_keys", "tablet_selection_preference", "atomic_copy", "workflow_options", "reference_tables")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    SOURCE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    STOP_AFTER_COPY_FIELD_NUMBER: _ClassVar[int]
    TABLE_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CLUSTER_FIELD_NUMBER: _ClassVar[int]
    MATERIALIZATION_INTENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    TARGET_TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SHARDS_FIELD_NUMBER: _ClassVar[int]
    ON_DDL_FIELD_NUMBER: _ClassVar[int]
    DEFER_SECONDARY_KEYS_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    ATOMIC_COPY_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_TABLES_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    source_keyspace: str
    target_keyspace: str
    stop_after_copy: bool
    table_settings: _containers.RepeatedCompositeFieldContainer[TableMaterializeSettings]
    cell: str
    tablet_types: str
    external_cluster: str
    materialization_intent: MaterializationIntent
    source_time_zone: str
    target_time_zone: str
    source_shards: _containers.RepeatedScalarFieldContainer[str]
    on_ddl: str
    defer_secondary_keys: bool
    tablet_selection_preference: _tabletmanagerdata_pb2.TabletSelectionPreference
    atomic_copy: bool
    workflow_options: WorkflowOptions
    reference_tables: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, workflow: _Optional[str] = ..., source_keyspace: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., stop_after_copy: _Optional[bool] = ..., table_settings: _Optional[_Iterable[_Union[TableMaterializeSettings, _Mapping]]] = ..., cell: _Optional[str] = ..., tablet_types: _Optional[str] = ..., external_cluster: _Optional[str] = ..., materialization_intent: _Optional[_Union[MaterializationIntent, str]] = ..., source_time_zone: _Optional[str] = ..., target_time_zone: _Optional[str] = ..., source_shards: _Optional[_Iterable[str]] = ..., on_ddl: _Optional[str] = ..., defer_secondary_keys: _Optional[bool] = ..., tablet_selection_preference: _Optional[_Union[_tabletmanagerdata_pb2.TabletSelectionPreference, str]] = ..., atomic_copy: _Optional[bool] = ..., workflow_options: _Optional[_Union[WorkflowOptions, _Mapping]] = ..., reference_tables: _Optional[_Iterable[str]] = ...) -> None: ...

class Keyspace(_message.Message):
    __slots__ = ("name", "keyspace")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    keyspace: _topodata_pb2.Keyspace
    def __init__(self, name: _Optional[str] = ..., keyspace: _Optional[_Union[_topodata_pb2.Keyspace, _Mapping]] = ...) -> None: ...

class SchemaMigration(_message.Message):
    __slots__ = ("uuid", "keyspace", "shard", "schema", "table", "migration_statement", "strategy", "options", "added_at", "requested_at", "ready_at", "started_at", "liveness_timestamp", "completed_at", "cleaned_up_at", "status", "log_path", "artifacts", "retries", "tablet", "tablet_failure", "progress", "migration_context", "ddl_action", "message", "eta_seconds", "rows_copied", "table_rows", "added_unique_keys", "removed_unique_keys", "log_file", "artifact_retention", "postpone_completion", "removed_unique_key_names", "dropped_no_default_column_names", "expanded_column_names", "revertible_notes", "allow_concurrent", "reverted_uuid", "is_view", "ready_to_complete", "vitess_liveness_indicator", "user_throttle_ratio", "special_plan", "last_throttled_at", "component_throttled", "cancelled_at", "postpone_launch", "stage", "cutover_attempts", "is_immediate_operation", "reviewed_at", "ready_to_complete_at", "removed_foreign_key_names", "in_order_completion_pending_count")
    class Strategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VITESS: _ClassVar[SchemaMigration.Strategy]
        ONLINE: _ClassVar[SchemaMigration.Strategy]
        DIRECT: _ClassVar[SchemaMigration.Strategy]
        MYSQL: _ClassVar[SchemaMigration.Strategy]
    VITESS: SchemaMigration.Strategy
    ONLINE: SchemaMigration.Strategy
    DIRECT: SchemaMigration.Strategy
    MYSQL: SchemaMigration.Strategy
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[SchemaMigration.Status]
        REQUESTED: _ClassVar[SchemaMigration.Status]
        CANCELLED: _ClassVar[SchemaMigration.Status]
        QUEUED: _ClassVar[SchemaMigration.Status]
        READY: _ClassVar[SchemaMigration.Status]
        RUNNING: _ClassVar[SchemaMigration.Status]
        COMPLETE: _ClassVar[SchemaMigration.Status]
        FAILED: _ClassVar[SchemaMigration.Status]
    UNKNOWN: SchemaMigration.Status
    REQUESTED: SchemaMigration.Status
    CANCELLED: SchemaMigration.Status
    QUEUED: SchemaMigration.Status
    READY: SchemaMigration.Status
    RUNNING: SchemaMigration.Status
    COMPLETE: SchemaMigration.Status
    FAILED: SchemaMigration.Status
    UUID_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ADDED_AT_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    LIVENESS_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    CLEANED_UP_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LOG_PATH_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TABLET_FIELD_NUMBER: _ClassVar[int]
    TABLET_FAILURE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    DDL_ACTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ETA_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ROWS_COPIED_FIELD_NUMBER: _ClassVar[int]
    TABLE_ROWS_FIELD_NUMBER: _ClassVar[int]
    ADDED_UNIQUE_KEYS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_UNIQUE_KEYS_FIELD_NUMBER: _ClassVar[int]
    LOG_FILE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_RETENTION_FIELD_NUMBER: _ClassVar[int]
    POSTPONE_COMPLETION_FIELD_NUMBER: _ClassVar[int]
    REMOVED_UNIQUE_KEY_NAMES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_NO_DEFAULT_COLUMN_NAMES_FIELD_NUMBER: _ClassVar[int]
    EXPANDED_COLUMN_NAMES_FIELD_NUMBER: _ClassVar[int]
    REVERTIBLE_NOTES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    REVERTED_UUID_FIELD_NUMBER: _ClassVar[int]
    IS_VIEW_FIELD_NUMBER: _ClassVar[int]
    READY_TO_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    VITESS_LIVENESS_INDICATOR_FIELD_NUMBER: _ClassVar[int]
    USER_THROTTLE_RATIO_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_PLAN_FIELD_NUMBER: _ClassVar[int]
    LAST_THROTTLED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_THROTTLED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_AT_FIELD_NUMBER: _ClassVar[int]
    POSTPONE_LAUNCH_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CUTOVER_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    IS_IMMEDIATE_OPERATION_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_AT_FIELD_NUMBER: _ClassVar[int]
    READY_TO_COMPLETE_AT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FOREIGN_KEY_NAMES_FIELD_NUMBER: _ClassVar[int]
    IN_ORDER_COMPLETION_PENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    keyspace: str
    shard: str
    schema: str
    table: str
    migration_statement: str
    strategy: SchemaMigration.Strategy
    options: str
    added_at: _vttime_pb2.Time
    requested_at: _vttime_pb2.Time
    ready_at: _vttime_pb2.Time
    started_at: _vttime_pb2.Time
    liveness_timestamp: _vttime_pb2.Time
    completed_at: _vttime_pb2.Time
    cleaned_up_at: _vttime_pb2.Time
    status: SchemaMigration.Status
    log_path: str
    artifacts: str
    retries: int
    tablet: _topodata_pb2.TabletAlias
    tablet_failure: bool
    progress: float
    migration_context: str
    ddl_action: str
    message: str
    eta_seconds: int
    rows_copied: int
    table_rows: int
    added_unique_keys: int
    removed_unique_keys: int
    log_file: str
    artifact_retention: _vttime_pb2.Duration
    postpone_completion: bool
    removed_unique_key_names: str
    dropped_no_default_column_names: str
    expanded_column_names: str
    revertible_notes: str
    allow_concurrent: bool
    reverted_uuid: str
    is_view: bool
    ready_to_complete: bool
    vitess_liveness_indicator: int
    user_throttle_ratio: float
    special_plan: str
    last_throttled_at: _vttime_pb2.Time
    component_throttled: str
    cancelled_at: _vttime_pb2.Time
    postpone_launch: bool
    stage: str
    cutover_attempts: int
    is_immediate_operation: bool
    reviewed_at: _vttime_pb2.Time
    ready_to_complete_at: _vttime_pb2.Time
    removed_foreign_key_names: str
    in_order_completion_pending_count: int
    def __init__(self, uuid: _Optional[str] = ..., keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., schema: _Optional[str] = ..., table: _Optional[str] = ..., migration_statement: _Optional[str] = ..., strategy: _Optional[_Union[SchemaMigration.Strategy, str]] = ..., options: _Optional[str] = ..., added_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., requested_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., ready_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., started_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., liveness_timestamp: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., completed_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., cleaned_up_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., status: _Optional[_Union[SchemaMigration.Status, str]] = ..., log_path: _Optional[str] = ..., artifacts: _Optional[str] = ..., retries: _Optional[int] = ..., tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., tablet_failure: _Optional[bool] = ..., progress: _Optional[float] = ..., migration_context: _Optional[str] = ..., ddl_action: _Optional[str] = ..., message: _Optional[str] = ..., eta_seconds: _Optional[int] = ..., rows_copied: _Optional[int] = ..., table_rows: _Optional[int] = ..., added_unique_keys: _Optional[int] = ..., removed_unique_keys: _Optional[int] = ..., log_file: _Optional[str] = ..., artifact_retention: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., postpone_completion: _Optional[bool] = ..., removed_unique_key_names: _Optional[str] = ..., dropped_no_default_column_names: _Optional[str] = ..., expanded_column_names: _Optional[str] = ..., revertible_notes: _Optional[str] = ..., allow_concurrent: _Optional[bool] = ..., reverted_uuid: _Optional[str] = ..., is_view: _Optional[bool] = ..., ready_to_complete: _Optional[bool] = ..., vitess_liveness_indicator: _Optional[int] = ..., user_throttle_ratio: _Optional[float] = ..., special_plan: _Optional[str] = ..., last_throttled_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., component_throttled: _Optional[str] = ..., cancelled_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., postpone_launch: _Optional[bool] = ..., stage: _Optional[str] = ..., cutover_attempts: _Optional[int] = ..., is_immediate_operation: _Optional[bool] = ..., reviewed_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., ready_to_complete_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., removed_foreign_key_names: _Optional[str] = ..., in_order_completion_pending_count: _Optional[int] = ...) -> None: ...

class Shard(_message.Message):
    __slots__ = ("keyspace", "name", "shard")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    name: str
    shard: _topodata_pb2.Shard
    def __init__(self, keyspace: _Optional[str] = ..., name: _Optional[str] = ..., shard: _Optional[_Union[_topodata_pb2.Shard, _Mapping]] = ...) -> None: ...

class WorkflowOptions(_message.Message):
    __slots__ = ("tenant_id", "sharded_auto_increment_handling", "shards", "config", "global_keyspace", "lookup_vindexes")
    class ConfigEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SHARDED_AUTO_INCREMENT_HANDLING_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    LOOKUP_VINDEXES_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    sharded_auto_increment_handling: ShardedAutoIncrementHandling
    shards: _containers.RepeatedScalarFieldContainer[str]
    config: _containers.ScalarMap[str, str]
    global_keyspace: str
    lookup_vindexes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant_id: _Optional[str] = ..., sharded_auto_increment_handling: _Optional[_Union[ShardedAutoIncrementHandling, str]] = ..., shards: _Optional[_Iterable[str]] = ..., config: _Optional[_Mapping[str, str]] = ..., global_keyspace: _Optional[str] = ..., lookup_vindexes: _Optional[_Iterable[str]] = ...) -> None: ...

class Workflow(_message.Message):
    __slots__ = ("name", "source", "target", "max_v_replication_lag", "shard_streams", "workflow_type", "workflow_sub_type", "max_v_replication_transaction_lag", "defer_secondary_keys", "options")
    class ShardStreamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Workflow.ShardStream
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Workflow.ShardStream, _Mapping]] = ...) -> None: ...
    class ReplicationLocation(_message.Message):
        __slots__ = ("keyspace", "shards")
        KEYSPACE_FIELD_NUMBER: _ClassVar[int]
        SHARDS_FIELD_NUMBER: _ClassVar[int]
        keyspace: str
        shards: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, keyspace: _Optional[str] = ..., shards: _Optional[_Iterable[str]] = ...) -> None: ...
    class ShardStream(_message.Message):
        __slots__ = ("streams", "tablet_controls", "is_primary_serving")
        STREAMS_FIELD_NUMBER: _ClassVar[int]
        TABLET_CONTROLS_FIELD_NUMBER: _ClassVar[int]
        IS_PRIMARY_SERVING_FIELD_NUMBER: _ClassVar[int]
        streams: _containers.RepeatedCompositeFieldContainer[Workflow.Stream]
        tablet_controls: _containers.RepeatedCompositeFieldContainer[_topodata_pb2.Shard.TabletControl]
        is_primary_serving: bool
        def __init__(self, streams: _Optional[_Iterable[_Union[Workflow.Stream, _Mapping]]] = ..., tablet_controls: _Optional[_Iterable[_Union[_topodata_pb2.Shard.TabletControl, _Mapping]]] = ..., is_primary_serving: _Optional[bool] = ...) -> None: ...
    class Stream(_message.Message):
        __slots__ = ("id", "shard", "tablet", "binlog_source", "position", "stop_position", "state", "db_name", "transaction_timestamp", "time_updated", "message", "copy_states", "logs", "log_fetch_error", "tags", "rows_copied", "throttler_status", "tablet_types", "tablet_selection_preference", "cells")
        class CopyState(_message.Message):
            __slots__ = ("table", "last_pk", "stream_id")
            TABLE_FIELD_NUMBER: _ClassVar[int]
            LAST_PK_FIELD_NUMBER: _ClassVar[int]
            STREAM_ID_FIELD_NUMBER: _ClassVar[int]
            table: str
            last_pk: str
            stream_id: int
            def __init__(self, table: _Optional[str] = ..., last_pk: _Optional[str] = ..., stream_id: _Optional[int] = ...) -> None: ...
        class Log(_message.Message):
            __slots__ = ("id", "stream_id", "type", "state", "created_at", "updated_at", "message", "count")
            ID_FIELD_NUMBER: _ClassVar[int]
            STREAM_ID_FIELD_NUMBER: _ClassVar[int]
            TYPE_FIELD_NUMBER: _ClassVar[int]
            STATE_FIELD_NUMBER: _ClassVar[int]
            CREATED_AT_FIELD_NUMBER: _ClassVar[int]
            UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
            MESSAGE_FIELD_NUMBER: _ClassVar[int]
            COUNT_FIELD_NUMBER: _ClassVar[int]
            id: int
            stream_id: int
            type: str
            state: str
            created_at: _vttime_pb2.Time
            updated_at: _vttime_pb2.Time
            message: str
            count: int
            def __init__(self, id: _Optional[int] = ..., stream_id: _Optional[int] = ..., type: _Optional[str] = ..., state: _Optional[str] = ..., created_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., updated_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., message: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...
        class ThrottlerStatus(_message.Message):
            __slots__ = ("component_throttled", "time_throttled")
            COMPONENT_THROTTLED_FIELD_NUMBER: _ClassVar[int]
            TIME_THROTTLED_FIELD_NUMBER: _ClassVar[int]
            component_throttled: str
            time_throttled: _vttime_pb2.Time
            def __init__(self, component_throttled: _Optional[str] = ..., time_throttled: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ...) -> None: ...
        ID_FIELD_NUMBER: _ClassVar[int]
        SHARD_FIELD_NUMBER: _ClassVar[int]
        TABLET_FIELD_NUMBER: _ClassVar[int]
        BINLOG_SOURCE_FIELD_NUMBER: _ClassVar[int]
        POSITION_FIELD_NUMBER: _ClassVar[int]
        STOP_POSITION_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        DB_NAME_FIELD_NUMBER: _ClassVar[int]
        TRANSACTION_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
        TIME_UPDATED_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        COPY_STATES_FIELD_NUMBER: _ClassVar[int]
        LOGS_FIELD_NUMBER: _ClassVar[int]
        LOG_FETCH_ERROR_FIELD_NUMBER: _ClassVar[int]
        TAGS_FIELD_NUMBER: _ClassVar[int]
        ROWS_COPIED_FIELD_NUMBER: _ClassVar[int]
        THROTTLER_STATUS_FIELD_NUMBER: _ClassVar[int]
        TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
        TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
        CELLS_FIELD_NUMBER: _ClassVar[int]
        id: int
        shard: str
        tablet: _topodata_pb2.TabletAlias
        binlog_source: _binlogdata_pb2.BinlogSource
        position: str
        stop_position: str
        state: str
        db_name: str
        transaction_timestamp: _vttime_pb2.Time
        time_updated: _vttime_pb2.Time
        message: str
        copy_states: _containers.RepeatedCompositeFieldContainer[Workflow.Stream.CopyState]
        logs: _containers.RepeatedCompositeFieldContainer[Workflow.Stream.Log]
        log_fetch_error: str
        tags: _containers.RepeatedScalarFieldContainer[str]
        rows_copied: int
        throttler_status: Workflow.Stream.ThrottlerStatus
        tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
        tablet_selection_preference: _tabletmanagerdata_pb2.TabletSelectionPreference
        cells: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, id: _Optional[int] = ..., shard: _Optional[str] = ..., tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., binlog_source: _Optional[_Union[_binlogdata_pb2.BinlogSource, _Mapping]] = ..., position: _Optional[str] = ..., stop_position: _Optional[str] = ..., state: _Optional[str] = ..., db_name: _Optional[str] = ..., transaction_timestamp: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., time_updated: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., message: _Optional[str] = ..., copy_states: _Optional[_Iterable[_Union[Workflow.Stream.CopyState, _Mapping]]] = ..., logs: _Optional[_Iterable[_Union[Workflow.Stream.Log, _Mapping]]] = ..., log_fetch_error: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., rows_copied: _Optional[int] = ..., throttler_status: _Optional[_Union[Workflow.Stream.ThrottlerStatus, _Mapping]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[_tabletmanagerdata_pb2.TabletSelectionPreference, str]] = ..., cells: _Optional[_Iterable[str]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MAX_V_REPLICATION_LAG_FIELD_NUMBER: _ClassVar[int]
    SHARD_STREAMS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_SUB_TYPE_FIELD_NUMBER: _ClassVar[int]
    MAX_V_REPLICATION_TRANSACTION_LAG_FIELD_NUMBER: _ClassVar[int]
    DEFER_SECONDARY_KEYS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    source: Workflow.ReplicationLocation
    target: Workflow.ReplicationLocation
    max_v_replication_lag: int
    shard_streams: _containers.MessageMap[str, Workflow.ShardStream]
    workflow_type: str
    workflow_sub_type: str
    max_v_replication_transaction_lag: int
    defer_secondary_keys: bool
    options: WorkflowOptions
    def __init__(self, name: _Optional[str] = ..., source: _Optional[_Union[Workflow.ReplicationLocation, _Mapping]] = ..., target: _Optional[_Union[Workflow.ReplicationLocation, _Mapping]] = ..., max_v_replication_lag: _Optional[int] = ..., shard_streams: _Optional[_Mapping[str, Workflow.ShardStream]] = ..., workflow_type: _Optional[str] = ..., workflow_sub_type: _Optional[str] = ..., max_v_replication_transaction_lag: _Optional[int] = ..., defer_secondary_keys: _Optional[bool] = ..., options: _Optional[_Union[WorkflowOptions, _Mapping]] = ...) -> None: ...

class AddCellInfoRequest(_message.Message):
    __slots__ = ("name", "cell_info")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CELL_INFO_FIELD_NUMBER: _ClassVar[int]
    name: str
    cell_info: _topodata_pb2.CellInfo
    def __init__(self, name: _Optional[str] = ..., cell_info: _Optional[_Union[_topodata_pb2.CellInfo, _Mapping]] = ...) -> None: ...

class AddCellInfoResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AddCellsAliasRequest(_message.Message):
    __slots__ = ("name", "cells")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    name: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ...) -> None: ...

class AddCellsAliasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ApplyKeyspaceRoutingRulesRequest(_message.Message):
    __slots__ = ("keyspace_routing_rules", "skip_rebuild", "rebuild_cells")
    KEYSPACE_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    SKIP_REBUILD_FIELD_NUMBER: _ClassVar[int]
    REBUILD_CELLS_FIELD_NUMBER: _ClassVar[int]
    keyspace_routing_rules: _vschema_pb2.KeyspaceRoutingRules
    skip_rebuild: bool
    rebuild_cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace_routing_rules: _Optional[_Union[_vschema_pb2.KeyspaceRoutingRules, _Mapping]] = ..., skip_rebuild: _Optional[bool] = ..., rebuild_cells: _Optional[_Iterable[str]] = ...) -> None: ...

class ApplyKeyspaceRoutingRulesResponse(_message.Message):
    __slots__ = ("keyspace_routing_rules",)
    KEYSPACE_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    keyspace_routing_rules: _vschema_pb2.KeyspaceRoutingRules
    def __init__(self, keyspace_routing_rules: _Optional[_Union[_vschema_pb2.KeyspaceRoutingRules, _Mapping]] = ...) -> None: ...

class ApplyRoutingRulesRequest(_message.Message):
    __slots__ = ("routing_rules", "skip_rebuild", "rebuild_cells")
    ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    SKIP_REBUILD_FIELD_NUMBER: _ClassVar[int]
    REBUILD_CELLS_FIELD_NUMBER: _ClassVar[int]
    routing_rules: _vschema_pb2.RoutingRules
    skip_rebuild: bool
    rebuild_cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, routing_rules: _Optional[_Union[_vschema_pb2.RoutingRules, _Mapping]] = ..., skip_rebuild: _Optional[bool] = ..., rebuild_cells: _Optional[_Iterable[str]] = ...) -> None: ...

class ApplyRoutingRulesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ApplyShardRoutingRulesRequest(_message.Message):
    __slots__ = ("shard_routing_rules", "skip_rebuild", "rebuild_cells")
    SHARD_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    SKIP_REBUILD_FIELD_NUMBER: _ClassVar[int]
    REBUILD_CELLS_FIELD_NUMBER: _ClassVar[int]
    shard_routing_rules: _vschema_pb2.ShardRoutingRules
    skip_rebuild: bool
    rebuild_cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, shard_routing_rules: _Optional[_Union[_vschema_pb2.ShardRoutingRules, _Mapping]] = ..., skip_rebuild: _Optional[bool] = ..., rebuild_cells: _Optional[_Iterable[str]] = ...) -> None: ...

class ApplyShardRoutingRulesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ApplySchemaRequest(_message.Message):
    __slots__ = ("keyspace", "sql", "ddl_strategy", "uuid_list", "migration_context", "wait_replicas_timeout", "caller_id", "batch_size")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    DDL_STRATEGY_FIELD_NUMBER: _ClassVar[int]
    UUID_LIST_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    WAIT_REPLICAS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    sql: _containers.RepeatedScalarFieldContainer[str]
    ddl_strategy: str
    uuid_list: _containers.RepeatedScalarFieldContainer[str]
    migration_context: str
    wait_replicas_timeout: _vttime_pb2.Duration
    caller_id: _vtrpc_pb2.CallerID
    batch_size: int
    def __init__(self, keyspace: _Optional[str] = ..., sql: _Optional[_Iterable[str]] = ..., ddl_strategy: _Optional[str] = ..., uuid_list: _Optional[_Iterable[str]] = ..., migration_context: _Optional[str] = ..., wait_replicas_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ..., batch_size: _Optional[int] = ...) -> None: ...

class ApplySchemaResponse(_message.Message):
    __slots__ = ("uuid_list", "rows_affected_by_shard")
    class RowsAffectedByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    UUID_LIST_FIELD_NUMBER: _ClassVar[int]
    ROWS_AFFECTED_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    uuid_list: _containers.RepeatedScalarFieldContainer[str]
    rows_affected_by_shard: _containers.ScalarMap[str, int]
    def __init__(self, uuid_list: _Optional[_Iterable[str]] = ..., rows_affected_by_shard: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ApplyVSchemaRequest(_message.Message):
    __slots__ = ("keyspace", "skip_rebuild", "dry_run", "cells", "v_schema", "sql", "strict")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SKIP_REBUILD_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    V_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    skip_rebuild: bool
    dry_run: bool
    cells: _containers.RepeatedScalarFieldContainer[str]
    v_schema: _vschema_pb2.Keyspace
    sql: str
    strict: bool
    def __init__(self, keyspace: _Optional[str] = ..., skip_rebuild: _Optional[bool] = ..., dry_run: _Optional[bool] = ..., cells: _Optional[_Iterable[str]] = ..., v_schema: _Optional[_Union[_vschema_pb2.Keyspace, _Mapping]] = ..., sql: _Optional[str] = ..., strict: _Optional[bool] = ...) -> None: ...

class ApplyVSchemaResponse(_message.Message):
    __slots__ = ("v_schema", "unknown_vindex_params")
    class UnknownVindexParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ApplyVSchemaResponse.ParamList
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ApplyVSchemaResponse.ParamList, _Mapping]] = ...) -> None: ...
    class ParamList(_message.Message):
        __slots__ = ("params",)
        PARAMS_FIELD_NUMBER: _ClassVar[int]
        params: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, params: _Optional[_Iterable[str]] = ...) -> None: ...
    V_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_VINDEX_PARAMS_FIELD_NUMBER: _ClassVar[int]
    v_schema: _vschema_pb2.Keyspace
    unknown_vindex_params: _containers.MessageMap[str, ApplyVSchemaResponse.ParamList]
    def __init__(self, v_schema: _Optional[_Union[_vschema_pb2.Keyspace, _Mapping]] = ..., unknown_vindex_params: _Optional[_Mapping[str, ApplyVSchemaResponse.ParamList]] = ...) -> None: ...

class BackupRequest(_message.Message):
    __slots__ = ("tablet_alias", "allow_primary", "concurrency", "incremental_from_pos", "upgrade_safe", "backup_engine", "mysql_shutdown_timeout", "init_sql")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    INCREMENTAL_FROM_POS_FIELD_NUMBER: _ClassVar[int]
    UPGRADE_SAFE_FIELD_NUMBER: _ClassVar[int]
    BACKUP_ENGINE_FIELD_NUMBER: _ClassVar[int]
    MYSQL_SHUTDOWN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    INIT_SQL_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    allow_primary: bool
    concurrency: int
    incremental_from_pos: str
    upgrade_safe: bool
    backup_engine: str
    mysql_shutdown_timeout: _vttime_pb2.Duration
    init_sql: _tabletmanagerdata_pb2.BackupRequest.InitSQL
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., allow_primary: _Optional[bool] = ..., concurrency: _Optional[int] = ..., incremental_from_pos: _Optional[str] = ..., upgrade_safe: _Optional[bool] = ..., backup_engine: _Optional[str] = ..., mysql_shutdown_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., init_sql: _Optional[_Union[_tabletmanagerdata_pb2.BackupRequest.InitSQL, _Mapping]] = ...) -> None: ...

class BackupResponse(_message.Message):
    __slots__ = ("tablet_alias", "keyspace", "shard", "event")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    keyspace: str
    shard: str
    event: _logutil_pb2.Event
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., event: _Optional[_Union[_logutil_pb2.Event, _Mapping]] = ...) -> None: ...

class BackupShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "allow_primary", "concurrency", "upgrade_safe", "incremental_from_pos", "mysql_shutdown_timeout", "init_sql")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    UPGRADE_SAFE_FIELD_NUMBER: _ClassVar[int]
    INCREMENTAL_FROM_POS_FIELD_NUMBER: _ClassVar[int]
    MYSQL_SHUTDOWN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    INIT_SQL_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    allow_primary: bool
    concurrency: int
    upgrade_safe: bool
    incremental_from_pos: str
    mysql_shutdown_timeout: _vttime_pb2.Duration
    init_sql: _tabletmanagerdata_pb2.BackupRequest.InitSQL
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., allow_primary: _Optional[bool] = ..., concurrency: _Optional[int] = ..., upgrade_safe: _Optional[bool] = ..., incremental_from_pos: _Optional[str] = ..., mysql_shutdown_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., init_sql: _Optional[_Union[_tabletmanagerdata_pb2.BackupRequest.InitSQL, _Mapping]] = ...) -> None: ...

class CancelSchemaMigrationRequest(_message.Message):
    __slots__ = ("keyspace", "uuid", "caller_id")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    uuid: str
    caller_id: _vtrpc_pb2.CallerID
    def __init__(self, keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ...) -> None: ...

class CancelSchemaMigrationResponse(_message.Message):
    __slots__ = ("rows_affected_by_shard",)
    class RowsAffectedByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROWS_AFFECTED_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    rows_affected_by_shard: _containers.ScalarMap[str, int]
    def __init__(self, rows_affected_by_shard: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ChangeTabletTagsRequest(_message.Message):
    __slots__ = ("tablet_alias", "tags", "replace")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    tags: _containers.ScalarMap[str, str]
    replace: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., replace: _Optional[bool] = ...) -> None: ...

class ChangeTabletTagsResponse(_message.Message):
    __slots__ = ("before_tags", "after_tags")
    class BeforeTagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AfterTagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BEFORE_TAGS_FIELD_NUMBER: _ClassVar[int]
    AFTER_TAGS_FIELD_NUMBER: _ClassVar[int]
    before_tags: _containers.ScalarMap[str, str]
    after_tags: _containers.ScalarMap[str, str]
    def __init__(self, before_tags: _Optional[_Mapping[str, str]] = ..., after_tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ChangeTabletTypeRequest(_message.Message):
    __slots__ = ("tablet_alias", "db_type", "dry_run")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    DB_TYPE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    db_type: _topodata_pb2.TabletType
    dry_run: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., db_type: _Optional[_Union[_topodata_pb2.TabletType, str]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class ChangeTabletTypeResponse(_message.Message):
    __slots__ = ("before_tablet", "after_tablet", "was_dry_run")
    BEFORE_TABLET_FIELD_NUMBER: _ClassVar[int]
    AFTER_TABLET_FIELD_NUMBER: _ClassVar[int]
    WAS_DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    before_tablet: _topodata_pb2.Tablet
    after_tablet: _topodata_pb2.Tablet
    was_dry_run: bool
    def __init__(self, before_tablet: _Optional[_Union[_topodata_pb2.Tablet, _Mapping]] = ..., after_tablet: _Optional[_Union[_topodata_pb2.Tablet, _Mapping]] = ..., was_dry_run: _Optional[bool] = ...) -> None: ...

class CheckThrottlerRequest(_message.Message):
    __slots__ = ("tablet_alias", "app_name", "scope", "skip_request_heartbeats", "ok_if_not_exists")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    APP_NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SKIP_REQUEST_HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    OK_IF_NOT_EXISTS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    app_name: str
    scope: str
    skip_request_heartbeats: bool
    ok_if_not_exists: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., app_name: _Optional[str] = ..., scope: _Optional[str] = ..., skip_request_heartbeats: _Optional[bool] = ..., ok_if_not_exists: _Optional[bool] = ...) -> None: ...

class CheckThrottlerResponse(_message.Message):
    __slots__ = ("tablet_alias", "Check")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    Check: _tabletmanagerdata_pb2.CheckThrottlerResponse
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., Check: _Optional[_Union[_tabletmanagerdata_pb2.CheckThrottlerResponse, _Mapping]] = ...) -> None: ...

class CleanupSchemaMigrationRequest(_message.Message):
    __slots__ = ("keyspace", "uuid", "caller_id")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    uuid: str
    caller_id: _vtrpc_pb2.CallerID
    def __init__(self, keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ...) -> None: ...

class CleanupSchemaMigrationResponse(_message.Message):
    __slots__ = ("rows_affected_by_shard",)
    class RowsAffectedByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROWS_AFFECTED_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    rows_affected_by_shard: _containers.ScalarMap[str, int]
    def __init__(self, rows_affected_by_shard: _Optional[_Mapping[str, int]] = ...) -> None: ...

class CompleteSchemaMigrationRequest(_message.Message):
    __slots__ = ("keyspace", "uuid", "caller_id")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    uuid: str
    caller_id: _vtrpc_pb2.CallerID
    def __init__(self, keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ...) -> None: ...

class CompleteSchemaMigrationResponse(_message.Message):
    __slots__ = ("rows_affected_by_shard",)
    class RowsAffectedByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROWS_AFFECTED_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    rows_affected_by_shard: _containers.ScalarMap[str, int]
    def __init__(self, rows_affected_by_shard: _Optional[_Mapping[str, int]] = ...) -> None: ...

class CopySchemaShardRequest(_message.Message):
    __slots__ = ("source_tablet_alias", "tables", "exclude_tables", "include_views", "skip_verify", "wait_replicas_timeout", "destination_keyspace", "destination_shard")
    SOURCE_TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VIEWS_FIELD_NUMBER: _ClassVar[int]
    SKIP_VERIFY_FIELD_NUMBER: _ClassVar[int]
    WAIT_REPLICAS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_SHARD_FIELD_NUMBER: _ClassVar[int]
    source_tablet_alias: _topodata_pb2.TabletAlias
    tables: _containers.RepeatedScalarFieldContainer[str]
    exclude_tables: _containers.RepeatedScalarFieldContainer[str]
    include_views: bool
    skip_verify: bool
    wait_replicas_timeout: _vttime_pb2.Duration
    destination_keyspace: str
    destination_shard: str
    def __init__(self, source_tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., tables: _Optional[_Iterable[str]] = ..., exclude_tables: _Optional[_Iterable[str]] = ..., include_views: _Optional[bool] = ..., skip_verify: _Optional[bool] = ..., wait_replicas_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., destination_keyspace: _Optional[str] = ..., destination_shard: _Optional[str] = ...) -> None: ...

class CopySchemaShardResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CreateKeyspaceRequest(_message.Message):
    __slots__ = ("name", "force", "allow_empty_v_schema", "type", "base_keyspace", "snapshot_time", "durability_policy", "sidecar_db_name")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_EMPTY_V_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BASE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_TIME_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_POLICY_FIELD_NUMBER: _ClassVar[int]
    SIDECAR_DB_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    force: bool
    allow_empty_v_schema: bool
    type: _topodata_pb2.KeyspaceType
    base_keyspace: str
    snapshot_time: _vttime_pb2.Time
    durability_policy: str
    sidecar_db_name: str
    def __init__(self, name: _Optional[str] = ..., force: _Optional[bool] = ..., allow_empty_v_schema: _Optional[bool] = ..., type: _Optional[_Union[_topodata_pb2.KeyspaceType, str]] = ..., base_keyspace: _Optional[str] = ..., snapshot_time: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., durability_policy: _Optional[str] = ..., sidecar_db_name: _Optional[str] = ...) -> None: ...

class CreateKeyspaceResponse(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: Keyspace
    def __init__(self, keyspace: _Optional[_Union[Keyspace, _Mapping]] = ...) -> None: ...

class CreateShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard_name", "force", "include_parent")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PARENT_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard_name: str
    force: bool
    include_parent: bool
    def __init__(self, keyspace: _Optional[str] = ..., shard_name: _Optional[str] = ..., force: _Optional[bool] = ..., include_parent: _Optional[bool] = ...) -> None: ...

class CreateShardResponse(_message.Message):
    __slots__ = ("keyspace", "shard", "shard_already_exists")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SHARD_ALREADY_EXISTS_FIELD_NUMBER: _ClassVar[int]
    keyspace: Keyspace
    shard: Shard
    shard_already_exists: bool
    def __init__(self, keyspace: _Optional[_Union[Keyspace, _Mapping]] = ..., shard: _Optional[_Union[Shard, _Mapping]] = ..., shard_already_exists: _Optional[bool] = ...) -> None: ...

class DeleteCellInfoRequest(_message.Message):
    __slots__ = ("name", "force")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    force: bool
    def __init__(self, name: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class DeleteCellInfoResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteCellsAliasRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteCellsAliasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace", "recursive", "force")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    recursive: bool
    force: bool
    def __init__(self, keyspace: _Optional[str] = ..., recursive: _Optional[bool] = ..., force: _Optional[bool] = ...) -> None: ...

class DeleteKeyspaceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteShardsRequest(_message.Message):
    __slots__ = ("shards", "recursive", "even_if_serving", "force")
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    EVEN_IF_SERVING_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    shards: _containers.RepeatedCompositeFieldContainer[Shard]
    recursive: bool
    even_if_serving: bool
    force: bool
    def __init__(self, shards: _Optional[_Iterable[_Union[Shard, _Mapping]]] = ..., recursive: _Optional[bool] = ..., even_if_serving: _Optional[bool] = ..., force: _Optional[bool] = ...) -> None: ...

class DeleteShardsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteSrvVSchemaRequest(_message.Message):
    __slots__ = ("cell",)
    CELL_FIELD_NUMBER: _ClassVar[int]
    cell: str
    def __init__(self, cell: _Optional[str] = ...) -> None: ...

class DeleteSrvVSchemaResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteTabletsRequest(_message.Message):
    __slots__ = ("tablet_aliases", "allow_primary")
    TABLET_ALIASES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    tablet_aliases: _containers.RepeatedCompositeFieldContainer[_topodata_pb2.TabletAlias]
    allow_primary: bool
    def __init__(self, tablet_aliases: _Optional[_Iterable[_Union[_topodata_pb2.TabletAlias, _Mapping]]] = ..., allow_primary: _Optional[bool] = ...) -> None: ...

class DeleteTabletsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EmergencyReparentShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "new_primary", "ignore_replicas", "wait_replicas_timeout", "prevent_cross_cell_promotion", "wait_for_all_tablets", "expected_primary")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    NEW_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    IGNORE_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    WAIT_REPLICAS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PREVENT_CROSS_CELL_PROMOTION_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_ALL_TABLETS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    new_primary: _topodata_pb2.TabletAlias
    ignore_replicas: _containers.RepeatedCompositeFieldContainer[_topodata_pb2.TabletAlias]
    wait_replicas_timeout: _vttime_pb2.Duration
    prevent_cross_cell_promotion: bool
    wait_for_all_tablets: bool
    expected_primary: _topodata_pb2.TabletAlias
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., new_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., ignore_replicas: _Optional[_Iterable[_Union[_topodata_pb2.TabletAlias, _Mapping]]] = ..., wait_replicas_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., prevent_cross_cell_promotion: _Optional[bool] = ..., wait_for_all_tablets: _Optional[bool] = ..., expected_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class EmergencyReparentShardResponse(_message.Message):
    __slots__ = ("keyspace", "shard", "promoted_primary", "events")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    promoted_primary: _topodata_pb2.TabletAlias
    events: _containers.RepeatedCompositeFieldContainer[_logutil_pb2.Event]
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., promoted_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_logutil_pb2.Event, _Mapping]]] = ...) -> None: ...

class ExecuteFetchAsAppRequest(_message.Message):
    __slots__ = ("tablet_alias", "query", "max_rows", "use_pool")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    USE_POOL_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    query: str
    max_rows: int
    use_pool: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., query: _Optional[str] = ..., max_rows: _Optional[int] = ..., use_pool: _Optional[bool] = ...) -> None: ...

class ExecuteFetchAsAppResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class ExecuteFetchAsDBARequest(_message.Message):
    __slots__ = ("tablet_alias", "query", "max_rows", "disable_binlogs", "reload_schema")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    DISABLE_BINLOGS_FIELD_NUMBER: _ClassVar[int]
    RELOAD_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    query: str
    max_rows: int
    disable_binlogs: bool
    reload_schema: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., query: _Optional[str] = ..., max_rows: _Optional[int] = ..., disable_binlogs: _Optional[bool] = ..., reload_schema: _Optional[bool] = ...) -> None: ...

class ExecuteFetchAsDBAResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class ExecuteHookRequest(_message.Message):
    __slots__ = ("tablet_alias", "tablet_hook_request")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TABLET_HOOK_REQUEST_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    tablet_hook_request: _tabletmanagerdata_pb2.ExecuteHookRequest
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., tablet_hook_request: _Optional[_Union[_tabletmanagerdata_pb2.ExecuteHookRequest, _Mapping]] = ...) -> None: ...

class ExecuteHookResponse(_message.Message):
    __slots__ = ("hook_result",)
    HOOK_RESULT_FIELD_NUMBER: _ClassVar[int]
    hook_result: _tabletmanagerdata_pb2.ExecuteHookResponse
    def __init__(self, hook_result: _Optional[_Union[_tabletmanagerdata_pb2.ExecuteHookResponse, _Mapping]] = ...) -> None: ...

class ExecuteMultiFetchAsDBARequest(_message.Message):
    __slots__ = ("tablet_alias", "sql", "max_rows", "disable_binlogs", "reload_schema")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    DISABLE_BINLOGS_FIELD_NUMBER: _ClassVar[int]
    RELOAD_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    sql: str
    max_rows: int
    disable_binlogs: bool
    reload_schema: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., sql: _Optional[str] = ..., max_rows: _Optional[int] = ..., disable_binlogs: _Optional[bool] = ..., reload_schema: _Optional[bool] = ...) -> None: ...

class ExecuteMultiFetchAsDBAResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_query_pb2.QueryResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_query_pb2.QueryResult, _Mapping]]] = ...) -> None: ...

class FindAllShardsInKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    def __init__(self, keyspace: _Optional[str] = ...) -> None: ...

class FindAllShardsInKeyspaceResponse(_message.Message):
    __slots__ = ("shards",)
    class ShardsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Shard
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Shard, _Mapping]] = ...) -> None: ...
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    shards: _containers.MessageMap[str, Shard]
    def __init__(self, shards: _Optional[_Mapping[str, Shard]] = ...) -> None: ...

class ForceCutOverSchemaMigrationRequest(_message.Message):
    __slots__ = ("keyspace", "uuid", "caller_id")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    uuid: str
    caller_id: _vtrpc_pb2.CallerID
    def __init__(self, keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ...) -> None: ...

class ForceCutOverSchemaMigrationResponse(_message.Message):
    __slots__ = ("rows_affected_by_shard",)
    class RowsAffectedByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROWS_AFFECTED_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    rows_affected_by_shard: _containers.ScalarMap[str, int]
    def __init__(self, rows_affected_by_shard: _Optional[_Mapping[str, int]] = ...) -> None: ...

class GetBackupsRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "limit", "detailed", "detailed_limit")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    DETAILED_FIELD_NUMBER: _ClassVar[int]
    DETAILED_LIMIT_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    limit: int
    detailed: bool
    detailed_limit: int
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., limit: _Optional[int] = ..., detailed: _Optional[bool] = ..., detailed_limit: _Optional[int] = ...) -> None: ...

class GetBackupsResponse(_message.Message):
    __slots__ = ("backups",)
    BACKUPS_FIELD_NUMBER: _ClassVar[int]
    backups: _containers.RepeatedCompositeFieldContainer[_mysqlctl_pb2.BackupInfo]
    def __init__(self, backups: _Optional[_Iterable[_Union[_mysqlctl_pb2.BackupInfo, _Mapping]]] = ...) -> None: ...

class GetCellInfoRequest(_message.Message):
    __slots__ = ("cell",)
    CELL_FIELD_NUMBER: _ClassVar[int]
    cell: str
    def __init__(self, cell: _Optional[str] = ...) -> None: ...

class GetCellInfoResponse(_message.Message):
    __slots__ = ("cell_info",)
    CELL_INFO_FIELD_NUMBER: _ClassVar[int]
    cell_info: _topodata_pb2.CellInfo
    def __init__(self, cell_info: _Optional[_Union[_topodata_pb2.CellInfo, _Mapping]] = ...) -> None: ...

class GetCellInfoNamesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCellInfoNamesResponse(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class GetCellsAliasesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCellsAliasesResponse(_message.Message):
    __slots__ = ("aliases",)
    class AliasesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _topodata_pb2.CellsAlias
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_topodata_pb2.CellsAlias, _Mapping]] = ...) -> None: ...
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    aliases: _containers.MessageMap[str, _topodata_pb2.CellsAlias]
    def __init__(self, aliases: _Optional[_Mapping[str, _topodata_pb2.CellsAlias]] = ...) -> None: ...

class GetFullStatusRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class GetFullStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _replicationdata_pb2.FullStatus
    def __init__(self, status: _Optional[_Union[_replicationdata_pb2.FullStatus, _Mapping]] = ...) -> None: ...

class GetKeyspacesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetKeyspacesResponse(_message.Message):
    __slots__ = ("keyspaces",)
    KEYSPACES_FIELD_NUMBER: _ClassVar[int]
    keyspaces: _containers.RepeatedCompositeFieldContainer[Keyspace]
    def __init__(self, keyspaces: _Optional[_Iterable[_Union[Keyspace, _Mapping]]] = ...) -> None: ...

class GetKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    def __init__(self, keyspace: _Optional[str] = ...) -> None: ...

class GetKeyspaceResponse(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: Keyspace
    def __init__(self, keyspace: _Optional[_Union[Keyspace, _Mapping]] = ...) -> None: ...

class GetPermissionsRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class GetPermissionsResponse(_message.Message):
    __slots__ = ("permissions",)
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    permissions: _tabletmanagerdata_pb2.Permissions
    def __init__(self, permissions: _Optional[_Union[_tabletmanagerdata_pb2.Permissions, _Mapping]] = ...) -> None: ...

class GetKeyspaceRoutingRulesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetKeyspaceRoutingRulesResponse(_message.Message):
    __slots__ = ("keyspace_routing_rules",)
    KEYSPACE_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    keyspace_routing_rules: _vschema_pb2.KeyspaceRoutingRules
    def __init__(self, keyspace_routing_rules: _Optional[_Union[_vschema_pb2.KeyspaceRoutingRules, _Mapping]] = ...) -> None: ...

class GetRoutingRulesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRoutingRulesResponse(_message.Message):
    __slots__ = ("routing_rules",)
    ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    routing_rules: _vschema_pb2.RoutingRules
    def __init__(self, routing_rules: _Optional[_Union[_vschema_pb2.RoutingRules, _Mapping]] = ...) -> None: ...

class GetSchemaRequest(_message.Message):
    __slots__ = ("tablet_alias", "tables", "exclude_tables", "include_views", "table_names_only", "table_sizes_only", "table_schema_only")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VIEWS_FIELD_NUMBER: _ClassVar[int]
    TABLE_NAMES_ONLY_FIELD_NUMBER: _ClassVar[int]
    TABLE_SIZES_ONLY_FIELD_NUMBER: _ClassVar[int]
    TABLE_SCHEMA_ONLY_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    tables: _containers.RepeatedScalarFieldContainer[str]
    exclude_tables: _containers.RepeatedScalarFieldContainer[str]
    include_views: bool
    table_names_only: bool
    table_sizes_only: bool
    table_schema_only: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., tables: _Optional[_Iterable[str]] = ..., exclude_tables: _Optional[_Iterable[str]] = ..., include_views: _Optional[bool] = ..., table_names_only: _Optional[bool] = ..., table_sizes_only: _Optional[bool] = ..., table_schema_only: _Optional[bool] = ...) -> None: ...

class GetSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: _tabletmanagerdata_pb2.SchemaDefinition
    def __init__(self, schema: _Optional[_Union[_tabletmanagerdata_pb2.SchemaDefinition, _Mapping]] = ...) -> None: ...

class GetSchemaMigrationsRequest(_message.Message):
    __slots__ = ("keyspace", "uuid", "migration_context", "status", "recent", "order", "limit", "skip")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    uuid: str
    migration_context: str
    status: SchemaMigration.Status
    recent: _vttime_pb2.Duration
    order: QueryOrdering
    limit: int
    skip: int
    def __init__(self, keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., migration_context: _Optional[str] = ..., status: _Optional[_Union[SchemaMigration.Status, str]] = ..., recent: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., order: _Optional[_Union[QueryOrdering, str]] = ..., limit: _Optional[int] = ..., skip: _Optional[int] = ...) -> None: ...

class GetSchemaMigrationsResponse(_message.Message):
    __slots__ = ("migrations",)
    MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    migrations: _containers.RepeatedCompositeFieldContainer[SchemaMigration]
    def __init__(self, migrations: _Optional[_Iterable[_Union[SchemaMigration, _Mapping]]] = ...) -> None: ...

class GetShardReplicationRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "cells")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ...) -> None: ...

class GetShardReplicationResponse(_message.Message):
    __slots__ = ("shard_replication_by_cell",)
    class ShardReplicationByCellEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _topodata_pb2.ShardReplication
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_topodata_pb2.ShardReplication, _Mapping]] = ...) -> None: ...
    SHARD_REPLICATION_BY_CELL_FIELD_NUMBER: _ClassVar[int]
    shard_replication_by_cell: _containers.MessageMap[str, _topodata_pb2.ShardReplication]
    def __init__(self, shard_replication_by_cell: _Optional[_Mapping[str, _topodata_pb2.ShardReplication]] = ...) -> None: ...

class GetShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard_name")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_NAME_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard_name: str
    def __init__(self, keyspace: _Optional[str] = ..., shard_name: _Optional[str] = ...) -> None: ...

class GetShardResponse(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: Shard
    def __init__(self, shard: _Optional[_Union[Shard, _Mapping]] = ...) -> None: ...

class GetShardRoutingRulesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetShardRoutingRulesResponse(_message.Message):
    __slots__ = ("shard_routing_rules",)
    SHARD_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    shard_routing_rules: _vschema_pb2.ShardRoutingRules
    def __init__(self, shard_routing_rules: _Optional[_Union[_vschema_pb2.ShardRoutingRules, _Mapping]] = ...) -> None: ...

class GetSrvKeyspaceNamesRequest(_message.Message):
    __slots__ = ("cells",)
    CELLS_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cells: _Optional[_Iterable[str]] = ...) -> None: ...

class GetSrvKeyspaceNamesResponse(_message.Message):
    __slots__ = ("names",)
    class NamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GetSrvKeyspaceNamesResponse.NameList
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GetSrvKeyspaceNamesResponse.NameList, _Mapping]] = ...) -> None: ...
    class NameList(_message.Message):
        __slots__ = ("names",)
        NAMES_FIELD_NUMBER: _ClassVar[int]
        names: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.MessageMap[str, GetSrvKeyspaceNamesResponse.NameList]
    def __init__(self, names: _Optional[_Mapping[str, GetSrvKeyspaceNamesResponse.NameList]] = ...) -> None: ...

class GetSrvKeyspacesRequest(_message.Message):
    __slots__ = ("keyspace", "cells")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ...) -> None: ...

class GetSrvKeyspacesResponse(_message.Message):
    __slots__ = ("srv_keyspaces",)
    class SrvKeyspacesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _topodata_pb2.SrvKeyspace
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_topodata_pb2.SrvKeyspace, _Mapping]] = ...) -> None: ...
    SRV_KEYSPACES_FIELD_NUMBER: _ClassVar[int]
    srv_keyspaces: _containers.MessageMap[str, _topodata_pb2.SrvKeyspace]
    def __init__(self, srv_keyspaces: _Optional[_Mapping[str, _topodata_pb2.SrvKeyspace]] = ...) -> None: ...

class UpdateThrottlerConfigRequest(_message.Message):
    __slots__ = ("keyspace", "enable", "disable", "threshold", "custom_query", "custom_query_set", "check_as_check_self", "check_as_check_shard", "throttled_app", "metric_name", "app_name", "app_checked_metrics")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    ENABLE_FIELD_NUMBER: _ClassVar[int]
    DISABLE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_QUERY_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_QUERY_SET_FIELD_NUMBER: _ClassVar[int]
    CHECK_AS_CHECK_SELF_FIELD_NUMBER: _ClassVar[int]
    CHECK_AS_CHECK_SHARD_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_APP_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    APP_NAME_FIELD_NUMBER: _ClassVar[int]
    APP_CHECKED_METRICS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    enable: bool
    disable: bool
    threshold: float
    custom_query: str
    custom_query_set: bool
    check_as_check_self: bool
    check_as_check_shard: bool
    throttled_app: _topodata_pb2.ThrottledAppRule
    metric_name: str
    app_name: str
    app_checked_metrics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., enable: _Optional[bool] = ..., disable: _Optional[bool] = ..., threshold: _Optional[float] = ..., custom_query: _Optional[str] = ..., custom_query_set: _Optional[bool] = ..., check_as_check_self: _Optional[bool] = ..., check_as_check_shard: _Optional[bool] = ..., throttled_app: _Optional[_Union[_topodata_pb2.ThrottledAppRule, _Mapping]] = ..., metric_name: _Optional[str] = ..., app_name: _Optional[str] = ..., app_checked_metrics: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateThrottlerConfigResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSrvVSchemaRequest(_message.Message):
    __slots__ = ("cell",)
    CELL_FIELD_NUMBER: _ClassVar[int]
    cell: str
    def __init__(self, cell: _Optional[str] = ...) -> None: ...

class GetSrvVSchemaResponse(_message.Message):
    __slots__ = ("srv_v_schema",)
    SRV_V_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    srv_v_schema: _vschema_pb2.SrvVSchema
    def __init__(self, srv_v_schema: _Optional[_Union[_vschema_pb2.SrvVSchema, _Mapping]] = ...) -> None: ...

class GetSrvVSchemasRequest(_message.Message):
    __slots__ = ("cells",)
    CELLS_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cells: _Optional[_Iterable[str]] = ...) -> None: ...

class GetSrvVSchemasResponse(_message.Message):
    __slots__ = ("srv_v_schemas",)
    class SrvVSchemasEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _vschema_pb2.SrvVSchema
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_vschema_pb2.SrvVSchema, _Mapping]] = ...) -> None: ...
    SRV_V_SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    srv_v_schemas: _containers.MessageMap[str, _vschema_pb2.SrvVSchema]
    def __init__(self, srv_v_schemas: _Optional[_Mapping[str, _vschema_pb2.SrvVSchema]] = ...) -> None: ...

class GetTabletRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class GetTabletResponse(_message.Message):
    __slots__ = ("tablet",)
    TABLET_FIELD_NUMBER: _ClassVar[int]
    tablet: _topodata_pb2.Tablet
    def __init__(self, tablet: _Optional[_Union[_topodata_pb2.Tablet, _Mapping]] = ...) -> None: ...

class GetTabletsRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "cells", "strict", "tablet_aliases", "tablet_type")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    TABLET_ALIASES_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    strict: bool
    tablet_aliases: _containers.RepeatedCompositeFieldContainer[_topodata_pb2.TabletAlias]
    tablet_type: _topodata_pb2.TabletType
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ..., strict: _Optional[bool] = ..., tablet_aliases: _Optional[_Iterable[_Union[_topodata_pb2.TabletAlias, _Mapping]]] = ..., tablet_type: _Optional[_Union[_topodata_pb2.TabletType, str]] = ...) -> None: ...

class GetTabletsResponse(_message.Message):
    __slots__ = ("tablets",)
    TABLETS_FIELD_NUMBER: _ClassVar[int]
    tablets: _containers.RepeatedCompositeFieldContainer[_topodata_pb2.Tablet]
    def __init__(self, tablets: _Optional[_Iterable[_Union[_topodata_pb2.Tablet, _Mapping]]] = ...) -> None: ...

class GetThrottlerStatusRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class GetThrottlerStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _tabletmanagerdata_pb2.GetThrottlerStatusResponse
    def __init__(self, status: _Optional[_Union[_tabletmanagerdata_pb2.GetThrottlerStatusResponse, _Mapping]] = ...) -> None: ...

class GetTopologyPathRequest(_message.Message):
    __slots__ = ("path", "version", "as_json")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AS_JSON_FIELD_NUMBER: _ClassVar[int]
    path: str
    version: int
    as_json: bool
    def __init__(self, path: _Optional[str] = ..., version: _Optional[int] = ..., as_json: _Optional[bool] = ...) -> None: ...

class GetTopologyPathResponse(_message.Message):
    __slots__ = ("cell",)
    CELL_FIELD_NUMBER: _ClassVar[int]
    cell: TopologyCell
    def __init__(self, cell: _Optional[_Union[TopologyCell, _Mapping]] = ...) -> None: ...

class TopologyCell(_message.Message):
    __slots__ = ("name", "path", "data", "children", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    path: str
    data: str
    children: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, name: _Optional[str] = ..., path: _Optional[str] = ..., data: _Optional[str] = ..., children: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class GetUnresolvedTransactionsRequest(_message.Message):
    __slots__ = ("keyspace", "abandon_age")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    ABANDON_AGE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    abandon_age: int
    def __init__(self, keyspace: _Optional[str] = ..., abandon_age: _Optional[int] = ...) -> None: ...

class GetUnresolvedTransactionsResponse(_message.Message):
    __slots__ = ("transactions",)
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    transactions: _containers.RepeatedCompositeFieldContainer[_query_pb2.TransactionMetadata]
    def __init__(self, transactions: _Optional[_Iterable[_Union[_query_pb2.TransactionMetadata, _Mapping]]] = ...) -> None: ...

class GetTransactionInfoRequest(_message.Message):
    __slots__ = ("dtid",)
    DTID_FIELD_NUMBER: _ClassVar[int]
    dtid: str
    def __init__(self, dtid: _Optional[str] = ...) -> None: ...

class ShardTransactionState(_message.Message):
    __slots__ = ("shard", "state", "message", "time_created", "statements")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_CREATED_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    shard: str
    state: str
    message: str
    time_created: int
    statements: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, shard: _Optional[str] = ..., state: _Optional[str] = ..., message: _Optional[str] = ..., time_created: _Optional[int] = ..., statements: _Optional[_Iterable[str]] = ...) -> None: ...

class GetTransactionInfoResponse(_message.Message):
    __slots__ = ("metadata", "shard_states")
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SHARD_STATES_FIELD_NUMBER: _ClassVar[int]
    metadata: _query_pb2.TransactionMetadata
    shard_states: _containers.RepeatedCompositeFieldContainer[ShardTransactionState]
    def __init__(self, metadata: _Optional[_Union[_query_pb2.TransactionMetadata, _Mapping]] = ..., shard_states: _Optional[_Iterable[_Union[ShardTransactionState, _Mapping]]] = ...) -> None: ...

class ConcludeTransactionRequest(_message.Message):
    __slots__ = ("dtid", "participants")
    DTID_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    dtid: str
    participants: _containers.RepeatedCompositeFieldContainer[_query_pb2.Target]
    def __init__(self, dtid: _Optional[str] = ..., participants: _Optional[_Iterable[_Union[_query_pb2.Target, _Mapping]]] = ...) -> None: ...

class ConcludeTransactionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetVSchemaRequest(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    def __init__(self, keyspace: _Optional[str] = ...) -> None: ...

class GetVersionRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class GetVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class GetVSchemaResponse(_message.Message):
    __slots__ = ("v_schema",)
    V_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    v_schema: _vschema_pb2.Keyspace
    def __init__(self, v_schema: _Optional[_Union[_vschema_pb2.Keyspace, _Mapping]] = ...) -> None: ...

class GetWorkflowsRequest(_message.Message):
    __slots__ = ("keyspace", "active_only", "name_only", "workflow", "include_logs", "shards")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    NAME_ONLY_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_LOGS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    active_only: bool
    name_only: bool
    workflow: str
    include_logs: bool
    shards: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., active_only: _Optional[bool] = ..., name_only: _Optional[bool] = ..., workflow: _Optional[str] = ..., include_logs: _Optional[bool] = ..., shards: _Optional[_Iterable[str]] = ...) -> None: ...

class GetWorkflowsResponse(_message.Message):
    __slots__ = ("workflows",)
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    workflows: _containers.RepeatedCompositeFieldContainer[Workflow]
    def __init__(self, workflows: _Optional[_Iterable[_Union[Workflow, _Mapping]]] = ...) -> None: ...

class InitShardPrimaryRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "primary_elect_tablet_alias", "force", "wait_replicas_timeout")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_ELECT_TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    WAIT_REPLICAS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    primary_elect_tablet_alias: _topodata_pb2.TabletAlias
    force: bool
    wait_replicas_timeout: _vttime_pb2.Duration
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., primary_elect_tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., force: _Optional[bool] = ..., wait_replicas_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ...) -> None: ...

class InitShardPrimaryResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_logutil_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_logutil_pb2.Event, _Mapping]]] = ...) -> None: ...

class LaunchSchemaMigrationRequest(_message.Message):
    __slots__ = ("keyspace", "uuid", "caller_id")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    uuid: str
    caller_id: _vtrpc_pb2.CallerID
    def __init__(self, keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ...) -> None: ...

class LaunchSchemaMigrationResponse(_message.Message):
    __slots__ = ("rows_affected_by_shard",)
    class RowsAffectedByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROWS_AFFECTED_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    rows_affected_by_shard: _containers.ScalarMap[str, int]
    def __init__(self, rows_affected_by_shard: _Optional[_Mapping[str, int]] = ...) -> None: ...

class LookupVindexCompleteRequest(_message.Message):
    __slots__ = ("keyspace", "name", "table_keyspace")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TABLE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    name: str
    table_keyspace: str
    def __init__(self, keyspace: _Optional[str] = ..., name: _Optional[str] = ..., table_keyspace: _Optional[str] = ...) -> None: ...

class LookupVindexCompleteResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LookupVindexCreateRequest(_message.Message):
    __slots__ = ("keyspace", "workflow", "cells", "vindex", "continue_after_copy_with_owner", "tablet_types", "tablet_selection_preference")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    VINDEX_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_AFTER_COPY_WITH_OWNER_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    workflow: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    vindex: _vschema_pb2.Keyspace
    continue_after_copy_with_owner: bool
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: _tabletmanagerdata_pb2.TabletSelectionPreference
    def __init__(self, keyspace: _Optional[str] = ..., workflow: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ..., vindex: _Optional[_Union[_vschema_pb2.Keyspace, _Mapping]] = ..., continue_after_copy_with_owner: _Optional[bool] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[_tabletmanagerdata_pb2.TabletSelectionPreference, str]] = ...) -> None: ...

class LookupVindexCreateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LookupVindexExternalizeRequest(_message.Message):
    __slots__ = ("keyspace", "name", "table_keyspace", "delete_workflow")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TABLE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    DELETE_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    name: str
    table_keyspace: str
    delete_workflow: bool
    def __init__(self, keyspace: _Optional[str] = ..., name: _Optional[str] = ..., table_keyspace: _Optional[str] = ..., delete_workflow: _Optional[bool] = ...) -> None: ...

class LookupVindexExternalizeResponse(_message.Message):
    __slots__ = ("workflow_stopped", "workflow_deleted")
    WORKFLOW_STOPPED_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_DELETED_FIELD_NUMBER: _ClassVar[int]
    workflow_stopped: bool
    workflow_deleted: bool
    def __init__(self, workflow_stopped: _Optional[bool] = ..., workflow_deleted: _Optional[bool] = ...) -> None: ...

class LookupVindexInternalizeRequest(_message.Message):
    __slots__ = ("keyspace", "name", "table_keyspace")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TABLE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    name: str
    table_keyspace: str
    def __init__(self, keyspace: _Optional[str] = ..., name: _Optional[str] = ..., table_keyspace: _Optional[str] = ...) -> None: ...

class LookupVindexInternalizeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MaterializeCreateRequest(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: MaterializeSettings
    def __init__(self, settings: _Optional[_Union[MaterializeSettings, _Mapping]] = ...) -> None: ...

class MaterializeCreateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkflowAddTablesRequest(_message.Message):
    __slots__ = ("workflow", "keyspace", "table_settings", "materialization_intent")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    TABLE_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    MATERIALIZATION_INTENT_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    keyspace: str
    table_settings: _containers.RepeatedCompositeFieldContainer[TableMaterializeSettings]
    materialization_intent: MaterializationIntent
    def __init__(self, workflow: _Optional[str] = ..., keyspace: _Optional[str] = ..., table_settings: _Optional[_Iterable[_Union[TableMaterializeSettings, _Mapping]]] = ..., materialization_intent: _Optional[_Union[MaterializationIntent, str]] = ...) -> None: ...

class WorkflowAddTablesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MigrateCreateRequest(_message.Message):
    __slots__ = ("workflow", "source_keyspace", "target_keyspace", "mount_name", "cells", "tablet_types", "tablet_selection_preference", "all_tables", "include_tables", "exclude_tables", "source_time_zone", "on_ddl", "stop_after_copy", "drop_foreign_keys", "defer_secondary_keys", "auto_start", "no_routing_rules")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    SOURCE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    MOUNT_NAME_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    ALL_TABLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    ON_DDL_FIELD_NUMBER: _ClassVar[int]
    STOP_AFTER_COPY_FIELD_NUMBER: _ClassVar[int]
    DROP_FOREIGN_KEYS_FIELD_NUMBER: _ClassVar[int]
    DEFER_SECONDARY_KEYS_FIELD_NUMBER: _ClassVar[int]
    AUTO_START_FIELD_NUMBER: _ClassVar[int]
    NO_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    source_keyspace: str
    target_keyspace: str
    mount_name: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: _tabletmanagerdata_pb2.TabletSelectionPreference
    all_tables: bool
    include_tables: _containers.RepeatedScalarFieldContainer[str]
    exclude_tables: _containers.RepeatedScalarFieldContainer[str]
    source_time_zone: str
    on_ddl: str
    stop_after_copy: bool
    drop_foreign_keys: bool
    defer_secondary_keys: bool
    auto_start: bool
    no_routing_rules: bool
    def __init__(self, workflow: _Optional[str] = ..., source_keyspace: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., mount_name: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[_tabletmanagerdata_pb2.TabletSelectionPreference, str]] = ..., all_tables: _Optional[bool] = ..., include_tables: _Optional[_Iterable[str]] = ..., exclude_tables: _Optional[_Iterable[str]] = ..., source_time_zone: _Optional[str] = ..., on_ddl: _Optional[str] = ..., stop_after_copy: _Optional[bool] = ..., drop_foreign_keys: _Optional[bool] = ..., defer_secondary_keys: _Optional[bool] = ..., auto_start: _Optional[bool] = ..., no_routing_rules: _Optional[bool] = ...) -> None: ...

class MigrateCompleteRequest(_message.Message):
    __slots__ = ("workflow", "target_keyspace", "keep_data", "keep_routing_rules", "rename_tables", "dry_run")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    KEEP_DATA_FIELD_NUMBER: _ClassVar[int]
    KEEP_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    RENAME_TABLES_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    target_keyspace: str
    keep_data: bool
    keep_routing_rules: bool
    rename_tables: bool
    dry_run: bool
    def __init__(self, workflow: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., keep_data: _Optional[bool] = ..., keep_routing_rules: _Optional[bool] = ..., rename_tables: _Optional[bool] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class MigrateCompleteResponse(_message.Message):
    __slots__ = ("summary", "dry_run_results")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_RESULTS_FIELD_NUMBER: _ClassVar[int]
    summary: str
    dry_run_results: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, summary: _Optional[str] = ..., dry_run_results: _Optional[_Iterable[str]] = ...) -> None: ...

class MountRegisterRequest(_message.Message):
    __slots__ = ("topo_type", "topo_server", "topo_root", "name")
    TOPO_TYPE_FIELD_NUMBER: _ClassVar[int]
    TOPO_SERVER_FIELD_NUMBER: _ClassVar[int]
    TOPO_ROOT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    topo_type: str
    topo_server: str
    topo_root: str
    name: str
    def __init__(self, topo_type: _Optional[str] = ..., topo_server: _Optional[str] = ..., topo_root: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class MountRegisterResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MountUnregisterRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class MountUnregisterResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MountShowRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class MountShowResponse(_message.Message):
    __slots__ = ("topo_type", "topo_server", "topo_root", "name")
    TOPO_TYPE_FIELD_NUMBER: _ClassVar[int]
    TOPO_SERVER_FIELD_NUMBER: _ClassVar[int]
    TOPO_ROOT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    topo_type: str
    topo_server: str
    topo_root: str
    name: str
    def __init__(self, topo_type: _Optional[str] = ..., topo_server: _Optional[str] = ..., topo_root: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class MountListRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MountListResponse(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class MoveTablesCreateRequest(_message.Message):
    __slots__ = ("workflow", "source_keyspace", "target_keyspace", "cells", "tablet_types", "tablet_selection_preference", "source_shards", "all_tables", "include_tables", "exclude_tables", "external_cluster_name", "source_time_zone", "on_ddl", "stop_after_copy", "drop_foreign_keys", "defer_secondary_keys", "auto_start", "no_routing_rules", "atomic_copy", "workflow_options")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    SOURCE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SHARDS_FIELD_NUMBER: _ClassVar[int]
    ALL_TABLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CLUSTER_NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    ON_DDL_FIELD_NUMBER: _ClassVar[int]
    STOP_AFTER_COPY_FIELD_NUMBER: _ClassVar[int]
    DROP_FOREIGN_KEYS_FIELD_NUMBER: _ClassVar[int]
    DEFER_SECONDARY_KEYS_FIELD_NUMBER: _ClassVar[int]
    AUTO_START_FIELD_NUMBER: _ClassVar[int]
    NO_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    ATOMIC_COPY_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    source_keyspace: str
    target_keyspace: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: _tabletmanagerdata_pb2.TabletSelectionPreference
    source_shards: _containers.RepeatedScalarFieldContainer[str]
    all_tables: bool
    include_tables: _containers.RepeatedScalarFieldContainer[str]
    exclude_tables: _containers.RepeatedScalarFieldContainer[str]
    external_cluster_name: str
    source_time_zone: str
    on_ddl: str
    stop_after_copy: bool
    drop_foreign_keys: bool
    defer_secondary_keys: bool
    auto_start: bool
    no_routing_rules: bool
    atomic_copy: bool
    workflow_options: WorkflowOptions
    def __init__(self, workflow: _Optional[str] = ..., source_keyspace: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[_tabletmanagerdata_pb2.TabletSelectionPreference, str]] = ..., source_shards: _Optional[_Iterable[str]] = ..., all_tables: _Optional[bool] = ..., include_tables: _Optional[_Iterable[str]] = ..., exclude_tables: _Optional[_Iterable[str]] = ..., external_cluster_name: _Optional[str] = ..., source_time_zone: _Optional[str] = ..., on_ddl: _Optional[str] = ..., stop_after_copy: _Optional[bool] = ..., drop_foreign_keys: _Optional[bool] = ..., defer_secondary_keys: _Optional[bool] = ..., auto_start: _Optional[bool] = ..., no_routing_rules: _Optional[bool] = ..., atomic_copy: _Optional[bool] = ..., workflow_options: _Optional[_Union[WorkflowOptions, _Mapping]] = ...) -> None: ...

class MoveTablesCreateResponse(_message.Message):
    __slots__ = ("summary", "details")
    class TabletInfo(_message.Message):
        __slots__ = ("tablet", "created")
        TABLET_FIELD_NUMBER: _ClassVar[int]
        CREATED_FIELD_NUMBER: _ClassVar[int]
        tablet: _topodata_pb2.TabletAlias
        created: bool
        def __init__(self, tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., created: _Optional[bool] = ...) -> None: ...
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    summary: str
    details: _containers.RepeatedCompositeFieldContainer[MoveTablesCreateResponse.TabletInfo]
    def __init__(self, summary: _Optional[str] = ..., details: _Optional[_Iterable[_Union[MoveTablesCreateResponse.TabletInfo, _Mapping]]] = ...) -> None: ...

class MoveTablesCompleteRequest(_message.Message):
    __slots__ = ("workflow", "target_keyspace", "keep_data", "keep_routing_rules", "rename_tables", "dry_run", "shards", "ignore_source_keyspace")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    KEEP_DATA_FIELD_NUMBER: _ClassVar[int]
    KEEP_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    RENAME_TABLES_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    IGNORE_SOURCE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    target_keyspace: str
    keep_data: bool
    keep_routing_rules: bool
    rename_tables: bool
    dry_run: bool
    shards: _containers.RepeatedScalarFieldContainer[str]
    ignore_source_keyspace: bool
    def __init__(self, workflow: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., keep_data: _Optional[bool] = ..., keep_routing_rules: _Optional[bool] = ..., rename_tables: _Optional[bool] = ..., dry_run: _Optional[bool] = ..., shards: _Optional[_Iterable[str]] = ..., ignore_source_keyspace: _Optional[bool] = ...) -> None: ...

class MoveTablesCompleteResponse(_message.Message):
    __slots__ = ("summary", "dry_run_results")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_RESULTS_FIELD_NUMBER: _ClassVar[int]
    summary: str
    dry_run_results: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, summary: _Optional[str] = ..., dry_run_results: _Optional[_Iterable[str]] = ...) -> None: ...

class PingTabletRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class PingTabletResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PlannedReparentShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "new_primary", "avoid_primary", "wait_replicas_timeout", "tolerable_replication_lag", "allow_cross_cell_promotion", "expected_primary")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    NEW_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    AVOID_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    WAIT_REPLICAS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    TOLERABLE_REPLICATION_LAG_FIELD_NUMBER: _ClassVar[int]
    ALLOW_CROSS_CELL_PROMOTION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    new_primary: _topodata_pb2.TabletAlias
    avoid_primary: _topodata_pb2.TabletAlias
    wait_replicas_timeout: _vttime_pb2.Duration
    tolerable_replication_lag: _vttime_pb2.Duration
    allow_cross_cell_promotion: bool
    expected_primary: _topodata_pb2.TabletAlias
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., new_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., avoid_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., wait_replicas_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., tolerable_replication_lag: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., allow_cross_cell_promotion: _Optional[bool] = ..., expected_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class PlannedReparentShardResponse(_message.Message):
    __slots__ = ("keyspace", "shard", "promoted_primary", "events")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    promoted_primary: _topodata_pb2.TabletAlias
    events: _containers.RepeatedCompositeFieldContainer[_logutil_pb2.Event]
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., promoted_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_logutil_pb2.Event, _Mapping]]] = ...) -> None: ...

class RebuildKeyspaceGraphRequest(_message.Message):
    __slots__ = ("keyspace", "cells", "allow_partial")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    allow_partial: bool
    def __init__(self, keyspace: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ..., allow_partial: _Optional[bool] = ...) -> None: ...

class RebuildKeyspaceGraphResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RebuildVSchemaGraphRequest(_message.Message):
    __slots__ = ("cells",)
    CELLS_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cells: _Optional[_Iterable[str]] = ...) -> None: ...

class RebuildVSchemaGraphResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefreshStateRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class RefreshStateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefreshStateByShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "cells")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ...) -> None: ...

class RefreshStateByShardResponse(_message.Message):
    __slots__ = ("is_partial_refresh", "partial_refresh_details")
    IS_PARTIAL_REFRESH_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_REFRESH_DETAILS_FIELD_NUMBER: _ClassVar[int]
    is_partial_refresh: bool
    partial_refresh_details: str
    def __init__(self, is_partial_refresh: _Optional[bool] = ..., partial_refresh_details: _Optional[str] = ...) -> None: ...

class ReloadSchemaRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class ReloadSchemaResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadSchemaKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace", "wait_position", "include_primary", "concurrency")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    WAIT_POSITION_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    wait_position: str
    include_primary: bool
    concurrency: int
    def __init__(self, keyspace: _Optional[str] = ..., wait_position: _Optional[str] = ..., include_primary: _Optional[bool] = ..., concurrency: _Optional[int] = ...) -> None: ...

class ReloadSchemaKeyspaceResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_logutil_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_logutil_pb2.Event, _Mapping]]] = ...) -> None: ...

class ReloadSchemaShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "wait_position", "include_primary", "concurrency")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    WAIT_POSITION_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    wait_position: str
    include_primary: bool
    concurrency: int
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., wait_position: _Optional[str] = ..., include_primary: _Optional[bool] = ..., concurrency: _Optional[int] = ...) -> None: ...

class ReloadSchemaShardResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_logutil_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_logutil_pb2.Event, _Mapping]]] = ...) -> None: ...

class RemoveBackupRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "name")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    name: str
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class RemoveBackupResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RemoveKeyspaceCellRequest(_message.Message):
    __slots__ = ("keyspace", "cell", "force", "recursive")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    cell: str
    force: bool
    recursive: bool
    def __init__(self, keyspace: _Optional[str] = ..., cell: _Optional[str] = ..., force: _Optional[bool] = ..., recursive: _Optional[bool] = ...) -> None: ...

class RemoveKeyspaceCellResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RemoveShardCellRequest(_message.Message):
    __slots__ = ("keyspace", "shard_name", "cell", "force", "recursive")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_NAME_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard_name: str
    cell: str
    force: bool
    recursive: bool
    def __init__(self, keyspace: _Optional[str] = ..., shard_name: _Optional[str] = ..., cell: _Optional[str] = ..., force: _Optional[bool] = ..., recursive: _Optional[bool] = ...) -> None: ...

class RemoveShardCellResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReparentTabletRequest(_message.Message):
    __slots__ = ("tablet",)
    TABLET_FIELD_NUMBER: _ClassVar[int]
    tablet: _topodata_pb2.TabletAlias
    def __init__(self, tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class ReparentTabletResponse(_message.Message):
    __slots__ = ("keyspace", "shard", "primary")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    primary: _topodata_pb2.TabletAlias
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class ReshardCreateRequest(_message.Message):
    __slots__ = ("workflow", "keyspace", "source_shards", "target_shards", "cells", "tablet_types", "tablet_selection_preference", "skip_schema_copy", "on_ddl", "stop_after_copy", "defer_secondary_keys", "auto_start", "workflow_options")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SHARDS_FIELD_NUMBER: _ClassVar[int]
    TARGET_SHARDS_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    SKIP_SCHEMA_COPY_FIELD_NUMBER: _ClassVar[int]
    ON_DDL_FIELD_NUMBER: _ClassVar[int]
    STOP_AFTER_COPY_FIELD_NUMBER: _ClassVar[int]
    DEFER_SECONDARY_KEYS_FIELD_NUMBER: _ClassVar[int]
    AUTO_START_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    keyspace: str
    source_shards: _containers.RepeatedScalarFieldContainer[str]
    target_shards: _containers.RepeatedScalarFieldContainer[str]
    cells: _containers.RepeatedScalarFieldContainer[str]
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: _tabletmanagerdata_pb2.TabletSelectionPreference
    skip_schema_copy: bool
    on_ddl: str
    stop_after_copy: bool
    defer_secondary_keys: bool
    auto_start: bool
    workflow_options: WorkflowOptions
    def __init__(self, workflow: _Optional[str] = ..., keyspace: _Optional[str] = ..., source_shards: _Optional[_Iterable[str]] = ..., target_shards: _Optional[_Iterable[str]] = ..., cells: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[_tabletmanagerdata_pb2.TabletSelectionPreference, str]] = ..., skip_schema_copy: _Optional[bool] = ..., on_ddl: _Optional[str] = ..., stop_after_copy: _Optional[bool] = ..., defer_secondary_keys: _Optional[bool] = ..., auto_start: _Optional[bool] = ..., workflow_options: _Optional[_Union[WorkflowOptions, _Mapping]] = ...) -> None: ...

class RestoreFromBackupRequest(_message.Message):
    __slots__ = ("tablet_alias", "backup_time", "restore_to_pos", "dry_run", "restore_to_timestamp", "allowed_backup_engines")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    BACKUP_TIME_FIELD_NUMBER: _ClassVar[int]
    RESTORE_TO_POS_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    RESTORE_TO_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_BACKUP_ENGINES_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    backup_time: _vttime_pb2.Time
    restore_to_pos: str
    dry_run: bool
    restore_to_timestamp: _vttime_pb2.Time
    allowed_backup_engines: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., backup_time: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., restore_to_pos: _Optional[str] = ..., dry_run: _Optional[bool] = ..., restore_to_timestamp: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., allowed_backup_engines: _Optional[_Iterable[str]] = ...) -> None: ...

class RestoreFromBackupResponse(_message.Message):
    __slots__ = ("tablet_alias", "keyspace", "shard", "event")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    keyspace: str
    shard: str
    event: _logutil_pb2.Event
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., event: _Optional[_Union[_logutil_pb2.Event, _Mapping]] = ...) -> None: ...

class RetrySchemaMigrationRequest(_message.Message):
    __slots__ = ("keyspace", "uuid", "caller_id")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    uuid: str
    caller_id: _vtrpc_pb2.CallerID
    def __init__(self, keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ...) -> None: ...

class RetrySchemaMigrationResponse(_message.Message):
    __slots__ = ("rows_affected_by_shard",)
    class RowsAffectedByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROWS_AFFECTED_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    rows_affected_by_shard: _containers.ScalarMap[str, int]
    def __init__(self, rows_affected_by_shard: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RunHealthCheckRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class RunHealthCheckResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetKeyspaceDurabilityPolicyRequest(_message.Message):
    __slots__ = ("keyspace", "durability_policy")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_POLICY_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    durability_policy: str
    def __init__(self, keyspace: _Optional[str] = ..., durability_policy: _Optional[str] = ...) -> None: ...

class SetKeyspaceDurabilityPolicyResponse(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: _topodata_pb2.Keyspace
    def __init__(self, keyspace: _Optional[_Union[_topodata_pb2.Keyspace, _Mapping]] = ...) -> None: ...

class SetKeyspaceShardingInfoRequest(_message.Message):
    __slots__ = ("keyspace", "force")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    force: bool
    def __init__(self, keyspace: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class SetKeyspaceShardingInfoResponse(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: _topodata_pb2.Keyspace
    def __init__(self, keyspace: _Optional[_Union[_topodata_pb2.Keyspace, _Mapping]] = ...) -> None: ...

class SetShardIsPrimaryServingRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "is_serving")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    IS_SERVING_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    is_serving: bool
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., is_serving: _Optional[bool] = ...) -> None: ...

class SetShardIsPrimaryServingResponse(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: _topodata_pb2.Shard
    def __init__(self, shard: _Optional[_Union[_topodata_pb2.Shard, _Mapping]] = ...) -> None: ...

class SetShardTabletControlRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "tablet_type", "cells", "denied_tables", "disable_query_service", "remove")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    DENIED_TABLES_FIELD_NUMBER: _ClassVar[int]
    DISABLE_QUERY_SERVICE_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    tablet_type: _topodata_pb2.TabletType
    cells: _containers.RepeatedScalarFieldContainer[str]
    denied_tables: _containers.RepeatedScalarFieldContainer[str]
    disable_query_service: bool
    remove: bool
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., tablet_type: _Optional[_Union[_topodata_pb2.TabletType, str]] = ..., cells: _Optional[_Iterable[str]] = ..., denied_tables: _Optional[_Iterable[str]] = ..., disable_query_service: _Optional[bool] = ..., remove: _Optional[bool] = ...) -> None: ...

class SetShardTabletControlResponse(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: _topodata_pb2.Shard
    def __init__(self, shard: _Optional[_Union[_topodata_pb2.Shard, _Mapping]] = ...) -> None: ...

class SetWritableRequest(_message.Message):
    __slots__ = ("tablet_alias", "writable")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    WRITABLE_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    writable: bool
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., writable: _Optional[bool] = ...) -> None: ...

class SetWritableResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShardReplicationAddRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "tablet_alias")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class ShardReplicationAddResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShardReplicationFixRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "cell")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    cell: str
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., cell: _Optional[str] = ...) -> None: ...

class ShardReplicationFixResponse(_message.Message):
    __slots__ = ("error",)
    ERROR_FIELD_NUMBER: _ClassVar[int]
    error: _topodata_pb2.ShardReplicationError
    def __init__(self, error: _Optional[_Union[_topodata_pb2.ShardReplicationError, _Mapping]] = ...) -> None: ...

class ShardReplicationPositionsRequest(_message.Message):
    __slots__ = ("keyspace", "shard")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ...) -> None: ...

class ShardReplicationPositionsResponse(_message.Message):
    __slots__ = ("replication_statuses", "tablet_map")
    class ReplicationStatusesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _replicationdata_pb2.Status
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_replicationdata_pb2.Status, _Mapping]] = ...) -> None: ...
    class TabletMapEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _topodata_pb2.Tablet
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_topodata_pb2.Tablet, _Mapping]] = ...) -> None: ...
    REPLICATION_STATUSES_FIELD_NUMBER: _ClassVar[int]
    TABLET_MAP_FIELD_NUMBER: _ClassVar[int]
    replication_statuses: _containers.MessageMap[str, _replicationdata_pb2.Status]
    tablet_map: _containers.MessageMap[str, _topodata_pb2.Tablet]
    def __init__(self, replication_statuses: _Optional[_Mapping[str, _replicationdata_pb2.Status]] = ..., tablet_map: _Optional[_Mapping[str, _topodata_pb2.Tablet]] = ...) -> None: ...

class ShardReplicationRemoveRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "tablet_alias")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class ShardReplicationRemoveResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SleepTabletRequest(_message.Message):
    __slots__ = ("tablet_alias", "duration")
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    duration: _vttime_pb2.Duration
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., duration: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ...) -> None: ...

class SleepTabletResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SourceShardAddRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "uid", "source_keyspace", "source_shard", "key_range", "tables")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SHARD_FIELD_NUMBER: _ClassVar[int]
    KEY_RANGE_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    uid: int
    source_keyspace: str
    source_shard: str
    key_range: _topodata_pb2.KeyRange
    tables: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., uid: _Optional[int] = ..., source_keyspace: _Optional[str] = ..., source_shard: _Optional[str] = ..., key_range: _Optional[_Union[_topodata_pb2.KeyRange, _Mapping]] = ..., tables: _Optional[_Iterable[str]] = ...) -> None: ...

class SourceShardAddResponse(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: _topodata_pb2.Shard
    def __init__(self, shard: _Optional[_Union[_topodata_pb2.Shard, _Mapping]] = ...) -> None: ...

class SourceShardDeleteRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "uid")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    uid: int
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., uid: _Optional[int] = ...) -> None: ...

class SourceShardDeleteResponse(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: _topodata_pb2.Shard
    def __init__(self, shard: _Optional[_Union[_topodata_pb2.Shard, _Mapping]] = ...) -> None: ...

class StartReplicationRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class StartReplicationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopReplicationRequest(_message.Message):
    __slots__ = ("tablet_alias",)
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: _topodata_pb2.TabletAlias
    def __init__(self, tablet_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class StopReplicationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TabletExternallyReparentedRequest(_message.Message):
    __slots__ = ("tablet",)
    TABLET_FIELD_NUMBER: _ClassVar[int]
    tablet: _topodata_pb2.TabletAlias
    def __init__(self, tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class TabletExternallyReparentedResponse(_message.Message):
    __slots__ = ("keyspace", "shard", "new_primary", "old_primary")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    NEW_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    OLD_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    new_primary: _topodata_pb2.TabletAlias
    old_primary: _topodata_pb2.TabletAlias
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., new_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., old_primary: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class UpdateCellInfoRequest(_message.Message):
    __slots__ = ("name", "cell_info")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CELL_INFO_FIELD_NUMBER: _ClassVar[int]
    name: str
    cell_info: _topodata_pb2.CellInfo
    def __init__(self, name: _Optional[str] = ..., cell_info: _Optional[_Union[_topodata_pb2.CellInfo, _Mapping]] = ...) -> None: ...

class UpdateCellInfoResponse(_message.Message):
    __slots__ = ("name", "cell_info")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CELL_INFO_FIELD_NUMBER: _ClassVar[int]
    name: str
    cell_info: _topodata_pb2.CellInfo
    def __init__(self, name: _Optional[str] = ..., cell_info: _Optional[_Union[_topodata_pb2.CellInfo, _Mapping]] = ...) -> None: ...

class UpdateCellsAliasRequest(_message.Message):
    __slots__ = ("name", "cells_alias")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CELLS_ALIAS_FIELD_NUMBER: _ClassVar[int]
    name: str
    cells_alias: _topodata_pb2.CellsAlias
    def __init__(self, name: _Optional[str] = ..., cells_alias: _Optional[_Union[_topodata_pb2.CellsAlias, _Mapping]] = ...) -> None: ...

class UpdateCellsAliasResponse(_message.Message):
    __slots__ = ("name", "cells_alias")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CELLS_ALIAS_FIELD_NUMBER: _ClassVar[int]
    name: str
    cells_alias: _topodata_pb2.CellsAlias
    def __init__(self, name: _Optional[str] = ..., cells_alias: _Optional[_Union[_topodata_pb2.CellsAlias, _Mapping]] = ...) -> None: ...

class ValidateRequest(_message.Message):
    __slots__ = ("ping_tablets",)
    PING_TABLETS_FIELD_NUMBER: _ClassVar[int]
    ping_tablets: bool
    def __init__(self, ping_tablets: _Optional[bool] = ...) -> None: ...

class ValidateResponse(_message.Message):
    __slots__ = ("results", "results_by_keyspace")
    class ResultsByKeyspaceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ValidateKeyspaceResponse
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ValidateKeyspaceResponse, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_BY_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedScalarFieldContainer[str]
    results_by_keyspace: _containers.MessageMap[str, ValidateKeyspaceResponse]
    def __init__(self, results: _Optional[_Iterable[str]] = ..., results_by_keyspace: _Optional[_Mapping[str, ValidateKeyspaceResponse]] = ...) -> None: ...

class ValidateKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace", "ping_tablets")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    PING_TABLETS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    ping_tablets: bool
    def __init__(self, keyspace: _Optional[str] = ..., ping_tablets: _Optional[bool] = ...) -> None: ...

class ValidateKeyspaceResponse(_message.Message):
    __slots__ = ("results", "results_by_shard")
    class ResultsByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ValidateShardResponse
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ValidateShardResponse, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedScalarFieldContainer[str]
    results_by_shard: _containers.MessageMap[str, ValidateShardResponse]
    def __init__(self, results: _Optional[_Iterable[str]] = ..., results_by_shard: _Optional[_Mapping[str, ValidateShardResponse]] = ...) -> None: ...

class ValidatePermissionsKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace", "shards")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shards: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., shards: _Optional[_Iterable[str]] = ...) -> None: ...

class ValidatePermissionsKeyspaceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ValidateSchemaKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace", "exclude_tables", "include_views", "skip_no_primary", "include_vschema", "shards")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VIEWS_FIELD_NUMBER: _ClassVar[int]
    SKIP_NO_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VSCHEMA_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    exclude_tables: _containers.RepeatedScalarFieldContainer[str]
    include_views: bool
    skip_no_primary: bool
    include_vschema: bool
    shards: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., exclude_tables: _Optional[_Iterable[str]] = ..., include_views: _Optional[bool] = ..., skip_no_primary: _Optional[bool] = ..., include_vschema: _Optional[bool] = ..., shards: _Optional[_Iterable[str]] = ...) -> None: ...

class ValidateSchemaKeyspaceResponse(_message.Message):
    __slots__ = ("results", "results_by_shard")
    class ResultsByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ValidateShardResponse
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ValidateShardResponse, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedScalarFieldContainer[str]
    results_by_shard: _containers.MessageMap[str, ValidateShardResponse]
    def __init__(self, results: _Optional[_Iterable[str]] = ..., results_by_shard: _Optional[_Mapping[str, ValidateShardResponse]] = ...) -> None: ...

class ValidateShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "ping_tablets")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    PING_TABLETS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    ping_tablets: bool
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., ping_tablets: _Optional[bool] = ...) -> None: ...

class ValidateShardResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, results: _Optional[_Iterable[str]] = ...) -> None: ...

class ValidateVersionKeyspaceRequest(_message.Message):
    __slots__ = ("keyspace",)
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    def __init__(self, keyspace: _Optional[str] = ...) -> None: ...

class ValidateVersionKeyspaceResponse(_message.Message):
    __slots__ = ("results", "results_by_shard")
    class ResultsByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ValidateShardResponse
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ValidateShardResponse, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedScalarFieldContainer[str]
    results_by_shard: _containers.MessageMap[str, ValidateShardResponse]
    def __init__(self, results: _Optional[_Iterable[str]] = ..., results_by_shard: _Optional[_Mapping[str, ValidateShardResponse]] = ...) -> None: ...

class ValidateVersionShardRequest(_message.Message):
    __slots__ = ("keyspace", "shard")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ...) -> None: ...

class ValidateVersionShardResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, results: _Optional[_Iterable[str]] = ...) -> None: ...

class ValidateVSchemaRequest(_message.Message):
    __slots__ = ("keyspace", "shards", "exclude_tables", "include_views")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VIEWS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shards: _containers.RepeatedScalarFieldContainer[str]
    exclude_tables: _containers.RepeatedScalarFieldContainer[str]
    include_views: bool
    def __init__(self, keyspace: _Optional[str] = ..., shards: _Optional[_Iterable[str]] = ..., exclude_tables: _Optional[_Iterable[str]] = ..., include_views: _Optional[bool] = ...) -> None: ...

class ValidateVSchemaResponse(_message.Message):
    __slots__ = ("results", "results_by_shard")
    class ResultsByShardEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ValidateShardResponse
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ValidateShardResponse, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_BY_SHARD_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedScalarFieldContainer[str]
    results_by_shard: _containers.MessageMap[str, ValidateShardResponse]
    def __init__(self, results: _Optional[_Iterable[str]] = ..., results_by_shard: _Optional[_Mapping[str, ValidateShardResponse]] = ...) -> None: ...

class VDiffCreateRequest(_message.Message):
    __slots__ = ("workflow", "target_keyspace", "uuid", "source_cells", "target_cells", "tablet_types", "tablet_selection_preference", "tables", "limit", "filtered_replication_wait_time", "debug_query", "only_p_ks", "update_table_stats", "max_extra_rows_to_compare", "wait", "wait_update_interval", "auto_retry", "verbose", "max_report_sample_rows", "max_diff_duration", "row_diff_column_truncate_at", "auto_start")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CELLS_FIELD_NUMBER: _ClassVar[int]
    TARGET_CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FILTERED_REPLICATION_WAIT_TIME_FIELD_NUMBER: _ClassVar[int]
    DEBUG_QUERY_FIELD_NUMBER: _ClassVar[int]
    ONLY_P_KS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TABLE_STATS_FIELD_NUMBER: _ClassVar[int]
    MAX_EXTRA_ROWS_TO_COMPARE_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_UPDATE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    AUTO_RETRY_FIELD_NUMBER: _ClassVar[int]
    VERBOSE_FIELD_NUMBER: _ClassVar[int]
    MAX_REPORT_SAMPLE_ROWS_FIELD_NUMBER: _ClassVar[int]
    MAX_DIFF_DURATION_FIELD_NUMBER: _ClassVar[int]
    ROW_DIFF_COLUMN_TRUNCATE_AT_FIELD_NUMBER: _ClassVar[int]
    AUTO_START_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    target_keyspace: str
    uuid: str
    source_cells: _containers.RepeatedScalarFieldContainer[str]
    target_cells: _containers.RepeatedScalarFieldContainer[str]
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: _tabletmanagerdata_pb2.TabletSelectionPreference
    tables: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    filtered_replication_wait_time: _vttime_pb2.Duration
    debug_query: bool
    only_p_ks: bool
    update_table_stats: bool
    max_extra_rows_to_compare: int
    wait: bool
    wait_update_interval: _vttime_pb2.Duration
    auto_retry: bool
    verbose: bool
    max_report_sample_rows: int
    max_diff_duration: _vttime_pb2.Duration
    row_diff_column_truncate_at: int
    auto_start: bool
    def __init__(self, workflow: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., source_cells: _Optional[_Iterable[str]] = ..., target_cells: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[_tabletmanagerdata_pb2.TabletSelectionPreference, str]] = ..., tables: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ..., filtered_replication_wait_time: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., debug_query: _Optional[bool] = ..., only_p_ks: _Optional[bool] = ..., update_table_stats: _Optional[bool] = ..., max_extra_rows_to_compare: _Optional[int] = ..., wait: _Optional[bool] = ..., wait_update_interval: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., auto_retry: _Optional[bool] = ..., verbose: _Optional[bool] = ..., max_report_sample_rows: _Optional[int] = ..., max_diff_duration: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., row_diff_column_truncate_at: _Optional[int] = ..., auto_start: _Optional[bool] = ...) -> None: ...

class VDiffCreateResponse(_message.Message):
    __slots__ = ("UUID",)
    UUID_FIELD_NUMBER: _ClassVar[int]
    UUID: str
    def __init__(self, UUID: _Optional[str] = ...) -> None: ...

class VDiffDeleteRequest(_message.Message):
    __slots__ = ("workflow", "target_keyspace", "arg")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    ARG_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    target_keyspace: str
    arg: str
    def __init__(self, workflow: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., arg: _Optional[str] = ...) -> None: ...

class VDiffDeleteResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VDiffResumeRequest(_message.Message):
    __slots__ = ("workflow", "target_keyspace", "uuid", "target_shards")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    TARGET_SHARDS_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    target_keyspace: str
    uuid: str
    target_shards: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, workflow: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., target_shards: _Optional[_Iterable[str]] = ...) -> None: ...

class VDiffResumeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VDiffShowRequest(_message.Message):
    __slots__ = ("workflow", "target_keyspace", "arg")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    ARG_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    target_keyspace: str
    arg: str
    def __init__(self, workflow: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., arg: _Optional[str] = ...) -> None: ...

class VDiffShowResponse(_message.Message):
    __slots__ = ("tablet_responses",)
    class TabletResponsesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _tabletmanagerdata_pb2.VDiffResponse
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_tabletmanagerdata_pb2.VDiffResponse, _Mapping]] = ...) -> None: ...
    TABLET_RESPONSES_FIELD_NUMBER: _ClassVar[int]
    tablet_responses: _containers.MessageMap[str, _tabletmanagerdata_pb2.VDiffResponse]
    def __init__(self, tablet_responses: _Optional[_Mapping[str, _tabletmanagerdata_pb2.VDiffResponse]] = ...) -> None: ...

class VDiffStopRequest(_message.Message):
    __slots__ = ("workflow", "target_keyspace", "uuid", "target_shards")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TARGET_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    TARGET_SHARDS_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    target_keyspace: str
    uuid: str
    target_shards: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, workflow: _Optional[str] = ..., target_keyspace: _Optional[str] = ..., uuid: _Optional[str] = ..., target_shards: _Optional[_Iterable[str]] = ...) -> None: ...

class VDiffStopResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkflowDeleteRequest(_message.Message):
    __slots__ = ("keyspace", "workflow", "keep_data", "keep_routing_rules", "shards", "delete_batch_size", "ignore_source_keyspace")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    KEEP_DATA_FIELD_NUMBER: _ClassVar[int]
    KEEP_ROUTING_RULES_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    DELETE_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    IGNORE_SOURCE_KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    workflow: str
    keep_data: bool
    keep_routing_rules: bool
    shards: _containers.RepeatedScalarFieldContainer[str]
    delete_batch_size: int
    ignore_source_keyspace: bool
    def __init__(self, keyspace: _Optional[str] = ..., workflow: _Optional[str] = ..., keep_data: _Optional[bool] = ..., keep_routing_rules: _Optional[bool] = ..., shards: _Optional[_Iterable[str]] = ..., delete_batch_size: _Optional[int] = ..., ignore_source_keyspace: _Optional[bool] = ...) -> None: ...

class WorkflowDeleteResponse(_message.Message):
    __slots__ = ("summary", "details")
    class TabletInfo(_message.Message):
        __slots__ = ("tablet", "deleted")
        TABLET_FIELD_NUMBER: _ClassVar[int]
        DELETED_FIELD_NUMBER: _ClassVar[int]
        tablet: _topodata_pb2.TabletAlias
        deleted: bool
        def __init__(self, tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., deleted: _Optional[bool] = ...) -> None: ...
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    summary: str
    details: _containers.RepeatedCompositeFieldContainer[WorkflowDeleteResponse.TabletInfo]
    def __init__(self, summary: _Optional[str] = ..., details: _Optional[_Iterable[_Union[WorkflowDeleteResponse.TabletInfo, _Mapping]]] = ...) -> None: ...

class WorkflowStatusRequest(_message.Message):
    __slots__ = ("keyspace", "workflow", "shards")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    workflow: str
    shards: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keyspace: _Optional[str] = ..., workflow: _Optional[str] = ..., shards: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkflowStatusResponse(_message.Message):
    __slots__ = ("table_copy_state", "shard_streams", "traffic_state")
    class TableCopyState(_message.Message):
        __slots__ = ("rows_copied", "rows_total", "rows_percentage", "bytes_copied", "bytes_total", "bytes_percentage", "phase")
        ROWS_COPIED_FIELD_NUMBER: _ClassVar[int]
        ROWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
        ROWS_PERCENTAGE_FIELD_NUMBER: _ClassVar[int]
        BYTES_COPIED_FIELD_NUMBER: _ClassVar[int]
        BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
        BYTES_PERCENTAGE_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        rows_copied: int
        rows_total: int
        rows_percentage: float
        bytes_copied: int
        bytes_total: int
        bytes_percentage: float
        phase: TableCopyPhase
        def __init__(self, rows_copied: _Optional[int] = ..., rows_total: _Optional[int] = ..., rows_percentage: _Optional[float] = ..., bytes_copied: _Optional[int] = ..., bytes_total: _Optional[int] = ..., bytes_percentage: _Optional[float] = ..., phase: _Optional[_Union[TableCopyPhase, str]] = ...) -> None: ...
    class ShardStreamState(_message.Message):
        __slots__ = ("id", "tablet", "source_shard", "position", "status", "info")
        ID_FIELD_NUMBER: _ClassVar[int]
        TABLET_FIELD_NUMBER: _ClassVar[int]
        SOURCE_SHARD_FIELD_NUMBER: _ClassVar[int]
        POSITION_FIELD_NUMBER: _ClassVar[int]
        STATUS_FIELD_NUMBER: _ClassVar[int]
        INFO_FIELD_NUMBER: _ClassVar[int]
        id: int
        tablet: _topodata_pb2.TabletAlias
        source_shard: str
        position: str
        status: str
        info: str
        def __init__(self, id: _Optional[int] = ..., tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., source_shard: _Optional[str] = ..., position: _Optional[str] = ..., status: _Optional[str] = ..., info: _Optional[str] = ...) -> None: ...
    class ShardStreams(_message.Message):
        __slots__ = ("streams",)
        STREAMS_FIELD_NUMBER: _ClassVar[int]
        streams: _containers.RepeatedCompositeFieldContainer[WorkflowStatusResponse.ShardStreamState]
        def __init__(self, streams: _Optional[_Iterable[_Union[WorkflowStatusResponse.ShardStreamState, _Mapping]]] = ...) -> None: ...
    class TableCopyStateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: WorkflowStatusResponse.TableCopyState
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[WorkflowStatusResponse.TableCopyState, _Mapping]] = ...) -> None: ...
    class ShardStreamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: WorkflowStatusResponse.ShardStreams
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[WorkflowStatusResponse.ShardStreams, _Mapping]] = ...) -> None: ...
    TABLE_COPY_STATE_FIELD_NUMBER: _ClassVar[int]
    SHARD_STREAMS_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_STATE_FIELD_NUMBER: _ClassVar[int]
    table_copy_state: _containers.MessageMap[str, WorkflowStatusResponse.TableCopyState]
    shard_streams: _containers.MessageMap[str, WorkflowStatusResponse.ShardStreams]
    traffic_state: str
    def __init__(self, table_copy_state: _Optional[_Mapping[str, WorkflowStatusResponse.TableCopyState]] = ..., shard_streams: _Optional[_Mapping[str, WorkflowStatusResponse.ShardStreams]] = ..., traffic_state: _Optional[str] = ...) -> None: ...

class WorkflowSwitchTrafficRequest(_message.Message):
    __slots__ = ("keyspace", "workflow", "cells", "tablet_types", "max_replication_lag_allowed", "enable_reverse_replication", "direction", "timeout", "dry_run", "initialize_target_sequences", "shards", "force")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    MAX_REPLICATION_LAG_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    ENABLE_REVERSE_REPLICATION_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    INITIALIZE_TARGET_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    workflow: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    max_replication_lag_allowed: _vttime_pb2.Duration
    enable_reverse_replication: bool
    direction: int
    timeout: _vttime_pb2.Duration
    dry_run: bool
    initialize_target_sequences: bool
    shards: _containers.RepeatedScalarFieldContainer[str]
    force: bool
    def __init__(self, keyspace: _Optional[str] = ..., workflow: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., max_replication_lag_allowed: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., enable_reverse_replication: _Optional[bool] = ..., direction: _Optional[int] = ..., timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., dry_run: _Optional[bool] = ..., initialize_target_sequences: _Optional[bool] = ..., shards: _Optional[_Iterable[str]] = ..., force: _Optional[bool] = ...) -> None: ...

class WorkflowSwitchTrafficResponse(_message.Message):
    __slots__ = ("summary", "start_state", "current_state", "dry_run_results")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    START_STATE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_STATE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_RESULTS_FIELD_NUMBER: _ClassVar[int]
    summary: str
    start_state: str
    current_state: str
    dry_run_results: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, summary: _Optional[str] = ..., start_state: _Optional[str] = ..., current_state: _Optional[str] = ..., dry_run_results: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkflowUpdateRequest(_message.Message):
    __slots__ = ("keyspace", "tablet_request")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    TABLET_REQUEST_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    tablet_request: _tabletmanagerdata_pb2.UpdateVReplicationWorkflowRequest
    def __init__(self, keyspace: _Optional[str] = ..., tablet_request: _Optional[_Union[_tabletmanagerdata_pb2.UpdateVReplicationWorkflowRequest, _Mapping]] = ...) -> None: ...

class WorkflowUpdateResponse(_message.Message):
    __slots__ = ("summary", "details")
    class TabletInfo(_message.Message):
        __slots__ = ("tablet", "changed")
        TABLET_FIELD_NUMBER: _ClassVar[int]
        CHANGED_FIELD_NUMBER: _ClassVar[int]
        tablet: _topodata_pb2.TabletAlias
        changed: bool
        def __init__(self, tablet: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., changed: _Optional[bool] = ...) -> None: ...
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    summary: str
    details: _containers.RepeatedCompositeFieldContainer[WorkflowUpdateResponse.TabletInfo]
    def __init__(self, summary: _Optional[str] = ..., details: _Optional[_Iterable[_Union[WorkflowUpdateResponse.TabletInfo, _Mapping]]] = ...) -> None: ...

class GetMirrorRulesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMirrorRulesResponse(_message.Message):
    __slots__ = ("mirror_rules",)
    MIRROR_RULES_FIELD_NUMBER: _ClassVar[int]
    mirror_rules: _vschema_pb2.MirrorRules
    def __init__(self, mirror_rules: _Optional[_Union[_vschema_pb2.MirrorRules, _Mapping]] = ...) -> None: ...

class WorkflowMirrorTrafficRequest(_message.Message):
    __slots__ = ("keyspace", "workflow", "tablet_types", "percent")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    workflow: str
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    percent: float
    def __init__(self, keyspace: _Optional[str] = ..., workflow: _Optional[str] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., percent: _Optional[float] = ...) -> None: ...

class WorkflowMirrorTrafficResponse(_message.Message):
    __slots__ = ("summary", "start_state", "current_state")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    START_STATE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_STATE_FIELD_NUMBER: _ClassVar[int]
    summary: str
    start_state: str
    current_state: str
    def __init__(self, summary: _Optional[str] = ..., start_state: _Optional[str] = ..., current_state: _Optional[str] = ...) -> None: ...

class SetVtorcEmergencyReparentRequest(_message.Message):
    __slots__ = ("keyspace", "shard", "disable")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    DISABLE_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    shard: str
    disable: bool
    def __init__(self, keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., disable: _Optional[bool] = ...) -> None: ...

class SetVtorcEmergencyReparentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
