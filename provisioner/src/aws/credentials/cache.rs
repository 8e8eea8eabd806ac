//! Credentials of assumed roles in the AWS CLI's cache (`~/.aws/cli/cache`), so that either tool spares the other a question.
//!
//! Invariant: key, format and file mode (0600) are those of the AWS CLI. `tests/botocore/` has botocore read what is written here.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::chain::Role;

/// Credentials that end sooner are renewed, as in the AWS CLI.
const RESERVE: Duration = Duration::from_mins(15);

/// The folder, in some home directory.
pub(super) fn folder(home: &Path) -> PathBuf {
    home.join(".aws/cli/cache")
}

/// The name of the file: the SHA-1 of the request, written as Python's `json.dumps(…, sort_keys=True)` writes it.
fn key(role: &Role) -> String {
    let mut fields = Vec::new();
    fields.extend(role.duration.map(|seconds| format!("\"DurationSeconds\": {seconds}")));
    let mut text = |name: &str, value: Option<&String>| {
        fields.extend(value.map(|value| format!("\"{name}\": {}", python_string(value))));
    };
    text("ExternalId", role.external_id.as_ref());
    text("RoleArn", Some(&role.arn));
    text("RoleSessionName", role.session_name.as_ref());
    text("SerialNumber", role.mfa_serial.as_ref());
    let digest = Sha1::digest(format!("{{{}}}", fields.join(", ")));
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A string in JSON of ASCII characters alone.
fn python_string(text: &str) -> String {
    let mut quoted = String::new();
    for c in Value::from(text).to_string().chars() {
        if matches!(c, ' '..='~') {
            quoted.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(quoted, "\\u{unit:04x}");
            }
        }
    }
    quoted
}

/// The role's credentials, if they are there and still good for a while. Whatever is wrong with the file, it counts as not there.
pub(super) fn load(folder: &Path, role: &Role, now: SystemTime) -> Option<Credentials> {
    let text = fs::read_to_string(folder.join(format!("{}.json", key(role)))).ok()?;
    let document: Value = serde_json::from_str(&text).ok()?;
    let field = |name: &str| document["Credentials"][name].as_str().map(ToOwned::to_owned);
    let expiry = instant(&field("Expiration")?)?;
    if expiry < now + RESERVE {
        return None;
    }
    let (key, secret, token) = (field("AccessKeyId")?, field("SecretAccessKey")?, field("SessionToken")?);
    Some(Credentials::new(key, secret, Some(token), Some(expiry), "AssumeRole"))
}

/// Keeps a role's credentials. The file appears whole or not at all.
pub(super) fn save(folder: &Path, role: &Role, credentials: &Credentials, session: (&str, &str)) -> io::Result<()> {
    let (session_id, session_arn) = session;
    let expiry = DateTime::from(credentials.expiry().unwrap_or(SystemTime::UNIX_EPOCH));
    let whole_seconds = DateTime::from_secs(expiry.secs()).fmt(Format::DateTime).map_err(io::Error::other)?;
    let document = json!({
        "Credentials": {
            "AccessKeyId": credentials.access_key_id(),
            "SecretAccessKey": credentials.secret_access_key(),
            "SessionToken": credentials.session_token(),
            "Expiration": whole_seconds.replace('Z', "UTC"),
            "AccountId": session_arn.split(':').nth(4),
        },
        "AssumedRoleUser": {"AssumedRoleId": session_id, "Arn": session_arn},
    });
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let name = key(role);
    let aside = folder.join(format!("{name}.{}.tmp", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(document.to_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(aside, folder.join(format!("{name}.json")))
}

/// A time as botocore writes it, with `UTC`, `Z` or an offset.
fn instant(text: &str) -> Option<SystemTime> {
    let text = text.strip_suffix("UTC").map_or_else(|| text.to_owned(), |time| format!("{time}Z"));
    DateTime::from_str(&text, Format::DateTimeWithOffset).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn role() -> Role {
        Role {
            profile: "dev".into(),
            arn: "arn:aws:iam::123456789012:role/Deployer".into(),
            session_name: None,
            external_id: None,
            mfa_serial: Some("arn:aws:iam::123456789012:mfa/bob".into()),
            duration: None,
        }
    }

    /// The keys that botocore 1.44 computes for the same profiles.
    #[test]
    fn keys_are_those_of_botocore() {
        for (role, expected) in [
            (role(), "6fffcb6132b17d70f1564a41189d072a1b61c348"),
            (Role { mfa_serial: None, ..role() }, "e0ee4adabae7705c091dd99a583b05e6bff731fc"),
            (
                Role {
                    external_id: Some("é \"x\"\u{7f}𝄞".into()),
                    session_name: Some("bob".into()),
                    duration: Some(3600),
                    ..role()
                },
                "d3d3b5c18aa4e05c4e8d13f3359289f7a4ad1555",
            ),
        ] {
            assert_eq!(key(&role), expected);
        }
    }

    #[test]
    fn what_is_saved_is_loaded_until_it_ends_soon() {
        let folder = std::env::temp_dir().join(format!("provisioner-role-cache-{}", std::process::id()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let expiry = now + Duration::from_hours(1);
        let credentials = Credentials::new("AKID", "secret", Some("token".into()), Some(expiry), "test");
        assert!(load(&folder, &role(), now).is_none());
        save(&folder, &role(), &credentials, ("AROA:bob", "arn:aws:sts::123456789012:assumed-role/Deployer/bob"))
            .expect("saved");
        let file = fs::read_dir(&folder).expect("a folder").next().expect("one file").expect("an entry");
        assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        let loaded = load(&folder, &role(), now).expect("loaded");
        assert_eq!((loaded.access_key_id(), loaded.session_token()), ("AKID", Some("token")));
        assert_eq!(loaded.expiry(), Some(expiry));
        assert!(load(&folder, &role(), now + Duration::from_mins(46)).is_none(), "renewed 15 minutes before its end");
        assert!(load(&folder, &Role { mfa_serial: None, ..role() }, now).is_none(), "another request");
        fs::remove_dir_all(folder).expect("the folder is there");
    }

    #[test]
    fn times() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        for text in ["2027-01-15T08:00:00UTC", "2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00"] {
            assert_eq!(instant(text), Some(expected), "{text}");
        }
        assert_eq!(instant("soon"), None);
    }
}
