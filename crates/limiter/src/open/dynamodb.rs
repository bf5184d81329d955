//! The options of `dynamodb://TABLE`.

use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{Clock, Store};
use zae_limiter_store_dynamodb::schema::Namespace;
use zae_limiter_store_dynamodb::{BreakerOptions, Cascade, DynamoDbOptions, DynamoDbStore};

use super::{StoreUrl, StoreUrlError};
use crate::{Error, Jitter};

const KNOWN: &str = "region, endpoint_url, namespace, create, cascade, connect_timeout_ms, timeout_ms, attempts, \
                     denial_ttl_ms, buckets, breaker, breaker_failures, breaker_open_ms, correct_skew, \
                     skip_version_check, strict_version, measure";

const NAMES: [&str; 17] = [
    "region",
    "endpoint_url",
    "namespace",
    "create",
    "cascade",
    "connect_timeout_ms",
    "timeout_ms",
    "attempts",
    "denial_ttl_ms",
    "buckets",
    "breaker",
    "breaker_failures",
    "breaker_open_ms",
    "correct_skew",
    "skip_version_check",
    "strict_version",
    "measure",
];

const TABLE_NAME: &str = "a table name has 3 to 255 of the characters A-Z a-z 0-9 . _ -";

impl StoreUrl {
    pub(super) async fn open_dynamodb(
        &self,
        clock: Arc<dyn Clock>,
        jitter: Arc<dyn Jitter>,
    ) -> Result<Arc<dyn Store>, Error> {
        let options = self.dynamodb_options()?;
        let jitter = Arc::new(move |most| jitter.up_to(most));
        Ok(Arc::new(DynamoDbStore::open(options, clock, jitter).await?))
    }

    /// What the URL of a DynamoDB store says, for example for creating its table.
    pub fn dynamodb_options(&self) -> Result<DynamoDbOptions, StoreUrlError> {
        self.check_options(KNOWN, &NAMES)?;
        let bad_place = |_| StoreUrlError::Place { url: self.to_string(), problem: TABLE_NAME };
        let mut options = DynamoDbOptions::new(self.place.parse().map_err(bad_place)?);
        options.region = self.option("region", "a region, for example us-east-1", |value| {
            (!value.is_empty()).then(|| value.to_owned())
        })?;
        options.endpoint_url =
            self.option("endpoint_url", "a URL, for example http://localhost:8000", |value| {
                let http = value.starts_with("http://") || value.starts_with("https://");
                http.then(|| value.to_owned())
            })?;
        let characters = "at most 64 of the characters A-Z a-z 0-9 . _ -";
        set(
            &mut options.namespace,
            self.option("namespace", characters, |value| Namespace::new(value).ok())?,
        );
        set(&mut options.create, self.flag("create")?);
        let cascade = self.option("cascade", "parallel or transaction", |value| match value {
            "parallel" => Some(Cascade::Parallel),
            "transaction" => Some(Cascade::Transaction),
            _ => None,
        });
        set(&mut options.cascade, cascade?);
        set(&mut options.connect_timeout, self.millis("connect_timeout_ms", 1)?);
        set(&mut options.attempt_timeout, self.millis("timeout_ms", 1)?);
        set(&mut options.combine.denial_ttl, self.millis("denial_ttl_ms", 0)?);
        set(&mut options.combine.attempts, self.count("attempts")?);
        set(&mut options.combine.buckets, self.count("buckets")?);
        let mut breaker = BreakerOptions::default();
        set(&mut breaker.failures, self.count("breaker_failures")?);
        set(&mut breaker.open, self.millis("breaker_open_ms", 1)?);
        options.breaker = self.flag("breaker")?.unwrap_or(true).then_some(breaker);
        set(&mut options.correct_skew, self.flag("correct_skew")?);
        set(&mut options.skip_version_check, self.flag("skip_version_check")?);
        set(&mut options.strict_version, self.flag("strict_version")?);
        set(&mut options.measure, self.flag("measure")?);
        Ok(options)
    }

    fn flag(&self, name: &'static str) -> Result<Option<bool>, StoreUrlError> {
        self.option(name, "true or false", |value| value.parse().ok())
    }

    fn count<T: std::str::FromStr + PartialOrd + Default>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, StoreUrlError> {
        self.option(name, "a number, at least 1", |value| {
            value.parse().ok().filter(|count| *count > T::default())
        })
    }

    fn millis(&self, name: &'static str, least: u64) -> Result<Option<Duration>, StoreUrlError> {
        let expected = "a number of milliseconds, at most an hour";
        self.option(name, expected, |value| {
            let millis = value.parse().ok().filter(|millis| (least..=3_600_000).contains(millis));
            millis.map(Duration::from_millis)
        })
    }
}

fn set<T>(option: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *option = given;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_options() {
        let url = "dynamodb://rate_limits?region=eu-west-1&endpoint_url=http://localhost:8000&namespace=prod\
            &create=true&cascade=transaction&connect_timeout_ms=10&timeout_ms=20&attempts=3&denial_ttl_ms=0&buckets=9\
            &breaker_failures=2&breaker_open_ms=30&correct_skew=true&skip_version_check=true&strict_version=true\
            &measure=true";
        let url: StoreUrl = url.parse().unwrap();
        assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
        let options = url.dynamodb_options().unwrap();
        assert_eq!(options.table.as_str(), "rate_limits");
        assert_eq!(options.region.as_deref(), Some("eu-west-1"));
        assert_eq!(options.endpoint_url.as_deref(), Some("http://localhost:8000"));
        assert_eq!(options.namespace.to_string(), "prod/");
        assert_eq!(options.cascade, Cascade::Transaction);
        assert_eq!(options.connect_timeout, Duration::from_millis(10));
        assert_eq!(options.attempt_timeout, Duration::from_millis(20));
        assert_eq!((options.combine.attempts, options.combine.buckets), (3, 9));
        assert_eq!(options.combine.denial_ttl, Duration::ZERO);
        assert_eq!(options.breaker, Some(BreakerOptions { failures: 2, open: Duration::from_millis(30) }));
        assert!(options.create && options.correct_skew && options.skip_version_check);
        assert!(options.strict_version && options.measure);
    }

    #[test]
    fn the_defaults_are_those_of_the_store() {
        let options = "dynamodb://abc?breaker=false".parse::<StoreUrl>().unwrap().dynamodb_options().unwrap();
        let mut plain = DynamoDbOptions::new("abc".parse().unwrap());
        plain.breaker = None;
        assert_eq!(format!("{options:?}"), format!("{plain:?}"));
    }

    #[test]
    fn says_what_is_wrong() {
        for (url, problem) in [
            ("dynamodb://a/b/c", "a table name has"),
            ("dynamodb://ab", "a table name has"),
            ("dynamodb://abc?table=x", "there is no option \"table\", only region,"),
            ("dynamodb://abc?create=yes", "should be true or false"),
            ("dynamodb://abc?attempts=0", "should be a number, at least 1"),
            ("dynamodb://abc?timeout_ms=0", "should be a number of milliseconds"),
            ("dynamodb://abc?timeout_ms=99999999999", "at most an hour"),
            ("dynamodb://abc?cascade=serial", "should be parallel or transaction"),
            ("dynamodb://abc?namespace=a%23b", "should be at most 64"),
            ("dynamodb://abc?endpoint_url=localhost:8000", "should be a URL"),
            ("dynamodb://abc?region=", "should be a region"),
        ] {
            let error = url.parse::<StoreUrl>().unwrap().dynamodb_options().unwrap_err();
            assert!(error.to_string().contains(problem), "{url}: {error}");
        }
    }
}
