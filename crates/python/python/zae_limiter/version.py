"""Versions of this client and of what is deployed, and whether they go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import total_ordering

__all__ = [
    "CURRENT_SCHEMA_VERSION",
    "CompatibilityResult",
    "InfrastructureVersion",
    "ParsedVersion",
    "check_compatibility",
    "get_schema_version",
    "parse_version",
]

CURRENT_SCHEMA_VERSION = "1.0.0"
"""The version of the schema that this client writes."""


@total_ordering
@dataclass(frozen=True)
class ParsedVersion:
    """A version; one with a prerelease comes before the one without."""

    major: int
    minor: int
    patch: int
    prerelease: str | None = None

    def __str__(self) -> str:
        base = f"{self.major}.{self.minor}.{self.patch}"
        return f"{base}-{self.prerelease}" if self.prerelease else base

    @property
    def _release(self) -> tuple[int, int, int]:
        return (self.major, self.minor, self.patch)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, ParsedVersion):
            return NotImplemented
        if self._release != other._release:
            return self._release < other._release
        if self.prerelease is None or other.prerelease is None:
            return self.prerelease is not None and other.prerelease is None
        return self.prerelease < other.prerelease


def parse_version(version_str: str) -> ParsedVersion:
    """Reads ``1.2.3``, ``v1.2.3``, ``1.2.3-dev`` and PEP 440's ``1.2.3.dev4+local``. Raises ``ValueError`` for others."""
    plain = re.sub(r"\.dev\d+(\+[A-Za-z0-9.]+)?$", "-dev", version_str.removeprefix("v"))
    match = re.fullmatch(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", plain)
    if match is None:
        raise ValueError(f"Invalid version string: {version_str}")
    major, minor, patch, prerelease = match.groups()
    return ParsedVersion(int(major), int(minor), int(patch), prerelease)


@dataclass(frozen=True)
class InfrastructureVersion:
    """The versions of what was deployed, as the table remembers them."""

    schema_version: str
    lambda_version: str | None
    template_version: str | None
    client_min_version: str
    """The oldest client that may use the table."""

    @classmethod
    def from_record(cls, record: Mapping[str, str | None]) -> InfrastructureVersion:
        """From a version record; what is missing there was the same in all versions before."""
        return cls(
            schema_version=record.get("schema_version") or "1.0.0",
            lambda_version=record.get("lambda_version"),
            template_version=record.get("template_version"),
            client_min_version=record.get("client_min_version") or "0.0.0",
        )


@dataclass(frozen=True)
class CompatibilityResult:
    """Whether a client and what is deployed go together, and what should be done if not."""

    is_compatible: bool
    requires_schema_migration: bool = False
    requires_lambda_update: bool = False
    requires_template_update: bool = False
    message: str = ""


def check_compatibility(
    client_version: str, infra_version: InfrastructureVersion
) -> CompatibilityResult:
    """Compares a client's version with what the table remembers. Does not raise: what cannot be read is incompatible."""
    try:
        client = parse_version(client_version)
        schema = parse_version(infra_version.schema_version)
        least = parse_version(infra_version.client_min_version)
    except ValueError as error:
        return CompatibilityResult(is_compatible=False, message=str(error))
    if client < least:
        return CompatibilityResult(
            is_compatible=False,
            message=f"Client version {client_version} is below the minimum "
            f"{infra_version.client_min_version}: upgrade zae-limiter.",
        )
    if schema.major != parse_version(CURRENT_SCHEMA_VERSION).major:
        return CompatibilityResult(
            is_compatible=False,
            requires_schema_migration=True,
            message=f"The table has schema {infra_version.schema_version}, this client writes schema "
            f"{CURRENT_SCHEMA_VERSION}: migrate the table, or use another.",
        )
    if infra_version.lambda_version and _is_older(infra_version.lambda_version, client):
        return CompatibilityResult(
            is_compatible=True,
            requires_lambda_update=True,
            message=f"Lambda update available: {infra_version.lambda_version} -> {client_version}",
        )
    return CompatibilityResult(
        is_compatible=True, message="Client and infrastructure versions are compatible."
    )


def _is_older(lambda_version: str, client: ParsedVersion) -> bool:
    try:
        return parse_version(lambda_version)._release < client._release
    except ValueError:
        # What cannot be read was not written by a version that is known.
        return True


def get_schema_version() -> str:
    """The version of the schema that this client writes."""
    return CURRENT_SCHEMA_VERSION
