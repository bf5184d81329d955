//! What was taken, until it is settled.

use std::collections::BTreeMap;
use std::sync::Arc;

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::take::limits_of;
use zae_limiter_core::{Amounts, Change, Decision, LimitName, LimitStatus, Millitokens};

use crate::amounts::unknown_limit;
use crate::settling::Settling;
use crate::spare;
use crate::take::Take;
use crate::{AcquireError, Error, RateLimitExceeded, RequestError};

/// What an acquire took. [`commit`](Lease::commit) settles it at its true cost; [`rollback`](Lease::rollback), or
/// dropping it, returns everything.
///
/// ```
/// # use zae_limiter::{Block, Limiter, LimitSet};
/// # let limiter = Limiter::open("memory:").wait().unwrap();
/// # let limits: LimitSet = "rpm=10/h, tpm=1k/h".parse().unwrap();
/// // 500 tokens are an estimate.
/// let mut lease = limiter.acquire("key-1", "gpt-4", &limits).consume("rpm", 1).consume("tpm", 500).wait().unwrap();
/// lease.consume(&[("tpm", 200)]).wait().unwrap(); // more are needed, if there are as many
/// lease.adjust("tpm", -80).unwrap(); // the true cost
/// assert_eq!(lease.consumed()["tpm"], 620);
/// lease.commit().wait().unwrap();
/// assert_eq!(limiter.available("key-1", "gpt-4", &limits).wait().unwrap()["tpm"], 380);
/// ```
#[derive(Debug)]
#[must_use = "a lease that is dropped rolls back"]
pub struct Lease(Option<Box<Take>>);

impl Lease {
    #[inline]
    pub(crate) const fn of(taken: Box<Take>) -> Self {
        Self(Some(taken))
    }

    /// A lease that has ended.
    pub(crate) const fn of_nothing() -> Self {
        Self(None)
    }

    /// A lease of nothing, as the store was unavailable: nothing will be recorded.
    pub(crate) fn degraded(error: Error) -> Self {
        let mut nothing = spare::place();
        nothing.degraded_by = Some(Arc::new(error));
        Self(Some(nothing))
    }

    /// Whether the store was unavailable and [`FailureMode::FailOpen`](crate::FailureMode::FailOpen) let the call
    /// through.
    pub fn is_degraded(&self) -> bool {
        self.degraded_by().is_some()
    }

    /// Why the lease is degraded, if it is.
    pub fn degraded_by(&self) -> Option<&Error> {
        self.0.as_ref()?.degraded_by.as_deref()
    }

    /// What was taken, if something was.
    fn taken(&self) -> Option<&Take> {
        self.0.as_deref().filter(|taken| taken.degraded_by.is_none())
    }

    fn taken_mut(&mut self) -> Option<&mut Take> {
        self.0.as_deref_mut().filter(|taken| taken.degraded_by.is_none())
    }

    /// Net consumption so far in tokens, adjustments included, by limit of the entity that asked. Empty if degraded.
    pub fn consumed(&self) -> BTreeMap<LimitName, i64> {
        let Some(taken) = self.taken() else { return BTreeMap::new() };
        let adjustments = taken.adjustments.iter().copied().chain(std::iter::repeat(Millitokens::ZERO));
        let net = taken.amounts.iter().zip(adjustments).map(|(taken, adjustment)| *taken + adjustment);
        let names = taken.buckets().own().limits.iter().map(|limit| limit.name().clone());
        names.zip(net.map(Millitokens::whole_tokens)).collect()
    }

    /// How every limit of every level stood right after the last take, with `requested` the amount taken in all.
    /// Known after an acquire that asked for it ([`Acquire::with_statuses`](crate::Acquire::with_statuses)) and after
    /// [`consume`](Lease::consume); else empty, as for a degraded lease.
    pub fn statuses(&self) -> Vec<LimitStatus> {
        let Some(taken) = self.taken() else { return Vec::new() };
        taken.statuses().collect()
    }

    /// By how much the limit at a place in [`Lease::statuses`] will be charged at the commit; negative returns.
    #[cfg(feature = "tower")]
    pub(crate) fn adjustment(&self, place: usize) -> Millitokens {
        let Some(taken) = self.taken() else { return Millitokens::ZERO };
        taken.adjustments.get(place).copied().unwrap_or_default()
    }

    /// Takes more: all of `amounts` (tokens by limit), or nothing. Counts as part of the same acquire.
    ///
    /// A denial is [`AcquireError::Exceeded`] and leaves the lease as it was. While the store is unavailable, a lease of
    /// a call that fails open admits this without recording it.
    pub async fn consume(&mut self, amounts: &[(&str, u64)]) -> Result<(), AcquireError> {
        let Some(taken) = self.taken_mut() else { return Ok(()) };
        let mut more = spare::place();
        more.buckets.clone_from(&taken.buckets);
        more.ask_for(amounts)?;
        let decision = match more.store().take(more.change(0)).await {
            Err(error) if taken.failure_mode().lets_through(&error) => return Ok(()),
            decision => decision?,
        };
        match decision {
            Decision::Admitted(reading) => {
                taken.reading = Some(reading);
                for (taken, more) in taken.amounts.iter_mut().zip(&more.amounts) {
                    *taken += *more;
                }
                spare::keep(more);
                Ok(())
            }
            Decision::Denied(reading) => {
                more.reading = Some(reading);
                Err(RateLimitExceeded::of(more).into())
            }
        }
    }

    /// Corrects the consumption of `limit` by `delta` tokens, on every level, when the lease is committed. More
    /// than the bucket holds leaves it in debt. Never fails for lack of tokens, only if `limit` is none of the
    /// entity's own limits, or `delta` is beyond ±10¹².
    pub fn adjust(&mut self, limit: &str, delta: i64) -> Result<(), RequestError> {
        let Some(taken) = self.taken_mut() else { return Ok(()) };
        let own = &taken.buckets().own().limits;
        if own.position(limit).is_none() {
            return Err(unknown_limit(own, limit));
        }
        if delta.unsigned_abs() > MAX_TOKENS {
            return Err(RequestError::AmountTooLarge(limit.to_owned()));
        }
        let Take { buckets: Some(buckets), amounts, adjustments, .. } = taken else { return Ok(()) };
        adjustments.resize(amounts.len(), Millitokens::ZERO);
        for ((_, held), adjustment) in limits_of(buckets.levels()).zip(adjustments) {
            if held.name().as_str() == limit {
                *adjustment += Millitokens::from_tokens(delta);
            }
        }
        Ok(())
    }

    /// Gives back `tokens` of `limit`, on every level, when the lease is committed: [`adjust`](Lease::adjust) by
    /// `-tokens`. A bucket is never lifted above its burst.
    pub fn release(&mut self, limit: &str, tokens: u64) -> Result<(), RequestError> {
        let delta = i64::try_from(tokens).map_err(|_| RequestError::AmountTooLarge(limit.to_owned()))?;
        self.adjust(limit, -delta)
    }

    /// Keeps what was taken, with its adjustments. Writes only if there are any.
    ///
    /// The lease ends when the future is first polled: one that is dropped before rolls back.
    #[inline]
    pub fn commit(mut self) -> Settling {
        match self.taken() {
            Some(taken) if taken.adjustments.iter().any(|amount| !amount.is_zero()) => {
                Settling::pending(async move {
                    let Some(taken) = self.end() else { return Ok(()) };
                    let outcome = settle(&taken, &taken.adjustments, 0).await;
                    spare::keep(taken);
                    outcome
                })
            }
            _ => {
                if let Some(taken) = self.0.take() {
                    spare::keep(taken);
                }
                Settling::done()
            }
        }
    }

    /// Returns everything that was taken; adjustments are dropped.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let Some(taken) = self.end() else { return Ok(()) };
        let outcome = settle(&taken, &all_back(&taken), -1).await;
        spare::keep(taken);
        outcome
    }

    /// Ends the lease, and says what was taken, if something was.
    fn end(&mut self) -> Option<Box<Take>> {
        self.0.take().filter(|taken| taken.degraded_by.is_none())
    }
}

/// What returns everything that was taken.
fn all_back(taken: &Take) -> Amounts {
    taken.amounts.iter().map(|amount| -*amount).collect()
}

/// Applies the final amounts. Of a call that fails open, a settlement that cannot reach the store is let go.
async fn settle(taken: &Take, amounts: &[Millitokens], acquires: i64) -> Result<(), Error> {
    match taken.store().apply(Change { amounts, ..taken.change(acquires) }).await {
        Err(error) if taken.failure_mode().lets_through(&error) => Ok(()),
        outcome => Ok(outcome?),
    }
}

impl Drop for Lease {
    /// Returns in the background what was taken.
    #[inline]
    fn drop(&mut self) {
        if let Some(taken) = self.end() {
            give_back(taken);
        }
    }
}

#[inline(never)]
fn give_back(taken: Box<Take>) {
    let store = Arc::clone(taken.store());
    store.spawn(Box::pin(async move {
        // Nobody waits for the outcome. If the return is lost, the bucket errs towards under-admission.
        let _ = settle(&taken, &all_back(&taken), -1).await;
    }));
}
