//! Signals that would end this process before it has settled what it took.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::siginfo::Cause;

/// Catches interrupts, remembers the first, and passes them on to a process.
#[derive(Clone, Debug)]
pub(super) struct Interrupts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    first: Option<i32>,
    child: Option<Pid>,
    waiting: Option<Waker>,
}

impl Interrupts {
    /// Starts to catch them, but for those that this process was told to ignore (`nohup`): they stay ignored, here
    /// and in the command.
    pub(super) fn watch() -> io::Result<Self> {
        let ignored = ignored_signals();
        let caught = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter();
        let mut signals = SignalsInfo::<WithOrigin>::new(caught.filter(|signal| !ignored.contains(*signal)))?;
        let interrupts = Self(Arc::default());
        let shared = interrupts.clone();
        std::thread::spawn(move || {
            for origin in &mut signals {
                shared.receive(&origin);
            }
        });
        Ok(interrupts)
    }

    /// The first that came.
    pub(super) fn first(&self) -> Option<i32> {
        self.state().first
    }

    /// Passes interrupts on to `child` from now on, and one that came before.
    pub(super) fn pass_on_to(&self, child: Pid) {
        let mut state = self.state();
        state.child = Some(child);
        if let Some(signal) = state.first {
            send(child, signal);
        }
    }

    /// Passes none on any more: the process is about to be gone.
    pub(super) fn stop_passing_on(&self) {
        self.state().child = None;
    }

    /// The outcome of `work`, or the signal that came before it ended.
    pub(super) async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, i32> {
        let mut work = pin!(work);
        poll_fn(|context| {
            {
                let mut state = self.state();
                if let Some(signal) = state.first {
                    return Poll::Ready(Err(signal));
                }
                state.waiting = Some(context.waker().clone());
            }
            work.as_mut().poll(context).map(Ok)
        })
        .await
    }

    fn receive(&self, origin: &Origin) {
        let mut state = self.state();
        state.first.get_or_insert(origin.signal);
        if let Some(child) = state.child
            && !reached_the_child_already(origin)
        {
            send(child, origin.signal);
        }
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock panics; if it did, the state would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A terminal interrupts all processes in its foreground: what it sent (the kernel, that is) must not be doubled.
fn reached_the_child_already(origin: &Origin) -> bool {
    origin.signal != SIGTERM && !matches!(origin.cause, Cause::Sent(_))
}

fn send(child: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        // If the process has ended meanwhile there is nobody left to tell.
        let _ = kill_process(child, signal);
    }
}

/// A set of signals, as a mask.
struct Mask(u64);

impl Mask {
    fn contains(&self, signal: i32) -> bool {
        u32::try_from(signal - 1)
            .ok()
            .and_then(|bit| self.0.checked_shr(bit))
            .is_some_and(|bits| bits & 1 == 1)
    }
}

/// The signals that this process ignores, where the system says so (Linux), else none.
fn ignored_signals() -> Mask {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    Mask(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0))
}
