//! Prints the public items of a library, one a line.
//!
//! usage: list RUSTDOC_JSON

use std::process::ExitCode;

/// The compiler's own, or of no use to users of sockets. Versions of Rust differ in them.
const UNNAMED: [&str; 3] =
    ["core::marker::Freeze", "core::marker::UnsafeUnpin", "core::panic::unwind_safe::"];

fn main() -> ExitCode {
    let Some(json) = std::env::args_os().nth(1) else {
        eprintln!("usage: list RUSTDOC_JSON");
        return ExitCode::from(2);
    };
    // What a trait gives to every type is no item of this library. `Send`, `Sync` and `Unpin` are: users notice when one goes.
    let api = public_api::Builder::from_rustdoc_json(std::path::PathBuf::from(json))
        .omit_blanket_impls(true)
        .build();
    match api {
        Ok(api) => {
            for item in api
                .items()
                .map(ToString::to_string)
                .filter(|item| !UNNAMED.iter().any(|name| item.contains(name)))
            {
                println!("{item}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
