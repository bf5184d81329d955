//! Records of entities.

use std::collections::BTreeMap;

use zae_limiter::core::entity::MAX_ANCESTORS;
use zae_limiter::{Block, EntityError, Error, LimitScope, Limits, RequestError, StoreErrorKind};

use crate::setup::{START, limits, setup};

fn place_error(error: Error) -> EntityError {
    match error {
        Error::Request(RequestError::Entity(error)) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_record_has_a_name_a_parent_and_metadata() {
    let setup = setup();
    let metadata = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
    let call = setup.limiter.create_entity("key").name("Search").parent("project").metadata(metadata.clone());
    let created = call.wait().unwrap();
    assert_eq!(setup.limiter.entity("key").wait().unwrap(), Some(created.clone()));
    assert_eq!((created.name.as_str(), created.created_at), ("Search", START));
    assert_eq!(created.parent_id.as_ref().unwrap().as_str(), "project");
    assert_eq!(created.metadata, metadata);
    assert!(created.is_child() && !created.is_parent());

    let plain = setup.limiter.create_entity("project").wait().unwrap();
    assert_eq!(plain.name, "project", "the id, if none is given");
    assert!(plain.is_parent());
}

#[test]
fn an_id_is_taken_once() {
    let setup = setup();
    setup.limiter.create_entity("a").name("first").wait().unwrap();
    let error = setup.limiter.create_entity("a").name("second").wait().unwrap_err();
    let Error::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    assert!(error.to_string().contains("entity a exists"), "{error}");
    assert_eq!(setup.limiter.entity("a").wait().unwrap().unwrap().name, "first");
}

#[test]
fn nobody_is_their_own_parent() {
    let setup = setup();
    let error = setup.limiter.create_entity("a").parent("a").wait().unwrap_err();
    assert_eq!(place_error(error), EntityError::Cycle("a".parse().unwrap()));
    assert_eq!(setup.limiter.entity("a").wait().unwrap(), None);
}

#[test]
fn a_record_that_would_close_a_cycle_is_refused() {
    let setup = setup();
    setup.limiter.create_entity("a").parent("b").wait().unwrap();
    setup.limiter.create_entity("b").parent("c").wait().unwrap();
    let error = setup.limiter.create_entity("c").parent("a").wait().unwrap_err();
    assert_eq!(place_error(error), EntityError::Cycle("c".parse().unwrap()));
    setup.limiter.create_entity("c").wait().unwrap();
}

#[test]
fn the_longest_possible_cycle_is_still_called_a_cycle() {
    let setup = setup();
    for i in 0..MAX_ANCESTORS {
        setup.limiter.create_entity(&format!("e{i}")).parent(&format!("e{}", i + 1)).wait().unwrap();
    }
    let last = format!("e{MAX_ANCESTORS}");
    let error = setup.limiter.create_entity(&last).parent("e0").wait().unwrap_err();
    assert_eq!(place_error(error), EntityError::Cycle(last.parse().unwrap()));
}

#[test]
fn a_line_of_ancestors_has_an_end() {
    let setup = setup();
    for i in 0..MAX_ANCESTORS {
        setup.limiter.create_entity(&format!("e{}", i + 1)).parent(&format!("e{i}")).wait().unwrap();
    }
    let last = format!("e{MAX_ANCESTORS}");
    let error = setup.limiter.create_entity("one-too-many").parent(&last).wait().unwrap_err();
    assert_eq!(place_error(error), EntityError::TooDeep("one-too-many".parse().unwrap()));
}

#[test]
fn lists_are_by_id() {
    let setup = setup();
    setup.limiter.create_entity("z").parent("p").wait().unwrap();
    setup.limiter.create_entity("m").parent("p").wait().unwrap();
    setup.limiter.create_entity("p").wait().unwrap();
    let ids = |entities: Vec<zae_limiter::Entity>| {
        entities.into_iter().map(|e| e.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(setup.limiter.children("p").wait().unwrap()), ["m", "z"]);
    assert_eq!(ids(setup.limiter.entities().wait().unwrap()), ["m", "p", "z"]);
    assert!(setup.limiter.children("z").wait().unwrap().is_empty());
    assert_eq!(setup.limiter.entity("nobody").wait().unwrap(), None);
}

#[test]
fn deleting_takes_the_buckets_limits_and_usage_along() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    setup.limiter.create_entity("key").parent("project").wait().unwrap();
    setup.limiter.set_limits(&LimitScope::Entity("key".parse().unwrap()), &rpm).wait().unwrap();
    setup.take("key", &rpm, "rpm", 4).commit().wait().unwrap();

    setup.limiter.delete_entity("key").wait().unwrap();
    assert_eq!(setup.limiter.entity("key").wait().unwrap(), None);
    assert_eq!(setup.left("key", &rpm, "rpm"), 10);
    assert_eq!(setup.acquires("key"), 0);
    assert!(setup.limiter.available("key", "r", Limits::Stored).wait().is_err(), "not even remembered");
    setup.limiter.delete_entity("key").wait().expect("deleting what is not there is no error");
    setup.limiter.create_entity("key").wait().unwrap();
}

#[test]
fn children_of_a_deleted_entity_stay_without_it_above_them() {
    let (setup, rpm) = (setup(), limits("rpm=10/min"));
    setup.limiter.create_entity("org").wait().unwrap();
    setup.limiter.create_entity("project").parent("org").wait().unwrap();
    setup.limiter.create_entity("key").parent("project").wait().unwrap();
    let levels = || {
        let lease = setup
            .limiter
            .acquire("key", "r", &rpm)
            .consume("rpm", 1)
            .cascade(true)
            .with_statuses()
            .wait()
            .unwrap();
        lease.statuses().len()
    };
    assert_eq!(levels(), 3);
    setup.limiter.delete_entity("project").wait().unwrap();
    assert_eq!(levels(), 2, "the line ends at the parent that has no record any more");
}

#[test]
fn ids_are_checked() {
    let setup = setup();
    for id in ["", "a#b", "a\nb", &"x".repeat(257)] {
        assert!(setup.limiter.create_entity(id).wait().unwrap_err().is_invalid(), "{id:?}");
        assert!(setup.limiter.create_entity("a").parent(id).wait().unwrap_err().is_invalid(), "{id:?}");
        assert!(setup.limiter.entity(id).wait().unwrap_err().is_invalid(), "{id:?}");
        assert!(setup.limiter.children(id).wait().unwrap_err().is_invalid(), "{id:?}");
        assert!(setup.limiter.delete_entity(id).wait().unwrap_err().is_invalid(), "{id:?}");
    }
    assert!(setup.store.calls_since().is_empty());
}
