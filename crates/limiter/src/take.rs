//! Taking from buckets that are resolved.

use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Amounts, Answer, Change, Decision, Level, Levels};

use crate::amounts::amounts_for;
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

/// Where to take from.
pub(crate) enum Asked<'a> {
    /// From these buckets of a limiter, which were resolved for this one call.
    Call(&'a Limiter, Levels),
    /// From buckets that were resolved before.
    Prepared(&'a Arc<Prepared>),
}

/// The same, for as long as a lease lasts.
#[derive(Debug)]
pub(crate) enum Taken {
    Call(Limiter, Levels),
    Prepared(Arc<Prepared>),
}

impl<'a> Asked<'a> {
    #[inline]
    fn limiter(&self) -> &'a Limiter {
        match self {
            Self::Call(limiter, _) => limiter,
            Self::Prepared(prepared) => &prepared.limiter,
        }
    }

    #[inline]
    fn levels(&self) -> &[Level] {
        match self {
            Self::Call(_, levels) => levels,
            Self::Prepared(prepared) => &prepared.levels,
        }
    }

    #[inline]
    fn into_levels(self) -> Levels {
        match self {
            Self::Call(_, levels) => levels,
            Self::Prepared(prepared) => prepared.levels.clone(),
        }
    }

    #[inline]
    fn into_taken(self) -> Taken {
        match self {
            Self::Call(limiter, levels) => Taken::Call(limiter.clone(), levels),
            Self::Prepared(prepared) => Taken::Prepared(Arc::clone(prepared)),
        }
    }
}

impl Taken {
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

/// Takes, waiting if that was asked for. A store that answers at once is asked here and now, so that such a call
/// costs neither a task nor an allocation.
#[inline]
pub(crate) fn take<'a>(
    asked: Asked<'a>,
    consume: &[(&str, u64)],
    options: Options,
) -> Answer<'a, Result<Lease, AcquireError>> {
    let amounts = match amounts_for(asked.levels(), consume) {
        Ok(amounts) => amounts,
        Err(error) => return Answer::ready(Err(error.into())),
    };
    let change = Change { levels: asked.levels(), amounts: &amounts, acquires: 1 };
    let at_once = asked.limiter().0.store.take(change).into_ready().ok();
    match at_once {
        Some(Ok(Decision::Admitted(reading))) => {
            let reading = options.with_statuses.then_some(reading);
            Answer::ready(Ok(Lease::active(asked.into_taken(), amounts, reading)))
        }
        Some(Ok(Decision::Denied(reading))) if options.wait_at_most.is_zero() => {
            Answer::ready(Err(RateLimitExceeded::new(asked.into_levels(), amounts, reading).into()))
        }
        Some(Err(error)) => Answer::ready(asked.limiter().degraded(error.into(), options)),
        // Nothing was taken, or nothing was asked yet: an answer that is pending has not been polled.
        Some(Ok(Decision::Denied(_))) | None => Answer::pending(take_until_deadline(asked, amounts, options)),
    }
}

async fn take_until_deadline(asked: Asked<'_>, amounts: Amounts, options: Options) -> Result<Lease, AcquireError> {
    let limiter = asked.limiter();
    let mut give_up_at = None;
    loop {
        let change = Change { levels: asked.levels(), amounts: &amounts, acquires: 1 };
        let reading = match limiter.0.store.take(change).await {
            Ok(Decision::Admitted(reading)) => {
                let reading = options.with_statuses.then_some(reading);
                return Ok(Lease::active(asked.into_taken(), amounts, reading));
            }
            Ok(Decision::Denied(reading)) => reading,
            Err(error) => return limiter.degraded(error.into(), options),
        };
        let now = limiter.0.clock.now();
        let deadline = *give_up_at.get_or_insert(now.after(options.wait_at_most));
        match reading.wait(asked.levels(), &amounts).duration() {
            Some(wait) if wait <= deadline.since(now) && !options.wait_at_most.is_zero() => {
                let spare = deadline.since(now) - wait;
                let jitter = limiter.0.jitter.up_to(MOST_JITTER.min(wait / 8).min(spare));
                limiter.0.clock.sleep(wait + jitter).await;
            }
            _ => return Err(RateLimitExceeded::new(asked.into_levels(), amounts, reading).into()),
        }
    }
}

impl Limiter {
    /// What an acquire returns that `error` kept from being decided.
    pub(crate) fn degraded(&self, error: Error, options: Options) -> Result<Lease, AcquireError> {
        match options.failure_mode.unwrap_or(self.0.failure_mode) {
            FailureMode::FailOpen if error.is_unavailable() => Ok(Lease::degraded(error)),
            FailureMode::FailOpen | FailureMode::FailClosed => Err(error.into()),
        }
    }
}
#[cfg(test)]
mod sizes {
    use super::*;
    #[test]
    fn sizes() {
        use std::mem::size_of as s;
        println!("levels {} taken {} amounts {} lease {} result {} answer {} asked {} decision {} store answer {} acquire {} error {} acqerr {} limits {}", s::<Levels>(), s::<Taken>(), s::<Amounts>(), s::<Lease>(), s::<Result<Lease, AcquireError>>(), s::<Answer<'static, Result<Lease, AcquireError>>>(), s::<Asked<'static>>(), s::<Decision>(), s::<Answer<'static, Result<Decision, zae_limiter_core::StoreError>>>(), s::<crate::Acquire<'static>>(), s::<Error>(), s::<AcquireError>(), s::<crate::Limits>());
    }
}
