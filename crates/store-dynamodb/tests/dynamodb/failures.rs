//! Outages, lost answers and nonsense: bounded time, the right kind of error, and a balance as promised (I4, I5).

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zae_limiter_core::{Level, ManualClock, Store, StoreError, StoreErrorKind};
use zae_limiter_store_dynamodb::{BreakerOptions, Cascade, DynamoDbStore};

use crate::calls::{apply, balances, bucket, clock, take, tokens};
use crate::engine::{no_jitter, open, options_at, table_name};
use crate::proxy::Fault::{self, Answer, Hang, LoseRequest, LoseResponse, StallResponse};
use crate::proxy::Proxy;

const ATTEMPTS: u32 = 4;
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(150);
/// All attempts, and the delays between them.
const BOUND: Duration = Duration::from_secs(2);

const BROKEN: Fault = Answer(500, r#"{"__type":"InternalServerError","message":"broken"}"#);
const THROTTLED: Fault =
    Answer(400, r#"{"__type":"ProvisionedThroughputExceededException","message":"slow down"}"#);
const DENIED: Fault =
    Answer(400, r#"{"__type":"AccessDeniedException","message":"not authorized: dynamodb:UpdateItem"}"#);
const GONE: Fault = Answer(400, r#"{"__type":"ResourceNotFoundException","message":"not found"}"#);

struct Setup {
    proxy: Proxy,
    clock: Arc<ManualClock>,
    store: DynamoDbStore,
}

fn setup(cascade: Cascade, breaker: Option<BreakerOptions>) -> Setup {
    let proxy = Proxy::start();
    let mut options = options_at(proxy.url(), &table_name());
    options.attempt_timeout = ATTEMPT_TIMEOUT;
    options.combine.attempts = ATTEMPTS;
    options.cascade = cascade;
    options.breaker = breaker;
    let clock = clock();
    let store = open(options, clock.clone());
    Setup { proxy, clock, store }
}

#[track_caller]
fn within<T>(bound: Duration, call: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = call();
    assert!(start.elapsed() < bound, "took {:?}", start.elapsed());
    result
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T, StoreError>, kind: StoreErrorKind, said: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn a_take_survives_what_goes_wrong_once_or_twice_and_counts_once() {
    for faults in [
        &[LoseResponse][..],
        &[LoseRequest],
        &[BROKEN],
        &[THROTTLED],
        &[Hang],
        &[StallResponse],
        &[LoseResponse, BROKEN, LoseRequest],
        &[LoseResponse, LoseResponse, LoseResponse],
        &[Answer(200, "{}")],
        &[Answer(200, "<html>")],
    ] {
        let Setup { proxy, store, .. } = setup(Cascade::Parallel, None);
        let levels = [bucket("a", "n=10/day m=10/day")];
        for taken in 1..=2 {
            proxy.script(faults, Fault::None);
            let before = proxy.requests();
            assert!(take(&store, &levels, &tokens([3, 2])).unwrap(), "{faults:?}");
            assert_eq!(proxy.requests() - before, faults.len() as u64 + 1, "{faults:?}");
            assert_eq!(balances(&store, &levels), tokens([10 - 3 * taken, 10 - 2 * taken]), "{faults:?}");
        }
        // And so does a return.
        proxy.script(faults, Fault::None);
        apply(&store, &levels, &tokens([-6, -4])).unwrap();
        assert_eq!(balances(&store, &levels), tokens([10, 10]), "{faults:?}");
    }
}

#[test]
fn a_cascade_survives_it_too() {
    for cascade in [Cascade::Parallel, Cascade::Transaction] {
        for faults in [&[LoseResponse][..], &[LoseRequest], &[BROKEN, LoseResponse], &[THROTTLED]] {
            let Setup { proxy, store, .. } = setup(cascade, None);
            let levels = [bucket("a", "n=10/day"), bucket("parent", "n=10/day")];
            for taken in 1..=2 {
                proxy.script(faults, Fault::None);
                assert!(take(&store, &levels, &tokens([3, 2])).unwrap(), "{faults:?}");
                let expected = tokens([10 - 3 * taken, 10 - 2 * taken]);
                assert_eq!(balances(&store, &levels), expected, "{cascade:?} {faults:?}");
            }
        }
    }
}

/// Two buckets of ten tokens, after a take of three and two during which every request met `fault`.
#[track_caller]
fn after_an_outage(cascade: Cascade, fault: Fault, said: &str) -> (DynamoDbStore, [Level; 2]) {
    let Setup { proxy, store, .. } = setup(cascade, None);
    let levels = [bucket("a", "n=10/day"), bucket("parent", "n=10/day")];
    proxy.script(&[], fault);
    let result = within(BOUND, || take(&store, &levels, &tokens([3, 2])));
    fails(result, StoreErrorKind::Unavailable, said);
    proxy.script(&[], Fault::None);
    (store, levels)
}

#[test]
fn an_outage_is_told_in_bounded_time_and_takes_nothing() {
    for (last, said) in [
        (Hang, "did not answer in time"),
        (LoseRequest, "cannot be reached"),
        (BROKEN, "500 InternalServerError"),
        (THROTTLED, "throttles"),
        (Answer(200, "<html>Welcome to nginx</html>"), "Welcome to nginx"),
        (Answer(404, "no such page"), "404 with \"no such page\""),
    ] {
        for cascade in [Cascade::Parallel, Cascade::Transaction] {
            let (store, levels) = after_an_outage(cascade, last, said);
            assert_eq!(balances(&store, &levels), tokens([10, 10]), "{cascade:?} {last:?}");
        }
    }
}

#[test]
fn i5_where_no_answer_ever_comes_at_most_that_request_is_lost() {
    for (last, said) in [(LoseResponse, "cannot be reached"), (StallResponse, "did not answer in time")] {
        for cascade in [Cascade::Parallel, Cascade::Transaction] {
            let (store, levels) = after_an_outage(cascade, last, said);
            assert_eq!(balances(&store, &levels), tokens([7, 8]), "taken once, however often it was sent");
            assert!(take(&store, &levels, &tokens([7, 8])).unwrap());
            assert!(!take(&store, &levels, &tokens([1, 0])).unwrap());
        }
    }
}

#[test]
fn what_no_retry_can_mend_is_told_at_once() {
    for (fault, kind, said) in [
        (DENIED, StoreErrorKind::PermissionDenied, "dynamodb:UpdateItem"),
        (GONE, StoreErrorKind::Missing, "zae-limiter table create"),
    ] {
        for cascade in [Cascade::Parallel, Cascade::Transaction] {
            let Setup { proxy, store, .. } = setup(cascade, None);
            proxy.script(&[], fault);
            let before = proxy.requests();
            fails(take(&store, &[bucket("a", "n=10/day")], &tokens([3])), kind, said);
            assert_eq!(proxy.requests(), before + 1);
            let levels = [bucket("a", "n=10/day"), bucket("b", "n=1/day")];
            fails(take(&store, &levels, &tokens([3, 1])), kind, said);
            fails(pollster::block_on(store.entities()), kind, said);
        }
    }
}

#[test]
fn an_open_breaker_answers_in_microseconds_until_a_probe_succeeds() {
    let options = BreakerOptions { failures: ATTEMPTS, open: Duration::from_secs(1) };
    let Setup { proxy, clock, store } = setup(Cascade::Parallel, Some(options));
    let levels = [bucket("a", "n=10/day")];
    proxy.script(&[], BROKEN);
    fails(take(&store, &levels, &tokens([1])), StoreErrorKind::Unavailable, "500");
    let sent = proxy.requests();
    let start = Instant::now();
    for _ in 0..100 {
        fails(take(&store, &levels, &tokens([1])), StoreErrorKind::Unavailable, "not asked again");
    }
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    assert_eq!(proxy.requests(), sent);
    clock.advance(Duration::from_millis(1_500));
    fails(take(&store, &levels, &tokens([1])), StoreErrorKind::Unavailable, "");
    assert_eq!(proxy.requests(), sent + 1, "one probe");
    proxy.script(&[], Fault::None);
    clock.advance(Duration::from_millis(1_500));
    assert!(take(&store, &levels, &tokens([1])).unwrap());
    assert_eq!(balances(&store, &levels), tokens([9]));
}

#[test]
fn an_engine_that_is_not_there_or_hangs_cannot_be_opened() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hanging = Proxy::start();
    hanging.script(&[], Hang);
    let nonsense = Proxy::start();
    nonsense.script(&[], Answer(200, "<html>Welcome to nginx</html>"));
    for url in [format!("http://{refused}"), hanging.url().to_owned(), nonsense.url().to_owned()] {
        let mut options = options_at(&url, &table_name());
        options.attempt_timeout = ATTEMPT_TIMEOUT;
        options.create = false;
        let opened = || pollster::block_on(DynamoDbStore::open(options, clock(), no_jitter()));
        fails(within(Duration::from_secs(5), opened), StoreErrorKind::Unavailable, "");
    }
}
