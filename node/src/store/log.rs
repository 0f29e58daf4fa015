//! The entries of the log: appended with what is known of their chains in one transaction, read back by ranges.

use std::sync::Arc;

use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::entry::{Entry, SealedEntry};
use peerage_protocol::log::retention::{Sweep, Swept};
use peerage_protocol::signature::Signature;
use peerage_protocol::wire::log::{ENTRIES_TOLD_BYTES, EntriesAsked, EntriesTold, Range};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::StoreError;
use super::messages::Sent;
use super::records::encode;

/// An entry and its place, as kept.
pub struct StoredEntry {
    /// The chain.
    pub chain: ChainId,
    /// Its place.
    pub sequence: u64,
    /// The hash it was kept under.
    pub hash: [u8; 32],
    /// The entry; nothing of it is trusted until it is opened.
    pub sealed: SealedEntry,
}

/// A page of one lane.
#[derive(Debug, Default, PartialEq)]
pub struct LanePage {
    /// Its entries whose bodies are left.
    pub entries: Vec<Arc<Entry>>,
    /// The chain, by this database's number, and the sequence of the last that was looked at.
    pub last: Option<(i64, u64)>,
}

/// Keeps an entry. Whoever indexes entries in this database does it here, in the entry's own transaction.
pub(super) fn append(
    transaction: &Transaction<'_>,
    sent: &Sent,
    entry: &Entry,
) -> Result<(), StoreError> {
    let chain = chain_number(transaction, entry.chain())?;
    let sealed = entry.sealed();
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO log_entries (chain, sequence, hash, time, header, signature, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute((
        chain,
        integer(entry.sequence()),
        entry.hash().as_bytes(),
        integer(entry.header().time.0),
        &sealed.header[..],
        &sealed.signature.0,
        sealed.body.as_deref(),
    ))?;
    super::messages::appended(transaction, sent, entry)
}

/// Forgets the entries before `first`, all but the header of the last of them: it says where the rest begins.
pub(super) fn prune(
    transaction: &Transaction<'_>,
    chain: ChainId,
    first: u64,
) -> Result<(), StoreError> {
    let Some(number) = known_chain(transaction, chain)? else {
        return Ok(());
    };
    let anchor = first.saturating_sub(1);
    transaction.execute(
        "DELETE FROM log_entries WHERE chain = ?1 AND sequence < ?2",
        (number, integer(anchor)),
    )?;
    transaction.execute(
        "UPDATE log_entries SET body = NULL WHERE chain = ?1 AND sequence = ?2",
        (number, integer(anchor)),
    )?;
    Ok(())
}

/// Forgets everything.
pub(super) fn clear(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction.execute_batch("DELETE FROM log_entries; DELETE FROM log_chains;")?;
    super::messages::clear(transaction)
}

/// What is kept of the ranges, in their order, as much as one answer holds.
pub(super) fn entries(
    connection: &Connection,
    asked: &EntriesAsked,
) -> Result<EntriesTold, StoreError> {
    let mut told = EntriesTold::default();
    let mut room = ENTRIES_TOLD_BYTES;
    for range in &asked.ranges {
        if room == 0 {
            break;
        }
        let Some(chain) = known_chain(connection, range.chain)? else {
            continue;
        };
        add_range(connection, chain, range, &mut room, &mut told)?;
    }
    Ok(told)
}

fn add_range(
    connection: &Connection,
    chain: i64,
    range: &Range,
    room: &mut usize,
    told: &mut EntriesTold,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT header, signature, body FROM log_entries
         WHERE chain = ?1 AND sequence BETWEEN ?2 AND ?3 ORDER BY sequence",
    )?;
    let rows = statement.query_map((chain, integer(range.from), integer(range.to)), |row| {
        sealed(row, 0)
    })?;
    for row in rows {
        let entry = row?;
        *room = room.saturating_sub(entry.len());
        match entry.body {
            Some(_) => told.entries.push(entry),
            None => told.pruned.push(entry),
        }
        if *room == 0 {
            break;
        }
    }
    Ok(())
}

/// How many entries there are, and their bytes.
pub(super) fn size(connection: &Connection) -> Result<(usize, u64), StoreError> {
    let counted = connection.query_row(
        "SELECT count(*), total(length(header) + 64 + coalesce(length(body), 0)) FROM log_entries",
        [],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?)),
    )?;
    Ok((
        usize::try_from(counted.0).unwrap_or_default(),
        counted.1 as u64,
    ))
}

/// What may be dropped of each chain, where that is anything.
pub(super) fn swept(connection: &Connection, sweeps: &[Sweep]) -> Result<Vec<Swept>, StoreError> {
    let mut found = Vec::new();
    for sweep in sweeps {
        let Some(number) = known_chain(connection, sweep.chain)? else {
            continue;
        };
        let mut statement = connection.prepare_cached(
            "SELECT sequence, time, length(header) + 64 + length(body) FROM log_entries
             WHERE chain = ?1 AND body IS NOT NULL ORDER BY sequence",
        )?;
        let mut rows = statement.query([number])?;
        let (mut first, mut bytes) = (0, 0);
        while let Some(row) = rows.next()? {
            let (sequence, time): (i64, i64) = (row.get(0)?, row.get(1)?);
            let old = time < integer(sweep.before.0) || sequence < integer(sweep.live_from);
            if !old {
                break;
            }
            first = u64::try_from(sequence).unwrap_or_default() + 1;
            bytes += u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
        }
        if first > 0 {
            let chain = sweep.chain;
            found.push(Swept {
                chain,
                first,
                bytes,
            });
        }
    }
    Ok(found)
}

/// The entry at one place.
pub(super) fn entry_at(
    connection: &Connection,
    chain: ChainId,
    sequence: u64,
) -> Result<Option<Entry>, StoreError> {
    let Some(chain) = known_chain(connection, chain)? else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(
        "SELECT header, signature, body FROM log_entries WHERE chain = ?1 AND sequence = ?2",
    )?;
    let found = statement.query_row((chain, integer(sequence)), |row| sealed(row, 0));
    found.optional()?.map(open).transpose()
}

/// Entries after (`chain`, `sequence`) in the order of chains and sequences, at most `count`; whatever lanes they are of.
pub(super) fn page(
    connection: &Connection,
    after: Option<(i64, u64)>,
    count: usize,
) -> Result<Vec<(i64, StoredEntry)>, StoreError> {
    let (chain, sequence) = after.unwrap_or((0, 0));
    let mut statement = connection.prepare_cached(
        "SELECT author, epoch, lane, chain, sequence, hash, header, signature, body
         FROM log_entries JOIN log_chains ON log_chains.id = chain
         WHERE (chain, sequence) > (?1, ?2) ORDER BY chain, sequence LIMIT ?3",
    )?;
    let rows = statement.query_map((chain, integer(sequence), count as i64), |row| {
        let place: [Vec<u8>; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        let (chain, sequence): (i64, i64) = (row.get(3)?, row.get(4)?);
        Ok((place, chain, sequence, row.get(5)?, sealed(row, 6)?))
    })?;
    rows.map(|row| {
        let (place, number, sequence, hash, sealed) = row?;
        let stored = StoredEntry {
            chain: chain_id(&place)?,
            sequence: u64::try_from(sequence).unwrap_or_default(),
            hash,
            sealed,
        };
        Ok((number, stored))
    })
    .collect()
}

/// Entries of a lane after a place, at most `count`; whether or not bodies are left, the last place is told.
pub(super) fn lane_page(
    connection: &Connection,
    lane: Lane,
    after: Option<(i64, u64)>,
    count: usize,
) -> Result<LanePage, StoreError> {
    let (chain, sequence) = after.unwrap_or((0, 0));
    let mut statement = connection.prepare_cached(
        "SELECT chain, sequence, header, signature, body
         FROM log_entries JOIN log_chains ON log_chains.id = chain
         WHERE lane = ?1 AND (chain, sequence) > (?2, ?3) ORDER BY chain, sequence LIMIT ?4",
    )?;
    let place = (encode(&lane)?, chain, integer(sequence), count as i64);
    let rows = statement.query_map(place, |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?, sealed(row, 2)?))
    })?;
    let mut page = LanePage {
        last: after,
        ..LanePage::default()
    };
    for row in rows {
        let (chain, sequence, sealed) = row?;
        page.last = Some((chain, u64::try_from(sequence).unwrap_or_default()));
        if sealed.body.is_some() {
            page.entries.push(Arc::new(open(sealed)?));
        }
    }
    Ok(page)
}

fn chain_id([author, epoch, lane]: &[Vec<u8>; 3]) -> Result<ChainId, StoreError> {
    Ok(ChainId {
        author: super::records::decode(author)?,
        epoch: super::records::decode(epoch)?,
        lane: super::records::decode(lane)?,
    })
}

fn open(sealed: SealedEntry) -> Result<Entry, StoreError> {
    // Signatures were checked before it was kept; `peerage log verify` checks them again.
    sealed.open_unsigned().map_err(|error| StoreError::Damaged {
        why: error.to_string(),
    })
}

fn sealed(row: &Row<'_>, first: usize) -> rusqlite::Result<SealedEntry> {
    let header: Vec<u8> = row.get(first)?;
    let body: Option<Vec<u8>> = row.get(first + 2)?;
    Ok(SealedEntry {
        header: header.into(),
        signature: Signature(row.get(first + 1)?),
        body: body.map(Into::into),
    })
}

fn chain_number(connection: &Connection, chain: ChainId) -> Result<i64, StoreError> {
    if let Some(number) = known_chain(connection, chain)? {
        return Ok(number);
    }
    let mut statement = connection
        .prepare_cached("INSERT INTO log_chains (author, epoch, lane) VALUES (?1, ?2, ?3)")?;
    statement.execute(chain_key(chain)?)?;
    Ok(connection.last_insert_rowid())
}

fn known_chain(connection: &Connection, chain: ChainId) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM log_chains WHERE author = ?1 AND epoch = ?2 AND lane = ?3",
    )?;
    let found = statement.query_row(chain_key(chain)?, |row| row.get(0));
    Ok(found.optional()?)
}

fn chain_key(chain: ChainId) -> Result<[Vec<u8>; 3], StoreError> {
    Ok([
        encode(&chain.author)?,
        encode(&chain.epoch)?,
        encode(&chain.lane)?,
    ])
}

/// SQLite's integers are signed; no sequence or time comes near their end.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
