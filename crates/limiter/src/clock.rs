//! The system clock, behind the [`Clock`] that everything else reads.

use std::time::{Duration, SystemTime};

use zae_limiter_core::{Answer, Clock, Timestamp};

/// The clock of this machine. It should be kept in step (NTP, chrony): hosts that share a bucket over-admit by
/// at most `rate · skew`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the wrapper")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep(&self, duration: Duration) -> Answer<'_, ()> {
        Answer::pending(futures_timer::Delay::new(duration))
    }
}
