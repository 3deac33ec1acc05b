//! What the operating system and the interpreter tell about threads.

pub(crate) mod census;
pub(crate) mod clocks;
pub(crate) mod gil;
pub(crate) mod python;
pub(crate) mod report;
