//! A small gateway in axum: requests and model tokens per API key, below the limits of the key's team.
//!
//! ```console
//! $ cargo run -p zae-limiter --example axum --features tower
//! listening on http://127.0.0.1:3000
//! ```
//!
//! Three requests a minute are allowed for each key; the answer says how the limits stand:
//!
//! ```console
//! $ curl -i -X POST localhost:3000/v1/gpt-4/chat -H 'x-api-key: key-1' -d 'How are you?'
//! HTTP/1.1 200 OK
//! ratelimit-policy: "rpm";q=3;w=60, "tpm";q=1000;w=60, "rpm/1";q=100;w=60, "tpm/1";q=50000;w=60
//! ratelimit: "rpm";r=2;t=20, "tpm";r=995;t=1, "rpm/1";r=99;t=1, "tpm/1";r=49995;t=1
//!
//! You asked: How are you?
//! ```
//!
//! The fourth is one too many:
//!
//! ```console
//! $ for i in 1 2 3 4; do curl -s -o /dev/null -w '%{http_code}\n' -X POST localhost:3000/v1/gpt-4/chat \
//!     -H 'x-api-key: key-2' -d 'Hello'; done
//! 200
//! 200
//! 200
//! 429
//! $ curl -i -X POST localhost:3000/v1/gpt-4/chat -H 'x-api-key: key-2' -d 'Hello'
//! HTTP/1.1 429 Too Many Requests
//! retry-after: 20
//! content-type: application/json
//!
//! {"error":"rate_limit_exceeded","message":"rate limit exceeded for key-2 on gpt-4: …","retry_after_seconds":19.871,…
//! ```
//!
//! A key that is no valid id is the client's mistake, and a request without a key is not limited here (it would be
//! turned away by a layer further out that checks keys):
//!
//! ```console
//! $ curl -s -X POST localhost:3000/v1/gpt-4/chat -H 'x-api-key: a#b' -d 'Hello'
//! {"error":"invalid_request","message":"entity id \"a#b\" must not contain '#'"}
//! ```
//!
//! `ADDRESS=127.0.0.1:8080` listens elsewhere, and `STORE=sqlite:limits.db` shares the buckets with other processes.

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::routing::post;
use zae_limiter::tower::{LeaseHandle, RateLimitLayer, Target};
use zae_limiter::{LimitScope, LimitSet, Limiter};

/// What a question is thought to cost before it is answered, in tokens.
const ESTIMATE: u64 = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("STORE").unwrap_or_else(|_| "memory:".to_owned());
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());

    let limiter = Limiter::open(&store).await?;
    set_up(&limiter).await?;

    let listener = tokio::net::TcpListener::bind(&address).await?;
    #[expect(clippy::print_stdout, reason = "an example says that it is ready")]
    {
        println!("listening on http://{}", listener.local_addr()?);
    }
    axum::serve(listener, app(limiter)?).await?;
    Ok(())
}

/// Two keys of one team. A key without a record is held to its own limits only.
async fn set_up(limiter: &Limiter) -> Result<(), Box<dyn std::error::Error>> {
    limiter.set_limits(&LimitScope::Entity("team-1".parse()?), &"rpm=100/min, tpm=50k/min".parse()?).await?;
    for key in ["key-1", "key-2"] {
        if limiter.entity(key).await?.is_none() {
            limiter.create_entity(key).parent("team-1").await?;
        }
    }
    Ok(())
}

fn app(limiter: Limiter) -> Result<Router, Box<dyn std::error::Error>> {
    let limits: LimitSet = "rpm=3/min, tpm=1k/min".parse()?;
    let layer = RateLimitLayer::new(limiter, move |request: &Request<Body>| {
        let key = request.headers().get("x-api-key")?.to_str().ok()?;
        // /v1/{model}/chat
        let model = request.uri().path().split('/').nth(2)?;
        let target = Target::new(key, model, &limits).consume("rpm", 1).consume("tpm", ESTIMATE);
        Some(target.cascade(true))
    });
    Ok(Router::new().route("/v1/{model}/chat", post(chat)).route_layer(layer))
}

/// Answers a question, and corrects the estimate by what the answer really cost.
async fn chat(lease: Option<Extension<LeaseHandle>>, question: String) -> String {
    let answer = format!("You asked: {question}");
    let used = answer.split_whitespace().count() as u64;
    if let Some(Extension(lease)) = lease {
        // Fails only if the limit is misnamed, which a test of this route would show.
        let _ = lease.release("tpm", ESTIMATE.saturating_sub(used));
    }
    answer
}
