//! The properties, and what they have to notice.

use proptest::collection::vec;
use proptest::prelude::*;
use zae_limiter_aggregator::{Aggregator, Windows};

use crate::delivery::{Delivery, Reader, delivery};
use crate::history::{History, Ledger, Step, step};
use crate::snapshots::{Fate, MemorySnapshots};

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Good), 1 => Just(Fate::Lost), 1 => Just(Fate::Unheard), 2 => Just(Fate::Slow)]
}

fn all_windows() -> Windows {
    Windows::parse("hourly,daily,monthly", 90).unwrap()
}

/// What a ledger tells: not what came to nothing.
fn told(mut ledger: Ledger) -> Ledger {
    ledger.retain(|_, amount| *amount != 0);
    ledger
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Two readers race through the stream, each in its own batches, with repetitions and failures of all kinds.
    #[test]
    fn every_record_counts_once(
        steps in vec(step(), 1..80),
        deliveries in vec(delivery(), 0..50),
        fates in vec(fate(), 0..100),
    ) {
        let history = History::of(&steps);
        let snapshots = MemorySnapshots::default();
        *snapshots.fates.lock().unwrap() = fates.into();
        let aggregator = Aggregator::new(&snapshots, all_windows());
        block_on(async {
            let (mut one, mut other) = (Reader::new(&history), Reader::new(&history));
            let (ones, others): (Vec<Delivery>, Vec<Delivery>) = deliveries.into_iter().partition(|d| d.reader == 0);
            let run = async |reader: &mut Reader<'_>, deliveries: Vec<Delivery>| {
                for delivery in &deliveries {
                    reader.deliver(delivery, &aggregator).await;
                    tokio::task::yield_now().await;
                }
            };
            tokio::join!(run(&mut one, ones), run(&mut other, others));
            snapshots.fates.lock().unwrap().clear();
            one.finish(&aggregator).await;
            prop_assert_eq!(told(snapshots.ledger()), told(history.ledger.clone()));
            // The one that is behind changes nothing any more, nor does one that starts from the beginning.
            other.finish(&aggregator).await;
            Reader::new(&history).finish(&aggregator).await;
            prop_assert_eq!(told(snapshots.ledger()), told(history.ledger.clone()));
            Ok(())
        })?;
    }

    /// What cannot be read is told, each once, and nothing else.
    #[test]
    fn garbage_is_told_alone(steps in vec(step(), 1..60)) {
        let history = History::of(&steps);
        let snapshots = MemorySnapshots::default();
        let aggregator = Aggregator::new(&snapshots, all_windows());
        let failures = block_on(Reader::new(&history).finish(&aggregator));
        let garbage = steps.iter().filter(|step| matches!(step, Step::Garbage { .. })).count();
        prop_assert_eq!(failures, garbage);
        prop_assert_eq!(told(snapshots.ledger()), told(history.ledger));
    }

    /// A batch costs one write a snapshot, however many records it has.
    #[test]
    fn a_batch_is_one_write_a_snapshot(steps in vec(step(), 1..80)) {
        let history = History::of(&steps);
        let snapshots = MemorySnapshots::default();
        let aggregator = Aggregator::new(&snapshots, Windows::parse("daily", 1).unwrap());
        let records = history.shards.iter().flat_map(|shard| shard.records.iter().cloned());
        let outcome = block_on(aggregator.count(records));
        let of_a_day = |snapshot: &&(zae_limiter_core::Window, _, _, Option<String>)| {
            snapshot.0 == zae_limiter_core::Window::Daily && snapshot.3.is_none()
        };
        prop_assert!(outcome.written <= history.ledger.keys().filter(of_a_day).count());
        prop_assert_eq!(outcome.repeated, 0);
    }
}

#[test]
fn a_stream_that_is_turned_on_again_counts_from_its_start() {
    // A new stream says nothing about how its numbers compare to those before.
    let mut old = History::of(&[Step::Write { bucket: 0, limit: 0, amount: 5, acquires: 1 }]);
    let again = History::of(&[Step::Write { bucket: 0, limit: 0, amount: 7, acquires: 1 }]);
    let snapshots = MemorySnapshots::default();
    let aggregator = Aggregator::new(&snapshots, all_windows());
    let mut renewed = again.shards[0].records[0].clone();
    renewed.as_mut().unwrap().stream = "2024-01-02T00:00:00.000".into();
    renewed.as_mut().unwrap().sequence = "1".parse().unwrap();
    block_on(async {
        for record in [&old.shards[0].records[0], &renewed, &old.shards[0].records[0], &renewed] {
            aggregator.count([record.clone()]).await;
        }
    });
    for (key, amount) in &again.ledger {
        *old.ledger.entry(key.clone()).or_default() += amount;
    }
    assert_eq!(snapshots.ledger(), old.ledger);
}
