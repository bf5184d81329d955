//! Snapshots are read as they were written.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::types::AttributeValue;
use zae_limiter_aggregator::record::{Event, Record};
use zae_limiter_aggregator::{Aggregator, Outcome, Windows};
use zae_limiter_core::{
    EntityId, LimitName, Resource, Store, StoreErrorKind, Timestamp, UsageQuery, UsageSnapshot, Window,
    usage_sums,
};
use zae_limiter_store_dynamodb::schema::{self, Namespace};
use zae_limiter_store_dynamodb::{DynamoDbStore, UsageTable};

use crate::engine::options;
use crate::traffic::{Traffic, on_runtime};

const HOUR: u64 = 3_600_000;
/// 2024-01-31, 22:00 UTC.
const START: u64 = 1_706_738_400_000;

/// Something consumed by `entity` on `resource`, `hours` after the start.
fn consumed(
    sequence: u32,
    entity: &str,
    resource: &str,
    hours: u64,
    tokens: i64,
) -> Record<HashMap<String, AttributeValue>> {
    let text = |text: String| AttributeValue::S(text);
    let resource = Resource::new(resource).unwrap();
    let mut keys = HashMap::new();
    keys.insert(schema::PK.to_owned(), text(Namespace::default().entity(&entity.parse().unwrap())));
    keys.insert(schema::SK.to_owned(), text(schema::bucket_sk(&resource)));
    let mut image = keys.clone();
    image.insert("ac".to_owned(), AttributeValue::N("1".to_owned()));
    image.insert("tpm.tc".to_owned(), AttributeValue::N((tokens * 1_000).to_string()));
    let id = sequence.to_string();
    let at = Timestamp::from_millis(START + hours * HOUR + 1_000);
    Record { sequence: id.parse().unwrap(), id, stream: "1".into(), at, keys, event: Event::Insert(image) }
}

fn aggregator(traffic: &Traffic, windows: &str) -> Aggregator<UsageTable> {
    Aggregator::new(traffic.table(), Windows::parse(windows, 90).unwrap())
}

fn count(
    aggregator: &Aggregator<UsageTable>,
    records: &[Record<HashMap<String, AttributeValue>>],
) -> Outcome {
    on_runtime(aggregator.count(records.iter().cloned().map(Ok)))
}

fn query(
    entity: Option<&str>,
    resource: Option<&str>,
    window: Window,
    hours: std::ops::Range<u64>,
) -> UsageQuery {
    let mut query = UsageQuery::of(EntityId::new("any").unwrap(), window);
    query.entity_id = entity.map(|id| EntityId::new(id).unwrap());
    query.resource = resource.map(|name| Resource::new(name).unwrap());
    query.from = Timestamp::from_millis(START + hours.start * HOUR);
    query.to = Timestamp::from_millis(START + hours.end * HOUR);
    query
}

/// Hours from the start, and tokens.
fn told(store: &DynamoDbStore, query: &UsageQuery) -> Vec<(String, i64, i64)> {
    let hours = |s: &UsageSnapshot| {
        (s.window_start.as_millis().cast_signed() - START.cast_signed()) / HOUR.cast_signed()
    };
    let snapshots = pollster::block_on(store.usage(query)).unwrap();
    let told = |s: &UsageSnapshot| (s.entity_id.to_string(), hours(s), s.counters["tpm"].whole_tokens());
    snapshots.iter().map(told).collect()
}

#[test]
fn usage_is_found_by_entity_resource_and_time() {
    let traffic = Traffic::on(options());
    let aggregator = aggregator(&traffic, "hourly,daily");
    let records = [
        consumed(1, "a", "gpt-4", 0, 10),
        consumed(2, "b", "gpt-4", 0, 7),
        consumed(3, "a", "gpt-4", 1, 5),
        consumed(4, "a", "claude", 1, 1),
        consumed(5, "a", "gpt-4", 3, 2),
    ];
    let outcome = count(&aggregator, &records);
    assert_eq!((outcome.written, outcome.repeated, outcome.failures.len()), (5 + 4, 0, 0), "{outcome:?}");
    let again = count(&aggregator, &records);
    assert_eq!((again.written, again.repeated), (0, 9), "{again:?}");

    let store = &traffic.store;
    let a = |hours, tokens| ("a".to_owned(), hours, tokens);
    let b = |hours, tokens| ("b".to_owned(), hours, tokens);
    let all = 0..99;
    let one = told(store, &query(Some("a"), Some("gpt-4"), Window::Hourly, all.clone()));
    assert_eq!(one, [a(0, 10), a(1, 5), a(3, 2)]);
    assert_eq!(told(store, &query(Some("a"), Some("gpt-4"), Window::Hourly, 1..3)), [a(1, 5)]);
    assert_eq!(told(store, &query(Some("a"), Some("gpt-4"), Window::Hourly, 1..4)), [a(1, 5), a(3, 2)]);
    assert_eq!(told(store, &query(None, Some("gpt-4"), Window::Hourly, 0..1)), [a(0, 10), b(0, 7)]);
    assert_eq!(told(store, &query(Some("a"), None, Window::Hourly, 1..2)), [a(1, 1), a(1, 5)], "by resource");
    // The second day begins two hours after the start.
    assert_eq!(told(store, &query(Some("a"), Some("gpt-4"), Window::Daily, 0..24)), [a(2, 2)]);
    let mut first = query(Some("a"), Some("gpt-4"), Window::Daily, 0..24);
    first.from = Timestamp::EPOCH;
    assert_eq!(told(store, &first), [a(-22, 15), a(2, 2)]);
}

#[test]
fn windows_that_are_not_written_are_summed() {
    let traffic = Traffic::on(options());
    let records =
        [consumed(1, "a", "gpt-4", 0, 10), consumed(2, "a", "gpt-4", 1, 5), consumed(3, "a", "gpt-4", 3, 2)];
    count(&aggregator(&traffic, "hourly"), &records);
    let mut months = query(Some("a"), Some("gpt-4"), Window::Monthly, 0..3);
    months.from = Timestamp::EPOCH;
    let [january, february] = &told(&traffic.store, &months)[..] else { panic!("two months") };
    assert_eq!((january.2, february.2), (15, 2));
    // Once they are written, these are told.
    count(&aggregator(&traffic, "monthly"), &records[..1]);
    assert_eq!(told(&traffic.store, &months).iter().map(|month| month.2).collect::<Vec<_>>(), [10]);
}

#[test]
fn the_top_entities_of_a_resource_are_found_by_the_index() {
    let traffic = Traffic::on(options());
    let records: Vec<_> =
        (1..6).map(|n| consumed(n, &format!("e{n}"), "gpt-4", 0, i64::from(n % 4))).collect();
    count(&aggregator(&traffic, "hourly"), &records);
    let found =
        pollster::block_on(traffic.store.usage(&query(None, Some("gpt-4"), Window::Hourly, 0..1))).unwrap();
    let tpm = LimitName::new("tpm").unwrap();
    let top = usage_sums::top(usage_sums::totals(&found), Some(&tpm), 2);
    assert_eq!(top.iter().map(|total| total.entity_id.as_str()).collect::<Vec<_>>(), ["e3", "e2"]);
}

#[test]
fn a_damaged_snapshot_is_told_and_the_others_are_written() {
    let traffic = Traffic::on(options());
    let damaged = aws_sdk_dynamodb::types::AttributeValue::S("not a number".to_owned());
    let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
    let start = Timestamp::from_millis(START);
    let resource = Resource::new("gpt-4").unwrap();
    let config = on_runtime(zae_limiter_store_dynamodb::sdk_config(&traffic.options)).unwrap();
    let put = aws_sdk_dynamodb::Client::new(&config)
        .put_item()
        .table_name(traffic.options.table.as_str())
        .item(schema::PK, text("ENTITY#a".to_owned()))
        .item(schema::SK, text(schema::usage_sk(&resource, Window::Hourly, start)))
        .item("tpm.tc", damaged);
    on_runtime(put.send()).unwrap();
    let records =
        [consumed(1, "b", "gpt-4", 0, 3), consumed(2, "a", "gpt-4", 0, 10), consumed(3, "a", "gpt-4", 1, 5)];
    let outcome = count(&aggregator(&traffic, "hourly"), &records);
    assert_eq!(outcome.written, 2);
    let [failure] = &outcome.failures[..] else { panic!("{outcome:?}") };
    assert_eq!((failure.index, failure.id.as_deref()), (1, Some("2")));
    assert!(!failure.cause.may_pass(), "{}", failure.cause);
    let error =
        pollster::block_on(traffic.store.usage(&query(Some("a"), None, Window::Hourly, 0..9))).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
}
