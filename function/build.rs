//! Packs the relocations of an executable that has many, which one for x86-64 has: a twentieth of its size. musl's start code unpacks them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl") {
        println!("cargo::rustc-link-arg-bins=-zpack-relative-relocs");
    }
}
