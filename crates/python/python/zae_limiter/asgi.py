"""An ASGI middleware: takes before each request, and answers 429 itself where there is not enough.

::

    from zae_limiter import Limit, RateLimiter
    from zae_limiter.asgi import RateLimitMiddleware, Take

    limits = [Limit.per_minute("rpm", 100)]

    def take(scope):
        key = dict(scope["headers"]).get(b"x-api-key", b"anonymous").decode("latin-1")
        return Take(key, "api", limits, {"rpm": 1})

    app = RateLimitMiddleware(app, RateLimiter(store="memory:"), take)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from . import _http, _native
from .exceptions import RateLimiterUnavailable, RateLimitExceeded
from .limiter import RateLimiter
from .models import FailureMode, Limit

__all__ = ["LEASE", "RateLimitMiddleware", "Take"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LEASE: Final = "zae_limiter.lease"
"""Where the application finds its lease in the scope, to adjust it to the true cost."""


@dataclass(frozen=True)
class Take:
    """What a request takes: the arguments of ``RateLimiter.acquire``."""

    entity_id: str
    resource: str
    limits: Sequence[Limit] | None
    consume: Mapping[str, int]
    cascade: bool = False
    use_stored_limits: bool = False
    failure_mode: FailureMode | None = None


class _ServerErrorAnswered(Exception):
    """Has a lease rolled back whose request was answered with a status of 500 or above."""


class RateLimitMiddleware:
    """Takes before each HTTP request what ``take`` says of its scope; a request for which it says ``None`` passes.

    The lease is committed when the application has answered, and rolled back if it raises or answers with a status of 500 or
    above: a client does not pay for a failure of the server. A denied request is answered with
    429, ``Retry-After``, the ``RateLimit`` fields and ``RateLimitExceeded.as_dict()``; one whose entity or resource cannot be
    a name with 400; 503 tells that the store is unavailable. Answers of the application get the ``RateLimit`` fields.
    """

    def __init__(
        self, app: App, limiter: RateLimiter, take: Callable[[Scope], Take | None]
    ) -> None:
        self.app = app
        self.limiter = limiter
        self.take = take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        take = self.take(scope) if scope["type"] == "http" else None
        if take is None:
            await self.app(scope, receive, send)
            return
        try:
            _native.check_names(take.entity_id, take.resource)
        except ValueError as error:
            problem = {"error": "invalid_request", "message": str(error)}
            await _answer(send, 400, [], problem)
            return
        acquire = self.limiter._acquire(
            take.entity_id,
            take.resource,
            take.limits,
            take.consume,
            take.cascade,
            take.use_stored_limits,
            take.failure_mode,
            with_statuses=True,
        )
        entered, status = False, 0
        try:
            async with acquire as lease:
                entered = True
                fields = [
                    (name.lower().encode(), value.encode())
                    for name, value in _http.fields(lease.statuses)
                ]

                async def send_with_fields(message: Message) -> None:
                    nonlocal status
                    if message["type"] == "http.response.start":
                        status = message["status"]
                        message = {**message, "headers": [*message.get("headers", ()), *fields]}
                    await send(message)

                await self.app({**scope, LEASE: lease}, receive, send_with_fields)
                if status >= 500:
                    raise _ServerErrorAnswered
        except _ServerErrorAnswered:
            return
        except RateLimitExceeded as denied:
            if entered:
                raise
            await _answer(send, 429, _http.denial(denied), denied.as_dict())
        except RateLimiterUnavailable:
            if entered:
                raise
            headers, problem = _http.unavailable()
            await _answer(send, 503, headers, problem)


async def _answer(send: Send, status: int, headers: _http.Headers, content: dict[str, Any]) -> None:
    body = _http.body(content)
    headers = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
