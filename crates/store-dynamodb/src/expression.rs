//! A write in the language of DynamoDB: an update and a condition expression.

use std::collections::HashMap;
use std::fmt::{self, Arguments, Write as _};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, Serializer};
use zae_limiter_core::{EntityId, Limit, Resource};

use crate::plan::{BucketWrite, Expiry, Found, Step};
use crate::schema::{self, Namespace};

/// The parameters of an `UpdateItem`, or of an `Update` in a transaction.
#[derive(Debug, Default)]
pub struct Expression {
    /// `SET … ADD … REMOVE …`.
    pub update: String,
    /// All that has to hold.
    pub condition: String,
    /// What `#…` stands for.
    pub names: Vec<(Placeholder, String)>,
    /// What `:…` stands for.
    pub values: Vec<(Placeholder, Value)>,
}

/// What stands for the name of an attribute (`#…`) or for a value (`:…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placeholder {
    sign: &'static str,
    /// Of which limit, or of which writer.
    of: Option<usize>,
}

impl Placeholder {
    const fn nth(sign: &'static str, of: usize) -> Self {
        Self { sign, of: Some(of) }
    }
}

impl From<&'static str> for Placeholder {
    fn from(sign: &'static str) -> Self {
        Self { sign, of: None }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign)?;
        self.of.map_or(Ok(()), |of| of.fmt(f))
    }
}

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A value in an expression, or in a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Value {
    /// A number, in decimal.
    #[serde(rename = "N")]
    Number(#[serde(serialize_with = "in_decimal")] i128),
    /// A text.
    #[serde(rename = "S")]
    Text(String),
}

fn in_decimal<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

impl From<Value> for AttributeValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Number(number) => Self::N(number.to_string()),
            Value::Text(text) => Self::S(text),
        }
    }
}

/// Names or values of an expression as the SDK wants them.
pub fn of_sdk<T, U: From<T>>(meanings: Vec<(Placeholder, T)>) -> HashMap<String, U> {
    meanings.into_iter().map(|(placeholder, meaning)| (placeholder.to_string(), meaning.into())).collect()
}

/// The parameters of a limit as they are written: capacity, burst, refill amount and refill period in s.
pub fn limit_text(limit: &Limit) -> String {
    let period = limit.refill_period().as_secs();
    format!("{}/{}/{}/{period}", limit.capacity(), limit.burst(), limit.refill_amount())
}

/// Builds up the clauses of an update, and the condition.
#[derive(Default)]
struct Clauses {
    set: String,
    add: String,
    remove: String,
    condition: String,
    names: Vec<(Placeholder, String)>,
    values: Vec<(Placeholder, Value)>,
}

impl Clauses {
    fn name(&mut self, placeholder: impl Into<Placeholder>, name: impl Into<String>) {
        self.names.push((placeholder.into(), name.into()));
    }

    fn number(&mut self, placeholder: impl Into<Placeholder>, number: impl Into<i128>) {
        self.values.push((placeholder.into(), Value::Number(number.into())));
    }

    fn text(&mut self, placeholder: impl Into<Placeholder>, text: String) {
        self.values.push((placeholder.into(), Value::Text(text)));
    }

    fn set(&mut self, clause: Arguments<'_>) {
        append(&mut self.set, ",", clause);
    }

    fn add(&mut self, clause: Arguments<'_>) {
        append(&mut self.add, ",", clause);
    }

    fn remove(&mut self, clause: Arguments<'_>) {
        append(&mut self.remove, ",", clause);
    }

    fn require(&mut self, condition: Arguments<'_>) {
        append(&mut self.condition, " AND ", condition);
    }

    /// That a bucket is full: absent, or as `present` says.
    fn require_full(&mut self, found: Found, state: Placeholder, present: Arguments<'_>) {
        match found {
            Found::Absent => self.require(format_args!("attribute_not_exists({state})")),
            Found::Present => self.require(present),
            Found::Unknown => self.require(format_args!("(attribute_not_exists({state}) OR {present})")),
        }
    }

    fn finish(self) -> Expression {
        let mut update = String::with_capacity(16 + self.set.len() + self.add.len() + self.remove.len());
        for (keyword, clauses) in [("SET", self.set), ("ADD", self.add), ("REMOVE", self.remove)] {
            if !clauses.is_empty() {
                append(&mut update, " ", format_args!("{keyword} {clauses}"));
            }
        }
        Expression { update, condition: self.condition, names: self.names, values: self.values }
    }
}

fn append(text: &mut String, separator: &str, more: Arguments<'_>) {
    if !text.is_empty() {
        text.push_str(separator);
    }
    // Writing to a string cannot fail.
    let _ = text.write_fmt(more);
}

/// Puts `write` to the bucket of `entity` on `resource` into words.
pub fn express(write: &BucketWrite, ns: &Namespace, entity: &EntityId, resource: &Resource) -> Expression {
    let nth = Placeholder::nth;
    let mut clauses = Clauses::default();
    for (i, limit_write) in write.limits.iter().enumerate() {
        let limit = &limit_write.limit;
        let (v, lm, tc) = (nth("#v", i), nth("#l", i), nth("#t", i));
        clauses.name(v, format!("{}.v", limit.name()));
        if limit_write.step.concerns_parameters() {
            clauses.name(lm, format!("{}.lm", limit.name()));
            clauses.text(nth(":l", i), limit_text(limit));
        }
        match limit_write.step {
            Step::Busy { from, to, cost } => {
                clauses.number(nth(":n", i), from);
                clauses.number(nth(":m", i), to);
                clauses.require(format_args!("{v} BETWEEN :n{i} AND :m{i} AND {lm}=:l{i}"));
                clauses.number(nth(":c", i), cost);
                clauses.set(format_args!("{v}={v}+:c{i}"));
            }
            Step::Idle { before, after, found } => {
                clauses.require_full(found, v, format_args!("{v}<:n{i} AND {lm}=:l{i}"));
                if found != Found::Absent {
                    clauses.number(nth(":n", i), before);
                }
                clauses.number(nth(":c", i), after);
                clauses.set(format_args!("{v}=:c{i}"));
                clauses.set(format_args!("{lm}=:l{i}"));
            }
            Step::Stay { to, found } => {
                clauses.require_full(found, v, format_args!("{v}<=:m{i} AND {lm}=:l{i}"));
                if found != Found::Absent {
                    clauses.number(nth(":m", i), to);
                }
                continue;
            }
            Step::Never => {
                clauses.require(format_args!("attribute_exists({v}) AND attribute_not_exists({v})"));
                continue;
            }
            Step::Return { cost } => {
                clauses.number(nth(":c", i), cost);
                clauses.require(format_args!("{lm}=:l{i}"));
                clauses.set(format_args!("{v}={v}-:c{i}"));
            }
            Step::Swap { ref from_limit, from, after } => {
                clauses.number(nth(":n", i), from.scaled());
                clauses.text(nth(":f", i), limit_text(from_limit));
                clauses.number(nth(":c", i), after.scaled());
                clauses.require(format_args!("{v}=:n{i} AND {lm}=:f{i}"));
                clauses.set(format_args!("{v}=:c{i}"));
                clauses.set(format_args!("{lm}=:l{i}"));
            }
        }
        clauses.name(tc, format!("{}.tc", limit.name()));
        clauses.number(nth(":a", i), limit_write.consumed.get());
        clauses.add(format_args!("{tc} :a{i}"));
    }
    stamp(&mut clauses, write);
    expiry(&mut clauses, write.expiry);
    clauses.name("#ac", schema::ACQUIRES);
    clauses.number(":ac", write.acquires);
    clauses.add(format_args!("#ac :ac"));
    if write.may_create {
        clauses.name("#gp", schema::GSI2_PK);
        clauses.name("#gs", schema::GSI2_SK);
        clauses.text(":gp", ns.resource(resource));
        clauses.text(":gs", schema::bucket_gsi2_sk(entity));
        clauses.set(format_args!("#gp=:gp,#gs=:gs"));
    } else if !write.limits.iter().any(|limit_write| limit_write.step.needs_presence()) {
        clauses.name("#pk", schema::PK);
        clauses.require(format_args!("attribute_exists(#pk)"));
    }
    clauses.finish()
}

impl Step {
    /// Whether its condition holds only for an item that is there.
    const fn needs_presence(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Return { .. } | Self::Swap { .. } => true,
            Self::Idle { found, .. } | Self::Stay { found, .. } => matches!(found, Found::Present),
            Self::Never => false,
        }
    }

    /// Whether the parameters of the limit occur in the expression.
    const fn concerns_parameters(&self) -> bool {
        !matches!(self, Self::Stay { found: Found::Absent, .. } | Self::Never)
    }
}

fn stamp(clauses: &mut Clauses, write: &BucketWrite) {
    clauses.name("#w", format!("w.{}", write.stamp.writer));
    clauses.number(":w", write.stamp.number);
    clauses.set(format_args!("#w=:w"));
    clauses.number(":u", write.stamp.first);
    clauses.require(format_args!("(attribute_not_exists(#w) OR #w<:u)"));
    for (i, (writer, number)) in write.forget.iter().enumerate() {
        clauses.name(Placeholder::nth("#g", i), format!("w.{writer}"));
        clauses.number(Placeholder::nth(":g", i), *number);
        clauses.require(format_args!("#g{i}=:g{i}"));
        clauses.remove(format_args!("#g{i}"));
    }
}

fn expiry(clauses: &mut Clauses, expiry: Expiry) {
    match expiry {
        Expiry::Keep(least) => {
            clauses.number(":x", least);
            clauses.require(format_args!("#x>=:x"));
        }
        Expiry::Raise(to) => {
            clauses.number(":x", to);
            clauses.require(format_args!("(attribute_not_exists(#x) OR #x<=:x)"));
            clauses.set(format_args!("#x=:x"));
        }
    }
    clauses.name("#x", schema::TTL);
}
