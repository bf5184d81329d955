//! `replay`, request by request beside an independent computation.

mod model;

use std::fmt::Write;

use serde_json::{Value, json};
use snapbox::str;

use self::model::{Limit, Model, Request};
use crate::sandbox::{Sandbox, workspace};

/// One way to replay a log: the arguments, and the same for the model.
struct Scenario {
    limits: &'static [Limit],
    arguments: &'static str,
    /// What each limit is asked for, and what that is settled to.
    tokens: fn(&Row) -> Vec<(u64, u64)>,
    by_entity: bool,
    wait_ms: u64,
}

/// A row of a log, in the order of the file.
struct Row {
    millis: u64,
    key: String,
    input: u64,
    output: u64,
}

const fn limit(name: &'static str, amount: u64, period_s: u64, burst: u64) -> Limit {
    Limit { name, amount, period_s, burst }
}

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        limits: &[limit("rpm", 100, 60, 100)],
        arguments: "--limit rpm=100/min",
        tokens: |_| vec![(1, 1)],
        by_entity: false,
        wait_ms: 0,
    },
    Scenario {
        limits: &[limit("rpm", 100, 60, 100), limit("tpm", 150_000, 60, 200_000)],
        arguments: "--limit rpm=100/min --limit tpm=150k/min:burst=200k \
                    --consume rpm=1 --consume tpm=ContextTokens+GeneratedTokens",
        tokens: |row| vec![(1, 1), (row.input + row.output, row.input + row.output)],
        by_entity: false,
        wait_ms: 0,
    },
    Scenario {
        // Debt: the settlement takes more than there is.
        limits: &[limit("tpm", 100_003, 60, 100_003), limit("rps", 7, 3, 9)],
        arguments: "--limit tpm=100_003/min --limit rps=7/3s:capacity=9 \
                    --consume tpm=ContextTokens --consume rps=1 --settle tpm=ContextTokens+GeneratedTokens+GeneratedTokens+977",
        tokens: |row| vec![(row.input, row.input + 2 * row.output + 977), (1, 1)],
        by_entity: false,
        wait_ms: 0,
    },
    Scenario {
        // Returns: the settlement gives back, also of a limit that nothing else is asked of.
        limits: &[limit("tph", 3_000_000, 3600, 3_000_000), limit("out", 50, 1, 500), limit("n", 5, 1, 60)],
        arguments: "--limit tph=3M/h --limit out=50/s:capacity=500 --limit n=5/s:burst=60 \
                    --consume tph=ContextTokens+5000 --consume n=3 --settle tph=ContextTokens --settle out=GeneratedTokens --settle n=0",
        tokens: |row| vec![(row.input + 5_000, row.input), (0, row.output), (3, 0)],
        by_entity: false,
        wait_ms: 0,
    },
    Scenario {
        limits: &[limit("rpm", 10, 60, 10), limit("tpm", 20_000, 60, 20_000)],
        arguments: "--limit rpm=10/min,tpm=20k/min --consume rpm=1,tpm=ContextTokens --entity-column key",
        tokens: |row| vec![(1, 1), (row.input, row.input)],
        by_entity: true,
        wait_ms: 0,
    },
    Scenario {
        limits: &[limit("rpm", 100, 60, 20), limit("tpm", 150_000, 60, 150_000)],
        arguments: "--limit rpm=100/min:capacity=20 --limit tpm=150k/min --consume rpm=1 --consume tpm=ContextTokens --wait 2500ms",
        tokens: |row| vec![(1, 1), (row.input, row.input)],
        by_entity: false,
        wait_ms: 2_500,
    },
    Scenario {
        limits: &[limit("tpm", 2_000, 60, 4_500)],
        arguments: "--limit tpm=2k/min:capacity=4500 --consume tpm=ContextTokens --settle tpm=GeneratedTokens+1 --wait 1m --entity-column key",
        tokens: |row| vec![(row.input, row.output + 1)],
        by_entity: true,
        wait_ms: 60_000,
    },
];

/// A log of 4,000 requests in bursts, out of order, with times in all forms. The same every time.
fn generated() -> (String, Vec<Row>) {
    let mut random = fastrand::Rng::with_seed(7);
    let mut rows = Vec::new();
    let mut now = 1_700_158_623_000;
    for _ in 0..4_000 {
        now += if random.u8(..) < 6 { random.u64(..120_000) } else { random.u64(..400) };
        // Late by up to a minute, and often in the same millisecond as another.
        let millis = now - random.u64(..60_000) * u64::from(random.u8(..) < 40);
        let most = if random.u8(..) < 3 { 40_000 } else { 4_000 };
        rows.push(Row {
            millis: millis - millis % [1, 100][random.usize(..2)],
            key: ["alpha", "beta", "gamma, delta"][random.usize(..3)].to_owned(),
            input: random.u64(..most),
            output: random.u64(..600),
        });
    }
    let mut csv = String::from("key,TIMESTAMP,GeneratedTokens,ContextTokens\n");
    for row in &rows {
        let (seconds, fraction) = (row.millis / 1_000, row.millis % 1_000);
        let utc = jiff::Timestamp::from_second(seconds.cast_signed()).unwrap().to_string();
        let (date, time) = utc.trim_end_matches('Z').split_once('T').unwrap();
        // Digits beyond milliseconds are cut off.
        let time = match random.usize(..3) {
            0 => format!("{date} {time}.{fraction:03}9999"),
            1 => format!("{date}T{time}.{fraction:03}Z"),
            _ => format!("{seconds}.{fraction:03}5"),
        };
        writeln!(csv, "\"{}\",{time},{},{}", row.key, row.output, row.input).unwrap();
    }
    (csv, rows)
}

fn expected(scenario: &Scenario, rows: &[Row]) -> Value {
    let requests = rows.iter().map(|row| Request {
        millis: row.millis,
        entity: if scenario.by_entity { row.key.clone() } else { String::new() },
        tokens: (scenario.tokens)(row),
    });
    let mut report = Model::new(scenario.limits, scenario.wait_ms).replay(&requests.collect::<Vec<_>>());
    let time = |millis: Option<u64>| {
        jiff::Timestamp::from_millisecond(millis.unwrap().cast_signed()).unwrap().to_string()
    };
    report["first_time"] = time(rows.iter().map(|row| row.millis).min()).into();
    report["last_time"] = time(rows.iter().map(|row| row.millis).max()).into();
    report["skipped"] = 0.into();
    rounded(report)
}

fn replayed(sandbox: &Sandbox, file: &str, arguments: &str) -> Value {
    let mut report = sandbox.json(&format!("replay {file} {arguments}"));
    let elapsed = report.as_object_mut().unwrap().remove("elapsed_seconds").unwrap();
    assert!(elapsed.as_f64().unwrap() > 0.0);
    rounded(report)
}

/// The same with shares to twelve digits, as reading a number back may change its last.
fn rounded(mut report: Value) -> Value {
    for limit in report["limits"].as_object_mut().unwrap().values_mut() {
        let share = limit["peak_utilization"].as_f64().unwrap();
        limit["peak_utilization"] = format!("{share:.12}").into();
    }
    report
}

#[test]
fn i2_a_replay_equals_the_exact_computation_to_the_request() {
    let sandbox = Sandbox::new();
    let (csv, rows) = generated();
    sandbox.file("log.csv", csv);
    for scenario in &SCENARIOS {
        let expected = expected(scenario, &rows);
        assert_eq!(replayed(&sandbox, "log.csv", scenario.arguments), expected, "{}", scenario.arguments);
        assert!(expected["admitted"].as_u64().unwrap() > 100, "{expected}");
        assert!(expected["denied"].as_u64().unwrap() > 100, "{expected}");
    }
}

/// The public trace of requests to a language model, where it is at hand.
#[test]
fn i2_so_does_the_replay_of_a_real_trace() {
    let path = workspace().join("../shared/data/azure-llm-code-2023.csv");
    let Ok(csv) = std::fs::read_to_string(&path) else { return };
    let rows: Vec<Row> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let time: jiff::Timestamp = format!("{}Z", fields[0]).parse().unwrap();
            let (millis, key) = (time.as_millisecond().unsigned_abs(), String::new());
            Row { millis, key, input: fields[1].parse().unwrap(), output: fields[2].trim().parse().unwrap() }
        })
        .collect();
    let sandbox = Sandbox::new();
    for scenario in SCENARIOS.iter().filter(|scenario| !scenario.by_entity) {
        let report = replayed(&sandbox, &path.display().to_string(), scenario.arguments);
        assert_eq!(report, expected(scenario, &rows), "{}", scenario.arguments);
    }
}

const SMALL: &str = "\
when,who,tokens
100,a,4
160,b,20
100.0009,a,4
102,a,5
";

#[test]
fn a_report_has_totals_limits_and_time() {
    let sandbox = Sandbox::new();
    sandbox.file("small.csv", SMALL);
    let replay = "replay small.csv --time-column when --limit n=2/day --limit tpm=10/min --consume n=1 --consume tpm=tokens";
    sandbox
        .zae(replay)
        .assert()
        .success()
        .stdout_eq(str![[r#"
4 requests from 1970-01-01T00:01:40Z to 1970-01-01T00:02:40Z (1m)
admitted 2 (50.0 %), of these delayed 0; denied 2 (50.0 %)

LIMIT       DENIED  CONSUMED  PEAK USE OF THE BURST
n=2/day          2         2  ████████████████████   100.0 %
tpm=10/min       2         8  ████████████████░░░░    80.0 %

TIME (UTC)           ADMITTED  DENIED
1970-01-01 00:01:40         2       1  ███████████████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒
[..]
...

"#]])
        .stderr_eq("");
}

#[test]
fn a_request_that_waits_is_delayed_and_keeps_its_turn() {
    let sandbox = Sandbox::new();
    sandbox.file("queue.csv", "ts,n\n10,10\n10,6\n16,1\n16,1\n");
    // A token a second, 10 at most. The second request waits until 16, where it comes before those that arrive then: they
    // wait in turn, one until 17, the other until 18. Had they come first, it would have been denied.
    let report = replayed(&sandbox, "queue.csv", "--limit n=1/s:capacity=10 --consume n=n --wait 6s");
    assert_eq!((&report["admitted"], &report["delayed"]), (&json!(4), &json!(3)), "{report}");
    let report = replayed(&sandbox, "queue.csv", "--limit n=1/s:capacity=10 --consume n=n --wait 1s");
    assert_eq!((&report["delayed"], &report["denied"]), (&json!(0), &json!(1)), "{report}");
}

#[test]
fn bad_rows_are_left_out_on_demand() {
    let sandbox = Sandbox::new();
    sandbox.file("log.csv", "ts,n\n1,1\n2,x\n\n3\n4,1\n");
    let report = replayed(&sandbox, "log.csv", "--limit n=1/s --consume n=n --skip-bad");
    assert_eq!((&report["requests"], &report["skipped"]), (&json!(2), &json!(2)), "{report}");
    sandbox.zae("replay log.csv --limit n=1/s --consume n=n").assert().code(2).stdout_eq("").stderr_eq(str![
        [r#"
error: log.csv: line 3, column n: expected a whole number (at most 1000000000000 tokens in all), found "x"

"#]
    ]);
}

#[test]
fn a_log_without_requests_has_an_empty_report() {
    let sandbox = Sandbox::new();
    sandbox.file("log.csv", "ts,n\n");
    let report = replayed(&sandbox, "log.csv", "--limit n=1/s");
    let limits = json!({"n": {"denied": 0, "consumed": 0, "peak_utilization": "0.000000000000"}});
    let totals = json!({
        "requests": 0, "admitted": 0, "denied": 0, "delayed": 0, "skipped": 0, "first_time": null, "last_time": null,
        "entities": 0, "limits": limits,
    });
    assert_eq!(report, totals);
    sandbox.zae("replay log.csv --limit n=1/s --plot log.svg").assert().success().stdout_eq(str![[r#"
0 requests
admitted 0 (0 %), of these delayed 0; denied 0 (0 %)

LIMIT  DENIED  CONSUMED  PEAK USE OF THE BURST
n=1/s       0         0  ░░░░░░░░░░░░░░░░░░░░   0.0 %

"#]]);
}

#[test]
fn a_log_is_read_from_stdin_and_drawn() {
    let sandbox = Sandbox::new();
    let replay =
        "replay - --limit tpm=10/min --time-column when --consume tpm=tokens --plot replay.svg --json";
    sandbox.zae(replay).stdin(SMALL).assert().success();
    let svg = std::fs::read_to_string(sandbox.path("replay.svg")).unwrap();
    for text in ["requests every 1s, from 1970-01-01 00:01 UTC", "00:02", "admitted", "denied", "tpm"] {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    sandbox
        .zae("replay - --limit n=1/s")
        .stdin("ts\nx\n")
        .assert()
        .code(2)
        .stderr_eq("error: stdin: line 2, column ts: [..]\n");
}

#[test]
fn a_replay_touches_no_store() {
    let sandbox = Sandbox::new();
    sandbox.file("log.csv", "ts\n1\n");
    sandbox.zae("replay log.csv --limit n=1/s --store redis://nowhere").assert().success();
    assert!(!sandbox.default_store().exists());
}

#[cfg(feature = "sqlite")]
#[test]
fn a_replay_into_a_file_is_the_same_and_leaves_its_usage_there() {
    let sandbox = Sandbox::new();
    let times =
        ["2024-05-01 10:00:00", "2024-05-01 10:59:59.5", "2024-05-01 11:00:00", "2024-05-01 11:00:00.1"];
    let rows: Vec<String> = times.iter().map(|time| format!("{time},3")).collect();
    sandbox.file("log.csv", format!("ts,tokens\n{}\n", rows.join("\n")));
    let limits = "--limit tpm=6/min --consume tpm=1 --settle tpm=tokens";
    let into = replayed(&sandbox, "log.csv", &format!("{limits} --into sqlite:replayed.db"));
    assert_eq!(into, replayed(&sandbox, "log.csv", limits));
    let usage = "usage everyone --store sqlite:replayed.db --from 2024-05-01 --to 2024-05-02";
    let hours = sandbox.json(usage);
    let counted: Vec<_> =
        hours.as_array().unwrap().iter().map(|hour| hour["counters"]["tpm"].clone()).collect();
    assert_eq!(counted, [6, 3], "{hours}: of the two at 11 only one is admitted");
    for wrong in ["memory:", "dynamodb://table", "sqlite:?x=y"] {
        sandbox.zae(&format!("replay log.csv {limits} --into {wrong}")).assert().code(2);
    }
}
