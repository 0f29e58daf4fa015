//! A database like Firebase's on loopback, over TLS, that can fail in every way a network knows.

mod answer;
mod fault;
mod request;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

pub use fault::Fault;

/// A running database; gone when dropped.
pub struct Database {
    state: Arc<Mutex<State>>,
    port: u16,
    folder: TempDir,
    task: AbortHandle,
}

/// What it holds, and how it behaves.
#[derive(Default)]
struct State {
    records: BTreeMap<String, Value>,
    uids: BTreeMap<String, String>,
    fault: Option<Fault>,
    ahead: Duration,
    log: Vec<String>,
}

impl Database {
    /// Starts one that is empty and well, on a free port, with a certificate that nobody else trusts.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tls = tls(&folder.path().join("authority.pem"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let served = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, tls.clone(), served.clone()));
            }
        });
        Self {
            state,
            port,
            folder,
            task: task.abort_handle(),
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The file that makes OpenSSL trust it, for `SSL_CERT_FILE`.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Lets whoever has `token` read all, and write the record of this id.
    pub fn admit(&self, token: &str, uid: &str) {
        self.lock().uids.insert(token.to_owned(), uid.to_owned());
    }

    /// Has a token count no more.
    pub fn revoke(&self, token: &str) {
        self.lock().uids.remove(token);
    }

    /// Behaves like this from here on.
    pub fn fail(&self, fault: Option<Fault>) {
        self.lock().fault = fault;
    }

    /// Puts its clock this far ahead.
    pub fn set_ahead(&self, ahead: Duration) {
        self.lock().ahead = ahead;
    }

    /// All records, by id.
    pub fn records(&self) -> BTreeMap<String, Value> {
        self.lock().records.clone()
    }

    /// Writes a record past all rules.
    pub fn plant(&self, id: &str, record: Value) {
        self.lock().records.insert(id.to_owned(), record);
    }

    /// Every request it could read: method, path, headers and body, but for the token in the query.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    /// Milliseconds since the Unix epoch, by its clock.
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.unwrap_or_default() + self.ahead;
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Makes a certificate for localhost and writes it where it can be trusted.
fn tls(authority: &Path) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let rcgen::CertifiedKey { cert, key_pair } = made.expect("a certificate");
    let body = BASE64.encode(cert.der());
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    );
    fs::write(authority, pem).expect("the certificate is written");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key_pair.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.expect("TLS")))
}

/// One connection, one request. What the other side does wrong ends it, and nothing else.
async fn serve(socket: TcpStream, tls: TlsAcceptor, state: Arc<Mutex<State>>) {
    let fault = state.lock().unwrap_or_else(PoisonError::into_inner).fault;
    if fault == Some(Fault::Reset) {
        let _ = socket.set_zero_linger();
        return;
    }
    if fault == Some(Fault::HalfOpen) {
        return fault::hold(socket).await;
    }
    let Ok(mut stream) = tls.accept(socket).await else {
        return;
    };
    let Some(request) = request::read(&mut stream).await else {
        return;
    };
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.log.push(request.shown());
        state.answer(&request)
    };
    // Whoever asked may be gone.
    let _ = match fault {
        Some(fault) => fault.answer(stream, &request.path).await,
        None => answer.send(stream).await,
    };
}
