//! What was taken, until it is settled.

use std::collections::BTreeMap;
use std::sync::Arc;

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::take::limits_of;
use zae_limiter_core::{Amounts, Change, Decision, LimitName, LimitStatus, Millitokens, Reading};

use crate::amounts::{lay_out, unknown_limit};
use crate::settling::Settling;
use crate::take::{Buckets, Take};
use crate::{AcquireError, Error, FailureMode, RateLimitExceeded, RequestError};

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
pub struct Lease(State);

#[derive(Debug)]
enum State {
    Active(Active),
    /// The store was unavailable: nothing was taken and nothing will be recorded.
    Degraded(Box<Error>),
    /// Settled, one way or the other.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) taken: Take,
    /// Apart, as most leases have nothing to put there, and every lease is moved a few times.
    more: Option<Box<More>>,
}

/// What only some leases need.
#[derive(Debug, Default)]
struct More {
    /// To be applied at the commit, on every level; empty as long as there are none.
    adjustments: Amounts,
    /// The states after the last take, if somebody wants to know them.
    reading: Option<Reading>,
    /// What the call chose for while the store is unavailable, if it chose.
    failure_mode: Option<FailureMode>,
}

impl Active {
    /// Holds nothing of `buckets` yet.
    #[inline(always)]
    pub(crate) fn of(buckets: Buckets) -> Self {
        Self { taken: Take { buckets, amounts: Amounts::new() }, more: None }
    }

    #[inline(always)]
    fn adjustments(&self) -> &[Millitokens] {
        self.more.as_ref().map_or(&[], |more| &more.adjustments)
    }

    fn failure_mode(&self) -> FailureMode {
        let chosen = self.more.as_ref().and_then(|more| more.failure_mode);
        chosen.unwrap_or_else(|| self.taken.buckets.failure_mode())
    }
}

impl Lease {
    #[inline(always)]
    pub(crate) const fn active(active: Active) -> Self {
        Self(State::Active(active))
    }

    /// A lease that knows the states that the take left, or what its call chose.
    pub(crate) fn with(taken: Take, reading: Option<Reading>, failure_mode: Option<FailureMode>) -> Self {
        let more = More { reading, failure_mode, ..More::default() };
        Self(State::Active(Active { taken, more: Some(Box::new(more)) }))
    }

    pub(crate) fn degraded(error: Error) -> Self {
        Self(State::Degraded(Box::new(error)))
    }

    /// Whether the store was unavailable and [`FailureMode::FailOpen`] let the call through.
    pub const fn is_degraded(&self) -> bool {
        matches!(self.0, State::Degraded(_))
    }

    /// Why the lease is degraded, if it is.
    pub fn degraded_by(&self) -> Option<&Error> {
        match &self.0 {
            State::Degraded(error) => Some(error),
            _ => None,
        }
    }

    /// Net consumption so far in tokens, adjustments included, by limit of the entity that asked. Empty if degraded.
    pub fn consumed(&self) -> BTreeMap<LimitName, i64> {
        let State::Active(active) = &self.0 else { return BTreeMap::new() };
        let adjustments = active.adjustments().iter().copied().chain(std::iter::repeat(Millitokens::ZERO));
        let net = active.taken.amounts.iter().zip(adjustments).map(|(taken, adjustment)| *taken + adjustment);
        let names = active.taken.buckets.levels().own().limits.iter().map(|limit| limit.name().clone());
        names.zip(net.map(Millitokens::whole_tokens)).collect()
    }

    /// How every limit of every level stood right after the last take, with `requested` the amount taken in all.
    /// Known after an acquire that asked for it ([`Acquire::with_statuses`](crate::Acquire::with_statuses)) and after
    /// [`consume`](Lease::consume); else empty, as for a degraded lease.
    pub fn statuses(&self) -> Vec<LimitStatus> {
        let State::Active(active) = &self.0 else { return Vec::new() };
        let Some(reading) = active.more.as_ref().and_then(|more| more.reading.as_ref()) else {
            return Vec::new();
        };
        reading.statuses(active.taken.buckets.levels(), &active.taken.amounts).collect()
    }

    /// By how much the limit at a place in [`Lease::statuses`] will be charged at the commit; negative returns.
    #[cfg(feature = "tower")]
    pub(crate) fn adjustment(&self, place: usize) -> Millitokens {
        let State::Active(active) = &self.0 else { return Millitokens::ZERO };
        active.adjustments().get(place).copied().unwrap_or_default()
    }

    /// Takes more: all of `amounts` (tokens by limit), or nothing. Counts as part of the same acquire.
    ///
    /// A denial is [`AcquireError::Exceeded`] and leaves the lease as it was. While the store is unavailable, a lease of
    /// a call that fails open admits this without recording it.
    pub async fn consume(&mut self, amounts: &[(&str, u64)]) -> Result<(), AcquireError> {
        let State::Active(active) = &mut self.0 else { return Ok(()) };
        let mut more = Take { buckets: active.taken.buckets.clone(), amounts: Amounts::new() };
        lay_out(more.buckets.levels(), amounts, &mut more.amounts)?;
        let decision = match more.buckets.limiter().0.store.take(more.change(0)).await {
            Err(error) if active.failure_mode().lets_through(&error) => return Ok(()),
            decision => decision?,
        };
        match decision {
            Decision::Admitted(reading) => {
                active.more.get_or_insert_default().reading = Some(reading);
                for (taken, more) in active.taken.amounts.iter_mut().zip(more.amounts) {
                    *taken += more;
                }
                Ok(())
            }
            Decision::Denied(reading) => Err(RateLimitExceeded::new(more, reading).into()),
        }
    }

    /// Corrects the consumption of `limit` by `delta` tokens, on every level, when the lease is committed. More
    /// than the bucket holds leaves it in debt. Never fails for lack of tokens, only if `limit` is none of the
    /// entity's own limits, or `delta` is beyond ±10¹².
    pub fn adjust(&mut self, limit: &str, delta: i64) -> Result<(), RequestError> {
        let State::Active(active) = &mut self.0 else { return Ok(()) };
        let levels = active.taken.buckets.levels();
        if levels.own().limits.position(limit).is_none() {
            return Err(unknown_limit(&levels.own().limits, limit));
        }
        if delta.unsigned_abs() > MAX_TOKENS {
            return Err(RequestError::AmountTooLarge(limit.to_owned()));
        }
        let adjustments = &mut active.more.get_or_insert_default().adjustments;
        adjustments.resize(active.taken.amounts.len(), Millitokens::ZERO);
        for ((_, held), adjustment) in limits_of(levels).zip(adjustments) {
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
    #[inline(always)]
    pub fn commit(mut self) -> Settling {
        match &self.0 {
            State::Active(active) if active.adjustments().iter().any(|amount| !amount.is_zero()) => {
                Settling::pending(async move {
                    let State::Active(active) = self.end() else { return Ok(()) };
                    active.settle(active.adjustments(), 0).await
                })
            }
            _ => {
                drop(self.end());
                // Nothing is left to roll back.
                std::mem::forget(self);
                Settling::done()
            }
        }
    }

    /// Returns everything that was taken; adjustments are dropped.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let State::Active(active) = self.end() else { return Ok(()) };
        let amounts: Amounts = active.taken.amounts.iter().map(|amount| -*amount).collect();
        active.settle(&amounts, -1).await
    }

    #[inline(always)]
    fn end(&mut self) -> State {
        std::mem::replace(&mut self.0, State::Ended)
    }
}

impl Active {
    /// Applies the final amounts. Of a call that fails open, a settlement that cannot reach the store is let go.
    async fn settle(&self, amounts: &[Millitokens], acquires: i64) -> Result<(), Error> {
        let change = Change { levels: self.taken.buckets.levels(), amounts, acquires };
        match self.taken.buckets.limiter().0.store.apply(change).await {
            Err(error) if self.failure_mode().lets_through(&error) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
    /// Returns in the background what was taken.
    fn give_back(self) {
        let amounts: Amounts = self.taken.amounts.iter().map(|amount| -*amount).collect();
        let store = Arc::clone(&self.taken.buckets.limiter().0.store);
        let change_back = async move {
            let buckets = &self.taken.buckets;
            // Nobody waits for the outcome. If the return is lost, the bucket errs towards under-admission.
            let change = Change { levels: buckets.levels(), amounts: &amounts, acquires: -1 };
            let _ = buckets.limiter().0.store.apply(change).await;
        };
        store.spawn(Box::pin(change_back));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let State::Active(active) = self.end() {
            active.give_back();
        }
    }
}
