//! Virtual time, and the clocks of clients, which differ from it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use zae_limiter_core::{Answer, Clock, Timestamp};

/// When every simulation begins.
const BEGIN_MS: u64 = 1_700_000_000_123;

/// The true time, which no client knows.
#[derive(Clone, Copy, Debug)]
pub struct TrueTime(Instant);

impl TrueTime {
    /// Begins now. Only within a runtime whose time is paused.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// The true time, in ms since 1970.
    pub fn now(&self) -> u64 {
        let elapsed = self.0.elapsed().as_millis();
        // No simulation runs for millions of years.
        BEGIN_MS + u64::try_from(elapsed).unwrap_or(u64::MAX / 2)
    }
}

/// A clock that is wrong by some ms.
pub struct SkewedClock {
    time: TrueTime,
    skew_ms: AtomicI64,
}

impl SkewedClock {
    /// A clock that is ahead of the true time by `skew_ms`, or behind it.
    pub fn new(time: TrueTime, skew_ms: i64) -> Self {
        Self { time, skew_ms: AtomicI64::new(skew_ms) }
    }

    /// Sets the clock, forwards or backwards.
    pub fn set_skew(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.time.now().saturating_add_signed(self.skew_ms.load(Ordering::Relaxed)))
    }

    fn sleep(&self, duration: Duration) -> Answer<'_, ()> {
        Answer::pending(tokio::time::sleep(duration))
    }
}

impl fmt::Debug for SkewedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SkewedClock({} ms)", self.skew_ms.load(Ordering::Relaxed))
    }
}
