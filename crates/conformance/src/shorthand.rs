//! Short ways to write down what a case is about.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use zae_limiter_core::{Amounts, EntityId, Level, Limit, LimitSet, Millitokens, Resource};

/// `text` as whatever it is to be read as.
#[track_caller]
pub(crate) fn read<T: FromStr<Err: Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// An entity id.
#[track_caller]
pub(crate) fn id(text: &str) -> EntityId {
    read(text)
}

/// A resource.
#[track_caller]
pub(crate) fn resource(text: &str) -> Resource {
    read(text)
}

/// Limits in their text form, separated by spaces: `"rpm=100/min tpm=10k/min"`.
#[track_caller]
pub(crate) fn limits(text: &str) -> LimitSet {
    set_of(text.split(' ').map(read))
}

/// A set of limits that is known to be valid.
#[track_caller]
pub(crate) fn set_of(limits: impl IntoIterator<Item = Limit>) -> LimitSet {
    valid(LimitSet::new(limits))
}

/// A value that is known to be valid.
#[track_caller]
pub(crate) fn valid<T, E: Debug>(value: Result<T, E>) -> T {
    value.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The bucket of `entity` on resource `r`, held to limits in their text form.
#[track_caller]
pub(crate) fn bucket(entity: &str, limits: &str) -> Level {
    bucket_on(entity, "r", limits)
}

/// The bucket of `entity` on `resource`, held to limits in their text form.
#[track_caller]
pub(crate) fn bucket_on(entity: &str, on: &str, text: &str) -> Level {
    Level { entity_id: id(entity), resource: resource(on), limits: limits(text) }
}

/// Amounts in whole tokens.
pub(crate) fn tokens<const N: usize>(amounts: [i64; N]) -> Amounts {
    amounts.into_iter().map(Millitokens::from_tokens).collect()
}

/// Amounts in millitokens.
pub(crate) fn milli<const N: usize>(amounts: [i64; N]) -> Amounts {
    amounts.into_iter().map(Millitokens::new).collect()
}

/// What a full bucket holds of a limit.
pub(crate) fn burst_of(limit: &Limit) -> Millitokens {
    Millitokens::from_tokens(valid(i64::try_from(limit.burst())))
}
