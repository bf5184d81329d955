//! The answer as it comes over the wire.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{Capacity, ConsumedCapacity};
use serde::Deserialize;

use crate::aws::{Malformed, Scalar, read_bucket};
use crate::item::BucketItem;

/// An update that was carried out.
#[derive(Debug)]
pub(crate) struct Updated {
    /// The item as it is now.
    pub(crate) item: Option<Result<BucketItem, Malformed>>,
    /// What it consumed, if that was asked for.
    pub(crate) consumed: Option<ConsumedCapacity>,
}

/// An update that was not carried out.
#[derive(Debug)]
pub(crate) struct Rejected {
    meta: ErrorMetadata,
    /// The item as it is, if its condition did not hold and it is there.
    pub(crate) item: Option<Result<BucketItem, Malformed>>,
}

impl ProvideErrorMetadata for Rejected {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meta.fmt(f)
    }
}

impl std::error::Error for Rejected {}

/// What an answer, with all of its body, says.
#[expect(clippy::result_large_err, reason = "the error is the SDK's")]
pub(super) fn read(response: HttpResponse) -> Result<Updated, SdkError<Rejected, HttpResponse>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        match serde_json::from_slice(body) {
            Ok(success) => Ok(Success::updated(success)),
            Err(error) => Err(SdkError::response_error(error, response)),
        }
    } else {
        // What does not speak like DynamoDB has an error without a code.
        let failure: Failure<'_> = serde_json::from_slice(body).unwrap_or_default();
        let rejected = failure.rejected();
        Err(SdkError::service_error(rejected, response))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Success<'a> {
    #[serde(borrow)]
    attributes: Option<Item<'a>>,
    consumed_capacity: Option<Consumed>,
}

impl Success<'_> {
    fn updated(self) -> Updated {
        Updated {
            item: self.attributes.as_ref().map(Item::read),
            consumed: self.consumed_capacity.map(Consumed::of_sdk),
        }
    }
}

#[derive(Default, Deserialize)]
struct Failure<'a> {
    #[serde(borrow, rename = "__type")]
    code: Option<Text<'a>>,
    #[serde(borrow, alias = "Message")]
    message: Option<Text<'a>>,
    #[serde(borrow, rename = "Item")]
    item: Option<Item<'a>>,
}

impl Failure<'_> {
    fn rejected(self) -> Rejected {
        let mut meta = ErrorMetadata::builder();
        if let Some(Text(code)) = &self.code {
            // The name of the error, after that of the service.
            meta = meta.code(code.rsplit_once('#').map_or(&**code, |(_, code)| code));
        }
        if let Some(Text(message)) = self.message {
            meta = meta.message(message);
        }
        let item = self.item.filter(|Item(attributes)| !attributes.is_empty());
        Rejected { meta: meta.build(), item: item.as_ref().map(Item::read) }
    }
}

#[derive(Deserialize)]
struct Item<'a>(#[serde(borrow)] BTreeMap<Text<'a>, Attribute<'a>>);

impl Item<'_> {
    fn read(&self) -> Result<BucketItem, Malformed> {
        read_bucket(self.0.iter().map(|(Text(name), value)| (&**name, value.scalar())))
    }
}

/// One that is neither a number nor a text has neither.
#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow, rename = "N")]
    number: Option<Text<'a>>,
    #[serde(borrow, rename = "S")]
    text: Option<Text<'a>>,
}

impl Attribute<'_> {
    fn scalar(&self) -> Scalar<'_> {
        match self {
            Self { number: Some(Text(number)), .. } => Scalar::Number(number),
            Self { text: Some(Text(text)), .. } => Scalar::Text(text),
            _ => Scalar::Other,
        }
    }
}

/// A text that is copied only if it has escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Consumed {
    capacity_units: Option<f64>,
    table: Option<Units>,
    global_secondary_indexes: Option<BTreeMap<String, Units>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Units {
    capacity_units: Option<f64>,
}

impl Consumed {
    fn of_sdk(self) -> ConsumedCapacity {
        let capacity = |units: Units| Capacity::builder().set_capacity_units(units.capacity_units).build();
        let indexes = self
            .global_secondary_indexes
            .map(|indexes| indexes.into_iter().map(|(name, units)| (name, capacity(units))).collect());
        ConsumedCapacity::builder()
            .set_capacity_units(self.capacity_units)
            .set_table(self.table.map(capacity))
            .set_global_secondary_indexes(indexes)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use zae_limiter_core::Millitokens;

    use super::*;

    #[expect(clippy::result_large_err, reason = "the error is the SDK's")]
    fn answered(status: u16, body: &str) -> Result<Updated, SdkError<Rejected, HttpResponse>> {
        read(HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body.to_owned())))
    }

    fn rejected(body: &str) -> Rejected {
        match answered(400, body) {
            Err(SdkError::ServiceError(error)) => error.into_err(),
            other => panic!("{other:?}"),
        }
    }

    /// One limit, beside values of every type there is.
    const ITEM: &str = r#"{"PK":{"S":"ENTITY#\u00fc\n"},"n.v":{"N":"12"},"n\u002etc":{"N":"3E+3"},"n.lm":{"S":"5/5/5/60"},
        "ac":{"N":"4"},"ttl":{"N":"9"},"a":{"B":"eA=="},"b":{"BOOL":true},"c":{"NULL":true},"d":{"SS":["x"]},
        "e":{"NS":["1"]},"f":{"BS":["eA=="]},"g":{"L":[{"N":"1"}]},"h":{"M":{"n.v":{"N":"7"}}}}"#;

    fn check(item: &BucketItem) {
        let held: Vec<_> = item.limits.values().collect();
        let [held] = held[..] else { panic!("{item:?}") };
        assert_eq!((held.limit.name().as_str(), held.limit.capacity()), ("n", 5));
        assert_eq!(held.consumed, Millitokens::new(3_000));
        assert_eq!((item.acquires, item.ttl), (4, 9));
    }

    #[test]
    fn an_item_is_read_past_what_means_nothing_here() {
        let capacity = r#"{"TableName":"t","CapacityUnits":2.0,"Table":{"CapacityUnits":1.5},
            "GlobalSecondaryIndexes":{"GSI2":{"CapacityUnits":0.5,"ReadCapacityUnits":0.0}}}"#;
        let body = format!(r#"{{"Attributes":{ITEM},"ConsumedCapacity":{capacity},"Later":[1,{{}}]}}"#);
        let updated = answered(200, &body).unwrap();
        check(&updated.item.unwrap().unwrap());
        let consumed = updated.consumed.unwrap();
        assert_eq!(consumed.capacity_units(), Some(2.0));
        assert_eq!(consumed.table().unwrap().capacity_units(), Some(1.5));
        assert_eq!(consumed.global_secondary_indexes().unwrap()["GSI2"].capacity_units(), Some(0.5));
    }

    #[test]
    fn a_condition_that_does_not_hold_tells_what_is_there() {
        let failed = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        for message in ["message", "Message"] {
            let body = format!(r#"{{"__type":"{failed}","{message}":"no","Item":{ITEM}}}"#);
            let rejected = rejected(&body);
            assert_eq!(rejected.code(), Some("ConditionalCheckFailedException"));
            assert_eq!(rejected.message(), Some("no"));
            check(&rejected.item.unwrap().unwrap());
        }
        for nothing in ["", r#","Item":{}"#, r#","Item":null"#] {
            let body = format!(r#"{{"__type":"{failed}"{nothing}}}"#);
            assert!(rejected(&body).item.is_none(), "{nothing}");
        }
    }

    #[test]
    fn damage_and_nonsense_are_told_apart() {
        let damaged = answered(200, r#"{"Attributes":{"n.v":{"S":"x"}}}"#).unwrap();
        assert!(damaged.item.unwrap().unwrap_err().to_string().contains("n.v"));
        assert!(answered(200, "{}").unwrap().item.is_none());
        for nonsense in ["", "<html>", r#"{"Attributes":[]}"#, r#"{"Attributes":{"n.v":7}}"#] {
            let error = answered(200, nonsense).unwrap_err();
            assert!(matches!(error, SdkError::ResponseError(_)), "{nonsense}: {error:?}");
            let error = answered(502, nonsense).unwrap_err();
            assert_eq!(error.code(), None, "{nonsense}");
        }
    }
}
