"""A rate limiter that needs no server of its own.

One call takes from several token buckets at once (requests *and* LLM tokens per minute), on an entity *and* its ancestors,
and returns a lease that is settled when the true cost is known::

    from zae_limiter import Limit, RateLimiter

    limiter = RateLimiter(store="memory:")
    limits = [Limit.per_minute("rpm", 100), Limit.per_minute("tpm", 10_000)]

    async with limiter.acquire("key-1", "gpt-4", limits, {"rpm": 1, "tpm": 500}) as lease:
        ...  # call the model, which used 620 tokens
        await lease.adjust(tpm=120)

``SyncRateLimiter`` is the same without an event loop. State lies in memory, in a SQLite file that all processes of a machine
share, or in a DynamoDB table.
"""

import os as _os

from ._native import VERSION as __version__
from ._native import Lease, SyncLease
from ._native import after_fork_in_child as _after_fork_in_child
from .exceptions import (
    EntityExistsError,
    EntityNotFoundError,
    IncompatibleSchemaError,
    InfrastructureNotFoundError,
    RateLimitError,
    RateLimiterUnavailable,
    RateLimitExceeded,
    StackAlreadyExistsError,
    StackCreationError,
    VersionError,
    VersionMismatchError,
)
from .limiter import RateLimiter
from .models import (
    BucketState,
    Entity,
    EntityCapacity,
    FailureMode,
    Limit,
    LimitName,
    LimitStatus,
    ResourceCapacity,
    UsageSnapshot,
)
from .stack import StackManager
from .sync_limiter import SyncRateLimiter

__all__ = [
    "BucketState",
    "Entity",
    "EntityCapacity",
    "EntityExistsError",
    "EntityNotFoundError",
    "FailureMode",
    "IncompatibleSchemaError",
    "InfrastructureNotFoundError",
    "Lease",
    "Limit",
    "LimitName",
    "LimitStatus",
    "RateLimitError",
    "RateLimitExceeded",
    "RateLimiter",
    "RateLimiterUnavailable",
    "ResourceCapacity",
    "StackAlreadyExistsError",
    "StackCreationError",
    "StackManager",
    "SyncLease",
    "SyncRateLimiter",
    "UsageSnapshot",
    "VersionError",
    "VersionMismatchError",
    "__version__",
]

# Connections, threads and leases stay with the process that made them; a forked child opens its own.
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_after_fork_in_child)
