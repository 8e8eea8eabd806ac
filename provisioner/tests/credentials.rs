//! Whose credentials sign a request: the real SDK client against a server on 127.0.0.1 that reads the access key from
//! `Credential=`.
//!
//! `templates/judges/judge_credentials.py` compares the same choices with botocore's.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::service::{Service, refusal};
use support::{Folder, Run, provisioner, run};

/// A home directory with an AWS configuration, and a server.
struct Setup {
    home: Folder,
    service: Service,
}

impl Setup {
    fn new(name: &str, config: &str, credentials: &str) -> Self {
        Self::with(name, config, credentials, Service::start(|_| None))
    }

    fn with(name: &str, config: &str, credentials: &str, service: Service) -> Self {
        let home = Folder::new(&format!("credentials-{name}"));
        home.write(".aws/config", config.replace("HOME", &home.0.to_string_lossy()));
        home.write(".aws/credentials", credentials);
        Self { home, service }
    }

    /// `status` in a region, with some variables and options, both separated by spaces.
    fn command(&self, variables: &str, options: &str) -> Command {
        self.program("status", variables, options)
    }

    fn program(&self, command: &str, variables: &str, options: &str) -> Command {
        let mut program = provisioner(&self.home.0);
        program
            .env_remove("AWS_CONFIG_FILE")
            .env_remove("AWS_SHARED_CREDENTIALS_FILE")
            .env("HOME", &self.home.0)
            .env("AWS_ENDPOINT_URL", &self.service.endpoint)
            .envs(variables.split_whitespace().filter_map(|pair| pair.split_once('=')))
            .args([command, "--region", "eu-west-1"])
            .args(options.split_whitespace());
        program
    }

    fn run(&self, variables: &str, options: &str) -> Run {
        run(&mut self.command(variables, options))
    }

    /// The one key that signed the requests to CloudFormation.
    #[track_caller]
    fn key(&self, variables: &str, options: &str) -> String {
        let before = self.service.asked().len();
        let run = self.run(variables, options);
        let asked = self.service.asked().into_iter().skip(before);
        let mut keys: Vec<_> = asked.filter(|asked| asked.service == "cloudformation").map(|asked| asked.key).collect();
        keys.dedup();
        let [key] = keys.as_slice() else { panic!("{keys:?}\n{}", run.stderr) };
        key.clone()
    }
}

const ENVIRONMENT: &str = "AWS_ACCESS_KEY_ID=ENV AWS_SECRET_ACCESS_KEY=s";

const CONFIG: &str = "
[default]
region = eu-west-1
[profile in-config]
aws_access_key_id = IN-CONFIG
aws_secret_access_key = s
[profile both]
aws_access_key_id = BOTH-CONFIG
aws_secret_access_key = s
[profile process]
credential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"PROCESS\", \"SecretAccessKey\": \"s\"}'
[profile process-and-keys]
credential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"PROCESS\", \"SecretAccessKey\": \"s\"}'
[profile role]
role_arn = arn:aws:iam::123456789012:role/Deployer
source_profile = sandbox
[profile role-of-role]
role_arn = arn:aws:iam::123456789012:role/Second
source_profile = role
[profile role-of-itself]
role_arn = arn:aws:iam::123456789012:role/Itself
source_profile = role-of-itself
aws_access_key_id = ITSELF
aws_secret_access_key = s
[profile role-of-environment]
role_arn = arn:aws:iam::123456789012:role/FromEnvironment
credential_source = Environment
[profile web]
role_arn = arn:aws:iam::123456789012:role/Web
web_identity_token_file = HOME/token
[profile nothing]
region = eu-west-1
";

const CREDENTIALS: &str = "
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = s
[sandbox]
aws_access_key_id = SANDBOX
aws_secret_access_key = s
aws_session_token = t
[both]
aws_access_key_id = BOTH-CREDENTIALS
aws_secret_access_key = s
[process-and-keys]
aws_access_key_id = KEYS-BEFORE-PROCESS
aws_secret_access_key = s
";

#[test]
fn a_named_profile_is_used_alone() {
    let setup = Setup::new("named", CONFIG, CREDENTIALS);
    for (variables, options, expected) in [
        // The environment goes before the default profile, and before one that the environment names.
        ("", "", "DEFAULT"),
        (ENVIRONMENT, "", "ENV"),
        ("AWS_PROFILE=sandbox", "", "SANDBOX"),
        ("AWS_DEFAULT_PROFILE=sandbox AWS_PROFILE=both", "", "SANDBOX"),
        ("AWS_ACCESS_KEY_ID=ENV AWS_SECRET_ACCESS_KEY=s AWS_PROFILE=sandbox", "", "ENV"),
        // The command line goes before everything.
        (ENVIRONMENT, "--profile sandbox", "SANDBOX"),
        ("AWS_ACCESS_KEY_ID=ENV AWS_SECRET_ACCESS_KEY=s PROVISIONER_PROFILE=sandbox", "", "SANDBOX"),
        ("AWS_PROFILE=both", "--profile sandbox", "SANDBOX"),
        (ENVIRONMENT, "--profile default", "DEFAULT"),
        // Empty variables are not there.
        ("AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=", "", "DEFAULT"),
        ("AWS_PROFILE= PROVISIONER_PROFILE= AWS_REGION= PROVISIONER_OUTPUT= PROVISIONER_STACK=", "", "DEFAULT"),
        // Sources in a profile, in botocore's order.
        ("", "--profile in-config", "IN-CONFIG"),
        ("", "--profile both", "BOTH-CREDENTIALS"),
        ("", "--profile process", "PROCESS"),
        ("", "--profile process-and-keys", "KEYS-BEFORE-PROCESS"),
        ("", "--profile role", "KEY-OF-Deployer"),
        ("", "--profile role-of-role", "KEY-OF-Second"),
        ("", "--profile role-of-itself", "KEY-OF-Itself"),
        (ENVIRONMENT, "--profile role-of-environment", "KEY-OF-FromEnvironment"),
    ] {
        assert_eq!(setup.key(variables, options), expected, "{variables} {options}");
    }
}

#[test]
fn web_identity_goes_before_keys() {
    let setup = Setup::new("web", CONFIG, CREDENTIALS);
    let token = setup.home.write("token", "a token");
    let variables =
        format!("AWS_WEB_IDENTITY_TOKEN_FILE={} AWS_ROLE_ARN=arn:aws:iam::123456789012:role/Pod", token.display());
    assert_eq!(setup.key(&variables, ""), "KEY-OF-Pod", "before the keys of the default profile, as in botocore");
    assert_eq!(setup.key(&variables, "--profile sandbox"), "SANDBOX");
    assert_eq!(setup.key("", "--profile web"), "KEY-OF-Web");
    assert_eq!(setup.key(&variables, "--profile web"), "KEY-OF-Web");
}

#[test]
fn a_profile_that_cannot_supply_credentials_is_an_error() {
    let config = format!(
        "{CONFIG}
[profile circle-a]
role_arn = arn:aws:iam::123456789012:role/A
source_profile = circle-b
[profile circle-b]
role_arn = arn:aws:iam::123456789012:role/B
source_profile = circle-a
[profile orphan]
role_arn = arn:aws:iam::123456789012:role/A
source_profile = absent
[profile sourceless]
role_arn = arn:aws:iam::123456789012:role/A
[profile two-sources]
role_arn = arn:aws:iam::123456789012:role/A
source_profile = sandbox
credential_source = Environment
[profile odd-source]
role_arn = arn:aws:iam::123456789012:role/A
credential_source = Moon
[profile half]
aws_access_key_id = HALF
[profile half-sso]
sso_account_id = 123456789012
sso_region = eu-west-1
sso_start_url = https://example.com
[profile lost-session]
sso_account_id = 123456789012
sso_role_name = Admin
sso_session = absent
"
    );
    let setup = Setup::new("errors", &config, CREDENTIALS);
    for (variables, options, words) in [
        (
            ENVIRONMENT,
            "--profile absent",
            &["there is no profile `absent`, which `--profile` names", "neither ", "hint: there are `both`"]
                as &[&str],
        ),
        (
            "AWS_ACCESS_KEY_ID=ENV AWS_SECRET_ACCESS_KEY=s PROVISIONER_PROFILE=absent",
            "",
            &["which environment variable `PROVISIONER_PROFILE` names"],
        ),
        ("AWS_PROFILE=absent", "", &["there is no profile `absent`, which environment variable `AWS_PROFILE` names"]),
        (
            ENVIRONMENT,
            "--profile nothing",
            &["profile `nothing` has no credentials", "aws configure --profile nothing"],
        ),
        ("", "--profile circle-a", &["go in a circle: `circle-a` → `circle-b` → `circle-a`"]),
        ("", "--profile orphan", &["there is no profile `absent`, which `source_profile` of profile `orphan` names"]),
        ("", "--profile sourceless", &["profile `sourceless` has `role_arn`, but no `source_profile`"]),
        ("", "--profile two-sources", &["has both `source_profile` and `credential_source`"]),
        ("", "--profile odd-source", &["unknown credential source `Moon`"]),
        ("", "--profile role-of-environment", &["takes its credentials from the environment, which has none"]),
        ("", "--profile half", &["profile `half` has `aws_access_key_id`, but no `aws_secret_access_key`"]),
        ("", "--profile half-sso", &["but no `sso_role_name`"]),
        ("", "--profile lost-session", &["there is no `[sso-session absent]`, which profile `lost-session` names"]),
        ("AWS_ACCESS_KEY_ID=ENV", "", &["`AWS_ACCESS_KEY_ID` is set, but `AWS_SECRET_ACCESS_KEY` is not"]),
    ] {
        let run = setup.run(variables, options).expect(2);
        run.says(words);
        run.says(&["hint:"]);
    }
    assert!(setup.service.asked().is_empty(), "nothing was sent: {:?}", setup.service.asked());
}

const MFA: &str = "
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/Deployer
source_profile = sandbox
mfa_serial = arn:aws:iam::123456789012:mfa/bob
duration_seconds = 3600
";

/// The name that botocore 1.44 gives to the cached credentials of profile `mfa`.
const CACHED: &str = ".aws/cli/cache/fe86d1c36405449170438f381e2bacf8fdf6ad81.json";

#[test]
fn a_code_is_asked_for_on_a_terminal_and_the_credentials_are_kept() {
    let setup = Setup::new("mfa", MFA, CREDENTIALS);
    setup.run("", "--profile mfa").expect(2).says(&[
        "profile `mfa` needs a code from MFA device `arn:aws:iam::123456789012:mfa/bob`",
        "no terminal",
        "hint:",
    ]);
    assert!(setup.service.asked().is_empty());

    let said = on_a_terminal(&setup, &setup.command("", "--profile mfa"), "123456\n");
    assert!(said.contains("MFA code of arn:aws:iam::123456789012:mfa/bob for profile mfa"), "{said}");
    let assumed: Vec<_> = setup.service.asked().into_iter().filter(|asked| asked.action == "AssumeRole").collect();
    let [assumed] = assumed.as_slice() else { panic!("{assumed:?}\n{said}") };
    assert_eq!(assumed.key, "SANDBOX");
    assert_eq!(assumed.field("TokenCode"), Some("123456"));
    assert_eq!(assumed.field("DurationSeconds"), Some("3600"));
    assert_eq!(assumed.field("SerialNumber"), Some("arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Fbob"));

    let cached = setup.home.0.join(CACHED);
    let mode = fs::metadata(&cached).expect("the AWS CLI's cache").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nobody is asked again, with or without a terminal.
    assert_eq!(setup.key("", "--profile mfa"), "KEY-OF-Deployer");
    assert_eq!(setup.service.asked().iter().filter(|asked| asked.action == "AssumeRole").count(), 1);

    // What the AWS CLI has left there is used as well; what has expired is not.
    let text = fs::read_to_string(&cached).expect("text");
    fs::write(&cached, text.replace("KEY-OF-Deployer", "OF-THE-CLI").replace("UTC", "+00:00")).expect("written");
    assert_eq!(setup.key("", "--profile mfa"), "OF-THE-CLI");
    fs::write(&cached, text.replace("2099", "2001")).expect("written");
    setup.run("", "--profile mfa").expect(2).says(&["needs a code"]);
}

#[test]
fn ctrl_c_at_a_prompt_ends_every_command() {
    let setup = Setup::new("mfa-interrupted", MFA, CREDENTIALS);
    for name in ["status", "list"] {
        let said = on_a_terminal(&setup, &setup.program(name, "", "--profile mfa"), "\u{3}");
        assert!(said.contains(&format!("`{name}` was interrupted")), "{said}");
        assert!(said.ends_with("exit code 130"), "{said}");
    }
}

#[test]
fn several_regions_ask_for_one_code() {
    let setup = Setup::new("mfa-regions", MFA, CREDENTIALS);
    on_a_terminal(&setup, &setup.command("", "--profile mfa --region us-east-1"), "123456\n");
    let asked = setup.service.asked();
    assert_eq!(asked.iter().filter(|asked| asked.action == "AssumeRole").count(), 1, "{asked:?}");
    let mut regions: Vec<_> =
        asked.iter().filter(|asked| asked.service == "cloudformation").map(|asked| asked.region.as_str()).collect();
    regions.sort_unstable();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
}

#[test]
fn a_refused_code_says_so() {
    let service = Service::start(|asked| {
        (asked.action == "AssumeRole").then(|| {
            (403, refusal("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."))
        })
    });
    let setup = Setup::with("mfa-refused", MFA, CREDENTIALS, service);
    let said = on_a_terminal(&setup, &setup.command("", "--profile mfa"), "000000\n");
    for words in
        ["cannot assume role `arn:aws:iam::123456789012:role/Deployer` of profile `mfa`", "wait for the next one"]
    {
        assert!(said.contains(words), "{said}");
    }
    assert!(!setup.home.0.join(CACHED).exists());
}

/// Runs it on a terminal that Python makes, types an answer once it is asked, and returns all that the terminal showed.
fn on_a_terminal(setup: &Setup, program: &Command, answer: &str) -> String {
    const SCRIPT: &str = "
import os, pty, sys
answer = sys.argv[1].encode()
said = b''
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:
        break
    if not read:
        break
    said += read
    if answer and b'for profile' in said:
        os.write(terminal, answer)
        answer = b''
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.stdout.write(said.decode() + f'exit code {code}')
";
    let mut python = Command::new("python3");
    python.arg("-c").arg(SCRIPT).arg(answer).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove(name),
        };
    }
    python.current_dir(&setup.home.0);
    let run = run(&mut python).expect(0);
    run.stdout.replace("\r\n", "\n")
}

/// What `aws login` leaves behind. The name of the file is the SHA-256 of the session's ARN, and the key is a sample.
fn login(home: &Folder, end: &str) {
    let token = serde_json::json!({
        "accessToken": {
            "accessKeyId": "LOGIN", "secretAccessKey": "s", "sessionToken": "t", "accountId": "123456789012", "expiresAt": end,
        },
        "tokenType": "aws_sigv4",
        "refreshToken": "r",
        "clientId": "arn:aws:signin:::devtools/same-device",
        "dpopKey": "-----BEGIN EC PRIVATE KEY-----\n\
            MHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\n\
            AwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\n\
            djiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n",
    });
    home.write(
        ".aws/login/cache/420568f589bc20e39cdb190b21ad1c5957b37978d392ae62e6d8b86e5e5f2456.json",
        token.to_string(),
    );
}

#[test]
fn a_session_of_the_console_supplies_credentials() {
    const CONFIG: &str = "[profile console]\nlogin_session = arn:aws:iam::123456789012:user/bob\n";
    let setup = Setup::new("login", CONFIG, "");
    let renewed = "`aws login --profile console` opens a new one";
    setup.run("", "--profile console").expect(1).says(&["the `aws login` session of profile `console`", renewed]);
    login(&setup.home, "2099-01-01T00:00:00Z");
    assert_eq!(setup.key(ENVIRONMENT, "--profile console"), "LOGIN");

    // What has expired is renewed by the sign-in service, or else by a person.
    let service = Service::start(|asked| {
        let reply = serde_json::json!({
            "accessToken": {"accessKeyId": "RENEWED", "secretAccessKey": "s", "sessionToken": "t"},
            "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": "r2",
        });
        asked.action.starts_with("POST /v1/token").then(|| (200, reply.to_string()))
    });
    let setup = Setup::with("login-renewed", CONFIG, "", service);
    login(&setup.home, "2001-01-01T00:00:00Z");
    assert_eq!(setup.key("", "--profile console"), "RENEWED");

    let refusal = r#"{"__type":"AccessDeniedException","error":"TOKEN_EXPIRED","message":"expired"}"#;
    let service =
        Service::start(move |asked| asked.action.starts_with("POST /v1/token").then(|| (401, refusal.into())));
    let setup = Setup::with("login-ended", CONFIG, "", service);
    login(&setup.home, "2001-01-01T00:00:00Z");
    setup.run("", "--profile console").expect(1).says(&["has expired", renewed]);
}

#[test]
fn no_secret_is_printed() {
    const SECRETS: [&str; 5] =
        ["secret-of-the-test", "token-of-the-test", "sso-of-the-test", "refresh-of-the-test", "987654"];
    const CONFIG: &str = "
[profile keys]
aws_access_key_id = KEYS
aws_secret_access_key = secret-of-the-test
aws_session_token = token-of-the-test
[profile process]
credential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"PROCESS\", \"SecretAccessKey\": \"secret-of-the-test\"}'
[profile broken-process]
credential_process = echo 'secret-of-the-test'; exit 1
[profile role]
role_arn = arn:aws:iam::123456789012:role/Deployer
source_profile = keys
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/Deployer
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/bob
[profile sso]
sso_account_id = 123456789012
sso_role_name = Admin
sso_region = eu-west-1
sso_start_url = https://example.com/start
";
    let refusing = Service::start(|asked| {
        let is_refused = asked.service == "cloudformation" || asked.action == "AssumeRole";
        is_refused.then(|| (403, refusal("AccessDenied", "no")))
    });
    for service in [Service::start(|_| None), refusing] {
        let setup = Setup::with("secrets", CONFIG, "", service);
        let token = serde_json::json!({
            "startUrl": "https://example.com/start", "region": "eu-west-1", "expiresAt": "2099-01-01T00:00:00Z",
            "accessToken": "sso-of-the-test", "refreshToken": "refresh-of-the-test", "clientId": "id",
            "clientSecret": "secret-of-the-test", "registrationExpiresAt": "2099-01-01T00:00:00Z",
        });
        // Named by the SHA-1 of the start URL.
        setup.home.write(".aws/sso/cache/b343494cf15ba6b81449840ea93161cf3b27e5e3.json", token.to_string());
        for profile in ["keys", "process", "broken-process", "role", "sso"] {
            for output in ["text", "json"] {
                // No server listens there, so the SSO service cannot be reached.
                let variables = "RUST_LOG=trace RUST_BACKTRACE=1 HTTPS_PROXY=http://127.0.0.1:9";
                let run = setup.run(variables, &format!("--verbose --profile {profile} --output {output}"));
                for secret in SECRETS {
                    let is_printed = run.stdout.contains(secret) || run.stderr.contains(secret);
                    assert!(!is_printed, "{profile}, {output}: {secret} is in\n{}{}", run.stdout, run.stderr);
                }
            }
        }
    }
    let setup = Setup::new("secrets-mfa", CONFIG, "");
    // The terminal itself may show the code once, as it is typed.
    let said =
        on_a_terminal(&setup, &setup.command("", "--verbose --profile mfa"), "987654\n").replacen("987654", "", 1);
    assert_eq!(SECRETS.into_iter().find(|secret| said.contains(secret)), None, "{said}");
}

#[test]
fn a_server_that_never_replies_is_named_while_the_command_waits() {
    // The system accepts connections even if nobody takes them from the listener.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = silent.local_addr().expect("an address").to_string();
    let setup = Setup::new("silent", CONFIG, CREDENTIALS);
    let running = [("sandbox", "DescribeStacks"), ("role", "AssumeRole")].map(|(profile, operation)| {
        let mut command = setup.command("", &format!("--output json --profile {profile}"));
        command.env("AWS_ENDPOINT_URL", format!("http://{host}")).stdout(Stdio::piped());
        (command.spawn().expect("the program starts"), operation)
    });
    for (mut child, operation) in running {
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let told = events.into_iter().find(|event| event["type"] == "unanswered");
        child.kill().expect("the program is running");
        child.wait().expect("the program ends");
        let expected = json!({
            "host": host, "operation": operation, "attempt": { "number": 1, "of": 6 }, "seconds": 10,
        });
        assert_eq!(told.map(|event| event["request"].clone()), Some(expected));
    }
}
