//! The actions that each purpose needs: the data behind the policy documents.
//!
//! Pure. An action is listed because this program calls it or because a resource of the template needs it, and for no
//! other reason.

use super::resources::On;

pub(super) const UP: u8 = 1;
pub(super) const ADOPT: u8 = 1 << 1;
pub(super) const ATTACH: u8 = 1 << 2;
pub(super) const BACKFILL: u8 = 1 << 3;
pub(super) const DATA: u8 = 1 << 4;
pub(super) const SMOKE: u8 = 1 << 5;
pub(super) const DOWN: u8 = 1 << 6;
/// The purposes whose documents serve a command by themselves; the others are added to `up`.
const COMMANDS: u8 = UP | BACKFILL | DATA | SMOKE | DOWN;
/// `up` ends with a smoke test.
const PROVE: u8 = UP | SMOKE;
/// A failed creation is rolled back with the same permissions, and an update removes what a parameter switched off.
const REMOVE: u8 = UP | DOWN;

/// Who performs an action.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// This program.
    Program,
    /// `CloudFormation`, on behalf of whoever calls it or of its service role.
    Stack,
    /// Both of them; also everything of which AWS does not document whose permissions count.
    Both,
}

use By::{Both, Program, Stack};

/// One statement: actions of one service on one kind of resource.
pub(super) struct Grant {
    pub(super) sid: &'static str,
    /// The prefix of the actions; empty if they carry their own.
    pub(super) service: &'static str,
    /// For each group of actions, the purposes that need it and who performs it.
    pub(super) actions: &'static [(u8, By, &'static [&'static str])],
    pub(super) on: On,
}

/// Every statement that a document can hold, in order.
pub(super) const GRANTS: &[Grant] = &[
    Grant {
        sid: "Stack",
        service: "cloudformation",
        actions: &[
            // `GetTemplate`: a command recognizes this system's stacks by the `Metadata` of their template.
            (COMMANDS, Program, &["DescribeStacks", "GetTemplate", "ListStackResources"]),
            (UP | DOWN | DATA, Program, &["DescribeStackEvents", "DescribeEvents"]),
            (
                UP,
                Program,
                &[
                    "CancelUpdateStack",
                    "ContinueUpdateRollback",
                    "CreateChangeSet",
                    "CreateStack",
                    "DeleteChangeSet",
                    "DescribeChangeSet",
                    "ExecuteChangeSet",
                    "ListChangeSets",
                    "RollbackStack",
                    "TagResource",
                    "UntagResource",
                    "UpdateStack",
                ],
            ),
            (REMOVE, Program, &["DeleteStack"]),
            // Finds the stack of an existing resource; if it is another stack, the resource's tags answer instead.
            (UP | ADOPT, Program, &["DescribeStackResources"]),
            (DATA, Program, &["DescribeStackResourceDrifts", "DetectStackDrift", "DetectStackResourceDrift"]),
        ],
        on: On::Stack,
    },
    Grant {
        sid: "Bucket",
        service: "s3",
        actions: &[
            (COMMANDS & !BACKFILL | ADOPT, Both, &["ListBucket"]),
            // In a bucket that was ever versioned, a picture is identified by its version.
            (BACKFILL, Program, &["GetBucketVersioning"]),
            (DOWN, Both, &["GetBucketPolicy"]),
            (
                UP,
                Stack,
                &[
                    "CreateBucket",
                    "PutBucketNotification",
                    "PutBucketOwnershipControls",
                    "PutBucketPolicy",
                    "PutBucketPublicAccessBlock",
                    "PutBucketTagging",
                    "PutBucketVersioning",
                    "PutEncryptionConfiguration",
                    "PutLifecycleConfiguration",
                    "TagResource",
                    "UntagResource",
                ],
            ),
            // Updates, imports and drift detection read every setting that a bucket can have, and fail if they may not.
            (UP, Stack, &["Get*Configuration", "GetBucket*", "ListTagsForResource"]),
            (ADOPT | DATA, Both, &["Get*Configuration", "GetBucket*", "ListTagsForResource"]),
            // Adoption resets access control lists before it disables them.
            (ADOPT, Program, &["PutBucketAcl"]),
            (PROVE, Program, &["GetBucketNotification"]),
            (PROVE | DOWN | BACKFILL | DATA, Program, &["ListBucketVersions"]),
            // A locked version cannot be deleted, so `down` looks for one first.
            (DOWN, Program, &["GetBucketObjectLockConfiguration", "ListBucketMultipartUploads"]),
            (REMOVE, Stack, &["DeleteBucket", "DeleteBucketPolicy"]),
            // `down` removes a bucket that the stack left behind.
            (DOWN, Program, &["DeleteBucket"]),
        ],
        on: On::Bucket,
    },
    Grant {
        sid: "Pictures",
        service: "s3",
        actions: &[
            (PROVE | DATA, Program, &["GetObject", "PutObject"]),
            // A page shows the very version that a row is about.
            (DATA, Program, &["GetObjectVersion"]),
            (PROVE | DATA | DOWN, Program, &["DeleteObject", "DeleteObjectVersion"]),
            (DOWN, Program, &["AbortMultipartUpload", "GetObjectLegalHold", "GetObjectRetention"]),
        ],
        on: On::Pictures,
    },
    Grant {
        sid: "CodeBucket",
        service: "s3",
        actions: &[
            (REMOVE, Program, &["DeleteBucket", "ListBucket", "ListBucketMultipartUploads", "ListBucketVersions"]),
            (UP, Program, &["CreateBucket", "GetBucketTagging", "PutBucketPolicy", "PutBucketTagging", "TagResource"]),
        ],
        on: On::PackageBucket,
    },
    Grant {
        sid: "Code",
        service: "s3",
        actions: &[
            // Lambda fetches the package with the permissions of whoever creates the function. `up` reads the record of
            // the last smoke test and the package of a saved plan.
            (UP, Both, &["GetObject"]),
            (UP, Program, &["PutObject"]),
            // An interrupted `up --detach` leaves a record, which `down` completes.
            (DOWN, Program, &["GetObject"]),
            (REMOVE, Program, &["AbortMultipartUpload", "DeleteObject", "DeleteObjectVersion"]),
        ],
        on: On::Packages,
    },
    Grant {
        sid: "Function",
        service: "lambda",
        actions: &[
            (PROVE | DOWN, Program, &["GetFunctionConfiguration"]),
            (
                UP,
                Stack,
                &[
                    "AddPermission",
                    "CreateFunction",
                    "DeleteFunctionConcurrency",
                    "PutFunctionConcurrency",
                    "PutFunctionEventInvokeConfig",
                    "TagResource",
                    "UntagResource",
                    "UpdateFunctionCode",
                    "UpdateFunctionConfiguration",
                    "UpdateFunctionEventInvokeConfig",
                ],
            ),
            (REMOVE, Stack, &["DeleteFunction", "DeleteFunctionEventInvokeConfig", "GetFunction", "RemovePermission"]),
            // The smoke test checks where failed uploads go; `down` checks that nothing of the function is left.
            (PROVE | DOWN, Both, &["GetFunctionEventInvokeConfig", "GetPolicy"]),
            (
                UP,
                Stack,
                &[
                    "GetFunctionCodeSigningConfig",
                    "GetFunctionRecursionConfig",
                    "GetRuntimeManagementConfig",
                    "ListTags",
                ],
            ),
            (
                DATA,
                Both,
                &[
                    "GetFunction",
                    "GetFunctionCodeSigningConfig",
                    "GetFunctionEventInvokeConfig",
                    "GetFunctionRecursionConfig",
                    "GetPolicy",
                    "GetRuntimeManagementConfig",
                    "ListTags",
                ],
            ),
            // `redrive` hands failed events to the function again.
            (DATA, Program, &["InvokeFunction"]),
        ],
        on: On::Function,
    },
    Grant {
        sid: "Role",
        service: "iam",
        actions: &[
            (DOWN, Program, &["GetRole"]),
            (UP, Stack, &["TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"]),
            (REMOVE, Stack, &["DeleteRole", "DeleteRolePolicy"]),
            (REMOVE, Stack, &["GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"]),
            (DATA, Both, &["GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"]),
        ],
        on: On::Role,
    },
    Grant {
        sid: "RolePermissions",
        service: "iam",
        actions: &[(UP, Stack, &["CreateRole", "PutRolePolicy"])],
        on: On::RolePermissions,
    },
    Grant {
        sid: "RoleBoundary",
        service: "iam",
        actions: &[(UP, Stack, &["PutRolePermissionsBoundary"])],
        on: On::RoleBoundary,
    },
    Grant { sid: "PassRole", service: "iam", actions: &[(UP, Stack, &["PassRole"])], on: On::PassedRole },
    Grant {
        sid: "PassServiceRole",
        service: "iam",
        actions: &[(REMOVE, Program, &["PassRole"])],
        on: On::PassedServiceRole,
    },
    Grant {
        sid: "Table",
        service: "dynamodb",
        actions: &[
            (PROVE | DATA, Program, &["DeleteItem", "GetItem"]),
            (UP | ADOPT | DATA | DOWN, Both, &["DescribeTable"]),
            // A row tells `--adopt` after how many days it expires.
            (ADOPT | DATA | DOWN, Program, &["Scan"]),
            (BACKFILL, Program, &["BatchGetItem"]),
            (UP, Stack, WRITE_TABLE),
            (UP, Stack, READ_TABLE),
            (ADOPT | DATA, Both, READ_TABLE),
            (REMOVE, Stack, &["DeleteTable"]),
            // `down` removes a table that the stack left behind.
            (DOWN, Program, &["DeleteTable"]),
        ],
        on: On::Table,
    },
    Grant {
        sid: "PictureTable",
        service: "dynamodb",
        actions: &[
            (BACKFILL, Stack, WRITE_TABLE),
            (BACKFILL, Stack, READ_TABLE),
            (ADOPT | DATA, Both, READ_TABLE),
            (ADOPT | BACKFILL | DATA | DOWN, Both, &["DescribeTable"]),
            (BACKFILL, Program, &["BatchGetItem"]),
            (DATA | SMOKE, Program, &["BatchGetItem", "GetItem", "Query"]),
            (DATA | DOWN, Program, &["Scan"]),
            (DATA | SMOKE, Program, &["DeleteItem"]),
            // `forget` marks a picture, so that neither `backfill` nor `redrive` processes it again.
            (DATA, Program, &["UpdateItem"]),
            (BACKFILL | DOWN, Stack, &["DeleteTable"]),
            (DOWN, Program, &["DeleteTable"]),
        ],
        on: On::PictureTable,
    },
    Grant {
        sid: "Log",
        service: "logs",
        actions: &[
            (PROVE | DATA, Program, &["FilterLogEvents"]),
            (
                UP,
                Stack,
                &["CreateLogGroup", "DeleteRetentionPolicy", "PutRetentionPolicy", "TagResource", "UntagResource"],
            ),
            (UP, Stack, &["GetDataProtectionPolicy", "ListTagsForResource"]),
            (DATA, Both, &["GetDataProtectionPolicy", "ListTagsForResource"]),
            (REMOVE, Stack, &["DeleteLogGroup"]),
        ],
        on: On::LogGroup,
    },
    Grant {
        sid: "Queue",
        service: "sqs",
        actions: &[
            (UP, Stack, &["GetQueueAttributes", "ListQueueTags"]),
            (DATA, Both, &["GetQueueAttributes", "ListQueueTags"]),
            (DOWN, Both, &["GetQueueAttributes"]),
            // Counts the pictures that fail.
            (BACKFILL, Program, &["GetQueueAttributes"]),
            (UP, Stack, &["CreateQueue", "GetQueueUrl", "SetQueueAttributes", "TagQueue", "UntagQueue"]),
            (REMOVE, Stack, &["DeleteQueue"]),
            (DATA, Program, &["ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage"]),
        ],
        on: On::Queue,
    },
    Grant {
        sid: "BackfillQueue",
        service: "sqs",
        actions: &[
            (
                BACKFILL,
                Stack,
                &["CreateQueue", "GetQueueUrl", "ListQueueTags", "SetQueueAttributes", "TagQueue", "UntagQueue"],
            ),
            // `--cancel` empties the queue; `redrive` sends failed events through it.
            (BACKFILL, Program, &["PurgeQueue"]),
            (BACKFILL | DATA, Program, &["SendMessage"]),
            (BACKFILL | DATA | DOWN, Both, &["GetQueueAttributes"]),
            (DATA, Both, &["ListQueueTags"]),
            (BACKFILL | DOWN, Stack, &["DeleteQueue"]),
        ],
        on: On::BackfillQueue,
    },
    Grant {
        sid: "NewMapping",
        service: "lambda",
        actions: &[(BACKFILL, Stack, &["CreateEventSourceMapping"])],
        on: On::NewMapping,
    },
    Grant {
        sid: "Mapping",
        service: "lambda",
        actions: &[
            (BACKFILL, Stack, &["UpdateEventSourceMapping"]),
            (BACKFILL | DOWN, Stack, &["DeleteEventSourceMapping"]),
        ],
        on: On::Mapping,
    },
    Grant {
        sid: "AnyMapping",
        service: "lambda",
        actions: &[
            // Whether a mapping is gone can only be asked without a condition on its function.
            (BACKFILL | DATA | DOWN, Both, &["GetEventSourceMapping"]),
            (BACKFILL, Stack, &["ListTags", "TagResource", "UntagResource"]),
            (DATA, Both, &["ListTags"]),
        ],
        on: On::AnyMapping,
    },
    Grant {
        sid: "AttachedBuckets",
        service: "s3",
        actions: &[
            // `down` switches the EventBridge flag off if nobody else needs it.
            (ATTACH | DOWN, Program, &["PutBucketNotification"]),
            (ATTACH | DOWN | SMOKE | DATA, Program, &["GetBucketNotification"]),
            // Objects encrypted with a key that the function may not use would fail.
            (ATTACH, Program, &["GetEncryptionConfiguration"]),
            (ATTACH | DATA | SMOKE, Program, &["ListBucket", "ListBucketVersions"]),
            (BACKFILL, Program, &["GetBucketVersioning", "ListBucketVersions"]),
        ],
        on: On::AttachedBuckets,
    },
    Grant {
        sid: "AttachedPictures",
        service: "s3",
        actions: &[
            (SMOKE, Program, &["GetObject", "PutObject"]),
            // `forget --picture` erases objects, and `smoke --write-attached` the one that it wrote.
            (SMOKE | DATA, Program, &["DeleteObject", "DeleteObjectVersion"]),
        ],
        on: On::AttachedPictures,
    },
    Grant {
        sid: "Rules",
        service: "events",
        actions: &[
            (ATTACH, Stack, &["PutRule", "PutTargets", "TagResource", "UntagResource"]),
            (ATTACH | DOWN, Stack, &["DeleteRule", "RemoveTargets"]),
            (ATTACH | DOWN | SMOKE | DATA, Both, &["DescribeRule", "ListTargetsByRule"]),
            (ATTACH | DATA, Both, &["ListTagsForResource"]),
        ],
        on: On::Rules,
    },
    Grant {
        sid: "RuleFailures",
        service: "sqs",
        // The queue's policy lets EventBridge send what a rule could not deliver.
        actions: &[(ATTACH | DOWN, Stack, &["SetQueueAttributes"])],
        on: On::RuleFailures,
    },
    Grant {
        sid: "Alarms",
        service: "cloudwatch",
        actions: &[
            (UP, Stack, &["DescribeAlarms", "ListTagsForResource"]),
            (DATA, Both, &["DescribeAlarms", "ListTagsForResource"]),
            (DOWN, Both, &["DescribeAlarms"]),
            (UP, Stack, &["PutMetricAlarm", "TagResource", "UntagResource"]),
            (REMOVE, Stack, &["DeleteAlarms"]),
        ],
        on: On::Alarms,
    },
    Grant {
        sid: "Account",
        service: "",
        actions: &[
            // `up` also asks whether there is a log group already that would be in the way.
            (UP, Both, &["logs:DescribeLogGroups"]),
            (UP, Stack, &["logs:DescribeIndexPolicies", "logs:DescribeResourcePolicies"]),
            (DATA, Both, &["logs:DescribeIndexPolicies", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"]),
            (DOWN, Both, &["logs:DescribeLogGroups"]),
            (UP, Program, &["lambda:GetAccountSettings"]),
            (UP | BACKFILL, Program, &["servicequotas:ListAWSDefaultServiceQuotas", "servicequotas:ListServiceQuotas"]),
            (UP | DOWN, Program, &["cloudformation:GetHookResult"]),
            (DOWN, Program, &["cloudformation:ListStacks"]),
            (UP, Program, &["cloudformation:ListHookResults"]),
            (DATA, Program, &["cloudformation:DescribeStackDriftDetectionStatus"]),
        ],
        on: On::Account,
    },
    Grant {
        sid: "Events",
        service: "events",
        // A bucket's flag stays on if any other rule can match its events.
        actions: &[(ATTACH | DOWN, Program, &["ListRules"]), (ATTACH | SMOKE, Program, &["TestEventPattern"])],
        on: On::AttachedEvents,
    },
];

/// What `CloudFormation` does to a table.
const WRITE_TABLE: &[&str] =
    &["CreateTable", "TagResource", "UntagResource", "UpdateContinuousBackups", "UpdateTable", "UpdateTimeToLive"];

/// What `CloudFormation` reads of a table besides its description.
const READ_TABLE: &[&str] = &[
    "DescribeContinuousBackups",
    "DescribeContributorInsights",
    "DescribeKinesisStreamingDestination",
    "DescribeTimeToLive",
    "GetResourcePolicy",
    "ListTagsOfResource",
];
