//! Limits kept in the store, and all that is stored about an entity.

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::limit::{MAX_LIMITS, MAX_PERIOD_SECONDS};
use zae_limiter_core::{Entity, EntityConfig, Limit, LimitScope, LimitSet};

use crate::harness::{Harness, ask};
use crate::shorthand::{bucket, id, limits, resource, set_of, tokens, valid};

pub(super) fn put(h: &Harness, scope: &LimitScope, limits: &LimitSet) {
    ask(h.store().put_limits(scope, limits));
}

pub(super) fn stored(h: &Harness, scope: &LimitScope) -> Option<LimitSet> {
    ask(h.store().limits(scope))
}

pub(super) fn config(h: &Harness, entity: &str, on: &str) -> EntityConfig {
    ask(h.store().config(&id(entity), &resource(on)))
}

fn four_scopes() -> [LimitScope; 4] {
    [
        LimitScope::EntityResource(id("a"), resource("r")),
        LimitScope::Entity(id("a")),
        LimitScope::Resource(resource("r")),
        LimitScope::System,
    ]
}

pub(crate) fn the_four_scopes_are_independent(h: &Harness) {
    let scopes = four_scopes();
    let sets = ["n=1/s", "n=2/s", "n=3/s", "n=4/s"].map(limits);
    for (scope, set) in scopes.iter().zip(&sets) {
        assert_eq!(stored(h, scope), None);
        put(h, scope, set);
    }
    for (scope, set) in scopes.iter().zip(&sets) {
        assert_eq!(stored(h, scope).as_ref(), Some(set), "{scope}");
    }
    for (place, scope) in scopes.iter().enumerate() {
        ask(h.store().delete_limits(scope));
        for (other, scope) in scopes.iter().enumerate() {
            assert_eq!(stored(h, scope).is_some(), other > place, "{scope} after {place}");
        }
    }
}

pub(crate) fn limits_of_one_scope_are_replaced_as_a_whole(h: &Harness) {
    for scope in four_scopes() {
        put(h, &scope, &limits("x=1/s y=2/s"));
        put(h, &scope, &limits("z=3/s y=4/min"));
        assert_eq!(stored(h, &scope), Some(limits("z=3/s y=4/min")));
        for _ in 0..2 {
            ask(h.store().delete_limits(&scope));
            assert_eq!(stored(h, &scope), None, "deleting what is not there is no error");
        }
    }
}

pub(crate) fn limits_come_back_as_they_were_given(h: &Harness) {
    let many = (0..MAX_LIMITS)
        .rev()
        .map(|n| valid(Limit::per_day(format!("n{n}.x-y_Z"), 1 + valid(u64::try_from(n)))));
    let extreme = [
        valid(Limit::new("vast", MAX_TOKENS - 1, MAX_TOKENS, MAX_TOKENS, MAX_PERIOD_SECONDS)),
        valid(Limit::new("least", 1, 1, 1, 1)),
    ];
    for set in [set_of(many), set_of(extreme), limits("tpm=10k/min:capacity=12k:burst=15k a=5/10s")] {
        put(h, &LimitScope::System, &set);
        assert_eq!(stored(h, &LimitScope::System), Some(set));
    }
}

pub(crate) fn one_read_tells_all_limits_and_the_parent(h: &Harness) {
    assert_eq!(config(h, "a", "r"), EntityConfig::default());
    let [own, default, on_resource, system] = ["n=1/s", "n=2/s", "n=3/s", "n=4/s"].map(limits);
    let mut expected = EntityConfig::default();
    for (scope, set) in four_scopes().iter().zip([&own, &default, &on_resource, &system]) {
        put(h, scope, set);
        match scope {
            LimitScope::EntityResource(..) => expected.entity_resource = Some(set.clone()),
            LimitScope::Entity(_) => expected.entity = Some(set.clone()),
            LimitScope::Resource(_) => expected.resource = Some(set.clone()),
            LimitScope::System => expected.system = Some(set.clone()),
        }
        assert_eq!(config(h, "a", "r"), expected, "an entity need not have a record to have limits");
    }
    ask(h.store().create_entity(&Entity::new(id("a"), h.now()).with_parent(id("parent"))));
    expected.parent_id = Some(id("parent"));
    assert_eq!(config(h, "a", "r"), expected);

    let elsewhere = config(h, "a", "s");
    assert_eq!(
        (elsewhere.parent_id, elsewhere.entity_resource, elsewhere.resource),
        (Some(id("parent")), None, None)
    );
    assert_eq!((elsewhere.entity, elsewhere.system), (Some(default), Some(system.clone())));
    let parent = config(h, "parent", "r");
    assert_eq!((parent.parent_id, parent.entity_resource, parent.entity), (None, None, None));
    assert_eq!((parent.resource, parent.system), (Some(on_resource), Some(system)));
}

pub(crate) fn stored_limits_leave_buckets_alone(h: &Harness) {
    let b = [bucket("a", "n=10/day")];
    h.admit(&b, &tokens([4]));
    for scope in four_scopes() {
        put(h, &scope, &limits("n=5/s"));
    }
    assert_eq!(h.balances(&b), tokens([6]));
    h.admit(&b, &tokens([6]));
    for scope in four_scopes() {
        ask(h.store().delete_limits(&scope));
    }
    assert_eq!(h.balances(&b), tokens([0]));
}
