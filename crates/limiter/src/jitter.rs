//! Randomness, behind a trait so that tests can do without it.

use std::fmt::Debug;
use std::time::Duration;

/// Where random delays come from.
pub trait Jitter: Send + Sync + Debug {
    /// A delay between zero and `most`.
    fn up_to(&self, most: Duration) -> Duration;
}

/// Random delays from the thread's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemJitter;

impl Jitter for SystemJitter {
    #[expect(clippy::disallowed_methods, reason = "this is the wrapper")]
    fn up_to(&self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(fastrand::u64(0..=micros))
    }
}

/// No delay at all.
impl Jitter for () {
    fn up_to(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}
