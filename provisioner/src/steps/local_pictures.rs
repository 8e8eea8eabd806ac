//! Finds and reads pictures on this machine.
//!
//! Invariant: only regular files of at most the size that Rekognition accepts are read, and standard input if the user
//! requests it with `-`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::core::backfill::PICTURE_EXTENSIONS;
use crate::core::names::sha256;
use crate::error::{Error, Exit, Result};

/// Rekognition accepts objects of at most 15 MB (Rekognition Developer Guide, "Guidelines and quotas").
const MAX_BYTES: u64 = 15 * 1024 * 1024;

/// A picture to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPicture {
    /// The path of the file; `-` for standard input.
    pub path: PathBuf,
    /// For a file, the key without the prefix.
    pub name: String,
}

/// Finds the pictures that the arguments name: files, folders with their subfolders, and `-` for standard input.
pub fn find(arguments: &[PathBuf]) -> Result<Vec<LocalPicture>> {
    let mut found = Vec::new();
    for argument in arguments {
        if argument.is_dir() {
            let before = found.len();
            walk(argument, argument, &mut found)?;
            if found.len() == before {
                return Err(Error::new(format!("folder `{}` has no pictures", argument.display()))
                    .exit(Exit::Usage)
                    .hint(format!("the name of a picture must end with .{}", PICTURE_EXTENSIONS.join(", ."))));
            }
        } else {
            let name = argument.file_name().unwrap_or(argument.as_os_str());
            found.push(LocalPicture { path: argument.clone(), name: utf8(Path::new(name), argument)? });
        }
    }
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    for picture in &found {
        if let Some(other) = seen.insert(&picture.name, &picture.path) {
            if picture.is_standard_input() {
                return Err(Error::new("`-` can be given only once").exit(Exit::Usage));
            }
            let (one, two) = (other.display(), picture.path.display());
            return Err(Error::new(format!("`{one}` and `{two}` would have the same key"))
                .exit(Exit::Usage)
                .hint("rename one of them, or upload them in two runs with different values of `--prefix`"));
        }
    }
    Ok(found)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<LocalPicture>) -> Result<()> {
    let failed = |error: &std::io::Error| {
        Error::new(format!("cannot read folder `{}`", folder.display())).because(error).exit(Exit::Usage)
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        // Links to folders are not followed, so that no folder is visited twice.
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        paths.push((entry.path(), kind));
    }
    paths.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in paths {
        let is_picture =
            |extension: &std::ffi::OsStr| PICTURE_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known));
        if kind.is_dir() {
            walk(root, &path, found)?;
        } else if path.extension().is_some_and(is_picture) {
            let below = path.strip_prefix(root).unwrap_or(&path);
            let name = utf8(below, &path)?;
            found.push(LocalPicture { path, name });
        }
    }
    Ok(())
}

/// Converts a name to UTF-8, which keys must be. A lossy conversion could give two files the same key.
fn utf8(name: &Path, path: &Path) -> Result<String> {
    name.to_str().map(ToOwned::to_owned).ok_or_else(|| {
        Error::new(format!("the name of `{}` is not UTF-8, so it cannot be a key", path.display()))
            .exit(Exit::Usage)
            .hint("rename the file, or pass its contents to `detect -`")
    })
}

impl LocalPicture {
    fn is_standard_input(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// Returns the key without the prefix, and the contents. A picture from standard input is named after its contents.
    pub fn read(&self) -> Result<(String, Bytes)> {
        if self.is_standard_input() {
            let bytes = self.limited(std::io::stdin().lock())?;
            return Ok((format!("stdin-{}", &sha256(&bytes)[..16]), bytes));
        }
        let failed = |error: &std::io::Error| {
            Error::new(format!("cannot read `{}`", self.path.display())).because(error).exit(Exit::Usage)
        };
        // Checked before the file is opened, because opening a pipe would wait for a writer.
        let metadata = std::fs::metadata(&self.path).map_err(|error| failed(&error))?;
        if !metadata.is_file() {
            return Err(Error::new(format!("`{}` is not a regular file", self.path.display()))
                .exit(Exit::Usage)
                .hint("`detect -` reads a picture from standard input"));
        }
        if metadata.len() > MAX_BYTES {
            return Err(self.too_large());
        }
        let bytes = self.limited(File::open(&self.path).map_err(|error| failed(&error))?)?;
        Ok((self.name.clone(), bytes))
    }

    fn limited(&self, source: impl std::io::Read) -> Result<Bytes> {
        let mut bytes = Vec::new();
        source.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| {
            Error::new(format!("cannot read `{}`", self.path.display())).because(&error).exit(Exit::Usage)
        })?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(self.too_large());
        }
        if bytes.is_empty() {
            return Err(Error::new(format!("`{}` is empty", self.path.display())).exit(Exit::Usage));
        }
        Ok(Bytes::from(bytes))
    }

    fn too_large(&self) -> Error {
        Error::new(format!("`{}` is larger than 15 MB, the maximum that Rekognition accepts", self.path.display()))
            .exit(Exit::Usage)
            .hint("scale the picture down")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_and_folders_become_pictures_with_distinct_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("album/deep")).expect("a folder");
        for file in ["one.JPG", "album/two.png", "album/deep/three.jpeg", "album/notes.txt"] {
            fs::write(root.join(file), "x").expect("a file");
        }
        let names =
            |arguments: &[PathBuf]| find(arguments).map(|found| found.into_iter().map(|p| p.name).collect::<Vec<_>>());
        assert_eq!(
            names(&[root.join("one.JPG"), root.join("album")]).expect("pictures"),
            ["one.JPG", "deep/three.jpeg", "two.png"]
        );
        assert_eq!(names(&["-".into()]).expect("standard input"), ["-"]);
        let error = names(&["-".into(), "-".into()]).expect_err("standard input twice");
        assert!(error.message.contains("only once"), "{error}");
        let error = names(&[root.join("one.JPG"), root.to_path_buf()]).expect_err("the same key twice");
        assert!(error.message.contains("would have the same key"), "{error}");
        fs::create_dir(root.join("empty")).expect("a folder");
        assert!(names(&[root.join("empty")]).expect_err("no pictures").message.contains("has no pictures"));
    }

    #[test]
    fn only_regular_files_of_a_usable_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("good.jpg"), "x").expect("a file");
        fs::write(path("empty.jpg"), "").expect("a file");
        File::create(path("large.jpg")).and_then(|file| file.set_len(600 * 1024 * 1024)).expect("a sparse file");
        for (file, expected) in [
            (path("good.jpg"), None),
            (path("empty.jpg"), Some("is empty")),
            (path("large.jpg"), Some("is larger than 15 MB")),
            (path("missing.jpg"), Some("cannot read")),
            (PathBuf::from("/dev/zero"), Some("is not a regular file")),
            (folder.path().to_path_buf(), Some("is not a regular file")),
        ] {
            let outcome = LocalPicture { path: file.clone(), name: "x".into() }.read();
            match expected {
                None => assert_eq!(outcome.expect("a picture").1, "x"),
                Some(said) => assert!(outcome.expect_err("refused").message.contains(said), "{}", file.display()),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_searched_without_leaving_out_a_picture() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::write(root.join("one.jfif"), "x").expect("a file");
        symlink("one.jfif", root.join("two.jpg")).expect("a link to a picture");
        symlink("nowhere", root.join("broken.png")).expect("a link to nothing");
        symlink(".", root.join("loop")).expect("a link to the folder itself");
        let found = find(&[root.to_path_buf()]).expect("pictures");
        let names: Vec<_> = found.iter().map(|picture| picture.name.as_str()).collect();
        assert_eq!(names, ["broken.png", "one.jfif", "two.jpg"]);
        assert!(found[0].read().expect_err("nothing to read").message.contains("cannot read"));
        assert_eq!(found[2].read().expect("the picture behind the link").1, "x");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf_8_is_refused() {
        use std::os::unix::ffi::OsStringExt as _;
        let name = std::ffi::OsString::from_vec(b"a\xff.jpg".to_vec());
        assert!(find(&[name.into()]).expect_err("no key").message.contains("is not UTF-8"));
    }
}
