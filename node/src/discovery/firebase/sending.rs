//! Sends a courier: this program in a process of its own, which sees nothing of the node but its errand.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::errand::{Brought, Errand};
use super::fault::Fault;
use super::guard::Guard;
use super::{ANSWER_BYTES_MAX, COURIER_COMMAND, ERRAND_WITHIN};

/// Where trusted certificate authorities lie, where that is not the system's own place.
const CERTIFICATE_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Has the errand done by `program`, a `peerage`, at the database at `authority` (`HOST:PORT`); the process ends with this future.
pub(super) async fn send(
    program: &Path,
    errand: &Errand,
    authority: String,
) -> Result<Brought, Fault> {
    let guard = Guard::open(authority).await.map_err(not_asked)?;
    let address = guard.address().map_err(not_asked)?;
    let mut courier = start(program, &format!("http://{address}")).map_err(not_asked)?;
    let exchange = timeout(ERRAND_WITHIN, exchange(&mut courier, errand));
    let brought = tokio::select! {
        brought = exchange => brought,
        () = guard.serve() => Ok(Err(io::ErrorKind::Interrupted.into())),
    };
    let brought = match brought {
        Err(_) => Err(Fault::Silent),
        Ok(Err(error)) => Err(not_asked(error)),
        Ok(Ok(brought)) => Ok(brought),
    };
    match guard.fault() {
        Some(fault) => Err(fault),
        None => brought,
    }
}

fn start(program: &Path, proxy: &str) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg(COURIER_COMMAND)
        .current_dir("/")
        .env_clear()
        .env("HTTPS_PROXY", proxy)
        .env("HTTP_PROXY", proxy)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for name in CERTIFICATE_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.spawn()
}

/// This very program, also after its file was replaced by a newer one.
pub(super) fn this_program() -> Result<PathBuf, Fault> {
    match cfg!(target_os = "linux") {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe().map_err(not_asked),
    }
}

async fn exchange(courier: &mut Child, errand: &Errand) -> io::Result<Brought> {
    let (Some(mut to), Some(from)) = (courier.stdin.take(), courier.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let words = zeroize::Zeroizing::new(serde_json::to_vec(errand)?);
    to.write_all(&words).await?;
    drop(to);
    let mut brought = Vec::new();
    from.take(ANSWER_BYTES_MAX)
        .read_to_end(&mut brought)
        .await?;
    courier.wait().await?;
    Ok(serde_json::from_slice(&brought)?)
}

fn not_asked(error: io::Error) -> Fault {
    Fault::NotAsked {
        why: error.to_string(),
    }
}
