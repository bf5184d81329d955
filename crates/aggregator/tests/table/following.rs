//! The follower, on a stream of the engine.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zae_limiter::SystemClock;
use zae_limiter_aggregator::{FollowOptions, Follower, Pace, Progress, Windows};
use zae_limiter_core::StoreErrorKind;
use zae_limiter_store_dynamodb::DynamoDbOptions;

use crate::engine::{no_jitter, options, options_at};
use crate::traffic::Traffic;

/// Where a follower in another process finds its table, if this process is to be one.
const ENDPOINT: &str = "ZAE_LIMITER_TEST_FOLLOW_ENDPOINT";
const TABLE: &str = "ZAE_LIMITER_TEST_FOLLOW_TABLE";

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn follower(table: &DynamoDbOptions) -> Follower {
    let mut options = FollowOptions::new(table.clone(), Windows::parse("hourly,daily", 90).unwrap());
    options.pace = Pace {
        poll: Duration::from_millis(20),
        checkpoint: Duration::from_millis(50),
        lease: Duration::from_millis(600),
        look: Duration::from_millis(100),
    };
    options.batch = 7;
    Follower::connect(options, Arc::new(SystemClock), no_jitter()).unwrap()
}

/// Looks again and again until it is so, and fails if it never is.
#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let since = std::time::Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Follows while `meanwhile` runs, then stops, and tells what the follower told.
fn followed(follower: &Follower, meanwhile: impl FnOnce(&Mutex<Vec<Progress>>)) -> Vec<Progress> {
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let following = scope.spawn(|| follower.run(|progress| told.lock().unwrap().push(progress)));
        meanwhile(&told);
        follower.stop().stop();
        following.join().unwrap().unwrap();
    });
    told.into_inner().unwrap()
}

fn changes(told: &[Progress]) -> usize {
    let changes = |progress: &Progress| match progress {
        Progress::Counted { changes, .. } => *changes,
        _ => 0,
    };
    told.iter().map(changes).sum()
}

#[test]
fn what_happens_meanwhile_is_counted_and_a_later_follower_goes_on() {
    let mut traffic = Traffic::new();
    traffic.go_on(20);
    let told = followed(&follower(&traffic.options), |_| {
        eventually("what was there", || traffic.counted(zae_limiter_core::Window::Daily) == traffic.ledger);
        traffic.go_on(20);
        eventually("what came", || traffic.counted(zae_limiter_core::Window::Daily) == traffic.ledger);
    });
    traffic.check();
    assert!(matches!(told.first(), Some(Progress::Started { .. })), "{told:?}");
    assert_eq!(told.last(), Some(&Progress::Stopped));
    // A bucket that is deleted and made again counts from nothing.
    traffic.delete("key-1");
    traffic.go_on(20);
    let told = followed(&follower(&traffic.options), |_| {
        eventually("the rest", || traffic.counted(zae_limiter_core::Window::Daily) == traffic.ledger);
    });
    traffic.check();
    // It began where the first one had stopped: at most the last calls of each lease were new.
    assert!((20..=60).contains(&changes(&told)), "{}", changes(&told));
}

#[test]
fn one_follows_at_a_time_and_the_other_takes_over() {
    let mut traffic = Traffic::new();
    let (one, other) = (follower(&traffic.options), follower(&traffic.options));
    let told = Mutex::new(Vec::new());
    let started = Mutex::new(false);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            one.run(|progress| *started.lock().unwrap() |= matches!(progress, Progress::Started { .. }))
        });
        eventually("the first one starts", || *started.lock().unwrap());
        let second = scope.spawn(|| other.run(|progress| told.lock().unwrap().push(progress)));
        eventually("the other one waits", || {
            matches!(told.lock().unwrap().first(), Some(Progress::Waiting { .. }))
        });
        traffic.go_on(10);
        eventually("it is counted", || traffic.counted(zae_limiter_core::Window::Daily) == traffic.ledger);
        one.stop().stop();
        first.join().unwrap().unwrap();
        eventually("the other one starts", || {
            matches!(told.lock().unwrap().get(1), Some(Progress::Started { .. }))
        });
        traffic.go_on(10);
        eventually("that is counted", || traffic.counted(zae_limiter_core::Window::Daily) == traffic.ledger);
        other.stop().stop();
        second.join().unwrap().unwrap();
    });
    traffic.check();
}

#[test]
fn a_table_without_a_stream_is_told() {
    let traffic = Traffic::on(options());
    let error = follower(&traffic.options).run(|_| {}).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Incompatible, "{error}");
    assert!(error.to_string().contains("has no stream"), "{error}");
}

/// Not a test by itself: the follower that the next test kills.
#[test]
#[ignore = "a process of the test below"]
fn follow_until_killed() {
    let (Ok(endpoint), Ok(table)) = (std::env::var(ENDPOINT), std::env::var(TABLE)) else { return };
    let mut table = options_at(&endpoint, &table);
    table.create = false;
    follower(&table).run(|_| {}).unwrap();
}

#[test]
fn killed_again_and_again_it_counts_once() {
    let mut traffic = Traffic::new();
    let endpoint = traffic.options.endpoint_url.clone().unwrap();
    for round in 0..5 {
        traffic.go_on(12);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "following::follow_until_killed", "--ignored"])
            .env(ENDPOINT, &endpoint)
            .env(TABLE, traffic.options.table.as_str())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // In the midst of it: as soon as some of it is there.
        let before = traffic.counted(zae_limiter_core::Window::Hourly);
        eventually("something is counted", || traffic.counted(zae_limiter_core::Window::Hourly) != before);
        std::thread::sleep(Duration::from_millis(5 * round));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    followed(&follower(&traffic.options), |_| {
        eventually("the rest", || traffic.counted(zae_limiter_core::Window::Daily) == traffic.ledger);
    });
    traffic.check();
}
