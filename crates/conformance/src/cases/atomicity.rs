//! All or nothing (I3).

use zae_limiter_core::{Amounts, Level, LimitStatus, Millitokens, Timestamp, UsageQuery, Window};

use crate::harness::Harness;
use crate::shorthand::{bucket, id, milli, tokens};

const ALL: UsageQuery = UsageQuery {
    entity_id: None,
    resource: None,
    window: Window::Hourly,
    from: Timestamp::EPOCH,
    to: Timestamp::MAX,
};

pub(crate) fn a_limit_that_denies_spares_its_neighbours(h: &Harness) {
    let b = [bucket("a", "x=10/day y=10/day z=10/day")];
    h.admit(&b, &tokens([1, 1, 1]));
    for ask in [[10, 1, 1], [1, 10, 1], [1, 1, 10]] {
        h.deny(&b, &tokens(ask));
        assert_eq!(h.balances(&b), tokens([9, 9, 9]));
    }
    assert_eq!(h.usage(&ALL), ["a r 2096-02-28T10:00:00Z x=1 y=1 z=1 events=1"]);
}

/// A key, its project and its organisation, each held to other limits.
fn cascade() -> [Level; 3] {
    [
        bucket("key", "rpm=10/min tpm=1k/min"),
        bucket("project", "rpm=50/min"),
        bucket("organisation", "tpm=1500/min day=100/day"),
    ]
}

pub(crate) fn three_levels_take_all_or_nothing(h: &Harness) {
    let levels = cascade();
    let ask = tokens([1, 100, 1, 100, 1]);
    h.admit(&levels, &ask);
    let mut left = tokens([9, 900, 49, 1_400, 99]);
    assert_eq!(h.balances(&levels), left);

    for place in 0..left.len() {
        // One limit of one level is made to be in the way, and nothing else.
        let mut more_than_there_is = ask.clone();
        more_than_there_is[place] = left[place] + Millitokens::new(1);
        let statuses = h.deny(&levels, &more_than_there_is);
        let exceeded = statuses.iter().position(LimitStatus::is_exceeded);
        assert_eq!(exceeded, Some(place));
        assert_eq!(h.balances(&levels), left);
    }
    h.admit(&levels, &ask);
    left = tokens([8, 800, 48, 1_300, 98]);
    assert_eq!(h.balances(&levels), left);
    assert_eq!(
        h.usage(&ALL),
        [
            "key r 2096-02-28T10:00:00Z rpm=2 tpm=200 events=2",
            "organisation r 2096-02-28T10:00:00Z day=2 tpm=200 events=2",
            "project r 2096-02-28T10:00:00Z rpm=2 events=2",
        ]
    );
}

pub(crate) fn a_denied_first_touch_leaves_nothing_on_any_level(h: &Harness) {
    for first in 0..3 {
        // Each level is the one to deny, from each place in the list.
        let mut levels = cascade();
        levels.rotate_left(first);
        for denying in 0..3 {
            let mut amounts = Amounts::new();
            for (place, level) in levels.iter().enumerate() {
                let extra = if place == denying { 10_000 } else { 1 };
                amounts.extend(level.limits.iter().map(|_| Millitokens::from_tokens(extra)));
            }
            h.deny(&levels, &amounts);
            assert_eq!(h.balances(&cascade()), tokens([10, 1_000, 50, 1_500, 100]));
            assert_eq!(h.listed("r"), [""; 0]);
            assert_eq!(h.usage(&ALL), [""; 0]);
        }
    }
}

pub(crate) fn debt_of_an_ancestor_denies_its_children(h: &Harness) {
    let parent = bucket("parent", "n=10/s");
    let (ann, bob) = ([bucket("ann", "n=5/s"), parent.clone()], [bucket("bob", "n=5/s"), parent.clone()]);
    h.admit(&ann, &tokens([5, 5]));
    h.apply(&[parent], &milli([5_001]), 0);
    h.deny(&bob, &tokens([1, 0]));
    assert_eq!(h.balances(&bob), milli([5_000, -1]));
    h.advance(1);
    h.admit(&bob, &tokens([1, 0]));
}

pub(crate) fn siblings_share_their_parent(h: &Harness) {
    let parent = bucket("parent", "n=7/day");
    let (ann, bob) = ([bucket("ann", "n=5/day"), parent.clone()], [bucket("bob", "n=5/day"), parent]);
    h.admit(&ann, &tokens([4, 4]));
    h.deny(&bob, &tokens([4, 4]));
    h.admit(&bob, &tokens([3, 3]));
    h.deny(&ann, &tokens([1, 1]));
    assert_eq!(h.balances(&ann), tokens([1, 0]));
    assert_eq!(h.balances(&bob), tokens([2, 0]));
    let children = [id("ann"), id("bob")].map(|id| h.usage(&UsageQuery::of(id, Window::Hourly)));
    assert_eq!(
        children,
        [["ann r 2096-02-28T10:00:00Z n=4 events=1"], ["bob r 2096-02-28T10:00:00Z n=3 events=1"]]
    );
}
