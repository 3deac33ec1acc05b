//! What the operating system tells about threads and about the machine.

pub(crate) mod allowance;
pub(crate) mod clocks;
