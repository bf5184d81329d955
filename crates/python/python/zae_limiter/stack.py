"""The CloudFormation stack: the table, and the function that counts usage."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, cast

from . import _native

__all__ = ["StackManager"]

Place = tuple[str, str | None, str | None]
"""A table, its region and the endpoint that it is reached at."""


class StackManager:
    """Creates and deletes the stack of a table.

    Where an ``endpoint_url`` is set there is no CloudFormation: what is created then is the table alone.

    The function that counts usage is an executable of ``zae-limiter``, which a wheel does not hold: the first one of this
    version on the ``PATH``, or the one that ``ZAE_LIMITER_EXECUTABLE`` names. Without one, a stack gets no function.
    """

    def __init__(
        self, table_name: str, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        self.table_name = table_name
        self.region = region
        self.endpoint_url = endpoint_url

    async def __aenter__(self) -> StackManager:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def _place(self) -> Place:
        return (self.table_name, self.region, self.endpoint_url)

    def get_stack_name(self, table_name: str | None = None) -> str:
        """The name of the stack of a table, by default this manager's."""
        return _native.default_stack_name(table_name or self.table_name)

    async def create_stack(
        self,
        stack_name: str | None = None,
        parameters: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> dict[str, Any]:
        """Creates the stack, and waits until it can be used. One that is there stays as it is.

        Args:
            stack_name: ``zae-limiter-`` and the table's name if not given, with ``-`` for what is not a letter or digit.
            parameters: by the names that ``zae-limiter cfn-template`` has for them, or these in snake case. Where they
                say nothing of ``EnableAggregator`` and there is no executable for the function, the stack gets none,
                which is a ``RuntimeWarning``.
            wait: if not, the stack is still being created afterwards, and gets no function.

        Returns ``stack_id``, ``stack_name`` and ``status``. Raises ``StackAlreadyExistsError`` if there is another of that
        name or one that cannot be used, ``StackCreationError`` if it fails, ``ValueError`` for unknown parameters.
        """
        return cast("dict[str, Any]", await create(self._place, stack_name, parameters, wait))

    async def delete_stack(self, stack_name: str | None = None, wait: bool = True) -> None:
        """Deletes the stack with the table, if there is one. Raises ``StackCreationError`` if that fails."""
        await delete(self._place, stack_name, wait)

    async def stack_exists(self, stack_name: str | None = None) -> bool:
        """Whether there is a stack of that name."""
        return await self.get_stack_status(stack_name) is not None

    async def get_stack_status(self, stack_name: str | None = None) -> str | None:
        """The status that CloudFormation tells of the stack; ``None`` if there is none."""
        return cast("str | None", await _native.stack_status(*self._place, stack_name))

    async def close(self) -> None:
        """Nothing is kept open between calls."""


def create(
    place: Place,
    stack_name: str | None,
    parameters: Mapping[str, str] | None,
    wait: bool = True,
) -> _native.Call:
    """A call that creates the stack."""
    return _native.create_stack(*place, stack_name, dict(parameters or {}), wait)


def delete(place: Place, stack_name: str | None, wait: bool = True) -> _native.Call:
    """A call that deletes the stack."""
    return _native.delete_stack(*place, stack_name, wait)
