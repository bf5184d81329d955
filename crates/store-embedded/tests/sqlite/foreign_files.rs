//! Files that are no database, no good, or not ours: a clear error, and the file stays as it is.

use std::fs;
use std::path::Path;

use zae_limiter_core::{Entity, LimitScope, Store, StoreError, StoreErrorKind, UsageQuery, Window};
use zae_limiter_store_embedded::{SqliteOptions, SqliteStore};

use crate::fixture::{
    Fixture, START, apply, balances, clock, entity, level, limit_set, resource, take, try_take,
};

/// Opening fails with an error of `kind` that names the file and says `part`, and leaves its bytes alone.
#[track_caller]
fn refused(fixture: &Fixture, kind: StoreErrorKind, part: &str) {
    let before = fs::read(fixture.path()).unwrap();
    let error = fixture.try_open().unwrap_err();
    assert_error(&error, kind, part);
    assert!(error.to_string().contains("limits.db"), "{error}");
    assert!(fs::read(fixture.path()).unwrap() == before, "the file was changed");
}

#[track_caller]
fn assert_error(error: &StoreError, kind: StoreErrorKind, part: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(part), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

/// A database with enough buckets to fill many pages, closed.
fn filled() -> Fixture {
    let fixture = Fixture::new();
    let store = fixture.open();
    for i in 0..500 {
        assert!(take(&store, &[level(&format!("key-{i}"), "a=100/d, b=100/d")], 1));
    }
    fixture
}

#[test]
fn a_text_file() {
    let fixture = Fixture::new();
    fs::write(fixture.path(), "limits:\n  rpm: 100\n".repeat(100)).unwrap();
    refused(&fixture, StoreErrorKind::Corrupt, "is not a SQLite database");
    fs::write(fixture.path(), "short").unwrap();
    refused(&fixture, StoreErrorKind::Corrupt, "is not a SQLite database");
}

#[test]
fn an_empty_file_is_a_new_database() {
    let fixture = Fixture::new();
    fs::write(fixture.path(), "").unwrap();
    assert!(take(&fixture.open(), &[level("key", "n=1/d")], 1));
}

#[test]
fn the_database_of_another_application() {
    let fixture = Fixture::new();
    fixture.raw().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    refused(&fixture, StoreErrorKind::Corrupt, "another application");

    let fixture = Fixture::new();
    fixture.raw().execute_batch("PRAGMA application_id = 252006675; CREATE TABLE x (y)").unwrap();
    refused(&fixture, StoreErrorKind::Corrupt, "another application");

    let fixture = Fixture::new();
    fixture.raw().execute_batch("PRAGMA user_version = 7").unwrap();
    refused(&fixture, StoreErrorKind::Corrupt, "another application");
}

#[test]
fn a_database_of_a_later_version() {
    let fixture = filled();
    fixture.raw().execute_batch("PRAGMA user_version = 99").unwrap();
    refused(&fixture, StoreErrorKind::Incompatible, "its schema is 99");
    refused(&fixture, StoreErrorKind::Incompatible, "upgrade zae-limiter");
    fixture.raw().execute_batch("PRAGMA user_version = -1").unwrap();
    refused(&fixture, StoreErrorKind::Corrupt, "another application");
}

#[test]
fn a_truncated_database() {
    let fixture = filled();
    let whole = fs::metadata(fixture.path()).unwrap().len();
    fs::OpenOptions::new().write(true).open(fixture.path()).unwrap().set_len(whole / 2).unwrap();
    let error = match fixture.try_open() {
        Err(error) => error,
        Ok(store) => (0..500)
            .find_map(|i| try_take(&store, &[level(&format!("key-{i}"), "a=100/d, b=100/d")], 1).err())
            .expect("half of the buckets are gone"),
    };
    assert_error(&error, StoreErrorKind::Corrupt, "is damaged");
    assert!(fs::metadata(fixture.path()).unwrap().len() <= whole, "it was not made anew");
}

#[test]
fn overwritten_pages() {
    let fixture = filled();
    let mut bytes = fs::read(fixture.path()).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..200].fill(0xee);
    }
    fs::write(fixture.path(), bytes).unwrap();
    let error = match fixture.try_open() {
        Err(error) => error,
        Ok(store) => try_take(&store, &[level("key-0", "a=100/d, b=100/d")], 1).unwrap_err(),
    };
    assert_error(&error, StoreErrorKind::Corrupt, "is damaged");
}

#[test]
fn a_missing_table() {
    let fixture = filled();
    fixture.raw().execute_batch("DROP TABLE bucket").unwrap();
    let error = try_take(&fixture.open(), &[level("key-0", "a=100/d")], 1).unwrap_err();
    assert_error(&error, StoreErrorKind::Corrupt, "no such table: bucket");
}

#[test]
fn damaged_rows_are_named_and_in_nobody_elses_way() {
    let fixture = filled();
    let store = fixture.open();
    let (bad, good) = (level("key-7", "a=100/d, b=100/d"), level("key-8", "a=100/d, b=100/d"));
    for state in ["", "{}", "{\"hour\":1,\"acquires\":0,\"limits\":[]}", "null", "\u{0}"] {
        fixture.raw().execute("UPDATE bucket SET state = ?1 WHERE entity_id = 'key-7'", [state]).unwrap();
        for levels in [&[bad.clone()][..], &[good.clone(), bad.clone()]] {
            let error = try_take(&store, levels, 1).unwrap_err();
            assert_error(&error, StoreErrorKind::Corrupt, "the bucket of \"key-7\" on \"gpt-4\"");
            assert!(pollster::block_on(store.read(levels)).is_err());
        }
        assert!(pollster::block_on(store.buckets(&resource("gpt-4"))).is_err());
        assert!(pollster::block_on(store.usage(&UsageQuery::of(entity("key-7"), Window::Daily))).is_err());
    }
    assert_eq!(balances(&store, &[good]), [99, 99], "a take that failed took nothing");
    pollster::block_on(store.delete_entity(&entity("key-7"))).unwrap();
    assert_eq!(balances(&store, &[bad]), [100, 100]);
}

#[test]
fn other_damaged_rows_are_named() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let levels = [level("key", "a=100/d")];
    pollster::block_on(store.create_entity(&Entity::new(entity("key"), START))).unwrap();
    pollster::block_on(store.put_limits(&LimitScope::System, &limit_set("a=1/s"))).unwrap();
    assert!(take(&store, &levels, 1));
    fixture.advance(3_600);
    assert!(take(&store, &levels, 1));
    fixture
        .raw()
        .execute_batch(
            "UPDATE entity SET metadata = '['; UPDATE stored_limits SET limits = '[]'; UPDATE usage SET consumed = '1'",
        )
        .unwrap();
    let error = pollster::block_on(store.entity(&entity("key"))).unwrap_err();
    assert_error(&error, StoreErrorKind::Corrupt, "entity \"key\"");
    let error = pollster::block_on(store.config(&entity("key"), &resource("gpt-4"))).unwrap_err();
    assert_error(&error, StoreErrorKind::Corrupt, "the limits of the system");
    let error = pollster::block_on(store.usage(&UsageQuery::of(entity("key"), Window::Daily))).unwrap_err();
    assert_error(&error, StoreErrorKind::Corrupt, "the usage of \"key\" on \"gpt-4\"");

    // The hour turns back to the damaged one: an error, not a reset.
    fixture.clock.set(START);
    apply(&store, &levels, 1, 0);
    fixture.advance(3_600);
    let error = try_take(&store, &levels, 1).unwrap_err();
    assert_error(&error, StoreErrorKind::Corrupt, "the usage of \"key\" on \"gpt-4\"");
}

#[track_caller]
fn open(path: &Path, create: bool) -> StoreError {
    let mut options = SqliteOptions::default();
    options.create = create;
    SqliteStore::open(path, clock(), options).unwrap_err()
}

#[test]
fn paths_that_are_no_files() {
    let fixture = Fixture::new();
    let directory = fixture.directory();
    assert_error(&open(directory, true), StoreErrorKind::Invalid, "is a directory");
    assert_error(&open(Path::new(""), true), StoreErrorKind::Invalid, "is not a path");
    fs::write(directory.join("file"), "").unwrap();
    assert_error(&open(&directory.join("file/limits.db"), true), StoreErrorKind::Invalid, "file/limits.db");
    assert_error(&open(&directory.join("a\0b"), true), StoreErrorKind::Invalid, "");
    assert_error(&open(&directory.join("x".repeat(300)), true), StoreErrorKind::Invalid, "xxx");
    #[cfg(unix)]
    assert_error(&open(Path::new("/dev/null"), true), StoreErrorKind::Invalid, "is not a regular file");
}

#[test]
fn a_missing_file_that_is_not_to_be_made() {
    let fixture = Fixture::new();
    let path = fixture.directory().join("sub/limits.db");
    assert_error(&open(&path, false), StoreErrorKind::Missing, "there is no limits database");
    assert!(!fixture.directory().join("sub").exists());
}

/// Runs as an unprivileged user where the tests run as root, to whom nothing is forbidden.
#[cfg(unix)]
#[test]
fn files_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    const PATH: &str = "ZAE_TEST_FORBIDDEN";
    if let Ok(path) = std::env::var(PATH) {
        let error = open(path.as_ref(), true);
        assert_error(&error, StoreErrorKind::PermissionDenied, "grant permission");
        return;
    }
    let fixture = filled();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let locked = fixture.directory().join("locked");
    fs::create_dir(&locked).unwrap();
    for (name, file_mode, directory_mode) in
        [("limits.db", 0o444, 0o755), ("limits.db", 0o000, 0o755), ("locked/limits.db", 0o444, 0o755)]
    {
        mode(&fixture.path(), file_mode);
        mode(fixture.directory(), directory_mode);
        mode(&locked, 0o555);
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "foreign_files::files_without_permission"]);
        again.env(PATH, fixture.directory().join(name));
        if fs::OpenOptions::new().write(true).open(fixture.path()).is_ok() {
            again.uid(65_534);
        }
        let output = again.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
