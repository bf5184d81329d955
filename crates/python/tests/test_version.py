"""Versions, and what goes together."""

from __future__ import annotations

import pytest

import zae_limiter
from zae_limiter.version import (
    CURRENT_SCHEMA_VERSION,
    InfrastructureVersion,
    ParsedVersion,
    check_compatibility,
    get_schema_version,
    parse_version,
)


def test_versions_of_all_kinds_are_read_and_ordered() -> None:
    texts = ["0.9.9", "v1.0.0-dev", "1.0.0-rc.1", "1.0.0", "1.0.1.dev3+gabc", "1.0.1", "1.2.0", "1.10.0"]
    parsed = [parse_version(text) for text in texts]
    assert parsed == sorted(parsed, reverse=False)
    assert parsed[0] < parsed[1] <= parsed[2] and parsed[-1] > parsed[-2] >= parsed[-2]
    assert parse_version("1.2.3.dev4+local") == ParsedVersion(1, 2, 3, "dev")
    assert str(parse_version("v1.2.3-dev")) == "1.2.3-dev"


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.2.x", "a.b.c", "1.2.3-", "1.2.-3", "1.2.3 4", "v", "1.2.3\n"])
def test_other_texts_are_no_versions(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid version"):
        parse_version(text)


def infra(schema: str = "1.0.0", function: str | None = None, least: str = "0.1.0") -> InfrastructureVersion:
    return InfrastructureVersion(schema, function, None, least)


def test_what_goes_together() -> None:
    own = check_compatibility(zae_limiter.__version__, infra(CURRENT_SCHEMA_VERSION))
    assert own.is_compatible and not own.requires_schema_migration
    assert not check_compatibility("1.4.0", infra(least="1.5.0")).is_compatible
    for schema in ("0.9.0", "2.0.0"):
        other = check_compatibility("1.4.0", infra(schema))
        assert not other.is_compatible and other.requires_schema_migration
    older = check_compatibility("1.4.0", infra(function="1.3.9"))
    assert older.is_compatible and older.requires_lambda_update
    assert not check_compatibility("1.4.0", infra(function="1.4.0")).requires_lambda_update
    assert not check_compatibility("one", infra()).is_compatible


def test_records() -> None:
    assert get_schema_version() == CURRENT_SCHEMA_VERSION
    empty = InfrastructureVersion.from_record({})
    assert empty == InfrastructureVersion("1.0.0", None, None, "0.0.0")
    record = {"schema_version": "1.2.0", "lambda_version": "0.3.0", "client_min_version": "0.2.0"}
    assert InfrastructureVersion.from_record(record) == InfrastructureVersion("1.2.0", "0.3.0", None, "0.2.0")
