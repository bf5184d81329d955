//! What a call costs, to the request and to the unit.

use zae_limiter_core::{LimitScope, Store};
use zae_limiter_store_dynamodb::{Cascade, DynamoDbStore, Stats};

use crate::calls::{apply, balances, bucket, clock, id, resource, take, tokens};
use crate::engine::{open, options};

fn store(cascade: Cascade) -> DynamoDbStore {
    let mut options = options();
    options.measure = true;
    options.cascade = cascade;
    open(options, clock())
}

/// What `call` costs.
#[track_caller]
fn cost(store: &DynamoDbStore, call: impl FnOnce()) -> Stats {
    let before = store.stats().unwrap();
    call();
    let mut cost = store.stats().unwrap();
    cost.requests -= before.requests;
    cost.write_units -= before.write_units;
    cost.read_units -= before.read_units;
    cost.index_units -= before.index_units;
    cost
}

#[track_caller]
fn expect(cost: Stats, requests: u64, units: [f64; 3]) {
    assert_eq!(cost.requests, requests, "requests: {cost:?}");
    assert_eq!([cost.write_units, cost.read_units, cost.index_units], units, "write, read, index: {cost:?}");
}

#[test]
fn a_warm_acquire_is_one_request_and_one_unit_whatever_the_limits() {
    let store = store(Cascade::Parallel);
    for limits in [1, 2, 5] {
        let text: Vec<String> = (0..limits).map(|n| format!("limit{n}=1000/min")).collect();
        let levels = [bucket(&format!("entity {limits}"), &text.join(" "))];
        let amounts = tokens([1; 5])[..limits].iter().copied().collect();
        let first = cost(&store, || assert!(take(&store, &levels, &amounts).unwrap()));
        assert_eq!(
            (first.requests, first.write_units, first.read_units),
            (1, 1.0, 0.0),
            "first touch: {first:?}"
        );
        assert!(first.index_units >= 1.0, "its entry in the index: {first:?}");
        for _ in 0..3 {
            expect(cost(&store, || assert!(take(&store, &levels, &amounts).unwrap())), 1, [1.0, 0.0, 0.0]);
        }
        // Acquire and adjust.
        let both = cost(&store, || {
            assert!(take(&store, &levels, &amounts).unwrap());
            apply(&store, &levels, &amounts).unwrap();
        });
        expect(both, 2, [2.0, 0.0, 0.0]);
        expect(
            cost(&store, || {
                apply(&store, &levels, &tokens([0; 5])[..limits].iter().copied().collect()).unwrap();
            }),
            0,
            [0.0; 3],
        );
    }
}

#[test]
fn a_cascade_is_one_request_a_level() {
    let store = store(Cascade::Parallel);
    let levels = [bucket("key", "n=100/min"), bucket("project", "n=1000/min")];
    assert!(take(&store, &levels, &tokens([1, 1])).unwrap());
    expect(cost(&store, || assert!(take(&store, &levels, &tokens([1, 1])).unwrap())), 2, [2.0, 0.0, 0.0]);
}

#[test]
fn a_cascade_in_a_transaction_is_one_request() {
    let store = store(Cascade::Transaction);
    let levels = [bucket("key", "n=100/min"), bucket("project", "n=1000/min")];
    assert!(take(&store, &levels, &tokens([1, 1])).unwrap());
    let warm = cost(&store, || assert!(take(&store, &levels, &tokens([1, 1])).unwrap()));
    assert_eq!(warm.requests, 1, "{warm:?}");
    assert_eq!(warm.read_units, 0.0, "{warm:?}");
    assert!(warm.write_units >= 4.0, "two units a level: {warm:?}");
}

#[test]
fn a_denial_is_one_request_and_the_next_one_none() {
    let store = store(Cascade::Parallel);
    let levels = [bucket("key", "n=10/min")];
    let all = tokens([10]);
    // By another process, so that this one has to ask.
    assert!(take(&store, &levels, &tokens([1])).unwrap());
    let denied = cost(&store, || assert!(!take(&store, &levels, &all).unwrap()));
    assert!(denied.requests <= 1, "{denied:?}");
    for _ in 0..3 {
        expect(cost(&store, || assert!(!take(&store, &levels, &all).unwrap())), 0, [0.0; 3]);
    }
}

#[test]
fn a_denial_of_a_bucket_not_known_is_one_request() {
    let (mut options, clock) = (options(), clock());
    options.measure = true;
    let other = open(options.clone(), clock.clone());
    let store = open(options, clock);
    let levels = [bucket("key", "n=10/min")];
    assert!(take(&other, &levels, &tokens([10])).unwrap());
    expect(cost(&store, || assert!(!take(&store, &levels, &tokens([1])).unwrap())), 1, [0.0; 3]);
    expect(cost(&store, || assert!(!take(&store, &levels, &tokens([1])).unwrap())), 0, [0.0; 3]);
    assert_eq!(balances(&store, &levels), tokens([0]));
}

#[test]
fn a_configuration_is_one_request() {
    let store = store(Cascade::Parallel);
    let limits = bucket("a", "n=10/min").limits;
    pollster::block_on(store.put_limits(&LimitScope::System, &limits)).unwrap();
    let read = cost(&store, || {
        let config = pollster::block_on(store.config(&id("a"), &resource())).unwrap();
        assert_eq!(config.system.as_ref(), Some(&limits));
    });
    assert_eq!(read.requests, 1);
}

#[test]
fn a_warm_start_is_one_request() {
    let options = options();
    open(options.clone(), clock());
    let mut warm = options;
    warm.create = false;
    warm.measure = true;
    let store = open(warm, clock());
    assert_eq!(store.stats().unwrap().requests, 1, "the version");
}
