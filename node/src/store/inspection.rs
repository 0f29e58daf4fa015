//! Looks at a database without changing it, also while a node writes to it.

use std::path::Path;

use peerage_protocol::node_state::Record;
use rusqlite::{Connection, OpenFlags};

use super::{StoreError, records, schema};

/// Complaints of SQLite that are told; a damaged file has thousands.
const COMPLAINTS_MAX: u32 = 5;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What SQLite says is damaged; empty when the file is sound.
    pub complaints: Vec<String>,
    /// Every record.
    pub records: Vec<Record>,
}

/// Checks the whole file and reads its records.
///
/// # Errors
/// When the file is missing, is no database, is of a later version, or holds a record that cannot be read.
pub fn inspect(path: &Path) -> Result<Inspection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    schema::version(&connection)?;
    Ok(Inspection {
        complaints: complaints(&connection)?,
        records: records::load(&mut connection)?,
    })
}

fn complaints(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({COMPLAINTS_MAX})"))?;
    let said = statement.query_map([], |row| row.get::<_, String>(0))?;
    let said: Vec<String> = said.collect::<Result<_, _>>()?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::Store;

    #[test]
    fn a_sound_database_has_no_complaints_even_while_it_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peerage.db");
        let _store = Store::open(&path).unwrap();
        let found = inspect(&path).unwrap();
        assert_eq!((found.complaints.len(), found.records.len()), (0, 0));
    }

    #[test]
    fn what_is_no_database_and_what_is_missing_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peerage.db");
        assert!(inspect(&path).is_err());
        assert!(!path.exists(), "looking creates nothing");
        std::fs::write(&path, [7; 8_192]).unwrap();
        assert!(inspect(&path).is_err());
    }
}
