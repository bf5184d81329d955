//! Waiting for other threads and processes: fairly, and not for ever.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a waiting process sleeps before it looks again: about as long as a few writes take.
const NAP: Duration = Duration::from_micros(100);
/// After this time of waiting, naps grow.
const EAGER: Duration = Duration::from_millis(100);
/// The longest nap.
const LONGEST_NAP: Duration = Duration::from_millis(2);
/// The longest timeout: instants far ahead cannot be computed on every machine.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// The wait of one operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    since: Instant,
    timeout: Duration,
}

impl Wait {
    /// The wait of an operation that starts now, and may take this long in all.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { since: Instant::now(), timeout: timeout.min(LONGEST_TIMEOUT) }
    }

    /// When the operation has to give up.
    pub(super) fn deadline(self) -> Instant {
        self.since + self.timeout
    }
}

/// The wait of the operation that is under way on a connection; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Patience(Arc<Mutex<Wait>>);

impl Patience {
    pub(super) fn new(wait: Wait) -> Self {
        Self(Arc::new(Mutex::new(wait)))
    }

    /// Makes `wait` that of the operation under way.
    pub(super) fn start(&self, wait: Wait) {
        *self.0.lock() = wait;
    }

    /// Waits a moment before trying again; false once the operation has waited long enough.
    pub(super) fn wait(&self, attempts: i32) -> bool {
        let Wait { since, timeout } = *self.0.lock();
        let waited = since.elapsed();
        if waited >= timeout {
            return false;
        }
        if attempts == 0 {
            thread::yield_now();
        } else {
            thread::sleep(nap(waited));
        }
        true
    }
}

/// Naps of one length, unlike the growing ones of SQLite itself, give a process that has waited long the same chance as
/// one that has just come. But dozens of processes that wait together would keep the processors busy with looking, and
/// the one that they wait for from getting on: so an unusually long wait makes them look less often.
fn nap(waited: Duration) -> Duration {
    (waited.saturating_sub(EAGER) / 16).clamp(NAP, LONGEST_NAP)
}
