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

/// Reads the item of a bucket. Attributes that mean nothing here are passed over.
pub(crate) fn bucket(attributes: &Attributes, key: &BucketKey) -> Result<BucketItem, StoreError> {
    read_bucket(attributes).map_err(|malformed| malformed.of(key))
}

fn read_bucket(attributes: &Attributes) -> Result<BucketItem, Malformed> {
    let mut item = BucketItem::default();
    let mut parts: BTreeMap<&str, Parts> = BTreeMap::new();
    for (name, value) in attributes {
        match name.as_str() {
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
                    let read = value.as_s().ok().and_then(|text| limit_from_text(limit, text));
                    let read = read.ok_or_else(|| Malformed::new(name, "is not a limit"))?;
                    parts.entry(limit).or_default().limit = Some(read);
                }
                Some(("w", writer)) => {
                    if let Some(writer) = Writer::parse(writer) {
                        let number = u64::try_from(integer(name, value)?);
                        let number = number.map_err(|_| Malformed::new(name, "is not the number of a write"))?;
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
        let held = LimitItem {
            full_at: FullAt::from_scaled(full_at),
            consumed: Millitokens::new(consumed),
            limit,
        };
        item.limits.insert(held.limit.name().clone(), held);
    }
    Ok(item)
}

/// Reads the parameters of a limit as [`crate::expression::limit_text`] writes them.
pub(crate) fn limit_from_text(name: &str, text: &str) -> Option<Limit> {
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

pub(crate) fn integer(name: &str, value: &AttributeValue) -> Result<i128, Malformed> {
    let number = value.as_n().ok().and_then(|text| whole_number(text));
    number.ok_or_else(|| Malformed::new(name, "is not a whole number"))
}

/// A number of at most 38 digits without a fraction, be it written with an exponent.
fn whole_number(text: &str) -> Option<i128> {
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
fn clamped(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

/// An optional text.
pub(crate) fn text<'a>(attributes: &'a Attributes, name: &str) -> Result<Option<&'a str>, Malformed> {
    let text = attributes.get(name).map(|value| value.as_s().map(String::as_str));
    text.transpose().map_err(|_| Malformed::new(name, "is not a text"))
}
