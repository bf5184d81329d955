//! `usage` after real acquires.

use serde_json::json;
use snapbox::str;

use crate::sandbox::Sandbox;

fn used() -> Sandbox {
    let sandbox = Sandbox::new();
    let acquire =
        "acquire key-1 gpt-4 --limit rpm=100/day --limit tpm=10k/day --consume rpm=1 --consume tpm=";
    for tokens in ["500", "250"] {
        sandbox.zae(&format!("{acquire}{tokens}")).assert().success();
    }
    sandbox.zae("acquire key-1 claude --limit rpm=100/day").assert().success();
    sandbox
}

#[test]
fn usage_sums_what_was_taken() {
    let sandbox = used();
    // By month, so that a full hour or midnight between two acquires hardly matters.
    let usage = sandbox.json("usage key-1 --resource gpt-4 --window monthly");
    assert_eq!(usage.as_array().unwrap().len(), 1, "{usage}");
    let snapshot = &usage[0];
    assert_eq!(snapshot["counters"], json!({"rpm": 2, "tpm": 750}));
    for (key, value) in [("entity_id", "key-1"), ("resource", "gpt-4"), ("window_type", "monthly")] {
        assert_eq!(snapshot[key], value);
    }
    assert_eq!(snapshot["total_events"], 2);
    for key in ["window_start", "window_end"] {
        assert!(snapshot[key].as_str().unwrap().ends_with("-01T00:00:00Z"), "{snapshot}");
    }
    sandbox.zae("usage key-1 --window monthly").assert().success().stdout_eq(str![[r#"
FROM (UTC)        RESOURCE  ACQUIRES  LIMIT  TOKENS
[..]-01 00:00  claude           1  rpm         1  ████████████████████
[..]-01 00:00  gpt-4            2  rpm         2  ████████████████████
                                      tpm       750  ████████████████████

"#]]);
}

#[test]
fn a_window_is_shown_if_it_starts_in_the_range() {
    let sandbox = used();
    let count = |range: &str| sandbox.json(&format!("usage key-1 {range}")).as_array().unwrap().len();
    assert_eq!(count("--from -1h"), 2);
    assert_eq!(count("--from 2000-01-01 --to 2000-02-01"), 0);
    assert_eq!(count("--to -2d"), 0);
    assert_eq!(count("--from now"), 2, "the window that contains the instant");
    assert_eq!(count("--from +2h"), 0);
    sandbox.zae("usage nobody").assert().success().stdout_eq("no usage\n");
    assert_eq!(sandbox.json("usage nobody"), json!([]));
}

#[test]
fn usage_is_drawn() {
    let sandbox = used();
    sandbox.zae("usage key-1 --plot usage.svg").assert().success();
    let svg = std::fs::read_to_string(sandbox.path("usage.svg")).unwrap();
    for title in
        ["rpm on claude, tokens hourly", "rpm on gpt-4, tokens hourly", "tpm on gpt-4, tokens hourly"]
    {
        assert!(svg.contains(title), "{title}: {svg}");
    }
    assert_eq!(svg.matches("capacity ").count(), 3, "each limit's capacity is drawn: {svg}");
    sandbox.zae("usage nobody --plot nothing.svg").assert().success();
    assert!(std::fs::read_to_string(sandbox.path("nothing.svg")).unwrap().contains("nothing to show"));
    sandbox.zae("usage key-1 --plot .").assert().code(2);
}

#[test]
fn usage_is_written_as_csv() {
    let sandbox = used();
    sandbox.zae("usage key-1 --resource gpt-4 --window monthly --csv").assert().success().stdout_eq(str![[
        r#"
entity_id,resource,window_type,window_start,window_end,total_events,limit,tokens
key-1,gpt-4,monthly,[..]-01T00:00:00Z,[..]-01T00:00:00Z,2,rpm,2
key-1,gpt-4,monthly,[..]-01T00:00:00Z,[..]-01T00:00:00Z,2,tpm,750

"#
    ]]);
    sandbox.zae("usage key-1 --csv --json").assert().code(2);
}

#[test]
fn the_top_entities_of_a_resource_are_shown() {
    let sandbox = used();
    sandbox.zae("acquire key-2 gpt-4 --limit tpm=10k/day --consume tpm=3000").assert().success();
    sandbox.zae("usage --resource gpt-4 --top 2 --by tpm").assert().success().stdout_eq(str![[r#"
ENTITY  TOKENS OF tpm
key-2           3,000  ████████████████████
key-1             750  █████

"#]]);
    let top = sandbox.json("usage --resource gpt-4 --top 1");
    let first = json!({
        "entity_id": "key-1", "resource": "gpt-4", "counters": {"rpm": 2, "tpm": 750}, "total_events": 2
    });
    assert_eq!(top, json!([first]));
    sandbox.zae("usage --resource nothing --top 1").assert().success().stdout_eq("no usage\n");
    for wrong in ["usage", "usage --top 3", "usage key-1 --resource gpt-4 --top 3", "usage key-1 --by tpm"] {
        sandbox.zae(wrong).assert().code(2);
    }
}
