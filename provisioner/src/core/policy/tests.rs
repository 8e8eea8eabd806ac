//! Tests of the policy documents.

use super::resources::generated;
use super::*;

const ONE: Scope<'_> = Scope {
    partition: "aws",
    account: "123456789012",
    regions: &["eu-west-1"],
    stack: "face-recognition",
    table: "FaceData",
    picture_bucket: "face-recognition-123456789012-eu-west-1-an",
    package_bucket: "provisioner-artefacts-123456789012-eu-west-1-an",
    role_path: "/",
    boundary: None,
    attached: &[],
};
const SERVICE_ROLE: &str = "arn:aws:iam::123456789012:role/cloudformation";
const HOLDERS: [Holder<'_>; 3] = [Holder::Deployer, Holder::DeployerWith(SERVICE_ROLE), Holder::ServiceRole];

fn statements_of(document: &Value) -> &[Value] {
    document["Statement"].as_array().expect("statements")
}

fn actions(document: &Value) -> Vec<&str> {
    let lists = statements_of(document).iter().filter_map(|statement| statement["Action"].as_array());
    lists.flatten().filter_map(Value::as_str).collect()
}

fn statement<'a>(document: &'a Value, sid: &str) -> Option<&'a Value> {
    statements_of(document).iter().find(|statement| statement["Sid"] == sid)
}

#[test]
fn each_purpose_has_its_actions() {
    for (action, expected) in [
        ("cloudformation:CreateStack", "up"),
        ("cloudformation:DeleteStack", "up down"),
        ("cloudformation:DescribeStacks", "up backfill data smoke down"),
        ("cloudformation:DetectStackDrift", "data"),
        ("s3:PutObject", "up data smoke"),
        ("s3:DeleteObjectVersion", "up data smoke down"),
        ("s3:GetBucket*", "up adopt data"),
        ("dynamodb:GetItem", "up data smoke"),
        ("dynamodb:DeleteTable", "up backfill down"),
        ("dynamodb:UpdateItem", "data"),
        ("iam:PassRole", "up"),
        ("iam:AttachRolePolicy", ""),
        ("iam:PutRolePermissionsBoundary", ""),
        ("lambda:InvokeFunction", "data"),
        ("lambda:CreateEventSourceMapping", "backfill"),
        ("lambda:DeleteEventSourceMapping", "backfill down"),
        ("logs:DescribeResourcePolicies", "up data"),
        ("servicequotas:ListServiceQuotas", "up backfill"),
        ("sqs:ReceiveMessage", "data"),
        ("sqs:SendMessage", "backfill data"),
        ("events:PutRule", "attach"),
        ("sts:GetCallerIdentity", ""),
    ] {
        let having = Purpose::EACH.into_iter().filter(|purpose| {
            let document = document(Holder::Deployer, *purpose, &ONE);
            actions(&document).contains(&action)
        });
        assert_eq!(having.map(Purpose::name).collect::<Vec<_>>().join(" "), expected, "{action}");
    }
}

#[test]
fn nothing_is_granted_twice() {
    for holder in HOLDERS {
        for purpose in Purpose::EACH {
            for regions in [&["eu-west-1"] as &[&str], &["eu-west-1", "us-east-1"]] {
                let document = document(holder, purpose, &Scope { regions, ..ONE });
                let mut sids: Vec<_> = statements_of(&document).iter().map(|it| it["Sid"].to_string()).collect();
                for statement in statements_of(&document) {
                    let names: Vec<_> = statement["Action"].as_array().expect("actions").iter().collect();
                    assert!(names.is_sorted_by_key(|name| name.as_str()), "{purpose:?} {}", statement["Sid"]);
                    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{purpose:?} {}", statement["Sid"]);
                }
                sids.sort_unstable();
                assert!(sids.windows(2).all(|pair| pair[0] != pair[1]), "{purpose:?}: {sids:?}");
            }
        }
    }
}

#[test]
fn wildcards_are_only_where_no_name_is_known() {
    for purpose in Purpose::EACH {
        let document = document(Holder::Deployer, purpose, &ONE);
        let open: Vec<_> = actions(&document).into_iter().filter(|action| action.contains('*')).collect();
        assert!(open.iter().all(|action| action.starts_with("s3:Get")), "{purpose:?}: {open:?}");
        for statement in statements_of(&document) {
            let is_open = statement["Resource"] == "*";
            let has_no_resource = ["Account", "NewMapping", "Events"].iter().any(|sid| statement["Sid"] == *sid);
            assert_eq!(is_open, has_no_resource, "{purpose:?} {}", statement["Sid"]);
        }
    }
}

#[test]
fn each_document_fits_into_a_managed_policy() {
    let stack = "x".repeat(64);
    let table = "t".repeat(255);
    let bucket = "b".repeat(63);
    let attached: Vec<String> = (10..30).map(|n| format!("{}{n}", "a".repeat(61))).collect();
    let attached: Vec<&str> = attached.iter().map(String::as_str).collect();
    let path = format!("/{}/", "p".repeat(510));
    let boundary = format!("arn:aws-us-gov:iam::123456789012:policy/{}", "b".repeat(128));
    let longest = Scope {
        partition: "aws-us-gov",
        role_path: &path,
        boundary: Some(&boundary),
        stack: &stack,
        table: &table,
        picture_bucket: &bucket,
        package_bucket: "provisioner-artefacts-123456789012-ap-southeast-1-an",
        regions: &["ap-southeast-1"],
        attached: &attached,
        ..ONE
    };
    let role = format!("arn:aws-us-gov:iam::123456789012:role/{}", "r".repeat(64));
    for scope in [
        ONE,
        longest,
        Scope { regions: &["ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "us-gov-west-1"], ..longest },
        Scope { regions: &[], account: "*", ..longest },
    ] {
        for holder in [Holder::Deployer, Holder::DeployerWith(&role), Holder::ServiceRole] {
            for purpose in Purpose::EACH {
                let length = super::length(&document(holder, purpose, &scope));
                assert!(
                    length <= MANAGED_POLICY,
                    "{length} characters for {purpose:?} of {holder:?} in {:?}",
                    scope.regions
                );
            }
        }
    }
}

#[test]
fn one_region_several_and_any() {
    for (regions, sid, arn, bound) in [
        (&["eu-west-1"] as &[&str], "Table", "arn:aws:dynamodb:eu-west-1:123456789012:table/FaceData", None),
        (&[], "Table", "arn:aws:dynamodb:*:123456789012:table/FaceData", None),
        (
            &["eu-west-1", "us-east-1"],
            "Regional",
            "arn:aws:dynamodb:*:123456789012:table/FaceData",
            Some(json!({ "StringEquals": { "aws:RequestedRegion": ["eu-west-1", "us-east-1"] } })),
        ),
    ] {
        let document = document(Holder::Deployer, Purpose::Down, &Scope { regions, ..ONE });
        let table = statement(&document, sid).expect("the table");
        assert!(table["Resource"] == arn || table["Resource"].as_array().is_some_and(|all| all.contains(&json!(arn))));
        assert_eq!(table.get("Condition"), bound.as_ref());
    }
}

#[test]
fn several_regions_allow_the_same_actions() {
    for purpose in Purpose::EACH {
        let sorted = |regions| {
            let document = document(Holder::Deployer, purpose, &Scope { regions, ..ONE });
            let mut names: Vec<_> = actions(&document).into_iter().map(ToOwned::to_owned).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        assert_eq!(sorted(&["eu-west-1"]), sorted(&["eu-west-1", "us-east-1"]), "{purpose:?}");
    }
}

#[test]
fn another_partition_has_its_own_arns() {
    let scope = Scope { partition: "aws-us-gov", regions: &["us-gov-west-1"], ..ONE };
    let document = document(Holder::Deployer, Purpose::Up, &scope);
    assert!(!document.to_string().contains("arn:aws:"));
}

#[test]
fn a_service_role_takes_over_what_cloudformation_does() {
    let of = |holder, purpose| document(holder, purpose, &ONE);
    for purpose in Purpose::EACH {
        let (whole, rest, role) = (
            of(Holder::Deployer, purpose),
            of(Holder::DeployerWith(SERVICE_ROLE), purpose),
            of(Holder::ServiceRole, purpose),
        );
        let (rest, role) = (actions(&rest), actions(&role));
        for action in actions(&whole) {
            assert!(rest.contains(&action) || role.contains(&action), "{purpose:?}: nobody may {action}");
        }
    }
    let deployer = of(Holder::DeployerWith(SERVICE_ROLE), Purpose::Up);
    for action in ["iam:CreateRole", "lambda:CreateFunction", "s3:CreateBucket", "dynamodb:CreateTable"] {
        let sids: Vec<_> = statements_of(&deployer)
            .iter()
            .filter(|it| it["Action"].as_array().is_some_and(|all| all.contains(&json!(action))))
            .map(|it| it["Sid"].as_str().expect("a sid"))
            .collect();
        // The bucket for packages is this program's own.
        assert_eq!(sids, if action == "s3:CreateBucket" { vec!["CodeBucket"] } else { vec![] }, "{action}");
    }
    let passed = statement(&deployer, "PassServiceRole").expect("the role is passed");
    assert_eq!(passed["Resource"], SERVICE_ROLE);
    assert_eq!(passed["Condition"]["StringEquals"]["iam:PassedToService"], "cloudformation.amazonaws.com");
    let role = of(Holder::ServiceRole, Purpose::Up);
    assert!(actions(&role).iter().all(|action| !action.starts_with("cloudformation:")));
    assert_eq!(
        statement(&role, "PassRole").expect("the function gets its role")["Condition"]["StringEquals"]["iam:PassedToService"],
        "lambda.amazonaws.com"
    );
}

#[test]
fn all_is_an_object_of_documents() {
    let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
    let all = printed(Purpose::All, None, &ONE);
    assert_eq!(names(&all), "up adopt attach backfill data smoke down");
    assert_eq!(all["down"], printed(Purpose::Down, None, &ONE));
    let two = printed(Purpose::All, Some(SERVICE_ROLE), &ONE);
    assert_eq!(names(&two), "deployer service_role");
    assert_eq!(names(&two["service_role"]), "up adopt attach backfill down");
    assert_eq!(names(&printed(Purpose::Smoke, Some(SERVICE_ROLE), &ONE)), "deployer");
}

#[test]
fn attached_buckets_are_named_if_they_are_known() {
    let named = Scope { attached: &["photos"], ..ONE };
    for (scope, purpose, expected) in [
        (ONE, Purpose::Attach, Some("arn:aws:s3:::*")),
        (ONE, Purpose::Down, None),
        (ONE, Purpose::Smoke, None),
        (named, Purpose::Attach, Some("arn:aws:s3:::photos")),
        (named, Purpose::Down, Some("arn:aws:s3:::photos")),
        (named, Purpose::Smoke, Some("arn:aws:s3:::photos")),
        (named, Purpose::Up, None),
    ] {
        let document = document(Holder::Deployer, purpose, &scope);
        let found = statement(&document, "AttachedBuckets").and_then(|it| it["Resource"].as_str());
        assert_eq!(found, expected, "{purpose:?} {:?}", scope.attached);
    }
    let document = document(Holder::Deployer, Purpose::Attach, &ONE);
    let any = statement(&document, "AttachedBuckets").expect("any bucket");
    assert_eq!(any["Condition"]["StringEquals"]["aws:ResourceAccount"], "${aws:PrincipalAccount}");
}

#[test]
fn generated_names() {
    let (fits, long) = ("x".repeat(24), "y".repeat(25));
    for (stack, logical_id, expected) in [
        ("face-recognition", "Role", "face-recognition-Role-*".to_owned()),
        ("face-recognition", "", "face-recognition-*".to_owned()),
        (&fits, "Role", format!("{fits}-Role-*")),
        (&long, "Role", format!("{}*", "y".repeat(24))),
    ] {
        assert_eq!(generated(stack, logical_id), expected);
    }
}
