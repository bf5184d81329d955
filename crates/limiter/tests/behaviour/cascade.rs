//! Acquires that also take from the ancestors.

use zae_limiter::core::entity::MAX_ANCESTORS;
use zae_limiter::{
    AcquireError, Block, Entity, EntityError, EntityId, Error, LimitScope, Limits, RequestError, Store,
    Timestamp,
};

use crate::setup::{Setup, limits, setup};

fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

/// org ← project ← key
fn family() -> Setup {
    let setup = setup();
    setup.limiter.create_entity("org").wait().unwrap();
    setup.limiter.create_entity("project").parent("org").wait().unwrap();
    setup.limiter.create_entity("key").parent("project").wait().unwrap();
    setup
}

fn store_for(setup: &Setup, entity: &str, text: &str) {
    setup.limiter.set_limits(&LimitScope::Entity(id(entity)), &limits(text)).wait().unwrap();
}

/// The entities that a denial names as the reason.
fn violators(error: &AcquireError) -> Vec<String> {
    error.exceeded().unwrap().violations().map(|status| status.entity_id.to_string()).collect()
}

#[test]
fn takes_from_every_level() {
    let (setup, rpm) = (family(), limits("rpm=10/min"));
    let lease = setup
        .limiter
        .acquire("key", "r", &rpm)
        .consume("rpm", 3)
        .cascade(true)
        .with_statuses()
        .wait()
        .unwrap();
    for entity in ["key", "project", "org"] {
        assert_eq!(setup.left(entity, &rpm, "rpm"), 7, "{entity}");
    }
    assert_eq!(lease.consumed()["rpm"], 3, "of the entity, not of all levels");
    assert_eq!(lease.statuses().len(), 3);
    lease.commit().wait().unwrap();
    for entity in ["key", "project", "org"] {
        assert_eq!((setup.acquires(entity), setup.consumed(entity, "rpm")), (1, 3), "{entity}");
    }
}

#[test]
fn leaves_the_ancestors_alone_unless_asked() {
    let (setup, rpm) = (family(), limits("rpm=10/min"));
    setup.take("key", &rpm, "rpm", 3).commit().wait().unwrap();
    assert_eq!(setup.left("key", &rpm, "rpm"), 7);
    assert_eq!(setup.left("project", &rpm, "rpm"), 10);
}

#[test]
fn i3_a_denial_on_any_level_takes_nothing_anywhere() {
    for short in ["key", "project", "org"] {
        let (setup, rpm) = (family(), limits("rpm=10/min"));
        setup.take(short, &rpm, "rpm", 8).commit().wait().unwrap();
        let denied = setup
            .limiter
            .acquire("key", "r", &rpm)
            .consume("rpm", 3)
            .cascade(true)
            .with_statuses()
            .wait()
            .unwrap_err();
        assert_eq!(violators(&denied), [short]);
        assert_eq!(denied.exceeded().unwrap().statuses().count(), 3, "all that were checked are reported");
        for entity in ["key", "project", "org"] {
            let taken = if entity == short { 8 } else { 0 };
            assert_eq!(setup.left(entity, &rpm, "rpm"), 10 - taken, "{entity} after a denial by {short}");
            assert_eq!(setup.acquires(entity), i64::from(entity == short));
        }
    }
}

#[test]
fn settles_on_every_level() {
    let (setup, rpm) = (family(), limits("rpm=10/min"));
    let acquire = || {
        setup
            .limiter
            .acquire("key", "r", &rpm)
            .consume("rpm", 3)
            .cascade(true)
            .with_statuses()
            .wait()
            .unwrap()
    };
    let mut lease = acquire();
    lease.adjust("rpm", 9).unwrap();
    lease.commit().wait().unwrap();
    for entity in ["key", "project", "org"] {
        assert_eq!(setup.left(entity, &rpm, "rpm"), -2, "{entity}");
    }
    setup.advance(60_000);
    drop(acquire());
    let mut more = acquire();
    more.consume(&[("rpm", 2)]).wait().unwrap();
    more.rollback().wait().unwrap();
    for entity in ["key", "project", "org"] {
        assert_eq!(setup.left(entity, &rpm, "rpm"), 8, "{entity}");
        assert_eq!((setup.acquires(entity), setup.consumed(entity, "rpm")), (1, 12), "{entity}");
    }
}

#[test]
fn given_limits_apply_to_ancestors_without_limits_of_their_own() {
    let setup = family();
    store_for(&setup, "project", "rpm=100/min");
    // Defaults of the resource and of the system are not an ancestor's own.
    let everyone = limits("rpm=1000/min");
    setup.limiter.set_limits(&LimitScope::Resource("r".parse().unwrap()), &everyone).wait().unwrap();
    setup.limiter.set_limits(&LimitScope::System, &everyone).wait().unwrap();

    let given = limits("rpm=10/min");
    let lease = setup
        .limiter
        .acquire("key", "r", &given)
        .consume("rpm", 1)
        .cascade(true)
        .with_statuses()
        .wait()
        .unwrap();
    let capacities: Vec<_> = lease.statuses().iter().map(|status| status.limit.capacity()).collect();
    assert_eq!(capacities, [10, 100, 10]);
    lease.commit().wait().unwrap();
}

#[test]
fn the_most_specific_stored_limits_of_an_ancestor_win() {
    let setup = family();
    store_for(&setup, "project", "rpm=100/min");
    let own = LimitScope::EntityResource(id("project"), "r".parse().unwrap());
    setup.limiter.set_limits(&own, &limits("rpm=50/min")).wait().unwrap();
    let given = limits("rpm=10/min");
    let lease = setup
        .limiter
        .acquire("key", "r", &given)
        .consume("rpm", 1)
        .cascade(true)
        .with_statuses()
        .wait()
        .unwrap();
    assert_eq!(lease.statuses()[1].limit.capacity(), 50);
}

#[test]
fn stored_limits_of_each_level_are_looked_up_for_itself() {
    let setup = family();
    store_for(&setup, "key", "rpm=10/min");
    store_for(&setup, "org", "rpm=1000/min");
    setup.limiter.set_limits(&LimitScope::System, &limits("rpm=100/min")).wait().unwrap();
    for asked in [Limits::Stored, Limits::StoredElse(limits("rpm=5/min"))] {
        let lease = setup
            .limiter
            .acquire("key", "r", asked)
            .consume("rpm", 1)
            .cascade(true)
            .with_statuses()
            .wait()
            .unwrap();
        let capacities: Vec<_> = lease.statuses().iter().map(|status| status.limit.capacity()).collect();
        assert_eq!(capacities, [10, 100, 1000]);
    }
}

#[test]
fn an_ancestor_that_nothing_limits_is_passed_over_but_not_those_above_it() {
    let setup = family();
    store_for(&setup, "key", "rpm=10/min");
    store_for(&setup, "org", "rpm=2/min");
    let acquire = || {
        setup
            .limiter
            .acquire("key", "r", Limits::Stored)
            .consume("rpm", 1)
            .cascade(true)
            .with_statuses()
            .wait()
    };
    let lease = acquire().unwrap();
    let entities: Vec<_> = lease.statuses().iter().map(|status| status.entity_id.to_string()).collect();
    assert_eq!(entities, ["key", "org"]);
    lease.commit().wait().unwrap();
    acquire().unwrap().commit().wait().unwrap();
    assert_eq!(violators(&acquire().unwrap_err()), ["org"]);
}

#[test]
fn amounts_for_limits_that_an_ancestor_does_not_have_are_skipped_there() {
    let setup = family();
    store_for(&setup, "project", "rpm=10/min, daily=100/day");
    let given = limits("tpm=60/min, rpm=10/min");
    let call = setup
        .limiter
        .acquire("key", "r", &given)
        .consume("tpm", 20)
        .consume("rpm", 1)
        .cascade(true)
        .with_statuses();
    let mut lease = call.wait().unwrap();
    lease.adjust("tpm", 5).unwrap();
    lease.commit().wait().unwrap();
    assert_eq!(setup.left("project", Limits::Stored, "rpm"), 9);
    assert_eq!(setup.left("project", Limits::Stored, "daily"), 100);
    assert_eq!(setup.left("org", &given, "tpm"), 35);

    let known_above =
        setup.limiter.acquire("key", "r", &given).consume("daily", 1).cascade(true).with_statuses().wait();
    assert!(
        matches!(known_above, Err(AcquireError::Failed(Error::Request(RequestError::UnknownLimit { .. })))),
        "a name has to be a limit of the entity itself"
    );
}

#[test]
fn a_limit_of_an_ancestor_that_is_in_debt_refuses_although_it_is_not_named() {
    let setup = family();
    store_for(&setup, "project", "rpm=10/min, daily=100/day");
    let mut lease = setup.take("project", &limits("rpm=10/min, daily=100/day"), "daily", 100);
    lease.adjust("daily", 1).unwrap();
    lease.commit().wait().unwrap();
    let given = limits("rpm=10/min");
    let denied = setup
        .limiter
        .acquire("key", "r", &given)
        .consume("rpm", 1)
        .cascade(true)
        .with_statuses()
        .wait()
        .unwrap_err();
    assert_eq!(violators(&denied), ["project"]);
}

#[test]
fn a_parent_without_a_record_is_limited_and_ends_the_line() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    setup.limiter.create_entity("key").parent("nobody").wait().unwrap();
    setup
        .limiter
        .acquire("key", "r", &rpm)
        .consume("rpm", 3)
        .cascade(true)
        .with_statuses()
        .wait()
        .unwrap()
        .commit()
        .wait()
        .unwrap();
    assert_eq!(setup.left("nobody", &rpm, "rpm"), 7);
}

/// Writes records as another program might, past the limiter's checks.
fn write_line(setup: &Setup, line: &[&str]) {
    for pair in line.windows(2) {
        let entity = Entity::new(id(pair[0]), Timestamp::EPOCH).with_parent(id(pair[1]));
        setup.store.create_entity(&entity).wait().unwrap();
    }
}

#[test]
fn a_cycle_in_the_store_is_an_error_and_takes_nothing() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    write_line(&setup, &["a", "b", "c", "b"]);
    write_line(&setup, &["self", "self"]);
    for (entity, on_cycle) in [("a", "b"), ("b", "b"), ("self", "self")] {
        let error = setup
            .limiter
            .acquire(entity, "r", &rpm)
            .consume("rpm", 1)
            .cascade(true)
            .with_statuses()
            .wait()
            .unwrap_err();
        let AcquireError::Failed(Error::Request(RequestError::Entity(error))) = error else {
            panic!("{error}")
        };
        assert_eq!(error, EntityError::Cycle(id(on_cycle)));
    }
    assert_eq!(setup.left("a", &rpm, "rpm"), 10);
    setup.limiter.acquire("a", "r", &rpm).consume("rpm", 1).wait().unwrap().commit().wait().unwrap();
}

#[test]
fn eight_ancestors_are_fine_and_nine_are_not() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    let line: Vec<String> = (0..=MAX_ANCESTORS + 1).map(|i| format!("e{i}")).collect();
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    write_line(&setup, &line);
    let lease = setup
        .limiter
        .acquire("e1", "r", &rpm)
        .consume("rpm", 1)
        .cascade(true)
        .with_statuses()
        .wait()
        .unwrap();
    assert_eq!(lease.statuses().len(), 1 + MAX_ANCESTORS);
    drop(lease);
    let error = setup
        .limiter
        .acquire("e0", "r", &rpm)
        .consume("rpm", 1)
        .cascade(true)
        .with_statuses()
        .wait()
        .unwrap_err();
    let AcquireError::Failed(Error::Request(RequestError::Entity(error))) = error else { panic!("{error}") };
    assert_eq!(error, EntityError::TooDeep(id("e0")));
}
