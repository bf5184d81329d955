//! Preparation, on an emulator, which is taken for AWS where AWS is meant. `cargo xtask test` starts it.

use std::io::Write;
use std::time::Duration;

use zae_limiter_core::{ManualClock, Timestamp};

use super::*;

struct Place {
    options: DynamoDbOptions,
    preparation: Preparation,
}

/// A table of its own. `None`, and said so, where there is no emulator.
fn place(table: &str) -> Option<Place> {
    let Ok(endpoint) = std::env::var("ZAE_LIMITER_TEST_AWS") else {
        assert!(std::env::var_os("ZAE_LIMITER_TEST_COMPLETE").is_none(), "there is no emulator");
        // Not by a macro, whose output tests that pass do not show.
        std::io::stderr()
            .write_all(b"SKIPPED: there is no emulator of AWS (cargo xtask test starts it)\n")
            .unwrap();
        return None;
    };
    let table = format!("prepare_{}_{table}", std::process::id());
    let mut options = DynamoDbOptions::new(table.parse().unwrap());
    options.region = Some("us-east-1".to_owned());
    options.endpoint_url = Some(endpoint);
    let preparation = Preparation {
        executable: std::env::var_os("ZAE_LIMITER_TEST_RELEASE").map(PathBuf::from),
        ..Preparation::default()
    };
    Some(Place { options, preparation })
}

impl Place {
    async fn stacks(&self) -> StackManager {
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        StackManager::connect(self.options.clone(), clock, Arc::new(no_delay)).await.unwrap()
    }

    /// As if the emulator were AWS.
    async fn on_aws(&self) -> Result<Prepared, DeployError> {
        let updates = self.preparation.auto_update;
        on_aws(&self.stacks().await, &self.preparation, updates, self.options.strict_version, |_| {}).await
    }

    /// Has the table remember an older function.
    async fn age(&self) {
        let stacks = self.stacks().await;
        let mut versions = stacks.versions().await.unwrap().unwrap();
        versions.lambda_version = Some("0.0.1".to_owned());
        stacks.table().set_version(versions).await.unwrap();
    }

    async fn function_version(&self) -> Option<String> {
        self.stacks().await.versions().await.unwrap().and_then(|versions| versions.lambda_version)
    }
}

fn no_delay(_: Duration) -> Duration {
    Duration::ZERO
}

#[test]
fn elsewhere_than_at_aws_only_the_table_is_created() {
    let Some(mut place) = place("elsewhere") else { return };
    pollster::block_on(async move {
        place.preparation.create_stack = true;
        place.preparation.auto_update = true;
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let prepared =
            prepare(&mut place.options, &place.preparation, clock, Arc::new(no_delay), |_| {}).await.unwrap();
        assert!(matches!(prepared, Prepared::Ready), "{prepared:?}");
        assert!(place.options.create);
        assert_eq!(place.stacks().await.status().await.unwrap_err().kind(), DeployErrorKind::Missing);
    });
}

#[test]
fn the_stack_is_created_once_and_its_function_kept_up_to_date() {
    let Some(mut place) = place("aws") else { return };
    pollster::block_on(async move {
        let none = place.on_aws().await.unwrap_err();
        assert_eq!(none.kind(), DeployErrorKind::Missing);
        place.preparation.create_stack = true;
        assert!(matches!(place.on_aws().await.unwrap(), Prepared::Created));
        assert!(matches!(place.on_aws().await.unwrap(), Prepared::Ready));

        place.age().await;
        assert!(matches!(place.on_aws().await.unwrap(), Prepared::Ready));
        assert_eq!(place.function_version().await.as_deref(), Some("0.0.1"));
        place.preparation.auto_update = true;
        assert!(matches!(place.on_aws().await.unwrap(), Prepared::Updated));
        assert_eq!(place.function_version().await.as_deref(), Some(env!("CARGO_PKG_VERSION")));

        // What is not the command line cannot become the function: told, or an error, as is wanted.
        place.age().await;
        place.preparation.executable = Some("/bin/sh".into());
        assert!(matches!(place.on_aws().await.unwrap(), Prepared::Outdated(_)));
        place.options.strict_version = true;
        assert_eq!(place.on_aws().await.unwrap_err().kind(), DeployErrorKind::Invalid);
        place.stacks().await.delete(true, |_| {}).await.unwrap();
    });
}
