//! Numbers and texts at places in a block, little-endian; the checksum in its last eight bytes.

use super::{BLOCK, Block, Damage};

const CHECKSUM_AT: usize = BLOCK - 8;

/// Writes fields one after the other.
#[derive(Debug)]
pub(super) struct Pen<'a> {
    block: &'a mut Block,
    at: usize,
}

impl<'a> Pen<'a> {
    pub(super) fn new(block: &'a mut Block) -> Self {
        block.fill(0);
        Self { block, at: 0 }
    }

    pub(super) fn skip_to(&mut self, at: usize) {
        debug_assert!(at >= self.at && at <= CHECKSUM_AT, "{at} after {}", self.at);
        self.at = at;
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.block[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// A text, cut to `width` bytes between characters and filled up with zeros.
    pub(super) fn text(&mut self, text: &str, width: usize) {
        let text = text.split('\0').next().unwrap_or_default();
        let mut end = text.len().min(width);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.block[self.at..self.at + end].copy_from_slice(&text.as_bytes()[..end]);
        self.at += width;
    }

    /// Ends the block with its checksum.
    pub(super) fn seal(self) {
        let sum = checksum(self.block);
        self.block[CHECKSUM_AT..].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Reads fields one after the other.
#[derive(Debug)]
pub(super) struct Eye<'a> {
    block: &'a Block,
    at: usize,
}

impl<'a> Eye<'a> {
    pub(super) fn new(block: &'a Block) -> Self {
        Self { block, at: 0 }
    }

    pub(super) fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.block[self.at..self.at + N]);
        self.at += N;
        bytes
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// A number that is finite; `None` stands for all others.
    pub(super) fn f64(&mut self) -> Option<f64> {
        Some(f64::from_bits(self.u64())).filter(|value| value.is_finite())
    }

    /// A text without anything that a terminal would obey.
    pub(super) fn text(&mut self, width: usize) -> String {
        let field = &self.block[self.at..self.at + width];
        self.at += width;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(width);
        let text = String::from_utf8_lossy(&field[..end]);
        text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
    }
}

/// A block out of bytes; its checksum is not looked at.
pub(super) fn block(bytes: &[u8]) -> Result<&Block, Damage> {
    bytes.first_chunk().ok_or(Damage::Short)
}

pub(super) fn check(block: &Block) -> Result<(), Damage> {
    let found = u64::from_le_bytes(*block.last_chunk().ok_or(Damage::Short)?);
    if found == checksum(block) { Ok(()) } else { Err(Damage::Torn) }
}

/// Over all words but the last. Each step is a bijection in both the sum and the word, and the rotation
/// carries every bit into the products of later steps.
fn checksum(block: &Block) -> u64 {
    const SEED: u64 = 0xcbf2_9ce4_8422_2325;
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    block[..CHECKSUM_AT].chunks_exact(8).fold(SEED, |sum, chunk| {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        (sum.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR)
    })
}
