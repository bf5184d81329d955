//! What a request is to take.

use std::borrow::Cow;
use std::time::Duration;

use crate::{AcquireError, FailureMode, Lease, Limiter, Limits};

/// What a request takes, and from whom: made by the closure that is given to
/// [`RateLimitLayer::new`](super::RateLimitLayer::new).
///
/// Ids may come from the request as they are: one that is not valid is answered with 400.
///
/// ```
/// # use zae_limiter::{tower::Target, LimitSet};
/// # let limits: LimitSet = "rpm=100/min, tpm=10k/min".parse().unwrap();
/// let target = Target::new("key-1", "gpt-4", &limits).consume("rpm", 1).consume("tpm", 500).cascade(true);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a target limits nothing until the layer's closure returns it"]
pub struct Target {
    entity_id: String,
    resource: String,
    limits: Limits,
    consume: Vec<(Cow<'static, str>, u64)>,
    cascade: bool,
    failure_mode: Option<FailureMode>,
    wait_at_most: Duration,
    partition_key: Option<Vec<u8>>,
}

impl Target {
    /// The buckets of `entity_id` on `resource`, held to `limits`.
    pub fn new(entity_id: impl Into<String>, resource: impl Into<String>, limits: impl Into<Limits>) -> Self {
        Self {
            entity_id: entity_id.into(),
            resource: resource.into(),
            limits: limits.into(),
            consume: Vec::new(),
            cascade: false,
            failure_mode: None,
            wait_at_most: Duration::ZERO,
            partition_key: None,
        }
    }

    /// Asks `limit` for `tokens`. A limit that is asked for nothing only refuses while it is in debt.
    pub fn consume(mut self, limit: impl Into<Cow<'static, str>>, tokens: u64) -> Self {
        self.consume.push((limit.into(), tokens));
        self
    }

    /// Also takes from every ancestor of the entity, all or nothing.
    pub const fn cascade(mut self, cascade: bool) -> Self {
        self.cascade = cascade;
        self
    }

    /// Behaves so while the store is unavailable, whatever the limiter's default: answers 503, or lets the request pass
    /// without fields that say how the limits stand.
    pub const fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.failure_mode = Some(mode);
        self
    }

    /// Holds a denied request back until it can be admitted, if that comes within `timeout`.
    pub const fn wait_at_most(mut self, timeout: Duration) -> Self {
        self.wait_at_most = timeout;
        self
    }

    /// Tells the client by a `pk` parameter to which partition of the quota the answer belongs: for clients whose
    /// requests draw on several buckets, which they could not tell apart otherwise. It should be something that the
    /// client can predict, like the model that it asked for, and nothing secret.
    pub fn partition_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.partition_key = Some(key.into());
        self
    }

    pub(super) const fn take_partition_key(&mut self) -> Option<Vec<u8>> {
        self.partition_key.take()
    }

    /// Takes.
    pub(super) async fn acquire(self, limiter: Limiter) -> Result<Lease, AcquireError> {
        let mut call = limiter
            .acquire(&self.entity_id, &self.resource, self.limits)
            .cascade(self.cascade)
            .with_statuses()
            .wait_at_most(self.wait_at_most);
        for (limit, tokens) in &self.consume {
            call = call.consume(limit, *tokens);
        }
        if let Some(mode) = self.failure_mode {
            call = call.failure_mode(mode);
        }
        call.await
    }
}
