//! Puts the function's executables into the binary, each in the zip that `make dist` names in `PROVISIONER_EMBED_ARM64`
//! and `PROVISIONER_EMBED_X86_64`. On Windows, says what to do instead of compiling.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const WINDOWS: &str = "provisioner does not run on Windows itself; install and run it in WSL, the Windows Subsystem for \
                       Linux: https://learn.microsoft.com/windows/wsl/install";

fn main() {
    if env::var_os("CARGO_CFG_WINDOWS").is_some() {
        // Without this, the first of many errors would be about a module of `std`.
        println!("cargo::error={WINDOWS}");
        return;
    }
    let linker = env::var("RUSTC_LINKER").unwrap_or_default();
    if Path::new(&linker).file_stem().is_some_and(|name| name == "rust-lld") {
        // Smaller: equal functions are one, and relocations are packed. Cargo passes both to the linker itself.
        println!("cargo::rustc-link-arg-bins=--icf=all");
        println!("cargo::rustc-link-arg-bins=--pack-dyn-relocs=relr");
    }
    let mut arms = String::new();
    for (architecture, variable) in [("arm64", "PROVISIONER_EMBED_ARM64"), ("x86_64", "PROVISIONER_EMBED_X86_64")] {
        println!("cargo::rerun-if-env-changed={variable}");
        if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
            println!("cargo::rerun-if-changed={}", path.display());
            let path =
                fs::canonicalize(&path).unwrap_or_else(|error| panic!("{variable} names {}: {error}", path.display()));
            writeln!(arms, "    (\"{architecture}\", include_bytes!(r\"{}\")),", path.display())
                .expect("a string takes any text");
        }
    }
    let code = format!("/// The zips by architecture.\npub(super) const ALL: &[(&str, &[u8])] = &[\n{arms}];\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("embedded.rs"), code).expect("cargo's folder can be written");
}
