//! What is left, and when there will be enough.

use std::time::Duration;

use zae_limiter::{Block, LimitScope, Limits, Wait};

use crate::setup::{limits, setup};

#[test]
fn a_new_bucket_holds_its_burst() {
    let setup = setup();
    let available =
        setup.limiter.available("a", "r", limits("rpm=10/min, tpm=60/min:burst=90")).wait().unwrap();
    let available: Vec<_> = available.iter().map(|(name, tokens)| (name.as_str(), *tokens)).collect();
    assert_eq!(available, [("rpm", 10), ("tpm", 90)]);
}

#[test]
fn parts_of_a_token_are_not_there_yet() {
    let (setup, tpm) = (setup(), limits("tpm=60/min"));
    setup.take("a", &tpm, "tpm", 60).commit().wait().unwrap();
    setup.advance(1_999);
    assert_eq!(setup.left("a", &tpm, "tpm"), 1);
    setup.advance(1);
    assert_eq!(setup.left("a", &tpm, "tpm"), 2);
}

#[test]
fn asking_changes_nothing() {
    let (setup, tpm) = (setup(), limits("tpm=60/min"));
    setup.take("a", &tpm, "tpm", 60).commit().wait().unwrap();
    for _ in 0..10 {
        setup.advance(100);
        setup.left("a", limits("tpm=1/min"), "tpm");
        setup.limiter.time_until_available("a", "r", &tpm, &[("tpm", 5)]).wait().unwrap();
    }
    assert_eq!(setup.left("a", &tpm, "tpm"), 1);
    assert_eq!(setup.acquires("a"), 1);
}

#[test]
fn says_when_there_will_be_enough_of_everything() {
    let (setup, both) = (setup(), limits("rpm=6/min, tpm=60/min"));
    let until =
        |needed: &[(&str, u64)]| setup.limiter.time_until_available("a", "r", &both, needed).wait().unwrap();
    assert_eq!(until(&[("rpm", 6), ("tpm", 60)]), Wait::None);
    setup
        .limiter
        .acquire("a", "r", &both)
        .consume("rpm", 6)
        .consume("tpm", 60)
        .wait()
        .unwrap()
        .commit()
        .wait()
        .unwrap();
    assert_eq!(until(&[("tpm", 5)]), Wait::For(Duration::from_secs(5)));
    assert_eq!(until(&[("tpm", 5), ("rpm", 1)]), Wait::For(Duration::from_secs(10)), "the longest wait");
    assert_eq!(until(&[("tpm", 61)]), Wait::Never);
    assert_eq!(until(&[]), Wait::None);
}

#[test]
fn a_take_after_exactly_that_time_is_admitted() {
    let (setup, odd) = (setup(), limits("n=7/min"));
    setup.take("a", &odd, "n", 7).commit().wait().unwrap();
    let wait = setup.limiter.time_until_available("a", "r", &odd, &[("n", 3)]).wait().unwrap();
    let millis = u64::try_from(wait.duration().unwrap().as_millis()).unwrap();
    setup.advance(millis - 1);
    assert!(setup.limiter.acquire("a", "r", &odd).consume("n", 3).wait().is_err());
    setup.advance(1);
    setup.take("a", &odd, "n", 3).commit().wait().unwrap();
}

#[test]
fn stored_limits_can_be_asked_for() {
    let setup = setup();
    setup.limiter.set_limits(&LimitScope::System, &limits("tpm=60/min")).wait().unwrap();
    let wait = setup.limiter.time_until_available("a", "r", Limits::Stored, &[("tpm", 61)]).wait().unwrap();
    assert_eq!(wait, Wait::Never);
}
