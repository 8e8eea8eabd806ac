//! Ensures that only one command at a time changes a local cloud. Invariant: a [`Lock`] is always on the file that is
//! currently on disk, never on a file that was removed.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::paths::{Paths, create_private};
use super::progress::Progress;

/// A lock that is released when it is dropped, or by the system when the process ends. Child processes do not inherit it,
/// because the standard library opens files with close-on-exec.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock. If another command holds it, reports that once and waits.
    pub(super) async fn take(paths: &Paths, progress: &(dyn Fn(Progress) + Sync)) -> Result<Self, Error> {
        let path = paths.lock_file();
        loop {
            create_private(&paths.state)?;
            let file = match open(&path) {
                // The command that held the lock has just removed the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(Error::file("open", &path))?,
            };
            let file = match file.try_lock() {
                Ok(()) => file,
                Err(TryLockError::WouldBlock) => {
                    progress(Progress::WaitingForOther { lock: path.clone() });
                    wait(file, path.clone()).await?
                }
                Err(TryLockError::Error(error)) => return Err(Error::file("lock", &path)(error)),
            };
            if is_current(&file, &path) {
                return Ok(Self { _file: file });
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

async fn wait(file: File, path: PathBuf) -> Result<File, Error> {
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    let locked = locked.map_err(|source| Error::Task { attempt: "wait for another command", source })?;
    locked.map_err(Error::file("lock", path))
}

/// The previous holder may have removed the file while this command waited, so another command may hold a new file.
fn is_current(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(on_disk)) => ours.ino() == on_disk.ino() && ours.dev() == on_disk.dev(),
        _ => false,
    }
}
