//! A write in words, within what DynamoDB allows an expression.

use std::collections::HashSet;

use proptest::prelude::*;
use zae_limiter_core::{EntityId, FullAt, Level, Limit, LimitSet, Millitokens, Resource, Timestamp};
use zae_limiter_store_dynamodb::expression::{Expression, express};
use zae_limiter_store_dynamodb::item::{BucketItem, Known, LimitItem, Writer};
use zae_limiter_store_dynamodb::plan::{Asked, BucketWrite, Kind, plan};
use zae_limiter_store_dynamodb::schema::Namespace;

use crate::case::{NOW_MS, cases, stamp};

/// Bytes of an expression at most.
const LENGTH_AT_MOST: usize = 4_096;
/// Operators and functions of an expression at most.
const OPERATORS_AT_MOST: usize = 300;

fn rendered(write: &BucketWrite, level: &Level) -> Expression {
    express(write, &Namespace::new("namespace").unwrap(), &level.entity_id, &level.resource)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_#:".contains(character)
}

/// Names, placeholders, operators and parentheses.
fn tokens(expression: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut last = ' ';
    for character in expression.chars() {
        let symbol = "<>=".contains(character);
        let goes_on = is_word(character) && is_word(last) || symbol && "<>=".contains(last);
        match tokens.last_mut() {
            Some(token) if goes_on => token.push(character),
            _ if character == ' ' => {}
            _ => tokens.push(character.to_string()),
        }
        last = character;
    }
    tokens
}

fn condition_operators(condition: &str) -> usize {
    let tokens = tokens(condition);
    let is_operator = |token: &&String| {
        matches!(token.as_str(), "AND" | "OR" | "NOT" | "BETWEEN" | "=" | "<" | ">" | "<=" | ">=" | "<>")
            || token.starts_with("attribute_")
    };
    let between = tokens.iter().filter(|token| *token == "BETWEEN").count();
    // The AND of a BETWEEN is part of it.
    tokens.iter().filter(is_operator).count() - between
}

fn update_operators(update: &str) -> usize {
    tokens(update)
        .iter()
        .filter(|token| matches!(token.as_str(), "+" | "-") || token.ends_with("exists"))
        .count()
}

fn check(expression: &Expression) {
    for (text, operators) in [
        (&expression.condition, condition_operators(&expression.condition)),
        (&expression.update, update_operators(&expression.update)),
    ] {
        assert!(text.len() <= LENGTH_AT_MOST, "{} bytes: {text}", text.len());
        assert!(operators <= OPERATORS_AT_MOST, "{operators} operators: {text}");
    }
    let text = format!("{} {}", expression.update, expression.condition);
    let tokens = tokens(&text);
    let used = |sign: char| -> HashSet<&str> {
        tokens.iter().map(String::as_str).filter(|token| token.starts_with(sign)).collect()
    };
    let names: Vec<String> = expression.names.iter().map(|(name, _)| name.to_string()).collect();
    let values: Vec<String> = expression.values.iter().map(|(value, _)| value.to_string()).collect();
    for (sign, given) in [('#', &names), (':', &values)] {
        assert_eq!(used(sign), given.iter().map(String::as_str).collect(), "{text}");
        assert_eq!(used(sign).len(), given.len(), "one placeholder twice: {given:?}");
    }
    let distinct: HashSet<_> = expression.names.iter().map(|(_, attribute)| attribute).collect();
    assert_eq!(
        distinct.len(),
        expression.names.len(),
        "one attribute under two names: {:?}",
        expression.names
    );
}

#[test]
fn counts_operators() {
    assert_eq!(condition_operators("#v BETWEEN :a AND :b AND #l=:l"), 3);
    assert_eq!(condition_operators("(attribute_not_exists(#v) OR #v<:n AND #l=:l)"), 5);
    assert_eq!(update_operators("SET #v=#v+:c,#l=:l ADD #t :a REMOVE #g"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_placeholder_is_used_and_every_expression_fits(case in cases()) {
        check(&rendered(&case.planned(), &case.level));
    }
}

/// How much of a bucket with the most limits is known, and how it is.
#[derive(Clone, Copy, Debug)]
enum Found {
    Unknown,
    Gone,
    Other,
    Full,
    Busy,
    Debt,
}

#[test]
fn sixty_four_limits_fit_in_every_branch() {
    let named = |i: usize, burst: u64| Limit::new(format!("limit-{i}"), 1, burst, 1_000_000, 1_000).unwrap();
    let limits = LimitSet::new((0..64).map(|i| named(i, 1_000_000))).unwrap();
    let level = Level {
        entity_id: EntityId::new("e").unwrap(),
        resource: Resource::new("r").unwrap(),
        limits: limits.clone(),
    };
    let now = Timestamp::from_millis(NOW_MS);
    let item = |found: Found| {
        let mut item = BucketItem { ttl: NOW_MS / 1_000, ..BucketItem::default() };
        // More silent writers than fit into one sweep.
        item.writers.extend((100..400).map(|number| (Writer::from_number(number), number)));
        for (i, limit) in limits.iter().enumerate() {
            let held = if matches!(found, Found::Other) { named(i, 7) } else { limit.clone() };
            let rate = held.rate();
            let ahead = match found {
                Found::Busy => rate.scaled_burst() / 2,
                Found::Debt => rate.scaled_burst() * 2,
                _ => -1,
            };
            let full_at = FullAt::from_scaled(rate.scaled_now(now) + ahead);
            item.limits.insert(
                limit.name().clone(),
                LimitItem { limit: held, full_at, consumed: Millitokens::ZERO },
            );
        }
        item
    };
    for found in [Found::Unknown, Found::Gone, Found::Other, Found::Full, Found::Busy, Found::Debt] {
        let known = match found {
            Found::Unknown => None,
            Found::Gone => Some(None),
            _ => Some(Some(item(found))),
        };
        let known = known.map(|item| Known { item, at: now });
        for likely_busy in [false, true] {
            for (kind, amount) in [
                (Kind::Take, 0),
                (Kind::Take, 1_000),
                (Kind::Take, i64::MAX),
                (Kind::Apply, 9),
                (Kind::Apply, -9),
            ] {
                let amounts = vec![Millitokens::new(amount); limits.len()];
                let asked = Asked { level: &level, amounts: &amounts, acquires: 1, kind };
                let write = plan(asked, known.as_ref(), |_| likely_busy, now, stamp(1));
                check(&rendered(&write, &level));
            }
        }
    }
}
