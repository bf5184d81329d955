//! What can be done with a stack in one of CloudFormation's many states.

use aws_sdk_cloudformation::types::StackStatus;

use super::StackName;
use crate::error::{DeployError, DeployErrorKind};

/// What can be done with a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackState {
    /// It is as it was asked to be.
    Complete,
    /// The last update failed and was taken back; it is as it was before.
    UpdateTakenBack,
    /// Something is being done with it.
    Busy,
    /// Its creation or deletion failed: it can only be deleted.
    Dead,
    /// An update failed and could not be taken back either: the rollback has to be continued, or the stack deleted.
    Stuck,
    /// It is gone.
    Deleted,
}

impl StackState {
    /// The state behind a status.
    pub(crate) fn of(status: &StackStatus) -> Self {
        use StackStatus as S;
        match status {
            S::CreateComplete | S::UpdateComplete | S::ImportComplete => Self::Complete,
            S::UpdateRollbackComplete | S::ImportRollbackComplete => Self::UpdateTakenBack,
            S::DeleteComplete => Self::Deleted,
            S::CreateFailed
            | S::RollbackComplete
            | S::RollbackFailed
            | S::DeleteFailed
            | S::ReviewInProgress => Self::Dead,
            S::UpdateFailed | S::UpdateRollbackFailed | S::ImportRollbackFailed => Self::Stuck,
            // All that is left ends in IN_PROGRESS.
            _ => Self::Busy,
        }
    }

    /// Whether it works and can be changed; if not, what to do.
    pub(crate) fn usable(self, name: &StackName, status: &StackStatus) -> Result<(), DeployError> {
        let status = status.as_str();
        match self {
            Self::Complete | Self::UpdateTakenBack => Ok(()),
            Self::Busy => Err(DeployError::new(
                DeployErrorKind::Busy,
                format!("stack {name} is being changed ({status}): wait until that is done, then try again"),
            )),
            Self::Dead => Err(DeployError::new(
                DeployErrorKind::Broken,
                format!(
                    "stack {name} is in state {status}, from which it can only be deleted: run `zae-limiter delete \
                     --stack-name {name}`, then try again"
                ),
            )),
            Self::Stuck => Err(DeployError::new(
                DeployErrorKind::Broken,
                format!(
                    "stack {name} is in state {status}: run `aws cloudformation continue-update-rollback --stack-name \
                     {name}`, or delete it, then try again"
                ),
            )),
            Self::Deleted => {
                Err(DeployError::new(DeployErrorKind::Missing, format!("stack {name} was deleted")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_state_and_each_state_an_advice() {
        let name: StackName = "s".parse().unwrap();
        for status in StackStatus::values() {
            let parsed = StackStatus::from(*status);
            let state = StackState::of(&parsed);
            let expected_busy = status.ends_with("_IN_PROGRESS") && *status != "REVIEW_IN_PROGRESS";
            assert_eq!(state == StackState::Busy, expected_busy, "{status}");
            if status.ends_with("_FAILED") {
                assert!(matches!(state, StackState::Dead | StackState::Stuck), "{status}");
            }
            match state.usable(&name, &parsed) {
                Ok(()) => assert!(status.ends_with("_COMPLETE"), "{status}"),
                Err(error) => assert!(error.to_string().contains("stack s"), "{error}"),
            }
        }
        assert_eq!(StackState::of(&StackStatus::RollbackComplete), StackState::Dead);
        assert_eq!(StackState::of(&StackStatus::UpdateRollbackComplete), StackState::UpdateTakenBack);
        assert_eq!(StackState::of(&StackStatus::UpdateRollbackFailed), StackState::Stuck);
    }
}
