//! A circuit breaker: during an outage, a call costs microseconds and not a timeout.

use std::time::Duration;

use parking_lot::Mutex;
use zae_limiter_core::Timestamp;

/// When to stop asking, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BreakerOptions {
    /// So many requests have to fail in a row, with nobody knowing what became of them, before no more are sent.
    pub failures: u32,
    /// For so long, and up to half of it more at random; then one request is let through to probe.
    pub open: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { failures: 10, open: Duration::from_secs(1) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All requests are sent; so many failed in a row.
    Closed { failures: u32 },
    /// None is sent before that instant.
    Open { until: Timestamp },
    /// One is under way to see whether others may follow; if nothing is heard of it by then, another one is sent.
    HalfOpen { until: Timestamp },
}

/// What came of a request that the breaker let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer, whatever it said.
    Answer,
    /// None, or one that shows an outage.
    Outage,
}

/// The state machine. Time and jitter come from outside.
#[derive(Debug)]
pub(crate) struct Breaker {
    options: BreakerOptions,
    state: Mutex<State>,
}

impl Breaker {
    pub(crate) const fn new(options: BreakerOptions) -> Self {
        Self { options, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Whether a request may be sent now. If not: how long to wait before one may.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<(), Duration> {
        let mut state = self.state.lock();
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until } | State::HalfOpen { until } if now < until => Err(until.since(now)),
            State::Open { .. } | State::HalfOpen { .. } => {
                *state = State::HalfOpen { until: now.after(self.options.open) };
                Ok(())
            }
        }
    }

    /// Hears of a request that was let through. `jitter` gives a random delay of at most so long.
    pub(crate) fn hear(&self, heard: Heard, now: Timestamp, jitter: impl Fn(Duration) -> Duration) {
        let mut state = self.state.lock();
        let opened = || {
            let open = self.options.open;
            State::Open { until: now.after(open + jitter(open / 2)) }
        };
        *state = match (*state, heard) {
            (_, Heard::Answer) => State::Closed { failures: 0 },
            (State::Closed { failures }, Heard::Outage) if failures + 1 < self.options.failures => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. } | State::HalfOpen { .. }, Heard::Outage) => opened(),
            // Sent before it opened: nothing new.
            (open @ State::Open { .. }, Heard::Outage) => open,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: BreakerOptions = BreakerOptions { failures: 3, open: Duration::from_secs(1) };

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn fail(breaker: &Breaker, millis: u64) {
        breaker.hear(Heard::Outage, at(millis), |most| most);
    }

    fn answer(breaker: &Breaker, millis: u64) {
        breaker.hear(Heard::Answer, at(millis), |most| most);
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let breaker = Breaker::new(OPTIONS);
        for _ in 0..5 {
            fail(&breaker, 0);
            fail(&breaker, 0);
            answer(&breaker, 0);
        }
        assert_eq!(breaker.admit(at(0)), Ok(()));
        for _ in 0..3 {
            assert_eq!(breaker.admit(at(0)), Ok(()));
            fail(&breaker, 0);
        }
        assert_eq!(breaker.admit(at(0)), Err(Duration::from_millis(1500)));
        assert_eq!(breaker.admit(at(1499)), Err(Duration::from_millis(1)));
    }

    #[test]
    fn one_probe_decides() {
        let breaker = Breaker::new(OPTIONS);
        (0..3).for_each(|_| fail(&breaker, 0));
        assert_eq!(breaker.admit(at(1500)), Ok(()), "the probe");
        assert!(breaker.admit(at(1500)).is_err(), "only one");
        fail(&breaker, 1600);
        assert!(breaker.admit(at(3099)).is_err());
        assert_eq!(breaker.admit(at(3100)), Ok(()), "the next probe");
        answer(&breaker, 3101);
        (0..2).for_each(|_| fail(&breaker, 3102));
        assert_eq!(breaker.admit(at(3103)), Ok(()), "closed, and counting from zero");
    }

    #[test]
    fn a_probe_that_never_comes_back_does_not_keep_it_open() {
        let breaker = Breaker::new(OPTIONS);
        (0..3).for_each(|_| fail(&breaker, 0));
        assert_eq!(breaker.admit(at(1500)), Ok(()));
        assert!(breaker.admit(at(2499)).is_err());
        assert_eq!(breaker.admit(at(2500)), Ok(()));
    }

    #[test]
    fn late_failures_do_not_prolong_it() {
        let breaker = Breaker::new(OPTIONS);
        (0..3).for_each(|_| fail(&breaker, 0));
        (0..9).for_each(|_| fail(&breaker, 1400));
        assert_eq!(breaker.admit(at(1500)), Ok(()));
    }
}
