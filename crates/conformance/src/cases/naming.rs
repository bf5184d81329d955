//! Names that are easily taken for one another, or for part of a query.

use std::collections::{BTreeMap, BTreeSet};

use zae_limiter_core::{Amounts, Entity, Level, Limit, LimitScope, Millitokens, UsageQuery, Window};

use super::stored_limits::{put, stored};
use crate::harness::{Harness, ask};
use crate::shorthand::{bucket_on, id, limits, resource, tokens};

/// Ids of which each differs from each other one.
fn awkward_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a",
        "A",
        "a ",
        " a",
        "a%",
        "a_",
        "%",
        "_",
        "ab",
        "a*",
        "?",
        "a/b",
        "a:b",
        "a|b",
        "a.b",
        "a,b",
        "a\\b",
        "'",
        "\"",
        "''",
        "a'b",
        "a\"b",
        "'; DROP TABLE buckets; --",
        "a=b&c=d",
        "<a>",
        "{a}",
        "[a]",
        "$a",
        "@a",
        "`a`",
        "-",
        "--",
        "0",
        "00",
        "1",
        "1.0",
        "1e0",
        "null",
        "NULL",
        "true",
        "SYSTEM",
        "system",
        "default",
        "_default",
        "é",
        "e\u{301}",
        "ß",
        "ss",
        "ı",
        "日本語",
        "🦀",
        "🦀🦀",
        "\u{200b}",
        "\u{202e}a",
        "\u{fffd}",
        "ENTITY",
        "META",
        "BUCKET",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("x".repeat(256));
    names.push("x".repeat(255));
    names.push("🦀".repeat(256));
    names
}

pub(crate) fn buckets_and_usage_of_awkward_ids_keep_apart(h: &Harness) {
    let names = awkward_names();
    let levels: Vec<Level> = names.iter().map(|name| bucket_on(name, "r", "n=1000/day")).collect();
    for (level, amount) in levels.iter().zip(1..) {
        h.admit(std::slice::from_ref(level), &tokens([amount]));
    }
    let mut usage = BTreeSet::new();
    for ((level, amount), name) in levels.iter().zip(1..).zip(&names) {
        assert_eq!(h.balances(std::slice::from_ref(level)), tokens([1_000 - amount]), "{name:?}");
        let line = format!("{name} r 2096-02-28T10:00:00Z n={amount} events=1");
        assert_eq!(h.usage_of(name, Window::Hourly), [line.as_str()]);
        usage.insert((level.entity_id.clone(), line));
    }
    let all = UsageQuery { entity_id: None, ..UsageQuery::of(id("a"), Window::Hourly) };
    assert_eq!(h.usage(&all), usage.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), "by entity id");
    assert_eq!(h.listed("r").len(), names.len());
}

pub(crate) fn buckets_and_usage_of_awkward_resources_keep_apart(h: &Harness) {
    let names = awkward_names();
    for (name, amount) in names.iter().zip(1..) {
        h.admit(&[bucket_on("e", name, "n=1000/day")], &tokens([amount]));
    }
    for (name, amount) in names.iter().zip(1..) {
        assert_eq!(h.balances(&[bucket_on("e", name, "n=1000/day")]), tokens([1_000 - amount]), "{name:?}");
        assert_eq!(h.listed(name), [format!("e n=1k/day {}", 1_000 - amount)]);
        let query = UsageQuery { resource: Some(resource(name)), ..UsageQuery::of(id("e"), Window::Hourly) };
        assert_eq!(h.usage(&query), [format!("e {name} 2096-02-28T10:00:00Z n={amount} events=1")]);
    }
}

pub(crate) fn records_and_limits_of_awkward_ids_keep_apart(h: &Harness) {
    let names = awkward_names();
    let at = |name: &str| {
        [
            LimitScope::EntityResource(id(name), resource("r")),
            LimitScope::EntityResource(id("e"), resource(name)),
            LimitScope::Entity(id(name)),
            LimitScope::Resource(resource(name)),
        ]
    };
    let set = |name: usize, scope: usize| limits(&format!("n={}/s", 1 + 10 * name + scope));
    for (n, name) in names.iter().enumerate() {
        let parent = &names[(n + 1) % names.len()];
        ask(h.store().create_entity(&Entity::new(id(name), h.now()).with_parent(id(parent))));
        for (scope, place) in at(name).iter().zip(0..) {
            put(h, scope, &set(n, place));
        }
    }
    put(h, &LimitScope::System, &limits("n=7/min"));
    for (n, name) in names.iter().enumerate() {
        let child = &names[(n + names.len() - 1) % names.len()];
        assert_eq!(ask(h.store().entity(&id(name))).map(|entity| entity.name).as_ref(), Some(name));
        let children: Vec<_> =
            ask(h.store().children(&id(name))).into_iter().map(|entity| entity.id).collect();
        assert_eq!(children, [id(child)]);
        for (scope, place) in at(name).iter().zip(0..) {
            assert_eq!(stored(h, scope), Some(set(n, place)), "{scope}");
        }
    }
    assert_eq!(stored(h, &LimitScope::System), Some(limits("n=7/min")));
}

/// Pairs that become the same when an entity and a resource are joined by a separator.
pub(crate) fn an_entity_and_a_resource_are_two_names(h: &Harness) {
    let separators = ["/", ":", "|", " ", ".", ",", "_", "-", "\u{1f980}", "%", "//", "::"];
    for (n, separator) in separators.iter().enumerate() {
        let joined = format!("b{separator}c");
        let pairs = [(format!("a{n}{separator}b"), "c".to_owned()), (format!("a{n}"), joined)];
        for ((entity, on), amount) in pairs.iter().zip([3, 4]) {
            h.admit(&[bucket_on(entity, on, "n=10/day")], &tokens([amount]));
            let scope = LimitScope::EntityResource(id(entity), resource(on));
            put(h, &scope, &limits(&format!("n={amount}/s")));
        }
        for ((entity, on), amount) in pairs.iter().zip([3, 4]) {
            assert_eq!(
                h.balances(&[bucket_on(entity, on, "n=10/day")]),
                tokens([10 - amount]),
                "{entity:?} {on:?}"
            );
            let scope = LimitScope::EntityResource(id(entity), resource(on));
            assert_eq!(stored(h, &scope), Some(limits(&format!("n={amount}/s"))), "{scope}");
            let line = format!("{entity} {on} 2096-02-28T10:00:00Z n={amount} events=1");
            assert_eq!(h.usage_of(entity, Window::Hourly), [line]);
        }
    }
}

pub(crate) fn limit_names_keep_apart(h: &Harness) {
    let names = ["n", "N", "nn", "n.n", "n_n", "n-n", "v", "tc", "lm", "ac", "ttl", "limits", "select", "PK"];
    let text: Vec<String> = names.iter().map(|name| format!("{name}=100/day")).collect();
    let long = format!("{}=100/day", "x".repeat(64));
    let b = [bucket_on("a", "r", &format!("{} {long}", text.join(" ")))];
    let amounts: Amounts = (1..).take(b[0].limits.len()).map(Millitokens::from_tokens).collect();
    h.admit(&b, &amounts);
    let expected: Amounts = amounts.iter().map(|amount| Millitokens::from_tokens(100) - *amount).collect();
    assert_eq!(h.balances(&b), expected);
    let counters: BTreeMap<_, _> = b[0].limits.iter().map(Limit::name).zip(&amounts).collect();
    let counters: Vec<String> = counters.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    let line = format!("a r 2096-02-28T10:00:00Z {} events=1", counters.join(" "));
    assert_eq!(h.usage_of("a", Window::Hourly), [line]);
}
