//! A write in the language of DynamoDB: an update and a condition expression.

use std::collections::HashMap;
use std::fmt::{Arguments, Write as _};

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

/// Builds up the clauses of an update, and the condition.
struct Clauses {
    set: String,
    add: String,
    remove: String,
    condition: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Clauses {
    /// With room for what is said of so many limits.
    fn for_limits(limits: usize) -> Self {
        Self {
            set: String::new(),
            add: String::new(),
            remove: String::new(),
            condition: String::new(),
            names: HashMap::with_capacity(3 * limits + 5),
            values: HashMap::with_capacity(5 * limits + 6),
        }
    }

    fn name(&mut self, placeholder: impl Into<String>, name: impl Into<String>) {
        self.names.insert(placeholder.into(), name.into());
    }

    #[expect(clippy::needless_pass_by_value, reason = "numbers, and references to numbers")]
    fn number(&mut self, placeholder: impl Into<String>, number: impl ToString) {
        self.value(placeholder, AttributeValue::N(number.to_string()));
    }

    fn text(&mut self, placeholder: impl Into<String>, text: String) {
        self.value(placeholder, AttributeValue::S(text));
    }

    fn value(&mut self, placeholder: impl Into<String>, value: AttributeValue) {
        self.values.insert(placeholder.into(), value);
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
    fn require_full(&mut self, found: Found, state: &str, present: Arguments<'_>) {
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
    let mut clauses = Clauses::for_limits(write.limits.len());
    for (i, limit_write) in write.limits.iter().enumerate() {
        let limit = &limit_write.limit;
        let (v, lm, tc) = (format!("#v{i}"), format!("#l{i}"), format!("#t{i}"));
        clauses.name(v.as_str(), format!("{}.v", limit.name()));
        if limit_write.step.concerns_parameters() {
            clauses.name(lm.as_str(), format!("{}.lm", limit.name()));
            clauses.text(format!(":l{i}"), limit_text(limit));
        }
        match &limit_write.step {
            Step::Busy { from, to, cost } => {
                clauses.number(format!(":n{i}"), from);
                clauses.number(format!(":m{i}"), to);
                clauses.require(format_args!("{v} BETWEEN :n{i} AND :m{i} AND {lm}=:l{i}"));
                clauses.number(format!(":c{i}"), cost);
                clauses.set(format_args!("{v}={v}+:c{i}"));
            }
            Step::Idle { before, after, found } => {
                clauses.require_full(*found, &v, format_args!("{v}<:n{i} AND {lm}=:l{i}"));
                if *found != Found::Absent {
                    clauses.number(format!(":n{i}"), before);
                }
                clauses.number(format!(":c{i}"), after);
                clauses.set(format_args!("{v}=:c{i}"));
                clauses.set(format_args!("{lm}=:l{i}"));
            }
            Step::Stay { to, found } => {
                clauses.require_full(*found, &v, format_args!("{v}<=:m{i} AND {lm}=:l{i}"));
                if *found != Found::Absent {
                    clauses.number(format!(":m{i}"), to);
                }
                continue;
            }
            Step::Never => {
                clauses.require(format_args!("attribute_exists({v}) AND attribute_not_exists({v})"));
                continue;
            }
            Step::Return { cost } => {
                clauses.number(format!(":c{i}"), cost);
                clauses.require(format_args!("{lm}=:l{i}"));
                clauses.set(format_args!("{v}={v}-:c{i}"));
            }
            Step::Swap { from_limit, from, after } => {
                clauses.number(format!(":n{i}"), from.scaled());
                clauses.text(format!(":f{i}"), limit_text(from_limit));
                clauses.number(format!(":c{i}"), after.scaled());
                clauses.require(format_args!("{v}=:n{i} AND {lm}=:f{i}"));
                clauses.set(format_args!("{v}=:c{i}"));
                clauses.set(format_args!("{lm}=:l{i}"));
            }
        }
        clauses.name(tc.as_str(), format!("{}.tc", limit.name()));
        clauses.number(format!(":a{i}"), limit_write.consumed.get());
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
        clauses.name(format!("#g{i}"), format!("w.{writer}"));
        clauses.number(format!(":g{i}"), number);
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
