//! Puts the function's executables into the binary where `make dist` names them in `PROVISIONER_EMBED_ARM64` and `PROVISIONER_EMBED_X86_64`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
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
    let code = format!("/// The executables by architecture.\npub(super) const ALL: &[(&str, &[u8])] = &[\n{arms}];\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("embedded.rs"), code).expect("cargo's folder can be written");
}
