"""What goes into a limiter and what comes out of it. Amounts are whole tokens unless their name says ``milli``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from . import _native

__all__ = [
    "BucketState",
    "Entity",
    "EntityCapacity",
    "FailureMode",
    "Limit",
    "LimitName",
    "LimitStatus",
    "ResourceCapacity",
    "UsageSnapshot",
]


class FailureMode(Enum):
    """What an acquire does while the store is unavailable."""

    FAIL_OPEN = "open"
    """Lets the call through with a lease that records nothing."""
    FAIL_CLOSED = "closed"
    """Raises ``RateLimiterUnavailable``."""


class LimitName:
    """Names that are often given to limits."""

    RPM: Final = "rpm"
    """Requests per minute."""
    RPH: Final = "rph"
    """Requests per hour."""
    RPD: Final = "rpd"
    """Requests per day."""
    TPM: Final = "tpm"
    """Tokens per minute."""
    TPH: Final = "tph"
    """Tokens per hour."""
    TPD: Final = "tpd"
    """Tokens per day."""


@dataclass(frozen=True)
class Limit:
    """A token bucket: ``refill_amount`` tokens flow in every ``refill_period_seconds``, and at most ``burst`` are kept.

    Raises ``ValueError`` for numbers that are not positive, a burst below the capacity, numbers beyond 10**12 and names
    that are not a letter followed by at most 63 letters, digits, ``_``, ``.`` or ``-``; ``TypeError`` for other types.
    """

    name: str
    capacity: int
    """The sustained allowance that the limit is known by."""
    burst: int
    """The most that the bucket holds; at least the capacity."""
    refill_amount: int
    refill_period_seconds: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, not {type(self.name).__name__}")
        for argument in ("capacity", "burst", "refill_amount", "refill_period_seconds"):
            value = getattr(self, argument)
            if not isinstance(value, int):
                raise TypeError(f"{argument} must be an int, not {type(value).__name__}")
        _native.check_limit(
            self.name, self.capacity, self.burst, self.refill_amount, self.refill_period_seconds
        )

    @classmethod
    def _per(cls, seconds: int, name: str, capacity: int, burst: int | None) -> Limit:
        return cls(name, capacity, capacity if burst is None else burst, capacity, seconds)

    @classmethod
    def per_second(cls, name: str, capacity: int, burst: int | None = None) -> Limit:
        """``capacity`` tokens a second; the burst is the capacity unless given."""
        return cls._per(1, name, capacity, burst)

    @classmethod
    def per_minute(cls, name: str, capacity: int, burst: int | None = None) -> Limit:
        """``capacity`` tokens a minute; the burst is the capacity unless given."""
        return cls._per(60, name, capacity, burst)

    @classmethod
    def per_hour(cls, name: str, capacity: int, burst: int | None = None) -> Limit:
        """``capacity`` tokens an hour; the burst is the capacity unless given."""
        return cls._per(3_600, name, capacity, burst)

    @classmethod
    def per_day(cls, name: str, capacity: int, burst: int | None = None) -> Limit:
        """``capacity`` tokens a day; the burst is the capacity unless given."""
        return cls._per(86_400, name, capacity, burst)

    @classmethod
    def custom(
        cls,
        name: str,
        capacity: int,
        refill_amount: int,
        refill_period_seconds: int,
        burst: int | None = None,
    ) -> Limit:
        """Any rate; the burst is the capacity unless given."""
        return cls(
            name, capacity, capacity if burst is None else burst, refill_amount, refill_period_seconds
        )

    @property
    def refill_rate(self) -> float:
        """Tokens a second, for people to read."""
        return self.refill_amount / self.refill_period_seconds

    def to_dict(self) -> dict[str, str | int]:
        """The five fields by name."""
        return {
            "name": self.name,
            "capacity": self.capacity,
            "burst": self.burst,
            "refill_amount": self.refill_amount,
            "refill_period_seconds": self.refill_period_seconds,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Limit:
        """The limit that ``to_dict`` made this of. Raises ``KeyError`` if a field is missing."""
        return cls(
            name=data["name"],
            capacity=data["capacity"],
            burst=data["burst"],
            refill_amount=data["refill_amount"],
            refill_period_seconds=data["refill_period_seconds"],
        )


@dataclass(frozen=True)
class Entity:
    """Who consumes: an API key, a project, an organisation."""

    id: str
    name: str | None = None
    parent_id: str | None = None
    """The entity above, from which a cascading acquire takes too."""
    metadata: dict[str, str] = field(default_factory=dict)
    created_at: str | None = None
    """RFC 3339, in UTC."""

    @property
    def is_parent(self) -> bool:
        """Whether it has no parent itself."""
        return self.parent_id is None

    @property
    def is_child(self) -> bool:
        """Whether it has a parent."""
        return self.parent_id is not None


@dataclass(frozen=True)
class LimitStatus:
    """How one limit of one level stood when a request was checked against it."""

    entity_id: str
    resource: str
    limit_name: str
    limit: Limit
    available: int
    """Rounded down; negative in debt."""
    requested: int
    exceeded: bool
    """Whether this limit is a reason for a denial."""
    retry_after_seconds: float
    """Until this limit admits the request, if nobody else takes meanwhile; infinite if it asks for more than the burst."""

    @property
    def deficit(self) -> int:
        """How many tokens are missing."""
        return max(0, self.requested - self.available)


@dataclass
class BucketState:
    """A balance with a refill clock, as the functions of ``zae_limiter.bucket`` take it."""

    entity_id: str
    resource: str
    limit_name: str
    tokens_milli: int
    """Thousandths of a token, as of ``last_refill_ms``; negative in debt."""
    last_refill_ms: int
    """Milliseconds since 1970-01-01 00:00 UTC."""
    capacity_milli: int
    burst_milli: int
    refill_amount_milli: int
    refill_period_ms: int

    @property
    def tokens(self) -> int:
        """The balance in whole tokens, rounded down."""
        return self.tokens_milli // 1000

    @property
    def capacity(self) -> int:
        """In whole tokens."""
        return self.capacity_milli // 1000

    @property
    def burst(self) -> int:
        """In whole tokens."""
        return self.burst_milli // 1000

    @classmethod
    def from_limit(cls, entity_id: str, resource: str, limit: Limit, now_ms: int) -> BucketState:
        """A full bucket."""
        return cls(
            entity_id=entity_id,
            resource=resource,
            limit_name=limit.name,
            tokens_milli=limit.burst * 1000,
            last_refill_ms=now_ms,
            capacity_milli=limit.capacity * 1000,
            burst_milli=limit.burst * 1000,
            refill_amount_milli=limit.refill_amount * 1000,
            refill_period_ms=limit.refill_period_seconds * 1000,
        )


@dataclass(frozen=True)
class UsageSnapshot:
    """What an entity consumed of a resource in one window."""

    entity_id: str
    resource: str
    window_start: str
    """RFC 3339, in UTC."""
    window_end: str
    """RFC 3339, in UTC; exclusive."""
    window_type: str
    """``hourly``, ``daily`` or ``monthly``."""
    counters: dict[str, int]
    """Net consumption in tokens, by limit."""
    total_events: int
    """Acquires, net of those rolled back."""


@dataclass(frozen=True)
class EntityCapacity:
    """How one entity stands with a limit of a resource."""

    entity_id: str
    capacity: int
    available: int
    """Rounded down; negative in debt."""
    utilization_pct: float
    """(capacity - available) / capacity, in per cent; above 100 in debt, below 0 in burst."""


@dataclass(frozen=True)
class ResourceCapacity:
    """How all entities that use a resource stand with a limit of it."""

    resource: str
    limit_name: str
    total_capacity: int
    total_available: int
    utilization_pct: float
    entities: list[EntityCapacity]
