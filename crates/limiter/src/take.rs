//! What is asked of buckets that are resolved, and then taken from them.

use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Amounts, Change, Decision, Levels, Reading};

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

impl Options {
    /// The lease of what was taken.
    pub(crate) fn lease(self, taken: Take, reading: Reading) -> Lease {
        Lease::with(taken, self.with_statuses.then_some(reading), self.failure_mode)
    }

    /// What to do while the store is unavailable.
    pub(crate) fn mode_for(self, buckets: &Buckets) -> FailureMode {
        self.failure_mode.unwrap_or_else(|| buckets.failure_mode())
    }

    /// Whether the lease has nothing to know but what was taken.
    #[inline]
    pub(crate) const fn are_plain(&self) -> bool {
        !self.with_statuses && self.failure_mode.is_none()
    }
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

    /// What to do while the store is unavailable, unless a call says otherwise.
    pub(crate) fn failure_mode(&self) -> FailureMode {
        match self {
            Self::Call(limiter, _) => limiter.failure_mode(),
            Self::Prepared(prepared) => prepared.limiter.mode_of(prepared.options),
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
    #[inline]
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
            Ok(Decision::Admitted(reading)) => return Ok(options.lease(take, reading)),
            Ok(Decision::Denied(reading)) => reading,
            Err(error) => return degraded(options.mode_for(&take.buckets), error.into()),
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

/// What an acquire returns that `error` kept from being decided, if it is to go about that in `mode`.
#[cold]
pub(crate) fn degraded(mode: FailureMode, error: Error) -> Result<Lease, AcquireError> {
    match error {
        Error::Store(failed) if mode.lets_through(&failed) => Ok(Lease::degraded(failed.into())),
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
