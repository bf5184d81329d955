//! The function, as a process on Lambda's Runtime API, fed from the real stream of a table.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record};
use serde_json::{Value, json};

use crate::event_source::EventSource;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::traffic::Traffic;

fn image(image: Option<&HashMap<String, AttributeValue>>) -> Value {
    let attribute = |value: &AttributeValue| match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(bool) => json!({ "BOOL": bool }),
        other => panic!("{other:?}"),
    };
    image.map_or(Value::Null, |image| {
        image
            .iter()
            .map(|(name, value)| (name.clone(), attribute(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    })
}

/// A record as Lambda writes it.
fn json_of(record: &Record, arn: &str) -> Value {
    let change = record.dynamodb().unwrap();
    let mut dynamodb = json!({
        "ApproximateCreationDateTime": change.approximate_creation_date_time().unwrap().as_secs_f64(),
        "Keys": image(change.keys()),
        "SequenceNumber": change.sequence_number(),
        "SizeBytes": change.size_bytes(),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    for (name, value) in [("NewImage", image(change.new_image())), ("OldImage", image(change.old_image()))] {
        if !value.is_null() {
            dynamodb[name] = value;
        }
    }
    json!({
        "eventID": record.event_id(), "eventName": record.event_name().unwrap().as_str(), "eventVersion": "1.1",
        "eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "eventSourceARN": arn, "dynamodb": dynamodb,
    })
}

fn records(traffic: &Traffic) -> Vec<Value> {
    let (arn, records) = traffic.records();
    records.iter().map(|record| json_of(record, &arn)).collect()
}

/// A record of a bucket that nobody can read, right before the one at `at`.
fn with_poison(records: &mut Vec<Value>, at: usize) -> Value {
    let mut poison = records[at].clone();
    let before: u128 = records[at]["dynamodb"]["SequenceNumber"].as_str().unwrap().parse().unwrap();
    poison["dynamodb"]["SequenceNumber"] = json!(format!("0{before}"));
    poison["dynamodb"]["NewImage"]["rpm.tc"] = json!({ "S": "poison" });
    records.insert(at, poison.clone());
    poison
}

/// The function on the table of `traffic`, with some more of the environment.
fn start(traffic: &Traffic, variables: &[(&str, &str)]) -> RuntimeApi {
    let mut all = vec![
        ("AWS_ENDPOINT_URL", traffic.options.endpoint_url.as_deref().unwrap()),
        ("TABLE_NAME", traffic.options.table.as_str()),
    ];
    all.extend(variables);
    RuntimeApi::start(env!("CARGO_BIN_EXE_bootstrap").as_ref(), &all)
}

fn source(function: &RuntimeApi) -> EventSource<'_> {
    EventSource { function, batch_size: 16, retries: 2, bisect: true }
}

#[test]
fn the_function_counts_what_the_stream_tells_and_once() {
    let mut traffic = Traffic::new();
    traffic.go_on(40);
    let records = records(&traffic);
    let function = start(&traffic, &[("SCHEMA_VERSION", "1.0.0")]);
    assert_eq!(source(&function).deliver(&records), [] as [Vec<Value>; 0]);
    traffic.check();
    // Again, cut in another way.
    for batch_size in [7, 1_000] {
        let again = EventSource { batch_size, ..source(&function) };
        assert_eq!(again.deliver(&records), [] as [Vec<Value>; 0]);
    }
    traffic.check();
}

#[test]
fn poison_goes_to_the_dead_letters_alone() {
    let mut traffic = Traffic::new();
    traffic.go_on(40);
    let mut records = records(&traffic);
    let buckets: Vec<usize> =
        (0..records.len()).filter(|at| records[*at]["dynamodb"]["NewImage"]["rpm.tc"].is_object()).collect();
    let last = with_poison(&mut records, buckets[buckets.len() - 2]);
    let first = with_poison(&mut records, buckets[3]);
    let function = start(&traffic, &[]);
    let dead = source(&function).deliver(&records);
    assert_eq!(dead, [vec![first], vec![last]]);
    traffic.check();
}

#[test]
fn poison_is_reported_by_its_number_and_the_rest_of_its_batch_is_counted() {
    let mut traffic = Traffic::new();
    traffic.go_on(10);
    let mut records = records(&traffic);
    let at =
        (1..records.len()).find(|at| records[*at]["dynamodb"]["NewImage"]["rpm.tc"].is_object()).unwrap();
    let poison = with_poison(&mut records, at);
    let function = start(&traffic, &[]);
    let Answer::Response(response) = function.invoke(&json!({ "Records": records })) else {
        panic!("an error")
    };
    let number = &poison["dynamodb"]["SequenceNumber"];
    assert_eq!(response, json!({ "batchItemFailures": [{ "itemIdentifier": number }] }));
    traffic.check();
}

#[test]
fn what_is_no_batch_is_an_error_and_the_function_lives_on() {
    let mut traffic = Traffic::new();
    traffic.go_on(3);
    let function = start(&traffic, &[]);
    let Answer::Error(error) = function.invoke(&json!({ "detail": 1 })) else { panic!("no error") };
    assert!(error["errorMessage"].as_str().unwrap().contains("not a batch of stream records"), "{error}");
    assert_eq!(source(&function).deliver(&records(&traffic)), [] as [Vec<Value>; 0]);
    traffic.check();
}

#[test]
fn a_wrong_environment_is_told_by_every_invocation() {
    let traffic = Traffic::new();
    let function = start(&traffic, &[("SNAPSHOT_WINDOWS", "weekly")]);
    let Answer::Error(error) = function.invoke(&json!({ "Records": [] })) else { panic!("no error") };
    assert!(error["errorMessage"].as_str().unwrap().contains("SNAPSHOT_WINDOWS"), "{error}");
    let other = start(&traffic, &[("SCHEMA_VERSION", "2.0.0")]);
    let Answer::Error(error) = other.invoke(&json!({ "Records": [] })) else { panic!("no error") };
    assert!(error["errorMessage"].as_str().unwrap().contains("upgrade"), "{error}");
}
