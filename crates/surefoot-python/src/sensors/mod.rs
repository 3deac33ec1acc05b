//! What the operating system and the interpreter tell about threads and about the machine.

pub(crate) mod allowance;
pub(crate) mod clocks;
pub(crate) mod gil;
pub(crate) mod python;
pub(crate) mod report;
