//! Deleting an entity.

use zae_limiter_core::{Entity, EntityConfig, LimitScope, UsageQuery, Window};

use super::stored_limits::{config, put, stored};
use crate::harness::{Harness, ask};
use crate::shorthand::{bucket, bucket_on, id, limits, resource, tokens};

/// Gives an entity everything that an entity can have.
fn furnish(h: &Harness, name: &str, parent: &str) {
    ask(h.store().create_entity(&Entity::new(id(name), h.now()).with_parent(id(parent))));
    for on in ["r", "s"] {
        h.admit(&[bucket_on(name, on, "n=10/day m=5/h")], &tokens([4, 5]));
        put(h, &LimitScope::EntityResource(id(name), resource(on)), &limits("n=1/s"));
    }
    put(h, &LimitScope::Entity(id(name)), &limits("n=2/s"));
}

fn is_furnished(h: &Harness, name: &str) -> bool {
    let record = ask(h.store().entity(&id(name))).is_some();
    let config = config(h, name, "r");
    let has = [
        record,
        h.balances(&[bucket_on(name, "r", "n=10/day m=5/h")]) == tokens([6, 0]),
        h.balances(&[bucket_on(name, "s", "n=10/day m=5/h")]) == tokens([6, 0]),
        config.entity_resource.is_some(),
        config.entity.is_some(),
        config.parent_id.is_some(),
        stored(h, &LimitScope::EntityResource(id(name), resource("s"))).is_some(),
        h.usage_of(name, Window::Hourly).len() == 2,
        h.listed("r").iter().filter(|line| line.starts_with(&format!("{name} n="))).count() == 1,
    ];
    assert!(has.iter().all(|part| *part == record), "{name} is left in part: {has:?}");
    record
}

fn delete(h: &Harness, name: &str) {
    ask(h.store().delete_entity(&id(name)));
}

pub(crate) fn deleting_an_entity_deletes_all_it_has(h: &Harness) {
    furnish(h, "a", "parent");
    assert!(is_furnished(h, "a"));
    delete(h, "a");
    assert!(!is_furnished(h, "a"));
    assert_eq!(h.balances(&[bucket("a", "n=10/day m=5/h")]), tokens([10, 5]));
    assert_eq!(h.listed("r"), [""; 0]);
    assert_eq!(ask(h.store().children(&id("parent"))), []);
    assert_eq!(ask(h.store().entities()), []);
    assert_eq!(config(h, "a", "r"), EntityConfig::default());
    for window in Window::ALL {
        assert_eq!(h.usage(&UsageQuery { entity_id: None, ..UsageQuery::of(id("a"), window) }), [""; 0]);
    }
}

pub(crate) fn deleting_spares_everyone_else(h: &Harness) {
    let others = ["a1", "a/b", "a ", "a%", "a_", "A", "b", "aa", " a", "á"];
    let doomed = ["a", "_", "%", "a*"];
    for name in others.iter().chain(&doomed) {
        furnish(h, name, "parent");
    }
    put(h, &LimitScope::Resource(resource("a")), &limits("n=3/s"));
    put(h, &LimitScope::Resource(resource("r")), &limits("n=3/s"));
    put(h, &LimitScope::System, &limits("n=4/s"));
    for name in doomed {
        delete(h, name);
        assert!(!is_furnished(h, name));
        for other in others {
            assert!(is_furnished(h, other), "{other:?} was deleted with {name:?}");
        }
    }
    assert_eq!(stored(h, &LimitScope::Resource(resource("a"))), Some(limits("n=3/s")));
    assert_eq!(stored(h, &LimitScope::Resource(resource("r"))), Some(limits("n=3/s")));
    assert_eq!(stored(h, &LimitScope::System), Some(limits("n=4/s")));
}

pub(crate) fn deleting_a_parent_spares_its_children(h: &Harness) {
    furnish(h, "parent", "grandparent");
    furnish(h, "child", "parent");
    delete(h, "parent");
    assert!(is_furnished(h, "child"));
    let children: Vec<_> = ask(h.store().children(&id("parent"))).into_iter().map(|child| child.id).collect();
    assert_eq!(children, [id("child")]);
    assert_eq!(config(h, "child", "r").parent_id, Some(id("parent")));
}

pub(crate) fn deleting_what_is_not_there_is_no_error(h: &Harness) {
    delete(h, "nobody");
    furnish(h, "a", "parent");
    delete(h, "a");
    delete(h, "a");
    assert!(!is_furnished(h, "a"));
}

pub(crate) fn an_id_without_a_record_can_be_deleted(h: &Harness) {
    let b = [bucket("a", "n=10/day")];
    h.admit(&b, &tokens([10]));
    put(h, &LimitScope::Entity(id("a")), &limits("n=2/s"));
    delete(h, "a");
    assert_eq!(h.balances(&b), tokens([10]));
    assert_eq!(stored(h, &LimitScope::Entity(id("a"))), None);
    assert_eq!(h.usage_of("a", Window::Hourly), [""; 0]);
}

pub(crate) fn a_deleted_entity_can_be_made_again(h: &Harness) {
    furnish(h, "a", "parent");
    delete(h, "a");
    h.advance(10);
    furnish(h, "a", "other parent");
    assert!(is_furnished(h, "a"));
    assert_eq!(config(h, "a", "r").parent_id, Some(id("other parent")));
    assert_eq!(h.usage_of("a", Window::Daily)[0], "a r 2096-02-28T00:00:00Z m=5 n=4 events=1");
}

pub(crate) fn a_lease_that_outlives_its_entity_does_no_harm(h: &Harness) {
    let b = [bucket("a", "n=10/day"), bucket("parent", "n=100/day")];
    h.admit(&b, &tokens([4, 4]));
    delete(h, "a");
    h.roll_back(&b, &tokens([4, 4]));
    assert_eq!(h.balances(&b), tokens([10, 100]));
    h.admit(&b, &tokens([10, 10]));
    h.deny(&b, &tokens([1, 1]));
}
