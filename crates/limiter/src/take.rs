//! What is asked of buckets that are resolved, and then taken from them.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Amounts, Change, Decision, Level, LimitStatus, Reading, Store, Wait};

use crate::amounts::lay_out;
use crate::bucket_handle::Prepared;
use crate::resolve::Plan;
use crate::spare::Link;
use crate::{AcquireError, Error, FailureMode, Lease, Limiter, RateLimitExceeded, RequestError};

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
    /// One, for which nothing had to be looked up.
    One(Limiter, Level),
    /// As they were looked up.
    Planned(Limiter, Arc<Plan>),
    /// Those of a handle: one count of references for everything.
    Prepared(Arc<Prepared>),
}

impl Buckets {
    #[inline]
    pub(crate) fn limiter(&self) -> &Limiter {
        match self {
            Self::One(limiter, _) | Self::Planned(limiter, _) => limiter,
            Self::Prepared(prepared) => prepared.buckets.limiter(),
        }
    }

    /// The entity's own level, then those of its ancestors; never empty.
    #[inline]
    pub(crate) fn levels(&self) -> &[Level] {
        match self {
            Self::One(_, level) => slice::from_ref(level),
            Self::Planned(_, plan) => plan.levels(),
            Self::Prepared(prepared) => prepared.buckets.levels(),
        }
    }

    pub(crate) fn own(&self) -> &Level {
        &self.levels()[0]
    }

    /// What to do while the store is unavailable, unless a call says otherwise.
    pub(crate) fn failure_mode(&self) -> FailureMode {
        match self {
            Self::One(limiter, _) | Self::Planned(limiter, _) => limiter.failure_mode(),
            Self::Prepared(prepared) => self.limiter().mode_of(prepared.options),
        }
    }
}

/// Amounts of some buckets: asked for, then held by a lease, or denied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Take {
    /// Where they are; `None` before it is known, and for a lease that is degraded.
    pub(crate) buckets: Option<Buckets>,
    pub(crate) amounts: Amounts,
    /// What a lease is to apply at its commit, on every level; empty as long as there is nothing.
    pub(crate) adjustments: Amounts,
    /// The states that a denial found, or that a take left and somebody wants to know.
    pub(crate) reading: Option<Reading>,
    /// What the call chose for while the store is unavailable, if it chose.
    pub(crate) failure_mode: Option<FailureMode>,
    /// What kept the store from deciding.
    pub(crate) degraded_by: Option<Arc<Error>>,
    /// While it is a spare place.
    pub(crate) link: Link,
}

impl Take {
    /// Back to a take of nothing.
    pub(crate) fn clear(&mut self) {
        let Self { buckets, amounts, adjustments, reading, failure_mode, degraded_by, link: _ } = self;
        (*buckets, *reading, *failure_mode, *degraded_by) = (None, None, None, None);
        amounts.clear();
        adjustments.clear();
    }

    pub(crate) fn buckets(&self) -> &Buckets {
        match &self.buckets {
            Some(buckets) => buckets,
            None => unreachable!("they are known before anything is asked of them"),
        }
    }

    pub(crate) fn levels(&self) -> &[Level] {
        self.buckets().levels()
    }

    /// The store to ask.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.buckets().limiter().0.store
    }

    /// Asks for `consume`, tokens by limit.
    #[inline(always)]
    pub(crate) fn ask_for(&mut self, consume: &[(&str, u64)]) -> Result<(), RequestError> {
        let Self { buckets: Some(buckets), amounts, .. } = self else { return Ok(()) };
        lay_out(buckets.levels(), consume, amounts)
    }

    /// What the store is to do: take the amounts, and count them as `acquires`.
    #[inline]
    pub(crate) fn change(&self, acquires: i64) -> Change<'_> {
        Change { levels: self.levels(), amounts: &self.amounts, acquires }
    }

    /// What to do while the store is unavailable.
    pub(crate) fn failure_mode(&self) -> FailureMode {
        self.failure_mode.unwrap_or_else(|| self.buckets().failure_mode())
    }

    /// How long until what is asked for is there, by the states that were found.
    pub(crate) fn wait(&self) -> Wait {
        self.reading.as_ref().map_or(Wait::None, |reading| reading.wait(self.levels(), &self.amounts))
    }

    /// The status of every limit of every level, if the states are known.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = LimitStatus> + '_ {
        self.reading.iter().flat_map(|reading| reading.statuses(self.levels(), &self.amounts))
    }
}

/// Takes, waiting if that was asked for.
pub(crate) async fn take_until_deadline(
    mut take: Box<Take>,
    options: Options,
) -> Result<Lease, AcquireError> {
    let limiter = take.buckets().limiter().clone();
    let mut give_up_at = None;
    loop {
        match limiter.0.store.take(take.change(1)).await {
            Ok(Decision::Admitted(reading)) => {
                take.reading = options.with_statuses.then_some(reading);
                return Ok(Lease::of(take));
            }
            Ok(Decision::Denied(reading)) => take.reading = Some(reading),
            Err(error) => return degraded(take.failure_mode(), error.into()),
        }
        let now = limiter.0.clock.now();
        let deadline = *give_up_at.get_or_insert(now.after(options.wait_at_most));
        match take.wait().duration() {
            Some(wait) if wait <= deadline.since(now) && !options.wait_at_most.is_zero() => {
                let spare = deadline.since(now).saturating_sub(wait);
                let jitter = limiter.0.jitter.up_to(MOST_JITTER.min(wait / 8).min(spare));
                limiter.0.clock.sleep(wait + jitter).await;
            }
            _ => return Err(RateLimitExceeded::of(take).into()),
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
