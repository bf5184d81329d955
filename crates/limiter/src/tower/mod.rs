//! A [`tower_layer::Layer`] that takes before it calls the service inside, and answers for it when it is denied.
//!
//! What is sent when:
//!
//! | the acquire | answer |
//! |---|---|
//! | was admitted, or the request is not limited | that of the service inside |
//! | was denied | 429, the [denial](crate::RateLimitExceeded) as JSON, `Retry-After` unless it can never succeed |
//! | is not valid as the client wrote it (an id, an amount) | 400 |
//! | found the store unavailable, in [`FailureMode::FailClosed`](crate::FailureMode::FailClosed) | 503, `Retry-After` |
//! | failed for a reason that only the operator can cure | 500, without the reason |
//!
//! Answers of its own have a JSON body with the keys `error` and `message` at least, and carry the
//! [`AcquireError`](crate::AcquireError) among their extensions, as an [`Arc`](std::sync::Arc), for layers further out
//! that log.
//!
//! Admitted and denied answers alike say how the limits stand, in the fields `RateLimit-Policy` and `RateLimit` of
//! [draft-ietf-httpapi-ratelimit-headers-11], with one member a limit:
//!
//! ```text
//! RateLimit-Policy: "rpm";q=100;w=60, "tpm";q=10000;w=60;zae-burst=15000
//! RateLimit: "rpm";r=49;t=31, "tpm";r=12000;t=18
//! ```
//!
//! `q` tokens flow in every `w` seconds (`zae-burst` are kept, if that is not `q`); `r` whole tokens are there now, and
//! after `t` seconds the bucket is full again. A bucket that is full has no `t`, and in a denial no `t` goes beyond
//! `Retry-After`. Of an acquire that cascades, `rpm/1` is the limit `rpm` of the nearest ancestor that is limited,
//! `rpm/2` that of the one above it.
//!
//! # Settlement
//!
//! Once the service inside has answered, the lease is settled by the status of its answer: see [`Settlement`]. If the
//! service fails, panics, or the request is cancelled, it is rolled back. A handler that learns the true cost finds
//! a [`LeaseHandle`] among the request's extensions. A settlement that the store does not take leaves the answer as it
//! is: the work has been done.
//!
//! # Example
//!
//! ```
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt};
//! use zae_limiter::tower::{RateLimitLayer, Target};
//! use zae_limiter::{LimitSet, Limiter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limiter = Limiter::open("memory:").await?;
//! let limits: LimitSet = "rpm=1/min".parse()?;
//! let layer = RateLimitLayer::new(limiter, move |request: &Request<String>| {
//!     let key = request.headers().get("x-api-key")?.to_str().ok()?;
//!     Some(Target::new(key, "api", &limits).consume("rpm", 1))
//! });
//! let service = ServiceBuilder::new()
//!     .layer(layer)
//!     .service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new("hello".to_owned())));
//!
//! let request = || Request::builder().header("x-api-key", "key-1").body(String::new());
//! let first = service.clone().oneshot(request()?).await?;
//! assert_eq!(first.headers()["ratelimit"], r#""rpm";r=0;t=60"#);
//! let second = service.oneshot(request()?).await?;
//! assert_eq!(second.status(), 429);
//! assert_eq!(second.headers()["retry-after"], "60");
//! # Ok(()) }
//! ```
//!
//! [draft-ietf-httpapi-ratelimit-headers-11]:
//!     https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11

mod fields;
mod future;
mod handle;
mod layer;
mod reply;
mod service;
mod settlement;
mod target;

pub use future::ResponseFuture;
pub use handle::{LeaseHandle, LeaseHandleError};
pub use layer::RateLimitLayer;
pub use service::RateLimit;
pub use settlement::Settlement;
pub use target::Target;
