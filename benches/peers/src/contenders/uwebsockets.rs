//! uWebSockets, where a directory with its sources is given: it is in no package registry.
//!
//! Its receive buffer is shared by all connections, and its text is checked while it is received.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

pub const NAME: &str = "uWebSockets (C++)";

/// Our part of it.
const SERVER: &str = include_str!("uwebsockets.cpp");

/// Where the server is, once it is built: beside this program.
fn path() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.with_file_name("uwebsockets"))
}

/// The server, if it was built.
pub fn built() -> Option<PathBuf> {
    path().filter(|path| path.exists())
}

/// Builds the server from these sources: those of uWebSockets, with those of uSockets in `uSockets`.
pub fn build(sources: &Path) -> Result {
    let target = path().ok_or("this program has no path")?;
    let objects = target.with_file_name("uwebsockets-objects");
    std::fs::create_dir_all(&objects)?;
    std::fs::write(objects.join("server.cpp"), SERVER)?;
    let sources = sources.canonicalize()?;
    let sockets = sources.join("uSockets/src");
    let mut c = Command::new("cc");
    c.current_dir(&objects)
        .args(["-std=c11", "-O3", "-flto", "-DLIBUS_NO_SSL", "-c"])
        .arg("-I")
        .arg(&sockets);
    for folder in ["", "eventing", "crypto"] {
        for entry in std::fs::read_dir(sockets.join(folder))? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "c") {
                c.arg(file);
            }
        }
    }
    run(c)?;
    let mut cpp = Command::new("c++");
    cpp.current_dir(&objects).args(["-std=c++20", "-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-DUWS_NO_ZLIB"]);
    cpp.arg("-I").arg(&sockets).arg("-I").arg(sources.join("src")).arg("server.cpp");
    for entry in std::fs::read_dir(&objects)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "o") {
            cpp.arg(file);
        }
    }
    cpp.arg("-o").arg(&target);
    run(cpp)
}

/// The version of these sources, as far as they tell it.
pub fn version(sources: &Path) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(sources).args(["describe", "--tags", "--always"]);
    let output = git.output().ok().filter(|output| output.status.success());
    output.map_or("of unknown version".into(), |output| String::from_utf8_lossy(&output.stdout).trim().into())
}

fn run(mut command: Command) -> Result {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("uWebSockets was not built: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Becomes the server, on the port of the listener.
pub fn serve(listener: TcpListener) -> Result {
    let port = listener.local_addr()?.port();
    drop(listener);
    let server = built().ok_or("uWebSockets was not built")?;
    Err(Command::new(server).arg(port.to_string()).exec().into())
}
