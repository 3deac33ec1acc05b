//! The snapshot file: what a process shows of its pools to whoever watches it from outside.
//!
//! One file per process, a [`Header`] and a fixed number of [`PoolRecord`]s of fixed size, each with a
//! checksum over all of it: a reader that meets a record half written sees that and reads again, whatever
//! the order in which the bytes arrive. Here is the format, as pure functions between values and bytes, and
//! where such files are ([`place`]) and whose they are ([`owner`]). The monitor's process writes them, the
//! command line reads them. `docs/reference/snapshot-file.md` has it byte by byte.

mod bytes;
mod header;
pub mod owner;
pub mod place;
mod record;

pub use header::Header;
pub use record::{DecisionRecord, GilSensor, PoolRecord, decision_records};

/// Goes up whenever a field moves, changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// How a file begins.
pub const MAGIC: [u8; 8] = *b"SUREFOOT";

/// Bytes of the header and of each record. A page, so that a free record takes no room on the disk.
pub const BLOCK: usize = 4096;

/// Records in a file: a process with more pools shows the first.
pub const RECORDS: usize = 32;

/// Decisions in a record.
pub const DECISIONS: usize = 16;

/// One header or record as bytes.
pub type Block = [u8; BLOCK];

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Damage {
    /// Fewer than there should be.
    Short,
    /// No snapshot file.
    Foreign,
    /// Of a version that this build does not know.
    Version(u32),
    /// The checksum is another: caught while being written, or broken.
    Torn,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => out.write_str("it is too short"),
            Self::Foreign => out.write_str("it is no snapshot file"),
            Self::Version(version) => {
                write!(
                    out,
                    "it has version {version} of the format, and this surefoot reads version {VERSION}"
                )
            }
            Self::Torn => out.write_str("its checksum is wrong"),
        }
    }
}

/// Where the record of a place begins in the file.
pub fn record_offset(place: usize) -> u64 {
    ((place + 1) * BLOCK) as u64
}

#[cfg(test)]
mod tests;
