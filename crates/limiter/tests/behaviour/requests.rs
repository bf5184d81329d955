//! Calls that are wrong as they are written: each is an error, and nothing is taken.

use zae_limiter::{AcquireError, Block, Error, LimitError, LimitSet, NameError, RequestError};

use crate::setup::{limits, setup};

fn request_error(outcome: Result<zae_limiter::Lease, AcquireError>) -> RequestError {
    match outcome {
        Err(AcquireError::Failed(Error::Request(error))) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_amount_for_a_limit_that_does_not_apply_says_which_do() {
    let (setup, both) = (setup(), limits("rpm=10/min, tpm=60/min"));
    let error =
        request_error(setup.limiter.acquire("a", "r", &both).consume("rpm", 1).consume("tmp", 1).wait());
    assert!(
        matches!(&error, RequestError::UnknownLimit { name, known } if name == "tmp" && known.len() == 2)
    );
    assert_eq!(error.to_string(), "there is no limit \"tmp\" here, only rpm, tpm");
    assert!(setup.store.calls_since().is_empty());
}

#[test]
fn an_amount_is_given_once() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let error =
        request_error(setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1).consume("rpm", 1).wait());
    assert_eq!(error.to_string(), "the amount for limit \"rpm\" is given twice");
    assert!(setup.store.calls_since().is_empty());
}

#[test]
fn amounts_have_a_bound() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    for tokens in [1_000_000_000_001, u64::MAX] {
        let error = request_error(setup.limiter.acquire("a", "r", &rpm).consume("rpm", tokens).wait());
        assert!(matches!(error, RequestError::AmountTooLarge(_)), "{error}");
    }
    let at_the_bound = setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1_000_000_000_000).wait();
    assert!(at_the_bound.unwrap_err().exceeded().is_some(), "no error, but a denial");
    let huge = limits("n=1000000M/s");
    setup.take("a", &huge, "n", 1_000_000_000_000).commit().wait().unwrap();
}

#[test]
fn the_same_holds_for_prepared_buckets_leases_and_questions() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let bucket = setup.limiter.acquire("a", "r", &rpm).prepare().wait().unwrap();
    let mut lease = setup.take("a", &rpm, "rpm", 1);
    for (amounts, problem) in [
        (&[("tpm", 1)][..], "no limit"),
        (&[("rpm", 1), ("rpm", 1)], "twice"),
        (&[("rpm", u64::MAX)], "at most"),
    ] {
        for error in [
            bucket.acquire(amounts).wait().unwrap_err().to_string(),
            lease.consume(amounts).wait().unwrap_err().to_string(),
            setup.limiter.time_until_available("a", "r", &rpm, amounts).wait().unwrap_err().to_string(),
        ] {
            assert!(error.contains(problem), "{error}");
        }
    }
    drop(lease);
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
}

#[test]
fn ids_and_resources_are_checked() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    for bad in ["", "a#b", "a\tb", "\u{7f}", &"ä".repeat(257)] {
        let entity = request_error(setup.limiter.acquire(bad, "r", &rpm).consume("rpm", 1).wait());
        assert!(matches!(entity, RequestError::Name(_)), "{entity}");
        let resource = request_error(setup.limiter.acquire("a", bad, &rpm).consume("rpm", 1).wait());
        assert!(matches!(resource, RequestError::Name(_)), "{resource}");
        assert!(setup.limiter.available(bad, "r", &rpm).wait().unwrap_err().is_invalid());
        assert!(setup.limiter.acquire(bad, "r", &rpm).prepare().wait().unwrap_err().is_invalid());
    }
    let reserved = request_error(setup.limiter.acquire("a", "_default_", &rpm).wait());
    assert!(matches!(reserved, RequestError::Name(NameError::Reserved(_))));
    assert!(setup.store.calls_since().is_empty());
}

#[test]
fn sets_of_limits_are_never_empty_and_name_no_limit_twice() {
    assert_eq!(LimitSet::new([]), Err(LimitError::NoLimits));
    assert!(matches!("rpm=1/s, rpm=2/s".parse::<LimitSet>(), Err(LimitError::Duplicate(_))));
}

#[test]
fn asking_for_nothing_is_admitted_and_counted() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    setup.limiter.acquire("a", "r", &rpm).wait().unwrap().commit().wait().unwrap();
    setup.take("a", &rpm, "rpm", 0).commit().wait().unwrap();
    assert_eq!((setup.left("a", &rpm, "rpm"), setup.acquires("a")), (10, 2));
}

#[test]
fn i3_a_denial_on_one_limit_takes_nothing_of_the_others() {
    let (setup, both) = (setup(), limits("rpm=10/min, tpm=60/min"));
    let call = setup.limiter.acquire("a", "r", &both).consume("rpm", 1).consume("tpm", 61);
    let error = call.wait().unwrap_err();
    let denied = error.exceeded().unwrap();
    assert_eq!(denied.statuses().count(), 2);
    let passed: Vec<_> = denied.passed().map(|status| status.limit.name().to_string()).collect();
    assert_eq!(passed, ["rpm"]);
    let worst = denied.primary_violation().unwrap();
    assert_eq!((worst.limit.name().as_str(), worst.deficit().whole_tokens()), ("tpm", 1));
    assert_eq!(denied.own_level().entity_id.as_str(), "a");
    assert_eq!(setup.left("a", &both, "rpm"), 10);
    assert_eq!(setup.acquires("a"), 0);
}
