//! What writes consumed of one limit, in every window that a take ends.

use zae_limiter_core::{Limit, Millitokens};

use crate::history::Decided;
use crate::model::{burst, millitokens, parts, per_ms};

/// The windows of one limit.
pub(super) struct Windows {
    limit: Limit,
    skew_ms: u64,
    /// Under the present parameters, by the clocks of the clients: exact, whatever these show.
    present: Window,
    /// Under all parameters that ever were, by the true time.
    ever: Window,
}

impl Windows {
    /// None yet; no clock is wrong by more than `skew_ms`.
    pub(super) fn new(limit: &Limit, skew_ms: u64) -> Self {
        Self { limit: limit.clone(), skew_ms, present: Window::of(limit), ever: Window::of(limit) }
    }

    /// Adds what a write consumed, in millitokens. An error if it is a take that should not have been admitted.
    pub(super) fn note(
        &mut self,
        limit: &Limit,
        milli: i64,
        is_take: bool,
        decided: Decided,
    ) -> Result<(), String> {
        if self.limit != *limit {
            self.limit = limit.clone();
            self.present = Window::of(limit);
            self.ever.widen(limit);
        }
        self.present
            .note(milli, is_take, decided.clock.as_millis(), 0)
            .map_err(|over| format!("{over} tokens more than the burst and the refill were admitted"))?;
        self.ever
            .note(milli, is_take, decided.at, 2 * self.skew_ms)
            .map_err(|over| format!("over all changes, {over} tokens too many were admitted"))
    }
}

/// No take may end a window in which more than the burst and what flowed in was consumed.
struct Window {
    burst: i128,
    per_ms: i128,
    is_constant: bool,
    /// Every consumption so far, with its time.
    consumed: Vec<(u64, i128)>,
}

impl Window {
    fn of(limit: &Limit) -> Self {
        Self { burst: burst(limit), per_ms: per_ms(limit), is_constant: true, consumed: Vec::new() }
    }

    fn widen(&mut self, limit: &Limit) {
        self.is_constant = false;
        self.burst = self.burst.max(burst(limit));
        self.per_ms = self.per_ms.max(per_ms(limit));
    }

    /// An error says how much too much was admitted.
    fn note(&mut self, milli: i64, is_take: bool, at: u64, spare_ms: u64) -> Result<(), Millitokens> {
        self.consumed.push((at, parts(milli)));
        if !is_take || milli <= 0 {
            return Ok(());
        }
        let mut sum = 0;
        for (began, amount) in self.consumed.iter().rev() {
            sum += amount;
            // Writes arrive out of order. Which rate held in between is only known if there was one.
            let time = i128::from(at) - i128::from(*began);
            let time = if self.is_constant { time } else { time.max(0) } + i128::from(spare_ms);
            let over = sum - self.burst - self.per_ms * time;
            if *amount > 0 && over > 0 {
                return Err(millitokens(over));
            }
        }
        Ok(())
    }
}
