//! What a stream says, wherever it was read.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::types::AttributeValue;
use zae_limiter_core::Timestamp;
use zae_limiter_store_dynamodb::position::SequenceNumber;

/// The value of an attribute, as far as counting looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute<'a> {
    /// A text.
    Text(&'a str),
    /// A number, in decimals.
    Number(&'a str),
    /// Anything else.
    Other,
}

/// The attributes of a record's image, in whatever form they were read.
pub trait Attributes {
    /// One of them.
    fn get(&self, name: &str) -> Option<Attribute<'_>>;

    /// All of them.
    fn each(&self) -> impl Iterator<Item = (&str, Attribute<'_>)>;
}

impl<S: BuildHasher> Attributes for HashMap<String, AttributeValue, S> {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        self.get(name).map(attribute)
    }

    fn each(&self) -> impl Iterator<Item = (&str, Attribute<'_>)> {
        self.iter().map(|(name, value)| (name.as_str(), attribute(value)))
    }
}

impl<A: Attributes> Attributes for &A {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        (**self).get(name)
    }

    fn each(&self) -> impl Iterator<Item = (&str, Attribute<'_>)> {
        (**self).each()
    }
}

const fn attribute(value: &AttributeValue) -> Attribute<'_> {
    match value {
        AttributeValue::S(text) => Attribute::Text(text.as_str()),
        AttributeValue::N(number) => Attribute::Number(number.as_str()),
        _ => Attribute::Other,
    }
}

/// What happened to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<A> {
    /// It was made; its image as it is now.
    Insert(A),
    /// It was changed; its images as it was and as it is now.
    Modify(A, A),
    /// It was removed.
    Remove,
}

/// One record of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<A> {
    /// Its sequence number as the stream writes it: what it is reported by.
    pub id: String,
    /// The same as a number.
    pub sequence: SequenceNumber,
    /// Label of the stream.
    pub stream: Arc<str>,
    /// When it happened.
    pub at: Timestamp,
    /// The key of the item.
    pub keys: A,
    /// What happened.
    pub event: Event<A>,
}

/// A record that cannot be counted, now or ever.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stream record {} cannot be read: {reason}", .id.as_deref().unwrap_or("without a sequence number"))]
pub struct Unreadable {
    /// Its sequence number, if that much can be read.
    pub id: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl Unreadable {
    /// The record `id` is wrong for `reason`.
    pub fn new(id: Option<String>, reason: impl Into<String>) -> Self {
        Self { id, reason: reason.into() }
    }
}

/// The label of the stream that a name (ARN) ends with; empty if it has none.
pub fn label_of(arn: &str) -> &str {
    arn.rsplit_once("/stream/").map_or("", |(_, label)| label)
}
