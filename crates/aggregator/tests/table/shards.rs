//! Streams that the engine does not have: of shards that split, end, are trimmed and forgotten.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_sdk_dynamodbstreams::primitives::DateTime;
use aws_sdk_dynamodbstreams::types::{AttributeValue, OperationType, Record, StreamRecord};
use zae_limiter_aggregator::Progress;
use zae_limiter_aggregator::streams::{Page, ReadError, Shard, Source};
use zae_limiter_core::Store;
use zae_limiter_core::{EntityId, StoreError, StoreErrorKind, UsageQuery, Window};

use crate::following::follower;
use crate::traffic::Traffic;

const ARN: &str = "arn:aws:dynamodb:us-east-1:1:table/t/stream/2024-01-01T00:00:00.000";

/// Each shard is called by its number, and has the sequence numbers of its records.
#[derive(Default)]
struct Scripted {
    /// Parent and records.
    shards: Vec<(Option<usize>, Vec<u32>)>,
    /// Records up to this one are gone.
    trimmed: u32,
    /// What goes wrong with the next requests for records.
    troubles: Mutex<Vec<ReadError>>,
    /// Shards in the order in which they were begun.
    begun: Mutex<Vec<String>>,
}

impl Scripted {
    fn records_of(&self, shard: usize) -> impl Iterator<Item = u32> {
        self.shards[shard].1.iter().copied().filter(|sequence| *sequence > self.trimmed)
    }
}

/// A write that consumed one token of entity `a`.
fn record(sequence: u32) -> Record {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: u32| AttributeValue::N(number.to_string());
    let keys: HashMap<_, _> =
        [("PK".to_owned(), text("ENTITY#a")), ("SK".to_owned(), text("#BUCKET#gpt-4"))].into();
    let image = |sequence: u32| {
        let mut image = keys.clone();
        image.extend([("ac".to_owned(), number(sequence)), ("rpm.tc".to_owned(), number(sequence * 1_000))]);
        image
    };
    let change = StreamRecord::builder()
        .sequence_number(sequence.to_string())
        .approximate_creation_date_time(DateTime::from_secs(1_706_738_400))
        .set_old_image(Some(image(sequence - 1)))
        .set_new_image(Some(image(sequence)))
        .set_keys(Some(keys))
        .build();
    Record::builder().event_name(OperationType::Modify).dynamodb(change).build()
}

impl Source for Scripted {
    async fn shards(&self) -> Result<Vec<Shard>, StoreError> {
        let shard = |(id, (parent, _)): (usize, &(Option<usize>, Vec<u32>))| Shard {
            id: id.to_string(),
            parent: parent.as_ref().map(usize::to_string),
        };
        // Children first: nothing is said about the order.
        Ok(self.shards.iter().enumerate().map(shard).rev().collect())
    }

    async fn iterator(&self, shard: &str, after: Option<&str>) -> Result<String, ReadError> {
        let mut begun = self.begun.lock().unwrap();
        if !begun.iter().any(|other| other == shard) {
            begun.push(shard.to_owned());
        }
        let after: u32 = after.map_or(0, |after| after.parse().unwrap());
        if after > 0 && after < self.trimmed {
            return Err(ReadError::Trimmed);
        }
        Ok(format!("{shard} {after}"))
    }

    async fn records(&self, iterator: &str) -> Result<Page, ReadError> {
        if let Some(trouble) = self.troubles.lock().unwrap().pop() {
            return Err(trouble);
        }
        let (shard, after) = iterator.split_once(' ').unwrap();
        let (id, after): (usize, u32) = (shard.parse().unwrap(), after.parse().unwrap());
        let records: Vec<u32> = self.records_of(id).filter(|sequence| *sequence > after).take(2).collect();
        let next = records.last().map(|last| format!("{shard} {last}"));
        Ok(Page { records: records.into_iter().map(record).collect(), next })
    }
}

fn unavailable() -> ReadError {
    ReadError::Other(StoreError::new(StoreErrorKind::Unavailable, "as the test wants it"))
}

/// Tokens and acquires counted for `a`.
fn counted(traffic: &Traffic) -> (i64, i64) {
    let query = UsageQuery::of(EntityId::new("a").unwrap(), Window::Daily);
    let usage = pollster::block_on(traffic.store.usage(&query)).unwrap();
    usage.first().map_or((0, 0), |day| (day.counters["rpm"].whole_tokens(), day.total_events))
}

fn follow(traffic: &Traffic, stream: &Scripted) -> Vec<Progress> {
    let told = Mutex::new(Vec::new());
    follower(&traffic.options).run_on(stream, ARN, |progress| told.lock().unwrap().push(progress)).unwrap();
    told.into_inner().unwrap()
}

#[test]
fn shards_are_read_after_their_parents() {
    let traffic = Traffic::new();
    let stream = Scripted {
        shards: vec![
            (None, vec![1, 2, 3, 4, 5]),
            (Some(0), vec![6, 7, 8]),
            (Some(0), vec![]),
            (Some(1), vec![9]),
            (Some(3), vec![10, 11, 12]),
        ],
        ..Scripted::default()
    };
    follow(&traffic, &stream);
    assert_eq!(counted(&traffic), (12, 12));
    let begun = stream.begun.lock().unwrap().clone();
    let place = |shard: &str| begun.iter().position(|other| other == shard).unwrap();
    assert!(place("0") == 0 && place("1") < place("3") && place("3") < place("4"), "{begun:?}");
    // All of it is remembered: nothing is read again.
    stream.begun.lock().unwrap().clear();
    follow(&traffic, &stream);
    assert_eq!(*stream.begun.lock().unwrap(), [""; 0]);
    assert_eq!(counted(&traffic), (12, 12));
}

#[test]
fn troubles_of_the_stream_lose_and_double_nothing() {
    let traffic = Traffic::new();
    let troubles = vec![ReadError::Expired, unavailable(), ReadError::Expired, unavailable()];
    let stream = Scripted {
        shards: vec![(None, vec![1, 2, 3, 4, 5]), (Some(0), vec![6, 7])],
        troubles: Mutex::new(troubles),
        ..Scripted::default()
    };
    let told = follow(&traffic, &stream);
    assert_eq!(counted(&traffic), (7, 7));
    let retried = told.iter().filter(|progress| matches!(progress, Progress::Retrying { .. })).count();
    assert_eq!(retried, 2, "{told:?}");
}

#[test]
fn what_is_trimmed_is_told_and_the_rest_is_counted() {
    let traffic = Traffic::new();
    let mut stream = Scripted { shards: vec![(None, vec![1, 2])], ..Scripted::default() };
    // Left in the midst of the shard.
    let progress = zae_limiter_store_dynamodb::Checkpoint { sequence: Some("2".to_owned()), done: false };
    let table = traffic.table();
    crate::traffic::on_runtime(table.put_checkpoint("2024-01-01T00:00:00.000", "0", &progress)).unwrap();
    stream.shards[0].1.extend([3, 4, 5, 6]);
    stream.trimmed = 4;
    let told = follow(&traffic, &stream);
    assert!(told.contains(&Progress::Trimmed { shard: "0".to_owned() }), "{told:?}");
    assert_eq!(counted(&traffic), (2, 2));
}

#[test]
fn a_shard_that_is_gone_does_not_hold_up_its_children() {
    let traffic = Traffic::new();
    let stream = Scripted {
        shards: vec![(None, vec![1]), (Some(0), vec![2, 3])],
        troubles: Mutex::new(vec![ReadError::Gone]),
        ..Scripted::default()
    };
    follow(&traffic, &stream);
    assert_eq!(counted(&traffic), (2, 2));
}
