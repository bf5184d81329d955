//! Acquires that wait. The clock stands still but for the time that they sleep.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use zae_limiter::core::Answer;
use zae_limiter::{AcquireError, Block, Clock, Jitter, Lease, Limiter, ManualClock, MemoryStore, Timestamp};

use crate::setup::{START, Setup, limits, setup, setup_with};

/// A second a token; the bucket is empty.
fn emptied(setup: &Setup) {
    setup.take("a", &limits("n=60/min"), "n", 60).commit().wait().unwrap();
}

fn wait_for(setup: &Setup, tokens: u64, at_most: Duration) -> Result<Lease, AcquireError> {
    let limits = limits("n=60/min");
    setup.limiter.acquire("a", "r", &limits).consume("n", tokens).wait_at_most(at_most).wait()
}

#[test]
fn succeeds_at_exactly_the_right_instant() {
    let setup = setup();
    emptied(&setup);
    wait_for(&setup, 7, Duration::from_secs(30)).unwrap().commit().wait().unwrap();
    assert_eq!(setup.elapsed(), 7_000);
    assert_eq!(setup.left("a", limits("n=60/min"), "n"), 0);
}

#[test]
fn does_not_wait_if_it_need_not() {
    let setup = setup();
    wait_for(&setup, 60, Duration::from_secs(30)).unwrap().commit().wait().unwrap();
    assert_eq!(setup.elapsed(), 0);
}

#[test]
fn a_deadline_that_is_just_met_is_met() {
    let setup = setup();
    emptied(&setup);
    wait_for(&setup, 7, Duration::from_secs(7)).unwrap().commit().wait().unwrap();
    assert_eq!(setup.elapsed(), 7_000);
}

#[test]
fn gives_up_at_once_if_the_deadline_cannot_be_met() {
    let setup = setup();
    emptied(&setup);
    let denied = wait_for(&setup, 7, Duration::from_millis(6_999)).unwrap_err();
    assert_eq!(setup.elapsed(), 0);
    assert_eq!(denied.exceeded().unwrap().retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn what_can_never_be_admitted_is_denied_at_once() {
    let setup = setup();
    let denied = wait_for(&setup, 61, Duration::from_secs(1_000_000)).unwrap_err();
    assert_eq!(setup.elapsed(), 0);
    assert_eq!(denied.exceeded().unwrap().retry_after(), None);
    assert_eq!(denied.exceeded().unwrap().retry_after_header(), None);
}

#[test]
fn by_default_nobody_waits() {
    let setup = setup();
    emptied(&setup);
    let denied = setup.limiter.acquire("a", "r", limits("n=60/min")).consume("n", 1).wait().unwrap_err();
    assert_eq!((setup.elapsed(), denied.exceeded().unwrap().retry_after_header()), (0, Some(1)));
}

#[test]
fn a_prepared_bucket_waits_as_it_was_told() {
    let setup = setup();
    emptied(&setup);
    let limits = limits("n=60/min");
    let call = setup.limiter.acquire("a", "r", &limits).wait_at_most(Duration::from_secs(9));
    let bucket = call.prepare().wait().unwrap();
    bucket.acquire(&[("n", 9)]).wait().unwrap().commit().wait().unwrap();
    assert_eq!(setup.elapsed(), 9_000);
    assert!(bucket.acquire(&[("n", 10)]).wait().is_err());
    assert_eq!(setup.elapsed(), 9_000);
}

/// Always the longest delay; remembers how long that was.
#[derive(Debug, Default)]
struct MostJitter(Mutex<Vec<Duration>>);

impl Jitter for MostJitter {
    fn up_to(&self, most: Duration) -> Duration {
        self.0.lock().unwrap().push(most);
        most
    }
}

#[test]
fn waits_a_little_longer_so_that_not_all_come_back_at_once_but_not_beyond_the_deadline() {
    for (tokens, at_most, jitter) in [
        (8, 30_000, 50), // at most 50 ms
        (8, 8_020, 20),  // as long as there is time
        (8, 8_000, 0),
    ] {
        let most = Arc::new(MostJitter::default());
        let setup = setup_with(|builder| builder.jitter(most.clone()));
        emptied(&setup);
        wait_for(&setup, tokens, Duration::from_millis(at_most)).unwrap().commit().wait().unwrap();
        assert_eq!(setup.elapsed(), tokens * 1_000 + jitter);
        assert_eq!(*most.0.lock().unwrap(), [Duration::from_millis(jitter)]);
    }
}

#[test]
fn a_short_wait_is_not_drowned_in_jitter() {
    let most = Arc::new(MostJitter::default());
    let setup = setup_with(|builder| builder.jitter(most.clone()));
    let limits = limits("n=100/s");
    setup.take("a", &limits, "n", 100).commit().wait().unwrap();
    let call = setup.limiter.acquire("a", "r", &limits).consume("n", 8).wait_at_most(Duration::from_secs(1));
    call.wait().unwrap().commit().wait().unwrap();
    assert_eq!(*most.0.lock().unwrap(), [Duration::from_millis(10)], "an eighth of 80 ms");
}

/// A clock during whose sleep somebody else takes what has flowed in.
#[derive(Debug)]
struct Thief {
    clock: ManualClock,
    victim: Mutex<Option<Limiter>>,
    thefts: Mutex<u32>,
}

impl Clock for Thief {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) -> Answer<'_, ()> {
        self.clock.advance(duration);
        let mut thefts = self.thefts.lock().unwrap();
        if *thefts > 0 {
            *thefts -= 1;
            let victim = self.victim.lock().unwrap();
            let limits = limits("n=60/min");
            let call = victim.as_ref().unwrap().acquire("a", "r", &limits).consume("n", 2);
            call.wait().unwrap().commit().wait().unwrap();
        }
        Answer::ready(())
    }
}

fn robbed(thefts: u32) -> (Arc<Thief>, Limiter) {
    let clock = ManualClock::new(START);
    let clock = Arc::new(Thief { clock, victim: Mutex::default(), thefts: Mutex::new(thefts) });
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let limiter = Limiter::builder().clock(clock.clone()).jitter(Arc::new(())).build(store);
    *clock.victim.lock().unwrap() = Some(limiter.clone());
    limiter.acquire("a", "r", limits("n=60/min")).consume("n", 60).wait().unwrap().commit().wait().unwrap();
    (clock, limiter)
}

#[test]
fn waits_again_if_somebody_was_faster_as_long_as_there_is_time() {
    let (clock, limiter) = robbed(2);
    let limits = limits("n=60/min");
    let call = limiter.acquire("a", "r", &limits).consume("n", 5).wait_at_most(Duration::from_secs(9));
    call.wait().unwrap().commit().wait().unwrap();
    assert_eq!(clock.now().since(START), Duration::from_secs(5 + 2 + 2));
}

#[test]
fn the_deadline_is_that_of_the_whole_call() {
    let (clock, limiter) = robbed(2);
    let limits = limits("n=60/min");
    let call = limiter.acquire("a", "r", &limits).consume("n", 5).wait_at_most(Duration::from_millis(8_999));
    assert!(call.wait().is_err());
    assert_eq!(
        clock.now().since(START),
        Duration::from_secs(5 + 2),
        "the third wait would have been too long"
    );
}
