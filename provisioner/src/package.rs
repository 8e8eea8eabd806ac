//! Packages the function's executable for Lambda: a zip with one entry, with the same bytes on every machine.
//!
//! Pure: bytes in, bytes out.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::core::names::sha256;

/// The largest function that Lambda accepts, in bytes: 250 MB without compression.
pub const LARGEST: u64 = 250 * 1024 * 1024;

/// A package that is ready for upload.
#[derive(Clone, Debug)]
pub struct Package {
    /// The zip.
    pub zip: Vec<u8>,
    /// SHA-256 of the zip in hexadecimal; the package is stored under this name.
    pub sha256: String,
    /// The size of the executable in the zip, in bytes.
    pub executable_bytes: usize,
}

/// The processors that a Lambda function can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit ARM, the default because it is a fifth cheaper.
    Arm64,
    /// 64-bit Intel and AMD.
    X86_64,
}

impl Architecture {
    /// Lambda's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// The architecture with this name in Lambda.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Arm64, Self::X86_64].into_iter().find(|architecture| architecture.name() == name)
    }

    /// The architecture of the machine that this program was built for.
    #[must_use]
    pub fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }
}

/// What is wrong with an executable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not a Linux executable.
    #[error("it is not a Linux executable (ELF)")]
    NotElf,
    /// It is built for another architecture.
    #[error("it is built for {found}, but the function will run on {wanted}")]
    Architecture {
        /// The architecture that it is built for.
        found: String,
        /// The architecture that it must be built for.
        wanted: &'static str,
    },
    /// The zip cannot be read, or it contains no executable.
    #[error("the zip contains no readable entry `bootstrap`")]
    NoBootstrap,
    /// The executable in the zip is too large.
    #[error("the executable is larger than 250 MB, the maximum that Lambda accepts")]
    TooLarge,
    /// The zip cannot be written.
    #[error("cannot write the zip")]
    Zip(#[from] zip::result::ZipError),
    /// The executable cannot be compressed.
    #[error("cannot compress the executable")]
    Compress(#[from] std::io::Error),
}

/// Checks that an executable is for Linux and for this architecture.
pub fn check(executable: &[u8], wanted: Architecture) -> Result<(), Error> {
    if executable.len() < 20 || !executable.starts_with(b"\x7fELF") {
        return Err(Error::NotElf);
    }
    // ELF header: e_machine is a little-endian u16 at offset 18 (183 = AArch64, 62 = x86-64).
    let machine = u16::from_le_bytes([executable[18], executable[19]]);
    let found = match machine {
        183 => Architecture::Arm64,
        62 => Architecture::X86_64,
        other => return Err(Error::Architecture { found: format!("ELF machine {other}"), wanted: wanted.name() }),
    };
    if found == wanted {
        Ok(())
    } else {
        Err(Error::Architecture { found: found.name().to_owned(), wanted: wanted.name() })
    }
}

/// Extracts the executable from a zip; any other file is taken to be the executable itself.
pub fn extract_executable(file: Vec<u8>) -> Result<Vec<u8>, Error> {
    if !file.starts_with(b"PK") {
        return Ok(file);
    }
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|_| Error::NoBootstrap)?;
    let entry = archive.by_name("bootstrap").map_err(|_| Error::NoBootstrap)?;
    let mut executable = Vec::new();
    entry.take(LARGEST + 1).read_to_end(&mut executable).map_err(|_| Error::NoBootstrap)?;
    if executable.len() as u64 > LARGEST {
        return Err(Error::TooLarge);
    }
    Ok(executable)
}

impl Package {
    /// The package in a zip that [`pack`] made.
    #[must_use]
    pub fn of_zip(zip: Vec<u8>) -> Self {
        let sha256 = sha256(&zip);
        let executable_bytes = extract_executable(zip.clone()).map_or(0, |executable| executable.len());
        Self { zip, sha256, executable_bytes }
    }
}

/// Packages an executable as a zip with one entry: `bootstrap`, mode 0755, dated 1980, where the zip format's time begins.
pub fn pack(executable: &[u8]) -> Result<Package, Error> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .unix_permissions(0o755)
        .last_modified_time(DateTime::default());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("bootstrap", options)?;
    writer.write_all(executable)?;
    let zip = writer.finish()?.into_inner();
    let sha256 = sha256(&zip);
    Ok(Package { zip, sha256, executable_bytes: executable.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF".to_vec();
        bytes.resize(18, 0);
        bytes.extend(machine.to_le_bytes());
        bytes
    }

    #[test]
    fn executables_are_checked() {
        for (bytes, wanted, expected) in [
            (elf(183), Architecture::Arm64, None),
            (elf(62), Architecture::X86_64, None),
            (elf(62), Architecture::Arm64, Some("it is built for x86_64, but the function will run on arm64")),
            (elf(40), Architecture::Arm64, Some("it is built for ELF machine 40, but the function will run on arm64")),
            (
                b"#!/bin/sh\nexit 0 # long enough".to_vec(),
                Architecture::Arm64,
                Some("it is not a Linux executable (ELF)"),
            ),
            (Vec::new(), Architecture::Arm64, Some("it is not a Linux executable (ELF)")),
        ] {
            assert_eq!(check(&bytes, wanted).err().map(|e| e.to_string()).as_deref(), expected);
        }
    }

    #[test]
    fn a_package_has_one_entry_and_the_same_bytes_twice() {
        let package = pack(b"program").expect("a package");
        assert_eq!(package.zip, pack(b"program").expect("a package").zip);
        assert_ne!(package.sha256, pack(b"another").expect("a package").sha256);
        let mut archive = ZipArchive::new(Cursor::new(package.zip.clone())).expect("a zip");
        assert_eq!(archive.len(), 1);
        let entry = archive.by_index(0).expect("an entry");
        assert_eq!(entry.name().expect("a name"), "bootstrap");
        assert_eq!(entry.unix_mode(), Some(0o100_755));
        drop(entry);
        assert_eq!(extract_executable(package.zip).expect("an executable"), b"program");
    }

    #[test]
    fn a_file_that_is_not_a_zip_is_the_executable_and_a_broken_zip_is_refused() {
        assert_eq!(extract_executable(b"\x7fELF".to_vec()).expect("itself"), b"\x7fELF");
        assert!(matches!(extract_executable(b"PK\x03\x04rubbish".to_vec()), Err(Error::NoBootstrap)));
    }
}
