//! Installs `MiniStack` from `PyPI` into the user's cache. Invariant: a folder with its final name is complete, and contains
//! only wheels with pinned SHA-256 hashes.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::error::{Error, TAIL};
use super::paths::{Paths, create_private};
use super::progress::Progress;
use crate::core::text::last_lines;

/// The pinned emulator.
pub const MINISTACK_VERSION: &str = "1.5.33";
const REQUIREMENTS: &str = include_str!("requirements.txt");
/// The oldest version that `MiniStack` supports.
const OLDEST_PYTHON: (u32, u32) = (3, 10);
/// Names in the order in which they are tried. The plain name is first, because it is the user's choice.
const PYTHONS: [&str; 7] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
/// Environment variables that would redirect the installation to another folder.
const MISLEADING: [&str; 8] = [
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_REQUIREMENT",
    "UV_PROJECT_ENVIRONMENT",
];

/// Returns the interpreter of the installation and installs it first if it is missing. The caller holds the lock of its own
/// local cloud; if two local clouds install at the same time, the first installation to finish is kept.
pub(super) async fn ensure(paths: &Paths, progress: &(dyn Fn(Progress) + Sync)) -> Result<PathBuf, Error> {
    let home = paths.cache.join(folder_name());
    let python = python(paths);
    // `exists` follows the link to the system's interpreter, which an upgrade may have removed.
    if python.exists() {
        return Ok(python);
    }
    create_private(&paths.cache)?;
    let tool = Tool::find().await?;
    progress(Progress::Installing { version: MINISTACK_VERSION, with: tool.name(), into: home.clone() });
    let began = Instant::now();
    let draft = Draft::create(&paths.cache)?;
    tool.install(&draft.path).await?;
    put_in_place(&draft, &home)?;
    progress(Progress::Installed { took: began.elapsed() });
    Ok(python)
}

/// The interpreter of the emulator, which has botocore; it exists once the emulator is installed.
#[must_use]
pub fn python(paths: &Paths) -> PathBuf {
    python_of(&paths.cache.join(folder_name()))
}

/// Depends on the pinned versions, so that a new release of this program never uses an old installation.
fn folder_name() -> String {
    let digest = Sha256::digest(REQUIREMENTS);
    let tag = digest.iter().take(4).fold(String::new(), |mut tag, byte| {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
        tag
    });
    format!("ministack-{MINISTACK_VERSION}-{tag}")
}

fn python_of(home: &Path) -> PathBuf {
    home.join("bin/python")
}

/// A folder that is removed unless it is moved to its final name.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn create(cache: &Path) -> Result<Self, Error> {
        let path = cache.join(format!("{}.{}.part", folder_name(), std::process::id()));
        remove(&path)?;
        create_private(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Nothing ever looks for this folder, so a failure does no harm.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn put_in_place(draft: &Draft, home: &Path) -> Result<(), Error> {
    match fs::rename(&draft.path, home) {
        Ok(()) => Ok(()),
        // Another local cloud was faster, and its installation works.
        Err(_) if python_of(home).exists() => Ok(()),
        // The existing installation has lost its interpreter.
        Err(_) => {
            remove(home)?;
            fs::rename(&draft.path, home).map_err(Error::file("complete", home))
        }
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The tool that creates the virtual environment and installs the packages.
enum Tool {
    /// Has its own resolver and can install Python.
    Uv,
    /// The Python interpreter with `venv` and `pip`.
    Python(&'static str),
}

impl Tool {
    async fn find() -> Result<Self, Error> {
        if run(Command::new("uv").arg("--version")).await.is_ok_and(|output| output.status.success()) {
            return Ok(Self::Uv);
        }
        let mut newest = None;
        for name in PYTHONS {
            match python_version(name).await {
                Some(version) if version >= OLDEST_PYTHON => return Ok(Self::Python(name)),
                Some(version) if newest.is_none_or(|(best, _)| version > best) => newest = Some((version, name)),
                _ => {}
            }
        }
        Err(Error::NoPython { found: newest.map(|((major, minor), name)| format!("{name} {major}.{minor}")) })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Python(_) => "pip",
        }
    }

    async fn install(&self, into: &Path) -> Result<(), Error> {
        let list = into.join("requirements.txt");
        let python = python_of(into);
        match self {
            Self::Uv => {
                let mut make = Command::new("uv");
                make.args(["venv", "--quiet", "--allow-existing", "--no-project", "--python", ">=3.10,<3.15"])
                    .arg(into);
                succeed("uv venv", &mut make).await?;
                write_requirements(&list)?;
                let mut fill = Command::new("uv");
                fill.args([
                    "pip",
                    "install",
                    "--quiet",
                    "--require-hashes",
                    "--only-binary",
                    ":all:",
                    "--compile-bytecode",
                    "--python",
                ]);
                succeed("uv pip install", fill.arg(&python).arg("--requirement").arg(&list)).await
            }
            Self::Python(name) => {
                succeed("python3 -m venv", Command::new(name).args(["-m", "venv"]).arg(into)).await?;
                write_requirements(&list)?;
                let mut fill = Command::new(&python);
                fill.args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--no-input",
                    "--retries",
                    "2",
                ]);
                fill.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(&list);
                succeed("pip install", &mut fill).await
            }
        }
    }
}

fn write_requirements(list: &Path) -> Result<(), Error> {
    fs::write(list, REQUIREMENTS).map_err(Error::file("write", list))
}

async fn python_version(name: &str) -> Option<(u32, u32)> {
    let mut command = Command::new(name);
    command.args(["-c", "import sys; print(*sys.version_info[:2])"]);
    let output = run(&mut command).await.ok().filter(|output| output.status.success())?;
    parse_version(std::str::from_utf8(&output.stdout).ok()?)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Runs an installer in the user's environment, because proxies and package mirrors are configured there.
async fn run(command: &mut Command) -> io::Result<Output> {
    for name in MISLEADING {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).kill_on_drop(true).output().await
}

async fn succeed(tool: &'static str, command: &mut Command) -> Result<(), Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = run(command).await.map_err(|source| Error::Run { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Install { version: MINISTACK_VERSION, tool, tail: last_lines(&String::from_utf8_lossy(&said), TAIL) })
}

/// The name of the program that would install the emulator.
pub async fn installer() -> Result<&'static str, Error> {
    match Tool::find().await? {
        Tool::Uv => Ok("uv"),
        Tool::Python(name) => {
            // Debian's Python has no `ensurepip` without the package `python3-venv`.
            let test = run(Command::new(name).args(["-c", "import ensurepip, venv"])).await;
            let has_venv = test.is_ok_and(|output| output.status.success());
            if has_venv { Ok(name) } else { Err(Error::NoVenv { python: name }) }
        }
    }
}

/// Whether the emulator is installed.
#[must_use]
pub fn is_installed(paths: &Paths) -> bool {
    python_of(&paths.cache.join(folder_name())).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_with_a_hash() {
        let statements = REQUIREMENTS.replace("\\\n", " ");
        let packages: Vec<&str> =
            statements.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert!(packages.len() > 15);
        for package in packages {
            assert!(package.contains("==") && package.contains("--hash=sha256:"), "{package}");
        }
        assert!(statements.contains(&format!("ministack=={MINISTACK_VERSION} ")));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parse_version("3 9\n") < Some(OLDEST_PYTHON));
        assert!(parse_version("3 14\n") > Some(OLDEST_PYTHON));
        assert_eq!(parse_version("Python 3.11"), None);
    }

    #[test]
    fn a_draft_leaves_nothing_behind() {
        let cache = super::super::tests::folder("draft");
        let draft = Draft::create(&cache).expect("a draft");
        let path = draft.path.clone();
        fs::write(path.join("half"), "installed").expect("a file in it");
        drop(draft);
        assert!(!path.exists());
    }

    #[test]
    fn a_broken_installation_is_replaced_and_a_whole_one_kept() {
        let cache = super::super::tests::folder("place");
        let home = cache.join("home");
        let draft = |content: &str| {
            let draft = Draft::create(&cache).expect("a draft");
            fs::create_dir(draft.path.join("bin")).expect("a folder");
            fs::write(python_of(&draft.path), content).expect("an interpreter");
            draft
        };
        fs::create_dir_all(home.join("bin")).expect("a folder");
        std::os::unix::fs::symlink("/nowhere/python", python_of(&home)).expect("a dangling link");
        put_in_place(&draft("first"), &home).expect("it replaces the broken one");
        put_in_place(&draft("second"), &home).expect("it yields to the whole one");
        assert_eq!(fs::read_to_string(python_of(&home)).expect("an interpreter"), "first");
    }
}
