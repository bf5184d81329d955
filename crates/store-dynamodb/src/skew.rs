//! How far the clock of this host is from the server's, as far as the `Date` of its answers tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use zae_limiter_core::{Answer, Clock, Timestamp};

/// The resolution of a `Date`, in ms.
const DATE_RESOLUTION_MS: i64 = 1000;

/// What the answers so far say about the server's clock.
#[derive(Debug)]
pub(crate) struct Skew {
    threshold: Duration,
    /// Where the server's clock less our own lies, in ms; `None` before the first answer.
    bounds: Mutex<Option<(i64, i64)>>,
    /// The value within the bounds that is nearest to zero, or to the correction in use.
    offset_ms: AtomicI64,
}

impl Skew {
    pub(crate) const fn new(threshold: Duration) -> Self {
        Self { threshold, bounds: Mutex::new(None), offset_ms: AtomicI64::new(0) }
    }

    /// Learns from one answer: it was asked for at `sent`, arrived at `received`, both by our own clock, and its server
    /// wrote `date` on it, in whole seconds.
    pub(crate) fn observe(&self, sent: Timestamp, received: Timestamp, date: Timestamp) {
        let ms = |instant: Timestamp| i64::try_from(instant.as_millis()).unwrap_or(i64::MAX);
        // The server wrote it after `sent` and before `received`, at `date` or less than a second after it.
        let low = ms(date) - ms(received);
        let high = ms(date) + DATE_RESOLUTION_MS - ms(sent);
        if low > high {
            // Our own clock was set meanwhile.
            return;
        }
        let mut bounds = self.bounds.lock();
        // Each answer narrows the bounds, unless a clock was set since: then the latest alone counts.
        let narrowed = bounds.map(|(l, h)| (l.max(low), h.min(high))).filter(|(l, h)| l <= h);
        let (low, high) = narrowed.unwrap_or((low, high));
        *bounds = Some((low, high));
        let offset = self.offset_ms.load(Ordering::Relaxed);
        self.offset_ms.store(offset.clamp(low, high), Ordering::Relaxed);
    }

    /// The server's clock less our own, in ms, as little as the answers allow for; zero if they may agree.
    pub(crate) fn offset_ms(&self) -> i64 {
        let nearest = |(low, high): (i64, i64)| 0.clamp(low, high);
        self.bounds.lock().map_or(0, nearest)
    }

    /// The offset, if it is beyond the threshold.
    pub(crate) fn beyond_threshold(&self) -> Option<i64> {
        let offset = self.offset_ms();
        (u128::from(offset.unsigned_abs()) > self.threshold.as_millis()).then_some(offset)
    }
}

/// A clock that follows the server's.
#[derive(Debug)]
pub(crate) struct CorrectedClock {
    pub(crate) own: Arc<dyn Clock>,
    pub(crate) skew: Arc<Skew>,
}

impl Clock for CorrectedClock {
    fn now(&self) -> Timestamp {
        let now = self.own.now().as_millis();
        Timestamp::from_millis(now.saturating_add_signed(self.skew.offset_ms.load(Ordering::Relaxed)))
    }

    fn sleep(&self, duration: Duration) -> Answer<'_, ()> {
        self.own.sleep(duration)
    }
}

#[cfg(test)]
mod tests {
    use zae_limiter_core::ManualClock;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn clocks_that_may_agree_have_no_skew() {
        let skew = Skew::new(Duration::from_secs(2));
        skew.observe(at(10_990), at(11_020), at(10_000));
        skew.observe(at(11_990), at(12_020), at(12_000));
        assert_eq!(skew.offset_ms(), 0);
        skew.observe(at(13_000), at(20_000), at(19_000));
        assert_eq!(skew.offset_ms(), 0, "a slow answer says little");
    }

    #[test]
    fn a_clock_that_is_late_or_early_is_found_out_and_corrected() {
        for (own_less_server, offset) in [(-5_000_i64, 4_990), (5_000, -4_990)] {
            let skew = Arc::new(Skew::new(Duration::from_secs(2)));
            let clock = Arc::new(ManualClock::new(at(0)));
            let corrected = CorrectedClock { own: clock.clone(), skew: skew.clone() };
            for server in (1_000_000..1_020_000).step_by(333) {
                let own = 1_000_000_u64.saturating_add_signed(own_less_server) + server - 1_000_000;
                clock.set(at(own));
                skew.observe(at(own - 10), at(own + 10), at(server / 1000 * 1000));
            }
            let found = skew.beyond_threshold().unwrap();
            assert!((found - offset).abs() <= 500, "{found}");
            assert_eq!(corrected.now().as_millis(), clock.now().as_millis().saturating_add_signed(found));
        }
    }

    #[test]
    fn a_clock_that_was_set_is_believed_anew() {
        let skew = Skew::new(Duration::from_secs(2));
        skew.observe(at(100_000), at(100_010), at(90_000));
        assert!(skew.offset_ms() < -8_000);
        skew.observe(at(91_000), at(91_010), at(91_000));
        assert_eq!(skew.offset_ms(), 0);
        assert_eq!(skew.beyond_threshold(), None);
    }
}
