//! Creating, deleting and recognising tables.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use zae_limiter_core::{Store, StoreErrorKind};
use zae_limiter_store_dynamodb::{DynamoDbOptions, DynamoDbStore, Progress, TableAdmin};

use crate::calls::{clock, id, resource};
use crate::counted::client;
use crate::engine::{no_jitter, open, options};

fn admin(options: &DynamoDbOptions) -> TableAdmin {
    pollster::block_on(TableAdmin::connect(options.clone(), clock(), no_jitter())).unwrap()
}

fn try_open(options: DynamoDbOptions) -> (StoreErrorKind, String) {
    let error = pollster::block_on(DynamoDbStore::open(options, clock(), no_jitter())).unwrap_err();
    (error.kind(), error.to_string())
}

/// Runs on the store's threads what needs a runtime.
fn on_engine<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_table_is_created_once_and_deleted() {
    let mut options = options();
    options.create = false;
    options.stream = true;
    let name = options.table.to_string();
    let (kind, message) = try_open(options.clone());
    assert_eq!(kind, StoreErrorKind::Missing);
    assert!(message.contains(&format!("zae-limiter table create --table-name {name}")), "{message}");

    let admin = admin(&options);
    let (told, heard) = std::sync::mpsc::channel();
    pollster::block_on(admin.create(move |progress| told.send(progress).unwrap())).unwrap();
    let heard: Vec<Progress> = heard.iter().collect();
    assert_eq!((heard.first(), heard.last()), (Some(&Progress::Creating), Some(&Progress::Done)));
    let described = on_engine({
        let name = name.clone();
        async move { client().describe_table().table_name(name).send().await.unwrap() }
    });
    let stream = described.table().unwrap().stream_specification().unwrap();
    assert!(stream.stream_enabled());
    let expiry =
        on_engine(async move { client().describe_time_to_live().table_name(name).send().await.unwrap() });
    assert_eq!(expiry.time_to_live_description().unwrap().attribute_name(), Some("ttl"));

    pollster::block_on(admin.create(|_| {})).unwrap();
    let store = open(options.clone(), clock());
    assert_eq!(pollster::block_on(store.entities()).unwrap(), []);
    pollster::block_on(admin.delete(|_| {})).unwrap();
    assert_eq!(try_open(options).0, StoreErrorKind::Missing);
}

fn create_foreign(name: String, sk: bool) {
    on_engine(async move {
        let key = |name: &str, kind| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
        };
        let text = |name: &str| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        let create = client().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        let create = create.key_schema(key("PK", KeyType::Hash)).attribute_definitions(text("PK"));
        let create = if sk {
            create.key_schema(key("SK", KeyType::Range)).attribute_definitions(text("SK"))
        } else {
            create
        };
        create.send().await.unwrap();
    });
}

#[test]
fn a_table_of_another_schema_is_recognised() {
    for create in [false, true] {
        let mut options = options();
        options.create = create;
        create_foreign(options.table.to_string(), false);
        let (kind, message) = try_open(options);
        assert_eq!(kind, StoreErrorKind::Incompatible, "{message}");
        assert!(message.contains("its keys are not PK and SK"), "{message}");
    }
}

#[test]
fn a_table_without_the_indexes_is_recognised() {
    let mut options = options();
    create_foreign(options.table.to_string(), true);
    let (kind, message) = try_open(options.clone());
    assert_eq!(kind, StoreErrorKind::Incompatible);
    assert!(message.contains("it has no index GSI1"), "{message}");
    // Without a look at the schema it is found out when an index is asked.
    options.create = false;
    let store = open(options, clock());
    let error = pollster::block_on(store.children(&id("a"))).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Incompatible, "{error}");
    let error = pollster::block_on(store.buckets(&resource())).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Incompatible, "{error}");
}

#[test]
fn versions_that_do_not_go_together_are_told() {
    let mut options = options();
    open(options.clone(), clock());
    options.create = false;
    let set = |attribute: &'static str, value: &'static str| {
        let name = options.table.to_string();
        on_engine(async move {
            let update = client().update_item().table_name(name);
            let update = update
                .key("PK", AttributeValue::S("SYSTEM#".to_owned()))
                .key("SK", AttributeValue::S("#VERSION".to_owned()))
                .update_expression("SET #a = :v")
                .expression_attribute_names("#a", attribute)
                .expression_attribute_values(":v", AttributeValue::S(value.to_owned()));
            update.send().await.unwrap();
        });
    };
    open(options.clone(), clock());
    set("lambda_version", "0.0.1");
    open(options.clone(), clock());
    let mut strict = options.clone();
    strict.strict_version = true;
    assert!(try_open(strict).1.contains("zae-limiter upgrade"));
    for (attribute, value, said) in [
        ("schema_version", "2.0.0", "upgrade zae-limiter"),
        ("schema_version", "0.9.0", "migrate"),
        ("schema_version", "?", "not a version"),
        ("client_min_version", "99.0.0", "oldest that may use"),
    ] {
        set(attribute, value);
        let (kind, message) = try_open(options.clone());
        assert_eq!(kind, StoreErrorKind::Incompatible);
        assert!(message.contains(said), "{message}");
        let mut unchecked = options.clone();
        unchecked.skip_version_check = true;
        open(unchecked, clock());
    }
}
