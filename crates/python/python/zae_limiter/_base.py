"""What both limiters have in common: where their state is."""

from __future__ import annotations

import warnings

from . import _native
from .models import FailureMode
from .schema import DEFAULT_TABLE_NAME


class Base(_native.Limiter):
    """A limiter, before it is said whether its calls are awaited or waited for."""

    def __init__(
        self,
        table_name: str = DEFAULT_TABLE_NAME,
        region: str | None = None,
        endpoint_url: str | None = None,
        create_table: bool = False,
        create_stack: bool = False,
        stack_parameters: dict[str, str] | None = None,
        failure_mode: FailureMode = FailureMode.FAIL_CLOSED,
        auto_update: bool = True,
        strict_version: bool = True,
        skip_version_check: bool = False,
        *,
        store: str | None = None,
    ) -> None:
        """Says where the state is; nothing is opened before the first call.

        Args:
            table_name: a DynamoDB table.
            region: its AWS region; from the environment if not given.
            endpoint_url: where DynamoDB is, for emulators; from the environment if not given.
            create_table: a deprecated name of ``create_stack``.
            create_stack: creates what is missing: with ``endpoint_url`` the table alone, else the CloudFormation stack.
            stack_parameters: parameters of the stack, by the names that ``zae-limiter cfn-template`` has for them.
            failure_mode: what an acquire does while the store is unavailable, unless it says so itself.
            auto_update: updates a function that is older than this client. Never where there is an endpoint.
            strict_version: does not work beside such a function where that is not to be done, or fails; if not strict,
                a failed update is a ``RuntimeWarning``.
            skip_version_check: does not look at the version of the table.
            store: the URL of a store, in place of all about the table: ``memory:``, ``sqlite:///path/limits.db`` or
                ``dynamodb://TABLE?region=...``.

        Raises ``ValueError`` or ``TypeError`` for what cannot be right.
        """
        if create_table:
            warnings.warn(
                "create_table is deprecated, use create_stack instead", DeprecationWarning, stacklevel=2
            )
            create_stack = True
        for argument, value in (("table_name", table_name), ("store", store)):
            if not isinstance(value, str) and not (argument == "store" and value is None):
                raise TypeError(f"{argument} must be a str, not {type(value).__name__}")
        if store is not None:
            self._configure(store, failure_mode)
        else:
            self._configure_table(
                (table_name, region, endpoint_url),
                failure_mode,
                create_stack=create_stack,
                parameters=dict(stack_parameters or {}),
                auto_update=auto_update and not skip_version_check,
                strict_version=strict_version,
                skip_version_check=skip_version_check,
            )
        self._table_name = table_name
        self._failure_mode = FailureMode(failure_mode)
        self._stack_parameters = dict(stack_parameters or {})

    def _configure_table(
        self,
        place: tuple[str, str | None, str | None],
        failure_mode: FailureMode,
        *,
        create_stack: bool,
        parameters: dict[str, str],
        auto_update: bool,
        strict_version: bool,
        skip_version_check: bool,
    ) -> None:
        def url(*, create: bool = False, strict_version: bool = False) -> str:
            return _native.table_url(
                *place,
                create=create,
                skip_version_check=skip_version_check,
                strict_version=strict_version,
            )

        if place[2] is not None:
            # At an endpoint there is neither a stack nor a function to be updated.
            strict = strict_version and not auto_update
            self._configure(url(create=create_stack, strict_version=strict), failure_mode)
            return
        self._configure(
            # A function that is to be updated has to be seen to be old.
            url(strict_version=strict_version or auto_update),
            failure_mode,
            mended=url() if create_stack or auto_update else None,
            create_stack=create_stack,
            auto_update=auto_update,
            strict=strict_version,
            parameters=parameters,
        )

    @property
    def table_name(self) -> str:
        """The DynamoDB table, if that is where the state is."""
        location = self._location
        return self._table_name if location is None else location[0]

    @property
    def failure_mode(self) -> FailureMode:
        """What an acquire does while the store is unavailable, unless it says so itself."""
        return self._failure_mode

    def _stack_place(self) -> tuple[str, str | None, str | None]:
        location = self._location
        if location is None:
            raise ValueError("this limiter keeps its state in no table, so there is no stack for it")
        return location


def milliseconds(argument: str, seconds: float | None) -> int | None:
    """Seconds since 1970 as the store counts them."""
    if seconds is None:
        return None
    if not seconds >= 0:
        raise ValueError(f"{argument} must be seconds since 1970-01-01 00:00 UTC")
    return int(seconds * 1000)
