from . import binlogdata_pb2 as _binlogdata_pb2
from . import query_pb2 as _query_pb2
from . import topodata_pb2 as _topodata_pb2
from . import replicationdata_pb2 as _replicationdata_pb2
from . import logutil_pb2 as _logutil_pb2
from . import vttime_pb2 as _vttime_pb2
from . import vtrpc_pb2 as _vtrpc_pb2
from . import mysqlctl_pb2 as _mysqlctl_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TabletSelectionPreference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANY: _ClassVar[TabletSelectionPreference]
    INORDER: _ClassVar[TabletSelectionPreference]
    UNKNOWN: _ClassVar[TabletSelectionPreference]

class CheckThrottlerResponseCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNDEFINED: _ClassVar[CheckThrottlerResponseCode]
    OK: _ClassVar[CheckThrottlerResponseCode]
    THRESHOLD_EXCEEDED: _ClassVar[CheckThrottlerResponseCode]
    APP_DENIED: _ClassVar[CheckThrottlerResponseCode]
    UNKNOWN_METRIC: _ClassVar[CheckThrottlerResponseCode]
    INTERNAL_ERROR: _ClassVar[CheckThrottlerResponseCode]
ANY: TabletSelectionPreference
INORDER: TabletSelectionPreference
UNKNOWN: TabletSelectionPreference
UNDEFINED: CheckThrottlerResponseCode
OK: CheckThrottlerResponseCode
THRESHOLD_EXCEEDED: CheckThrottlerResponseCode
APP_DENIED: CheckThrottlerResponseCode
UNKNOWN_METRIC: CheckThrottlerResponseCode
INTERNAL_ERROR: CheckThrottlerResponseCode

class TableDefinition(_message.Message):
    __slots__ = ("name", "schema", "columns", "primary_key_columns", "type", "data_length", "row_count", "fields")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_KEY_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_LENGTH_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    schema: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    primary_key_columns: _containers.RepeatedScalarFieldContainer[str]
    type: str
    data_length: int
    row_count: int
    fields: _containers.RepeatedCompositeFieldContainer[_query_pb2.Field]
    def __init__(self, name: _Optional[str] = ..., schema: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ..., primary_key_columns: _Optional[_Iterable[str]] = ..., type: _Optional[str] = ..., data_length: _Optional[int] = ..., row_count: _Optional[int] = ..., fields: _Optional[_Iterable[_Union[_query_pb2.Field, _Mapping]]] = ...) -> None: ...

class SchemaDefinition(_message.Message):
    __slots__ = ("database_schema", "table_definitions")
    DATABASE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    TABLE_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    database_schema: str
    table_definitions: _containers.RepeatedCompositeFieldContainer[TableDefinition]
    def __init__(self, database_schema: _Optional[str] = ..., table_definitions: _Optional[_Iterable[_Union[TableDefinition, _Mapping]]] = ...) -> None: ...

class SchemaChangeResult(_message.Message):
    __slots__ = ("before_schema", "after_schema")
    BEFORE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    AFTER_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    before_schema: SchemaDefinition
    after_schema: SchemaDefinition
    def __init__(self, before_schema: _Optional[_Union[SchemaDefinition, _Mapping]] = ..., after_schema: _Optional[_Union[SchemaDefinition, _Mapping]] = ...) -> None: ...

class UserPermission(_message.Message):
    __slots__ = ("host", "user", "password_checksum", "privileges")
    class PrivilegesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOST_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGES_FIELD_NUMBER: _ClassVar[int]
    host: str
    user: str
    password_checksum: int
    privileges: _containers.ScalarMap[str, str]
    def __init__(self, host: _Optional[str] = ..., user: _Optional[str] = ..., password_checksum: _Optional[int] = ..., privileges: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DbPermission(_message.Message):
    __slots__ = ("host", "db", "user", "privileges")
    class PrivilegesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOST_FIELD_NUMBER: _ClassVar[int]
    DB_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGES_FIELD_NUMBER: _ClassVar[int]
    host: str
    db: str
    user: str
    privileges: _containers.ScalarMap[str, str]
    def __init__(self, host: _Optional[str] = ..., db: _Optional[str] = ..., user: _Optional[str] = ..., privileges: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Permissions(_message.Message):
    __slots__ = ("user_permissions", "db_permissions")
    USER_PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    DB_PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    user_permissions: _containers.RepeatedCompositeFieldContainer[UserPermission]
    db_permissions: _containers.RepeatedCompositeFieldContainer[DbPermission]
    def __init__(self, user_permissions: _Optional[_Iterable[_Union[UserPermission, _Mapping]]] = ..., db_permissions: _Optional[_Iterable[_Union[DbPermission, _Mapping]]] = ...) -> None: ...

class PingRequest(_message.Message):
    __slots__ = ("payload",)
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    payload: str
    def __init__(self, payload: _Optional[str] = ...) -> None: ...

class PingResponse(_message.Message):
    __slots__ = ("payload",)
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    payload: str
    def __init__(self, payload: _Optional[str] = ...) -> None: ...

class SleepRequest(_message.Message):
    __slots__ = ("duration",)
    DURATION_FIELD_NUMBER: _ClassVar[int]
    duration: int
    def __init__(self, duration: _Optional[int] = ...) -> None: ...

class SleepResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExecuteHookRequest(_message.Message):
    __slots__ = ("name", "parameters", "extra_env")
    class ExtraEnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_ENV_FIELD_NUMBER: _ClassVar[int]
    name: str
    parameters: _containers.RepeatedScalarFieldContainer[str]
    extra_env: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., parameters: _Optional[_Iterable[str]] = ..., extra_env: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ExecuteHookResponse(_message.Message):
    __slots__ = ("exit_status", "stdout", "stderr")
    EXIT_STATUS_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    exit_status: int
    stdout: str
    stderr: str
    def __init__(self, exit_status: _Optional[int] = ..., stdout: _Optional[str] = ..., stderr: _Optional[str] = ...) -> None: ...

class GetSchemaRequest(_message.Message):
    __slots__ = ("tables", "include_views", "exclude_tables", "table_schema_only")
    TABLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VIEWS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_TABLES_FIELD_NUMBER: _ClassVar[int]
    TABLE_SCHEMA_ONLY_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedScalarFieldContainer[str]
    include_views: bool
    exclude_tables: _containers.RepeatedScalarFieldContainer[str]
    table_schema_only: bool
    def __init__(self, tables: _Optional[_Iterable[str]] = ..., include_views: _Optional[bool] = ..., exclude_tables: _Optional[_Iterable[str]] = ..., table_schema_only: _Optional[bool] = ...) -> None: ...

class GetSchemaResponse(_message.Message):
    __slots__ = ("schema_definition",)
    SCHEMA_DEFINITION_FIELD_NUMBER: _ClassVar[int]
    schema_definition: SchemaDefinition
    def __init__(self, schema_definition: _Optional[_Union[SchemaDefinition, _Mapping]] = ...) -> None: ...

class GetPermissionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPermissionsResponse(_message.Message):
    __slots__ = ("permissions",)
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    permissions: Permissions
    def __init__(self, permissions: _Optional[_Union[Permissions, _Mapping]] = ...) -> None: ...

class GetGlobalStatusVarsRequest(_message.Message):
    __slots__ = ("variables",)
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    variables: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, variables: _Optional[_Iterable[str]] = ...) -> None: ...

class GetGlobalStatusVarsResponse(_message.Message):
    __slots__ = ("status_values",)
    class StatusValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_VALUES_FIELD_NUMBER: _ClassVar[int]
    status_values: _containers.ScalarMap[str, str]
    def __init__(self, status_values: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SetReadOnlyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetReadOnlyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetReadWriteRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetReadWriteResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChangeTypeRequest(_message.Message):
    __slots__ = ("tablet_type", "semiSync")
    TABLET_TYPE_FIELD_NUMBER: _ClassVar[int]
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    tablet_type: _topodata_pb2.TabletType
    semiSync: bool
    def __init__(self, tablet_type: _Optional[_Union[_topodata_pb2.TabletType, str]] = ..., semiSync: _Optional[bool] = ...) -> None: ...

class ChangeTypeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefreshStateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefreshStateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunHealthCheckRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunHealthCheckResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadSchemaRequest(_message.Message):
    __slots__ = ("wait_position",)
    WAIT_POSITION_FIELD_NUMBER: _ClassVar[int]
    wait_position: str
    def __init__(self, wait_position: _Optional[str] = ...) -> None: ...

class ReloadSchemaResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PreflightSchemaRequest(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, changes: _Optional[_Iterable[str]] = ...) -> None: ...

class PreflightSchemaResponse(_message.Message):
    __slots__ = ("change_results",)
    CHANGE_RESULTS_FIELD_NUMBER: _ClassVar[int]
    change_results: _containers.RepeatedCompositeFieldContainer[SchemaChangeResult]
    def __init__(self, change_results: _Optional[_Iterable[_Union[SchemaChangeResult, _Mapping]]] = ...) -> None: ...

class ApplySchemaRequest(_message.Message):
    __slots__ = ("sql", "force", "allow_replication", "before_schema", "after_schema", "sql_mode", "batch_size", "disable_foreign_key_checks")
    SQL_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_REPLICATION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    AFTER_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SQL_MODE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    DISABLE_FOREIGN_KEY_CHECKS_FIELD_NUMBER: _ClassVar[int]
    sql: str
    force: bool
    allow_replication: bool
    before_schema: SchemaDefinition
    after_schema: SchemaDefinition
    sql_mode: str
    batch_size: int
    disable_foreign_key_checks: bool
    def __init__(self, sql: _Optional[str] = ..., force: _Optional[bool] = ..., allow_replication: _Optional[bool] = ..., before_schema: _Optional[_Union[SchemaDefinition, _Mapping]] = ..., after_schema: _Optional[_Union[SchemaDefinition, _Mapping]] = ..., sql_mode: _Optional[str] = ..., batch_size: _Optional[int] = ..., disable_foreign_key_checks: _Optional[bool] = ...) -> None: ...

class ApplySchemaResponse(_message.Message):
    __slots__ = ("before_schema", "after_schema")
    BEFORE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    AFTER_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    before_schema: SchemaDefinition
    after_schema: SchemaDefinition
    def __init__(self, before_schema: _Optional[_Union[SchemaDefinition, _Mapping]] = ..., after_schema: _Optional[_Union[SchemaDefinition, _Mapping]] = ...) -> None: ...

class LockTablesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LockTablesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnlockTablesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnlockTablesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExecuteQueryRequest(_message.Message):
    __slots__ = ("query", "db_name", "max_rows", "caller_id")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    DB_NAME_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    db_name: str
    max_rows: int
    caller_id: _vtrpc_pb2.CallerID
    def __init__(self, query: _Optional[bytes] = ..., db_name: _Optional[str] = ..., max_rows: _Optional[int] = ..., caller_id: _Optional[_Union[_vtrpc_pb2.CallerID, _Mapping]] = ...) -> None: ...

class ExecuteQueryResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class ExecuteFetchAsDbaRequest(_message.Message):
    __slots__ = ("query", "db_name", "max_rows", "disable_binlogs", "reload_schema", "disable_foreign_key_checks")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    DB_NAME_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    DISABLE_BINLOGS_FIELD_NUMBER: _ClassVar[int]
    RELOAD_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    DISABLE_FOREIGN_KEY_CHECKS_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    db_name: str
    max_rows: int
    disable_binlogs: bool
    reload_schema: bool
    disable_foreign_key_checks: bool
    def __init__(self, query: _Optional[bytes] = ..., db_name: _Optional[str] = ..., max_rows: _Optional[int] = ..., disable_binlogs: _Optional[bool] = ..., reload_schema: _Optional[bool] = ..., disable_foreign_key_checks: _Optional[bool] = ...) -> None: ...

class ExecuteFetchAsDbaResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class ExecuteMultiFetchAsDbaRequest(_message.Message):
    __slots__ = ("sql", "db_name", "max_rows", "disable_binlogs", "reload_schema", "disable_foreign_key_checks")
    SQL_FIELD_NUMBER: _ClassVar[int]
    DB_NAME_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    DISABLE_BINLOGS_FIELD_NUMBER: _ClassVar[int]
    RELOAD_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    DISABLE_FOREIGN_KEY_CHECKS_FIELD_NUMBER: _ClassVar[int]
    sql: bytes
    db_name: str
    max_rows: int
    disable_binlogs: bool
    reload_schema: bool
    disable_foreign_key_checks: bool
    def __init__(self, sql: _Optional[bytes] = ..., db_name: _Optional[str] = ..., max_rows: _Optional[int] = ..., disable_binlogs: _Optional[bool] = ..., reload_schema: _Optional[bool] = ..., disable_foreign_key_checks: _Optional[bool] = ...) -> None: ...

class ExecuteMultiFetchAsDbaResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_query_pb2.QueryResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_query_pb2.QueryResult, _Mapping]]] = ...) -> None: ...

class ExecuteFetchAsAllPrivsRequest(_message.Message):
    __slots__ = ("query", "db_name", "max_rows", "reload_schema")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    DB_NAME_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    RELOAD_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    db_name: str
    max_rows: int
    reload_schema: bool
    def __init__(self, query: _Optional[bytes] = ..., db_name: _Optional[str] = ..., max_rows: _Optional[int] = ..., reload_schema: _Optional[bool] = ...) -> None: ...

class ExecuteFetchAsAllPrivsResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class ExecuteFetchAsAppRequest(_message.Message):
    __slots__ = ("query", "max_rows")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    max_rows: int
    def __init__(self, query: _Optional[bytes] = ..., max_rows: _Optional[int] = ...) -> None: ...

class ExecuteFetchAsAppResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class GetUnresolvedTransactionsRequest(_message.Message):
    __slots__ = ("abandon_age",)
    ABANDON_AGE_FIELD_NUMBER: _ClassVar[int]
    abandon_age: int
    def __init__(self, abandon_age: _Optional[int] = ...) -> None: ...

class GetUnresolvedTransactionsResponse(_message.Message):
    __slots__ = ("transactions",)
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    transactions: _containers.RepeatedCompositeFieldContainer[_query_pb2.TransactionMetadata]
    def __init__(self, transactions: _Optional[_Iterable[_Union[_query_pb2.TransactionMetadata, _Mapping]]] = ...) -> None: ...

class ReadTransactionRequest(_message.Message):
    __slots__ = ("dtid",)
    DTID_FIELD_NUMBER: _ClassVar[int]
    dtid: str
    def __init__(self, dtid: _Optional[str] = ...) -> None: ...

class ReadTransactionResponse(_message.Message):
    __slots__ = ("transaction",)
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    transaction: _query_pb2.TransactionMetadata
    def __init__(self, transaction: _Optional[_Union[_query_pb2.TransactionMetadata, _Mapping]] = ...) -> None: ...

class GetTransactionInfoRequest(_message.Message):
    __slots__ = ("dtid",)
    DTID_FIELD_NUMBER: _ClassVar[int]
    dtid: str
    def __init__(self, dtid: _Optional[str] = ...) -> None: ...

class GetTransactionInfoResponse(_message.Message):
    __slots__ = ("state", "message", "time_created", "statements")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_CREATED_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    state: str
    message: str
    time_created: int
    statements: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, state: _Optional[str] = ..., message: _Optional[str] = ..., time_created: _Optional[int] = ..., statements: _Optional[_Iterable[str]] = ...) -> None: ...

class ConcludeTransactionRequest(_message.Message):
    __slots__ = ("dtid", "mm")
    DTID_FIELD_NUMBER: _ClassVar[int]
    MM_FIELD_NUMBER: _ClassVar[int]
    dtid: str
    mm: bool
    def __init__(self, dtid: _Optional[str] = ..., mm: _Optional[bool] = ...) -> None: ...

class ConcludeTransactionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MysqlHostMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MysqlHostMetricsResponse(_message.Message):
    __slots__ = ("HostMetrics",)
    HOSTMETRICS_FIELD_NUMBER: _ClassVar[int]
    HostMetrics: _mysqlctl_pb2.HostMetricsResponse
    def __init__(self, HostMetrics: _Optional[_Union[_mysqlctl_pb2.HostMetricsResponse, _Mapping]] = ...) -> None: ...

class ReplicationStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplicationStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _replicationdata_pb2.Status
    def __init__(self, status: _Optional[_Union[_replicationdata_pb2.Status, _Mapping]] = ...) -> None: ...

class PrimaryStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PrimaryStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _replicationdata_pb2.PrimaryStatus
    def __init__(self, status: _Optional[_Union[_replicationdata_pb2.PrimaryStatus, _Mapping]] = ...) -> None: ...

class PrimaryPositionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PrimaryPositionResponse(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class WaitForPositionRequest(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class WaitForPositionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopReplicationRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopReplicationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopReplicationMinimumRequest(_message.Message):
    __slots__ = ("position", "wait_timeout")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    position: str
    wait_timeout: int
    def __init__(self, position: _Optional[str] = ..., wait_timeout: _Optional[int] = ...) -> None: ...

class StopReplicationMinimumResponse(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class StartReplicationRequest(_message.Message):
    __slots__ = ("semiSync",)
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    semiSync: bool
    def __init__(self, semiSync: _Optional[bool] = ...) -> None: ...

class StartReplicationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RestartReplicationRequest(_message.Message):
    __slots__ = ("semiSync",)
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    semiSync: bool
    def __init__(self, semiSync: _Optional[bool] = ...) -> None: ...

class RestartReplicationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartReplicationUntilAfterRequest(_message.Message):
    __slots__ = ("position", "wait_timeout")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    position: str
    wait_timeout: int
    def __init__(self, position: _Optional[str] = ..., wait_timeout: _Optional[int] = ...) -> None: ...

class StartReplicationUntilAfterResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetReplicasRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetReplicasResponse(_message.Message):
    __slots__ = ("addrs",)
    ADDRS_FIELD_NUMBER: _ClassVar[int]
    addrs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, addrs: _Optional[_Iterable[str]] = ...) -> None: ...

class ResetReplicationRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResetReplicationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VReplicationExecRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: str
    def __init__(self, query: _Optional[str] = ...) -> None: ...

class VReplicationExecResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class VReplicationWaitForPosRequest(_message.Message):
    __slots__ = ("id", "position")
    ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    id: int
    position: str
    def __init__(self, id: _Optional[int] = ..., position: _Optional[str] = ...) -> None: ...

class VReplicationWaitForPosResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InitPrimaryRequest(_message.Message):
    __slots__ = ("semiSync",)
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    semiSync: bool
    def __init__(self, semiSync: _Optional[bool] = ...) -> None: ...

class InitPrimaryResponse(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class PopulateReparentJournalRequest(_message.Message):
    __slots__ = ("time_created_ns", "action_name", "primary_alias", "replication_position")
    TIME_CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    ACTION_NAME_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_ALIAS_FIELD_NUMBER: _ClassVar[int]
    REPLICATION_POSITION_FIELD_NUMBER: _ClassVar[int]
    time_created_ns: int
    action_name: str
    primary_alias: _topodata_pb2.TabletAlias
    replication_position: str
    def __init__(self, time_created_ns: _Optional[int] = ..., action_name: _Optional[str] = ..., primary_alias: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., replication_position: _Optional[str] = ...) -> None: ...

class PopulateReparentJournalResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReadReparentJournalInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReadReparentJournalInfoResponse(_message.Message):
    __slots__ = ("length",)
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    length: int
    def __init__(self, length: _Optional[int] = ...) -> None: ...

class InitReplicaRequest(_message.Message):
    __slots__ = ("parent", "replication_position", "time_created_ns", "semiSync")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    REPLICATION_POSITION_FIELD_NUMBER: _ClassVar[int]
    TIME_CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    parent: _topodata_pb2.TabletAlias
    replication_position: str
    time_created_ns: int
    semiSync: bool
    def __init__(self, parent: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., replication_position: _Optional[str] = ..., time_created_ns: _Optional[int] = ..., semiSync: _Optional[bool] = ...) -> None: ...

class InitReplicaResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DemotePrimaryRequest(_message.Message):
    __slots__ = ("force",)
    FORCE_FIELD_NUMBER: _ClassVar[int]
    force: bool
    def __init__(self, force: _Optional[bool] = ...) -> None: ...

class DemotePrimaryResponse(_message.Message):
    __slots__ = ("primary_status",)
    PRIMARY_STATUS_FIELD_NUMBER: _ClassVar[int]
    primary_status: _replicationdata_pb2.PrimaryStatus
    def __init__(self, primary_status: _Optional[_Union[_replicationdata_pb2.PrimaryStatus, _Mapping]] = ...) -> None: ...

class UndoDemotePrimaryRequest(_message.Message):
    __slots__ = ("semiSync",)
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    semiSync: bool
    def __init__(self, semiSync: _Optional[bool] = ...) -> None: ...

class UndoDemotePrimaryResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplicaWasPromotedRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplicaWasPromotedResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResetReplicationParametersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResetReplicationParametersResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FullStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FullStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _replicationdata_pb2.FullStatus
    def __init__(self, status: _Optional[_Union[_replicationdata_pb2.FullStatus, _Mapping]] = ...) -> None: ...

class SetReplicationSourceRequest(_message.Message):
    __slots__ = ("parent", "time_created_ns", "force_start_replication", "wait_position", "semiSync", "heartbeat_interval")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TIME_CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    FORCE_START_REPLICATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_POSITION_FIELD_NUMBER: _ClassVar[int]
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    parent: _topodata_pb2.TabletAlias
    time_created_ns: int
    force_start_replication: bool
    wait_position: str
    semiSync: bool
    heartbeat_interval: float
    def __init__(self, parent: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ..., time_created_ns: _Optional[int] = ..., force_start_replication: _Optional[bool] = ..., wait_position: _Optional[str] = ..., semiSync: _Optional[bool] = ..., heartbeat_interval: _Optional[float] = ...) -> None: ...

class SetReplicationSourceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplicaWasRestartedRequest(_message.Message):
    __slots__ = ("parent",)
    PARENT_FIELD_NUMBER: _ClassVar[int]
    parent: _topodata_pb2.TabletAlias
    def __init__(self, parent: _Optional[_Union[_topodata_pb2.TabletAlias, _Mapping]] = ...) -> None: ...

class ReplicaWasRestartedResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopReplicationAndGetStatusRequest(_message.Message):
    __slots__ = ("stop_replication_mode",)
    STOP_REPLICATION_MODE_FIELD_NUMBER: _ClassVar[int]
    stop_replication_mode: _replicationdata_pb2.StopReplicationMode
    def __init__(self, stop_replication_mode: _Optional[_Union[_replicationdata_pb2.StopReplicationMode, str]] = ...) -> None: ...

class StopReplicationAndGetStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _replicationdata_pb2.StopReplicationStatus
    def __init__(self, status: _Optional[_Union[_replicationdata_pb2.StopReplicationStatus, _Mapping]] = ...) -> None: ...

class PromoteReplicaRequest(_message.Message):
    __slots__ = ("semiSync",)
    SEMISYNC_FIELD_NUMBER: _ClassVar[int]
    semiSync: bool
    def __init__(self, semiSync: _Optional[bool] = ...) -> None: ...

class PromoteReplicaResponse(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class BackupRequest(_message.Message):
    __slots__ = ("concurrency", "allow_primary", "incremental_from_pos", "upgrade_safe", "backup_engine", "mysql_shutdown_timeout", "init_sql")
    class InitSQL(_message.Message):
        __slots__ = ("queries", "tablet_types", "timeout", "fail_on_error")
        QUERIES_FIELD_NUMBER: _ClassVar[int]
        TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
        TIMEOUT_FIELD_NUMBER: _ClassVar[int]
        FAIL_ON_ERROR_FIELD_NUMBER: _ClassVar[int]
        queries: _containers.RepeatedScalarFieldContainer[str]
        tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
        timeout: _vttime_pb2.Duration
        fail_on_error: bool
        def __init__(self, queries: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., fail_on_error: _Optional[bool] = ...) -> None: ...
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PRIMARY_FIELD_NUMBER: _ClassVar[int]
    INCREMENTAL_FROM_POS_FIELD_NUMBER: _ClassVar[int]
    UPGRADE_SAFE_FIELD_NUMBER: _ClassVar[int]
    BACKUP_ENGINE_FIELD_NUMBER: _ClassVar[int]
    MYSQL_SHUTDOWN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    INIT_SQL_FIELD_NUMBER: _ClassVar[int]
    concurrency: int
    allow_primary: bool
    incremental_from_pos: str
    upgrade_safe: bool
    backup_engine: str
    mysql_shutdown_timeout: _vttime_pb2.Duration
    init_sql: BackupRequest.InitSQL
    def __init__(self, concurrency: _Optional[int] = ..., allow_primary: _Optional[bool] = ..., incremental_from_pos: _Optional[str] = ..., upgrade_safe: _Optional[bool] = ..., backup_engine: _Optional[str] = ..., mysql_shutdown_timeout: _Optional[_Union[_vttime_pb2.Duration, _Mapping]] = ..., init_sql: _Optional[_Union[BackupRequest.InitSQL, _Mapping]] = ...) -> None: ...

class BackupResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _logutil_pb2.Event
    def __init__(self, event: _Optional[_Union[_logutil_pb2.Event, _Mapping]] = ...) -> None: ...

class RestoreFromBackupRequest(_message.Message):
    __slots__ = ("backup_time", "restore_to_pos", "dry_run", "restore_to_timestamp", "allowed_backup_engines")
    BACKUP_TIME_FIELD_NUMBER: _ClassVar[int]
    RESTORE_TO_POS_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    RESTORE_TO_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_BACKUP_ENGINES_FIELD_NUMBER: _ClassVar[int]
    backup_time: _vttime_pb2.Time
    restore_to_pos: str
    dry_run: bool
    restore_to_timestamp: _vttime_pb2.Time
    allowed_backup_engines: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, backup_time: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., restore_to_pos: _Optional[str] = ..., dry_run: _Optional[bool] = ..., restore_to_timestamp: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., allowed_backup_engines: _Optional[_Iterable[str]] = ...) -> None: ...

class RestoreFromBackupResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _logutil_pb2.Event
    def __init__(self, event: _Optional[_Union[_logutil_pb2.Event, _Mapping]] = ...) -> None: ...

class CreateVReplicationWorkflowRequest(_message.Message):
    __slots__ = ("workflow", "binlog_source", "cells", "tablet_types", "tablet_selection_preference", "workflow_type", "workflow_sub_type", "defer_secondary_keys", "auto_start", "stop_after_copy", "options")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    BINLOG_SOURCE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_SUB_TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFER_SECONDARY_KEYS_FIELD_NUMBER: _ClassVar[int]
    AUTO_START_FIELD_NUMBER: _ClassVar[int]
    STOP_AFTER_COPY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    binlog_source: _containers.RepeatedCompositeFieldContainer[_binlogdata_pb2.BinlogSource]
    cells: _containers.RepeatedScalarFieldContainer[str]
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: TabletSelectionPreference
    workflow_type: _binlogdata_pb2.VReplicationWorkflowType
    workflow_sub_type: _binlogdata_pb2.VReplicationWorkflowSubType
    defer_secondary_keys: bool
    auto_start: bool
    stop_after_copy: bool
    options: str
    def __init__(self, workflow: _Optional[str] = ..., binlog_source: _Optional[_Iterable[_Union[_binlogdata_pb2.BinlogSource, _Mapping]]] = ..., cells: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[TabletSelectionPreference, str]] = ..., workflow_type: _Optional[_Union[_binlogdata_pb2.VReplicationWorkflowType, str]] = ..., workflow_sub_type: _Optional[_Union[_binlogdata_pb2.VReplicationWorkflowSubType, str]] = ..., defer_secondary_keys: _Optional[bool] = ..., auto_start: _Optional[bool] = ..., stop_after_copy: _Optional[bool] = ..., options: _Optional[str] = ...) -> None: ...

class CreateVReplicationWorkflowResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class DeleteTableDataRequest(_message.Message):
    __slots__ = ("table_filters", "batch_size")
    class TableFiltersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TABLE_FILTERS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    table_filters: _containers.ScalarMap[str, str]
    batch_size: int
    def __init__(self, table_filters: _Optional[_Mapping[str, str]] = ..., batch_size: _Optional[int] = ...) -> None: ...

class DeleteTableDataResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteVReplicationWorkflowRequest(_message.Message):
    __slots__ = ("workflow",)
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    def __init__(self, workflow: _Optional[str] = ...) -> None: ...

class DeleteVReplicationWorkflowResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class HasVReplicationWorkflowsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HasVReplicationWorkflowsResponse(_message.Message):
    __slots__ = ("has",)
    HAS_FIELD_NUMBER: _ClassVar[int]
    has: bool
    def __init__(self, has: _Optional[bool] = ...) -> None: ...

class ReadVReplicationWorkflowsRequest(_message.Message):
    __slots__ = ("include_ids", "include_workflows", "include_states", "exclude_workflows", "exclude_states", "exclude_frozen")
    INCLUDE_IDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STATES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_STATES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FROZEN_FIELD_NUMBER: _ClassVar[int]
    include_ids: _containers.RepeatedScalarFieldContainer[int]
    include_workflows: _containers.RepeatedScalarFieldContainer[str]
    include_states: _containers.RepeatedScalarFieldContainer[_binlogdata_pb2.VReplicationWorkflowState]
    exclude_workflows: _containers.RepeatedScalarFieldContainer[str]
    exclude_states: _containers.RepeatedScalarFieldContainer[_binlogdata_pb2.VReplicationWorkflowState]
    exclude_frozen: bool
    def __init__(self, include_ids: _Optional[_Iterable[int]] = ..., include_workflows: _Optional[_Iterable[str]] = ..., include_states: _Optional[_Iterable[_Union[_binlogdata_pb2.VReplicationWorkflowState, str]]] = ..., exclude_workflows: _Optional[_Iterable[str]] = ..., exclude_states: _Optional[_Iterable[_Union[_binlogdata_pb2.VReplicationWorkflowState, str]]] = ..., exclude_frozen: _Optional[bool] = ...) -> None: ...

class ReadVReplicationWorkflowsResponse(_message.Message):
    __slots__ = ("workflows",)
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    workflows: _containers.RepeatedCompositeFieldContainer[ReadVReplicationWorkflowResponse]
    def __init__(self, workflows: _Optional[_Iterable[_Union[ReadVReplicationWorkflowResponse, _Mapping]]] = ...) -> None: ...

class ReadVReplicationWorkflowRequest(_message.Message):
    __slots__ = ("workflow",)
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    def __init__(self, workflow: _Optional[str] = ...) -> None: ...

class ReadVReplicationWorkflowResponse(_message.Message):
    __slots__ = ("workflow", "cells", "tablet_types", "tablet_selection_preference", "db_name", "tags", "workflow_type", "workflow_sub_type", "defer_secondary_keys", "streams", "options", "config_overrides")
    class Stream(_message.Message):
        __slots__ = ("id", "bls", "pos", "stop_pos", "max_tps", "max_replication_lag", "time_updated", "transaction_timestamp", "state", "message", "rows_copied", "time_heartbeat", "time_throttled", "component_throttled")
        ID_FIELD_NUMBER: _ClassVar[int]
        BLS_FIELD_NUMBER: _ClassVar[int]
        POS_FIELD_NUMBER: _ClassVar[int]
        STOP_POS_FIELD_NUMBER: _ClassVar[int]
        MAX_TPS_FIELD_NUMBER: _ClassVar[int]
        MAX_REPLICATION_LAG_FIELD_NUMBER: _ClassVar[int]
        TIME_UPDATED_FIELD_NUMBER: _ClassVar[int]
        TRANSACTION_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        ROWS_COPIED_FIELD_NUMBER: _ClassVar[int]
        TIME_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
        TIME_THROTTLED_FIELD_NUMBER: _ClassVar[int]
        COMPONENT_THROTTLED_FIELD_NUMBER: _ClassVar[int]
        id: int
        bls: _binlogdata_pb2.BinlogSource
        pos: str
        stop_pos: str
        max_tps: int
        max_replication_lag: int
        time_updated: _vttime_pb2.Time
        transaction_timestamp: _vttime_pb2.Time
        state: _binlogdata_pb2.VReplicationWorkflowState
        message: str
        rows_copied: int
        time_heartbeat: _vttime_pb2.Time
        time_throttled: _vttime_pb2.Time
        component_throttled: str
        def __init__(self, id: _Optional[int] = ..., bls: _Optional[_Union[_binlogdata_pb2.BinlogSource, _Mapping]] = ..., pos: _Optional[str] = ..., stop_pos: _Optional[str] = ..., max_tps: _Optional[int] = ..., max_replication_lag: _Optional[int] = ..., time_updated: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., transaction_timestamp: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., state: _Optional[_Union[_binlogdata_pb2.VReplicationWorkflowState, str]] = ..., message: _Optional[str] = ..., rows_copied: _Optional[int] = ..., time_heartbeat: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., time_throttled: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., component_throttled: _Optional[str] = ...) -> None: ...
    class ConfigOverridesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    DB_NAME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_SUB_TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFER_SECONDARY_KEYS_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    cells: str
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: TabletSelectionPreference
    db_name: str
    tags: str
    workflow_type: _binlogdata_pb2.VReplicationWorkflowType
    workflow_sub_type: _binlogdata_pb2.VReplicationWorkflowSubType
    defer_secondary_keys: bool
    streams: _containers.RepeatedCompositeFieldContainer[ReadVReplicationWorkflowResponse.Stream]
    options: str
    config_overrides: _containers.ScalarMap[str, str]
    def __init__(self, workflow: _Optional[str] = ..., cells: _Optional[str] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[TabletSelectionPreference, str]] = ..., db_name: _Optional[str] = ..., tags: _Optional[str] = ..., workflow_type: _Optional[_Union[_binlogdata_pb2.VReplicationWorkflowType, str]] = ..., workflow_sub_type: _Optional[_Union[_binlogdata_pb2.VReplicationWorkflowSubType, str]] = ..., defer_secondary_keys: _Optional[bool] = ..., streams: _Optional[_Iterable[_Union[ReadVReplicationWorkflowResponse.Stream, _Mapping]]] = ..., options: _Optional[str] = ..., config_overrides: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ValidateVReplicationPermissionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ValidateVReplicationPermissionsResponse(_message.Message):
    __slots__ = ("user", "ok", "error")
    USER_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    user: str
    ok: bool
    error: str
    def __init__(self, user: _Optional[str] = ..., ok: _Optional[bool] = ..., error: _Optional[str] = ...) -> None: ...

class VDiffRequest(_message.Message):
    __slots__ = ("keyspace", "workflow", "action", "action_arg", "vdiff_uuid", "options")
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ACTION_ARG_FIELD_NUMBER: _ClassVar[int]
    VDIFF_UUID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    keyspace: str
    workflow: str
    action: str
    action_arg: str
    vdiff_uuid: str
    options: VDiffOptions
    def __init__(self, keyspace: _Optional[str] = ..., workflow: _Optional[str] = ..., action: _Optional[str] = ..., action_arg: _Optional[str] = ..., vdiff_uuid: _Optional[str] = ..., options: _Optional[_Union[VDiffOptions, _Mapping]] = ...) -> None: ...

class VDiffResponse(_message.Message):
    __slots__ = ("id", "output", "vdiff_uuid")
    ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    VDIFF_UUID_FIELD_NUMBER: _ClassVar[int]
    id: int
    output: _query_pb2.QueryResult
    vdiff_uuid: str
    def __init__(self, id: _Optional[int] = ..., output: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ..., vdiff_uuid: _Optional[str] = ...) -> None: ...

class VDiffPickerOptions(_message.Message):
    __slots__ = ("tablet_types", "source_cell", "target_cell")
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CELL_FIELD_NUMBER: _ClassVar[int]
    TARGET_CELL_FIELD_NUMBER: _ClassVar[int]
    tablet_types: str
    source_cell: str
    target_cell: str
    def __init__(self, tablet_types: _Optional[str] = ..., source_cell: _Optional[str] = ..., target_cell: _Optional[str] = ...) -> None: ...

class VDiffReportOptions(_message.Message):
    __slots__ = ("only_pks", "debug_query", "format", "max_sample_rows", "row_diff_column_truncate_at")
    ONLY_PKS_FIELD_NUMBER: _ClassVar[int]
    DEBUG_QUERY_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    MAX_SAMPLE_ROWS_FIELD_NUMBER: _ClassVar[int]
    ROW_DIFF_COLUMN_TRUNCATE_AT_FIELD_NUMBER: _ClassVar[int]
    only_pks: bool
    debug_query: bool
    format: str
    max_sample_rows: int
    row_diff_column_truncate_at: int
    def __init__(self, only_pks: _Optional[bool] = ..., debug_query: _Optional[bool] = ..., format: _Optional[str] = ..., max_sample_rows: _Optional[int] = ..., row_diff_column_truncate_at: _Optional[int] = ...) -> None: ...

class VDiffCoreOptions(_message.Message):
    __slots__ = ("tables", "auto_retry", "max_rows", "checksum", "sample_pct", "timeout_seconds", "max_extra_rows_to_compare", "update_table_stats", "max_diff_seconds", "auto_start")
    TABLES_FIELD_NUMBER: _ClassVar[int]
    AUTO_RETRY_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_PCT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_EXTRA_ROWS_TO_COMPARE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TABLE_STATS_FIELD_NUMBER: _ClassVar[int]
    MAX_DIFF_SECONDS_FIELD_NUMBER: _ClassVar[int]
    AUTO_START_FIELD_NUMBER: _ClassVar[int]
    tables: str
    auto_retry: bool
    max_rows: int
    checksum: bool
    sample_pct: int
    timeout_seconds: int
    max_extra_rows_to_compare: int
    update_table_stats: bool
    max_diff_seconds: int
    auto_start: bool
    def __init__(self, tables: _Optional[str] = ..., auto_retry: _Optional[bool] = ..., max_rows: _Optional[int] = ..., checksum: _Optional[bool] = ..., sample_pct: _Optional[int] = ..., timeout_seconds: _Optional[int] = ..., max_extra_rows_to_compare: _Optional[int] = ..., update_table_stats: _Optional[bool] = ..., max_diff_seconds: _Optional[int] = ..., auto_start: _Optional[bool] = ...) -> None: ...

class VDiffOptions(_message.Message):
    __slots__ = ("picker_options", "core_options", "report_options")
    PICKER_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CORE_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REPORT_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    picker_options: VDiffPickerOptions
    core_options: VDiffCoreOptions
    report_options: VDiffReportOptions
    def __init__(self, picker_options: _Optional[_Union[VDiffPickerOptions, _Mapping]] = ..., core_options: _Optional[_Union[VDiffCoreOptions, _Mapping]] = ..., report_options: _Optional[_Union[VDiffReportOptions, _Mapping]] = ...) -> None: ...

class VDiffTableLastPK(_message.Message):
    __slots__ = ("target", "source")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    target: _query_pb2.QueryResult
    source: _query_pb2.QueryResult
    def __init__(self, target: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ..., source: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class UpdateVReplicationWorkflowRequest(_message.Message):
    __slots__ = ("workflow", "cells", "tablet_types", "tablet_selection_preference", "on_ddl", "state", "shards", "config_overrides", "message", "filter_rules")
    class ConfigOverridesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TABLET_TYPES_FIELD_NUMBER: _ClassVar[int]
    TABLET_SELECTION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    ON_DDL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FILTER_RULES_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    cells: _containers.RepeatedScalarFieldContainer[str]
    tablet_types: _containers.RepeatedScalarFieldContainer[_topodata_pb2.TabletType]
    tablet_selection_preference: TabletSelectionPreference
    on_ddl: _binlogdata_pb2.OnDDLAction
    state: _binlogdata_pb2.VReplicationWorkflowState
    shards: _containers.RepeatedScalarFieldContainer[str]
    config_overrides: _containers.ScalarMap[str, str]
    message: str
    filter_rules: _containers.RepeatedCompositeFieldContainer[_binlogdata_pb2.Rule]
    def __init__(self, workflow: _Optional[str] = ..., cells: _Optional[_Iterable[str]] = ..., tablet_types: _Optional[_Iterable[_Union[_topodata_pb2.TabletType, str]]] = ..., tablet_selection_preference: _Optional[_Union[TabletSelectionPreference, str]] = ..., on_ddl: _Optional[_Union[_binlogdata_pb2.OnDDLAction, str]] = ..., state: _Optional[_Union[_binlogdata_pb2.VReplicationWorkflowState, str]] = ..., shards: _Optional[_Iterable[str]] = ..., config_overrides: _Optional[_Mapping[str, str]] = ..., message: _Optional[str] = ..., filter_rules: _Optional[_Iterable[_Union[_binlogdata_pb2.Rule, _Mapping]]] = ...) -> None: ...

class UpdateVReplicationWorkflowResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class UpdateVReplicationWorkflowsRequest(_message.Message):
    __slots__ = ("all_workflows", "include_workflows", "exclude_workflows", "state", "message", "stop_position")
    ALL_WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STOP_POSITION_FIELD_NUMBER: _ClassVar[int]
    all_workflows: bool
    include_workflows: _containers.RepeatedScalarFieldContainer[str]
    exclude_workflows: _containers.RepeatedScalarFieldContainer[str]
    state: _binlogdata_pb2.VReplicationWorkflowState
    message: str
    stop_position: str
    def __init__(self, all_workflows: _Optional[bool] = ..., include_workflows: _Optional[_Iterable[str]] = ..., exclude_workflows: _Optional[_Iterable[str]] = ..., state: _Optional[_Union[_binlogdata_pb2.VReplicationWorkflowState, str]] = ..., message: _Optional[str] = ..., stop_position: _Optional[str] = ...) -> None: ...

class UpdateVReplicationWorkflowsResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ...) -> None: ...

class ResetSequencesRequest(_message.Message):
    __slots__ = ("tables",)
    TABLES_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tables: _Optional[_Iterable[str]] = ...) -> None: ...

class ResetSequencesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CheckThrottlerRequest(_message.Message):
    __slots__ = ("app_name", "scope", "skip_request_heartbeats", "ok_if_not_exists")
    APP_NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SKIP_REQUEST_HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    OK_IF_NOT_EXISTS_FIELD_NUMBER: _ClassVar[int]
    app_name: str
    scope: str
    skip_request_heartbeats: bool
    ok_if_not_exists: bool
    def __init__(self, app_name: _Optional[str] = ..., scope: _Optional[str] = ..., skip_request_heartbeats: _Optional[bool] = ..., ok_if_not_exists: _Optional[bool] = ...) -> None: ...

class CheckThrottlerResponse(_message.Message):
    __slots__ = ("value", "threshold", "error", "message", "recently_checked", "metrics", "app_name", "summary", "response_code")
    class Metric(_message.Message):
        __slots__ = ("name", "value", "threshold", "error", "message", "scope", "response_code")
        NAME_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        THRESHOLD_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        SCOPE_FIELD_NUMBER: _ClassVar[int]
        RESPONSE_CODE_FIELD_NUMBER: _ClassVar[int]
        name: str
        value: float
        threshold: float
        error: str
        message: str
        scope: str
        response_code: CheckThrottlerResponseCode
        def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., threshold: _Optional[float] = ..., error: _Optional[str] = ..., message: _Optional[str] = ..., scope: _Optional[str] = ..., response_code: _Optional[_Union[CheckThrottlerResponseCode, str]] = ...) -> None: ...
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: CheckThrottlerResponse.Metric
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[CheckThrottlerResponse.Metric, _Mapping]] = ...) -> None: ...
    VALUE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RECENTLY_CHECKED_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    APP_NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_CODE_FIELD_NUMBER: _ClassVar[int]
    value: float
    threshold: float
    error: str
    message: str
    recently_checked: bool
    metrics: _containers.MessageMap[str, CheckThrottlerResponse.Metric]
    app_name: str
    summary: str
    response_code: CheckThrottlerResponseCode
    def __init__(self, value: _Optional[float] = ..., threshold: _Optional[float] = ..., error: _Optional[str] = ..., message: _Optional[str] = ..., recently_checked: _Optional[bool] = ..., metrics: _Optional[_Mapping[str, CheckThrottlerResponse.Metric]] = ..., app_name: _Optional[str] = ..., summary: _Optional[str] = ..., response_code: _Optional[_Union[CheckThrottlerResponseCode, str]] = ...) -> None: ...

class GetThrottlerStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetThrottlerStatusResponse(_message.Message):
    __slots__ = ("tablet_alias", "keyspace", "shard", "is_leader", "is_open", "is_enabled", "is_dormant", "lag_metric_query", "custom_metric_query", "default_threshold", "metric_name_used_as_default", "aggregated_metrics", "metric_thresholds", "metrics_health", "throttled_apps", "app_checked_metrics", "recently_checked", "recent_apps")
    class MetricResult(_message.Message):
        __slots__ = ("value", "error")
        VALUE_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        value: float
        error: str
        def __init__(self, value: _Optional[float] = ..., error: _Optional[str] = ...) -> None: ...
    class AggregatedMetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GetThrottlerStatusResponse.MetricResult
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GetThrottlerStatusResponse.MetricResult, _Mapping]] = ...) -> None: ...
    class MetricThresholdsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class MetricHealth(_message.Message):
        __slots__ = ("last_healthy_at", "seconds_since_last_healthy")
        LAST_HEALTHY_AT_FIELD_NUMBER: _ClassVar[int]
        SECONDS_SINCE_LAST_HEALTHY_FIELD_NUMBER: _ClassVar[int]
        last_healthy_at: _vttime_pb2.Time
        seconds_since_last_healthy: int
        def __init__(self, last_healthy_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., seconds_since_last_healthy: _Optional[int] = ...) -> None: ...
    class MetricsHealthEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GetThrottlerStatusResponse.MetricHealth
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GetThrottlerStatusResponse.MetricHealth, _Mapping]] = ...) -> None: ...
    class ThrottledAppsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _topodata_pb2.ThrottledAppRule
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_topodata_pb2.ThrottledAppRule, _Mapping]] = ...) -> None: ...
    class AppCheckedMetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class RecentApp(_message.Message):
        __slots__ = ("checked_at", "response_code")
        CHECKED_AT_FIELD_NUMBER: _ClassVar[int]
        RESPONSE_CODE_FIELD_NUMBER: _ClassVar[int]
        checked_at: _vttime_pb2.Time
        response_code: CheckThrottlerResponseCode
        def __init__(self, checked_at: _Optional[_Union[_vttime_pb2.Time, _Mapping]] = ..., response_code: _Optional[_Union[CheckThrottlerResponseCode, str]] = ...) -> None: ...
    class RecentAppsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GetThrottlerStatusResponse.RecentApp
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GetThrottlerStatusResponse.RecentApp, _Mapping]] = ...) -> None: ...
    TABLET_ALIAS_FIELD_NUMBER: _ClassVar[int]
    KEYSPACE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    IS_LEADER_FIELD_NUMBER: _ClassVar[int]
    IS_OPEN_FIELD_NUMBER: _ClassVar[int]
    IS_ENABLED_FIELD_NUMBER: _ClassVar[int]
    IS_DORMANT_FIELD_NUMBER: _ClassVar[int]
    LAG_METRIC_QUERY_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_METRIC_QUERY_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAME_USED_AS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    AGGREGATED_METRICS_FIELD_NUMBER: _ClassVar[int]
    METRIC_THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    METRICS_HEALTH_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_APPS_FIELD_NUMBER: _ClassVar[int]
    APP_CHECKED_METRICS_FIELD_NUMBER: _ClassVar[int]
    RECENTLY_CHECKED_FIELD_NUMBER: _ClassVar[int]
    RECENT_APPS_FIELD_NUMBER: _ClassVar[int]
    tablet_alias: str
    keyspace: str
    shard: str
    is_leader: bool
    is_open: bool
    is_enabled: bool
    is_dormant: bool
    lag_metric_query: str
    custom_metric_query: str
    default_threshold: float
    metric_name_used_as_default: str
    aggregated_metrics: _containers.MessageMap[str, GetThrottlerStatusResponse.MetricResult]
    metric_thresholds: _containers.ScalarMap[str, float]
    metrics_health: _containers.MessageMap[str, GetThrottlerStatusResponse.MetricHealth]
    throttled_apps: _containers.MessageMap[str, _topodata_pb2.ThrottledAppRule]
    app_checked_metrics: _containers.ScalarMap[str, str]
    recently_checked: bool
    recent_apps: _containers.MessageMap[str, GetThrottlerStatusResponse.RecentApp]
    def __init__(self, tablet_alias: _Optional[str] = ..., keyspace: _Optional[str] = ..., shard: _Optional[str] = ..., is_leader: _Optional[bool] = ..., is_open: _Optional[bool] = ..., is_enabled: _Optional[bool] = ..., is_dormant: _Optional[bool] = ..., lag_metric_query: _Optional[str] = ..., custom_metric_query: _Optional[str] = ..., default_threshold: _Optional[float] = ..., metric_name_used_as_default: _Optional[str] = ..., aggregated_metrics: _Optional[_Mapping[str, GetThrottlerStatusResponse.MetricResult]] = ..., metric_thresholds: _Optional[_Mapping[str, float]] = ..., metrics_health: _Optional[_Mapping[str, GetThrottlerStatusResponse.MetricHealth]] = ..., throttled_apps: _Optional[_Mapping[str, _topodata_pb2.ThrottledAppRule]] = ..., app_checked_metrics: _Optional[_Mapping[str, str]] = ..., recently_checked: _Optional[bool] = ..., recent_apps: _Optional[_Mapping[str, GetThrottlerStatusResponse.RecentApp]] = ...) -> None: ...

class ChangeTagsRequest(_message.Message):
    __slots__ = ("tags", "replace")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TAGS_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.ScalarMap[str, str]
    replace: bool
    def __init__(self, tags: _Optional[_Mapping[str, str]] = ..., replace: _Optional[bool] = ...) -> None: ...

class ChangeTagsResponse(_message.Message):
    __slots__ = ("tags",)
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TAGS_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.ScalarMap[str, str]
    def __init__(self, tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UpdateSequenceTablesRequest(_message.Message):
    __slots__ = ("sequences",)
    class SequenceMetadata(_message.Message):
        __slots__ = ("backing_table_name", "backing_table_db_name", "max_value")
        BACKING_TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
        BACKING_TABLE_DB_NAME_FIELD_NUMBER: _ClassVar[int]
        MAX_VALUE_FIELD_NUMBER: _ClassVar[int]
        backing_table_name: str
        backing_table_db_name: str
        max_value: int
        def __init__(self, backing_table_name: _Optional[str] = ..., backing_table_db_name: _Optional[str] = ..., max_value: _Optional[int] = ...) -> None: ...
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    sequences: _containers.RepeatedCompositeFieldContainer[UpdateSequenceTablesRequest.SequenceMetadata]
    def __init__(self, sequences: _Optional[_Iterable[_Union[UpdateSequenceTablesRequest.SequenceMetadata, _Mapping]]] = ...) -> None: ...

class UpdateSequenceTablesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMaxValueForSequencesRequest(_message.Message):
    __slots__ = ("sequences",)
    class SequenceMetadata(_message.Message):
        __slots__ = ("backing_table_name", "using_col_escaped", "using_table_name_escaped", "using_table_db_name_escaped")
        BACKING_TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
        USING_COL_ESCAPED_FIELD_NUMBER: _ClassVar[int]
        USING_TABLE_NAME_ESCAPED_FIELD_NUMBER: _ClassVar[int]
        USING_TABLE_DB_NAME_ESCAPED_FIELD_NUMBER: _ClassVar[int]
        backing_table_name: str
        using_col_escaped: str
        using_table_name_escaped: str
        using_table_db_name_escaped: str
        def __init__(self, backing_table_name: _Optional[str] = ..., using_col_escaped: _Optional[str] = ..., using_table_name_escaped: _Optional[str] = ..., using_table_db_name_escaped: _Optional[str] = ...) -> None: ...
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    sequences: _containers.RepeatedCompositeFieldContainer[GetMaxValueForSequencesRequest.SequenceMetadata]
    def __init__(self, sequences: _Optional[_Iterable[_Union[GetMaxValueForSequencesRequest.SequenceMetadata, _Mapping]]] = ...) -> None: ...

class GetMaxValueForSequencesResponse(_message.Message):
    __slots__ = ("max_values_by_sequence_table",)
    class MaxValuesBySequenceTableEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    MAX_VALUES_BY_SEQUENCE_TABLE_FIELD_NUMBER: _ClassVar[int]
    max_values_by_sequence_table: _containers.ScalarMap[str, int]
    def __init__(self, max_values_by_sequence_table: _Optional[_Mapping[str, int]] = ...) -> None: ...
