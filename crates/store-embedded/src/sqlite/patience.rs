//! Waiting for other threads and processes: fairly, and not for ever.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a waiting process sleeps before it looks again: about as long as a few writes take.
const NAP: Duration = Duration::from_micros(100);

/// The longest timeout: instants far ahead cannot be computed on every machine.
const LONGEST: Duration = Duration::from_hours(24);

/// How long one operation may wait in all. Clones share the deadline of the operation under way.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    timeout: Duration,
    deadline: Arc<Mutex<Instant>>,
}

impl Patience {
    pub(super) fn new(timeout: Duration) -> Self {
        let timeout = timeout.min(LONGEST);
        Self { timeout, deadline: Arc::new(Mutex::new(Instant::now() + timeout)) }
    }

    /// When an operation that starts now has to give up.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Starts an operation that has to give up at `deadline`.
    pub(super) fn start(&self, deadline: Instant) {
        *self.deadline.lock() = deadline;
    }

    /// Waits a moment before trying again; false once the operation has waited long enough.
    ///
    /// Naps of one length, unlike the growing ones of SQLite itself, give a process that has waited long the same
    /// chance as one that has just come.
    pub(super) fn wait(&self, attempts: i32) -> bool {
        if Instant::now() >= *self.deadline.lock() {
            return false;
        }
        if attempts == 0 {
            thread::yield_now()
        } else {
            thread::sleep(NAP)
        }
        true
    }
}
