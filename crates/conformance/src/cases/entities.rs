//! Records of entities.

use zae_limiter_core::{Entity, StoreErrorKind, Timestamp};

use crate::harness::{Harness, ask};
use crate::shorthand::{bucket, id, tokens};

fn create(h: &Harness, entity: &Entity) {
    ask(h.store().create_entity(entity));
}

pub(crate) fn a_record_reads_back_whole(h: &Harness) {
    let metadata = [("tier", "gold"), ("", "no key"), ("no value", ""), ("数", "☃ 'quoted' \"twice\" \\ \n")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let whole = Entity::new(id("key"), Timestamp::from_millis(1_234_567_890_123))
        .with_name("Ann's key — 1")
        .with_parent(id("project"))
        .with_metadata(metadata.into());
    let bare = Entity::new(id("project"), h.now());
    for entity in [&whole, &bare] {
        assert_eq!(ask(h.store().entity(&entity.id)), None);
        create(h, entity);
        assert_eq!(ask(h.store().entity(&entity.id)).as_ref(), Some(entity));
    }
    assert_eq!(ask(h.store().entity(&whole.id)), Some(whole));
}

pub(crate) fn a_second_record_is_refused_and_leaves_the_first(h: &Harness) {
    let first = Entity::new(id("a"), h.now()).with_name("first");
    create(h, &first);
    h.advance(1_000);
    for second in [Entity::new(id("a"), h.now()).with_parent(id("b")), first.clone()] {
        let error = pollster::block_on(h.store().create_entity(&second)).err();
        assert_eq!(error.map(|error| error.kind()), Some(StoreErrorKind::AlreadyExists));
        assert_eq!(ask(h.store().entity(&id("a"))), Some(first.clone()));
        assert_eq!(ask(h.store().children(&id("b"))), []);
    }
}

pub(crate) fn a_bucket_needs_no_record_and_makes_none(h: &Harness) {
    let b = [bucket("a", "n=10/day")];
    h.admit(&b, &tokens([4]));
    assert_eq!(ask(h.store().entity(&id("a"))), None);
    assert_eq!(ask(h.store().entities()), []);
    create(h, &Entity::new(id("a"), h.now()));
    assert_eq!(h.balances(&b), tokens([6]), "a record made later changes nothing");
}

pub(crate) fn all_records_are_listed_by_id(h: &Harness) {
    let mut all: Vec<Entity> = ["b", "a/1", "é", "a", "B", "a b", "☃", "a1", "10", "9", "~"]
        .iter()
        .zip((0..20).rev())
        .map(|(text, n)| Entity::new(id(text), h.now()).with_name(format!("{n}")))
        .collect();
    for entity in &all {
        create(h, entity);
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(ask(h.store().entities()), all);
}

pub(crate) fn children_are_those_of_the_parent_by_id(h: &Harness) {
    let count = h.scale().pick(300, 300, 30);
    let child = |n: u32| {
        let parent = if n.is_multiple_of(3) { "parent" } else { "parent 2" };
        Entity::new(id(&format!("child {n}")), h.now())
            .with_name(format!("{}", count - n))
            .with_parent(id(parent))
    };
    create(h, &Entity::new(id("parent"), h.now()).with_parent(id("grandparent")));
    for n in 0..count {
        create(h, &child(n));
    }
    let mut expected: Vec<Entity> = (0..count).filter(|n| n.is_multiple_of(3)).map(child).collect();
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(ask(h.store().children(&id("parent"))), expected);
    assert_eq!(ask(h.store().children(&id("child 0"))), []);
    let below: Vec<_> =
        ask(h.store().children(&id("grandparent"))).into_iter().map(|entity| entity.id).collect();
    assert_eq!(
        below,
        [id("parent")],
        "children, not grandchildren; the parent itself need not have a record"
    );
}
