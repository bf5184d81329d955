//! Waiting for those who ask again at once, so that the next write carries them all.
//!
//! Under load, whoever has been told may ask again at once. Without a wait the next write leaves with half of them, and the
//! two halves take turns. But where requests come when they like, nobody does, and a wait only costs. So it is noted
//! whether waits pay.

use std::time::Duration;

use tokio::time::Instant;

use super::queue::Bucket;

/// How often other tasks get their turn before it is looked whether more requests have come.
const TURNS: usize = 16;
/// Looks in a row at which none has come that end a wait.
const LOOKS: usize = 16;
/// The part of a round trip that a wait takes at most. Requests that come when they like are less than half as many in it
/// as one write answers, and waits for them do not pay.
const PART: u32 = 2;
/// Writes that may go without a wait between two waits.
const APART_AT_MOST: u32 = 63;

/// When to wait at a bucket.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// What the last write did, if it told several.
    told: Option<Told>,
    /// Writes that go without a wait between two waits.
    apart: u32,
    /// Of these, those to come.
    left: u32,
}

/// Those whom one write tells.
#[derive(Debug)]
struct Told {
    number: usize,
    /// How many wait for the next write before they are told.
    waiting: usize,
}

/// After a write: waits until those whom it told have come again, no more come, or much of a round trip is over.
pub(super) async fn gather(bucket: &Bucket, round_trip: Duration) {
    let Some(told) = bucket.gathering.lock().due() else { return };
    let started = Instant::now();
    let (mut waiting, mut unchanged) = (bucket.waiting(), 0);
    while waiting < told.waiting + told.number && unchanged < LOOKS && started.elapsed() < round_trip / PART {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        // Whoever was told may have been put behind this very thread.
        std::thread::yield_now();
        let before = std::mem::replace(&mut waiting, bucket.waiting());
        unchanged = if waiting == before { unchanged + 1 } else { 0 };
    }
    bucket.gathering.lock().learn(&told, waiting);
}

impl Gathering {
    /// A write is about to tell so many, while so many wait for the next. One who asked alone is not kept waiting.
    pub(super) fn tells(&mut self, number: usize, waiting: usize) {
        self.told = (number > 1).then_some(Told { number, waiting });
    }

    /// Whom to wait for now.
    fn due(&mut self) -> Option<Told> {
        let told = self.told.take()?;
        let is_due = self.left == 0;
        self.left = self.left.saturating_sub(1);
        is_due.then_some(told)
    }

    /// A wait has paid where half of those who had been told came again.
    fn learn(&mut self, told: &Told, waiting: usize) {
        let paid = waiting.saturating_sub(told.waiting) >= told.number.div_ceil(2);
        self.apart = if paid { self.apart / 2 } else { (2 * self.apart + 1).min(APART_AT_MOST) };
        self.left = self.apart;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use zae_limiter_core::{EntityId, Level, Millitokens, Resource};

    use super::super::batch::Waiting;
    use super::*;
    use crate::plan::Kind;
    use crate::table::BucketKey;

    fn level() -> Level {
        Level {
            entity_id: EntityId::new("e").unwrap(),
            resource: Resource::new("r").unwrap(),
            limits: "n=1/s".parse().unwrap(),
        }
    }

    /// A bucket after a write that told so many.
    fn bucket(told: usize) -> Arc<Bucket> {
        let bucket = Bucket::new(BucketKey::of(&level()));
        bucket.tells(told);
        Arc::new(bucket)
    }

    fn come(bucket: &Bucket, number: usize) {
        for _ in 0..number {
            bucket.push(Waiting {
                level: level(),
                amounts: std::iter::once(Millitokens::from_tokens(1)).collect(),
                acquires: 1,
                kind: Kind::Take,
                attempts: 0,
                sends_before: 0,
                reply: None,
            });
        }
    }

    #[test]
    fn a_wait_ends_once_all_have_come() {
        let bucket = bucket(10);
        come(&bucket, 10);
        let wait = pin!(gather(&bucket, Duration::from_millis(4)));
        assert!(wait.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(bucket.gathering.lock().apart, 0, "it has paid");
    }

    async fn turns(number: usize) {
        for _ in 0..number {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_where_none_comes() {
        let bucket = bucket(10);
        tokio::select! {
            biased;
            () = gather(&bucket, Duration::from_millis(4)) => {}
            // Time stands still: only the looks end it.
            () = turns(2 * LOOKS * TURNS) => panic!("it goes on"),
        }
        assert_eq!(bucket.gathering.lock().apart, 1, "it has not paid");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_after_half_a_round_trip() {
        let (bucket, started) = (bucket(1_000), Instant::now());
        let one_each_millisecond = async {
            for _ in 0..1_000 {
                come(&bucket, 1);
                turns(TURNS).await;
                tokio::time::advance(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = gather(&bucket, Duration::from_millis(10)) => {}
            () = one_each_millisecond => panic!("it goes on"),
        }
        let elapsed = started.elapsed();
        assert!((5..=7).contains(&elapsed.as_millis()), "{elapsed:?}");
        assert!((4..=8).contains(&bucket.waiting()), "{}", bucket.waiting());
    }

    /// The waits after so many writes: each tells ten while three wait for the next, and `came` of the ten come again.
    fn waits(gathering: &mut Gathering, writes: u32, came: usize) -> u32 {
        let mut waits = 0;
        for _ in 0..writes {
            gathering.tells(10, 3);
            if let Some(told) = gathering.due() {
                gathering.learn(&told, 3 + came);
                waits += 1;
            }
        }
        waits
    }

    #[test]
    fn one_who_asks_alone_is_not_kept_waiting() {
        let mut gathering = Gathering::default();
        gathering.tells(1, 3);
        assert!(gathering.due().is_none());
    }

    #[test]
    fn nobody_is_waited_for_who_has_not_been_told() {
        let mut gathering = Gathering::default();
        assert_eq!(waits(&mut gathering, 1, 10), 1);
        assert!(gathering.due().is_none());
    }

    #[test]
    fn waits_that_pay_follow_every_write() {
        assert_eq!(waits(&mut Gathering::default(), 100, 5), 100);
    }

    #[test]
    fn waits_that_do_not_pay_get_rare() {
        let mut gathering = Gathering::default();
        assert_eq!(waits(&mut gathering, 120, 4), 6, "after 1, 2, 4, 8, 16 and 32 more writes");
        assert_eq!(waits(&mut gathering, 6_400, 4), 100);
    }

    #[test]
    fn waits_that_pay_again_come_back() {
        let mut gathering = Gathering::default();
        waits(&mut gathering, 1_000, 0);
        // The longest space, and its halves.
        waits(&mut gathering, 64 + 32 + 16 + 8 + 4 + 2, 10);
        assert_eq!(waits(&mut gathering, 100, 10), 100);
    }
}
