"""The limiter for programs with an event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, cast

from . import _native
from ._base import Base, milliseconds
from .exceptions import RateLimiterUnavailable
from .models import Entity, FailureMode, Limit, ResourceCapacity, UsageSnapshot
from .schema import DEFAULT_RESOURCE
from .stack import StackManager

__all__ = ["RateLimiter"]


class RateLimiter(Base):
    """Takes from token buckets in a store.

    Use it as it is, or with ``async with``, which opens the store first and lets go of it in the end. It may be used from
    several event loops and threads, and after a fork.
    """

    async def __aenter__(self) -> RateLimiter:
        try:
            await self._open()
        except RateLimiterUnavailable:
            if self.failure_mode is FailureMode.FAIL_CLOSED:
                raise
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets go of the store. It is opened again if the limiter is used again; one in memory begins anew."""
        self._close()

    def acquire(
        self,
        entity_id: str,
        resource: str,
        limits: Sequence[Limit] | None,
        consume: Mapping[str, int],
        cascade: bool = False,
        use_stored_limits: bool = False,
        failure_mode: FailureMode | None = None,
    ) -> _native.Acquire:
        """Takes from the buckets of an entity on a resource, all or nothing, for the time of an ``async with`` block.

        What was taken stays taken, with its adjustments, when the block ends; an exception, cancellation included, returns it.

        Args:
            entity_id: who consumes.
            resource: what is consumed, for example ``gpt-4``.
            limits: what the bucket is held to; ``None`` for the limits that are stored.
            consume: tokens by limit. A limit that is not named is asked for nothing, which it refuses while in debt.
            cascade: also takes from every ancestor of the entity.
            use_stored_limits: prefers limits that are stored for the entity, the resource or the system.
            failure_mode: what to do while the store is unavailable, if not what the limiter does.

        Raises ``RateLimitExceeded`` if it is denied, ``RateLimiterUnavailable`` if the store cannot be reached,
        ``ValueError`` or ``TypeError`` for what cannot be right: unknown limits, negative amounts, no limits at all.
        """
        return self._acquire(
            entity_id, resource, limits, consume, cascade, use_stored_limits, failure_mode
        )

    async def create_entity(
        self,
        entity_id: str,
        name: str | None = None,
        parent_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Entity:
        """Makes a record of an entity, named like its id unless told otherwise. The parent may be created later.

        Raises ``EntityExistsError`` if there is one, ``ValueError`` if it would be its own ancestor.
        """
        call = self._create_entity(entity_id, name, parent_id, dict(metadata or {}))
        return cast(Entity, await call)

    async def get_entity(self, entity_id: str) -> Entity | None:
        """The record of an entity, if there is one."""
        return cast("Entity | None", await self._get_entity(entity_id))

    async def delete_entity(self, entity_id: str) -> None:
        """Deletes an entity with its buckets, stored limits and usage. Its children stay."""
        await self._delete_entity(entity_id)

    async def get_children(self, parent_id: str) -> list[Entity]:
        """The entities directly below another, by id."""
        return cast("list[Entity]", await self._get_children(parent_id))

    async def available(
        self,
        entity_id: str,
        resource: str,
        limits: Sequence[Limit] | None = None,
        use_stored_limits: bool = False,
    ) -> dict[str, int]:
        """What each limit of a bucket holds, in tokens rounded down: the burst if it is new, negative in debt."""
        call = self._available(entity_id, resource, limits, use_stored_limits)
        return cast("dict[str, int]", await call)

    async def time_until_available(
        self,
        entity_id: str,
        resource: str,
        limits: Sequence[Limit] | None,
        needed: Mapping[str, int],
        use_stored_limits: bool = False,
    ) -> float:
        """Seconds until a bucket can give so many tokens by limit, if nobody takes meanwhile; infinite if it never can."""
        call = self._time_until_available(entity_id, resource, limits, needed, use_stored_limits)
        return cast(float, await call)

    async def set_limits(
        self, entity_id: str | None, limits: Sequence[Limit], resource: str = DEFAULT_RESOURCE
    ) -> None:
        """Stores limits for an entity, on one resource or on all that have none of their own.

        Without an entity they are for every entity without limits of its own. Buckets keep their balance, clamped to the
        new burst.
        """
        await self._set_limits(entity_id, limits, resource)

    async def get_limits(
        self, entity_id: str | None, resource: str = DEFAULT_RESOURCE
    ) -> list[Limit]:
        """The limits stored at exactly this place; none if there are none."""
        return cast("list[Limit]", await self._get_limits(entity_id, resource))

    async def delete_limits(self, entity_id: str | None, resource: str = DEFAULT_RESOURCE) -> None:
        """Removes the limits stored at this place, if any."""
        await self._delete_limits(entity_id, resource)

    async def get_resource_capacity(
        self, resource: str, limit_name: str, parents_only: bool = False
    ) -> ResourceCapacity:
        """How the entities that use a resource stand with one limit; with ``parents_only``, those without a parent."""
        call = self._get_resource_capacity(resource, limit_name, parents_only)
        return cast(ResourceCapacity, await call)

    async def get_usage(
        self,
        entity_id: str | None = None,
        resource: str | None = None,
        window: str = "hourly",
        start: float | None = None,
        end: float | None = None,
    ) -> list[UsageSnapshot]:
        """Usage snapshots by entity, resource and start of the window (``hourly``, ``daily`` or ``monthly``).

        Of windows that start at or after ``start`` and before ``end``, both in seconds since 1970-01-01 00:00 UTC.
        """
        call = self._get_usage(
            entity_id, resource, window, milliseconds("start", start), milliseconds("end", end)
        )
        return cast("list[UsageSnapshot]", await call)

    async def create_table(self) -> None:
        """Creates the table without a stack, unless it is there, and waits until it can be used."""
        await self._create_table()

    async def delete_table(self) -> None:
        """Deletes the table with all that is in it, and waits until it is gone."""
        await self._delete_table()

    async def create_stack(
        self, stack_name: str | None = None, parameters: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Creates the CloudFormation stack; where an ``endpoint_url`` is set, the table alone.

        Returns ``stack_id``, ``stack_name`` and ``status``. Raises ``StackCreationError``.
        """
        given = {**self._stack_parameters, **(parameters or {})}
        return await StackManager(*self._stack_place()).create_stack(stack_name, given)

    async def delete_stack(self, stack_name: str | None = None) -> None:
        """Deletes the CloudFormation stack. Raises ``StackCreationError`` if that fails."""
        await StackManager(*self._stack_place()).delete_stack(stack_name)
