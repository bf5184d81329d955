"""A FastAPI dependency that takes before an endpoint runs, and hands it the lease.

::

    from typing import Annotated
    from fastapi import Depends, FastAPI
    from zae_limiter import Lease, Limit, RateLimiter
    from zae_limiter.fastapi import RateLimit, answer_denials

    limiter = RateLimiter(store="memory:")
    rate_limit = RateLimit(
        limiter,
        entity_id=lambda request: request.headers.get("x-api-key", "anonymous"),
        resource="api",
        limits=[Limit.per_minute("rpm", 100)],
        consume={"rpm": 1},
    )
    app = FastAPI()
    answer_denials(app)

    @app.get("/")
    async def endpoint(lease: Annotated[Lease, Depends(rate_limit)]) -> dict[str, str]: ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from fastapi import FastAPI, HTTPException, Request, Response

from . import _http, _native
from ._native import Lease
from .exceptions import RateLimiterUnavailable, RateLimitExceeded
from .limiter import RateLimiter
from .models import FailureMode, Limit

__all__ = ["RateLimit", "answer_denials"]


class RateLimit:
    """A dependency that takes for the time of an endpoint, and gives it the lease to adjust.

    The lease is committed when the endpoint returns, and rolled back if it raises, ``HTTPException`` included. Answers get
    the ``RateLimit`` fields. An entity or resource that cannot be a name is answered with 400; how denials are answered is
    up to ``answer_denials``.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        *,
        entity_id: Callable[[Request], str],
        resource: str | Callable[[Request], str],
        limits: Sequence[Limit] | None,
        consume: Mapping[str, int] | Callable[[Request], Mapping[str, int]],
        cascade: bool = False,
        use_stored_limits: bool = False,
        failure_mode: FailureMode | None = None,
    ) -> None:
        """Like ``RateLimiter.acquire``; what depends on the request is given as a function of it."""
        self.limiter = limiter
        self.entity_id = entity_id
        self.resource = resource
        self.limits = limits
        self.consume = consume
        self.cascade = cascade
        self.use_stored_limits = use_stored_limits
        self.failure_mode = failure_mode

    async def __call__(self, request: Request, response: Response) -> AsyncIterator[Lease]:
        entity_id = self.entity_id(request)
        resource = self.resource if isinstance(self.resource, str) else self.resource(request)
        consume = self.consume(request) if callable(self.consume) else self.consume
        try:
            _native.check_names(entity_id, resource)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        acquire = self.limiter._acquire(
            entity_id,
            resource,
            self.limits,
            consume,
            self.cascade,
            self.use_stored_limits,
            self.failure_mode,
            with_statuses=True,
        )
        async with acquire as lease:
            for name, value in _http.fields(lease.statuses):
                response.headers.append(name, value)
            yield lease


def answer_denials(app: FastAPI) -> None:
    """Has ``app`` answer ``RateLimitExceeded`` with 429, ``Retry-After``, the ``RateLimit`` fields and ``as_dict()`` as the
    body, and ``RateLimiterUnavailable`` with 503."""

    async def exceeded(request: Request, error: Exception) -> Response:
        if not isinstance(error, RateLimitExceeded):
            raise error
        return _json(429, _http.denial(error), _http.body(error.as_dict()))

    async def unavailable(request: Request, error: Exception) -> Response:
        headers, problem = _http.unavailable()
        return _json(503, headers, _http.body(problem))

    app.add_exception_handler(RateLimitExceeded, exceeded)
    app.add_exception_handler(RateLimiterUnavailable, unavailable)


def _json(status: int, headers: _http.Headers, body: bytes) -> Response:
    return Response(body, status, dict(headers), "application/json")
