//! Whatever is wrong with the input: exit 2, one or two lines on stderr, nothing on stdout, no panic.

use crate::sandbox::Sandbox;

/// Runs a command that has to be refused, and returns what it says.
fn refused(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.zae_with(arguments).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    assert!((1..=2).contains(&complaint.lines().count()), "{arguments:?}: {complaint}");
    assert!(complaint.starts_with("error: "), "{arguments:?}: {complaint}");
    complaint
}

fn check(arguments: &[&str], expected: &str) {
    let complaint = refused(&Sandbox::new(), arguments);
    assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
}

#[test]
fn amounts() {
    for (amount, expected) in [
        ("x=1", "there is no limit \"x\" here, only n"),
        ("n=0", "at least 1"),
        ("n=-1", "not a whole number"),
        ("n=1.5", "not a whole number"),
        ("n=", "not a whole number"),
        ("n", "expected NAME=N"),
        ("n=1000000000001", "at most 1000000000000"),
        ("n=99999999999999999999999", "too large"),
        ("n=1,n=1", "given twice"),
        ("", "expected NAME=N"),
    ] {
        let limit = ["--store", "memory:", "--limit", "n=5/day", "--consume", amount];
        check(&[&["acquire", "k", "r"], &limit[..]].concat(), expected);
        check(&[&["run", "k", "r"], &limit[..], &["--", "echo", "ran"]].concat(), expected);
    }
}

#[test]
fn ids_and_limits() {
    let long = "x".repeat(257);
    for (entity, resource, limit, expected) in [
        ("", "r", "n=1/s", "must not be empty"),
        ("k", "", "n=1/s", "must not be empty"),
        ("a#b", "r", "n=1/s", "must not contain '#'"),
        ("a\nb", "r", "n=1/s", "must not contain '\\n'"),
        (long.as_str(), "r", "n=1/s", "at most 256 characters"),
        ("k", "_default_", "n=1/s", "is reserved"),
        ("k", "r", "n=0/s", "capacity must be positive"),
        ("k", "r", "n=1/fortnight", "is not a period"),
        ("k", "r", "n=5/s:burst=1", "burst must be >= capacity"),
        ("k", "r", "1n=5/s", "limit name"),
        ("k", "r", "n=1/s,n=2/s", "limit n is given twice"),
        ("k", "r", "", "there is no '='"),
    ] {
        for command in ["acquire", "available"] {
            check(&[command, entity, resource, "--store", "memory:", "--limit", limit], expected);
        }
    }
    check(&["acquire", "k", "r", "--store", "memory:"], "no limits apply to k on r");
}

#[test]
fn durations_windows_and_modes() {
    let acquire = ["acquire", "k", "r", "--store", "memory:", "--limit", "n=1/s"];
    for wait in ["soon", "-5s", "5", ""] {
        check(&[&acquire[..], &[&format!("--wait={wait}")]].concat(), "--wait");
    }
    check(&[&acquire[..], &["--failure-mode", "shut"]].concat(), "possible values: open, closed");
    check(
        &["usage", "k", "--store", "memory:", "--window", "yearly"],
        "possible values: hourly, daily, monthly",
    );
    check(&["usage", "k", "--store", "memory:", "--from", "yesterday"], "is not a time such as");
    check(&["limits", "get", "--store", "memory:"], "--entity, --resource, both, or --system");
    check(&["limits", "set", "--system", "--entity", "k", "--limit", "n=1/s"], "cannot be used with");
    check(&["limits", "set", "--system", "--store", "memory:"], "--limit");
}

#[test]
fn arguments() {
    check(&["acquire", "k", "r", "--limt", "n=1/s"], "tip: a similar argument exists: '--limit'");
    check(&["aquire"], "tip: a similar subcommand exists: 'acquire'");
    check(&["acquire", "k"], "<RESOURCE>");
    check(&["run", "k", "r", "--limit", "n=1/s", "--store", "memory:"], "<COMMAND>");
    check(&["completions", "tcsh"], "possible values: bash");
    let output = Sandbox::new().zae("").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "without a command, help is shown as a reminder");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: zae-limiter"));
}

#[test]
fn store_urls() {
    for (url, expected) in [
        ("redis://localhost", "expected memory:, sqlite:"),
        ("limits.db", "expected memory:, sqlite:"),
        ("", "expected memory:, sqlite:"),
        ("memory:/tmp", "takes no path"),
        ("sqlite:", "names no file"),
        ("memory:?shards=2", "there is no option"),
    ] {
        check(&["acquire", "k", "r", "--limit", "n=1/s", "--store", url], expected);
        check(&["entity", "list", "--store", url], expected);
    }
    let by_variable = Sandbox::new().zae("entity list").env("ZAE_LIMITER_STORE", "redis:").output().unwrap();
    assert_eq!(by_variable.status.code(), Some(2));
}

#[cfg(feature = "sqlite")]
#[test]
fn files_that_are_no_store_of_ours_are_left_as_they_are() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("");
    let text = sandbox
        .file("text.db", "this is not a database, though it is long enough to look like a header of one");
    let foreign = sandbox.path("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let newer = sandbox.path("newer.db");
    let url = format!("sqlite://{}", newer.display());
    sandbox.zae("limits set --system --limit n=1/s --store").arg(&url).assert().success();
    rusqlite::Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let below_a_file = text.join("limits.db");

    for path in [&directory, &text, &foreign, &newer, &below_a_file] {
        let before = std::fs::read(path).ok();
        let url = format!("sqlite://{}", path.display());
        for command in [&["acquire", "k", "r", "--limit", "n=1/s"][..], &["entity", "list"], &["usage", "k"]]
        {
            refused(&sandbox, &[command, &["--store", &url]].concat());
        }
        // An open failure mode is for stores that cannot be reached, not for this.
        let acquire = ["acquire", "k", "r", "--limit", "n=1/s", "--failure-mode", "open", "--store", &url];
        refused(&sandbox, &acquire);
        assert_eq!(std::fs::read(path).ok(), before, "{}", path.display());
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn bad_input_takes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.zae("acquire k r --limit n=5/day,m=5/day").assert().success();
    for consume in ["n=1,x=1", "n=1,n=1", "n=1,m=0", "n=1,m=-1"] {
        refused(&sandbox, &["acquire", "k", "r", "--limit", "n=5/day,m=5/day", "--consume", consume]);
    }
    assert_eq!(sandbox.json("available k r --limit n=5/day,m=5/day")["available"]["n"], 4);
}

#[test]
fn logs() {
    let sandbox = Sandbox::new();
    sandbox.file("good.csv", "TIMESTAMP,In,Out\n1,2,3\n");
    sandbox.file("bad.csv", "TIMESTAMP,In,Out\n1,2,3\n2,x,3\n");
    sandbox.file("empty.csv", "");
    sandbox.file("headless.csv", "2023-11-16 18:17:03.98,2,3\n");
    sandbox.file("binary.csv", b"\x00\xff\xfe\n\x00");
    let limit = ["--limit", "n=1/s"];
    for (file, more, expected) in [
        ("nowhere.csv", &[][..], "cannot read nowhere.csv: No such file"),
        (".", &[], "cannot read .: Is a directory"),
        ("empty.csv", &[], "empty.csv: it is empty"),
        ("headless.csv", &[], "line 1 looks like a request"),
        ("binary.csv", &[], "binary.csv: line 1"),
        ("bad.csv", &["--consume", "n=In"], "bad.csv: line 3, column In: expected a whole number"),
        ("good.csv", &["--consume", "n=In+Outs"], "did you mean \"Out\"?"),
        ("good.csv", &["--consume", "m=1"], "--consume: there is no limit \"m\" here, only n"),
        ("good.csv", &["--settle", "m=1"], "--settle: there is no limit \"m\" here, only n"),
        ("good.csv", &["--consume", "n=1,n=2"], "given twice"),
        ("good.csv", &["--consume", "n=0"], "at least 1"),
        ("good.csv", &["--consume", "n=-1"], "is negative"),
        ("good.csv", &["--consume", "n=99999999999999999999"], "too large"),
        ("good.csv", &["--consume", "n"], "expected NAME=EXPR"),
        (
            "good.csv",
            &["--entity-column", "key"],
            "there is no column \"key\"; the columns are TIMESTAMP, In, Out",
        ),
        ("good.csv", &["--time-column", "at"], "there is no column \"at\""),
        ("good.csv", &["--time-column", "In", "--entity-column", "nope"], "there is no column \"nope\""),
        ("good.csv", &["--plot", "."], "cannot write ."),
        ("good.csv", &["--plot", "no/such/place.svg"], "cannot write no/such/place.svg"),
    ] {
        let complaint = refused(&sandbox, &[&["replay", file], &limit[..], more].concat());
        assert!(complaint.contains(expected), "{file} {more:?}: {complaint}");
    }
    check(&["replay", "good.csv"], "--limit");
}
