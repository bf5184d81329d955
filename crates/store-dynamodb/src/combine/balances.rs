//! What a bucket holds, as one request after the other is admitted.

use smallvec::SmallVec;
use zae_limiter_core::{FullAt, Limit, LimitSet, Millitokens, Reading, Timestamp};

use crate::item::Known;

/// The states of a bucket as requests are admitted one after the other.
pub(super) struct Balances<'a> {
    limits: &'a LimitSet,
    now: Timestamp,
    states: SmallVec<[FullAt; 4]>,
}

impl<'a> Balances<'a> {
    pub(super) fn new(known: Option<&Known>, limits: &'a LimitSet, now: Timestamp) -> Self {
        let full = || limits.iter().map(|_| FullAt::ALWAYS).collect();
        let states = known.map_or_else(full, |known| known.reading(limits, now).full_at);
        Self { limits, now, states }
    }

    /// Takes all amounts, or nothing.
    pub(super) fn take(&mut self, amounts: &[Millitokens]) -> bool {
        let asked = self.limits.iter().zip(&self.states).zip(amounts);
        let after: Option<_> =
            asked.map(|((limit, state), amount)| limit.rate().take(*state, *amount, self.now).ok()).collect();
        after.map(|after| self.states = after).is_some()
    }

    pub(super) fn can_never_take(&self, amounts: &[Millitokens]) -> bool {
        let burst = |limit: &Limit| limit.rate().scaled_burst();
        self.limits
            .iter()
            .zip(amounts)
            .any(|(limit, amount)| limit.rate().scaled_cost(*amount) > burst(limit))
    }

    pub(super) fn reading(&self) -> Reading {
        Reading { at: self.now, full_at: self.states.clone() }
    }
}
