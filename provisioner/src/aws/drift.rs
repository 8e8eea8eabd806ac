//! Drift detection: CloudFormation compares the actual resources with the deployed template.

use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{StackDriftDetectionStatus, StackResourceDriftStatus};

use super::error::{code, explain};
use super::pace::Pace;
use crate::core::event::Drifted;
use crate::core::plan::Property;
use crate::error::{Error, Result};

/// The result of the detection.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    /// The resources that differ from the deployed template.
    pub drifted: Vec<Drifted>,
    /// The logical ids of resources that could not be compared.
    pub unchecked: Vec<String>,
}

/// Detects the drift of a stack and waits for the result; `None` if the endpoint does not support the operation.
pub async fn detect(client: &Client, stack: &str) -> Result<Option<Drift>> {
    let attempt = || format!("cannot detect the drift of stack `{stack}`");
    let id = match client.detect_stack_drift().stack_name(stack).send().await {
        Ok(reply) => reply.stack_drift_detection_id.unwrap_or_default(),
        Err(error) if is_unknown(code(&error)) => return Ok(None),
        Err(error) => return Err(explain(attempt(), &error)),
    };
    let mut pace = Pace::new(Duration::from_millis(500), Duration::from_secs(3));
    loop {
        let reply = client
            .describe_stack_drift_detection_status()
            .stack_drift_detection_id(&id)
            .send()
            .await
            .map_err(|error| explain(attempt(), &error))?;
        match reply.detection_status() {
            Some(StackDriftDetectionStatus::DetectionInProgress) => pace.wait().await,
            // A failed detection has results, too: those of the resources that could be compared.
            Some(_) => break,
            None => return Err(Error::new(attempt()).cause("CloudFormation did not return a status")),
        }
    }
    read(client, stack).await.map(Some)
}

async fn read(client: &Client, stack: &str) -> Result<Drift> {
    let mut found = Drift::default();
    let mut next = None;
    loop {
        let reply = client
            .describe_stack_resource_drifts()
            .stack_name(stack)
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| explain(format!("cannot read the drift of stack `{stack}`"), &error))?;
        for drift in reply.stack_resource_drifts() {
            let logical_id = drift.logical_resource_id().unwrap_or_default().to_owned();
            let deleted = match drift.stack_resource_drift_status() {
                Some(StackResourceDriftStatus::Deleted) => true,
                Some(StackResourceDriftStatus::Modified) => false,
                Some(StackResourceDriftStatus::InSync) => continue,
                _ => {
                    found.unchecked.push(logical_id);
                    continue;
                }
            };
            let property = |difference: &aws_sdk_cloudformation::types::PropertyDifference| Property {
                path: difference.property_path().unwrap_or_default().to_owned(),
                before: difference.expected_value().map(ToOwned::to_owned),
                after: difference.actual_value().map(ToOwned::to_owned),
                recreates: false,
                effect: None,
            };
            found.drifted.push(Drifted {
                logical_id,
                resource_type: drift.resource_type().unwrap_or_default().to_owned(),
                physical_id: drift.physical_resource_id().unwrap_or_default().to_owned(),
                deleted,
                properties: drift.property_differences().iter().map(property).collect(),
            });
        }
        next = reply.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

fn is_unknown(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "InvalidAction"
                | "UnknownOperationException"
                | "NotImplemented"
                | "UnsupportedOperation"
                | "InternalFailure"
        )
    )
}
