//! Stores by URL.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use zae_limiter_core::{Clock, Store};

use crate::{Error, Jitter};

#[cfg(feature = "dynamodb")]
mod dynamodb;

/// Where a store is.
///
/// - `memory:` in this process, gone with it. Option `retention_days` (2).
/// - `sqlite:///path/limits.db` one file, shared by all processes of a machine. Options `synchronous` (`normal`,
///   `full` or `off`), `busy_timeout_ms` (5000) and `retention_days` (90).
/// - `dynamodb://TABLE` one DynamoDB table, shared by all hosts. Options `region`, `endpoint_url`, `namespace`, `create`
///   (false), `cascade` (`parallel` or `transaction`), `connect_timeout_ms` (1000), `timeout_ms` (2000, for each try),
///   `attempts` (12), `denial_ttl_ms` (1000; 0 turns it off), `buckets` (100000, remembered at most), `breaker` (true),
///   `breaker_failures` (10), `breaker_open_ms` (1000), `correct_skew` (false), `skip_version_check` (false),
///   `strict_version` (false) and `measure` (false).
///
/// Every store also takes `config_ttl_ms` (60000; 0 reads stored limits and parents each time) and `config_entries` (100000,
/// remembered at most).
///
/// Options follow a `?` and are joined by `&`; special characters of a path are written as `%XX`.
///
/// ```
/// use zae_limiter::StoreUrl;
/// let url: StoreUrl = "sqlite:///var/lib/my%20limits.db?synchronous=full".parse()?;
/// assert_eq!(url.to_string(), "sqlite:///var/lib/my%20limits.db?synchronous=full");
/// assert_eq!("redis://localhost".parse::<StoreUrl>().unwrap_err().to_string(),
///     "cannot open store \"redis://localhost\": expected memory:, sqlite:///path/limits.db or dynamodb://TABLE");
/// # Ok::<(), zae_limiter::StoreUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreUrl {
    scheme: Scheme,
    place: String,
    options: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Memory,
    Sqlite,
    DynamoDb,
}

/// Why a string does not name a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreUrlError {
    /// The URL has no scheme, or one that no store has.
    #[error("cannot open store {url:?}: expected memory:, sqlite:///path/limits.db or dynamodb://TABLE")]
    Scheme {
        /// The URL.
        url: String,
    },
    /// The scheme's store was left out of this build.
    #[error("cannot open store {url:?}: this build comes without that store (cargo feature {feature:?})")]
    LeftOut {
        /// The URL.
        url: String,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// The URL names no file, or names one where none belongs.
    #[error("cannot open store {url:?}: {problem}")]
    Place {
        /// The URL.
        url: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The store has no such option.
    #[error("cannot open store: there is no option {name:?}, only {known}, config_ttl_ms and config_entries")]
    UnknownOption {
        /// The option given.
        name: String,
        /// Those that there are.
        known: &'static str,
    },
    /// An option has a value that it cannot have.
    #[error("cannot open store: option {name}={value:?} should be {expected}")]
    OptionValue {
        /// The option.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, StoreUrlError> {
        let unknown = || StoreUrlError::Scheme { url: url.to_owned() };
        let (scheme, rest) = url.split_once(':').ok_or_else(unknown)?;
        let scheme = match scheme {
            "memory" => Scheme::Memory,
            "sqlite" => Scheme::Sqlite,
            "dynamodb" => Scheme::DynamoDb,
            _ => return Err(unknown()),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let bad_place = |problem| StoreUrlError::Place { url: url.to_owned(), problem };
        let place =
            decode(place.strip_prefix("//").unwrap_or(place)).ok_or_else(|| bad_place("it is not UTF-8"))?;
        match scheme {
            Scheme::Memory if !place.is_empty() => return Err(bad_place("memory: takes no path")),
            Scheme::Sqlite if place.is_empty() => return Err(bad_place("it names no file")),
            Scheme::DynamoDb if place.is_empty() => return Err(bad_place("it names no table")),
            Scheme::Memory | Scheme::Sqlite | Scheme::DynamoDb => {}
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let options = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        let options = options.collect::<Option<_>>().ok_or_else(|| bad_place("an option is not UTF-8"))?;
        Ok(Self { scheme, place, options })
    }
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// The URL as it can be read back.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |text: &str| percent_encoding::utf8_percent_encode(text, &RESERVED).to_string();
        match self.scheme {
            Scheme::Memory => f.write_str("memory:")?,
            Scheme::Sqlite => write!(f, "sqlite://{}", encode(&self.place))?,
            Scheme::DynamoDb => write!(f, "dynamodb://{}", encode(&self.place))?,
        }
        for (i, (name, value)) in self.options.iter().enumerate() {
            write!(f, "{}{}={}", if i == 0 { '?' } else { '&' }, encode(name), encode(value))?;
        }
        Ok(())
    }
}

/// What has a meaning of its own in a store URL.
const RESERVED: percent_encoding::AsciiSet =
    percent_encoding::CONTROLS.add(b'%').add(b'?').add(b'&').add(b'=').add(b' ').add(b'#');

/// Options of the limiter rather than of its store.
const COMMON: [&str; 2] = ["config_ttl_ms", "config_entries"];

impl StoreUrl {
    /// The URL of a SQLite store in the file at `path`.
    pub fn sqlite(path: &str) -> Self {
        Self { scheme: Scheme::Sqlite, place: path.to_owned(), options: Vec::new() }
    }

    /// How long stored limits and parents are believed, if the URL says.
    pub(crate) fn config_cache_ttl(&self) -> Result<Option<Duration>, StoreUrlError> {
        let millis = self.option("config_ttl_ms", "a number of milliseconds", |value| value.parse().ok())?;
        Ok(millis.map(Duration::from_millis))
    }

    /// How many entities' limits and parents are remembered, if the URL says.
    pub(crate) fn config_cache_size(&self) -> Result<Option<usize>, StoreUrlError> {
        self.option("config_entries", "a number", |value| value.parse().ok())
    }

    /// Opens the store, to read the time from `clock` and random delays from `jitter`. For a store that is to be wrapped, or shared: a limiter takes it
    /// with [`LimiterBuilder::build`](crate::LimiterBuilder::build), and opens one by itself with
    /// [`LimiterBuilder::open`](crate::LimiterBuilder::open).
    #[cfg_attr(
        not(feature = "dynamodb"),
        expect(
            clippy::unused_async,
            unused_variables,
            reason = "a store behind a network is opened by asking it"
        )
    )]
    pub async fn open(
        &self,
        clock: Arc<dyn Clock>,
        jitter: Arc<dyn Jitter>,
    ) -> Result<Arc<dyn Store>, Error> {
        match self.scheme {
            Scheme::Memory => self.open_memory(clock),
            Scheme::Sqlite => self.open_sqlite(clock),
            #[cfg(feature = "dynamodb")]
            Scheme::DynamoDb => self.open_dynamodb(clock, jitter).await,
            #[cfg(not(feature = "dynamodb"))]
            Scheme::DynamoDb => {
                Err(StoreUrlError::LeftOut { url: self.to_string(), feature: "dynamodb" }.into())
            }
        }
    }

    #[cfg(feature = "memory")]
    fn open_memory(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
        self.check_options("retention_days", &["retention_days"])?;
        let mut store = crate::MemoryStore::new(clock);
        if let Some(retention) = self.retention()? {
            store = store.with_retention(retention);
        }
        Ok(Arc::new(store))
    }

    #[cfg(not(feature = "memory"))]
    fn open_memory(&self, _: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
        Err(StoreUrlError::LeftOut { url: self.to_string(), feature: "memory" }.into())
    }

    #[cfg(feature = "sqlite")]
    fn open_sqlite(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
        use zae_limiter_store_embedded::Synchronous;

        let known = "synchronous, busy_timeout_ms, retention_days";
        self.check_options(known, &["synchronous", "busy_timeout_ms", "retention_days"])?;
        let mut options = crate::SqliteOptions::default();
        if let Some(synchronous) = self.option("synchronous", "normal, full or off", |value| match value {
            "normal" => Some(Synchronous::Normal),
            "full" => Some(Synchronous::Full),
            "off" => Some(Synchronous::Off),
            _ => None,
        })? {
            options.synchronous = synchronous;
        }
        if let Some(millis) =
            self.option("busy_timeout_ms", "a number of milliseconds", |v| v.parse().ok())?
        {
            options.busy_timeout = Duration::from_millis(millis);
        }
        if let Some(retention) = self.retention()? {
            options.retention = retention;
        }
        Ok(Arc::new(crate::SqliteStore::open(self.place.as_ref(), clock, options)?))
    }

    #[cfg(not(feature = "sqlite"))]
    fn open_sqlite(&self, _: Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
        Err(StoreUrlError::LeftOut { url: self.to_string(), feature: "sqlite" }.into())
    }

    #[cfg(any(feature = "memory", feature = "sqlite"))]
    fn retention(&self) -> Result<Option<Duration>, StoreUrlError> {
        let days = self.option("retention_days", "a number of days", |value| value.parse::<u32>().ok())?;
        Ok(days.map(|days| Duration::from_secs(u64::from(days) * 86_400)))
    }

    fn check_options(&self, known: &'static str, names: &[&str]) -> Result<(), StoreUrlError> {
        let is_known = |name: &str| names.contains(&name) || COMMON.contains(&name);
        match self.options.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(StoreUrlError::UnknownOption { name: name.clone(), known }),
            None => Ok(()),
        }
    }

    /// The value of an option, if it is given, as `read` understands it.
    fn option<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreUrlError> {
        let Some((_, value)) = self.options.iter().rev().find(|(given, _)| given == name) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(StoreUrlError::OptionValue { name, value: value.clone(), expected }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, Limiter};

    #[test]
    fn reads_places_and_options() {
        let url: StoreUrl = "sqlite:///var/my%20limits.db?synchronous=full&retention_days=7".parse().unwrap();
        assert_eq!(url.place, "/var/my limits.db");
        assert_eq!(url.to_string(), "sqlite:///var/my%20limits.db?synchronous=full&retention_days=7");
        assert_eq!("sqlite:limits.db".parse::<StoreUrl>().unwrap().place, "limits.db");
        assert_eq!("memory:".parse::<StoreUrl>().unwrap().to_string(), "memory:");
        assert_eq!(StoreUrl::sqlite("/a?b").to_string().parse::<StoreUrl>().unwrap().place, "/a?b");
    }

    #[test]
    fn says_what_is_wrong() {
        for (url, problem) in [
            ("redis://localhost", "expected memory:, sqlite:"),
            ("limits.db", "expected memory:, sqlite:"),
            ("", "expected memory:, sqlite:"),
            ("memory:/tmp", "takes no path"),
            ("sqlite:", "names no file"),
            ("dynamodb://?create=true", "names no table"),
            ("sqlite:///%ff", "not UTF-8"),
            (
                "memory:?shards=2",
                "there is no option \"shards\", only retention_days, config_ttl_ms and config_entries",
            ),
            ("memory:?config_ttl_ms=1s", "config_ttl_ms=\"1s\" should be a number of milliseconds"),
            ("memory:?retention_days=-1", "retention_days=\"-1\" should be a number of days"),
            #[cfg(feature = "sqlite")]
            ("sqlite:x?synchronous=maybe", "should be normal, full or off"),
        ] {
            let error = Limiter::open(url).wait().unwrap_err();
            assert!(error.to_string().contains(problem), "{url}: {error}");
        }
    }
}
