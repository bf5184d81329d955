"""The native half of zae_limiter. Only ``Lease``, ``SyncLease``, ``Acquire`` and ``SyncAcquire`` are met by programs."""

from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, final

from typing_extensions import disjoint_base

from .models import FailureMode, Limit, LimitStatus

__all__ = [
    "Acquire",
    "Call",
    "Lease",
    "Limiter",
    "Nothing",
    "SyncAcquire",
    "SyncLease",
    "VERSION",
    "after_fork_in_child",
    "check_limit",
    "check_names",
    "create_stack",
    "default_stack_name",
    "delete_stack",
    "run_command",
    "stack_status",
    "table_url",
]

VERSION: Final[str]

def after_fork_in_child() -> None: ...
def check_limit(
    name: str, capacity: int, burst: int, refill_amount: int, refill_period_seconds: int
) -> None: ...
def check_names(entity_id: str, resource: str) -> None: ...
def run_command(arguments: Sequence[str]) -> int: ...
def create_stack(
    table: str,
    region: str | None,
    endpoint_url: str | None,
    stack_name: str | None,
    parameters: Mapping[str, str],
    wait: bool,
) -> Call: ...
def delete_stack(
    table: str, region: str | None, endpoint_url: str | None, stack_name: str | None, wait: bool
) -> Call: ...
def stack_status(
    table: str, region: str | None, endpoint_url: str | None, stack_name: str | None
) -> Call: ...
def default_stack_name(table: str) -> str: ...

def table_url(
    table: str,
    region: str | None,
    endpoint_url: str | None,
    *,
    create: bool,
    skip_version_check: bool,
    strict_version: bool,
) -> str: ...

@final
class Call:
    def wait(self) -> Any: ...
    def __await__(self) -> Generator[Any, Any, Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def send(self, _value: Any) -> Any: ...
    def throw(self, exception: Any, value: Any = None, traceback: Any = None) -> Any: ...
    def close(self) -> None: ...

@final
class Nothing:
    def __await__(self) -> Generator[Any, Any, None]: ...
    def __next__(self) -> None: ...

@final
class Lease:
    @property
    def consumed(self) -> dict[str, int]: ...
    @property
    def degraded(self) -> bool: ...
    @property
    def statuses(self) -> list[LimitStatus]: ...
    def consume(self, **amounts: int) -> Call: ...
    def adjust(self, **deltas: int) -> Call: ...
    def release(self, **amounts: int) -> Call: ...

@final
class SyncLease:
    @property
    def consumed(self) -> dict[str, int]: ...
    @property
    def degraded(self) -> bool: ...
    def consume(self, **amounts: int) -> None: ...
    def adjust(self, **deltas: int) -> None: ...
    def release(self, **amounts: int) -> None: ...

@final
class Acquire:
    async def __aenter__(self) -> Lease: ...
    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@final
class SyncAcquire:
    def __enter__(self) -> SyncLease: ...
    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@disjoint_base
class Limiter:
    def __new__(cls, *arguments: Any, **keywords: Any) -> Self: ...
    @property
    def _location(self) -> tuple[str, str | None, str | None] | None: ...
    def _configure(
        self,
        store: str,
        failure_mode: FailureMode | str,
        *,
        mended: str | None = None,
        create_stack: bool = False,
        auto_update: bool = False,
        strict: bool = False,
        parameters: Mapping[str, str] = ...,
    ) -> None: ...
    def _open(self) -> Call: ...
    def _close(self) -> None: ...
    def _acquire(
        self,
        entity_id: str,
        resource: str,
        limits: Sequence[Limit] | None,
        consume: Mapping[str, int],
        cascade: bool = False,
        use_stored_limits: bool = False,
        failure_mode: FailureMode | None = None,
        with_statuses: bool = False,
    ) -> Acquire: ...
    def _acquire_sync(
        self,
        entity_id: str,
        resource: str,
        limits: Sequence[Limit] | None,
        consume: Mapping[str, int],
        cascade: bool = False,
        use_stored_limits: bool = False,
        failure_mode: FailureMode | None = None,
    ) -> SyncAcquire: ...
    def _create_entity(
        self, entity_id: str, name: str | None, parent_id: str | None, metadata: dict[str, str]
    ) -> Call: ...
    def _get_entity(self, entity_id: str) -> Call: ...
    def _delete_entity(self, entity_id: str) -> Call: ...
    def _get_children(self, parent_id: str) -> Call: ...
    def _available(
        self,
        entity_id: str,
        resource: str,
        limits: Sequence[Limit] | None,
        use_stored_limits: bool,
    ) -> Call: ...
    def _time_until_available(
        self,
        entity_id: str,
        resource: str,
        limits: Sequence[Limit] | None,
        needed: Mapping[str, int],
        use_stored_limits: bool,
    ) -> Call: ...
    def _set_limits(
        self, entity_id: str | None, limits: Sequence[Limit], resource: str
    ) -> Call: ...
    def _get_limits(self, entity_id: str | None, resource: str) -> Call: ...
    def _delete_limits(self, entity_id: str | None, resource: str) -> Call: ...
    def _get_resource_capacity(
        self, resource: str, limit_name: str, parents_only: bool
    ) -> Call: ...
    def _get_usage(
        self,
        entity_id: str | None,
        resource: str | None,
        window: str,
        from_ms: int | None,
        to_ms: int | None,
    ) -> Call: ...
    def _create_table(self) -> Call: ...
    def _delete_table(self) -> Call: ...
