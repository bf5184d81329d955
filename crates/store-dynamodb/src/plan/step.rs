//! The choice of the condition on one limit.

use zae_limiter_core::{Limit, Millitokens, Timestamp};

use super::{Found, Kind, Step};
use crate::item::LimitItem;

/// What is asked of one limit.
#[derive(Clone, Copy)]
pub(super) struct AskedOfLimit<'a> {
    pub(super) kind: Kind,
    pub(super) limit: &'a Limit,
    pub(super) amount: Millitokens,
    pub(super) now: Timestamp,
    pub(super) carried_over_at: Timestamp,
}

impl AskedOfLimit<'_> {
    /// The step from the state that was last seen.
    pub(super) fn of_held(self, held: &LimitItem, likely_busy: bool) -> Step {
        if held.limit != *self.limit {
            return self.of_changed(held);
        }
        if self.amount.get() < 0 {
            self.returned()
        } else if likely_busy || held.full_at.scaled() >= self.scaled_now() {
            self.of_busy(Some(held))
        } else {
            self.of_full(Found::Present)
        }
    }

    /// The step from a state on the scale of other parameters: exactly from that state.
    fn of_changed(self, held: &LimitItem) -> Step {
        let rate = self.limit.rate();
        let carried = held.limit.rate().rescaled(held.full_at, rate, self.carried_over_at);
        let after = match self.kind {
            Kind::Take => rate.take(carried, self.amount, self.now).ok(),
            Kind::Apply => Some(rate.apply(carried, self.amount, self.now)),
        };
        after.map_or(Step::Never, |after| Step::Swap {
            from_limit: held.limit.clone(),
            from: held.full_at,
            after,
        })
    }

    /// The step of an amount that is not negative, from a bucket that is not full; `None` if its state is not known.
    pub(super) fn of_busy(self, held: Option<&LimitItem>) -> Step {
        match (self.kind, self.amount.get()) {
            (Kind::Take, 0) => self.none_taken(Found::Present),
            (Kind::Take, _) if self.is_too_much() => Step::Never,
            (Kind::Take, _) => Step::Busy {
                from: self.scaled_now(),
                to: self.scaled_empty() - self.cost(),
                cost: self.cost(),
            },
            (Kind::Apply, _) => self.charged(held),
        }
    }

    /// The step of a charge, from a bucket that is not full.
    fn charged(self, held: Option<&LimitItem>) -> Step {
        let (rate, cost) = (self.limit.rate(), self.cost());
        let found = held.map(|held| held.full_at);
        // As far as this process knows. The expiry may leave room for more: see `expiry::settle`.
        let to = found.map_or(self.scaled_empty(), |found| found.scaled().max(self.scaled_now()));
        if self.scaled_now() + cost > rate.scaled_max() || to + cost > rate.scaled_max() {
            // Debt ends where the arithmetic does, which no addition can say.
            return match held {
                Some(held) => Step::Swap {
                    from_limit: held.limit.clone(),
                    from: held.full_at,
                    after: rate.charge(held.full_at, self.amount, self.now),
                },
                None => self.of_full(Found::Absent),
            };
        }
        Step::Busy { from: self.scaled_now(), to, cost }
    }

    /// The step from a bucket that is full.
    pub(super) fn of_full(self, found: Found) -> Step {
        match (self.kind, self.amount.get()) {
            (Kind::Take, 0) => self.none_taken(found),
            (Kind::Take, _) if self.is_too_much() => Step::Never,
            // A return to a limit that the item has not is a return to a full bucket: it changes the usage only.
            (_, ..=0) => Step::Idle { before: self.scaled_now(), after: self.scaled_now(), found },
            (_, _) => {
                let after = (self.scaled_now() + self.cost()).min(self.limit.rate().scaled_max());
                Step::Idle { before: self.scaled_now(), after, found }
            }
        }
    }

    /// The step of a return.
    pub(super) fn returned(self) -> Step {
        Step::Return { cost: -self.cost() }
    }

    /// The step of a take of nothing, which a bucket in debt refuses.
    fn none_taken(self, found: Found) -> Step {
        Step::Stay { to: self.scaled_empty(), found }
    }

    fn is_too_much(self) -> bool {
        self.cost() > self.limit.rate().scaled_burst()
    }

    fn scaled_now(self) -> i128 {
        self.limit.rate().scaled_now(self.now)
    }

    /// The state that is just empty.
    fn scaled_empty(self) -> i128 {
        self.scaled_now() + self.limit.rate().scaled_burst()
    }

    fn cost(self) -> i128 {
        self.limit.rate().scaled_cost(self.amount)
    }
}
