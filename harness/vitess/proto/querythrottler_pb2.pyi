from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ThrottlingStrategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN: _ClassVar[ThrottlingStrategy]
    TABLET_THROTTLER: _ClassVar[ThrottlingStrategy]
UNKNOWN: ThrottlingStrategy
TABLET_THROTTLER: ThrottlingStrategy

class Config(_message.Message):
    __slots__ = ("enabled", "strategy", "tablet_strategy_config", "dry_run")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    TABLET_STRATEGY_CONFIG_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    strategy: ThrottlingStrategy
    tablet_strategy_config: TabletStrategyConfig
    dry_run: bool
    def __init__(self, enabled: _Optional[bool] = ..., strategy: _Optional[_Union[ThrottlingStrategy, str]] = ..., tablet_strategy_config: _Optional[_Union[TabletStrategyConfig, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class TabletStrategyConfig(_message.Message):
    __slots__ = ("tablet_rules",)
    class TabletRulesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: StatementRuleSet
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[StatementRuleSet, _Mapping]] = ...) -> None: ...
    TABLET_RULES_FIELD_NUMBER: _ClassVar[int]
    tablet_rules: _containers.MessageMap[str, StatementRuleSet]
    def __init__(self, tablet_rules: _Optional[_Mapping[str, StatementRuleSet]] = ...) -> None: ...

class StatementRuleSet(_message.Message):
    __slots__ = ("statement_rules",)
    class StatementRulesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: MetricRuleSet
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[MetricRuleSet, _Mapping]] = ...) -> None: ...
    STATEMENT_RULES_FIELD_NUMBER: _ClassVar[int]
    statement_rules: _containers.MessageMap[str, MetricRuleSet]
    def __init__(self, statement_rules: _Optional[_Mapping[str, MetricRuleSet]] = ...) -> None: ...

class MetricRuleSet(_message.Message):
    __slots__ = ("metric_rules",)
    class MetricRulesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: MetricRule
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[MetricRule, _Mapping]] = ...) -> None: ...
    METRIC_RULES_FIELD_NUMBER: _ClassVar[int]
    metric_rules: _containers.MessageMap[str, MetricRule]
    def __init__(self, metric_rules: _Optional[_Mapping[str, MetricRule]] = ...) -> None: ...

class MetricRule(_message.Message):
    __slots__ = ("thresholds",)
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    thresholds: _containers.RepeatedCompositeFieldContainer[ThrottleThreshold]
    def __init__(self, thresholds: _Optional[_Iterable[_Union[ThrottleThreshold, _Mapping]]] = ...) -> None: ...

class ThrottleThreshold(_message.Message):
    __slots__ = ("above", "throttle")
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_FIELD_NUMBER: _ClassVar[int]
    above: float
    throttle: int
    def __init__(self, above: _Optional[float] = ..., throttle: _Optional[int] = ...) -> None: ...
