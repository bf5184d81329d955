//! Items as DynamoDB sends them.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use zae_limiter_core::{FullAt, Limit, LimitName, Millitokens, StoreError, StoreErrorKind};

use crate::item::{BucketItem, LimitItem, Writer};
use crate::schema;
use crate::table::BucketKey;

/// An item as the SDK has it.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// What is wrong with an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute {attribute:?} {problem}")]
pub(crate) struct Malformed {
    attribute: String,
    problem: &'static str,
}

impl Malformed {
    pub(crate) fn new(attribute: impl Into<String>, problem: &'static str) -> Self {
        Self { attribute: attribute.into(), problem }
    }

    /// As an error about the record called `record`.
    pub(crate) fn of(&self, record: impl std::fmt::Display) -> StoreError {
        let message = format!("{record} was damaged, or written by another program: {self}");
        StoreError::new(StoreErrorKind::Corrupt, message)
    }
}

/// The three attributes of one limit.
#[derive(Default)]
struct Parts {
    limit: Option<Limit>,
    full_at: Option<i128>,
    consumed: Option<i64>,
}

/// A value as it is read: a number, a text, or something that a bucket does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Number(&'a str),
    Text(&'a str),
    Other,
}

impl<'a> From<&'a AttributeValue> for Scalar<'a> {
    fn from(value: &'a AttributeValue) -> Self {
        match value {
            AttributeValue::N(number) => Self::Number(number),
            AttributeValue::S(text) => Self::Text(text),
            _ => Self::Other,
        }
    }
}

/// Reads the item of a bucket. Attributes that mean nothing here are passed over.
pub(crate) fn bucket(attributes: &Attributes, key: &BucketKey) -> Result<BucketItem, StoreError> {
    let attributes = attributes.iter().map(|(name, value)| (name.as_str(), value.into()));
    read_bucket(attributes).map_err(|malformed| malformed.of(key))
}

/// Reads the item of a bucket, attribute by attribute.
pub(crate) fn read_bucket<'a>(
    attributes: impl IntoIterator<Item = (&'a str, Scalar<'a>)>,
) -> Result<BucketItem, Malformed> {
    let mut item = BucketItem::default();
    let mut parts: BTreeMap<&str, Parts> = BTreeMap::new();
    for (name, value) in attributes {
        match name {
            schema::ACQUIRES => item.acquires = clamped(integer(name, value)?),
            schema::TTL => {
                // Debt that was added up may need longer than can be counted, but never less than nothing.
                item.ttl = u64::try_from(integer(name, value)?.clamp(0, u64::MAX.into())).unwrap_or(0);
            }
            _ => match name.rsplit_once('.') {
                Some((limit, "v")) => parts.entry(limit).or_default().full_at = Some(integer(name, value)?),
                Some((limit, "tc")) => {
                    parts.entry(limit).or_default().consumed = Some(clamped(integer(name, value)?));
                }
                Some((limit, "lm")) => {
                    let read = match value {
                        Scalar::Text(text) => limit_from_text(limit, text),
                        _ => None,
                    };
                    let read = read.ok_or_else(|| Malformed::new(name, "is not a limit"))?;
                    parts.entry(limit).or_default().limit = Some(read);
                }
                Some(("w", writer)) => {
                    if let Some(writer) = Writer::parse(writer) {
                        let number = u64::try_from(integer(name, value)?);
                        let number =
                            number.map_err(|_| Malformed::new(name, "is not the number of a write"))?;
                        item.writers.insert(writer, number);
                    }
                }
                _ => {}
            },
        }
    }
    for (name, parts) in parts {
        let Parts { limit: Some(limit), full_at: Some(full_at), consumed: Some(consumed) } = parts else {
            return Err(Malformed::new(name, "lacks one of the three parts of a limit"));
        };
        let held =
            LimitItem { full_at: FullAt::from_scaled(full_at), consumed: Millitokens::new(consumed), limit };
        item.limits.insert(held.limit.name().clone(), held);
    }
    Ok(item)
}

/// Reads the parameters of a limit as [`crate::expression::limit_text`] writes them.
fn limit_from_text(name: &str, text: &str) -> Option<Limit> {
    let mut numbers = text.split('/').map(|number| number.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    let (capacity, burst, amount, period) = (next()?, next()?, next()?, next()?);
    if numbers.next().is_some() {
        return None;
    }
    // `u64` reads a leading plus, which nobody writes.
    LimitName::new(name).ok()?;
    Limit::new(name, capacity, burst, amount, period).ok()
}

pub(crate) fn integer<'a>(name: &str, value: impl Into<Scalar<'a>>) -> Result<i128, Malformed> {
    let number = match value.into() {
        Scalar::Number(text) => whole_number(text),
        _ => None,
    };
    number.ok_or_else(|| Malformed::new(name, "is not a whole number"))
}

/// A number of at most 38 digits without a fraction, be it written with an exponent.
pub fn whole_number(text: &str) -> Option<i128> {
    // What is mostly written, and takes the least time to read.
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if fraction.bytes().any(|b| !b.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let number = match u32::try_from(shift) {
        Ok(_) if digits == 0 => 0,
        Ok(shift) => digits.checked_mul(10_i128.checked_pow(shift)?)?,
        Err(_) => {
            let power = 10_i128.checked_pow(shift.unsigned_abs())?;
            (digits % power == 0).then_some(digits / power)?
        }
    };
    (number.unsigned_abs() < 10_u128.pow(38)).then_some(number)
}

/// Sums that are kept for ever may outgrow what is counted in.
pub(crate) fn clamped(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

/// An optional text.
pub(crate) fn text<'a>(attributes: &'a Attributes, name: &str) -> Result<Option<&'a str>, Malformed> {
    let text = attributes.get(name).map(|value| value.as_s().map(String::as_str));
    text.transpose().map_err(|_| Malformed::new(name, "is not a text"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, hash_map, vec};
    use proptest::prelude::*;
    use zae_limiter_core::{EntityId, Resource};

    use super::*;
    use crate::expression::limit_text;

    fn key() -> BucketKey {
        BucketKey {
            entity_id: EntityId::new("someone").unwrap(),
            resource: Resource::new("something").unwrap(),
        }
    }

    /// The item as the writes of [`crate::expression`] leave it.
    fn rendered(item: &BucketItem) -> Attributes {
        let number = |number: i128| AttributeValue::N(number.to_string());
        let mut attributes = Attributes::new();
        for held in item.limits.values() {
            let name = held.limit.name();
            attributes.insert(format!("{name}.v"), number(held.full_at.scaled()));
            attributes.insert(format!("{name}.tc"), number(held.consumed.get().into()));
            attributes.insert(format!("{name}.lm"), AttributeValue::S(limit_text(&held.limit)));
        }
        for (writer, last) in &item.writers {
            attributes.insert(format!("w.{writer}"), number((*last).into()));
        }
        attributes.insert(schema::ACQUIRES.to_owned(), number(item.acquires.into()));
        attributes.insert(schema::TTL.to_owned(), number(item.ttl.into()));
        attributes.insert(schema::PK.to_owned(), AttributeValue::S("ENTITY#someone".to_owned()));
        attributes
    }

    fn limit() -> impl Strategy<Value = LimitItem> {
        let name = "[A-Za-z][A-Za-z0-9_.-]{0,9}|w|v|tc|lm|ac|ttl|w[.]abcdef";
        let state = -(10_i128.pow(37))..10_i128.pow(37);
        (name, 1..1_000_000_u64, 0..1_000_u64, 1..1_000_u64, 1..1_000_u64, state, any::<i64>()).prop_map(
            |(name, capacity, more, amount, period, state, consumed)| LimitItem {
                limit: Limit::new(name, capacity, capacity + more, amount, period).unwrap(),
                full_at: FullAt::from_scaled(state),
                consumed: Millitokens::new(consumed),
            },
        )
    }

    fn value() -> impl Strategy<Value = AttributeValue> {
        prop_oneof![
            "-?[0-9]{0,40}([.][0-9]{0,3})?([eE][+-]?[0-9]{1,11})?".prop_map(AttributeValue::N),
            "[0-9]{1,20}(/[0-9]{0,20}){0,5}|.{0,20}".prop_map(AttributeValue::S),
            any::<bool>().prop_map(AttributeValue::Bool),
            Just(AttributeValue::Null(true)),
            vec(any::<u8>(), 0..4).prop_map(|bytes| AttributeValue::B(bytes.into())),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            limits in vec(limit(), 0..5),
            acquires in any::<i64>(),
            ttl in any::<u64>(),
            writers in btree_map(any::<u64>(), any::<u64>(), 0..4),
        ) {
            let limits = limits.into_iter().map(|held| (held.limit.name().clone(), held)).collect();
            let writers = writers.into_iter().map(|(writer, last)| (Writer::from_number(writer), last)).collect();
            let item = BucketItem { limits, acquires, ttl, writers };
            prop_assert_eq!(bucket(&rendered(&item), &key()).unwrap(), item);
        }

        #[test]
        fn no_item_makes_it_panic(
            attributes in hash_map(
                "(n|w|m[.]n|)[.](v|tc|lm|abcdef|x)|ac|ttl|PK|.{0,5}", value(), 0..8,
            ),
        ) {
            if let Err(error) = bucket(&attributes, &key()) {
                prop_assert_eq!(error.kind(), StoreErrorKind::Corrupt);
                prop_assert!(error.to_string().contains("someone on something"), "{}", error);
            }
        }
    }

    #[test]
    fn numbers_are_read_as_dynamodb_may_write_them() {
        for (text, number) in [
            ("0", 0),
            ("-7", -7),
            ("1E+3", 1_000),
            ("12.50e1", 125),
            ("1200e-2", 12),
            ("5.000", 5),
            ("99999999999999999999999999999999999999", 10_i128.pow(38) - 1),
        ] {
            assert_eq!(whole_number(text), Some(number), "{text}");
        }
        for text in
            ["", "-", "1.5", "1e-1", "1e99", "0x1", "1_0", "1.", ".", "1e", "NaN", "1.2.3", "1e99999999999"]
        {
            assert!(matches!(whole_number(text), None | Some(1)), "{text}");
        }
    }

    #[test]
    fn half_a_limit_is_told() {
        let attributes = [("n.v".to_owned(), AttributeValue::N("5".to_owned()))].into();
        let error = bucket(&attributes, &key()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert!(error.to_string().contains("\"n\" lacks one of the three parts"), "{error}");
    }
}
