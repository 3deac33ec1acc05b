//! One process's snapshot file, open.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use surefoot_core::snapshot_file::owner::Life;
use surefoot_core::snapshot_file::{BLOCK, Block, Damage, Header, PoolRecord, RECORDS, record_offset};

use crate::clock;

/// Readings of a block until it is found whole. Being written takes a microsecond or two, so that a second
/// one nearly always does.
const ATTEMPTS: usize = 20;

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It belongs to somebody else, or may not be read.
    Foreign(String),
    Damaged(Damage),
    /// It was there a moment ago.
    Gone,
}

/// A process that shows its pools.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    file: File,
    header: Header,
    /// The last whole record of each place.
    records: Vec<Option<PoolRecord>>,
}

/// What was seen at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sighting {
    /// On the clock of the records.
    pub(crate) at_ns: u64,
    /// In the order in which the pools were made.
    pub(crate) records: Vec<PoolRecord>,
    /// Pools that the file has no room for.
    pub(crate) unshown: u32,
    /// If nothing more will come: why, in words.
    pub(crate) ended: Option<String>,
}

impl Target {
    /// Opens a file in a folder that is known to be safe.
    pub(crate) fn open(path: &Path, user: u32) -> Result<Self, Unusable> {
        let file = OpenOptions::new()
            .read(true)
            // Not to wait for a writer, should somebody have made a pipe here.
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Unusable::Gone,
                _ => Unusable::Foreign(format!("{}: {error}", path.display())),
            })?;
        let facts = file.metadata().map_err(|error| Unusable::Foreign(error.to_string()))?;
        if facts.uid() != user || !facts.is_file() {
            let (path, owner) = (path.display(), facts.uid());
            return Err(Unusable::Foreign(format!("{path} belongs to user {owner}, not to you")));
        }
        let header = header_of(&file).map_err(Unusable::Damaged)?;
        Ok(Self { path: path.to_owned(), file, header, records: vec![None; RECORDS] })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the process still runs. One in another namespace is taken at its word.
    pub(crate) fn life(&self) -> Life {
        self.header.owner.life()
    }

    /// Looks at all pools.
    pub(crate) fn read(&mut self) -> Sighting {
        // Life first: what a process wrote last is read after it is known to have ended.
        let ended = self.end();
        let was_removed = self.file.metadata().is_ok_and(|facts| facts.nlink() == 0);
        if let Ok(header) = header_of(&self.file) {
            self.header = header;
        }
        for place in 0..RECORDS {
            if let Ok(record) = self.record(place) {
                self.records[place] = record;
            }
        }
        let mut records: Vec<_> = self.records.iter().flatten().cloned().collect();
        records.sort_by_key(|record| record.pool);
        let pid = self.header.owner.pid;
        let removed =
            || was_removed.then(|| format!("process {pid} no longer shows its pools: it is ending"));
        Sighting {
            at_ns: clock::monotonic_ns().saturating_sub(self.header.clock_zero_ns),
            records,
            unshown: self.header.pools_unshown,
            ended: ended.or_else(removed),
        }
    }

    fn end(&self) -> Option<String> {
        let pid = self.header.owner.pid;
        (self.life() == Life::Ended).then(|| {
            let was_killed = self.path.exists();
            let how = if was_killed { " without a farewell: it was killed, or it crashed" } else { "" };
            format!("process {pid} has ended{how}")
        })
    }

    /// A record as it stands in the file.
    fn record(&self, place: usize) -> Result<Option<PoolRecord>, Damage> {
        let mut block: Block = [0; BLOCK];
        let mut outcome = Err(Damage::Short);
        for _ in 0..ATTEMPTS {
            if self.file.read_exact_at(&mut block, record_offset(place)).is_err() {
                return Err(Damage::Short);
            }
            outcome = PoolRecord::decode(&block);
            if outcome != Err(Damage::Torn) {
                break;
            }
        }
        outcome
    }
}

fn header_of(file: &File) -> Result<Header, Damage> {
    let mut block: Block = [0; BLOCK];
    let mut outcome = Err(Damage::Short);
    for _ in 0..ATTEMPTS {
        let mut length = 0;
        // A file of another version may be shorter; its beginning says so.
        while let Ok(read @ 1..) = file.read_at(&mut block[length..], length as u64) {
            length += read;
        }
        outcome = Header::decode(&block[..length]);
        if outcome != Err(Damage::Torn) {
            break;
        }
    }
    outcome
}
