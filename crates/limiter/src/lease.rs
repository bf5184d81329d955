//! What was taken, until it is settled.

use std::collections::BTreeMap;
use std::sync::Arc;

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::take::limits_of;
use zae_limiter_core::{Amounts, Answer, Change, Decision, LimitName, LimitStatus, Millitokens, Reading};

use crate::amounts::unknown_limit;
use crate::limiter::Shared;
use crate::take::Take;
use crate::{AcquireError, Error, FailureMode, RateLimitExceeded, RequestError};

/// What an acquire took. [`commit`](Lease::commit) settles it at its true cost; [`rollback`](Lease::rollback), or
/// dropping it, returns everything.
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
struct Active {
    taken: Take,
    /// Apart, as most leases have nothing to put there and are moved about.
    more: Option<Box<More>>,
}

/// What only some leases need.
#[derive(Debug, Default)]
struct More {
    /// To be applied at the commit, on every level; empty as long as there are none.
    adjustments: Amounts,
    /// The states after the last take, if they are known.
    reading: Option<Reading>,
}

impl Active {
    #[inline(always)]
    fn adjustments(&self) -> &[Millitokens] {
        self.more.as_ref().map_or(&[], |more| &more.adjustments)
    }
}

impl Lease {
    #[inline(always)]
    pub(crate) fn active(taken: Take, reading: Option<Reading>) -> Self {
        let more = reading.map(|reading| Box::new(More { reading: Some(reading), ..More::default() }));
        Self(State::Active(Active { taken, more }))
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

    /// Net consumption so far in tokens, by limit of the entity that asked. Empty if degraded.
    pub fn consumed(&self) -> BTreeMap<LimitName, i64> {
        let State::Active(active) = &self.0 else { return BTreeMap::new() };
        let adjustments = active.adjustments().iter().copied().chain(std::iter::repeat(Millitokens::ZERO));
        let net = active.taken.amounts.iter().zip(adjustments).map(|(taken, adjustment)| *taken + adjustment);
        let names = active.taken.buckets.levels().own().limits.iter().map(|limit| limit.name().clone());
        names.zip(net.map(Millitokens::whole_tokens)).collect()
    }

    /// How every limit of every level stood right after the last take, with `requested` the amount taken in all.
    /// Known if the acquire asked for it ([`Acquire::with_statuses`](crate::Acquire::with_statuses)) or after
    /// [`consume`](Lease::consume); else empty, as for a degraded lease.
    pub fn statuses(&self) -> Vec<LimitStatus> {
        let State::Active(active) = &self.0 else { return Vec::new() };
        let Some(reading) = active.more.as_ref().and_then(|more| more.reading.as_ref()) else { return Vec::new() };
        reading.statuses(active.taken.buckets.levels(), &active.taken.amounts).collect()
    }

    /// Takes more: all of `amounts` (tokens by limit), or nothing. Counts as part of the same acquire.
    pub async fn consume(&mut self, amounts: &[(&str, u64)]) -> Result<(), AcquireError> {
        let State::Active(active) = &mut self.0 else { return Ok(()) };
        let mut more = Take::from(active.taken.buckets.clone());
        more.ask_for(amounts)?;
        match more.buckets.limiter().0.store.take(more.change(0)).await? {
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
    /// than the bucket holds leaves it in debt.
    pub fn adjust(&mut self, limit: &str, delta: i64) -> Result<(), RequestError> {
        let State::Active(active) = &mut self.0 else { return Ok(()) };
        let own = &active.taken.buckets.levels().own().limits;
        if own.position(limit).is_none() {
            return Err(unknown_limit(own, limit));
        }
        if delta.unsigned_abs() > MAX_TOKENS {
            return Err(RequestError::AmountTooLarge(limit.to_owned()));
        }
        let adjustments = &mut active.more.get_or_insert_default().adjustments;
        adjustments.resize(active.taken.amounts.len(), Millitokens::ZERO);
        for ((_, held), adjustment) in limits_of(active.taken.buckets.levels()).zip(adjustments) {
            if held.name().as_str() == limit {
                *adjustment += Millitokens::from_tokens(delta);
            }
        }
        Ok(())
    }

    /// Gives back `tokens` of `limit`, on every level, when the lease is committed. A bucket is never lifted above
    /// its burst.
    pub fn release(&mut self, limit: &str, tokens: u64) -> Result<(), RequestError> {
        let delta = i64::try_from(tokens).map_err(|_| RequestError::AmountTooLarge(limit.to_owned()))?;
        self.adjust(limit, -delta)
    }

    /// Keeps what was taken, with its adjustments. Writes only if there are any.
    ///
    /// The lease ends when the answer is first polled: an answer that is dropped before rolls back.
    #[inline(always)]
    pub fn commit(mut self) -> Answer<'static, Result<(), Error>> {
        match &self.0 {
            State::Active(active) if active.adjustments().iter().any(|amount| !amount.is_zero()) => {
                Answer::pending(async move {
                    let State::Active(active) = self.end() else { return Ok(()) };
                    active.settle(active.adjustments(), 0).await
                })
            }
            _ => {
                self.0 = State::Ended;
                Answer::ready(Ok(()))
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
    /// Applies the final amounts. Under [`FailureMode::FailOpen`], a settlement that cannot reach the store is let go.
    async fn settle(&self, amounts: &[Millitokens], acquires: i64) -> Result<(), Error> {
        let Shared { store, failure_mode, .. } = &*self.taken.buckets.limiter().0;
        match store.apply(Change { levels: self.taken.buckets.levels(), amounts, acquires }).await {
            Err(error) if error.is_unavailable() && *failure_mode == FailureMode::FailOpen => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Returns what was taken in the background.
    fn give_back(self) {
        let amounts: Amounts = self.taken.amounts.iter().map(|amount| -*amount).collect();
        let store = Arc::clone(&self.taken.buckets.limiter().0.store);
        store.clone().spawn(Box::pin(async move {
            // Nobody waits for the outcome. If the return is lost, the bucket errs towards under-admission.
            let _ = store.apply(Change { levels: self.taken.buckets.levels(), amounts: &amounts, acquires: -1 }).await;
        }));
    }
}

impl Drop for Lease {
    #[inline(always)]
    fn drop(&mut self) {
        if let State::Active(active) = self.end() {
            active.give_back();
        }
    }
}
