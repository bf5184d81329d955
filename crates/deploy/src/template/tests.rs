//! The template against what the store does.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::*;

fn template() -> Value {
    // Functions in their short form (`!Ref Table`) are read as their arguments.
    serde_saphyr::from_str(TEMPLATE).unwrap()
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The actions of a managed policy, those on the table and those on its indexes.
fn policy(name: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let template = template();
    let mut found = (BTreeSet::new(), BTreeSet::new());
    for statement in
        template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"].as_array().unwrap()
    {
        assert_eq!(statement["Effect"], "Allow");
        let actions = texts(&statement["Action"]);
        match statement["Resource"].as_str().unwrap() {
            "Table.Arn" => found.0.extend(actions),
            "${Table.Arn}/index/*" => found.1.extend(actions),
            other => panic!("{name} names {other}"),
        }
    }
    found
}

/// The operations that the store's source asks of the table, as IAM calls them.
fn called_by_the_store() -> BTreeSet<String> {
    fn read(folder: &Path, sources: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, sources);
            } else {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut sources = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../store-dynamodb/src"), &mut sources);
    sources.retain(|c| !c.is_whitespace());
    let calls = sources.split("clients.patient.").chain(sources.split("clients.once.")).skip(1);
    let operation = |call: &str| {
        let name: String = call.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        call[name.len()..].starts_with("()").then_some(name)
    };
    let action = |name: String| {
        let camel = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        "dynamodb:".to_owned() + &name.split('_').map(camel).collect::<String>()
    };
    calls.filter_map(operation).map(action).collect()
}

/// What is asked only when the table is created or deleted, which is up to the stack.
const OF_ADMINISTRATION: [&str; 4] = [
    "dynamodb:CreateTable",
    "dynamodb:DeleteTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:UpdateTimeToLive",
];
/// A transaction needs the permissions of what is in it.
const TRANSACTION: &str = "dynamodb:TransactWriteItems";

#[test]
fn the_full_policy_lists_exactly_what_the_store_calls() {
    let mut called = called_by_the_store();
    assert!(called.contains("dynamodb:UpdateItem") && called.contains(TRANSACTION), "{called:?}");
    for other in OF_ADMINISTRATION {
        assert!(called.remove(other), "{other}");
    }
    called.remove(TRANSACTION);
    let (table, indexes) = policy("FullAccessPolicy");
    assert_eq!(table, called);
    assert_eq!(indexes, BTreeSet::from(["dynamodb:Query".to_owned()]));
}

#[test]
fn the_lesser_policies_are_parts_of_it() {
    let (full, _) = policy("FullAccessPolicy");
    let (acquire, acquire_indexes) = policy("AcquireOnlyPolicy");
    assert!(acquire.is_subset(&full) && acquire_indexes.is_empty());
    let writes: Vec<&String> = acquire
        .iter()
        .filter(|a| ["Put", "Update", "Write", "Delete"].iter().any(|w| a.contains(w)))
        .collect();
    assert_eq!(writes, ["dynamodb:UpdateItem"]);
    let (read, _) = policy("ReadOnlyPolicy");
    assert!(read.is_subset(&full));
    assert!(
        !read.iter().any(|a| ["Put", "Update", "Write", "Delete"].iter().any(|w| a.contains(w))),
        "{read:?}"
    );
}

#[test]
fn the_parameters_and_outputs_keep_their_names() {
    let template = template();
    let names =
        |part: &str| -> BTreeSet<String> { template[part].as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names("Parameters"), parameter::ALL.iter().map(|&name| name.to_owned()).collect());
    let outputs = names("Outputs");
    for output in [
        "TableName",
        "TableArn",
        "StreamArn",
        "AggregatorFunctionArn",
        "AggregatorFunctionName",
        output::CODE_BUCKET,
    ] {
        assert!(outputs.contains(output), "{output}");
    }
    let default = |name: &str| template["Parameters"][name]["Default"].clone();
    assert_eq!(default("SchemaVersion"), zae_limiter_store_dynamodb::version::SCHEMA_VERSION);
    let timeout = default("LambdaTimeout").as_u64().unwrap();
    assert_eq!(default("DurationAlarmMilliseconds"), timeout * 800);
}

#[test]
fn the_table_is_the_one_that_the_store_creates() {
    use zae_limiter_store_dynamodb::schema::{GSI1, GSI1_PK, GSI1_SK, GSI2, GSI2_PK, GSI2_SK, PK, SK, TTL};
    let table = template()["Resources"]["Table"]["Properties"].clone();
    let keys = |of: &Value| -> Vec<String> {
        let keys = of["KeySchema"].as_array().unwrap().iter();
        keys.map(|key| key["AttributeName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&table), [PK, SK]);
    let indexes = table["GlobalSecondaryIndexes"].as_array().unwrap();
    let expected = [(GSI1, GSI1_PK, GSI1_SK, "ALL"), (GSI2, GSI2_PK, GSI2_SK, "KEYS_ONLY")];
    assert_eq!(indexes.len(), expected.len());
    for (index, (name, pk, sk, projection)) in indexes.iter().zip(expected) {
        assert_eq!(index["IndexName"], name);
        assert_eq!(keys(index), [pk, sk]);
        assert_eq!(index["Projection"]["ProjectionType"], projection);
    }
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"], TTL);
    assert_eq!(table["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
}

#[test]
fn only_changes_of_buckets_reach_the_function() {
    let mapping = template()["Resources"]["AggregatorStream"]["Properties"].clone();
    let filters = mapping["FilterCriteria"]["Filters"].as_array().unwrap().clone();
    assert_eq!(filters.len(), 1);
    let pattern: Value = serde_json::from_str(filters[0]["Pattern"].as_str().unwrap()).unwrap();
    assert_eq!(pattern["eventName"], serde_json::json!(["INSERT", "MODIFY"]));
    let prefix = &pattern["dynamodb"]["Keys"]["SK"]["S"][0]["prefix"];
    assert_eq!(prefix, zae_limiter_store_dynamodb::schema::BUCKET_SK);
    assert_eq!(mapping["BisectBatchOnFunctionError"], true);
    assert_eq!(mapping["FunctionResponseTypes"], serde_json::json!(["ReportBatchItemFailures"]));
    assert_eq!(mapping["DestinationConfig"]["OnFailure"]["Destination"], "DeadLetterQueue.Arn");
    assert!(mapping["MaximumRetryAttempts"].as_i64().is_some_and(|attempts| attempts > 0));
}

#[test]
fn resources_are_counted_right() {
    let template = template();
    let listed = template["Resources"].as_object().unwrap().values();
    let conditions: Vec<Option<&str>> = listed.map(|resource| resource["Condition"].as_str()).collect();
    let count = |of: &[Option<&str>]| conditions.iter().filter(|condition| of.contains(condition)).count();
    let aggregator = [None, Some("Aggregates"), Some("HasFunction")];
    assert_eq!(resources(false, true), count(&[None]));
    assert_eq!(resources(true, false), count(&aggregator));
    assert_eq!(resources(true, true), conditions.len());
    assert_eq!(count(&aggregator) + count(&[Some("HasAlarms")]), conditions.len());
}

#[test]
fn parameters_are_set_by_name() {
    let mut parameters = StackParameters::default();
    assert!(parameters.chosen().is_empty());
    for (name, value) in [
        ("EnableAggregator", "false"),
        ("SnapshotWindows", "hourly, monthly,hourly"),
        ("SnapshotRetentionDays", "30"),
        ("LambdaMemorySize", "256"),
        ("LambdaTimeout", "30"),
        ("LogRetentionDays", "7"),
        ("PointInTimeRecovery", "true"),
        ("DeletionProtection", "true"),
        ("EnableAlarms", "false"),
        ("AlarmTopicArn", ""),
        ("PermissionsBoundary", ""),
    ] {
        parameters.set(name, value).unwrap();
        let expected = if name == "SnapshotWindows" { "hourly,monthly" } else { value };
        assert_eq!(parameters.chosen()[name], expected);
    }
    assert_eq!(parameters.chosen()["DurationAlarmMilliseconds"], "24000");
    for (name, value) in [
        ("EnableAggregator", "yes"),
        ("SnapshotWindows", "hourly,weekly"),
        ("SnapshotWindows", ""),
        ("SnapshotRetentionDays", "0"),
        ("LambdaTimeout", "1.5"),
        ("TableName", "other"),
        ("NoSuch", "1"),
    ] {
        assert!(parameters.set(name, value).is_err(), "{name}={value}");
    }
}
