"""A FastAPI application that meters LLM tokens: an estimate is taken before the call, and corrected after it.

    uvicorn fastapi_app:app
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException

from zae_limiter import Lease, Limit, RateLimiter
from zae_limiter.fastapi import RateLimit, answer_denials

ESTIMATE = 200

limiter = RateLimiter(store="memory:")
rate_limit = RateLimit(
    limiter,
    entity_id=lambda request: request.headers.get("x-api-key", "anonymous"),
    resource=lambda request: request.path_params["model"],
    limits=[Limit.per_day("rpd", 100), Limit.per_day("tpd", 1_000)],
    consume={"rpd": 1, "tpd": ESTIMATE},
)

app = FastAPI()
answer_denials(app)


@app.post("/{model}")
async def complete(
    model: str, tokens: int, lease: Annotated[Lease, Depends(rate_limit)]
) -> dict[str, int]:
    """Answers with what it used. A call that fails costs nothing."""
    if tokens < 0:
        raise HTTPException(422, "tokens must not be negative")
    await lease.adjust(tpd=tokens - ESTIMATE)
    return {"used": tokens}
