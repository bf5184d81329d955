//! The system clock, behind the [`Clock`] that everything else reads.

use std::time::Duration;

use zae_limiter_core::{Answer, Clock, Timestamp};

/// The clock of this machine. It should be kept in step (NTP, chrony): hosts that share a bucket over-admit by
/// at most `rate · skew`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(millis_since_epoch())
    }

    fn sleep(&self, duration: Duration) -> Answer<'_, ()> {
        Answer::pending(futures_timer::Delay::new(duration))
    }
}

/// The time as the system gives it: `SystemTime` would spend a third as much again on the difference to the epoch.
#[cfg(unix)]
fn millis_since_epoch() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000)
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "this is the wrapper")]
fn millis_since_epoch() -> u64 {
    let now =
        std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
