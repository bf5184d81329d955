//! Calls that are dropped, and tasks that run on without their caller (I6).

use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use zae_limiter_core::{Amounts, Change, Decision, Level, Window};

use crate::harness::Harness;
use crate::shorthand::{bucket, tokens};

/// How long a store may take for what it does in the background.
const AT_LAST: Duration = Duration::from_secs(20);

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
fn answers_at_once(h: &Harness) -> bool {
    h.store().entities().into_ready().is_ok()
}

/// Waits until the buckets hold so much and the first of them counts nothing, and it stays so for a while: what is under
/// way when its caller goes may still be taken, and is returned a moment later. Real time passes: the store's own runtime
/// is at work.
fn expect_to_settle(h: &Harness, levels: &[Level], balances: &Amounts, what: &str) {
    let looks_in_a_row = 10;
    let mut settled = 0;
    let mut seen = None;
    for _ in 0..h.scale().pick(200, 200, 4_000) {
        let (held, counted) = (h.balances(levels), h.usage_of(levels[0].entity_id.as_str(), Window::Hourly));
        settled = if held == *balances && counted.is_empty() { settled + 1 } else { 0 };
        seen = Some((held, counted));
        if settled == looks_in_a_row {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("after {what}: balances and usage {seen:?} instead of {balances:?} and none");
}

pub(crate) fn a_take_that_is_dropped_half_way_leaves_nothing(h: &Harness) {
    if answers_at_once(h) {
        return;
    }
    let full = tokens([10, 100]);
    for patience in 0.. {
        let levels = [bucket(&format!("key {patience}"), "n=10/day"), bucket("parent", "n=100/day")];
        let amounts = tokens([7, 7]);
        let inner = Some(h.store().take(Change { levels: &levels, amounts: &amounts, acquires: 1 }));
        match pollster::block_on(GivenUp { inner, patience }) {
            None => {
                expect_to_settle(h, &levels, &full, &format!("a take dropped at await point {patience}"));
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

pub(crate) fn a_change_that_is_polled_once_is_carried_out(h: &Harness) {
    if answers_at_once(h) {
        return;
    }
    for patience in 0..3 {
        let levels = [
            bucket(&format!("key {patience}"), "n=10/day"),
            bucket(&format!("parent {patience}"), "n=100/day"),
        ];
        h.admit(&levels, &tokens([7, 7]));
        let amounts = tokens([-7, 3]);
        let inner = Some(h.store().apply(Change { levels: &levels, amounts: &amounts, acquires: -1 }));
        pollster::block_on(GivenUp { inner, patience });
        let what = format!("a change dropped at await point {patience}");
        expect_to_settle(h, &levels, &tokens([10, 90]), &what);
    }
}

pub(crate) fn a_call_that_is_never_awaited_does_nothing(h: &Harness) {
    if answers_at_once(h) {
        return;
    }
    let levels = [bucket("a", "n=10/day")];
    let amounts = tokens([7]);
    let change = Change { levels: &levels, amounts: &amounts, acquires: 1 };
    drop(h.store().take(change));
    drop(h.store().apply(change));
    assert_eq!(h.balances(&levels), tokens([10]));
    assert_eq!(h.usage_of("a", Window::Hourly), [""; 0]);
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
        let taken = ended.recv_timeout(AT_LAST);
        assert!(matches!(taken, Ok(Ok(Decision::Admitted(_)))), "{taken:?}");
    }
    assert_eq!(h.balances(&[bucket("a", "n=10/day")]), tokens([4]));
}
