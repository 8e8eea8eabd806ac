//! What each purpose needs: the table behind the policy.
//!
//! Pure: data. An action stands here because a call of this program or a resource of the template needs it, and for no other reason.

pub(super) const UP: u8 = 1;
pub(super) const SMOKE: u8 = 2;
pub(super) const DOWN: u8 = 4;
pub(super) const OTHER: u8 = 8;
/// `up` ends with a smoke test.
const PROVE: u8 = UP | SMOKE;
/// A create that fails is undone with the same rights, and an update removes what a parameter switched off.
const REMOVE: u8 = UP | DOWN;
pub(super) const EVERY: u8 = UP | SMOKE | DOWN | OTHER;

/// One statement: actions of one service on one kind of resource.
pub(super) struct Grant {
    pub(super) sid: &'static str,
    /// The prefix of the actions; empty where they carry their own.
    pub(super) service: &'static str,
    /// The purposes of each group of actions.
    pub(super) actions: &'static [(u8, &'static [&'static str])],
    pub(super) on: On,
}

/// What a statement speaks of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Stack,
    Bucket,
    Pictures,
    ArtefactBucket,
    Artefacts,
    Function,
    Role,
    /// The same role, when it is given to the function.
    PassedRole,
    Table,
    LogGroup,
    Queue,
    Alarms,
    /// Whatever has a region in its ARN, taken together.
    Regions,
    /// Actions that know no resources.
    Account,
}

/// Every statement that a policy can hold, in the order in which it holds them.
pub(super) const GRANTS: &[Grant] = &[
    Grant {
        sid: "Stack",
        service: "cloudformation",
        actions: &[
            (EVERY, &["DescribeStacks", "ListStackResources"]),
            (UP | DOWN | OTHER, &["DescribeStackEvents", "DescribeEvents", "GetTemplate"]),
            (
                UP,
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
                ],
            ),
            (REMOVE, &["DeleteStack"]),
            (OTHER, &["DescribeStackResourceDrifts", "DetectStackDrift", "DetectStackResourceDrift"]),
        ],
        on: On::Stack,
    },
    Grant {
        sid: "Bucket",
        service: "s3",
        actions: &[
            (EVERY, &["ListBucket"]),
            (DOWN, &["GetBucketPolicy"]),
            (
                UP,
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
            // Import and drift detection read every setting that a bucket can have, and fail where they may not.
            (UP | OTHER, &["Get*Configuration", "GetBucket*", "ListTagsForResource"]),
            (SMOKE, &["GetBucketNotification"]),
            (PROVE | DOWN, &["ListBucketVersions"]),
            (DOWN, &["ListBucketMultipartUploads"]),
            (REMOVE, &["DeleteBucket", "DeleteBucketPolicy"]),
        ],
        on: On::Bucket,
    },
    Grant {
        sid: "Pictures",
        service: "s3",
        actions: &[
            (PROVE, &["GetObject", "PutObject"]),
            (PROVE | DOWN, &["DeleteObject", "DeleteObjectVersion"]),
            (DOWN, &["AbortMultipartUpload"]),
        ],
        on: On::Pictures,
    },
    Grant {
        sid: "CodeBucket",
        service: "s3",
        actions: &[
            (REMOVE, &["DeleteBucket", "ListBucket", "ListBucketMultipartUploads", "ListBucketVersions"]),
            (UP, &["CreateBucket", "PutBucketPolicy", "PutBucketTagging", "TagResource"]),
        ],
        on: On::ArtefactBucket,
    },
    Grant {
        sid: "Code",
        service: "s3",
        actions: &[
            // Lambda fetches the package with the rights of whoever creates the function.
            (UP, &["GetObject", "PutObject"]),
            (REMOVE, &["AbortMultipartUpload", "DeleteObject", "DeleteObjectVersion"]),
        ],
        on: On::Artefacts,
    },
    Grant {
        sid: "Function",
        service: "lambda",
        actions: &[
            (EVERY, &["GetFunctionConfiguration"]),
            (UP | DOWN | OTHER, &["GetFunction"]),
            (PROVE | OTHER, &["GetFunctionConcurrency"]),
            (
                UP,
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
            (REMOVE, &["DeleteFunction", "DeleteFunctionEventInvokeConfig", "RemovePermission"]),
            (UP | DOWN | OTHER, &["GetFunctionEventInvokeConfig", "GetPolicy"]),
            (
                UP | OTHER,
                &[
                    "GetFunctionCodeSigningConfig",
                    "GetFunctionRecursionConfig",
                    "GetRuntimeManagementConfig",
                    "ListTags",
                ],
            ),
            (OTHER, &["InvokeFunction"]),
        ],
        on: On::Function,
    },
    Grant {
        sid: "Role",
        service: "iam",
        actions: &[
            (EVERY, &["GetRole"]),
            (
                UP,
                &[
                    "CreateRole",
                    "PutRolePolicy",
                    "TagRole",
                    "UntagRole",
                    "UpdateAssumeRolePolicy",
                    "UpdateRole",
                    "UpdateRoleDescription",
                ],
            ),
            (REMOVE, &["DeleteRole", "DeleteRolePolicy"]),
            (UP | DOWN | OTHER, &["GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"]),
        ],
        on: On::Role,
    },
    Grant { sid: "PassRole", service: "iam", actions: &[(UP, &["PassRole"])], on: On::PassedRole },
    Grant {
        sid: "Table",
        service: "dynamodb",
        actions: &[
            (PROVE, &["DeleteItem", "GetItem"]),
            (EVERY, &["DescribeTable", "Scan"]),
            (
                UP,
                &[
                    "CreateTable",
                    "TagResource",
                    "UntagResource",
                    "UpdateContinuousBackups",
                    "UpdateTable",
                    "UpdateTimeToLive",
                ],
            ),
            (
                UP | OTHER,
                &[
                    "DescribeContinuousBackups",
                    "DescribeContributorInsights",
                    "DescribeKinesisStreamingDestination",
                    "DescribeTimeToLive",
                    "GetResourcePolicy",
                    "ListTagsOfResource",
                ],
            ),
            (REMOVE, &["DeleteTable"]),
        ],
        on: On::Table,
    },
    Grant {
        sid: "Log",
        service: "logs",
        actions: &[
            (PROVE | OTHER, &["FilterLogEvents"]),
            (UP, &["CreateLogGroup", "DeleteRetentionPolicy", "PutRetentionPolicy", "TagResource", "UntagResource"]),
            (UP | OTHER, &["GetDataProtectionPolicy", "ListTagsForResource"]),
            (REMOVE, &["DeleteLogGroup"]),
        ],
        on: On::LogGroup,
    },
    Grant {
        sid: "Queue",
        service: "sqs",
        actions: &[
            (UP | DOWN | OTHER, &["GetQueueAttributes"]),
            (UP, &["CreateQueue", "GetQueueUrl", "SetQueueAttributes", "TagQueue", "UntagQueue"]),
            (UP | OTHER, &["ListQueueTags"]),
            (REMOVE, &["DeleteQueue"]),
            (OTHER, &["ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage"]),
        ],
        on: On::Queue,
    },
    Grant {
        sid: "Alarms",
        service: "cloudwatch",
        actions: &[
            (UP | DOWN | OTHER, &["DescribeAlarms"]),
            (UP, &["PutMetricAlarm", "TagResource", "UntagResource"]),
            (UP | OTHER, &["ListTagsForResource"]),
            (REMOVE, &["DeleteAlarms"]),
        ],
        on: On::Alarms,
    },
    Grant {
        sid: "Account",
        service: "",
        actions: &[
            (UP | DOWN | OTHER, &["logs:DescribeLogGroups"]),
            (
                UP | OTHER,
                &[
                    "lambda:GetAccountSettings",
                    "logs:DescribeIndexPolicies",
                    "servicequotas:ListAWSDefaultServiceQuotas",
                    "servicequotas:ListServiceQuotas",
                ],
            ),
            (UP | DOWN, &["cloudformation:GetHookResult"]),
            (DOWN, &["cloudformation:ListStacks"]),
            (UP, &["cloudformation:ListHookResults"]),
            (OTHER, &["cloudformation:DescribeStackDriftDetectionStatus"]),
        ],
        on: On::Account,
    },
];
