//! What the scripted cloud replies to each request.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::cloud::{Fault, REGION, STACK_ID, Script};
use super::{settings, xml};

impl Script {
    #[expect(clippy::too_many_lines, reason = "one arm per call")]
    pub(crate) fn play(
        &mut self,
        call: &str,
        parameters: &BTreeMap<String, String>,
        path: &str,
        body: &str,
    ) -> (u16, String) {
        let given = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        match call {
            "GetRole" if self.roles.contains(&given("RoleName")) => xml::ok(
                call,
                "<Role><Path>/</Path><RoleName>R</RoleName><RoleId>R</RoleId><Arn>arn:aws:iam::123456789012:role/R</Arn>\
                 <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>",
            ),
            "GetRole" => (404, xml::error("NoSuchEntity", "no such role")),
            "GetCallerIdentity" => xml::ok(
                call,
                "<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/dev</Arn><UserId>U</UserId>",
            ),
            "DescribeStacks" if given("StackName").is_empty() => self.list(given(REGION)),
            "DescribeStacks" => self.describe(given("StackName")),
            "DescribeStackEvents" => {
                let events: String = self.events.iter().rev().map(xml::stack_event).collect();
                xml::ok(call, &format!("<StackEvents>{events}</StackEvents>"))
            }
            "DescribeEvents" => match &self.operation_events {
                None => (400, xml::error("InvalidAction", "Could not find operation DescribeEvents")),
                Some(told) => {
                    let key = if given("OperationId").is_empty() { "change-set" } else { given("OperationId") };
                    let events: String = told.get(key).into_iter().flatten().map(xml::operation_event).collect();
                    xml::ok(call, &format!("<OperationEvents>{events}</OperationEvents>"))
                }
            },
            "ListStackResources" => {
                let resources: String =
                    self.resources.iter().map(|one| xml::resource(one, self.resource_status)).collect();
                xml::ok(call, &format!("<StackResourceSummaries>{resources}</StackResourceSummaries>"))
            }
            "ListStacks" => {
                let deleted = self.status == Some("DELETE_COMPLETE");
                let summary = format!(
                    "<member><StackId>{STACK_ID}</StackId><StackName>face-recognition</StackName>\
                     <CreationTime>2026-01-01T00:00:00Z</CreationTime><DeletionTime>2026-01-02T00:00:00Z</DeletionTime>\
                     <StackStatus>DELETE_COMPLETE</StackStatus></member>"
                );
                let summaries = if deleted { summary } else { String::new() };
                xml::ok(call, &format!("<StackSummaries>{summaries}</StackSummaries>"))
            }
            "GetTemplate" if !given("ChangeSetName").is_empty() => {
                let body = self.made.get("TemplateBody").cloned().unwrap_or_default();
                xml::ok(call, &xml::text("TemplateBody", &body))
            }
            "GetTemplate" => {
                xml::ok(call, &xml::text("TemplateBody", self.template.as_deref().unwrap_or("Resources: {}")))
            }
            "ListChangeSets" => {
                let sets: String = self.stale.iter().map(xml::summary).collect();
                xml::ok(call, &format!("<Summaries>{sets}</Summaries>"))
            }
            "CreateChangeSet" => {
                self.current = self.change_sets.pop_front();
                self.made.clone_from(parameters);
                if self.knows_drift {
                    given("DeploymentMode").clone_into(&mut self.deployment_mode);
                }
                if self.status.is_none() {
                    self.status = Some("REVIEW_IN_PROGRESS");
                }
                let id =
                    format!("arn:aws:cloudformation:eu-west-1:123456789012:changeSet/{}/1", given("ChangeSetName"));
                xml::ok(call, &format!("<Id>{id}</Id><StackId>{STACK_ID}</StackId>"))
            }
            "DescribeChangeSet" => xml::change_set(self),
            "GetHookResult" => match &self.hook_annotations {
                None => (400, xml::error("HookResultNotFound", "no such result")),
                Some(annotations) => xml::ok(call, &xml::annotations(annotations)),
            },
            "ListHookResults" => xml::ok(call, &xml::hook_results(&self.hook_results)),
            "DeleteChangeSet" => {
                self.stale.retain(|(name, _)| !given("ChangeSetName").contains(name));
                xml::ok(call, "")
            }
            "ContinueUpdateRollback"
                if !given("ForceRollback").is_empty() && !given("ResourcesToSkip.member.1").is_empty() =>
            {
                (400, xml::error("ValidationError", "ForceRollback and ResourcesToSkip exclude each other"))
            }
            "CreateStack"
            | "UpdateStack"
            | "ExecuteChangeSet"
            | "DeleteStack"
            | "ContinueUpdateRollback"
            | "CancelUpdateStack" => {
                let Some(at) = self.acts.iter().position(|(name, _)| *name == call) else {
                    return (400, xml::error("ValidationError", "the script has no frames for this call"));
                };
                self.running = self.acts.remove(at).map(|(_, frames)| frames.into()).unwrap_or_default();
                given("ClientRequestToken").clone_into(&mut self.token);
                if call == "CreateStack" && std::mem::take(&mut self.creation_reply_is_lost) {
                    let _ = self.describe(STACK_ID);
                    self.faults.push(Fault {
                        call: "CreateStack",
                        after: 1,
                        times: 9,
                        http: 400,
                        code: "AlreadyExistsException",
                        message: "Stack [face-recognition] already exists",
                    });
                    return (500, xml::error("InternalFailure", "the reply was lost"));
                }
                xml::ok(call, &format!("<StackId>{STACK_ID}</StackId>"))
            }
            _ => self.play_other(call, path, body, given(REGION)),
        }
    }

    /// Answers the services other than CloudFormation and STS.
    fn play_other(&mut self, call: &str, path: &str, body: &str, region: &str) -> (u16, String) {
        let bucket = path.split('/').next().unwrap_or_default().to_owned();
        match call {
            "ListServiceQuotas" | "ListAWSDefaultServiceQuotas" => self.quotas(region),
            "GetAccountSettings" => {
                let free = self.free_copies;
                (
                    200,
                    json!({"AccountLimit": {"ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": free}})
                        .to_string(),
                )
            }
            "DeleteObjects" => {
                self.packages.clear();
                (200, "<DeleteResult></DeleteResult>".to_owned())
            }
            "GetFunctionConfiguration"
                if self.taken.iter().any(|name| path.ends_with(&format!("/{name}/configuration"))) =>
            {
                (200, "{}".to_owned())
            }
            "GetFunctionConfiguration" => (404, r#"{"__type":"ResourceNotFoundException"}"#.to_owned()),
            "DescribeLogGroups" => {
                let groups: Vec<Value> = self.taken.iter().map(|name| json!({"logGroupName": name})).collect();
                (200, json!({"logGroups": groups}).to_string())
            }
            "DescribeTable"
                if self.tables_appear_after_create && !self.calls.iter().any(|call| call.name == "CreateStack") =>
            {
                (400, r#"{"__type":"ResourceNotFoundException","message":"no such table"}"#.to_owned())
            }
            "DescribeTable" if self.tables.iter().any(|table| body.contains(&format!("\"{table}\""))) => {
                (200, r#"{"Table":{"TableStatus":"ACTIVE"}}"#.to_owned())
            }
            "Scan" => (200, json!({"Count": self.rows, "ScannedCount": self.rows}).to_string()),
            "DeleteTable" => {
                self.tables.retain(|table| !body.contains(&format!("\"{table}\"")));
                (200, "{}".to_owned())
            }
            "DescribeTable" => (400, r#"{"__type":"ResourceNotFoundException","message":"no such table"}"#.to_owned()),
            "HeadBucket" if self.buckets.contains(&bucket) => (200, String::new()),
            "HeadBucket" => (404, String::new()),
            "DeleteBucket" if self.others_packages && bucket.starts_with("provisioner-artefacts-") => {
                (409, "<Error><Code>BucketNotEmpty</Code><Message>not empty</Message></Error>".to_owned())
            }
            "DeleteBucket" => {
                self.buckets.remove(&bucket);
                (204, String::new())
            }
            "GetBucketTagging" => {
                let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
                let tags: Vec<_> = self.bucket_tags.iter().map(tag).collect();
                (200, format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.concat()))
            }
            "PutBucketTagging" => {
                body.clone_into(&mut self.tagging);
                (200, String::new())
            }
            "CreateBucket" | "PutBucketPolicy" => (200, String::new()),
            "ListObjectVersions" => (200, xml::objects("ListVersionsResult", "Version", &self.packages)),
            "ListMultipartUploads" => (200, "<ListMultipartUploadsResult></ListMultipartUploadsResult>".into()),
            "ListObjectsV2" => (200, xml::objects("ListBucketResult", "Contents", &self.packages)),
            _ => settings::without(call)
                .unwrap_or_else(|| (400, xml::error("InvalidAction", "the scripted cloud does not support this call"))),
        }
    }

    /// The quotas of Rekognition in a region.
    fn quotas(&self, region: &str) -> (u16, String) {
        let refused = |code: &str| (400, json!({"__type": code, "Message": "as scripted"}).to_string());
        if self.closed_regions.contains(&region) {
            return refused("AccessDeniedException");
        }
        if !self.rekognition_regions.is_empty() && !self.rekognition_regions.contains(&region) {
            return refused("NoSuchResourceException");
        }
        let quotas: Vec<_> = self
            .detect_faces
            .iter()
            .map(|rate| json!({"QuotaName": "Transactions per second for DetectFaces", "Value": rate}))
            .collect();
        (200, json!({"Quotas": quotas}).to_string())
    }

    /// All stacks of a region.
    fn list(&mut self, region: &str) -> (u16, String) {
        if self.disabled_regions.contains(&region) {
            return (403, xml::error("InvalidClientTokenId", "The security token included in the request is invalid."));
        }
        if self.closed_regions.contains(&region) {
            return (403, xml::error("AccessDenied", "as scripted"));
        }
        match self.status {
            Some(status) if self.stack_regions.is_empty() || self.stack_regions.contains(&region) => {
                let (code, reply) = xml::stack(status, self);
                (code, reply.replace(":eu-west-1:", &format!(":{region}:")))
            }
            _ => xml::ok("DescribeStacks", "<Stacks></Stacks>"),
        }
    }

    /// Advances the time by one step, at each `DescribeStacks`.
    fn describe(&mut self, name: &str) -> (u16, String) {
        if let Some(frame) = self.running.pop_front() {
            self.status = Some(frame.status);
            // As in CloudFormation, every change of the status has an event about the stack itself.
            let own = json!({"id": "", "at": 0, "logical_id": "face-recognition", "status": frame.status,
                "resource_type": "AWS::CloudFormation::Stack"});
            let events = if frame.events.is_empty() { vec![own] } else { frame.events };
            for mut event in events {
                // Every event has its own id, even if a history is used twice.
                event["id"] = format!("{}", self.events.len()).into();
                if self.tokenless {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                    event["at"] = u64::try_from(now).unwrap_or_default().into();
                } else {
                    event["token"] = self.token.clone().into();
                }
                self.events.push(event);
            }
        }
        match self.status {
            None if self.describes_by_id && name == STACK_ID => xml::stack("CREATE_COMPLETE", self),
            Some("DELETE_COMPLETE") if name != STACK_ID => missing(),
            None => missing(),
            Some(status) => xml::stack(status, self),
        }
    }
}

fn missing() -> (u16, String) {
    (400, xml::error("ValidationError", "Stack with id face-recognition does not exist"))
}
