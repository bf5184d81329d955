//! A write in the language of DynamoDB: an update and a condition expression.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;
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
    pub names: HashMap<String, String>,
    /// What `:…` stands for.
    pub values: HashMap<String, AttributeValue>,
}

/// The parameters of a limit as they are written: capacity, burst, refill amount and refill period in s.
pub fn limit_text(limit: &Limit) -> String {
    let period = limit.refill_period().as_secs();
    format!("{}/{}/{}/{period}", limit.capacity(), limit.burst(), limit.refill_amount())
}

/// Builds up the three clauses of an update and the condition.
#[derive(Default)]
struct Clauses {
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    expression: Expression,
}

impl Clauses {
    fn name(&mut self, placeholder: &str, name: String) {
        self.expression.names.insert(placeholder.to_owned(), name);
    }

    #[expect(clippy::needless_pass_by_value, reason = "numbers, and references to numbers")]
    fn number(&mut self, placeholder: &str, number: impl ToString) {
        self.value(placeholder, AttributeValue::N(number.to_string()));
    }

    fn value(&mut self, placeholder: &str, value: AttributeValue) {
        self.expression.values.insert(placeholder.to_owned(), value);
    }

    fn finish(mut self) -> Expression {
        let update = &mut self.expression.update;
        for (keyword, clauses) in [("SET", self.set), ("ADD", self.add), ("REMOVE", self.remove)] {
            if !clauses.is_empty() {
                // Writing to a string cannot fail.
                let _ = write!(
                    update,
                    "{}{keyword} {}",
                    if update.is_empty() { "" } else { " " },
                    clauses.join(",")
                );
            }
        }
        self.expression.condition = self.conditions.join(" AND ");
        self.expression
    }
}

/// Puts `write` to the bucket of `entity` on `resource` into words.
pub fn express(write: &BucketWrite, ns: &Namespace, entity: &EntityId, resource: &Resource) -> Expression {
    let mut clauses = Clauses::default();
    for (i, limit_write) in write.limits.iter().enumerate() {
        let limit = &limit_write.limit;
        let (v, lm, tc) = (format!("#v{i}"), format!("#l{i}"), format!("#t{i}"));
        clauses.name(&v, format!("{}.v", limit.name()));
        if limit_write.step.concerns_parameters() {
            clauses.name(&lm, format!("{}.lm", limit.name()));
            clauses.value(&format!(":l{i}"), AttributeValue::S(limit_text(limit)));
        }
        match &limit_write.step {
            Step::Busy { from, to, cost } => {
                clauses.number(&format!(":n{i}"), from);
                clauses.number(&format!(":m{i}"), to);
                clauses.conditions.push(format!("{v} BETWEEN :n{i} AND :m{i} AND {lm}=:l{i}"));
                clauses.number(&format!(":c{i}"), cost);
                clauses.set.push(format!("{v}={v}+:c{i}"));
            }
            Step::Idle { before, after, found } => {
                clauses.conditions.push(found_full(*found, &v, &format!("{v}<:n{i} AND {lm}=:l{i}")));
                if *found != Found::Absent {
                    clauses.number(&format!(":n{i}"), before);
                }
                clauses.number(&format!(":c{i}"), after);
                clauses.set.push(format!("{v}=:c{i}"));
                clauses.set.push(format!("{lm}=:l{i}"));
            }
            Step::Stay { to, found } => {
                clauses.conditions.push(found_full(*found, &v, &format!("{v}<=:m{i} AND {lm}=:l{i}")));
                if *found != Found::Absent {
                    clauses.number(&format!(":m{i}"), to);
                }
                continue;
            }
            Step::Never => {
                clauses.conditions.push(format!("attribute_exists({v}) AND attribute_not_exists({v})"));
                continue;
            }
            Step::Return { cost } => {
                clauses.number(&format!(":c{i}"), cost);
                clauses.conditions.push(format!("{lm}=:l{i}"));
                clauses.set.push(format!("{v}={v}-:c{i}"));
            }
            Step::Swap { from_limit, from, after } => {
                clauses.number(&format!(":n{i}"), from.scaled());
                clauses.value(&format!(":f{i}"), AttributeValue::S(limit_text(from_limit)));
                clauses.number(&format!(":c{i}"), after.scaled());
                clauses.conditions.push(format!("{v}=:n{i} AND {lm}=:f{i}"));
                clauses.set.push(format!("{v}=:c{i}"));
                clauses.set.push(format!("{lm}=:l{i}"));
            }
        }
        clauses.name(&tc, format!("{}.tc", limit.name()));
        clauses.number(&format!(":a{i}"), limit_write.consumed.get());
        clauses.add.push(format!("{tc} :a{i}"));
    }
    stamp(&mut clauses, write);
    expiry(&mut clauses, write.expiry);
    clauses.name("#ac", schema::ACQUIRES.to_owned());
    clauses.number(":ac", write.acquires);
    clauses.add.push("#ac :ac".to_owned());
    if write.may_create {
        clauses.name("#gp", schema::GSI2_PK.to_owned());
        clauses.name("#gs", schema::GSI2_SK.to_owned());
        clauses.value(":gp", AttributeValue::S(ns.resource(resource)));
        clauses.value(":gs", AttributeValue::S(schema::bucket_gsi2_sk(entity)));
        clauses.set.push("#gp=:gp,#gs=:gs".to_owned());
    } else if !write.limits.iter().any(|limit_write| limit_write.step.needs_presence()) {
        clauses.name("#pk", schema::PK.to_owned());
        clauses.conditions.push("attribute_exists(#pk)".to_owned());
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

/// The condition that a bucket is full: absent, or as `present` says.
fn found_full(found: Found, state: &str, present: &str) -> String {
    match found {
        Found::Absent => format!("attribute_not_exists({state})"),
        Found::Present => present.to_owned(),
        Found::Unknown => format!("(attribute_not_exists({state}) OR {present})"),
    }
}

fn stamp(clauses: &mut Clauses, write: &BucketWrite) {
    clauses.name("#w", format!("w.{}", write.stamp.writer));
    clauses.number(":w", write.stamp.number);
    clauses.set.push("#w=:w".to_owned());
    clauses.number(":u", write.stamp.first);
    clauses.conditions.push("(attribute_not_exists(#w) OR #w<:u)".to_owned());
    for (i, (writer, number)) in write.forget.iter().enumerate() {
        clauses.name(&format!("#g{i}"), format!("w.{writer}"));
        clauses.number(&format!(":g{i}"), number);
        clauses.conditions.push(format!("#g{i}=:g{i}"));
        clauses.remove.push(format!("#g{i}"));
    }
}

fn expiry(clauses: &mut Clauses, expiry: Expiry) {
    match expiry {
        Expiry::Keep(least) => {
            clauses.number(":x", least);
            clauses.conditions.push("#x>=:x".to_owned());
        }
        Expiry::Raise(to) => {
            clauses.number(":x", to);
            clauses.conditions.push("(attribute_not_exists(#x) OR #x<=:x)".to_owned());
            clauses.set.push("#x=:x".to_owned());
        }
    }
    clauses.name("#x", schema::TTL.to_owned());
}
