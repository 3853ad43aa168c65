//! Compiles the parser of uWebSockets, which is in no package registry. Only with the feature `uwebsockets`,
//! from the sources in the folder that the variable `UWEBSOCKETS` names.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "uwebsockets")]
    uwebsockets();
}

#[cfg(feature = "uwebsockets")]
fn uwebsockets() {
    use std::path::Path;

    const SHIM: &str = "src/codec/contenders/uwebsockets/shim.cpp";
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-env-changed=UWEBSOCKETS");
    let sources = std::env::var("UWEBSOCKETS").expect("UWEBSOCKETS names the folder of its sources");
    let out = std::env::var("OUT_DIR").expect("cargo names it");
    // All that the parser uses of the library below it.
    let header = "#pragma once\n#define LIBUS_RECV_BUFFER_LENGTH 524288\n";
    std::fs::write(Path::new(&out).join("libusockets.h"), header).expect("it is ours");
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .opt_level(3)
        .warnings(false)
        .include(out)
        .include(Path::new(&sources).join("src"))
        .file(SHIM)
        .compile("uwebsockets_shim");
}
