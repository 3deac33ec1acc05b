//! Whose file it is.

use super::bytes::{Eye, Pen, block, check};
use super::owner::Owner;
use super::{BLOCK, Block, Damage, MAGIC, RECORDS, VERSION};

/// Width of the program's name.
pub(super) const PROGRAM: usize = 256;
const WORD: usize = 32;

/// The first block of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// The process.
    pub owner: Owner,
    /// Pools that found no free record.
    pub pools_unshown: u32,
    /// What the machine's monotonic clock showed when the clock of the records showed 0.
    pub clock_zero_ns: u64,
    /// When the file was made, since 1970 UTC.
    pub created_unix_ns: u64,
    /// Version of the interpreter.
    pub python: String,
    /// Version of surefoot.
    pub surefoot: String,
    /// The command line.
    pub program: String,
}

impl Header {
    /// Writes it.
    pub fn encode(&self, block: &mut Block) {
        let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        let mut pen = Pen::new(block);
        pen.bytes(&MAGIC);
        pen.u32(VERSION);
        pen.u32(size(BLOCK));
        pen.u32(size(BLOCK));
        pen.u32(size(RECORDS));
        pen.u32(self.owner.pid);
        pen.u32(self.pools_unshown);
        pen.u64(self.owner.start_ticks);
        pen.u64(self.owner.pid_namespace);
        pen.u64(self.clock_zero_ns);
        pen.u64(self.created_unix_ns);
        pen.text(&self.python, WORD);
        pen.text(&self.surefoot, WORD);
        pen.text(&self.program, PROGRAM);
        pen.seal();
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is none, of another version, or half written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        // The version first: a later one may have blocks of another size.
        let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or(Damage::Short)?;
        if magic != MAGIC {
            return Err(Damage::Foreign);
        }
        let version = u32::from_le_bytes(*rest.first_chunk().ok_or(Damage::Short)?);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let block = block(bytes)?;
        check(block)?;
        let mut eye = Eye::new(block);
        eye.skip_to(24);
        let pid = eye.u32();
        let pools_unshown = eye.u32();
        let owner = Owner { pid, start_ticks: eye.u64(), pid_namespace: eye.u64() };
        Ok(Self {
            owner,
            pools_unshown,
            clock_zero_ns: eye.u64(),
            created_unix_ns: eye.u64(),
            python: eye.text(WORD),
            surefoot: eye.text(WORD),
            program: eye.text(PROGRAM),
        })
    }
}
