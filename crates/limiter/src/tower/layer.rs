//! The layer: what is decided once, for all requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::response::Parts;
use tower_layer::Layer;

use super::settlement::Classify;
use super::{RateLimit, Settlement, Target};
use crate::Limiter;

/// `Retry-After` while the store is unavailable, unless told otherwise.
const UNAVAILABLE_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Limits the service inside: see the [module](super). Cheap to clone.
#[derive(Clone)]
pub struct RateLimitLayer<K> {
    pub(super) limiter: Limiter,
    pub(super) key: K,
    pub(super) classify: Classify,
    pub(super) unavailable_retry_after: Duration,
}

impl<K> RateLimitLayer<K> {
    /// Takes from `limiter` what `key` says for each request; a request for which it says `None` is not limited.
    ///
    /// The body of a request is never touched, and the body of an answer only has to be one that a `String` can be
    /// turned into, as axum's and hyper's can.
    pub fn new<B>(limiter: Limiter, key: K) -> Self
    where
        K: Fn(&Request<B>) -> Option<Target>,
    {
        Self {
            limiter,
            key,
            classify: Arc::new(Settlement::by_status),
            unavailable_retry_after: UNAVAILABLE_RETRY_AFTER,
        }
    }

    /// Decides by the head of the answer what becomes of the lease, in place of [`Settlement::by_status`].
    ///
    /// ```
    /// # use zae_limiter::{Block, Limiter, tower::{RateLimitLayer, Settlement, Target}};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// # let key = |_: &http::Request<String>| None::<Target>;
    /// let layer = RateLimitLayer::new(limiter, key).settle_by(|answer| match answer.status.as_u16() {
    ///     // Found in the cache: that is free.
    ///     304 => Settlement::Rollback,
    ///     _ => Settlement::by_status(answer),
    /// });
    /// ```
    #[must_use]
    pub fn settle_by(mut self, classify: impl Fn(&Parts) -> Settlement + Send + Sync + 'static) -> Self {
        self.classify = Arc::new(classify);
        self
    }

    /// What to send as `Retry-After` with a 503, while the store is unavailable: 5 s unless told otherwise. In whole
    /// seconds, rounded up, at least 1.
    #[must_use]
    pub const fn unavailable_retry_after(mut self, wait: Duration) -> Self {
        self.unavailable_retry_after = wait;
        self
    }
}

impl<S, K: Clone> Layer<S> for RateLimitLayer<K> {
    type Service = RateLimit<S, K>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit::new(inner, self.clone())
    }
}

impl<K> fmt::Debug for RateLimitLayer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("limiter", &self.limiter)
            .field("unavailable_retry_after", &self.unavailable_retry_after)
            .finish_non_exhaustive()
    }
}
