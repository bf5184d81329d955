//! Calls that are dropped, and tasks that run on without their caller (I6).

use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use zae_limiter_core::{Amounts, Change, Decision, Level, Window};

use crate::harness::{Harness, ask};
use crate::shorthand::{bucket, tokens};

/// How long a store may take to return, in the background, what a dropped take took.
const RETURNED_WITHIN: Duration = Duration::from_secs(20);

/// A future that gives its inner one up once it has answered `Pending` so many times.
struct GivenUp<F> {
    inner: Option<F>,
    patience: usize,
}

impl<F: Future + Unpin> Future for GivenUp<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        match Pin::new(inner).poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.patience == 0 => {
                self.inner = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                self.patience -= 1;
                Poll::Pending
            }
        }
    }
}

/// Whether the store has its answers when a call returns: then no call can be dropped half way.
fn answers_at_once(h: &Harness, levels: &[Level]) -> bool {
    let mut answer = h.store().read(levels);
    let at_once = Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop())).is_ready();
    if !at_once {
        ask(answer);
    }
    at_once
}

/// Waits until the store has returned what was dropped. Real time passes: the store's own runtime returns it.
fn expect_returned(h: &Harness, levels: &[Level], balances: &Amounts, what: &str) {
    let pause = Duration::from_millis(5);
    for _ in 0..RETURNED_WITHIN.as_millis() / pause.as_millis() {
        if h.balances(levels) == *balances {
            return;
        }
        thread::sleep(pause);
    }
    panic!("{what} still holds what it took: {:?} instead of {balances:?}", h.balances(levels));
}

pub(crate) fn a_take_that_is_dropped_half_way_leaves_nothing(h: &Harness) {
    let full = tokens([10, 100]);
    for patience in 0.. {
        let levels = [bucket(&format!("key {patience}"), "n=10/day"), bucket("parent", "n=100/day")];
        if answers_at_once(h, &levels) {
            return;
        }
        let amounts = tokens([7, 7]);
        let inner = Some(h.store().take(Change { levels: &levels, amounts: &amounts, acquires: 1 }));
        match pollster::block_on(GivenUp { inner, patience }) {
            None => {
                expect_returned(h, &levels, &full, &format!("a take dropped at await point {patience}"));
                let usage = h.usage_of(&format!("key {patience}"), Window::Hourly);
                assert_eq!(usage, [""; 0]);
            }
            Some(decision) => {
                // It ran to its end: every point at which it waits was tried.
                assert!(matches!(decision, Ok(Decision::Admitted(_))), "{decision:?}");
                assert_eq!(h.balances(&levels), tokens([3, 93]));
                return;
            }
        }
    }
}

pub(crate) fn a_take_that_is_never_awaited_leaves_nothing(h: &Harness) {
    let levels = [bucket("a", "n=10/day")];
    if answers_at_once(h, &levels) {
        return;
    }
    let amounts = tokens([7]);
    drop(h.store().take(Change { levels: &levels, amounts: &amounts, acquires: 1 }));
    expect_returned(h, &levels, &tokens([10]), "a take that was never awaited");
}

pub(crate) fn a_task_runs_to_its_end(h: &Harness) {
    let (done, ended) = channel();
    for amount in 1..=3 {
        let (store, done) = (h.store().clone(), done.clone());
        h.store().spawn(Box::pin(async move {
            let levels = [bucket("a", "n=10/day")];
            let amounts = tokens([amount]);
            let taken = store.take(Change { levels: &levels, amounts: &amounts, acquires: 1 }).await;
            // The case may have failed, and nobody listen any more.
            let _ = done.send(taken);
        }));
    }
    for _ in 0..3 {
        let taken = ended.recv_timeout(RETURNED_WITHIN);
        assert!(matches!(taken, Ok(Ok(Decision::Admitted(_)))), "{taken:?}");
    }
    assert_eq!(h.balances(&[bucket("a", "n=10/day")]), tokens([4]));
}
