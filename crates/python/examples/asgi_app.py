"""An ASGI application whose clients may make 5 requests at once, and one more every 10 seconds.

    uvicorn asgi_app:app
"""

from __future__ import annotations

from zae_limiter import Limit, RateLimiter
from zae_limiter.asgi import LEASE, App, RateLimitMiddleware, Receive, Scope, Send, Take

LIMITS = [Limit.custom("requests", 5, refill_amount=1, refill_period_seconds=10)]


def take(scope: Scope) -> Take | None:
    """A request of the client that the API key names; health checks pass."""
    if scope["path"] == "/health":
        return None
    key = dict(scope["headers"]).get(b"x-api-key", b"anonymous").decode("latin-1")
    return Take(key, "api", LIMITS, {"requests": 1})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request; one for /expensive costs two, one for /broken nothing, as it fails."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/expensive":
        await scope[LEASE].adjust(requests=1)
    status = 500 if scope["path"] == "/broken" else 200
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


app: App = RateLimitMiddleware(hello, RateLimiter(store="memory:"), take)
