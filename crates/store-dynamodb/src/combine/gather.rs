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
    use super::*;

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
