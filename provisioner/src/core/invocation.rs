//! The options of this run that a suggested command must repeat.
//!
//! Pure. Every command line that this program suggests is completed and quoted here.

/// The options that a suggested command repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `--stack`, unless it is the default.
    pub stack: Option<String>,
    /// `--region`; for the local cloud, only if it was given, because its own region is the default
    pub region: Option<String>,
    /// `--local`
    pub local: bool,
    /// `--profile`
    pub profile: Option<String>,
    /// `--endpoint-url`
    pub endpoint_url: Option<String>,
}

/// The commands that act on one stack in one region, so they need these options.
const IN_REGION: [&str; 13] = [
    "up", "plan", "smoke", "down", "status", "logs", "detect", "backfill", "faces", "export", "forget", "redrive",
    "policy",
];

/// The commands of the AWS CLI that send no request to the endpoint of this run.
const OF_THE_CLI_ITSELF: [&str; 3] = ["configure", "login", "sso"];

/// The services of the AWS CLI that have no regions.
const GLOBAL: [&str; 3] = ["account", "iam", "sts"];

impl Invocation {
    /// Returns a command line of this program, completed with the options of this run and quoted for a POSIX shell.
    #[must_use]
    pub fn command(&self, words: &[String]) -> String {
        let mut line = vec!["provisioner".to_owned()];
        line.extend(words.iter().cloned());
        if words.first().is_some_and(|name| IN_REGION.contains(&name.as_str())) {
            // An option that the command already has is not repeated.
            let has = |name: &str| words.iter().any(|word| word == name);
            let mut option = |name: &str, value: &Option<String>| {
                if let Some(value) = value.as_ref().filter(|_| !has(name)) {
                    line.extend([name.to_owned(), value.clone()]);
                }
            };
            option("--stack", &self.stack);
            if has("--local") {
                // The local cloud needs no further options.
            } else if self.local {
                option("--region", &self.region);
                line.push("--local".to_owned());
            } else {
                option("--region", &self.region);
                option("--profile", &self.profile);
                option("--endpoint-url", &self.endpoint_url);
            }
        }
        quote(&line)
    }

    /// Returns a command line of another program, quoted for a POSIX shell. A command of the AWS CLI that sends a request
    /// is completed, so that it reaches the same account and region, or the local cloud.
    #[must_use]
    pub fn shell(&self, words: &[String]) -> String {
        let mut line = words.to_vec();
        let service = words.get(1).filter(|_| words[0] == "aws").map(String::as_str);
        if service.is_none_or(|service| OF_THE_CLI_ITSELF.contains(&service)) {
            return quote(&line);
        }
        let needs_region =
            !GLOBAL.contains(&service.unwrap_or_default()) && !words.iter().any(|word| word == "--region");
        if self.local {
            if let Some(region) = self.region.as_ref().filter(|_| needs_region) {
                line.extend(["--region".to_owned(), region.clone()]);
            }
            return format!("eval \"$(provisioner local env)\"; {}", quote(&line));
        }
        let mut option = |name: &str, value: &Option<String>| {
            if let Some(value) = value.as_ref().filter(|_| !words.iter().any(|word| word == name)) {
                line.extend([name.to_owned(), value.clone()]);
            }
        };
        if needs_region {
            option("--region", &self.region);
        }
        option("--profile", &self.profile);
        option("--endpoint-url", &self.endpoint_url);
        quote(&line)
    }
}

/// Joins words into a line that a POSIX shell splits into exactly these words.
#[must_use]
pub fn quote(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = words.iter().map(|word| {
        // No argument of a process can contain a NUL byte.
        let word = word.replace('\0', "");
        if !word.is_empty() && word.chars().all(plain) {
            return word;
        }
        shlex::try_quote(&word).map(std::borrow::Cow::into_owned).unwrap_or_default()
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn commands_are_completed_and_quoted() {
        let remote = Invocation {
            stack: Some("faces".into()),
            region: Some("eu-west-1".into()),
            profile: Some("my profile".into()),
            ..Invocation::default()
        };
        let local = Invocation { local: true, ..Invocation::default() };
        let elsewhere = Invocation { region: Some("eu-west-1".into()), ..local.clone() };
        for (invocation, command, expected) in [
            (&elsewhere, &["up"][..], "provisioner up --region eu-west-1 --local"),
            (&elsewhere, &["down", "--region", "us-east-1"], "provisioner down --region us-east-1 --local"),
            (
                &remote,
                &["up", "--adopt"][..],
                "provisioner up --adopt --stack faces --region eu-west-1 --profile 'my profile'",
            ),
            (&remote, &["regions"], "provisioner regions"),
            (
                &remote,
                &["up", "--stack", "other"],
                "provisioner up --stack other --region eu-west-1 --profile 'my profile'",
            ),
            (&local, &["down"], "provisioner down --local"),
            (&local, &["up", "--local"], "provisioner up --local"),
            (&remote, &["up", "--local"], "provisioner up --local --stack faces"),
            (&local, &["logs", "a'; rm -rf x; '"], "provisioner logs \"a'; rm -rf x; '\" --local"),
        ] {
            assert_eq!(invocation.command(&words(command)), expected);
        }
    }

    #[test]
    fn commands_of_the_aws_cli_reach_the_same_account() {
        let remote = Invocation {
            region: Some("eu-west-1".into()),
            profile: Some("me".into()),
            endpoint_url: Some("http://host".into()),
            ..Invocation::default()
        };
        let local = Invocation { local: true, ..Invocation::default() };
        let elsewhere = Invocation { region: Some("eu-west-1".into()), ..local.clone() };
        for (invocation, command, expected) in [
            (
                &remote,
                &["aws", "s3api", "get-bucket-acl", "--bucket", "b c"][..],
                "aws s3api get-bucket-acl --bucket 'b c' --region eu-west-1 --profile me --endpoint-url http://host",
            ),
            (
                &remote,
                &["aws", "sqs", "list-queues", "--region", "us-east-1"],
                "aws sqs list-queues --region us-east-1 --profile me --endpoint-url http://host",
            ),
            (&remote, &["aws", "account", "x"], "aws account x --profile me --endpoint-url http://host"),
            (&remote, &["aws", "sso", "login", "--profile", "you"], "aws sso login --profile you"),
            (&remote, &["openssl", "x509"], "openssl x509"),
            (&local, &["aws", "s3api", "list-buckets"], "eval \"$(provisioner local env)\"; aws s3api list-buckets"),
            (&local, &["aws", "configure"], "aws configure"),
            (
                &elsewhere,
                &["aws", "s3api", "list-buckets"],
                "eval \"$(provisioner local env)\"; aws s3api list-buckets --region eu-west-1",
            ),
        ] {
            assert_eq!(invocation.shell(&words(command)), expected);
        }
    }

    #[test]
    fn a_shell_splits_quoted_words_into_the_original_ones() {
        let hostile = words(&["a b", "$(id)", "`id`", "'\"\\", "ä\n", "--x=y;z", ""]);
        assert_eq!(shlex::split(&quote(&hostile)), Some(hostile));
    }
}
