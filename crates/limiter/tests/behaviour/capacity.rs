//! How much of a resource is left, over all entities.

use zae_limiter::core::{Change, Level};
use zae_limiter::{Block, Millitokens, Store};

use crate::setup::{limits, setup};

#[test]
fn sums_over_the_entities_that_use_a_resource() {
    let setup = setup();
    setup.take("b", &limits("tpm=100/min"), "tpm", 25).commit().wait().unwrap();
    setup.take("a", &limits("tpm=300/min, rpm=5/min"), "tpm", 75).commit().wait().unwrap();
    setup
        .limiter
        .acquire("c", "other", limits("tpm=100/min"))
        .consume("tpm", 50)
        .wait()
        .unwrap()
        .commit()
        .wait()
        .unwrap();

    let capacity = setup.limiter.resource_capacity("r", "tpm", false).wait().unwrap();
    assert_eq!((capacity.resource.as_str(), capacity.limit_name.as_str()), ("r", "tpm"));
    assert_eq!((capacity.total_capacity, capacity.total_available), (400, 300));
    assert!((capacity.utilization_pct - 25.0).abs() < 1e-9);
    let entities: Vec<_> = capacity
        .entities
        .iter()
        .map(|e| (e.entity_id.as_str(), e.capacity, e.available, e.utilization_pct))
        .collect();
    assert_eq!(entities, [("a", 300, 225, 25.0), ("b", 100, 75, 25.0)]);

    let requests = setup.limiter.resource_capacity("r", "rpm", false).wait().unwrap();
    assert_eq!((requests.total_capacity, requests.entities.len()), (5, 1));
}

#[test]
fn counts_only_those_without_a_parent_if_asked() {
    let (setup, tpm) = (setup(), limits("tpm=100/min"));
    setup.limiter.create_entity("project").wait().unwrap();
    setup.limiter.create_entity("key").parent("project").wait().unwrap();
    setup
        .limiter
        .acquire("key", "r", &tpm)
        .consume("tpm", 10)
        .cascade(true)
        .wait()
        .unwrap()
        .commit()
        .wait()
        .unwrap();
    setup.take("no-record", &tpm, "tpm", 10).commit().wait().unwrap();

    let all = setup.limiter.resource_capacity("r", "tpm", false).wait().unwrap();
    assert_eq!((all.total_capacity, all.entities.len()), (300, 3));
    let parents = setup.limiter.resource_capacity("r", "tpm", true).wait().unwrap();
    let ids: Vec<_> = parents.entities.iter().map(|entity| entity.entity_id.as_str()).collect();
    assert_eq!(ids, ["no-record", "project"]);
}

#[test]
fn utilization_leaves_the_range_in_debt_and_in_burst() {
    let setup = setup();
    let burst = limits("tpm=100/min:burst=200");
    setup.take("burst", &burst, "tpm", 50).commit().wait().unwrap();
    let mut lease = setup.take("debt", &burst, "tpm", 200);
    lease.adjust("tpm", 50).unwrap();
    lease.commit().wait().unwrap();
    let capacity = setup.limiter.resource_capacity("r", "tpm", false).wait().unwrap();
    let pct: Vec<_> = capacity.entities.iter().map(|entity| entity.utilization_pct).collect();
    assert_eq!(pct, [-50.0, 150.0]);
    assert_eq!(capacity.total_available, 100);
}

#[test]
fn an_unused_resource_is_empty() {
    let setup = setup();
    let capacity = setup.limiter.resource_capacity("r", "tpm", false).wait().unwrap();
    assert_eq!((capacity.total_capacity, capacity.total_available, capacity.entities.len()), (0, 0, 0));
    assert!(capacity.utilization_pct.abs() < f64::EPSILON);
}

#[test]
fn boundless_debts_do_not_overflow() {
    let (setup, tpm) = (setup(), limits("tpm=1000000M/s"));
    for i in 0..1_100 {
        let entity_id = format!("e{i}").parse().unwrap();
        let level = Level { entity_id, resource: "r".parse().unwrap(), limits: tpm.clone() };
        let (levels, amounts) = (&[level], &[Millitokens::new(i64::MAX)]);
        setup.store.apply(Change { levels, amounts, acquires: 0 }).wait().unwrap();
    }
    let capacity = setup.limiter.resource_capacity("r", "tpm", false).wait().unwrap();
    assert_eq!(capacity.total_available, i64::MIN);
    assert!(capacity.utilization_pct > 100.0);
}

#[test]
fn names_are_checked() {
    let setup = setup();
    for (resource, limit) in [("", "tpm"), ("a#b", "tpm"), ("r", ""), ("r", "1tpm"), ("_default_", "tpm")] {
        let error = setup.limiter.resource_capacity(resource, limit, false).wait().unwrap_err();
        assert!(error.is_invalid(), "{resource:?} {limit:?}");
    }
}
