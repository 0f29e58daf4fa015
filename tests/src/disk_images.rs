//! What a disk holds after each boundary of a recorded run: when the process is killed there, and when the power fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One boundary: a call that changed a file, or that waited until the file was safe.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Boundary {
    Write { offset: usize, data: Vec<u8> },
    Truncate { length: usize },
    Sync,
    Unlink,
}

/// A run, as `failing_disk.c` records it.
#[derive(Debug, Default)]
pub struct Recorded {
    boundaries: Vec<(PathBuf, Boundary)>,
    /// How long the record was after each.
    ends: Vec<usize>,
}

impl Recorded {
    /// Reads a record that a process has finished.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("a record");
        let mut recorded = Self::default();
        let mut rest = &bytes[..];
        while let Some((path, boundary)) = next(&mut rest) {
            recorded.boundaries.push((path, boundary));
            recorded.ends.push(bytes.len() - rest.len());
        }
        assert!(rest.is_empty(), "the record ends within a boundary");
        recorded
    }

    /// How many boundaries there were.
    pub fn len(&self) -> usize {
        self.boundaries.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.boundaries.is_empty()
    }

    /// How many of them had been recorded when the record had so many bytes.
    pub fn until(&self, bytes: usize) -> usize {
        self.ends.partition_point(|end| *end <= bytes)
    }

    /// Whether a file of this name was synced.
    pub fn syncs(&self, name: &str) -> usize {
        let of_it = |(path, boundary): &&(PathBuf, Boundary)| {
            path.ends_with(name) && *boundary == Boundary::Sync
        };
        self.boundaries.iter().filter(of_it).count()
    }

    /// Calls `look` with what is on disk after each boundary: first as the process left it, then as a failure of the
    /// power may leave it, with nothing that was not synced, and with some of it.
    pub fn for_each_image(&self, mut look: impl FnMut(usize, &str, &BTreeMap<PathBuf, Vec<u8>>)) {
        let mut files: BTreeMap<PathBuf, File> = BTreeMap::new();
        for (number, (path, boundary)) in self.boundaries.iter().enumerate() {
            let after = number + 1;
            apply(&mut files, path, boundary);
            let image = |of: &dyn Fn(&File) -> Vec<u8>| {
                let each = files.iter().map(|(path, file)| (path.clone(), of(file)));
                each.collect::<BTreeMap<PathBuf, Vec<u8>>>()
            };
            look(after, "killed", &image(&|file| file.written.clone()));
            if !matches!(boundary, Boundary::Write { .. }) {
                continue;
            }
            // Between two syncs the safe part is the same: it is looked at once, when most could be lost.
            let next = self.boundaries.get(after);
            if next.is_none_or(|(_, next)| *next == Boundary::Sync) {
                look(after, "power lost", &image(&|file| file.safe.clone()));
                look(after, "torn", &image(&|file| file.torn(after)));
            }
        }
    }
}

/// A file as programs see it, as it is safe, and what was written since.
#[derive(Clone, Debug, Default)]
struct File {
    written: Vec<u8>,
    safe: Vec<u8>,
    unsafe_yet: Vec<Boundary>,
}

impl File {
    /// Every second of the writes that are not safe has reached the disk, the last of these by half.
    fn torn(&self, parity: usize) -> Vec<u8> {
        let mut bytes = self.safe.clone();
        let some = self.unsafe_yet.iter().enumerate();
        let some = some.filter(|(place, _)| (place + parity).is_multiple_of(2));
        let mut some: Vec<Boundary> = some.map(|(_, boundary)| boundary.clone()).collect();
        if let Some(Boundary::Write { data, .. }) = some.last_mut() {
            data.truncate(data.len() / 2);
        }
        some.iter()
            .for_each(|boundary| change(&mut bytes, boundary));
        bytes
    }
}

fn apply(files: &mut BTreeMap<PathBuf, File>, path: &Path, boundary: &Boundary) {
    if *boundary == Boundary::Unlink {
        files.remove(path);
        return;
    }
    let file = files.entry(path.to_path_buf()).or_default();
    match boundary {
        Boundary::Sync => {
            file.safe = file.written.clone();
            file.unsafe_yet.clear();
        }
        _ => {
            change(&mut file.written, boundary);
            file.unsafe_yet.push(boundary.clone());
        }
    }
}

fn change(bytes: &mut Vec<u8>, boundary: &Boundary) {
    match boundary {
        Boundary::Write { offset, data } => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Boundary::Truncate { length } => bytes.resize(*length, 0),
        Boundary::Sync | Boundary::Unlink => {}
    }
}

fn next(rest: &mut &[u8]) -> Option<(PathBuf, Boundary)> {
    let kind = take(rest, 1)?[0];
    let path_length = u32::from_ne_bytes(take(rest, 4)?.try_into().ok()?) as usize;
    let offset = u64::from_ne_bytes(take(rest, 8)?.try_into().ok()?) as usize;
    let length = u64::from_ne_bytes(take(rest, 8)?.try_into().ok()?) as usize;
    let path = PathBuf::from(String::from_utf8_lossy(take(rest, path_length)?).into_owned());
    let data = take(rest, length)?.to_vec();
    let boundary = match kind {
        1 => Boundary::Write { offset, data },
        2 => Boundary::Truncate { length: offset },
        3 => Boundary::Sync,
        _ => Boundary::Unlink,
    };
    Some((path, boundary))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}
