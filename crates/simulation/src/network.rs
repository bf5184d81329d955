//! What becomes of a request on its way.

use std::time::Duration;

use fastrand::Rng;

/// How often what goes wrong, of 1,000 requests each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Round trips take up to so many ms.
    pub latency_ms: u64,
    /// A client waits so many ms for an answer.
    pub timeout_ms: u64,
    /// Never arrives.
    pub lost_request: u32,
    /// Arrives, but its answer does not.
    pub lost_answer: u32,
    /// Arrives when the client has given it up, up to [`LATEST_MS`] later.
    pub late: u32,
    /// Once applied, arrives again later.
    pub repeated: u32,
    /// Is throttled.
    pub throttled: u32,
    /// Is rejected for good.
    pub rejected: u32,
    /// The connection breaks before the answer: the client hears so at once.
    pub reset: u32,
}

/// A request arrives no later than so many ms after it was sent.
pub const LATEST_MS: u64 = 30_000;

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// When it arrives, if it does.
    pub arrives: Option<Duration>,
    /// When it arrives again after that, if it was applied.
    pub again: Option<Duration>,
    /// What the client hears, and when.
    pub answer: Answer,
}

/// What the client hears.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// The outcome, so long after it was sent.
    Outcome(Duration),
    /// Nothing, until it gives up after so long.
    Nothing(Duration),
    /// That it is throttled.
    Throttled(Duration),
    /// That it is rejected.
    Rejected(Duration),
}

impl Network {
    /// Nothing gets through, and everything else is as before.
    #[must_use]
    pub const fn down(self) -> Self {
        Self { lost_request: 700, throttled: 200, ..self }
    }

    /// Decides on one request.
    pub fn fate(&self, rng: &mut Rng) -> Fate {
        let ms = Duration::from_millis;
        let mut roll = rng.u32(..1_000);
        let mut falls = |share: u32| {
            let hit = roll < share;
            roll = roll.wrapping_sub(share);
            hit
        };
        let there = rng.u64(..=self.latency_ms / 2);
        let back = there + rng.u64(..=self.latency_ms / 2);
        let timeout = ms(self.timeout_ms);
        let again = (rng.u32(..1_000) < self.repeated).then(|| ms(rng.u64(..LATEST_MS)));
        if falls(self.lost_request) {
            return Fate { arrives: None, again: None, answer: Answer::Nothing(timeout) };
        }
        if falls(self.throttled) {
            return Fate { arrives: None, again: None, answer: Answer::Throttled(ms(back)) };
        }
        if falls(self.rejected) {
            return Fate { arrives: None, again: None, answer: Answer::Rejected(ms(back)) };
        }
        if falls(self.lost_answer) {
            return Fate { arrives: Some(ms(there)), again, answer: Answer::Nothing(timeout) };
        }
        if falls(self.late) {
            // Often just about when the client tries again.
            let latest = if rng.bool() { 2 * self.timeout_ms } else { LATEST_MS };
            let arrives = rng.u64(self.timeout_ms..=latest.max(self.timeout_ms));
            return Fate { arrives: Some(ms(arrives)), again, answer: Answer::Nothing(timeout) };
        }
        if falls(self.reset) {
            let (arrives, heard) = (rng.u64(..=2 * self.latency_ms), rng.u64(..=self.latency_ms));
            return Fate { arrives: Some(ms(arrives)), again, answer: Answer::Nothing(ms(heard)) };
        }
        Fate { arrives: Some(ms(there)), again, answer: Answer::Outcome(ms(back)) }
    }
}
