//! Leases: commit, rollback, and the corrections between.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zae_limiter::{AcquireError, Block, Error, Lease, RequestError};

use crate::setup::{limits, setup};

/// The error of work that is done under a lease.
#[derive(Debug, PartialEq, Eq)]
enum WorkError {
    OfItsOwn,
    OfTheLimiter(String),
}

impl From<AcquireError> for WorkError {
    fn from(error: AcquireError) -> Self {
        Self::OfTheLimiter(error.to_string())
    }
}

impl From<Error> for WorkError {
    fn from(error: Error) -> Self {
        Self::OfTheLimiter(error.to_string())
    }
}

#[test]
fn commit_keeps_what_was_taken_and_counts_it() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    setup.take("a", &rpm, "rpm", 3).commit().wait().unwrap();
    assert_eq!(setup.left("a", &rpm, "rpm"), 7);
    assert_eq!((setup.acquires("a"), setup.consumed("a", "rpm")), (1, 3));
}

#[test]
fn rollback_returns_everything_and_its_count() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let mut lease = setup.take("a", &rpm, "rpm", 3);
    lease.adjust("rpm", 4).unwrap();
    lease.rollback().wait().unwrap();
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
    assert_eq!((setup.acquires("a"), setup.consumed("a", "rpm")), (0, 0));
}

#[test]
fn a_lease_that_is_dropped_rolls_back() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let lease = setup.take("a", &rpm, "rpm", 3);
    assert_eq!(setup.left("a", &rpm, "rpm"), 7);
    drop(lease);
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
    assert_eq!((setup.acquires("a"), setup.consumed("a", "rpm")), (0, 0));
}

#[test]
fn work_that_succeeds_commits_with_its_adjustments() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let call = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 3);
    let done = call.run(async |lease: &mut Lease| {
        lease.adjust("rpm", 2).map_err(Error::from)?;
        Ok::<_, WorkError>("done")
    });
    assert_eq!(done.wait(), Ok("done"));
    assert_eq!(setup.left("a", &rpm, "rpm"), 5);
}

#[test]
fn work_that_fails_rolls_back_and_reports_its_own_error() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let call = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 3);
    let failed = call.run(async |lease: &mut Lease| {
        lease.consume(&[("rpm", 4)]).await?;
        Err::<(), _>(WorkError::OfItsOwn)
    });
    assert_eq!(failed.wait(), Err(WorkError::OfItsOwn));
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
    assert_eq!((setup.acquires("a"), setup.consumed("a", "rpm")), (0, 0));
}

#[test]
fn work_that_panics_rolls_back() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let call = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 3);
        call.run(async |_: &mut Lease| -> Result<(), WorkError> { panic!("the work went wrong") }).wait()
    }));
    assert!(panicked.is_err());
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
    assert_eq!(setup.acquires("a"), 0);
}

#[test]
fn work_is_not_begun_if_the_acquire_is_denied() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let call = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 11);
    let denied = call.run(async |_: &mut Lease| -> Result<(), WorkError> { panic!("begun") }).wait();
    assert!(matches!(denied, Err(WorkError::OfTheLimiter(_))));
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
}

#[test]
fn adjusting_beyond_the_balance_leaves_a_debt_that_is_worked_off() {
    let (setup, tpm) = (setup(), limits("tpm=60/min"));
    let mut lease = setup.take("a", &tpm, "tpm", 50);
    lease.adjust("tpm", 40).unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), 10, "applied at the commit, not before");
    lease.commit().wait().unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), -30);

    let nothing = setup.limiter.acquire("a", "r", &tpm).wait().unwrap_err();
    assert_eq!(
        nothing.exceeded().unwrap().retry_after().unwrap().as_secs(),
        30,
        "a debt refuses even nothing"
    );
    setup.advance(30_999);
    assert!(setup.limiter.acquire("a", "r", &tpm).consume("tpm", 1).wait().is_err());
    setup.advance(1);
    setup.take("a", &tpm, "tpm", 1).commit().wait().unwrap();
    assert_eq!(setup.consumed("a", "tpm"), 91);
}

#[test]
fn adjusting_down_returns_the_rest() {
    let (setup, tpm) = (setup(), limits("tpm=60/min"));
    let mut lease = setup.take("a", &tpm, "tpm", 50);
    lease.adjust("tpm", -20).unwrap();
    lease.release("tpm", 5).unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), 10);
    lease.commit().wait().unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), 35);
    assert_eq!((setup.acquires("a"), setup.consumed("a", "tpm")), (1, 25));
}

#[test]
fn releasing_more_than_was_consumed_never_lifts_a_bucket_above_its_burst() {
    let (setup, tpm) = (setup(), limits("tpm=60/min:burst=80"));
    let mut lease = setup.take("a", &tpm, "tpm", 50);
    lease.release("tpm", 1_000_000).unwrap();
    lease.commit().wait().unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), 80);
    let over = setup.limiter.acquire("a", "r", &tpm).consume("tpm", 81).wait();
    assert!(over.is_err());
    setup.take("a", &tpm, "tpm", 80).commit().wait().unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), 0, "nothing was saved up");
}

#[test]
fn a_lease_that_outlives_the_refill_returns_no_more_than_fits() {
    let (setup, tpm) = (setup(), limits("tpm=60/min"));
    let lease = setup.take("a", &tpm, "tpm", 50);
    setup.advance(3_600_000);
    lease.rollback().wait().unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), 60);
}

#[test]
fn consume_takes_more_as_part_of_the_same_acquire() {
    let (setup, both) = (setup(), limits("rpm=10/min, tpm=60/min"));
    let mut lease = setup.take("a", &both, "rpm", 1);
    lease.consume(&[("tpm", 20), ("rpm", 2)]).wait().unwrap();
    assert_eq!(setup.left("a", &both, "tpm"), 40);
    assert_eq!(setup.left("a", &both, "rpm"), 7);
    let tpm = &lease.statuses()[1];
    assert_eq!((tpm.requested.whole_tokens(), tpm.available.whole_tokens()), (20, 40));
    lease.commit().wait().unwrap();
    assert_eq!((setup.acquires("a"), setup.consumed("a", "rpm"), setup.consumed("a", "tpm")), (1, 3, 20));
}

#[test]
fn what_was_consumed_later_is_rolled_back_too() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let mut lease = setup.take("a", &rpm, "rpm", 1);
    lease.consume(&[("rpm", 5)]).wait().unwrap();
    drop(lease);
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
    assert_eq!(setup.acquires("a"), 0);
}

#[test]
fn a_consume_that_is_denied_leaves_the_lease_as_it_was() {
    let (setup, both) = (setup(), limits("rpm=10/min, tpm=60/min"));
    let mut lease = setup.take("a", &both, "tpm", 50);
    lease.adjust("tpm", 1).unwrap();
    let denied = lease.consume(&[("rpm", 1), ("tpm", 11)]).wait().unwrap_err();
    let denied = denied.exceeded().unwrap();
    let violated: Vec<_> = denied.violations().map(|status| status.limit.name().to_string()).collect();
    assert_eq!(violated, ["tpm"]);
    assert_eq!(lease.consumed()["tpm"], 51);
    assert_eq!(lease.consumed()["rpm"], 0, "all or nothing");
    assert_eq!(setup.left("a", &both, "rpm"), 10);

    lease.consume(&[("tpm", 10)]).wait().unwrap();
    lease.commit().wait().unwrap();
    assert_eq!(setup.left("a", &both, "tpm"), -1);
    assert_eq!(setup.consumed("a", "tpm"), 61);
}

#[test]
fn consumed_is_net_and_by_limit() {
    let (setup, both) = (setup(), limits("rpm=10/min, tpm=60/min"));
    let mut lease = setup.take("a", &both, "tpm", 30);
    lease.consume(&[("rpm", 2)]).wait().unwrap();
    lease.adjust("tpm", -10).unwrap();
    lease.adjust("tpm", 3).unwrap();
    let consumed: Vec<_> =
        lease.consumed().into_iter().map(|(name, tokens)| (name.to_string(), tokens)).collect();
    assert_eq!(consumed, [("rpm".to_owned(), 2), ("tpm".to_owned(), 23)]);
}

#[test]
fn statuses_say_how_the_limits_stood_after_the_take() {
    let (setup, both) = (setup(), limits("rpm=10/min, tpm=60/min"));
    let lease = setup.take("a", &both, "tpm", 20);
    let statuses = lease.statuses();
    let available: Vec<_> = statuses.iter().map(|status| status.available.whole_tokens()).collect();
    assert_eq!(available, [10, 40]);
}

#[test]
fn corrections_that_name_no_limit_or_are_out_of_range_are_errors() {
    let (setup, tpm) = (setup(), limits("tpm=60/min"));
    let mut lease = setup.take("a", &tpm, "tpm", 20);
    assert!(matches!(lease.adjust("rpm", 1), Err(RequestError::UnknownLimit { .. })));
    assert!(matches!(lease.release("rpm", 1), Err(RequestError::UnknownLimit { .. })));
    for delta in [i64::MIN, i64::MAX, 1_000_000_000_001, -1_000_000_000_001] {
        assert!(matches!(lease.adjust("tpm", delta), Err(RequestError::AmountTooLarge(_))), "{delta}");
    }
    for tokens in [u64::MAX, 1_000_000_000_001] {
        assert!(matches!(lease.release("tpm", tokens), Err(RequestError::AmountTooLarge(_))), "{tokens}");
    }
    assert_eq!(lease.consumed()["tpm"], 20);
    lease.commit().wait().unwrap();
    assert_eq!(setup.left("a", &tpm, "tpm"), 40);
}

#[test]
fn corrections_may_add_up_to_more_than_one_may_be() {
    let (setup, tpm) = (setup(), limits("tpm=60/min"));
    let mut lease = setup.take("a", &tpm, "tpm", 20);
    for _ in 0..20_000 {
        lease.adjust("tpm", 1_000_000_000_000).unwrap();
    }
    lease.commit().wait().unwrap();
    assert!(setup.left("a", &tpm, "tpm") < -1_000_000_000_000_000);
}

#[test]
fn commit_writes_nothing_if_nothing_changed() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    setup.take("a", &rpm, "rpm", 3).commit().wait().unwrap();
    let mut to_and_fro = setup.take("a", &rpm, "rpm", 3);
    to_and_fro.adjust("rpm", 2).unwrap();
    to_and_fro.release("rpm", 2).unwrap();
    to_and_fro.commit().wait().unwrap();
    assert_eq!(setup.store.calls_since(), ["take", "take"]);
}

#[test]
fn a_lease_is_settled_once() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let mut lease = setup.take("a", &rpm, "rpm", 3);
    lease.adjust("rpm", 1).unwrap();
    lease.commit().wait().unwrap();
    assert_eq!(setup.store.calls_since(), ["take", "apply"]);
    setup.take("a", &rpm, "rpm", 3).rollback().wait().unwrap();
    assert_eq!(setup.store.calls_since(), ["take", "apply"]);
    drop(setup.take("a", &rpm, "rpm", 3));
    assert_eq!(setup.store.calls_since(), ["take", "apply"]);
    assert_eq!((setup.left("a", &rpm, "rpm"), setup.consumed("a", "rpm")), (6, 4));
}
