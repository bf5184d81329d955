//! A denial, and what it says.

use std::fmt;
use std::time::Duration;

use zae_limiter_core::{Level, LimitStatus, Reading};

use crate::take::Take;

/// An acquire was denied: at least one limit did not hold enough, and nothing was taken anywhere.
///
/// It keeps the states as the store reported them; what it says about them is worked out when asked.
///
/// ```
/// # use zae_limiter::{AcquireError, Block, Limiter, LimitSet};
/// # let limiter = Limiter::open("memory:").wait().unwrap();
/// # let limits: LimitSet = "rpm=10/min, tpm=100/min".parse().unwrap();
/// let call = limiter.acquire("key-1", "gpt-4", &limits).consume("rpm", 1).consume("tpm", 101);
/// let Err(AcquireError::Exceeded(denied)) = call.wait() else { panic!() };
/// let worst = denied.primary_violation().unwrap();
/// assert_eq!((worst.limit.name().as_str(), worst.available.whole_tokens()), ("tpm", 100));
/// assert_eq!(denied.retry_after(), None, "101 tokens never fit into a burst of 100");
/// assert_eq!(denied.passed().count(), 1, "there is still a request left");
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitExceeded(Box<Denied>);

/// Boxed, so that a result of an acquire is not larger than a lease.
#[derive(Clone, Debug)]
struct Denied {
    take: Take,
    reading: Reading,
}

impl RateLimitExceeded {
    pub(crate) fn new(take: Take, reading: Reading) -> Self {
        Self(Box::new(Denied { take, reading }))
    }

    /// The bucket of the entity that asked.
    pub fn own_level(&self) -> &Level {
        self.0.take.buckets.levels().own()
    }

    /// The status of every limit of every level that was checked.
    pub fn statuses(&self) -> impl Iterator<Item = LimitStatus> + '_ {
        self.0.reading.statuses(self.0.take.buckets.levels(), &self.0.take.amounts)
    }

    /// Those that are the reason for the denial; never empty.
    pub fn violations(&self) -> impl Iterator<Item = LimitStatus> + '_ {
        self.statuses().filter(LimitStatus::is_exceeded)
    }

    /// Those that would have admitted the request.
    pub fn passed(&self) -> impl Iterator<Item = LimitStatus> + '_ {
        self.statuses().filter(|status| !status.is_exceeded())
    }

    /// The violation with the longest wait.
    pub fn primary_violation(&self) -> Option<LimitStatus> {
        self.violations().max_by_key(|status| status.wait)
    }

    /// How long until all limits admit the request, if nobody else takes meanwhile; `None` if it asks for more
    /// than a burst and never can be admitted.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.reading.wait(self.0.take.buckets.levels(), &self.0.take.amounts).duration()
    }

    /// The same in whole seconds, rounded up, at least 1: the value of an HTTP `Retry-After` field (RFC 9110,
    /// section 10.2.3).
    pub fn retry_after_header(&self) -> Option<u64> {
        let wait = self.retry_after()?;
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

impl fmt::Display for RateLimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(worst) = self.primary_violation() else { return f.write_str("rate limit exceeded") };
        write!(
            f,
            "rate limit exceeded for {} on {}: {} asks for {} of {} available",
            worst.entity_id,
            worst.resource,
            worst.limit.name(),
            worst.requested,
            worst.available
        )?;
        match worst.retry_after() {
            Some(wait) => write!(f, "; retry after {wait:?}"),
            None => write!(f, "; it can never succeed, as the burst is {}", worst.limit.burst()),
        }
    }
}

impl std::error::Error for RateLimitExceeded {}
