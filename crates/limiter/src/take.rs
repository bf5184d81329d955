//! What is asked of buckets that are resolved, and then taken from them.

use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Amounts, Change, Decision, Levels};

use crate::bucket_handle::Prepared;
use crate::{AcquireError, Error, FailureMode, Lease, Limiter, RateLimitExceeded};

/// The longest random delay that is added to a wait.
const MOST_JITTER: Duration = Duration::from_millis(50);

/// How to go about a take, whatever it asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) failure_mode: Option<FailureMode>,
    pub(crate) wait_at_most: Duration,
    /// Whether the lease is to know the states that the take left.
    pub(crate) with_statuses: bool,
}

/// Buckets, and the limiter that they belong to.
#[derive(Clone, Debug)]
pub(crate) enum Buckets {
    /// Resolved for one call.
    Call(Limiter, Levels),
    /// Resolved before, by a handle: one count of references for everything.
    Prepared(Arc<Prepared>),
}

impl Buckets {
    #[inline]
    pub(crate) fn limiter(&self) -> &Limiter {
        match self {
            Self::Call(limiter, _) => limiter,
            Self::Prepared(prepared) => &prepared.limiter,
        }
    }

    #[inline]
    pub(crate) fn levels(&self) -> &Levels {
        match self {
            Self::Call(_, levels) => levels,
            Self::Prepared(prepared) => &prepared.levels,
        }
    }
}

/// Amounts of some buckets: asked for, then held by a lease, or denied.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) buckets: Buckets,
    pub(crate) amounts: Amounts,
}

impl Take {
    /// What the store is to do: take the amounts, and count them as `acquires`.
    pub(crate) fn change(&self, acquires: i64) -> Change<'_> {
        Change { levels: self.buckets.levels(), amounts: &self.amounts, acquires }
    }
}

/// Takes, waiting if that was asked for.
pub(crate) async fn take_until_deadline(take: Take, options: Options) -> Result<Lease, AcquireError> {
    let shared = Arc::clone(&take.buckets.limiter().0);
    let mut give_up_at = None;
    loop {
        let reading = match shared.store.take(take.change(1)).await {
            Ok(Decision::Admitted(reading)) => return Ok(Lease::active(take, options.with_statuses.then_some(reading), options)),
            Ok(Decision::Denied(reading)) => reading,
            Err(error) => return degraded(take.buckets.limiter(), error.into(), options),
        };
        let now = shared.clock.now();
        let deadline = *give_up_at.get_or_insert(now.after(options.wait_at_most));
        match reading.wait(take.buckets.levels(), &take.amounts).duration() {
            Some(wait) if wait <= deadline.since(now) && !options.wait_at_most.is_zero() => {
                let spare = deadline.since(now).saturating_sub(wait);
                let jitter = shared.jitter.up_to(MOST_JITTER.min(wait / 8).min(spare));
                shared.clock.sleep(wait + jitter).await;
            }
            _ => return Err(RateLimitExceeded::new(take, reading).into()),
        }
    }
}

/// What an acquire returns that `error` kept from being decided.
#[cold]
pub(crate) fn degraded(limiter: &Limiter, error: Error, options: Options) -> Result<Lease, AcquireError> {
    match error {
        Error::Store(failed) if limiter.mode_of(options).lets_through(&failed) => Ok(Lease::degraded(failed.into())),
        error => Err(error.into()),
    }
}

impl Limiter {
    /// What a call with `options` does while the store is unavailable.
    #[inline]
    pub(crate) fn mode_of(&self, options: Options) -> FailureMode {
        options.failure_mode.unwrap_or(self.0.failure_mode)
    }
}
