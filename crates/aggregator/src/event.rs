//! Records as Lambda hands them to a function: JSON.
//!
//! Every record is read by itself, so that one that makes no sense does not take the others with it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use zae_limiter_core::Timestamp;

use crate::record::{Attribute, Attributes, Event, Record, Unreadable, label_of};

/// A batch of records, none of which has been looked at.
#[derive(Debug, serde::Deserialize)]
pub struct Batch<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

impl<'a> Batch<'a> {
    /// Reads what Lambda sends.
    pub fn parse(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// Its records, read one by one.
    pub fn records(&self) -> impl Iterator<Item = Result<Record<Image<'a>>, Unreadable>> {
        self.records.iter().map(|json| record(json.get()))
    }

    /// How many records it has.
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// An image in JSON: `{"PK": {"S": "…"}, "ac": {"N": "1"}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image<'a>(HashMap<Text<'a>, Value<'a>>);

impl Attributes for Image<'_> {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        self.0.get(name).map(Value::attribute)
    }

    fn each(&self) -> impl Iterator<Item = (&str, Attribute<'_>)> {
        self.0.iter().map(|(name, value)| (&*name.0, value.attribute()))
    }
}

/// Reads one record.
pub fn record(json: &str) -> Result<Record<Image<'_>>, Unreadable> {
    let read: Json<'_> = serde_json::from_str(json).map_err(|error| {
        Unreadable::new(id_at_least(json), format!("it is not in the form of one: {error}"))
    })?;
    let id = read.dynamodb.sequence.0.into_owned();
    let unreadable = |reason: String| Unreadable::new(Some(id.clone()), reason);
    let sequence = id.parse().map_err(|error| Unreadable::new(None, format!("{error}")))?;
    let event = match &*read.event.0 {
        "REMOVE" => Event::Remove,
        "INSERT" => Event::Insert(read.dynamodb.new.ok_or_else(|| unreadable(no_image("new")))?),
        "MODIFY" => Event::Modify(
            read.dynamodb.old.ok_or_else(|| unreadable(no_image("old")))?,
            read.dynamodb.new.ok_or_else(|| unreadable(no_image("new")))?,
        ),
        other => return Err(unreadable(format!("{other:?} is not an event"))),
    };
    let at =
        instant(read.dynamodb.at).ok_or_else(|| unreadable("it does not say when it happened".to_owned()))?;
    let stream = label_of(&read.source.0).into();
    Ok(Record { sequence, stream, at, keys: read.dynamodb.keys, event, id })
}

/// What is wrong with a record that lacks an image.
pub(crate) fn no_image(which: &str) -> String {
    format!("it has no {which} image: the stream has to be of type NEW_AND_OLD_IMAGES")
}

/// An instant given in seconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
fn instant(seconds: f64) -> Option<Timestamp> {
    let millis = (seconds * 1_000.0).round();
    (0.0..=9e15).contains(&millis).then(|| Timestamp::from_millis(millis as u64))
}

/// The sequence number of what is not a record otherwise.
fn id_at_least(json: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let id = value.get("dynamodb")?.get("SequenceNumber")?.as_str()?;
    id.parse::<zae_limiter_store_dynamodb::position::SequenceNumber>().ok()?;
    Some(id.to_owned())
}

#[derive(serde::Deserialize)]
struct Json<'a> {
    #[serde(borrow, rename = "eventName")]
    event: Text<'a>,
    #[serde(borrow, default, rename = "eventSourceARN")]
    source: Text<'a>,
    #[serde(borrow)]
    dynamodb: JsonChange<'a>,
}

#[derive(serde::Deserialize)]
struct JsonChange<'a> {
    #[serde(rename = "ApproximateCreationDateTime")]
    at: f64,
    #[serde(borrow, rename = "Keys")]
    keys: Image<'a>,
    #[serde(borrow, default, rename = "NewImage")]
    new: Option<Image<'a>>,
    #[serde(borrow, default, rename = "OldImage")]
    old: Option<Image<'a>>,
    #[serde(borrow, rename = "SequenceNumber")]
    sequence: Text<'a>,
}

/// A text that is copied only if it has escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Text<'a>(Cow<'a, str>);

impl std::borrow::Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The value of an attribute, as far as counting looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value<'a> {
    Text(Text<'a>),
    Number(Text<'a>),
    Other,
}

impl Value<'_> {
    fn attribute(&self) -> Attribute<'_> {
        match self {
            Self::Text(text) => Attribute::Text(&text.0),
            Self::Number(text) => Attribute::Number(&text.0),
            Self::Other => Attribute::Other,
        }
    }
}

struct TextVisitor<'a>(PhantomData<&'a str>);

impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

struct ValueVisitor<'a>(PhantomData<&'a str>);

impl<'de: 'a, 'a> Visitor<'de> for ValueVisitor<'a> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute, such as {\"N\": \"1\"}")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value<'a>, M::Error> {
        let Some(kind) = map.next_key::<Text<'a>>()? else {
            return Err(M::Error::custom("an empty attribute"));
        };
        let value = match &*kind.0 {
            "S" => Value::Text(map.next_value()?),
            "N" => Value::Number(map.next_value()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
                Value::Other
            }
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(value),
            Some(_) => Err(M::Error::custom("an attribute of two types")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ValueVisitor(PhantomData))
    }
}

struct ImageVisitor<'a>(PhantomData<&'a str>);

impl<'de: 'a, 'a> Visitor<'de> for ImageVisitor<'a> {
    type Value = Image<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an image")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Image<'a>, M::Error> {
        let mut image = HashMap::new();
        while let Some((name, value)) = map.next_entry()? {
            image.insert(name, value);
        }
        Ok(Image(image))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Image<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ImageVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change;

    const RECORD: &str = r##"{
        "eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:1:table/t/stream/2024-01-01T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1.7040672E9, "SequenceNumber": "4421584500000000017450439091",
            "Keys": {"PK": {"S": "prod/ENTITY#k\"1"}, "SK": {"S": "#BUCKET#gpt-4"}},
            "OldImage": {"ac": {"N": "1"}, "rpm.tc": {"N": "1000"}, "tpm.tc": {"N": "5"}},
            "NewImage": {"ac": {"N": "3"}, "rpm.tc": {"N": "3.5E+3"}, "tpm.tc": {"N": "5"},
                "x": {"L": [{"S": "y"}]}, "new.tc": {"N": "-7"}},
            "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES"
        }
    }"##;

    #[test]
    fn a_record_tells_what_was_consumed() {
        let record = record(RECORD).unwrap();
        let change = change::read(&record).unwrap().unwrap();
        assert_eq!((change.namespace.to_string(), change.entity_id.as_str()), ("prod/".to_owned(), "k\"1"));
        assert_eq!((change.resource.as_str(), change.acquires), ("gpt-4", 2));
        let consumed: Vec<_> =
            change.consumed.iter().map(|(name, amount)| (name.as_str(), *amount)).collect();
        assert_eq!(consumed, [("new", -7), ("rpm", 2_500)]);
        assert_eq!(change.at.to_string(), "2024-01-01T00:00:00Z");
        assert_eq!(&*change.position.stream, "2024-01-01T00:00:00.000");
    }

    #[test]
    fn what_is_wrong_with_a_record_is_told_by_its_number() {
        for (wrong, right, told) in [
            (r#""N": "1000""#, r#""N": "a""#, "rpm.tc"),
            (r#""MODIFY""#, r#""BREAK""#, "BREAK"),
            (r#""OldImage""#, r#""Old""#, "NEW_AND_OLD_IMAGES"),
            ("prod/ENTITY#", "ENTITYS#", "not the key of an entity"),
            (r##"{"S": "#BUCKET#gpt-4"}"##, "[]", "not in the form"),
            ("#BUCKET#gpt-4", "#BUCKET#gpt#4", "GSI2PK"),
            ("1.7040672E9", "-1", "when it happened"),
            (r#"{"L": [{"S": "y"}]}"#, r#"{"S": "1", "N": "1"}"#, "two types"),
        ] {
            assert!(RECORD.contains(wrong));
            let text = RECORD.replacen(wrong, right, 1);
            let read = record(&text).and_then(|record| change::read(&record));
            let error = read.unwrap_err();
            assert_eq!(error.id.as_deref(), Some("4421584500000000017450439091"), "{error}");
            assert!(error.to_string().contains(told), "{error}");
        }
        let error = record(&RECORD.replace("4421584500000000017450439091", "x")).unwrap_err();
        assert_eq!(error.id, None, "{error}");
    }

    #[test]
    fn other_records_of_the_table_do_not_matter() {
        let of = |text: String| change::read(&record(&text).unwrap()).unwrap();
        assert_eq!(of(RECORD.replace("#BUCKET#gpt-4", "#USAGE#gpt-4#hourly#2024-01-01T00:00:00Z")), None);
        assert_eq!(of(RECORD.replace("MODIFY", "REMOVE")), None);
        let insert = of(RECORD.replace("MODIFY", "INSERT")).unwrap();
        assert_eq!(insert.acquires, 3, "a bucket made anew counts from nothing");
    }

    proptest! {
        #[test]
        fn no_record_makes_it_panic(at in 0..RECORD.len(), len in 0_usize..40, with in ".{0,12}") {
            let mut text = RECORD.to_owned();
            let end = (at + len).min(text.len());
            text.replace_range(at..end, &with);
            let _ = record(&text).and_then(|record| change::read(&record));
        }

        #[test]
        fn no_number_makes_it_panic(old in "-?[0-9]{1,40}(E-?[0-9]{1,3})?", new in "-?[0-9]{1,40}") {
            let text = RECORD.replace("\"1000\"", &format!("\"{old}\"")).replace("3.5E+3", &new);
            let _ = record(&text).and_then(|record| change::read(&record));
        }
    }
}
