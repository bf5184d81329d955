//! Batches of which DynamoDB leaves a part undone: the rest is asked for until all is done.

use zae_limiter_core::{Entity, LimitScope, Store, Timestamp};
use zae_limiter_store_dynamodb::DynamoDbStore;

use crate::calls::{bucket, clock, id, resource, take, tokens};
use crate::engine::{open, options_at, table_name};
use crate::proxy::{Fault, Proxy};

fn setup() -> (Proxy, DynamoDbStore) {
    let proxy = Proxy::start();
    let store = open(options_at(proxy.url(), &table_name()), clock());
    (proxy, store)
}

#[test]
fn an_entity_with_hundreds_of_records_is_deleted_as_a_whole() {
    let (proxy, store) = setup();
    let key = id("key");
    pollster::block_on(store.create_entity(&Entity::new(key.clone(), Timestamp::EPOCH))).unwrap();
    for number in 0..130 {
        let mut level = bucket("key", "n=10/day");
        level.resource = format!("resource {number}").parse().unwrap();
        assert!(take(&store, &[level], &tokens([1])).unwrap());
    }
    // As many rounds as halves need: 25, 13 left, 7 left and so on, filled up from those that wait.
    let before = proxy.requests();
    proxy.script(&[], Fault::LeaveUndone);
    pollster::block_on(store.delete_entity(&key)).unwrap();
    proxy.script(&[], Fault::None);
    assert!(proxy.requests() - before > 10, "{} requests", proxy.requests() - before);
    assert_eq!(pollster::block_on(store.entity(&key)).unwrap(), None);
    for number in [0, 64, 129] {
        let resource = format!("resource {number}").parse().unwrap();
        let (levels, _) = pollster::block_on(store.buckets(&resource)).unwrap();
        assert!(levels.is_empty(), "{levels:?}");
    }
}

#[test]
fn limits_on_every_level_are_read_as_a_whole() {
    let (proxy, store) = setup();
    let (key, resource) = (id("key"), resource());
    let scopes = [
        LimitScope::System,
        LimitScope::Resource(resource.clone()),
        LimitScope::Entity(key.clone()),
        LimitScope::EntityResource(key.clone(), resource.clone()),
    ];
    for (scope, limits) in scopes.iter().zip(["n=1/day", "n=2/day", "n=3/day", "n=4/day"]) {
        pollster::block_on(store.put_limits(scope, &limits.parse().unwrap())).unwrap();
    }
    let whole = pollster::block_on(store.config(&key, &resource)).unwrap();
    let before = proxy.requests();
    proxy.script(&[], Fault::LeaveUndone);
    let config = pollster::block_on(store.config(&key, &resource)).unwrap();
    assert!(proxy.requests() - before > 1, "it was all answered at once");
    assert_eq!(config, whole);
}
