//! Everything is in the file.

use zae_limiter_core::{Entity, LimitScope, Millitokens, Store, UsageQuery, Window};
use zae_limiter_store_embedded::{SqliteOptions, SqliteStore, Synchronous};

use crate::fixture::{Fixture, START, apply, balances, clock, entity, level, limit_set, resource, take};

#[test]
fn buckets_keep_balances_debt_and_fractions() {
    let fixture = Fixture::new();
    let levels = [level("key", "a=7/min, b=3/d:burst=5"), level("project", "a=1000/s")];
    let store = fixture.open();
    assert!(take(&store, &levels, 2));
    apply(&store, &levels[..1], 6, 0);
    fixture.clock.advance(std::time::Duration::from_millis(12_345));
    let before = pollster::block_on(store.read(&levels)).unwrap();
    drop(store);

    let store = fixture.open();
    assert_eq!(pollster::block_on(store.read(&levels)).unwrap(), before);
    assert_eq!(balances(&store, &levels), [0, -3, 1000], "12 s bring 1.4 tokens of a");
}

#[test]
fn a_denial_writes_nothing() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert!(take(&store, &[level("parent", "n=5/d")], 5));
    let watching = fixture.raw();
    let version = || watching.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    assert!(!take(&store, &[level("child", "n=5/d"), level("parent", "n=5/d")], 1));
    assert_eq!(version(), before);
    assert_eq!(fixture.number("SELECT count(*) FROM bucket"), 1, "the child's bucket was not touched");
}

#[test]
fn entities_and_limits_stay() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let parent = Entity::new(entity("org"), START);
    let child = Entity::new(entity("key"), START)
        .with_name("Käthe's key")
        .with_parent(entity("org"))
        .with_metadata([("tier".to_owned(), "gold \"1\"".to_owned())].into());
    let scopes = [
        (LimitScope::EntityResource(entity("key"), resource("gpt-4")), limit_set("a=1/s")),
        (LimitScope::Entity(entity("key")), limit_set("a=2/s")),
        (LimitScope::Resource(resource("gpt-4")), limit_set("a=3/s, b=10k/d:burst=20k")),
        (LimitScope::System, limit_set("a=4/s")),
    ];
    pollster::block_on(async {
        store.create_entity(&parent).await.unwrap();
        store.create_entity(&child).await.unwrap();
        for (scope, limits) in &scopes {
            store.put_limits(scope, &limit_set("old=1/s")).await.unwrap();
            store.put_limits(scope, limits).await.unwrap();
        }
    });
    drop(store);

    let store = fixture.open();
    pollster::block_on(async {
        assert_eq!(store.entity(&child.id).await.unwrap().as_ref(), Some(&child));
        assert_eq!(store.entities().await.unwrap(), [child.clone(), parent.clone()]);
        assert_eq!(store.children(&parent.id).await.unwrap(), std::slice::from_ref(&child));
        for (scope, limits) in &scopes {
            assert_eq!(store.limits(scope).await.unwrap().as_ref(), Some(limits), "{scope}");
        }
        let config = store.config(&child.id, &resource("gpt-4")).await.unwrap();
        assert_eq!(config.parent_id, Some(parent.id.clone()));
        let found = [config.entity_resource, config.entity, config.resource, config.system];
        assert_eq!(found, scopes.clone().map(|(_, limits)| Some(limits)));
        store.delete_limits(&scopes[2].0).await.unwrap();
        assert_eq!(store.config(&child.id, &resource("gpt-4")).await.unwrap().resource, None);
    });
}

#[test]
fn deleting_an_entity_leaves_nothing_of_it_in_any_table() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let (gone, kept) = (entity("gone"), entity("gone too?"));
    for id in [&gone, &kept] {
        let levels = [level(id.as_str(), "a=5/d")];
        pollster::block_on(store.create_entity(&Entity::new(id.clone(), START))).unwrap();
        pollster::block_on(store.put_limits(&LimitScope::Entity(id.clone()), &limit_set("a=1/s"))).unwrap();
        assert!(take(&store, &levels, 3));
        fixture.advance(3_600);
        assert!(take(&store, &levels, 1));
    }
    pollster::block_on(store.delete_entity(&gone)).unwrap();
    for (table, column) in
        [("entity", "id"), ("bucket", "entity_id"), ("stored_limits", "entity_id"), ("usage", "entity_id")]
    {
        let count =
            |id: &str| fixture.number(&format!("SELECT count(*) FROM {table} WHERE {column} = '{id}'"));
        assert_eq!((count(gone.as_str()), count(kept.as_str())), (0, 1), "{table}");
    }
    assert_eq!(balances(&store, &[level("gone", "a=5/d")]), [5]);
    assert!(
        pollster::block_on(store.usage(&UsageQuery::of(gone.clone(), Window::Daily))).unwrap().is_empty()
    );
    pollster::block_on(store.delete_entity(&gone)).unwrap();
}

#[test]
fn changed_limits_carry_the_balance_over_and_others_stay() {
    let fixture = Fixture::new();
    assert!(take(&fixture.open(), &[level("key", "a=10/d, b=10/d")], 6));
    assert!(take(&fixture.open(), &[level("key", "a=8/d")], 1));
    let store = fixture.open();
    assert_eq!(balances(&store, &[level("key", "a=8/d, b=10/d, c=2/d")]), [3, 4, 2]);
    let (levels, reading) = pollster::block_on(store.buckets(&resource("gpt-4"))).unwrap();
    assert_eq!(levels, [level("key", "a=8/d, b=10/d")]);
    assert_eq!(reading.balances(&levels).map(Millitokens::whole_tokens).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn every_synchronous_setting_opens_the_same_file() {
    let fixture = Fixture::new();
    for (tokens, synchronous) in [(9, Synchronous::Full), (8, Synchronous::Normal), (7, Synchronous::Off)] {
        let mut options = SqliteOptions::default();
        options.synchronous = synchronous;
        let store = fixture.open_with(options).unwrap();
        let levels = [level("key", "n=10/d")];
        assert!(take(&store, &levels, 1));
        assert_eq!(balances(&store, &levels), [tokens]);
    }
}

#[test]
fn names_with_a_meaning_to_sqlite_are_names_of_files_too() {
    let fixture = Fixture::new();
    for name in [":memory:", "file:x?mode=memory", "ä ö%20.db"] {
        let path = fixture.directory().join("new").join("directories").join(name);
        let open = || SqliteStore::open(&path, clock(), SqliteOptions::default()).unwrap();
        assert!(take(&open(), &[level("key", "n=1/d")], 1));
        assert!(path.is_file(), "{}", path.display());
        assert!(!take(&open(), &[level("key", "n=1/d")], 1));
    }
}
