//! Waiting on the calling thread.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::call::{Outcome, Work};

/// How long a signal, such as Ctrl-C, may go unnoticed.
const SIGNALS: Duration = Duration::from_millis(50);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `work` to its end, while other threads may run. A signal whose handler raises ends it early, and drops it.
pub(crate) fn run(py: Python<'_>, mut work: Work) -> PyResult<Py<PyAny>> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match py.detach(|| poll_for(&mut work, &waker, SIGNALS)) {
            Some(outcome) => return outcome(py),
            None => py.check_signals()?,
        }
    }
}

fn poll_for(work: &mut Work, waker: &Waker, most: Duration) -> Option<Outcome> {
    let deadline = Instant::now() + most;
    loop {
        if let Poll::Ready(outcome) = work.as_mut().poll(&mut Context::from_waker(waker)) {
            return Some(outcome);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}
