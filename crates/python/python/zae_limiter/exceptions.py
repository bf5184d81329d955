"""What can go wrong, by what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import LimitStatus

__all__ = [
    "EntityExistsError",
    "EntityNotFoundError",
    "IncompatibleSchemaError",
    "InfrastructureNotFoundError",
    "RateLimitError",
    "RateLimitExceeded",
    "RateLimiterUnavailable",
    "StackAlreadyExistsError",
    "StackCreationError",
    "VersionError",
    "VersionMismatchError",
]

# What stands for a time without end where whole seconds are asked for (RFC 9111, section 1.2.2).
_NEVER_SECONDS = 2_147_483_648


class RateLimitError(Exception):
    """Any error of the limiter."""


class RateLimitExceeded(RateLimitError):
    """An acquire was denied: at least one limit did not hold enough, and nothing was taken anywhere.

    Raises ``ValueError`` if none of ``statuses`` is exceeded.
    """

    statuses: list[LimitStatus]
    """The status of every limit that was checked."""
    violations: list[LimitStatus]
    """Those that are the reason for the denial."""
    passed: list[LimitStatus]
    """Those that would have admitted the request."""
    primary_violation: LimitStatus
    """The violation with the longest wait."""
    retry_after_seconds: float
    """Until all limits admit the request, if nobody else takes meanwhile; infinite if it asks for more than a burst."""

    def __init__(self, statuses: Iterable[LimitStatus]) -> None:
        self.statuses = list(statuses)
        self.violations = [status for status in self.statuses if status.exceeded]
        self.passed = [status for status in self.statuses if not status.exceeded]
        if not self.violations:
            raise ValueError("RateLimitExceeded requires at least one violation")
        self.primary_violation = max(self.violations, key=lambda status: status.retry_after_seconds)
        self.retry_after_seconds = self.primary_violation.retry_after_seconds
        super().__init__(self._message())

    def __reduce__(self) -> tuple[type[RateLimitExceeded], tuple[list[LimitStatus]]]:
        return type(self), (self.statuses,)

    @property
    def _never(self) -> bool:
        return math.isinf(self.retry_after_seconds)

    def _message(self) -> str:
        worst = self.primary_violation
        names = ", ".join(status.limit_name for status in self.violations)
        if self._never:
            remedy = f"It can never succeed, as {worst.limit_name} has a burst of {worst.limit.burst}"
        else:
            remedy = f"Retry after {self.retry_after_seconds:.1f}s"
        return f"Rate limit exceeded for {worst.entity_id}/{worst.resource}: [{names}]. {remedy}"

    @property
    def retry_after_header(self) -> str:
        """The value of an HTTP ``Retry-After`` field: whole seconds, rounded up, at least 1."""
        if self._never:
            return str(_NEVER_SECONDS)
        return str(max(1, math.ceil(self.retry_after_seconds)))

    def as_dict(self) -> dict[str, Any]:
        """The body of an answer with status 429. Times are ``None`` where waiting is of no use; amounts are tokens."""
        return {
            "error": "rate_limit_exceeded",
            "message": str(self),
            "retry_after_seconds": None if self._never else self.retry_after_seconds,
            "retry_after_ms": None if self._never else math.ceil(self.retry_after_seconds * 1000),
            "limits": [
                {
                    "entity_id": status.entity_id,
                    "resource": status.resource,
                    "limit_name": status.limit_name,
                    "capacity": status.limit.capacity,
                    "burst": status.limit.burst,
                    "available": status.available,
                    "requested": status.requested,
                    "exceeded": status.exceeded,
                    "retry_after_seconds": None
                    if math.isinf(status.retry_after_seconds)
                    else status.retry_after_seconds,
                }
                for status in self.statuses
            ],
        }


class RateLimiterUnavailable(RateLimitError):
    """The store cannot be reached, is too slow, or throttles: try again later."""

    cause: Exception | None

    def __init__(self, message: str, cause: Exception | None = None) -> None:
        self.cause = cause
        super().__init__(message)


class EntityNotFoundError(RateLimitError):
    """There is no record of the entity."""

    entity_id: str

    def __init__(self, entity_id: str) -> None:
        self.entity_id = entity_id
        super().__init__(f"Entity not found: {entity_id}")

    def __reduce__(self) -> tuple[type[EntityNotFoundError], tuple[str]]:
        return type(self), (self.entity_id,)


class EntityExistsError(RateLimitError):
    """There is a record of the entity already: choose another id, or delete it first."""

    entity_id: str

    def __init__(self, entity_id: str) -> None:
        self.entity_id = entity_id
        super().__init__(f"Entity already exists: {entity_id}")

    def __reduce__(self) -> tuple[type[EntityExistsError], tuple[str]]:
        return type(self), (self.entity_id,)


class StackCreationError(Exception):
    """A CloudFormation stack could not be created or deleted."""

    stack_name: str
    reason: str
    events: list[dict[str, Any]]
    """Those of the stack that failed."""

    def __init__(
        self, stack_name: str, reason: str, events: list[dict[str, Any]] | None = None
    ) -> None:
        self.stack_name = stack_name
        self.reason = reason
        self.events = events or []
        super().__init__(f"Stack {stack_name} creation failed: {reason}")

    def __reduce__(self) -> tuple[type[StackCreationError], tuple[str, str, list[dict[str, Any]]]]:
        return type(self), (self.stack_name, self.reason, self.events)


class StackAlreadyExistsError(StackCreationError):
    """There is a stack of that name already."""


class VersionError(RateLimitError):
    """This client and what is deployed do not go together."""


class VersionMismatchError(VersionError):
    """The client, or the function that counts usage, has to be updated."""

    def __init__(
        self,
        client_version: str,
        schema_version: str,
        lambda_version: str | None,
        message: str,
        can_auto_update: bool = False,
    ) -> None:
        self.client_version = client_version
        self.schema_version = schema_version
        self.lambda_version = lambda_version
        self.can_auto_update = can_auto_update
        self._told = message
        super().__init__(
            f"Version mismatch: client={client_version}, schema={schema_version}, "
            f"lambda={lambda_version or 'unknown'}. {message}"
        )

    def __reduce__(self) -> tuple[type[VersionMismatchError], tuple[str, str, str | None, str, bool]]:
        return type(self), (
            self.client_version,
            self.schema_version,
            self.lambda_version,
            self._told,
            self.can_auto_update,
        )


class IncompatibleSchemaError(VersionError):
    """The records have to be migrated, or another table used."""

    def __init__(
        self,
        client_version: str,
        schema_version: str,
        message: str,
        migration_guide_url: str | None = None,
    ) -> None:
        self.client_version = client_version
        self.schema_version = schema_version
        self.migration_guide_url = migration_guide_url
        self._told = message
        guide = f" See: {migration_guide_url}" if migration_guide_url else ""
        super().__init__(
            f"Incompatible schema: client {client_version} is not compatible with schema "
            f"{schema_version}. {message}{guide}"
        )

    def __reduce__(self) -> tuple[type[IncompatibleSchemaError], tuple[str, str, str, str | None]]:
        return type(self), (
            self.client_version,
            self.schema_version,
            self._told,
            self.migration_guide_url,
        )


class InfrastructureNotFoundError(VersionError):
    """There is no table, or it is not one of zae-limiter: deploy it first."""

    def __init__(self, table_name: str, stack_name: str | None = None) -> None:
        self.table_name = table_name
        self.stack_name = stack_name
        stack = f" (stack: {stack_name})" if stack_name else ""
        super().__init__(
            f"Infrastructure not found for table '{table_name}'{stack}. "
            f"Run 'zae-limiter deploy --table-name {table_name}' or use create_stack=True."
        )

    def __reduce__(self) -> tuple[type[InfrastructureNotFoundError], tuple[str, str | None]]:
        return type(self), (self.table_name, self.stack_name)
