//! Usage, counted with the change itself.

use zae_limiter_core::{Timestamp, UsageQuery, Window};

use crate::harness::Harness;
use crate::shorthand::{bucket, bucket_on, id, milli, resource, tokens};

const HOUR_MS: u64 = 3_600_000;
/// 2096-02-29 22:30 UTC, the last evening of a month.
const EVENING: Timestamp = Timestamp::from_millis(3_981_393_000_000);

fn hour_later(h: &Harness) {
    h.advance(HOUR_MS);
}

pub(crate) fn net_consumption_is_counted_in_every_window(h: &Harness) {
    h.set_to(EVENING);
    let b = [bucket("a", "rpm=100/min tpm=1000/min")];
    h.admit(&b, &tokens([1, 200]));
    h.admit(&b, &tokens([1, 100]));
    h.apply(&b, &milli([0, -50_500]), 0);
    hour_later(h);
    h.admit(&b, &tokens([2, 10]));
    hour_later(h);
    h.admit(&b, &tokens([4, 20]));
    assert_eq!(
        h.usage_of("a", Window::Hourly),
        [
            "a r 2096-02-29T22:00:00Z rpm=2 tpm=249.5 events=2",
            "a r 2096-02-29T23:00:00Z rpm=2 tpm=10 events=1",
            "a r 2096-03-01T00:00:00Z rpm=4 tpm=20 events=1",
        ]
    );
    assert_eq!(
        h.usage_of("a", Window::Daily),
        [
            "a r 2096-02-29T00:00:00Z rpm=4 tpm=259.5 events=3",
            "a r 2096-03-01T00:00:00Z rpm=4 tpm=20 events=1",
        ]
    );
    assert_eq!(
        h.usage_of("a", Window::Monthly),
        [
            "a r 2096-02-01T00:00:00Z rpm=4 tpm=259.5 events=3",
            "a r 2096-03-01T00:00:00Z rpm=4 tpm=20 events=1",
        ]
    );
}

pub(crate) fn an_hour_ends_with_its_last_millisecond(h: &Harness) {
    let b = [bucket("a", "n=100/min")];
    h.set_to(Timestamp::from_millis(EVENING.as_millis() + HOUR_MS / 2 - 1));
    h.admit(&b, &tokens([1]));
    h.advance(1);
    h.admit(&b, &tokens([2]));
    assert_eq!(
        h.usage_of("a", Window::Hourly),
        ["a r 2096-02-29T22:00:00Z n=1 events=1", "a r 2096-02-29T23:00:00Z n=2 events=1"]
    );
}

pub(crate) fn a_return_counts_in_the_hour_of_the_return(h: &Harness) {
    h.set_to(EVENING);
    let b = [bucket("a", "n=100/day")];
    h.admit(&b, &tokens([60]));
    hour_later(h);
    h.apply(&b, &tokens([-20]), 0);
    hour_later(h);
    h.roll_back(&b, &tokens([40]));
    assert_eq!(
        h.usage_of("a", Window::Hourly),
        [
            "a r 2096-02-29T22:00:00Z n=60 events=1",
            "a r 2096-02-29T23:00:00Z n=-20 events=0",
            "a r 2096-03-01T00:00:00Z n=-40 events=-1",
        ]
    );
    let days = ["a r 2096-02-29T00:00:00Z n=40 events=1", "a r 2096-03-01T00:00:00Z n=-40 events=-1"];
    assert_eq!(h.usage_of("a", Window::Daily), days);
}

pub(crate) fn a_return_counts_in_full_even_where_the_bucket_is_full(h: &Harness) {
    let b = [bucket("a", "n=10/s")];
    h.admit(&b, &tokens([10]));
    h.advance(900);
    h.apply(&b, &tokens([-4]), 0);
    assert_eq!(h.usage_of("a", Window::Hourly), ["a r 2096-02-28T10:00:00Z n=6 events=1"]);
    h.apply(&[bucket("b", "n=10/s")], &tokens([-4]), 0);
    assert_eq!(h.usage_of("b", Window::Hourly), ["b r 2096-02-28T10:00:00Z n=-4 events=0"]);
}

pub(crate) fn acquires_are_counted_as_told(h: &Harness) {
    let b = [bucket("a", "n=100/day"), bucket("parent", "n=100/day")];
    let ask = tokens([5, 5]);
    h.take(&b, &ask, 1);
    h.take(&b, &ask, 0);
    h.take(&b, &ask, 3);
    h.apply(&b, &tokens([1, 1]), 0);
    h.apply(&b, &tokens([0, 0]), 0);
    let line = |name: &str, events: i64| [format!("{name} r 2096-02-28T10:00:00Z n=16 events={events}")];
    assert_eq!(h.usage_of("a", Window::Hourly), line("a", 4));
    h.apply(&b, &tokens([0, 0]), -1);
    assert_eq!(h.usage_of("a", Window::Hourly), line("a", 3));
    assert_eq!(h.usage_of("parent", Window::Hourly), line("parent", 3), "on every level alike");
}

pub(crate) fn acquires_of_nothing_are_counted(h: &Harness) {
    let b = [bucket("a", "n=100/day")];
    h.admit(&b, &tokens([0]));
    h.admit(&b, &tokens([0]));
    assert_eq!(h.usage_of("a", Window::Hourly), ["a r 2096-02-28T10:00:00Z events=2"]);
}

pub(crate) fn windows_taken_back_are_left_out(h: &Harness) {
    h.set_to(EVENING);
    let b = [bucket("a", "n=100/day")];
    h.admit(&b, &tokens([5]));
    h.roll_back(&b, &tokens([5]));
    assert_eq!(h.usage_of("a", Window::Hourly), [""; 0]);
    h.admit(&b, &tokens([7]));
    hour_later(h);
    h.roll_back(&b, &tokens([7]));
    assert_eq!(h.usage_of("a", Window::Hourly).len(), 2);
    assert_eq!(h.usage_of("a", Window::Daily), [""; 0]);
}

pub(crate) fn a_denied_take_counts_nothing(h: &Harness) {
    let b = [bucket("a", "n=5/day")];
    h.admit(&b, &tokens([3]));
    h.deny(&b, &tokens([3]));
    hour_later(h);
    h.deny(&b, &tokens([4]));
    assert_eq!(h.usage_of("a", Window::Hourly), ["a r 2096-02-28T10:00:00Z n=3 events=1"]);
}

pub(crate) fn a_clock_that_goes_back_over_an_hour_loses_no_usage(h: &Harness) {
    let b = [bucket("a", "n=1M/day")];
    let (earlier, later) = (EVENING, Timestamp::from_millis(EVENING.as_millis() + HOUR_MS));
    for round in 1..=3 {
        h.set_to(earlier);
        h.admit(&b, &tokens([1]));
        h.set_to(later);
        h.admit(&b, &tokens([10]));
        h.set_to(earlier);
        h.admit(&b, &tokens([100]));
        assert_eq!(
            h.usage_of("a", Window::Hourly),
            [
                format!("a r 2096-02-29T22:00:00Z n={} events={}", 101 * round, 2 * round),
                format!("a r 2096-02-29T23:00:00Z n={} events={round}", 10 * round),
            ]
        );
    }
    h.set_to(later);
    let day = ["a r 2096-02-29T00:00:00Z n=333 events=9"];
    assert_eq!(h.usage_of("a", Window::Daily), day);
}

pub(crate) fn counters_stay_when_limits_change_or_are_not_named(h: &Harness) {
    h.set_to(EVENING);
    h.admit(&[bucket("a", "x=10/day y=10/day")], &tokens([1, 2]));
    h.admit(&[bucket("a", "x=99/h")], &tokens([4]));
    h.admit(&[bucket("a", "z=10/day")], &tokens([8]));
    assert_eq!(h.usage_of("a", Window::Hourly), ["a r 2096-02-29T22:00:00Z x=5 y=2 z=8 events=3"]);
    hour_later(h);
    h.admit(&[bucket("a", "z=10/day")], &tokens([1]));
    assert_eq!(h.usage_of("a", Window::Daily), ["a r 2096-02-29T00:00:00Z x=5 y=2 z=9 events=4"]);
}

pub(crate) fn queries_choose_entity_resource_and_range(h: &Harness) {
    h.set_to(EVENING);
    for hour in 0..3 {
        for (entity, on) in [("b", "r"), ("a", "s"), ("a", "r"), ("a b", "r")] {
            h.admit(&[bucket_on(entity, on, "n=100/min")], &tokens([1 + hour]));
        }
        hour_later(h);
    }
    let (first, second) = (Window::Hourly.start(EVENING), Window::Hourly.end(Window::Hourly.start(EVENING)));
    let all = UsageQuery { entity_id: None, ..UsageQuery::of(id("a"), Window::Hourly) };
    let lines = h.usage(&all);
    assert_eq!(lines.len(), 12);
    assert!(
        lines.is_sorted_by_key(|line| line.replace("a b", "a~")),
        "by entity, resource and start: {lines:?}"
    );

    let on = UsageQuery { resource: Some(resource("s")), ..all.clone() };
    assert_eq!(h.usage(&on), lines[3..6]);
    let of = UsageQuery { entity_id: Some(id("a b")), ..all.clone() };
    assert_eq!(h.usage(&of), lines[6..9]);
    let both = UsageQuery { entity_id: Some(id("b")), resource: Some(resource("s")), ..all.clone() };
    assert_eq!(h.usage(&both), [""; 0]);

    let range = |from: Timestamp, to: Timestamp| {
        h.usage(&UsageQuery { from, to, ..UsageQuery::of(id("b"), Window::Hourly) })
    };
    let after = |instant: Timestamp| Timestamp::from_millis(instant.as_millis() + 1);
    assert_eq!(range(first, second), lines[9..10], "`from` is included, `to` is not");
    assert_eq!(range(first, after(second)), lines[9..11]);
    assert_eq!(range(after(first), second), [""; 0]);
    assert_eq!(range(EVENING, Timestamp::MAX), lines[10..12], "a window counts by its start");
    assert_eq!(range(second, first), [""; 0]);
    let day = UsageQuery { from: EVENING, ..UsageQuery::of(id("b"), Window::Daily) };
    assert_eq!(h.usage(&day), ["b r 2096-03-01T00:00:00Z n=3 events=1"]);
}
