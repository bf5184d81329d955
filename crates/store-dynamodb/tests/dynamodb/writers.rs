//! Several writers on one table, as several processes would be.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use zae_limiter_core::{Clock, Store};
use zae_limiter_store_dynamodb::{Cascade, DynamoDbStore};

use crate::calls::{apply, balances, bucket, clock, take, tokens};
use crate::engine::{open, options};

const WRITERS: i64 = 3;

fn stores(cascade: Cascade) -> Vec<DynamoDbStore> {
    let (mut options, clock) = (options(), clock());
    options.cascade = cascade;
    (0..WRITERS).map(|_| open(options.clone(), clock.clone())).collect()
}

#[test]
fn i1_all_together_admit_exactly_the_burst() {
    for cascade in [Cascade::Parallel, Cascade::Transaction] {
        let stores = stores(cascade);
        let levels = [bucket("a", "n=60/day"), bucket("parent", "n=1000/day m=1000/day")];
        let admitted = AtomicI64::new(0);
        thread::scope(|scope| {
            for store in &stores {
                for _ in 0..3 {
                    scope.spawn(|| {
                        for _ in 0..12 {
                            if take(store, &levels, &tokens([1, 1, 2])).unwrap() {
                                admitted.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                    });
                }
            }
        });
        assert_eq!(admitted.into_inner(), 60);
        assert_eq!(balances(&stores[0], &levels), tokens([0, 940, 880]), "{cascade:?}");
    }
}

#[test]
fn i4_takes_charges_and_returns_of_all_add_up() {
    for cascade in [Cascade::Parallel, Cascade::Transaction] {
        let stores = stores(cascade);
        let levels = [bucket("a", "n=1000/day"), bucket("parent", "n=10000/day")];
        thread::scope(|scope| {
            for store in &stores {
                scope.spawn(|| {
                    for round in 0..15 {
                        assert!(take(store, &levels, &tokens([5, 5])).unwrap());
                        let settled = tokens([round % 3 - 1, -5]);
                        apply(store, &levels, &settled).unwrap();
                    }
                });
            }
        });
        // Each round takes 5, and settles by -1, 0 or 1 in turn.
        let expected = tokens([1_000 - WRITERS * 15 * 5, 10_000]);
        for store in &stores {
            assert_eq!(balances(store, &levels), expected, "{cascade:?}");
        }
    }
}

#[test]
fn a_namespace_keeps_stores_apart() {
    let (mut options, clock) = (options(), clock());
    let plain = open(options.clone(), clock.clone());
    options.namespace = zae_limiter_store_dynamodb::schema::Namespace::new("other").unwrap();
    let other = open(options, clock.clone());
    let levels = [bucket("a", "n=10/day")];
    assert!(take(&plain, &levels, &tokens([10])).unwrap());
    assert!(take(&other, &levels, &tokens([3])).unwrap());
    assert_eq!(balances(&other, &levels), tokens([7]));
    let entity = zae_limiter_core::Entity::new(levels[0].entity_id.clone(), clock.now());
    pollster::block_on(plain.create_entity(&entity)).unwrap();
    assert_eq!(pollster::block_on(other.entities()).unwrap(), []);
    pollster::block_on(other.delete_entity(&entity.id)).unwrap();
    assert_eq!(pollster::block_on(plain.entities()).unwrap(), [entity]);
    assert_eq!(balances(&plain, &levels), tokens([0]));
    assert_eq!(pollster::block_on(other.buckets(&levels[0].resource)).unwrap().0, []);
}
