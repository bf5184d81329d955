//! Limits that are kept in the store, and what is remembered of them.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use zae_limiter::{AcquireError, Block, Error, LimitScope, Limiter, Limits, RequestError, StoreErrorKind};

use crate::scripted::Fate;
use crate::setup::{Setup, limits, setup, setup_with};

fn scopes() -> [LimitScope; 4] {
    let (entity, resource) =
        ("a".parse::<zae_limiter::EntityId>().unwrap(), "r".parse::<zae_limiter::Resource>());
    let resource = resource.unwrap();
    [
        LimitScope::System,
        LimitScope::Resource(resource.clone()),
        LimitScope::Entity(entity.clone()),
        LimitScope::EntityResource(entity, resource),
    ]
}

fn system(setup: &Setup, text: &str) {
    setup.limiter.set_limits(&LimitScope::System, &limits(text)).wait().unwrap();
}

/// Another process: its own cache, the same store and clock.
fn elsewhere(setup: &Setup) -> Limiter {
    Limiter::builder().clock(setup.clock.clone()).build(setup.store.clone())
}

fn is_no_limits(error: &AcquireError) -> bool {
    matches!(error, AcquireError::Failed(Error::Request(RequestError::NoLimits { .. })))
}

#[test]
fn the_most_specific_of_four_levels_wins() {
    let setup = setup();
    for (i, scope) in (1..).zip(&scopes()) {
        let set = limits(&format!("rpm={}/min", 10 * i));
        setup.limiter.set_limits(scope, &set).wait().unwrap();
        assert_eq!(setup.limiter.limits(scope).wait().unwrap(), Some(set));
        assert_eq!(setup.left("a", Limits::Stored, "rpm"), 10 * i, "{scope}");
    }
    assert_eq!(setup.left("b", Limits::Stored, "rpm"), 20, "another entity");
    assert_eq!(setup.limiter.available("a", "other", Limits::Stored).wait().unwrap()["rpm"], 30);
    assert_eq!(setup.limiter.available("b", "other", Limits::Stored).wait().unwrap()["rpm"], 10);

    for (i, scope) in [4, 3, 2, 1].into_iter().zip(scopes().iter().rev()) {
        assert_eq!(setup.left("a", Limits::Stored, "rpm"), 10 * i, "{scope}");
        setup.limiter.delete_limits(scope).wait().unwrap();
        assert_eq!(setup.limiter.limits(scope).wait().unwrap(), None);
    }
    assert!(is_no_limits(&setup.limiter.acquire("a", "r", Limits::Stored).wait().unwrap_err()));
}

#[test]
fn stored_limits_win_over_those_of_the_call_only_if_asked() {
    let (setup, given) = (setup(), limits("rpm=5/min"));
    let or_else = || Limits::StoredElse(given.clone());
    assert_eq!(setup.left("a", or_else(), "rpm"), 5);
    system(&setup, "rpm=50/min");
    assert_eq!(setup.left("a", or_else(), "rpm"), 50);
    assert_eq!(setup.left("a", &given, "rpm"), 5);
}

#[test]
fn given_limits_read_nothing_from_the_store() {
    let (setup, given) = (setup(), limits("rpm=5/min"));
    setup.take("a", &given, "rpm", 1).commit().wait().unwrap();
    assert_eq!(setup.store.calls_since(), ["take"]);
}

#[test]
fn what_another_process_writes_is_seen_when_the_time_is_over() {
    let setup = setup_with(|builder| builder.config_cache_ttl(Duration::from_secs(10)));
    system(&setup, "rpm=10/min");
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 10);
    elsewhere(&setup).set_limits(&LimitScope::System, &limits("rpm=20/min")).wait().unwrap();
    setup.advance(9_999);
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 10);
    assert_eq!(setup.store.calls("config"), 1);
    setup.advance(1);
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 20);
    assert_eq!(setup.store.calls("config"), 2);
}

#[test]
fn by_default_they_are_believed_for_a_minute() {
    let setup = setup();
    system(&setup, "rpm=10/min");
    setup.left("a", Limits::Stored, "rpm");
    setup.advance(59_999);
    setup.left("a", Limits::Stored, "rpm");
    assert_eq!(setup.store.calls("config"), 1);
    setup.advance(1);
    setup.left("a", Limits::Stored, "rpm");
    assert_eq!(setup.store.calls("config"), 2);
}

#[test]
fn that_there_are_none_is_remembered_too() {
    let setup = setup();
    for _ in 0..3 {
        assert!(is_no_limits(&setup.limiter.acquire("a", "r", Limits::Stored).wait().unwrap_err()));
        assert_eq!(setup.left("b", Limits::StoredElse(limits("rpm=5/min")), "rpm"), 5);
    }
    assert_eq!(setup.store.calls("config"), 2);
    elsewhere(&setup).set_limits(&LimitScope::System, &limits("rpm=20/min")).wait().unwrap();
    assert!(is_no_limits(&setup.limiter.acquire("a", "r", Limits::Stored).wait().unwrap_err()));
    setup.advance(60_000);
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 20);
    assert_eq!(setup.left("b", Limits::StoredElse(limits("rpm=5/min")), "rpm"), 20);
}

#[test]
fn what_this_process_writes_is_seen_at_once() {
    let setup = setup();
    assert!(is_no_limits(&setup.limiter.acquire("a", "r", Limits::Stored).wait().unwrap_err()));
    for (i, scope) in (1..).zip(&scopes()) {
        setup.limiter.set_limits(scope, &limits(&format!("rpm={i}/min"))).wait().unwrap();
        assert_eq!(setup.left("a", Limits::Stored, "rpm"), i, "{scope}");
    }
    for (i, scope) in [3, 2, 1].into_iter().zip(scopes().iter().rev()) {
        setup.limiter.delete_limits(scope).wait().unwrap();
        assert_eq!(setup.left("a", Limits::Stored, "rpm"), i, "{scope}");
    }
}

#[test]
fn writing_for_an_ancestor_is_seen_at_once_by_those_below() {
    let setup = setup();
    system(&setup, "rpm=10/min");
    setup.limiter.delete_limits(&LimitScope::System).wait().unwrap();
    setup
        .limiter
        .set_limits(&LimitScope::Entity("key".parse().unwrap()), &limits("rpm=10/min"))
        .wait()
        .unwrap();
    setup.limiter.create_entity("key").parent("project").wait().unwrap();
    let levels = || {
        let call = setup.limiter.acquire("key", "r", Limits::Stored).cascade(true).with_statuses();
        let statuses = call.wait().unwrap().statuses();
        statuses.iter().map(|status| status.entity_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(levels(), ["key"], "nothing limits the project");

    setup
        .limiter
        .set_limits(&LimitScope::Entity("project".parse().unwrap()), &limits("rpm=50/min"))
        .wait()
        .unwrap();
    assert_eq!(levels(), ["key", "project"]);
    setup.limiter.delete_limits(&LimitScope::Entity("project".parse().unwrap())).wait().unwrap();
    assert_eq!(levels(), ["key"]);

    // A record for the project, which had none, brings the line above it.
    setup
        .limiter
        .set_limits(&LimitScope::Entity("org".parse().unwrap()), &limits("rpm=90/min"))
        .wait()
        .unwrap();
    setup.limiter.create_entity("project").parent("org").wait().unwrap();
    assert_eq!(levels(), ["key", "org"]);
    setup.limiter.delete_entity("project").wait().unwrap();
    assert_eq!(levels(), ["key"]);
}

#[test]
fn a_write_of_unknown_outcome_is_not_overlooked() {
    let setup = setup();
    system(&setup, "rpm=10/min");
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 10);
    setup.store.script_for("put_limits", Fate::Fails(StoreErrorKind::Unavailable));
    let failed = setup.limiter.set_limits(&LimitScope::System, &limits("rpm=20/min")).wait();
    assert!(failed.unwrap_err().is_unavailable());
    setup.left("a", Limits::Stored, "rpm");
    assert_eq!(setup.store.calls("config"), 2, "read again: it may have been written all the same");
}

#[test]
fn what_was_read_before_a_write_is_not_remembered_after_it() {
    let setup = setup();
    system(&setup, "rpm=10/min");
    setup.store.script_for("config", Fate::AnsweredLate);
    let mut reading = pin!(setup.limiter.available("a", "r", Limits::Stored));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(reading.as_mut().poll(&mut cx).is_pending());
    setup.store.script(|_| Fate::Answered);
    system(&setup, "rpm=20/min");
    let Poll::Ready(Ok(before)) = reading.as_mut().poll(&mut cx) else { panic!("not ready") };
    assert_eq!(before["rpm"], 10);
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 20);
}

#[test]
fn without_a_cache_every_call_reads() {
    let setup = setup_with(|builder| builder.config_cache_ttl(Duration::ZERO));
    system(&setup, "rpm=10/min");
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 10);
    elsewhere(&setup).set_limits(&LimitScope::System, &limits("rpm=20/min")).wait().unwrap();
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 20);
    assert_eq!(setup.store.calls("config"), 2);
}

#[test]
fn changed_limits_keep_the_balance_within_the_new_burst() {
    let setup = setup();
    system(&setup, "rpm=100/min");
    let take = |tokens| setup.limiter.acquire("a", "r", Limits::Stored).consume("rpm", tokens).wait();
    take(30).unwrap().commit().wait().unwrap();
    system(&setup, "rpm=200/min");
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 70, "no one is handed a fresh bucket");
    system(&setup, "rpm=20/min");
    assert_eq!(setup.left("a", Limits::Stored, "rpm"), 20);
    assert!(take(21).is_err());
    take(20).unwrap().commit().wait().unwrap();
}

#[test]
fn a_prepared_bucket_keeps_the_limits_it_was_prepared_with() {
    let setup = setup();
    system(&setup, "rpm=1/min");
    let bucket = setup.limiter.acquire("a", "r", Limits::Stored).prepare().wait().unwrap();
    system(&setup, "rpm=100/min");
    bucket.acquire(&[("rpm", 1)]).wait().unwrap().commit().wait().unwrap();
    assert!(bucket.acquire(&[("rpm", 1)]).wait().is_err());
}
