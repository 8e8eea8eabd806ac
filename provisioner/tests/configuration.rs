//! Errors in the AWS configuration: each names the setting, its value and its source, with at most two causes.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::process::Command;

use support::service::{Service, refusal};
use support::{Folder, Run, provisioner, run};

/// A home directory with an AWS configuration. `HOME` in the texts stands for its path, `@SERVER` for the server's.
struct Home {
    folder: Folder,
    service: Service,
}

impl Home {
    fn new(name: &str, service: Service) -> Self {
        Self { folder: Folder::new(&format!("configuration-{name}")), service }
    }

    fn fill(&self, text: &str) -> String {
        text.replace("HOME", &self.folder.0.to_string_lossy()).replace("@SERVER", &self.service.endpoint)
    }

    fn config(&self, text: &str) -> &Self {
        self.folder.write(".aws/config", self.fill(text));
        self
    }

    /// Some variables and arguments, separated by spaces. There are no keys in the environment.
    fn command(&self, variables: &str, arguments: &str) -> Command {
        let mut command = provisioner(&self.folder.0);
        command
            .env_remove("AWS_CONFIG_FILE")
            .env_remove("AWS_SHARED_CREDENTIALS_FILE")
            .env("HOME", &self.folder.0)
            .envs(self.fill(variables).split_whitespace().filter_map(|pair| pair.split_once('=')))
            .args(arguments.split_whitespace());
        command
    }

    fn run(&self, variables: &str, arguments: &str) -> Run {
        run(&mut self.command(variables, arguments))
    }

    #[track_caller]
    fn fails(&self, variables: &str, arguments: &str, code: i32, words: &[&str]) -> String {
        let run = self.run(variables, arguments).expect(code);
        let words: Vec<String> = words.iter().map(|word| self.fill(word)).collect();
        run.says(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let causes: Vec<&str> = run.stderr.lines().filter_map(|line| line.trim().strip_prefix("caused by: ")).collect();
        assert!(causes.len() <= 2, "{}", run.stderr);
        let empty = ["dispatch failure", "other", "io error", "service error"];
        assert!(!causes.iter().any(|cause| empty.contains(cause)), "{}", run.stderr);
        run.stderr
    }
}

const STATUS: &str = "status --region eu-west-1";

#[test]
fn files_are_named_with_the_line() {
    let home = Home::new("files", Service::start(|_| None));
    for (config, words) in [
        ("region = eu-west-1\n", &["malformed AWS configuration in `HOME/.aws/config`", "line 1: "] as &[&str]),
        ("[default]\n\nregion\n", &["line 3: Expected an '=' sign"]),
        ("[default\nregion = x\n", &["line 1: Profile definition must end with ']'"]),
    ] {
        home.config(config).fails("", STATUS, 2, words);
        home.fails("", STATUS, 2, &["hint: correct the file, or name another one with `AWS_CONFIG_FILE`"]);
    }
    home.folder.write(".aws/config", b"[default]\n# caf\xe9\n");
    home.fails("", STATUS, 2, &["malformed AWS configuration in `HOME/.aws/config`", "line 2: not valid UTF-8"]);

    // A folder can be opened, but not read; a test that runs as root can read everything else.
    home.config("");
    let unreadable = "AWS_SHARED_CREDENTIALS_FILE=HOME";
    home.fails(unreadable, STATUS, 2, &["cannot read the AWS configuration in `HOME`", "Is a directory"]);
    // A file that does not exist is no error by itself, as in the AWS CLI.
    home.fails("AWS_CONFIG_FILE=HOME/absent", STATUS, 1, &["no AWS credentials were found"]);
    home.fails("AWS_CONFIG_FILE=~/absent", &format!("{STATUS} --profile x"), 2, &["neither HOME/absent nor HOME/.aws"]);
}

#[test]
fn endpoints_are_named_with_their_source() {
    let home = Home::new("endpoints", Service::start(|_| None));
    home.config(
        "[default]\nendpoint_url = plum\n\
         [profile services]\nservices = odd\n[services odd]\ns3 =\n  endpoint_url = kiwi\n",
    );
    for (variables, arguments, words) in [
        (
            "AWS_ENDPOINT_URL=banana",
            "",
            "cannot use endpoint `banana`, which environment variable `AWS_ENDPOINT_URL` names",
        ),
        (
            "AWS_ENDPOINT_URL=@SERVER AWS_ENDPOINT_URL_S3=pear",
            "",
            "`pear`, which environment variable `AWS_ENDPOINT_URL_S3`",
        ),
        (
            "AWS_ENDPOINT_URL=@SERVER AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=fig",
            "",
            "environment variable `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`",
        ),
        ("", "", "`plum`, which `endpoint_url` of profile `default` in HOME/.aws/config names"),
        (
            "AWS_PROFILE=services",
            "",
            "`kiwi`, which `services.s3.endpoint_url` of profile `services` in HOME/.aws/config",
        ),
        ("PROVISIONER_ENDPOINT_URL=lime", "", "`lime`, which environment variable `PROVISIONER_ENDPOINT_URL` names"),
        ("AWS_ENDPOINT_URL=banana", "--endpoint-url quince", "`quince`, which `--endpoint-url` names"),
    ] {
        home.fails(variables, &format!("{STATUS} {arguments}"), 2, &[words, "hint: write it as `https://HOST`"]);
    }
    // Ignored endpoints are not looked at, and a given one goes before all others.
    for (variables, arguments) in [
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true AWS_ENDPOINT_URL=banana", ""),
        ("AWS_ENDPOINT_URL=banana AWS_ENDPOINT_URL_CLOUDFORMATION=pear", "--endpoint-url http://127.0.0.1:9"),
    ] {
        home.fails(variables, &format!("{STATUS} {arguments}"), 1, &["no AWS credentials were found"]);
    }
    let keys = "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_ENDPOINT_URL=http://127.0.0.1:9";
    home.fails(
        keys,
        STATUS,
        1,
        &[
            "Connection refused",
            "the endpoint is `http://127.0.0.1:9`, which environment variable `AWS_ENDPOINT_URL` names",
        ],
    );
}

#[test]
fn switches_are_on_or_off() {
    let home = Home::new("switches", Service::start(|_| None));
    home.config("[profile fips]\nuse_fips_endpoint = maybe\n");
    for (variables, words) in [
        ("AWS_USE_FIPS_ENDPOINT=yes", "environment variable `AWS_USE_FIPS_ENDPOINT` is `yes`"),
        ("AWS_USE_DUALSTACK_ENDPOINT=1", "environment variable `AWS_USE_DUALSTACK_ENDPOINT` is `1`"),
        ("AWS_PROFILE=fips", "`use_fips_endpoint` of profile `fips` in HOME/.aws/config is `maybe`"),
    ] {
        home.fails(variables, STATUS, 2, &[words, "neither `true` nor `false`", "hint:"]);
    }
}

#[test]
fn a_region_is_named_with_its_source() {
    let home = Home::new("regions", Service::start(|_| None));
    home.config("[default]\nregion = plum\naws_access_key_id = x\naws_secret_access_key = x\n");
    for (variables, arguments, words) in [
        ("", "status", "`plum`, which `region` of profile `default` in HOME/.aws/config names, is not the name"),
        ("AWS_REGION=kiwi", "status", "`kiwi`, which environment variable `AWS_REGION` names, is not the name"),
        ("PROVISIONER_REGION=fig", "status", "`fig`, which environment variable `PROVISIONER_REGION` names"),
        ("AWS_REGION=kiwi", "status --region pear", "`pear`, which `--region` names"),
    ] {
        home.fails(variables, arguments, 2, &[words]);
    }
}

#[test]
fn an_endpoint_excludes_host_names_of_the_sdk() {
    let home = Home::new("exclude", Service::start(|_| None));
    home.config("[profile dual]\nuse_dualstack_endpoint = true\n");
    let keys = "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x";
    for (variables, words) in [
        (
            "AWS_USE_FIPS_ENDPOINT=true AWS_ENDPOINT_URL=@SERVER",
            &[
                "FIPS endpoints and an endpoint exclude each other",
                "environment variable `AWS_USE_FIPS_ENDPOINT` is `true`",
                "the endpoint is `@SERVER`, which environment variable `AWS_ENDPOINT_URL` names",
            ],
        ),
        (
            "AWS_PROFILE=dual AWS_ENDPOINT_URL_S3=@SERVER",
            &[
                "dual-stack endpoints and an endpoint exclude each other",
                "`use_dualstack_endpoint` of profile `dual` in HOME/.aws/config is `true`",
                "the endpoint is `@SERVER`, which environment variable `AWS_ENDPOINT_URL_S3` names",
            ],
        ),
    ] {
        home.fails(&format!("{keys} {variables}"), STATUS, 2, words);
    }
}

#[test]
fn a_proxy_that_does_not_answer_is_named() {
    let home = Home::new("proxies", Service::start(|_| None));
    home.config("");
    let keys = "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_ENDPOINT_URL=@SERVER";
    let proxy = "HTTP_PROXY=http://bob:hunter2@127.0.0.1:9";
    let said = home.fails(
        &format!("{keys} {proxy}"),
        STATUS,
        1,
        &["Connection refused", "the proxy is `http://…@127.0.0.1:9`, which environment variable `HTTP_PROXY` names"],
    );
    assert!(!said.contains("hunter2"), "{said}");
    // An asterisk means every host, also one that is named by its address.
    home.fails(&format!("{keys} {proxy} NO_PROXY=*"), STATUS, 1, &["does not exist"]);
}

/// Whatever a name server says, the name of such a host does not exist: the region is not one.
#[test]
fn hosts_that_do_not_exist_are_explained_by_the_setting() {
    let home = Home::new("hosts", Service::start(|_| None));
    home.config("");
    let keys = "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x";
    for (variables, words) in [
        ("", &["there is no AWS region `eu-nowhere-9`", "use `eu-west-1`", "provisioner regions"] as &[&str]),
        (
            "AWS_USE_FIPS_ENDPOINT=true",
            &["region `eu-nowhere-9` has no FIPS endpoint", "environment variable `AWS_USE_FIPS_ENDPOINT` is `true`"],
        ),
        (
            "AWS_USE_DUALSTACK_ENDPOINT=true",
            &["region `eu-nowhere-9` has no dual-stack endpoint", "`AWS_USE_DUALSTACK_ENDPOINT` is `true`"],
        ),
    ] {
        home.fails(&format!("{keys} {variables}"), "status --region eu-nowhere-9", 2, words);
    }
}

#[test]
fn a_credential_process_is_quoted_if_it_fails() {
    let home = Home::new("process", Service::start(|_| None));
    home.config(
        "[profile fails]\ncredential_process = sh -c 'echo the token is too old >&2; exit 3'\n\
         [profile silent]\ncredential_process = false\n\
         [profile absent]\ncredential_process = no-such-program\n\
         [profile garbage]\ncredential_process = echo SecretAccessKey-is-hunter2\n\
         [profile role]\nrole_arn = arn:aws:iam::123456789012:role/R\nsource_profile = fails\n",
    );
    for (profile, named, cause) in [
        ("fails", "fails", "exit status: 3: the token is too old"),
        ("silent", "silent", "exit status: 1, and it printed no error"),
        ("absent", "absent", "no-such-program"),
        ("garbage", "garbage", "could not parse response"),
        ("role", "fails", "the token is too old"),
    ] {
        let said = home.fails(
            "",
            &format!("{STATUS} --profile {profile}"),
            1,
            &[&format!("error: the credential process of profile `{named}` failed"), cause, "hint: run the command"],
        );
        assert!(!said.contains("hunter2"), "what it printed can be a secret: {said}");
    }
}

#[test]
fn an_sso_session_that_has_expired_says_how_to_open_another() {
    let service = Service::start(|asked| match asked.action.contains("/federation/credentials") {
        true if asked.action.contains("role_name=Forbidden") => {
            Some((403, r#"{"__type":"ForbiddenException","message":"No access"}"#.into()))
        }
        true => {
            Some((401, r#"{"__type":"UnauthorizedException","message":"Session token not found or invalid"}"#.into()))
        }
        false => None,
    });
    let home = Home::new("sso", service);
    let legacy = "sso_start_url = https://sso.example.com\nsso_region = eu-west-1\nsso_account_id = 123456789012\n";
    let session = "sso_session = corp\nsso_account_id = 123456789012\n";
    home.config(&format!(
        "[sso-session corp]\nsso_start_url = https://sso.example.com\nsso_region = eu-west-1\n\
         [profile legacy]\n{legacy}sso_role_name = Admin\n\
         [profile forbidden]\n{legacy}sso_role_name = Forbidden\n\
         [profile session]\n{session}sso_role_name = Admin\n\
         [profile role]\nrole_arn = arn:aws:iam::123456789012:role/R\nsource_profile = session\n"
    ));
    let expired = |profile: &str, named: &str| {
        home.fails(
            "AWS_ENDPOINT_URL_SSO=@SERVER",
            &format!("{STATUS} --profile {profile}"),
            1,
            &[
                &format!("error: the SSO session of profile `{named}` is missing or has expired"),
                &format!("hint: `aws sso login --profile {named}` opens a new one"),
            ],
        );
    };
    // There was no session yet.
    for (profile, named) in [("legacy", "legacy"), ("session", "session"), ("role", "session")] {
        expired(profile, named);
    }
    // The names are the SHA-1 of the start URL and of the session's name.
    let token = |end: &str| {
        format!(
            r#"{{"accessToken":"t","expiresAt":"{end}","startUrl":"https://sso.example.com","region":"eu-west-1"}}"#
        )
    };
    let tokens = ["cf8f61a1fcd658d6ea92588dc7066b5b3da53201", "ee0bfd2552fbd840c02cc48b6e823320543c450f"];
    for name in tokens {
        home.folder.write(&format!(".aws/sso/cache/{name}.json"), token("2001-01-01T00:00:00Z"));
    }
    for profile in ["legacy", "session"] {
        expired(profile, profile);
    }
    // The token looks good, but the service has ended the session.
    for name in tokens {
        home.folder.write(&format!(".aws/sso/cache/{name}.json"), token("2099-01-01T00:00:00Z"));
    }
    for profile in ["legacy", "session"] {
        expired(profile, profile);
    }
    home.fails(
        "AWS_ENDPOINT_URL_SSO=@SERVER",
        &format!("{STATUS} --profile forbidden"),
        1,
        &["SSO refuses the role of profile `forbidden`", "hint:"],
    );
    home.fails(
        "AWS_ENDPOINT_URL_SSO=http://127.0.0.1:9",
        &format!("{STATUS} --profile legacy"),
        1,
        &["cannot reach the SSO service of profile `legacy`", "Connection refused"],
    );
}

/// A machine without certificates.
const WITHOUT: &str = "SSL_CERT_FILE=HOME/absent.pem SSL_CERT_DIR=HOME/absent";

#[test]
fn certificates_are_checked_before_anything_is_sent() {
    let home = Home::new("certificates", Service::start(|_| None));
    home.config("[profile bundle]\nca_bundle = HOME/empty.pem\n");
    home.folder.write("empty.pem", "");
    home.folder.write("page.pem", "<!DOCTYPE html><title>Log in</title>");
    home.folder.write("garbage.pem", [0xff, 0x00, 0x10]);
    for (variables, arguments, words) in [
        (
            "AWS_CA_BUNDLE=HOME/empty.pem",
            "",
            &["`HOME/empty.pem` holds no certificate: it is empty", "`AWS_CA_BUNDLE`"] as &[&str],
        ),
        ("AWS_CA_BUNDLE=HOME/page.pem", "", &["it is a web page"]),
        ("AWS_CA_BUNDLE=HOME/garbage.pem", "", &["it is not in PEM format"]),
        ("AWS_CA_BUNDLE=HOME/absent.pem", "", &["cannot read the certificates in `HOME/absent.pem`", "No such file"]),
        ("", "--profile bundle", &["it is empty", "`ca_bundle` of profile `bundle` in HOME/.aws/config must name"]),
    ] {
        home.fails(variables, &format!("{STATUS} {arguments}"), 2, words);
    }
    // A machine without certificates trusts Mozilla's, and says so if asked.
    let none = home.command(WITHOUT, &format!("{STATUS} --verbose")).output().expect("it runs");
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(said.contains("certificates: Mozilla's ") && said.contains("because this machine has none"), "{said}");
    let quiet = home.run(WITHOUT, STATUS);
    assert!(!quiet.stderr.contains("certificates"), "{}", quiet.stderr);
}

/// Keys that only other regions know: the region is not enabled. Keys that nobody knows: they are wrong.
#[test]
fn a_region_that_is_not_enabled_is_named() {
    let service = Service::start(|asked| {
        let unknown = asked.region == "ap-southeast-7" || asked.region == "eu-new-1" || asked.key == "WRONG";
        unknown.then(|| match asked.service.as_str() {
            "sts" => (403, refusal("InvalidClientTokenId", "The security token included in the request is invalid.")),
            _ => {
                (403, refusal("UnrecognizedClientException", "The security token included in the request is invalid."))
            }
        })
    });
    let home = Home::new("opt-in", service);
    home.config("");
    let keys = |key: &str| format!("AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY=x AWS_ENDPOINT_URL=@SERVER");
    for region in ["ap-southeast-7", "eu-new-1"] {
        home.fails(
            &keys("GOOD"),
            &format!("status --region {region}"),
            1,
            &[
                &format!("region `{region}` is not enabled for account `123456789012`"),
                "AWS accepts these credentials in `us-east-1`, but not there",
                &format!("hint: `aws account enable-region --region-name {region}`"),
            ],
        );
        home.fails(
            &keys("WRONG"),
            &format!("status --region {region}"),
            1,
            &["UnrecognizedClientException", "hint: AWS does not know these credentials"],
        );
    }
    // Every account has this region, so no other one is asked.
    home.fails(&keys("WRONG"), "status --region eu-west-1", 1, &["AWS does not know these credentials"]);
    let asked = home.service.asked();
    assert!(!asked.iter().any(|asked| asked.region == "us-east-1" && asked.service == "cloudformation"), "{asked:?}");
}
