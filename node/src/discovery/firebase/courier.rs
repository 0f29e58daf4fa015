//! Does one errand with the real client of the database, in a process of its own.
//!
//! firebase-rs 2.2 is used in the only ways that hold: the whole URL by hand, as `at` takes `..` for a way up and `auth`
//! is lost on the next call; a fresh handle for each operation, as `set_with_key` moves it; a missing record is `null`;
//! no stream of events, which never yields in a redirect loop and spins when it ends.

use std::future::Future;
use std::time::Duration;

use firebase_rs::{Firebase, RequestError};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt, stdin, stdout};
use tokio::time::timeout;

use super::errand::{Brought, Errand, Listed, Records};
use super::fault::Fault;

/// Where the records of nodes lie.
const SERVERS: &str = "mcp_servers";

/// How long one operation may take.
const OPERATION_WITHIN: Duration = Duration::from_secs(8);

/// Bytes of an errand.
const ERRAND_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of one string in a record, and parts of its addresses: what the rules let it have.
const TEXT_BYTES_MAX: usize = 512;
const ADDRESSES_MAX: usize = 10;

/// Records that are brought.
const RECORDS_MAX: usize = 10_000;

/// Reads an errand from standard input, does it and writes what came of it to standard output.
pub async fn run_errand() -> std::io::Result<()> {
    let mut text = Vec::new();
    stdin()
        .take(ERRAND_BYTES_MAX)
        .read_to_end(&mut text)
        .await?;
    let errand: Errand = serde_json::from_slice(&text)?;
    let brought = serde_json::to_vec(&errand.run().await)?;
    let mut out = stdout();
    out.write_all(&brought).await?;
    out.flush().await
}

impl Errand {
    async fn run(&self) -> Brought {
        let mut brought = Brought::default();
        if let Some((id, record)) = &self.publish {
            brought.published = Some(self.put(id, record).await);
        }
        if let Some(id) = &self.withdraw {
            brought.withdrawn = Some(self.remove(id).await);
        }
        // Whoever did not answer just now is not waited for again.
        let silent = matches!(brought.published, Some(Err(Fault::Silent)));
        if self.read && !silent {
            brought.records = Some(self.list().await);
        }
        brought
    }

    async fn put(&self, id: &str, record: &Value) -> Result<(), Fault> {
        let mut handle = self.handle(SERVERS)?;
        check_id(id)?;
        operation(handle.set_with_key(id, record)).await.map(drop)
    }

    async fn remove(&self, id: &str) -> Result<(), Fault> {
        check_id(id)?;
        let handle = self.handle(&format!("{SERVERS}/{id}"))?;
        operation(handle.delete()).await.map(drop)
    }

    async fn list(&self) -> Result<Records, Fault> {
        let handle = self.handle(SERVERS)?;
        let records = operation(handle.get::<Option<Map<String, Value>>>()).await?;
        let records = records.unwrap_or_default();
        let count = records.len();
        let readable = records
            .into_iter()
            .filter_map(|(id, record)| listed(id, &record));
        let listed: Vec<Listed> = readable.take(RECORDS_MAX).collect();
        let malformed = count - listed.len();
        Ok(Records { listed, malformed })
    }

    fn handle(&self, path: &str) -> Result<Firebase, Fault> {
        let query = self.token.as_ref().map(|token| format!("?auth={token}"));
        let url = format!("{}/{path}.json{}", self.url, query.unwrap_or_default());
        Firebase::new(&url).map_err(|_| Fault::NotAsked {
            why: "the URL of the database is not one".to_owned(),
        })
    }
}

async fn operation<T>(
    operation: impl Future<Output = Result<T, RequestError>>,
) -> Result<T, Fault> {
    let outcome = timeout(OPERATION_WITHIN, operation).await;
    outcome.map_err(|_| Fault::Silent)?.map_err(fault)
}

/// The texts of these errors can repeat what was read: they are left behind.
fn fault(error: RequestError) -> Fault {
    match error {
        RequestError::Unauthorized => Fault::Denied,
        RequestError::NotFoundOrNullBody => Fault::NoDatabase,
        RequestError::NotJSON | RequestError::NoUTF8 | RequestError::DeserializeError(_) => {
            Fault::NotUnderstood
        }
        _ => Fault::Unreachable,
    }
}

fn check_id(id: &str) -> Result<(), Fault> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    match (1..=128).contains(&id.len()) && id.bytes().all(plain) {
        true => Ok(()),
        false => Err(Fault::NotAsked {
            why: "the id of the record is not one".to_owned(),
        }),
    }
}

/// A record that is as the rules want it; one that is not does not cost the others.
fn listed(id: String, record: &Value) -> Option<Listed> {
    check_id(&id).ok()?;
    let short = |value: &Value| {
        let text = value.as_str()?;
        (text.len() <= TEXT_BYTES_MAX).then(|| text.to_owned())
    };
    // The registry gives what is numbered without gaps as a list, and anything else as an object.
    let addresses: Vec<&Value> = match record.get("multiaddrs") {
        Some(Value::Array(addresses)) => addresses.iter().collect(),
        Some(Value::Object(addresses)) => addresses.values().collect(),
        _ => Vec::new(),
    };
    if addresses.len() > ADDRESSES_MAX {
        return None;
    }
    Some(Listed {
        id,
        endpoint: record.get("endpoint").and_then(short)?,
        addresses: addresses.into_iter().filter_map(short).collect(),
        online: record.get("status")?.as_str()? == "online",
        heartbeat: record.get("last_heartbeat")?.as_u64()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_read_whether_its_addresses_come_as_a_list_or_by_number() {
        let record = |addresses: Value| json!({"endpoint": "https://h/", "status": "online", "last_heartbeat": 7, "multiaddrs": addresses});
        for addresses in [json!(["/a", "/b"]), json!({"0": "/a", "1": "/b"})] {
            let read = listed("n1".to_owned(), &record(addresses)).unwrap();
            assert_eq!(read.addresses, ["/a", "/b"]);
            assert_eq!((read.online, read.heartbeat), (true, 7));
        }
        let many: Vec<String> = (0..10_000).map(|n| format!("/{n}")).collect();
        assert_eq!(listed("n1".to_owned(), &record(json!(many))), None);
    }

    #[test]
    fn what_is_no_record_is_left_out() {
        for record in [json!(null), json!(1), json!({}), json!({"endpoint": 3})] {
            assert_eq!(listed("n1".to_owned(), &record), None, "{record}");
        }
        let record = json!({"endpoint": "https://h/", "status": "online", "last_heartbeat": 7});
        assert_eq!(listed("../x".to_owned(), &record), None);
    }
}
