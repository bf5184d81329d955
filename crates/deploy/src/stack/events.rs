//! What happened to a stack, event by event.

use std::collections::HashSet;

use aws_sdk_cloudformation::types::{StackEvent, StackResource};

use super::{Aws, Description, Progress, StackState};
use crate::error::{DeployError, DeployErrorKind, classify};
use crate::stack::progress::Tell;

/// Looks at most, three seconds apart: two hours.
const LOOKS: u32 = 2_400;

/// The events of a stack that have been seen.
#[derive(Debug, Default)]
pub(super) struct Seen(HashSet<String>);

/// What came of a change.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) stack: Description,
    /// Why resources failed, the first cause first.
    pub(super) failures: Vec<String>,
    /// What was left when the stack was deleted.
    pub(super) retained: Vec<String>,
}

/// Counts the resources of a stack that are done.
#[derive(Debug)]
pub(super) struct Count {
    done: HashSet<String>,
    total: usize,
    /// To be deleted is what they are to be, and not the undoing of it.
    deleting: bool,
}

impl Count {
    /// A stack that will have so many resources, of which these are there.
    pub(super) fn building(total: usize, present: &[StackResource]) -> Self {
        let mut count = Self { done: HashSet::new(), total, deleting: false };
        for resource in present {
            let status = resource.resource_status().map_or("", |status| status.as_str());
            count.hear(resource.logical_resource_id().unwrap_or_default(), status);
        }
        count
    }

    /// A stack whose resources are to be deleted.
    pub(super) fn deleting(present: &[StackResource]) -> Self {
        Self { done: HashSet::new(), total: present.len(), deleting: true }
    }

    /// Takes a status of a resource into account.
    fn hear(&mut self, name: &str, status: &str) {
        let deleted = matches!(status, "DELETE_COMPLETE" | "DELETE_SKIPPED");
        if deleted == self.deleting && (deleted || status.ends_with("_COMPLETE")) {
            self.done.insert(name.to_owned());
        } else {
            self.done.remove(name);
        }
        self.total = self.total.max(self.done.len());
    }
}

impl Aws {
    /// All events so far, so that only later ones are told.
    pub(super) async fn seen(&self, stack: &str) -> Result<Seen, DeployError> {
        let mut seen = Seen::default();
        self.new_events(stack, &mut seen).await?;
        Ok(seen)
    }

    /// The resources of a stack.
    pub(super) async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, DeployError> {
        let sent = self.cloudformation.describe_stack_resources().stack_name(stack).send().await;
        let listed =
            sent.map_err(|error| classify(&format!("list the resources of stack {stack}"), error))?;
        Ok(listed.stack_resources.unwrap_or_default())
    }

    /// Events that have not been seen, oldest first.
    async fn new_events(&self, stack: &str, seen: &mut Seen) -> Result<Vec<StackEvent>, DeployError> {
        let (mut new, mut from) = (Vec::new(), None);
        loop {
            let send = self.cloudformation.describe_stack_events().stack_name(stack).set_next_token(from);
            let output = send.send().await;
            let output = output.map_err(|error| classify("read the events of the stack", error))?;
            let page = output.stack_events.unwrap_or_default();
            let listed = page.len();
            new.extend(
                page.into_iter()
                    .filter(|event| seen.0.insert(event.event_id().unwrap_or_default().to_owned())),
            );
            from = output.next_token;
            // The newest come first: beyond one that has been seen there is nothing new.
            if from.is_none() || new.len() < listed {
                new.reverse();
                return Ok(new);
            }
        }
    }

    /// Waits until nothing is being done with the stack any more, and tells what happens.
    pub(super) async fn watch(
        &self,
        id: &str,
        mut seen: Seen,
        count: &mut Count,
        tell: &mut Tell,
    ) -> Result<Ended, DeployError> {
        let (mut failures, mut retained) = (Vec::new(), Vec::new());
        for _ in 0..LOOKS {
            // The state is looked at first, so that the last look at the events is after the end.
            let Some(stack) = self.describe(id).await? else {
                let message = format!("stack {id} is not there any more: somebody else deleted it");
                return Err(DeployError::new(DeployErrorKind::Missing, message));
            };
            for event in self.new_events(id, &mut seen).await? {
                failures.extend(failure(&event));
                retained.extend(left_over(&event));
                tell_of(event, id, count, tell);
            }
            if stack.state() != StackState::Busy {
                return Ok(Ended { stack, failures, retained });
            }
            tokio::time::sleep(self.poll).await;
        }
        let message = format!("stack {id} is still being changed: look at it with `zae-limiter status`");
        Err(DeployError::new(DeployErrorKind::Busy, message))
    }
}

fn tell_of(event: StackEvent, stack: &str, count: &mut Count, tell: &mut Tell) {
    // The stack itself has events too.
    if event.physical_resource_id() == Some(stack) {
        return;
    }
    let status = event.resource_status().map_or("UNKNOWN", |status| status.as_str()).to_owned();
    let name = event.logical_resource_id.unwrap_or_default();
    count.hear(&name, &status);
    tell(Progress::Resource {
        name,
        kind: event.resource_type.unwrap_or_default(),
        status,
        reason: event.resource_status_reason.filter(|reason| !reason.is_empty()),
        done: count.done.len(),
        total: count.total,
    });
}

/// Why a resource failed. Those that were only called off because another failed tell nothing.
fn failure(event: &StackEvent) -> Option<String> {
    let status = event.resource_status()?.as_str();
    let reason = event.resource_status_reason().filter(|reason| !reason.is_empty())?;
    let called_off = reason.to_ascii_lowercase().contains("cancelled");
    let of_stack = event.resource_type() == Some("AWS::CloudFormation::Stack");
    (status.ends_with("_FAILED") && !called_off && !of_stack).then(|| {
        format!("{}: {}", event.logical_resource_id().unwrap_or_default(), reason.trim_end_matches('.'))
    })
}

fn left_over(event: &StackEvent) -> Option<String> {
    let skipped = event.resource_status()?.as_str() == "DELETE_SKIPPED";
    skipped.then(|| {
        let kind = event.resource_type().unwrap_or_default();
        format!(
            "{} ({kind})",
            event.physical_resource_id().or(event.logical_resource_id()).unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceStatus;

    use super::*;

    fn event(name: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent::builder()
            .event_id(format!("{name}{status}"))
            .stack_id("id")
            .stack_name("s")
            .timestamp(aws_sdk_cloudformation::primitives::DateTime::from_secs(0))
            .logical_resource_id(name)
            .physical_resource_id(format!("p-{name}"))
            .resource_type("AWS::X::Y")
            .resource_status(ResourceStatus::from(status))
            .resource_status_reason(reason)
            .build()
    }

    #[test]
    fn the_cause_is_told_and_not_what_followed_from_it() {
        let cause = event("Table", "CREATE_FAILED", "it exists already");
        assert_eq!(failure(&cause).as_deref(), Some("Table: it exists already"));
        assert_eq!(failure(&event("Role", "CREATE_FAILED", "Resource creation cancelled")), None);
        assert_eq!(failure(&event("Table", "CREATE_COMPLETE", "")), None);
    }

    #[test]
    fn resources_are_counted_once_and_again_when_they_change() {
        let mut count = Count::building(2, &[]);
        let mut heard = |name: &str, status: &str| {
            count.hear(name, status);
            (count.done.len(), count.total)
        };
        assert_eq!(heard("a", "CREATE_IN_PROGRESS"), (0, 2));
        assert_eq!(heard("a", "CREATE_COMPLETE"), (1, 2));
        assert_eq!(heard("b", "CREATE_COMPLETE"), (2, 2));
        assert_eq!(heard("a", "UPDATE_IN_PROGRESS"), (1, 2));
        assert_eq!(heard("a", "UPDATE_FAILED"), (1, 2));
        assert_eq!(heard("a", "UPDATE_COMPLETE"), (2, 2));
        assert_eq!(heard("c", "CREATE_COMPLETE"), (3, 3));
        assert_eq!(heard("c", "DELETE_COMPLETE"), (2, 3));
    }

    #[test]
    fn what_is_deleted_counts_when_all_is_to_be_deleted() {
        let mut count = Count { done: HashSet::new(), total: 2, deleting: true };
        count.hear("a", "DELETE_COMPLETE");
        count.hear("b", "CREATE_COMPLETE");
        count.hear("c", "DELETE_SKIPPED");
        assert_eq!((count.done.len(), count.total), (2, 2));
    }

    #[test]
    fn what_is_left_is_named() {
        assert_eq!(left_over(&event("Table", "DELETE_SKIPPED", "")).as_deref(), Some("p-Table (AWS::X::Y)"));
        assert_eq!(left_over(&event("Table", "DELETE_COMPLETE", "")), None);
    }
}
