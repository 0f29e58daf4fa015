//! The protocol's records as rows: CBOR keys, CBOR values; entries of the log in tables of their own.

use peerage_protocol::node_state::{Record, Write};
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::messages::Sent;
use super::{StoreError, log};

pub(super) fn load(connection: &mut Connection) -> Result<Vec<Record>, StoreError> {
    let mut statement = connection.prepare("SELECT value FROM records ORDER BY key")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| decode(&row?)).collect()
}

pub(super) fn write(
    connection: &mut Connection,
    sent: &Sent,
    writes: &[Write],
) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    for write in writes {
        match write {
            Write::Put(record) => {
                let mut statement = transaction.prepare_cached(
                    "INSERT INTO records (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )?;
                statement.execute((encode(&record.key())?, encode(record)?))?;
            }
            Write::Delete(key) => {
                transaction.execute("DELETE FROM records WHERE key = ?1", [encode(key)?])?;
            }
            Write::Append(entry) => log::append(&transaction, sent, entry)?,
            Write::Prune { chain, first } => log::prune(&transaction, *chain, *first)?,
            Write::Clear => {
                transaction.execute("DELETE FROM records", [])?;
                log::clear(&transaction)?;
            }
        }
    }
    Ok(transaction.commit()?)
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|error| StoreError::Damaged {
        why: error.to_string(),
    })?;
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    ciborium::from_reader(bytes).map_err(|error| StoreError::Damaged {
        why: error.to_string(),
    })
}
