//! A table with a stream, and a ledger of what was consumed.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodbstreams::types::AttributeValue;
use proptest::prelude::*;
use zae_limiter_aggregator::record::{Event, Record, Unreadable};
use zae_limiter_core::{Resource, Timestamp, Window};
use zae_limiter_store_dynamodb::schema::{self, Namespace};

pub(crate) type Image = HashMap<String, AttributeValue>;
pub(crate) type Item = Result<Record<Image>, Unreadable>;

/// Namespace, entity and resource.
const BUCKETS: [(&str, &str, &str); 4] =
    [("", "a", "gpt-4"), ("", "a", "claude"), ("prod", "a", "gpt-4"), ("", "b", "")];
const LIMITS: [&str; 2] = ["rpm", "t.p-m"];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A write that moves one limit's consumption, or none, and the acquires.
    Write { bucket: usize, limit: usize, amount: i64, acquires: i64 },
    /// The item expires, or its entity is deleted.
    Remove { bucket: usize },
    /// A record that nobody can read.
    Garbage { bucket: usize },
    /// A write of something else than buckets.
    Other { bucket: usize },
    /// The shard that a bucket is in ends; its buckets go on in one of two new ones.
    Split { bucket: usize, lefts: u8 },
    /// Time goes on.
    Pass { minutes: u64 },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let bucket = || 0..BUCKETS.len();
    prop_oneof![
        12 => (bucket(), 0..LIMITS.len(), -5_i64..50, -1_i64..3)
            .prop_map(|(bucket, limit, amount, acquires)| Step::Write { bucket, limit, amount, acquires }),
        1 => bucket().prop_map(|bucket| Step::Remove { bucket }),
        1 => bucket().prop_map(|bucket| Step::Garbage { bucket }),
        1 => bucket().prop_map(|bucket| Step::Other { bucket }),
        2 => (bucket(), any::<u8>()).prop_map(|(bucket, lefts)| Step::Split { bucket, lefts }),
        3 => (1_u64..1_000).prop_map(|minutes| Step::Pass { minutes }),
    ]
}

/// Records in their order, and the shard that came before.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(crate) parent: Option<usize>,
    pub(crate) records: Vec<Item>,
}

/// By window: its kind, start, bucket and limit (or none, for the acquires).
pub(crate) type Ledger = BTreeMap<(Window, Timestamp, String, Option<String>), i128>;

/// What happened to a table.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) shards: Vec<Shard>,
    pub(crate) ledger: Ledger,
    place: [usize; BUCKETS.len()],
    items: [Option<(BTreeMap<usize, i64>, i64)>; BUCKETS.len()],
    now: Timestamp,
    sequence: u128,
    stream: u32,
}

impl History {
    pub(crate) fn of(steps: &[Step]) -> Self {
        let mut history = Self {
            shards: vec![Shard::default()],
            ledger: Ledger::new(),
            place: [0; BUCKETS.len()],
            items: [const { None }; BUCKETS.len()],
            // Shortly before the end of a month.
            now: Timestamp::from_millis(1_706_740_000_000),
            // Shortly before the numbers get longer.
            sequence: 9_999_990,
            stream: 1,
        };
        for step in steps {
            history.happen(step);
        }
        history
    }

    fn happen(&mut self, step: &Step) {
        match step {
            Step::Write { bucket, limit, amount, acquires } => {
                self.write(*bucket, *limit, *amount, *acquires);
            }
            Step::Remove { bucket } => {
                if self.items[*bucket].take().is_some() {
                    let keys = keys(*bucket);
                    self.record(*bucket, keys, Event::Remove);
                }
            }
            Step::Garbage { bucket } => {
                let mut broken = image(*bucket, &self.items[*bucket].clone().unwrap_or_default());
                broken.insert("rpm.tc".to_owned(), AttributeValue::S("broken".to_owned()));
                let keys = keys(*bucket);
                self.record(*bucket, keys, Event::Insert(broken));
            }
            Step::Other { bucket } => {
                let mut keys = keys(*bucket);
                keys.insert(schema::SK.to_owned(), AttributeValue::S("#USAGE#gpt-4#hourly#x".to_owned()));
                self.record(*bucket, keys.clone(), Event::Insert(keys));
            }
            Step::Split { bucket, lefts } => {
                let parent = self.place[*bucket];
                let children = [self.shards.len(), self.shards.len() + 1];
                self.shards.extend(children.map(|_| Shard { parent: Some(parent), records: Vec::new() }));
                for (bucket, place) in
                    self.place.iter_mut().enumerate().filter(|(_, place)| **place == parent)
                {
                    *place = children[usize::from(lefts >> bucket & 1)];
                }
            }
            Step::Pass { minutes } => {
                self.now = Timestamp::from_millis(self.now.as_millis() + minutes * 60_000);
            }
        }
    }

    fn write(&mut self, bucket: usize, limit: usize, amount: i64, acquires: i64) {
        let old = self.items[bucket].clone();
        let (mut consumed, counted) = old.clone().unwrap_or_default();
        *consumed.entry(limit).or_default() += amount;
        let new = (consumed, counted + acquires);
        self.items[bucket] = Some(new.clone());
        let event = match old {
            None => Event::Insert(image(bucket, &new)),
            Some(old) => Event::Modify(image(bucket, &old), image(bucket, &new)),
        };
        let keys = keys(bucket);
        self.record(bucket, keys, event);
        for window in Window::ALL {
            let mut add = |limit: Option<&str>, amount: i64| {
                let key = (window, window.start(self.now), name(bucket), limit.map(str::to_owned));
                *self.ledger.entry(key).or_default() += i128::from(amount);
            };
            add(Some(LIMITS[limit]), amount);
            add(None, acquires);
        }
    }

    fn record(&mut self, bucket: usize, keys: Image, event: Event<Image>) {
        self.sequence += 3;
        let id = self.sequence.to_string();
        let sequence = id.parse().unwrap();
        let stream = format!("2024-01-0{}T00:00:00.000", self.stream).into();
        let record = Record { id, sequence, stream, at: self.now, keys, event };
        self.shards[self.place[bucket]].records.push(Ok(record));
    }
}

/// What a bucket is called in the ledger.
pub(crate) fn name(bucket: usize) -> String {
    let (namespace, entity, _) = BUCKETS[bucket];
    let namespace = Namespace::new(namespace).unwrap();
    format!("{namespace}{entity} {}", resource(bucket))
}

/// The last one is too long for a sort key.
fn resource(bucket: usize) -> Resource {
    let name = BUCKETS[bucket].2;
    Resource::new(if name.is_empty() { "\u{1f980}".repeat(256) } else { name.to_owned() }).unwrap()
}

fn keys(bucket: usize) -> Image {
    let (namespace, entity, _) = BUCKETS[bucket];
    let pk = Namespace::new(namespace).unwrap().entity(&entity.parse().unwrap());
    let text = |text: String| AttributeValue::S(text);
    [(schema::PK, text(pk)), (schema::SK, text(schema::bucket_sk(&resource(bucket))))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn image(bucket: usize, (consumed, acquires): &(BTreeMap<usize, i64>, i64)) -> Image {
    let namespace = Namespace::new(BUCKETS[bucket].0).unwrap();
    let number = |number: i64| AttributeValue::N(number.to_string());
    let mut image = keys(bucket);
    image.insert(schema::GSI2_PK.to_owned(), AttributeValue::S(namespace.resource(&resource(bucket))));
    image.insert(schema::ACQUIRES.to_owned(), number(*acquires));
    image.insert("w.abcdef".to_owned(), number(17));
    for (limit, consumed) in consumed {
        image.insert(format!("{}.tc", LIMITS[*limit]), number(*consumed));
        image.insert(format!("{}.v", LIMITS[*limit]), number(5));
    }
    image
}
