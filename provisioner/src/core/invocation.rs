//! The options of this run that a suggested command must repeat.
//!
//! Pure. Every command line that this program suggests is completed and quoted here.

/// The options that a suggested command repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `--stack`, unless it is the default.
    pub stack: Option<String>,
    /// `--region`
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
                line.push("--local".to_owned());
            } else {
                option("--region", &self.region);
                option("--profile", &self.profile);
                option("--endpoint-url", &self.endpoint_url);
            }
        }
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
        let local = Invocation { local: true, region: Some("us-east-1".into()), ..Invocation::default() };
        for (invocation, command, expected) in [
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
    fn a_shell_splits_quoted_words_into_the_original_ones() {
        let hostile = words(&["a b", "$(id)", "`id`", "'\"\\", "ä\n", "--x=y;z", ""]);
        assert_eq!(shlex::split(&quote(&hostile)), Some(hostile));
    }
}
