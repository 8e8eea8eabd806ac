//! Reads and writes files that a user names.
//!
//! Invariant: never reads more than a limit, so that a device or a wrong file cannot fill the memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// The largest text file that is read: far more than any configuration, template, or list of parameters needs.
const TEXT: u64 = 16 * 1024 * 1024;

/// The bytes of a file that has at most `limit` of them.
///
/// # Errors
/// It cannot be read, or is larger.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let megabytes = limit / (1024 * 1024);
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {megabytes} MB")));
    }
    Ok(bytes)
}

/// The bytes of a file that should be a text file.
///
/// # Errors
/// It cannot be read, or is too large to be one.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    read(path, TEXT)
}

/// The text of a file in UTF-8.
///
/// # Errors
/// It cannot be read, is too large, or is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_small(path)?).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not valid UTF-8"))
}

/// The folder that a file is in.
#[must_use]
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An error about a temporary file without its name, which is random and says nothing to the user.
#[must_use]
pub fn without_temporary_name(error: &io::Error) -> io::Error {
    let text = error.to_string();
    io::Error::new(error.kind(), text.split(" at path ").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_is_not_named_in_errors() {
        let error = tempfile::NamedTempFile::new_in("/nowhere").expect_err("no such folder");
        assert!(error.to_string().contains("/nowhere"), "{error}");
        assert_eq!(without_temporary_name(&error).to_string(), "No such file or directory (os error 2)");
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let path = std::env::temp_dir().join(format!("provisioner-file-{}", std::process::id()));
        std::fs::write(&path, b"12\xff").expect("a file");
        assert_eq!(read(&path, 3).expect("three bytes"), b"12\xff");
        assert_eq!(read(&path, 2).expect_err("too many").kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_text(&path).expect_err("not a text").to_string(), "it is not valid UTF-8");
        std::fs::remove_file(path).expect("the file is there");
    }

    #[test]
    fn a_device_without_an_end_does_not_fill_the_memory() {
        let error = read_text(Path::new("/dev/zero")).expect_err("no end");
        assert_eq!(error.to_string(), "it is larger than 16 MB");
    }
}
