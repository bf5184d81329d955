//! What was taken, until it is settled.

use std::collections::BTreeMap;

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::take::limits_of;
use zae_limiter_core::{
    Amounts, Answer, Change, Decision, Levels, LimitName, LimitStatus, Millitokens, Reading,
};

use crate::acquire::{Options, amounts_for, unknown_limit};
use crate::{AcquireError, Error, FailureMode, Limiter, RateLimitExceeded, RequestError};

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
    Degraded(Error),
    /// Settled, one way or the other.
    Ended,
}

#[derive(Debug)]
struct Active {
    limiter: Limiter,
    levels: Levels,
    /// Taken from the store, on every level.
    taken: Amounts,
    /// To be applied at the commit, on every level; empty as long as there are none.
    adjustments: Vec<Millitokens>,
    /// The states after the last take.
    reading: Reading,
    /// What the call chose for while the store is unavailable.
    failure_mode: FailureMode,
}

impl Lease {
    pub(crate) fn active(
        limiter: Limiter,
        levels: Levels,
        taken: Amounts,
        reading: Reading,
        options: Options,
    ) -> Self {
        let failure_mode = limiter.mode_of(options);
        Self(State::Active(Active { limiter, levels, taken, adjustments: Vec::new(), reading, failure_mode }))
    }

    pub(crate) const fn degraded(error: Error) -> Self {
        Self(State::Degraded(error))
    }

    /// Whether the store was unavailable and [`FailureMode::FailOpen`] let the call through.
    pub const fn is_degraded(&self) -> bool {
        matches!(self.0, State::Degraded(_))
    }

    /// Why the lease is degraded, if it is.
    pub const fn degraded_by(&self) -> Option<&Error> {
        match &self.0 {
            State::Degraded(error) => Some(error),
            _ => None,
        }
    }

    /// Net consumption so far in tokens, adjustments included, by limit of the entity that asked. Empty if degraded.
    pub fn consumed(&self) -> BTreeMap<LimitName, i64> {
        let State::Active(active) = &self.0 else { return BTreeMap::new() };
        let adjustment = |i: usize| active.adjustments.get(i).copied().unwrap_or_default();
        let net = active.taken.iter().enumerate().map(|(i, taken)| *taken + adjustment(i));
        let names = active.levels.own().limits.iter().map(|limit| limit.name().clone());
        names.zip(net.map(Millitokens::whole_tokens)).collect()
    }

    /// How every limit of every level stood right after the last take, with `requested` the amount taken in all.
    /// Empty if degraded.
    pub fn statuses(&self) -> Vec<LimitStatus> {
        let State::Active(active) = &self.0 else { return Vec::new() };
        active.reading.statuses(&active.levels, &active.taken).collect()
    }

    /// By how much the limit at a place in [`Lease::statuses`] will be charged at the commit; negative returns.
    #[cfg(feature = "tower")]
    pub(crate) fn adjustment(&self, place: usize) -> Millitokens {
        let State::Active(active) = &self.0 else { return Millitokens::ZERO };
        active.adjustments.get(place).copied().unwrap_or_default()
    }

    /// Takes more: all of `amounts` (tokens by limit), or nothing. Counts as part of the same acquire.
    ///
    /// A denial is [`AcquireError::Exceeded`] and leaves the lease as it was. While the store is unavailable, a lease of
    /// a call that fails open admits this without recording it.
    pub async fn consume(&mut self, amounts: &[(&str, u64)]) -> Result<(), AcquireError> {
        let State::Active(active) = &mut self.0 else { return Ok(()) };
        let amounts = amounts_for(&active.levels, amounts)?;
        let change = Change { levels: &active.levels, amounts: &amounts, acquires: 0 };
        let decision = match active.limiter.0.store.take(change).await {
            Err(error) if active.failure_mode.lets_through(&error) => return Ok(()),
            decision => decision?,
        };
        match decision {
            Decision::Admitted(reading) => {
                active.reading = reading;
                for (taken, more) in active.taken.iter_mut().zip(amounts) {
                    *taken += more;
                }
                Ok(())
            }
            Decision::Denied(reading) => {
                Err(RateLimitExceeded::new(active.levels.clone(), amounts, reading).into())
            }
        }
    }

    /// Corrects the consumption of `limit` by `delta` tokens, on every level, when the lease is committed. More
    /// than the bucket holds leaves it in debt. Never fails for lack of tokens, only if `limit` is none of the
    /// entity's own limits, or `delta` is beyond ±10¹².
    pub fn adjust(&mut self, limit: &str, delta: i64) -> Result<(), RequestError> {
        let State::Active(active) = &mut self.0 else { return Ok(()) };
        if active.levels.own().limits.position(limit).is_none() {
            return Err(unknown_limit(&active.levels, limit));
        }
        if delta.unsigned_abs() > MAX_TOKENS {
            return Err(RequestError::AmountTooLarge(limit.to_owned()));
        }
        active.adjustments.resize(active.taken.len(), Millitokens::ZERO);
        for ((_, held), adjustment) in limits_of(&active.levels).zip(&mut active.adjustments) {
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
    /// The lease ends when the answer is first polled: an answer that is dropped before rolls back.
    pub fn commit(mut self) -> Answer<'static, Result<(), Error>> {
        match &self.0 {
            State::Active(active) if active.adjustments.iter().any(|amount| !amount.is_zero()) => {
                Answer::pending(async move {
                    let State::Active(active) = self.end() else { return Ok(()) };
                    active.settle(&active.adjustments, 0).await
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
        let amounts: Amounts = active.taken.iter().map(|amount| -*amount).collect();
        active.settle(&amounts, -1).await
    }

    fn end(&mut self) -> State {
        std::mem::replace(&mut self.0, State::Ended)
    }
}

impl Active {
    /// Applies the final amounts. Of a call that fails open, a settlement that cannot reach the store is let go.
    async fn settle(&self, amounts: &[Millitokens], acquires: i64) -> Result<(), Error> {
        match self.limiter.0.store.apply(Change { levels: &self.levels, amounts, acquires }).await {
            Err(error) if self.failure_mode.lets_through(&error) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let State::Active(active) = self.end() {
            active.limiter.give_back(active.levels, &active.taken);
        }
    }
}
