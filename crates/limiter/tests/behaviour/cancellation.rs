//! I6: dropping a call or a lease at any await point returns what it took.
//!
//! Each case drives a future on a store that answers every call only when polled again, drops the future after each
//! number of polls in turn, and compares what is left with what was there before.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use zae_limiter::core::Answer;
use zae_limiter::{
    AcquireError, Block, Clock, Error, Lease, LimitScope, Limiter, Limits, ManualClock, MemoryStore,
    Timestamp,
};

use crate::scripted::Fate;
use crate::setup::{Setup, limits, setup};

/// Polls `future` at most `polls` times, and drops it. Whether it came to its end.
fn poll_times(future: impl Future, polls: usize) -> bool {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).any(|_| future.as_mut().poll(&mut cx).is_ready())
}

/// org ← project ← key, two limits, some of each used before.
fn busy() -> Setup {
    let setup = setup();
    setup.limiter.set_limits(&LimitScope::System, &limits("rpm=100/min, tpm=1000/min")).wait().unwrap();
    setup.limiter.create_entity("project").parent("org").wait().unwrap();
    setup.limiter.create_entity("key").parent("project").wait().unwrap();
    let before =
        setup.limiter.acquire("key", "r", Limits::Stored).consume("rpm", 1).consume("tpm", 10).cascade(true);
    before.wait().unwrap().commit().wait().unwrap();
    // The look-up of limits is part of the case.
    setup.limiter.set_limits(&LimitScope::System, &limits("rpm=100/min, tpm=1000/min")).wait().unwrap();
    setup
}

/// Balances and usage of everybody.
fn state(setup: &Setup) -> Vec<(i64, i64, i64, i64, i64)> {
    setup.store.script(|_| Fate::Answered);
    let entities = ["key", "project", "org"];
    let of = |entity| {
        (
            setup.left(entity, Limits::Stored, "rpm"),
            setup.left(entity, Limits::Stored, "tpm"),
            setup.acquires(entity),
            setup.consumed(entity, "rpm"),
            setup.consumed(entity, "tpm"),
        )
    };
    entities.map(of).to_vec()
}

/// Runs `case` again and again, each time one poll longer before it is dropped, until it comes to its end; `check` is
/// told the state before, the state after, and whether that was the end.
fn at_every_point<F: Future>(
    fate: Fate,
    case: impl Fn(Limiter) -> F,
    check: impl Fn(usize, &[(i64, i64, i64, i64, i64)], &[(i64, i64, i64, i64, i64)], bool),
) -> usize {
    for polls in 0.. {
        let setup = busy();
        let before = state(&setup);
        setup.limiter.set_limits(&LimitScope::System, &limits("rpm=100/min, tpm=1000/min")).wait().unwrap();
        setup.store.script(move |_| fate);
        let ended = poll_times(case(setup.limiter.clone()), polls);
        check(polls, &before, &state(&setup), ended);
        if ended {
            return polls;
        }
    }
    unreachable!("the loop ends with the case")
}

fn call(limiter: &Limiter) -> zae_limiter::Acquire<'_> {
    limiter.acquire("key", "r", Limits::Stored).consume("rpm", 2).consume("tpm", 50).cascade(true)
}

#[derive(Debug)]
struct WorkError;

impl From<AcquireError> for WorkError {
    fn from(_: AcquireError) -> Self {
        Self
    }
}

impl From<Error> for WorkError {
    fn from(_: Error) -> Self {
        Self
    }
}

#[test]
fn i6_an_acquire_that_is_dropped_at_any_point_takes_nothing() {
    for fate in [Fate::Hesitates, Fate::AnsweredLate] {
        let case = async |limiter: Limiter| drop(call(&limiter).await.unwrap());
        let polls = at_every_point(fate, case, |polls, before, after, _| {
            assert_eq!(before, after, "{fate:?}, dropped after {polls} polls");
        });
        assert!(
            polls > 4,
            "three look-ups and a take each have to be waited for, this ended after {polls} polls"
        );
    }
}

#[test]
fn i6_a_lease_that_is_dropped_at_any_point_of_a_consume_returns_everything() {
    for fate in [Fate::Hesitates, Fate::AnsweredLate] {
        let case = async |limiter: Limiter| {
            let mut lease = call(&limiter).await.unwrap();
            lease.consume(&[("tpm", 30)]).await.unwrap();
        };
        at_every_point(fate, case, |polls, before, after, _| {
            assert_eq!(before, after, "{fate:?}, dropped after {polls} polls");
        });
    }
}

#[test]
fn i6_a_consume_that_is_dropped_leaves_the_lease_as_it_was() {
    for fate in [Fate::Hesitates, Fate::AnsweredLate] {
        let (setup, tpm) = (setup(), limits("tpm=100/min"));
        let mut lease = setup.take("a", &tpm, "tpm", 10);
        setup.store.script(move |_| fate);
        assert!(!poll_times(lease.consume(&[("tpm", 30)]), 1));
        setup.store.script(|_| Fate::Answered);
        assert_eq!((lease.consumed()["tpm"], setup.left("a", &tpm, "tpm")), (10, 90), "{fate:?}");
        lease.commit().wait().unwrap();
        assert_eq!((setup.acquires("a"), setup.consumed("a", "tpm")), (1, 10));
    }
}

/// What the buckets of `busy` hold, less what `call` took and `adjusted` more tokens of `tpm`, on every level.
fn committed(before: &[(i64, i64, i64, i64, i64)], adjusted: i64) -> Vec<(i64, i64, i64, i64, i64)> {
    let tokens = 50 + adjusted;
    before.iter().map(|(rpm, tpm, n, r, t)| (rpm - 2, tpm - tokens, n + 1, r + 2, t + tokens)).collect()
}

#[test]
fn i6_work_that_is_cancelled_at_any_point_takes_nothing_or_is_committed_as_a_whole() {
    for fate in [Fate::Hesitates, Fate::AnsweredLate] {
        let case = async |limiter: Limiter| {
            let work = async |lease: &mut Lease| {
                tokio::task::yield_now().await;
                lease.adjust("tpm", 7).map_err(Error::from)?;
                tokio::task::yield_now().await;
                Ok::<_, WorkError>(())
            };
            call(&limiter).run(work).await.unwrap();
        };
        let mut outcomes = Vec::new();
        let outcomes_of = std::cell::RefCell::new(&mut outcomes);
        at_every_point(fate, case, |polls, before, after, ended| {
            let whole = after == committed(before, 7);
            assert!(whole || after == before, "{fate:?}, dropped after {polls} polls: {before:?} {after:?}");
            assert!(whole || !ended, "the work is done");
            outcomes_of.borrow_mut().push(whole);
        });
        // Once the commit has begun, it is carried through: the work was done by then.
        assert!(outcomes.is_sorted(), "{outcomes:?}");
        assert!(outcomes.iter().filter(|whole| !**whole).count() >= 6, "{outcomes:?}");
    }
}

#[test]
fn i6_work_that_fails_and_is_cancelled_at_any_point_takes_nothing() {
    for fate in [Fate::Hesitates, Fate::AnsweredLate] {
        let case = async |limiter: Limiter| {
            let work = async |lease: &mut Lease| {
                lease.consume(&[("rpm", 1)]).await?;
                lease.adjust("tpm", 7).map_err(Error::from)?;
                Err::<(), _>(WorkError)
            };
            call(&limiter).run(work).await.unwrap_err();
        };
        at_every_point(fate, case, |polls, before, after, _| {
            assert_eq!(before, after, "{fate:?}, dropped after {polls} polls");
        });
    }
}

#[test]
fn i6_a_settlement_that_is_not_waited_for_is_carried_through() {
    for fate in [Fate::Hesitates, Fate::AnsweredLate] {
        let tpm = limits("tpm=100/min");
        for polls in 1..=2 {
            let setup = setup();
            let mut lease = setup.take("a", &tpm, "tpm", 10);
            lease.adjust("tpm", 5).unwrap();
            setup.store.script(move |_| fate);
            poll_times(lease.commit(), polls);
            setup.store.script(|_| Fate::Answered);
            assert_eq!(
                (setup.left("a", &tpm, "tpm"), setup.consumed("a", "tpm")),
                (85, 15),
                "{fate:?} {polls}"
            );

            let lease = setup.take("a", &tpm, "tpm", 10);
            setup.store.script(move |_| fate);
            poll_times(lease.rollback(), polls);
            setup.store.script(|_| Fate::Answered);
            assert_eq!((setup.left("a", &tpm, "tpm"), setup.acquires("a")), (85, 1), "{fate:?} {polls}");
        }
    }
}

#[test]
fn i6_a_commit_that_was_never_begun_is_a_drop() {
    let (setup, tpm) = (setup(), limits("tpm=100/min"));
    let mut lease = setup.take("a", &tpm, "tpm", 10);
    lease.adjust("tpm", 5).unwrap();
    setup.store.script(|_| Fate::Hesitates);
    drop(call_off(lease));
    setup.store.script(|_| Fate::Answered);
    assert_eq!((setup.left("a", &tpm, "tpm"), setup.acquires("a")), (100, 0));
}

/// A task that would commit the lease, had it been run.
fn call_off(lease: Lease) -> impl Future {
    async move { lease.commit().await }
}

/// A clock that sleeps until it is polled twice.
#[derive(Debug, Default)]
struct Drowsy(ManualClock);

impl Clock for Drowsy {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Answer<'_, ()> {
        Answer::pending(async move {
            tokio::task::yield_now().await;
            self.0.advance(duration);
        })
    }
}

#[test]
fn i6_a_wait_that_is_cancelled_takes_nothing() {
    let tpm = limits("tpm=60/min");
    for polls in 0..=1 {
        let clock = std::sync::Arc::new(Drowsy::default());
        let store = std::sync::Arc::new(MemoryStore::new(clock.clone()));
        let limiter = Limiter::builder().clock(clock).jitter(std::sync::Arc::new(())).build(store);
        limiter.acquire("a", "r", &tpm).consume("tpm", 60).wait().unwrap().commit().wait().unwrap();
        let call = limiter.acquire("a", "r", &tpm).consume("tpm", 5).wait_at_most(Duration::from_secs(9));
        assert!(!poll_times(call.into_future(), polls));
        assert_eq!(limiter.available("a", "r", &tpm).wait().unwrap()["tpm"], 0);
    }
}

#[test]
fn a_pending_answer_is_ready_in_the_end() {
    // The measure of the cases above: a future that is never dropped does come to its end.
    let setup = busy();
    setup.store.script(|_| Fate::Hesitates);
    let mut future = pin!(async { call(&setup.limiter).await.unwrap().commit().await });
    let mut cx = Context::from_waker(Waker::noop());
    let polls = (1..100).find(|_| matches!(future.as_mut().poll(&mut cx), Poll::Ready(Ok(())))).unwrap();
    assert!(polls > 4, "{polls}");
}
