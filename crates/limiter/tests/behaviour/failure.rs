//! What happens while the store fails.

use zae_limiter::{
    AcquireError, Block, Error, FailureMode, LimitScope, Limits, RequestError, StoreErrorKind,
};

use crate::scripted::Fate;
use crate::setup::{Setup, limits, setup, setup_with};

const DOWN: Fate = Fate::Fails(StoreErrorKind::Unavailable);

const OTHER_KINDS: [StoreErrorKind; 6] = [
    StoreErrorKind::Invalid,
    StoreErrorKind::AlreadyExists,
    StoreErrorKind::Missing,
    StoreErrorKind::PermissionDenied,
    StoreErrorKind::Incompatible,
    StoreErrorKind::Corrupt,
];

fn open() -> Setup {
    setup_with(|builder| builder.failure_mode(FailureMode::FailOpen))
}

fn is_unavailable(error: &AcquireError) -> bool {
    matches!(error, AcquireError::Failed(error) if error.is_unavailable())
}

#[test]
fn closed_by_default() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    assert_eq!(setup.limiter.failure_mode(), FailureMode::FailClosed);
    setup.store.script(|_| DOWN);
    let error = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1).wait().unwrap_err();
    assert!(is_unavailable(&error));
    assert!(error.exceeded().is_none());
    assert_eq!(error.to_string(), "take was told to fail");
    setup.store.script(|_| Fate::Answered);
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
}

#[test]
fn open_lets_through_with_a_lease_that_records_nothing() {
    let (setup, rpm) = (open(), limits("rpm=10/min"));
    setup.store.script(|_| DOWN);
    let mut lease = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1).wait().unwrap();
    assert!(lease.is_degraded());
    assert!(lease.degraded_by().unwrap().is_unavailable());
    assert!(lease.consumed().is_empty());
    assert!(lease.statuses().is_empty());

    setup.store.script(|_| Fate::Answered);
    setup.store.calls_since();
    lease.consume(&[("rpm", 5)]).wait().unwrap();
    lease.adjust("rpm", 5).unwrap();
    lease.release("rpm", 1).unwrap();
    lease.commit().wait().unwrap();
    assert!(setup.store.calls_since().is_empty());
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
    assert!(!setup.take("a", &rpm, "rpm", 1).is_degraded());
}

#[test]
fn a_degraded_lease_rolls_back_and_drops_without_a_write() {
    let (setup, rpm) = (open(), limits("rpm=10/min"));
    setup.store.script_for("take", DOWN);
    setup.take("a", &rpm, "rpm", 1).rollback().wait().unwrap();
    drop(setup.take("a", &rpm, "rpm", 1));
    assert_eq!(setup.store.calls_since(), ["take", "take"]);
}

#[test]
fn each_call_may_choose() {
    let rpm = limits("rpm=10/min");
    let (closed, open) = (setup(), open());
    for setup in [&closed, &open] {
        setup.store.script(|_| DOWN);
        let call = || setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1);
        assert!(call().failure_mode(FailureMode::FailOpen).wait().unwrap().is_degraded());
        assert!(is_unavailable(&call().failure_mode(FailureMode::FailClosed).wait().unwrap_err()));
    }
}

#[test]
fn covers_the_look_up_of_limits_and_ancestors() {
    for setup in [setup(), open()] {
        setup.limiter.set_limits(&LimitScope::System, &limits("rpm=10/min")).wait().unwrap();
        setup.store.script_for("config", DOWN);
        let stored = || setup.limiter.acquire("a", "r", Limits::Stored).consume("rpm", 1);
        let cascading =
            || setup.limiter.acquire("a", "r", limits("rpm=10/min")).consume("rpm", 1).cascade(true);
        for outcome in [stored().wait(), cascading().wait()] {
            match setup.limiter.failure_mode() {
                FailureMode::FailOpen => assert!(outcome.unwrap().is_degraded()),
                FailureMode::FailClosed => assert!(is_unavailable(&outcome.unwrap_err())),
            }
        }
        assert!(stored().prepare().wait().unwrap_err().is_unavailable(), "there is nothing to prepare");
        setup.store.script(|_| Fate::Answered);
        assert!(!stored().wait().unwrap().is_degraded(), "a failed look-up is not remembered");
    }
}

#[test]
fn covers_the_settlement() {
    for setup in [setup(), open()] {
        let rpm = limits("rpm=10/min");
        setup.store.script_for("apply", DOWN);
        let mut lease = setup.take("a", &rpm, "rpm", 3);
        lease.adjust("rpm", 1).unwrap();
        let outcomes = [lease.commit().wait(), setup.take("a", &rpm, "rpm", 3).rollback().wait()];
        for outcome in outcomes {
            match setup.limiter.failure_mode() {
                FailureMode::FailOpen => outcome.unwrap(),
                FailureMode::FailClosed => assert!(outcome.unwrap_err().is_unavailable()),
            }
        }
        assert_eq!(setup.left("a", &rpm, "rpm"), 4, "what is lost errs towards under-admission");
    }
}

#[test]
fn the_settlement_follows_the_mode_of_its_call() {
    let rpm = limits("rpm=10/min");
    let (closed, open) = (setup(), open());
    for (setup, mode) in [(&closed, FailureMode::FailOpen), (&open, FailureMode::FailClosed)] {
        setup.store.script_for("apply", DOWN);
        let acquire =
            || setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1).failure_mode(mode).wait().unwrap();
        let mut lease = acquire();
        lease.adjust("rpm", 1).unwrap();
        let bucket = setup.limiter.acquire("a", "r", &rpm).failure_mode(mode).prepare().wait().unwrap();
        let prepared = bucket.acquire(&[("rpm", 1)]).wait().unwrap();
        for outcome in [lease.commit().wait(), acquire().rollback().wait(), prepared.rollback().wait()] {
            assert_eq!(outcome.is_ok(), mode == FailureMode::FailOpen);
        }
    }
}

#[test]
fn covers_what_is_consumed_later() {
    for setup in [setup(), open()] {
        let rpm = limits("rpm=10/min");
        let mut lease = setup.take("a", &rpm, "rpm", 3);
        setup.store.script_for("take", DOWN);
        let outcome = lease.consume(&[("rpm", 2)]).wait();
        match setup.limiter.failure_mode() {
            FailureMode::FailOpen => outcome.unwrap(),
            FailureMode::FailClosed => assert!(is_unavailable(&outcome.unwrap_err())),
        }
        assert!(!lease.is_degraded());
        assert_eq!(lease.consumed()["rpm"], 3, "only what was recorded");
        lease.commit().wait().unwrap();
        assert_eq!(setup.left("a", &rpm, "rpm"), 7);
    }
}

#[test]
fn i5_an_unknown_outcome_errs_towards_under_admission() {
    let rpm = limits("rpm=10/min");
    for mode in [FailureMode::FailClosed, FailureMode::FailOpen] {
        let setup = setup();
        setup.store.script_for("take", Fate::LosesAnswer);
        let call = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 3).failure_mode(mode);
        match (mode, call.wait()) {
            (FailureMode::FailOpen, Ok(degraded)) => degraded.commit().wait().unwrap(),
            (FailureMode::FailClosed, Err(error)) => assert!(is_unavailable(&error)),
            (mode, outcome) => panic!("{mode:?}: {outcome:?}"),
        }
        assert_eq!(setup.left("a", &rpm, "rpm"), 7, "the error is bounded by the one request");
    }
}

#[test]
fn i5_a_settlement_of_unknown_outcome_is_not_repeated() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let mut lease = setup.take("a", &rpm, "rpm", 3);
    lease.release("rpm", 2).unwrap();
    setup.store.script_for("apply", Fate::LosesAnswer);
    assert!(lease.commit().wait().unwrap_err().is_unavailable());
    assert!(setup.take("a", &rpm, "rpm", 3).rollback().wait().unwrap_err().is_unavailable());
    assert_eq!((setup.left("a", &rpm, "rpm"), setup.store.calls("apply")), (9, 2));
}

#[test]
fn other_failures_are_errors_in_either_mode() {
    for setup in [setup(), open()] {
        for kind in OTHER_KINDS {
            let rpm = limits("rpm=10/min");
            setup.store.script(move |_| Fate::Fails(kind));
            for limits in [Limits::Given(rpm.clone()), Limits::StoredElse(rpm.clone())] {
                let error = setup.limiter.acquire("a", "r", limits).consume("rpm", 1).wait().unwrap_err();
                let AcquireError::Failed(Error::Store(error)) = error else { panic!("{error}") };
                assert_eq!(error.kind(), kind);
            }
            setup.store.script_for("apply", Fate::Fails(kind));
            let mut lease = setup.take("a", &rpm, "rpm", 0);
            lease.adjust("rpm", 1).unwrap();
            assert!(lease.commit().wait().is_err(), "{kind:?}");
        }
    }
}

#[test]
fn invalid_calls_are_errors_whatever_the_store_does() {
    let (setup, rpm) = (open(), limits("rpm=10/min"));
    setup.store.script(|_| DOWN);
    for call in [
        setup.limiter.acquire("", "r", &rpm).consume("rpm", 1),
        setup.limiter.acquire("a", "#", &rpm).consume("rpm", 1),
        setup.limiter.acquire("a", "r", &rpm).consume("tpm", 1),
        setup.limiter.acquire("a", "r", &rpm).consume("rpm", u64::MAX),
    ] {
        assert!(matches!(call.wait(), Err(AcquireError::Failed(Error::Request(_)))));
    }
    let mut lease = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1).wait().unwrap();
    setup.store.script(|_| Fate::Answered);
    let mut sound = setup.take("a", &rpm, "rpm", 1);
    assert!(matches!(sound.adjust("tpm", 1), Err(RequestError::UnknownLimit { .. })));
    lease.adjust("tpm", 1).expect("a degraded lease does not know its limits");
}

#[test]
fn a_denial_is_no_failure() {
    let (setup, rpm) = (open(), limits("rpm=10/min"));
    let error = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 11).wait().unwrap_err();
    assert!(error.exceeded().is_some());
}

#[test]
fn modes_are_read_by_name() {
    assert_eq!("open".parse(), Ok(FailureMode::FailOpen));
    assert_eq!("closed".parse(), Ok(FailureMode::FailClosed));
    assert!("ajar".parse::<FailureMode>().unwrap_err().to_string().contains("expected open or closed"));
}
